"""From a generated text to a response, and when a response matches a target (BIG-bench's rules).

Source: ``bigbench`` 1.0.0, ``models/model_utils.py`` and ``api/task_metrics.py``; their behaviour, not their code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from scalecurve.nouns import Postprocess

DEFAULT_REGEX = r"[^\.\?\!\;\n]+"
"""What BIG-bench takes for the response when a task names neither ``output_regex`` nor ``stop_string``."""

FIRST_LINE = r"\A[^\S\n]*(\S(?:[^\n]*\S)?)"
WHOLE_TEXT = r"\A\s*(\S(?:[\s\S]*\S)?)"
"""Corrected mode, where the default regex makes answers unmatchable: the first line, or all, without outer blanks."""

LAST_NUMBER = r"(?:(?<!\d)[-+])?\d+(?:\.\d+)?(?=[^\d\n]*(?:\n|\Z))"
"""The last number of the first line that has one: "8 - 5 = 3 shells." gives 3."""


def postprocess(text: str, rules: Postprocess, max_length: int = 0) -> str:
    """The response in ``text``.

    In order: cut to ``max_length`` characters (0: no cut); cut after the first stop string, which is kept, unless it
    is at the very start; then the first match of the regex (its one group if it has one), or "" without a match. An
    empty regex or stop string does nothing.
    """
    if max_length:
        text = text[:max_length]
    if rules.stop:
        at = text.find(rules.stop)
        if at > 0:
            text = text[: at + len(rules.stop)]
    if rules.regex:
        found = _compiled(rules.regex).search(text)
        if found is None:
            return ""
        return (found.group(1) or "") if found.re.groups else found.group()
    return text


def compile_regex(regex: str) -> str:
    """What is wrong with ``regex`` as an output regex, or "" where nothing is."""
    try:
        groups = re.compile(regex).groups
    except re.error as error:
        return f"not a regular expression ({error})"
    return "has several groups; write (?:…) for all but one" if groups > 1 else ""


@lru_cache(maxsize=512)
def _compiled(regex: str) -> re.Pattern[str]:
    return re.compile(regex)


def exact_match(response: str, targets: Sequence[str]) -> bool:
    """Whether the response is one of the targets, character for character."""
    return response in targets


def case_insensitive_match(response: str, targets: Sequence[str]) -> bool:
    """Whether the response is one of the targets but for case and outer blanks."""
    return response.strip().lower() in (target.strip().lower() for target in targets)


def numeric_match(response: str, targets: Sequence[str], *, repaired: bool = False) -> bool:
    """Whether response and first target are numbers with |r − t| / t ≤ 0.1 (divided by 1 when t is 0).

    As in the reference, a negative target accepts every number; ``repaired`` divides by |t| instead.
    """
    try:
        value, target = float(response), float(targets[0])
    except ValueError:
        return False
    divisor = target if target != 0 else 1.0
    return abs(value - target) / (abs(divisor) if repaired else divisor) <= 0.1
