"""From a generated text to the answer in it, by answer type and rule; "" where there is none.

Two rules. ``kojima`` is the published cleansing (Kojima et al. 2022, arXiv 2205.11916), kept as it is so that published
scores can be reproduced; ``robust`` avoids its pitfalls. ``bbh_answer`` is the scoring of BIG-Bench Hard.
An answer that is not found is empty, never a guess: empty answers are counted by the metric ``extraction_rate``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from scalecurve.nouns import Example, UserError

RULES = ("robust", "kojima")
FEW_SHOT_PHRASE = "The answer is"

_NUMBER_KOJIMA = re.compile(r"-?\d+\.?\d*")
_NUMBER_ROBUST = re.compile(r"(?:(?<!\d)-)?\d+(?:\.\d+)?")
_NUMERAL = re.compile(r"[-+]?\d+(?:\.\d+)?")
_YES_NO = re.compile(r"(?<![\w'])(?:yes|no)(?![\w'])")
_SO_THE_ANSWER = re.compile(r"so the answer is", re.IGNORECASE)
_THE_ANSWER = re.compile(r"the answer is", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AnswerType:
    """``name``: number, option, yes_no, letters or text; ``last``: the last letter of an option's range."""

    name: str
    last: str = "E"

    @property
    def trigger(self) -> str:
        """The second stage's answer trigger (Kojima et al. 2022)."""
        return {
            "number": "Therefore, the answer (arabic numerals) is",
            "option": f"Therefore, among A through {self.last}, the answer is",
            "yes_no": "Therefore, the answer (Yes or No) is",
        }.get(self.name, "Therefore, the answer is")


def answer_type(text: str) -> AnswerType:
    """``number``, ``option`` (A to E) or ``option:C`` (A to C), ``yes_no``, ``letters``, ``text``."""
    name, _, last = text.partition(":")
    if name not in _FINDERS or (last and (name != "option" or not re.fullmatch("[B-Z]", last))):
        raise UserError(f"settings.answer_type: {text!r}: use {', '.join(_FINDERS)} or option:C (letters A to C)")
    return AnswerType(name, last or "E")


def infer_type(examples: Sequence[Example]) -> AnswerType:
    """The type that fits the options, or else the targets, of all ``examples``; ``text`` where none does."""
    answers = {answer.strip() for example in examples for answer in example.options or example.targets}
    if answers and all(answer.lower() in ("yes", "no") for answer in answers):
        return AnswerType("yes_no")
    letters = {_bare(answer) for answer in answers}
    if answers and all(len(letter) == 1 and "A" <= letter <= "Z" for letter in letters):
        return AnswerType("option", max(letters))
    if answers and all(_is_number(example) for example in examples):
        return AnswerType("number")
    return AnswerType("text")


def _is_number(example: Example) -> bool:
    """Whether all options are numerals, or, without options, a target is one ("five" may stand beside "5")."""
    numerals = [_NUMERAL.fullmatch(a.strip().replace(",", "")) for a in example.options or example.targets]
    return all(numerals) if example.options else any(numerals)


def find_answer(text: str, kind: AnswerType, rule: str = "robust", *, few_shot: bool = False) -> str:
    """The answer of type ``kind`` in ``text``, or "".

    Without shots the first match counts (``robust`` options: the last). With ``few_shot`` it is the first match after
    the last "The answer is" or, where the phrase is missing, the last match in the whole text.
    """
    if rule not in RULES:
        raise UserError(f"settings.extraction: {rule!r}: use {' or '.join(RULES)}")
    concluded = False
    if few_shot:
        before = _after_phrase(text, rule)
        text, concluded = (text, False) if before is None else (before, True)
    found = _FINDERS[kind.name](text, kind, rule)
    if not found:
        return ""
    unconcluded = few_shot and not concluded
    prefers_last = rule == "robust" and kind.name == "option" and not few_shot
    return found[-1 if unconcluded or prefers_last else 0].removesuffix(".")


def spelled_as(found: str, kind: AnswerType, candidates: Sequence[str]) -> str:
    """``found`` in the spelling of the candidate it equals: "7.0" and "7", "C" and "(C)", "no" and "No" are equal."""
    for candidate in candidates:
        if _same(found, candidate, kind):
            return candidate
    return found


def bbh_answer(text: str, *, chain: bool) -> str:
    """The answer in an output of BIG-Bench Hard (Suzgun et al. 2022): the text without blanks and one final period.

    Of a ``chain``, what follows its first "so the answer is" (in any case); the whole text where that is missing.
    """
    found = _SO_THE_ANSWER.search(text) if chain else None
    answer = text if found is None else text[found.end() :]
    return answer.strip().removesuffix(".").strip()


# ── One function a type: all matches, in order ───────────────────────────────────────────────────────────────
def _numbers(text: str, kind: AnswerType, rule: str) -> list[str]:
    return (_NUMBER_KOJIMA if rule == "kojima" else _NUMBER_ROBUST).findall(text.replace(",", ""))


def _options(text: str, kind: AnswerType, rule: str) -> list[str]:
    letter = f"[A-{kind.last}]"
    return re.findall(letter if rule == "kojima" else rf"(?<![\w'’]){letter}(?![\w'’])", text)


def _yes_no(text: str, kind: AnswerType, rule: str) -> list[str]:
    text = text.lower()
    if rule == "robust":
        return _YES_NO.findall(text)
    return [word for word in re.sub(r"[\"'\n.\s:,]", " ", text).split(" ") if word in ("yes", "no")]


def _letters(text: str, kind: AnswerType, rule: str) -> list[str]:
    bare = re.sub(r"[\"'\n.\s]", "", text)
    return [bare] if bare else []


def _line(text: str, kind: AnswerType, rule: str) -> list[str]:
    line = text.strip().split("\n", 1)[0].strip().removesuffix(".").strip(" \t\"'").removesuffix(".")
    return [line] if line else []


_FINDERS: Mapping[str, Callable[[str, AnswerType, str], list[str]]] = {
    "number": _numbers,
    "option": _options,
    "yes_no": _yes_no,
    "letters": _letters,
    "text": _line,
}


def _after_phrase(text: str, rule: str) -> str | None:
    """What follows the last "The answer is"; None without it. The published rule minds capitals."""
    if rule == "kojima":
        _, phrase, after = text.rpartition(FEW_SHOT_PHRASE)
        return after if phrase else None
    found = list(_THE_ANSWER.finditer(text))
    return text[found[-1].end() :].lstrip(" :") if found else None


def _bare(answer: str) -> str:
    return answer.strip().removeprefix("(").removesuffix(")")


def _same(found: str, candidate: str, kind: AnswerType) -> bool:
    if kind.name == "number":
        values = (found.replace(",", ""), candidate.strip().replace(",", ""))
        return all(map(_NUMERAL.fullmatch, values)) and Fraction(values[0]) == Fraction(values[1])
    if kind.name == "option":
        return bool(found) and _bare(found) == _bare(candidate)
    return bool(found) and found.strip().lower() == candidate.strip().lower()
