"""Letters of options: a stated answer before a stray capital; "A or B", an article and a denied letter are none."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scalecurve.strategies.extraction.claims import Claim
from scalecurve.strategies.extraction.clean import cleaned

_MARK = r"(?:(?:option|choice|answer|letter|statement|选项|答案)\s*[:#]?\s*)?"
_BRACKET = re.compile(rf"\s*[\"'*]*{_MARK}[\"'*]*[(\[<{{]\s*([A-Za-z])\s*[)\]>}}]", re.IGNORECASE)
_NAMED = re.compile(
    r"\s*[\"'*]*(?:option|choice|letter|选项)\s*[:#]?\s*[\"'*]*([A-Za-z])(?![A-Za-z0-9'])", re.IGNORECASE
)
_FREE = re.compile(r"\s*[\"'*]*([A-Z])[\"'*]*(?![A-Za-z0-9'&])(?!-[A-Za-z])")
_SMALL = re.compile(r"\s*[\"']?([a-z])[\"']?\s*(?:[.)]\s*)?$|\s*([a-z])\)\s")
_ARTICLE = re.compile(
    r"\s+(?!is\b|because\b|since\b|as\b|and\b|or\b|,|was\b|would\b|but\b|rather\b|not\b|with\b|for\b|\()[a-zé\d]"
)
_OTHER = re.compile(r"\s*(?:,\s*)?(?:or|and|/|&|或者?|和|及|与|、|,)\s*(?:also\s+)?(?!not\b|no\b|非|不)", re.IGNORECASE)
_DENIED = re.compile(
    r"\s*(?:is|was|are|would\s+be|seems?)?\s*(?:not|n't|never|clearly\s+not)\b|\s*(?:is|was)\s+(?:in|un)\w+"
    r"|\s*(?:is|was)\s+(?:clearly\s+|also\s+)?(?:wrong|false|incorrect|out\b|eliminated)|\s*(?:不|错|不是|不对|是错)",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?:\bnot|\bno|n't|\bneither|\bnor|\bthan|\bexcept|\binstead of"
    r"|不是|不选|非|而不是|排除)\s*(?:be\s+|is\s+)?[(\[\"']*$",
    re.I,
)
_IS_RIGHT = re.compile(
    r"[\"')\]]*\s*(?:is|would\s+be|must\s+be|should\s+be|seems)\s+(?:(?:clearly|therefore|thus|likely|the|most|only|also|a)\s+)*"
    r"(?:correct|right|best|answer|true|valid|better|closest|one)|(?:项)?(?:是)?(?:最)?(?:正确|对的|合适)",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"\b(?:I|we|you|one)\s*(?:'d|would|will|'ll|should|must|can)?\s*(?:therefore\s+)?(?:choose|pick|select|go\s+with|chose|say)\b\s*"
    r"|\b(?:it|this|that)\s*(?:is|'s|must\s+be|should\s+be|would\s+be|has\s+to\s+be)\s+",
    re.IGNORECASE,
)


def letter_of(claim: Claim, last: str, texts: Mapping[str, str]) -> str:
    """The letter a claim states, up to ``last``; else that of an option's own text (``texts``: letter → text)."""
    text = claim.text
    line = _first_line(text)
    place = letter_at(line, last)
    if place is not None:
        letter, end = place
        return "" if _denied_or_more(line, end, letter, last) else letter
    if re.match(r"\W*(?:not|neither|both|either)\b", line, re.IGNORECASE):
        return ""
    sentence = re.split(r"[.;]\s|[。;]", line, maxsplit=1)[0]
    named = [one for one in letters_in(sentence, last, marked=True) if one[1] not in denied_in(sentence, last)]
    if len({letter for _, letter in named}) == 1:
        return named[0][1]
    by_text = letter_by_text(sentence, texts)
    if by_text or named:
        return by_text
    free = {letter for _, letter in letters_in(sentence, last)}
    return free.pop() if len(free) == 1 else ""


def letter_first(text: str, last: str) -> str:
    """The letter that a reply begins with, where it stands by itself there."""
    line = re.sub(r"^[^\w(\[<{\"'*]+", "", _first_line(cleaned(text)))
    place = letter_at(line, last)
    if place is None or not re.match(r"\s*(?:$|[.):,;=]|-\s|because\b|since\b|as\b|\()", line[place[1] :]):
        return ""
    return "" if _denied_or_more(line, place[1], place[0], last) else place[0]


