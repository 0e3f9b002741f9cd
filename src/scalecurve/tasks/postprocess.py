"""From a generated text to a response, and when a response matches a target (BIG-bench's rules).

Source: ``bigbench`` 1.0.0, ``models/model_utils.py`` and ``api/task_metrics.py``; their behaviour, not their code.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from scalecurve.types import Postprocess

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


def not_a_regex(regex: object) -> str:
    """Why ``regex`` is no regular expression, or "" where it is one."""
    if not isinstance(regex, str):
        return "not a regular expression (it must be text)"
    try:
        re.compile(regex)
    except (re.error, OverflowError, RecursionError) as error:
        return f"not a regular expression ({error})"
    return ""


def not_an_output_regex(regex: str) -> str:
    """Why ``regex`` cannot be an output regex, or "" where it can."""
    several = "has several groups; write (?:…) for all but one"
    return not_a_regex(regex) or (several if re.compile(regex).groups > 1 else "")


# ── lm-evaluation-harness ────────────────────────────────────────────────────────────────────────────────────
FILTERS = ("take_first", "regex", "remove_whitespace", "lowercase", "uppercase", "map")


def filtered(text: str, filters: Sequence[Mapping[str, Any]]) -> str:
    """The response that the harness's ``filters`` make of one text, in their order ("" where a map has no value)."""
    for one in filters:
        name = one["function"]
        if name == "regex":
            text = _found(text, one)
        elif name == "map":
            value = one.get("mapping_dict", {}).get(text, one.get("default_value"))
            text = "" if value is None else str(value)
        elif name == "remove_whitespace":
            text = text.strip()
        elif name in ("lowercase", "uppercase"):
            text = text.lower() if name == "lowercase" else text.upper()
    return text


def _found(text: str, one: Mapping[str, Any]) -> str:
    """The match that a regex filter selects: of a pattern with several groups the first that is not empty."""
    fallback = str(one.get("fallback", "[invalid]"))
    matches = _compiled(one.get("regex_pattern", r"#### (\-?[0-9\.\,]+)")).findall(text)
    if not matches:
        return fallback
    at = one.get("group_select", 0)
    if not -len(matches) <= at < len(matches):  # the harness stops with an IndexError
        return fallback
    match = matches[at]
    if isinstance(match, tuple):
        match = next((group for group in match if group), fallback)
    return str(match).strip()


def disregarding(text: str, ignore: Mapping[str, Any]) -> str:
    """``text`` as the harness's exact_match compares it: regexes out, then case, ASCII punctuation and digits."""
    for pattern in ignore.get("regexes_to_ignore") or ():
        text = re.sub(pattern, "", text)
    if ignore.get("ignore_case"):
        text = text.lower()
    if ignore.get("ignore_punctuation"):
        text = text.translate(str.maketrans("", "", string.punctuation))
    if ignore.get("ignore_numbers"):
        text = text.translate(str.maketrans("", "", string.digits))
    return text


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
