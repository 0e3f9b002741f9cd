"""Types of answers: how a model is held to one, and how a text becomes its value or nothing.

A value is read strictly: a text that is not wholly of the type is unparsable, never rounded, cut or guessed at.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from scalecurve.errors import UserError

YES_NO = ("yes", "no")
MOST_STEPS = 20  # of a scale
UNKNOWN = frozenset(("unknown", "i don't know", "i do not know", "not known"))
"""Replies by which a model says that there is no answer."""

_INTEGER = r"-?(0|[1-9][0-9]{0,2}(,[0-9]{3})+|[1-9][0-9]{0,18})"
_NUMBER = rf"{_INTEGER}(\.[0-9]{{1,12}})?"
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_ONE_LINE_OF_JSON = 'start: / ?/ value\nvalue: %json {"x-guidance": {"whitespace_flexible": false}}'
_LINE = r"start: / ?[^\s][^\n]*\n?/"  # not empty: many a chat model would first break the line
_SAID = r"[ ;:!?)\n]+([^0-9 ;:!?)\n][^\n]*\n?)?"
_AFTER = rf"({_SAID}|\.({_SAID})?)?"  # what a model may say once the value is complete; no further digit at once
_ENUM = re.compile(r"\s*ENUM\s*\((.*)\)\s*", re.I | re.S)
_MEMBER = re.compile(r"\s*(?:'((?:[^']|'')*)'|([^',]+?))\s*(?:,|\Z)")
_BITS = {"INTEGER": 31, "BIGINT": 63}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of answer.

    ``sql`` is DuckDB's type. ``options`` are texts to choose among, which are scored and not generated; else a text is
    generated, held to ``grammar`` (Lark, as llguidance reads it; "" holds to nothing) and cut at ``stop``.
    ``extraction`` is what a chain of thought's answer is read as.
    """

    name: str
    sql: str
    options: tuple[str, ...] = ()
    grammar: str = ""
    stop: tuple[str, ...] = ("\n",)
    max_tokens: int = 24
    extraction: str = "text"


def kind_of(text: str) -> Kind:
    """The type ``text`` names: INT, BIGINT, DOUBLE, BOOLEAN, DATE, JSON, VARCHAR or ENUM(a, b, …)."""
    found = _ENUM.fullmatch(text)
    if found:
        return enumeration([(quoted or bare).replace("''", "'") for quoted, bare in _MEMBER.findall(found.group(1))])
    name = {"INTEGER": "INT", "TEXT": "VARCHAR", "FLOAT": "DOUBLE"}.get(text.strip().upper(), text.strip().upper())
    if name not in _KINDS:
        raise UserError(f"query: there is no type {text[:40]!r} for an answer; use {', '.join(_KINDS)} or ENUM(a, b)")
    return _KINDS[name]


def enumeration(labels: Sequence[str]) -> Kind:
    """The type whose values are ``labels``."""
    if len(labels) < 2 or len(set(labels)) < len(labels) or not all(label.strip() for label in labels):
        raise UserError("query: labels must be two or more different texts, none of them empty")
    return Kind("ENUM", "VARCHAR", tuple(labels))


def scale(low: int, high: int) -> Kind:
    """A rating: the whole numbers from ``low`` to ``high``, of which the value is the expected one."""
    if not low < high <= low + MOST_STEPS:
        raise UserError(f"query: a scale goes from a lower whole number to a higher, at most {MOST_STEPS} apart")
    return Kind("RATE", "DOUBLE", tuple(map(str, range(low, high + 1))))


def _line(pattern: str) -> str:
    return f"start: / ?{pattern}{_AFTER}/"


_KINDS = {
    "INT": Kind("INT", "INTEGER", (), _line(_INTEGER), extraction="number"),
    "BIGINT": Kind("BIGINT", "BIGINT", (), _line(_INTEGER), extraction="number"),
    "DOUBLE": Kind("DOUBLE", "DOUBLE", (), _line(_NUMBER), extraction="number"),
    "BOOLEAN": Kind("BOOLEAN", "BOOLEAN", YES_NO, extraction="yes_no"),
    "DATE": Kind("DATE", "DATE", (), _line(_DAY)),
    "JSON": Kind("JSON", "VARCHAR", (), _ONE_LINE_OF_JSON, max_tokens=128),
    "VARCHAR": Kind("VARCHAR", "VARCHAR", (), _LINE, max_tokens=32),
}
SUMMARY = Kind("SUMMARY", "VARCHAR", (), _LINE, max_tokens=64)
"""One line about many texts."""
TEXT = Kind("TEXT", "VARCHAR", stop=(), max_tokens=64)
"""Free text, as the model writes it."""


def read_value(text: str, kind: Kind) -> Any:
    """The value of type ``kind`` that ``text`` is, or None where it is none."""
    if kind is TEXT:
        return text
    line = text.strip()
    if kind.name == "JSON":
        return _json(line)
    if kind.name in ("VARCHAR", "SUMMARY"):
        return line or None
    if kind.options:
        return _option(line, kind)
    if kind.name == "DATE":
        found = re.fullmatch(rf"({_DAY}){_AFTER}", line)
        return _date(found.group(1)) if found else None
    found = re.fullmatch(rf"({_INTEGER if kind.sql in _BITS else _NUMBER}){_AFTER}", line)
    return _number(found.group(1).replace(",", ""), kind) if found else None


def says_unknown(text: str) -> bool:
    """Whether a reply says that there is no answer."""
    return text.strip().rstrip(".!").lower() in UNKNOWN


def _number(digits: str, kind: Kind) -> int | float | None:
    if kind.sql in _BITS:
        value = int(digits)
        return value if -(2 ** _BITS[kind.sql]) <= value < 2 ** _BITS[kind.sql] else None
    number = float(digits)
    return number if math.isfinite(number) else None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _json(text: str) -> str | None:
    def refuse(word: str) -> Any:
        raise ValueError(word)  # NaN and Infinity are no JSON

    try:
        json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    return text


def _option(text: str, kind: Kind) -> Any:
    """The longest option that ``text`` is, or says before a comma or full stop ("Yes, it is.", but not "No idea")."""
    said = text.lower()
    for option in sorted(kind.options, key=len, reverse=True):
        if re.match(rf"{re.escape(option.strip().lower())}\s*([,.;:!]|\Z)", said):
            return option_value(option, kind)
    return None


def option_value(option: str, kind: Kind) -> Any:
    """What choosing ``option`` means: itself, for BOOLEAN whether it is yes, for RATE its number."""
    if kind.name == "RATE":
        return float(option)
    return option == YES_NO[0] if kind.name == "BOOLEAN" else option