def letter_in_reply(text: str, last: str, texts: Mapping[str, str]) -> str:
    """The letter of a reply to a trigger that ends in "the answer is", where it does not begin with one."""
    text = cleaned(text)
    first = Claim(0, _first_line(text))
    return conclusion(text, last) or letter_of(first, last, texts)


def conclusion(text: str, last: str) -> str:
    """The letter that ``text`` comes to without saying "the answer is": chosen, called right, or the only one."""
    chosen = []
    for head in _CHOSEN.finditer(text):
        place = letter_at(text[head.end() :], last)
        if place is not None and not _denied_or_more(text[head.end() :], place[1], place[0], last):
            chosen.append((head.end(), place[0]))
    for start, letter in letters_in(text, last):
        end = start + len(_token(text, start))
        if _IS_RIGHT.match(text[end:]) and not _BEFORE.search(text[:start]):
            chosen.append((start, letter))
    if chosen:
        return max(chosen)[1]
    denied = denied_in(text, last)
    marked = {letter for _, letter in letters_in(text, last, marked=True)} - denied
    if len(marked) == 1:
        return marked.pop()
    free = {letter for _, letter in letters_in(text, last)} - denied
    return free.pop() if len(free) == 1 and not marked else ""


def letter_at(text: str, last: str) -> tuple[str, int] | None:
    """(letter, where it ends) of the letter that ``text`` begins with; an article is none."""
    for form in (_BRACKET, _NAMED, _FREE, _SMALL):
        match = form.match(text)
        if match is None:
            continue
        letter = (match[1] or match[match.lastindex or 1]).upper()
        if letter > (last or "Z"):
            return None
        if form is _FREE and _ARTICLE.match(text[match.end() :]) and letter in "AI":
            return None
        return letter, match.end()
    return None


def letters_in(text: str, last: str, *, marked: bool = False) -> list[tuple[int, str]]:
    """(place, letter) of the free-standing letters of ``text`` in range; ``marked``: those in brackets or named."""
    high = last or "Z"
    found = [(m.start(), m[1]) for m in re.finditer(r"[(\[]([A-Z])[)\]]", text)]
    found += [(m.start(), m[1]) for m in re.finditer(r"\b(?:[Oo]ption|[Cc]hoice|[Ll]etter)\s+\"?([A-Z])\b(?!')", text)]
    found += [(m.start(), m[1]) for m in re.finditer(r"选项\s*([A-Z])(?![A-Za-z])", text)]
    if not marked:
        for m in re.finditer(r"(?<![A-Za-z0-9'.&(\[])([A-Z])(?![A-Za-z0-9'&])(?!\.[A-Z])(?!-[A-Za-z])", text):
            if not (m[1] in "AI" and _ARTICLE.match(text[m.end() :])):
                found.append((m.start(), m[1]))
    return sorted({(place, letter) for place, letter in found if letter <= high})


def denied_in(text: str, last: str) -> set[str]:
    """The letters that ``text`` says are not it."""
    return {
        letter
        for start, letter in letters_in(text, last)
        if _BEFORE.search(text[:start]) or _DENIED.match(text[start + len(_token(text, start)) :])
    }


def letter_by_text(text: str, texts: Mapping[str, str]) -> str:
    """The letter of the one option whose own text stands in ``text``; of two, one within the other, the longer."""
    said = f" {_words(text)} "
    held = {letter: f" {_words(option)} " for letter, option in texts.items() if _words(option)}
    found = [letter for letter, option in held.items() if option in said]
    found = [one for one in found if not any(held[one] != held[o] and held[one] in held[o] for o in found)]
    return found[0] if len(found) == 1 else ""


def _denied_or_more(text: str, end: int, letter: str, last: str) -> bool:
    """Whether what follows the letter takes it back, or names another beside it."""
    if _DENIED.match(text[end:]):
        return not re.match(r"\s*,?\s*not\b", text[end:], re.IGNORECASE)
    more = _OTHER.match(text[end:])
    other = letter_at(text[end + more.end() :], last) if more else None
    return other is not None and other[0] != letter and not re.match(r"\s*,\s*$", text[end:])


def _token(text: str, start: int) -> str:
    match = re.compile(r"[(\[][A-Z][)\]]|(?:[Oo]ption|[Cc]hoice|[Ll]etter|选项)\s*\"?[A-Z]|[A-Z]").match(text, start)
    return match[0] if match else ""


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))
