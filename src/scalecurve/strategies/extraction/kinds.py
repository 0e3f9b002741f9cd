"""The kinds of answers, and which of them a task's examples ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scalecurve.errors import UserError
from scalecurve.strategies.extraction.dates import read_date
from scalecurve.types import Example

KINDS = ("number", "option", "yes_no", "date", "list", "letters", "text")
STRAYS = 50
"""One example in so many may be of another kind than its task: published tasks have faulty targets."""

_NUMERAL = re.compile(r"[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?<=\d)")
_LISTED = re.compile(r"\(([A-Z])\)\s*\S|(?:^|\n)\s*([A-Z])[.):]\s+\S|(?<=\s)([A-Z])\)\s*\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class AnswerType:
    """``name``: one of ``KINDS``; ``last``: the last letter of an option's range, "" where it is not known."""

    name: str
    last: str = "E"

    @property
    def trigger(self) -> str:
        """The second stage's answer trigger (Kojima et al. 2022)."""
        if self.name == "option" and self.last:
            return f"Therefore, among A through {self.last}, the answer is"
        return {
            "number": "Therefore, the answer (arabic numerals) is",
            "yes_no": "Therefore, the answer (Yes or No) is",
        }.get(self.name, "Therefore, the answer is")


def answer_type(text: str) -> AnswerType:
    """``number``, ``option`` (A to E) or ``option:C``, ``yes_no``, ``date``, ``list``, ``letters`` or ``text``."""
    name, _, last = text.partition(":")
    if name not in KINDS or (last and (name != "option" or not re.fullmatch("[B-Z]", last))):
        raise UserError(f"settings.answer_type: {text!r}: use {', '.join(KINDS)} or option:C (letters A to C)")
    return AnswerType(name, last or "E")


def infer_type(examples: Sequence[Example]) -> AnswerType:
    """The kind that fits the options, or else the targets, of ``examples`` (but for one in ``STRAYS``); else ``text``.

    The letters of options are those that the examples offer, as options or listed in their questions, never those
    that are right: a range made of targets would tell which letters are.
    """
    given = [[answer.strip() for answer in example.options or example.targets] for example in examples]
    given = [answers for answers in given if answers]
    if _most(all(answer.lower() in ("yes", "no") for answer in answers) for answers in given):
        return AnswerType("yes_no")
    if _most(all(re.fullmatch("[A-Z]", bare(answer)) for answer in answers) for answers in given):
        return AnswerType("option", _last_letter(examples))
    if _most(_is_number(example) for example in examples if example.options or example.targets):
        return AnswerType("number")
    if _most(all(read_date(answer, whole=True) for answer in answers) for answers in given):
        return AnswerType("date")
    if _most(all(re.fullmatch(r"\[[^\]]*\]", answer) for answer in answers) for answers in given):
        return AnswerType("list")
    return AnswerType("text")


def listed_options(text: str) -> dict[str, str]:
    """Letter → text of the options that a question lists, as "(A) Rome (B) Paris"; empty without at least A and B."""
    marks = list(_LISTED.finditer(text))
    found: dict[str, str] = {}
    for at, mark in enumerate(marks):
        letter = mark[1] or mark[2] or mark[3]
        if ord(letter) - ord("A") != len(found):
            continue
        ends = [later.start() for later in marks[at + 1 :] if (later[1] or later[2] or later[3]) > letter]
        said = text[mark.end() - 1 : ends[0] if ends else len(text)]
        found[letter] = said.strip().split("\n")[0].strip().rstrip(",;")
    return found if len(found) > 1 else {}


def bare(answer: str) -> str:
    """An option's letter without its brackets."""
    return answer.strip().removeprefix("(").removesuffix(")")


def _last_letter(examples: Iterable[Example]) -> str:
    offered = [letter for example in examples for letter in _offered(example)]
    return max(offered, default="")


def _offered(example: Example) -> list[str]:
    return [bare(option) for option in example.options] or list(listed_options(example.input))


def _is_number(example: Example) -> bool:
    """Whether all options are numerals, or, without options, a target is one ("five" may stand beside "5")."""
    numerals = [_NUMERAL.fullmatch(answer.strip()) for answer in example.options or example.targets]
    return all(numerals) if example.options else any(numerals)


def _most(fits: Iterable[bool]) -> bool:
    fit = list(fits)
    return bool(fit) and fit.count(False) * STRAYS <= len(fit) and any(fit)
