"""Yes and no, dates, lists, spelt letters and plain texts, each from the text after a claim or from a whole reply."""

from __future__ import annotations

import re

from scalecurve.strategies.extraction.clean import cleaned, plain_forms, unwrapped
from scalecurve.strategies.extraction.dates import dates_in

_ECHO = re.compile(r"\(?\b(?:yes\s*(?:or|/|and)\s*no|no\s*(?:or|/|and)\s*yes)\b\)?", re.IGNORECASE)
_YES_NO = re.compile(r"(?<![\w'])(yes|no)(?![\w'])", re.IGNORECASE)
_NO_WHAT = re.compile(
    r"\s+(?!the\b|it\b|he\b|she\b|they\b|this\b|that\b|there\b|because\b|since\b|you\b|I\b|a\b|an\b)[a-z]"
)
_NOTHING = re.compile(r"\s+(?:one|body|information|evidence|way|answer|idea|clear|data|mention)\b", re.IGNORECASE)
_HAN_YES = re.compile(r"[\s\"'(]*(?:是的|对的?|肯定的?|正确|可以|能|会|有|是)(?:[\s\"').,。,!;]|$)")
_HAN_NO = re.compile(r"[\s\"'(]*(?:不是|不对|否定的?|否|错误?|不可以|不能|不会|不|没有)(?:[\s\"').,。,!;]|$|是)")
_SPELT = 6  # letters in all, so few that blanks between them part no words
_SENTENCE_END = re.compile(r"(?<=[a-z)\]\"']{3})\.\s+(?=[A-Z])|。")


def yes_no_in(text: str) -> str:
    """yes or no: the first that stands as an answer, not "no" before a noun nor an echo of "Yes or No"."""
    text = _ECHO.sub(" ", cleaned(text))
    if _HAN_NO.match(text):
        return "no"
    if _HAN_YES.match(text):
        return "yes"
    for match in _YES_NO.finditer(text):
        word = match[1].lower()
        begins = not re.search(r"\w", text[: match.start()])
        if word == "no" and (_NOTHING if begins else _NO_WHAT).match(text[match.end() :]):
            continue
        if re.search(r"\bnot\s+(?:a\s+|an\s+)?$", text[: match.start()], re.IGNORECASE):
            continue
        return word
    return ""


def date_in(text: str, *, last: bool = False) -> str:
    """The first (or last) date as MM/DD/YYYY."""
    found = dates_in(plain_forms(cleaned(text)))
    return found[-1 if last else 0][1].strftime("%m/%d/%Y") if found else ""


def list_in(text: str) -> str:
    """The items of a list in one line, parted by ", ": from brackets, commas, "and", or one a line; "" for none."""
    text = cleaned(text).strip()
    inner = re.match(r"[^\[\n]*\[([^\]]*)\]", text)
    if inner:
        text = inner[1]
    elif re.match(r"(?:[-*•]|\d+[.)])\s", text):
        lines = [re.match(r"(?:[-*•]|\d+[.)])\s+(.*)", line.strip()) for line in text.split("\n")]
        text = ", ".join(line[1] for line in lines if line)
    else:
        text = _SENTENCE_END.split(text.split("\n", 1)[0], maxsplit=1)[0]
    return ", ".join(items_of(text))


def items_of(text: str) -> list[str]:
    """The items of a list written in one line."""
    text = text.strip().removeprefix("[").removesuffix("]").strip().removesuffix(".")
    parts = re.split(r"\s*[,;、,;]\s*(?:and\s+|or\s+)?|\s+and\s+|\s*(?<=[\u4e00-\u9fff])和(?=[\u4e00-\u9fff])", text)
    return [item for item in (part.strip(" \t\"'") for part in parts) if item]


def letters_in_word(text: str) -> str:
    """A word of letters, however spelt: in quotes, with blanks, points or hyphens between; "" where none is clear."""
    text = plain_forms(text).strip()
    quoted = re.search(r"[\"']([A-Za-z](?:[\s.-]?[A-Za-z])*)\.?[\"']", text)
    said = quoted[1] if quoted else cleaned(text.split("\n\n", 1)[0])
    words = re.findall(r"[^\W_]+", said)
    if quoted or len(words) == 1 or sum(map(len, words)) <= _SPELT or all(len(word) == 1 for word in words):
        return "".join(words)
    first = re.match(r"\W*([^\W_]+)\s*[.,;(\n]", said)
    return first[1] if first and first[1].islower() else ""


def text_in(raw: str) -> str:
    """The first line with anything in it, without marks around it, one final period, and a sentence that follows."""
    lines = [line for line in raw.split("\n") if re.sub(r"[\s*_`#]", "", line)]
    line = lines[0].strip() if lines else ""
    bold = re.match(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1(?=[\s.,;:!]|$)", line)
    if bold:
        line = bold[2]
    line = unwrapped(_SENTENCE_END.split(line, maxsplit=1)[0].strip().removesuffix(".").strip())
    return unwrapped(line.removesuffix(".").strip())
