"""Dates as people write them, in English and Chinese; an order that cannot be told is month first, as in BIG-bench."""

from __future__ import annotations

import re
from datetime import date

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = (
    "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_FORMS = (
    (re.compile(r"(?<![\d/-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d/])"), (1, 3, 4)),
    (re.compile(r"(?<!\d)(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]"), (1, 2, 3)),
    (re.compile(r"(?<![\d/.-])(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?![\d/])"), (4, 1, 3)),
    (re.compile(rf"\b{_MONTH}\s+(?:the\s+)?{_DAY}\s*,?\s+(\d{{4}})\b", re.IGNORECASE), (3, 1, 2)),
    (re.compile(rf"\b{_DAY}\s+(?:of\s+)?{_MONTH},?\s+(\d{{4}})\b", re.IGNORECASE), (3, 2, 1)),
)


def dates_in(text: str) -> list[tuple[int, date]]:
    """(place, date) of every date in ``text``, in order; impossible ones are left out."""
    found = []
    for form, order in _FORMS:
        for match in form.finditer(text):
            value = _date(*(match[at] for at in order))
            if value is not None:
                found.append((match.start(), value))
    return sorted(found)


def read_date(text: str, *, whole: bool = False) -> date | None:
    """The first date in ``text``; with ``whole``, only where the text is nothing but a date."""
    text = text.strip()
    if whole and not any(form.fullmatch(text) for form, _ in _FORMS):
        return None
    return next((value for _, value in dates_in(text)), None)


def _date(year: str, month: str, day: str) -> date | None:
    at = _MONTHS.index(month[:3].lower()) + 1 if month[0].isalpha() else int(month)
    if at > 12 >= int(day):  # the day stands first
        at, day = int(day), str(at)
    try:
        return date(int(year), at, int(day))
    except ValueError:
        return None
