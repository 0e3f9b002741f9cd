"""The default rule: what the text states, or else what it comes to, or nothing; thinking is never read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scalecurve.strategies.extraction import options, others
from scalecurve.strategies.extraction.claims import Claim, claims, own_part
from scalecurve.strategies.extraction.clean import cleaned
from scalecurve.strategies.extraction.kinds import AnswerType
from scalecurve.strategies.extraction.numbers import number_in, words_in
from scalecurve.util.thinking import split_thinking

_LAST_BOLD = re.compile(r"(?:^|\n)[ \t]*(?:\*\*|__)([^*\n]+?)(?:\*\*|__)[ \t]*\.?\s*\Z")
_NUMBER_ALONE = re.compile(r"\W*[-+$€£¥]?\s?[\d.,]*\d%?(?:\s+[a-z]+){0,2}\s*(?:\.\s|\.?\n|\.?$)")
_YES_NO_FIRST = re.compile(r"[\s\"'(*]*(?:yes|no)[\"')*]*\s*(?:[.,;:!\n]|$)", re.IGNORECASE)


class Robust:
    """The last statement with an answer in it counts; without any, how a reply begins or how a chain of steps ends."""

    name = "robust"

    def find(
        self,
        text: str,
        kind: AnswerType,
        *,
        few_shot: bool,
        texts: Mapping[str, str] | None = None,
        cut: bool = False,
    ) -> str:
        text, texts = own_part(split_thinking(text).answer), texts or {}
        if not few_shot:
            found = _begins(text, kind)
            if found:
                return found
        stated = claims(text, letters=kind.name == "option")
        for claim in reversed(stated):
            found = _stated(claim, kind, texts)
            if found or claim.declined:
                return found
        bold = _LAST_BOLD.search(text)
        found = _stated(Claim(bold.start(), bold[1]), kind, texts) if bold else ""
        if found or stated or (few_shot and cut):  # to look for an answer elsewhere would be a guess
            return found
        return _concluded(text, kind) if few_shot else _replied(text, kind, texts)


def _stated(claim: Claim, kind: AnswerType, texts: Mapping[str, str]) -> str:
    """The answer that a statement gives."""
    match kind.name:
        case "number":
            said = claim.text.strip()
            line = said.split("\n", 1)[0]
            first = re.split(r"[.;]\s|。", line, maxsplit=1)[0]
            if re.match(r"not\b", said, re.IGNORECASE):
                return ""
            return words_in(said) or number_in(line) or (number_in(said) if not re.search(r"\w", first) else "")
        case "option":
            return options.letter_of(claim, kind.last, texts)
        case "yes_no":
            return others.yes_no_in(claim.text.strip().split("\n", 1)[0])
        case "date":
            return others.date_in(claim.text)
        case "list":
            return others.list_in(claim.raw)
        case "letters":
            return others.letters_in_word(claim.raw.strip().split("\n", 1)[0])
    return others.text_in(claim.raw)


def _begins(text: str, kind: AnswerType) -> str:
    """The answer that a reply begins with, where it stands by itself there."""
    plain = cleaned(text)
    if kind.name == "number" and _NUMBER_ALONE.match(plain):
        return number_in(plain)
    if kind.name == "yes_no" and _YES_NO_FIRST.match(plain):
        return others.yes_no_in(plain)
    if kind.name == "option":
        return options.letter_first(text, kind.last)
    return ""


def _replied(text: str, kind: AnswerType, texts: Mapping[str, str]) -> str:
    """The answer of a reply to a trigger that ends in "the answer is"."""
    plain = cleaned(text)
    match kind.name:
        case "number":
            return words_in(plain) or number_in(plain)
        case "option":
            return options.letter_in_reply(text, kind.last, texts)
        case "yes_no":
            return others.yes_no_in(plain)
        case "date":
            return others.date_in(text)
        case "list":
            return others.list_in(text)
        case "letters":
            return others.letters_in_word(text)
    return others.text_in(text)


def _concluded(text: str, kind: AnswerType) -> str:
    """The answer that steps come to without stating it; texts and lists must be stated."""
    plain = cleaned(text).strip()
    last = plain.rsplit("\n", 1)[-1]
    bold = re.findall(r"\*\*([^*\n]+)\*\*", text.strip().rsplit("\n", 1)[-1])
    match kind.name:
        case "number":
            marked = [value for value in map(number_in, map(cleaned, bold)) if value]
            return marked[-1] if marked else number_in(plain, last=True) or words_in(plain)
        case "option":
            return options.conclusion(last, kind.last)
        case "yes_no":
            return others.yes_no_in(re.split(r"(?<=[.!?])\s+", last)[-1])
        case "date":
            return others.date_in(last, last=True)
    return ""
