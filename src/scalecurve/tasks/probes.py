"""Sub-abilities: probes that grade a part of the answer turn one curve into a ladder of partial abilities.

A probe is a regular expression over the response, or a function from (response, targets) to 0–1, or the name of a
subtask whose own curve counts. A task file declares probes under ``"probes"``; functions are for Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scalecurve.errors import UserError

Grade = Callable[[str, Sequence[str]], float]
PREFIX = "probe:"


@dataclass(frozen=True, slots=True)
class Probe:
    """One partial ability. Exactly one of ``pattern``, ``grade`` and ``subtask`` is given.

    ``pattern`` earns 1 where it is found in the response. In it ``{target}`` stands for any of the targets, ``{word}``
    for any word of them, and ``{words}`` asserts that all words of one of them follow, in whatever order.
    """

    name: str
    pattern: str = ""
    grade: Grade | None = None
    subtask: str = ""
    chance: float = 0.0

    def score(self, response: str | None, targets: Sequence[str]) -> float:
        """0–1; a response that could not be extracted earns 0, as in the task's own metric."""
        if response is None:
            return 0.0
        if self.grade is not None:
            return float(self.grade(response, targets))
        return float(re.search(filled(self.pattern, targets), response) is not None)


def filled(pattern: str, targets: Sequence[str]) -> str:
    """``pattern`` with the targets, or words of them, in place of ``{target}``, ``{word}`` and ``{words}``."""
    words = [target.split() for target in targets]
    stand_ins = {
        "{target}": [re.escape(target) for target in targets],
        "{word}": [rf"\b{re.escape(word)}\b" for own in words for word in own],
        "{words}": ["".join(rf"(?=.*\b{re.escape(word)}\b)" for word in own) for own in words],
    }
    for name, choices in stand_ins.items():
        pattern = pattern.replace(name, f"(?:{'|'.join(choices)})" if choices else "(?!)")
    return pattern


def read_probes(declared: Mapping[str, Mapping[str, object] | str], where: str = "probes") -> tuple[Probe, ...]:
    """Probes as a task declares them: name → pattern, or name → {pattern | subtask, chance}. Functions are for Python.

    ``UserError`` names the probe that is wrong.
    """
    probes = []
    for name, value in declared.items():
        if not isinstance(value, str | Mapping):
            raise UserError(f"{where}.{name}: must be a pattern (text) or a table with a pattern or a subtask")
        fields = {"pattern": value} if isinstance(value, str) else dict(value)
        pattern, subtask = str(fields.get("pattern", "")), str(fields.get("subtask", ""))
        if bool(pattern) == bool(subtask) or set(fields) - {"pattern", "subtask", "chance"}:
            raise UserError(f"{where}.{name}: give either a pattern or a subtask (and chance, if it is not 0)")
        try:
            re.compile(filled(pattern, ("x",)))
        except re.error as error:
            raise UserError(f"{where}.{name}: {pattern!r} is no regular expression ({error})") from None
        chance = fields.get("chance", 0.0)
        if not isinstance(chance, int | float) or not 0 <= chance <= 1:
            raise UserError(f"{where}.{name}: chance is {chance!r}; give a number from 0 to 1")
        probes.append(Probe(name, pattern, None, subtask, float(chance)))
    return tuple(probes)
