"""Cells of tables as people write them: numbers, counts, shots, marks of right and wrong, and names."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING

from scalecurve.io.conventions import finite

if TYPE_CHECKING:
    import polars as pl

SCALE = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12, "thousand": 1e3, "million": 1e6, "mio": 1e6, "billion": 1e9,
          "bn": 1e9, "trillion": 1e12, "mrd": 1e9, "milliarden": 1e9,
         "milliards": 1e9, "mn": 1e6, "thousands": 1e3, "millions": 1e6, "billions": 1e9, "trillions": 1e12,
          "万": 1e4, "亿": 1e8, "万亿": 1e12}  # fmt: skip
_AMOUNT = re.compile(
    r"[~≈<>]?\s*(?:(\d+)\s*[x×]\s*)?(\d[\d,_ '’]*(?:\.\d+)?|\.\d+)(?:e\+?(\d+))?\s*"
    r"([kmbt]|thousand|million|mio|billion|bn|trillion|mrd|milliarden|milliards|万亿|万|亿)?"
    r"\.?(?:[-_ ]?a\d+(?:\.\d+)?[kmb])?\s*(?:params|parameters|tokens)?",
    re.IGNORECASE,
)
_SHOT_WORDS = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_MINUS = str.maketrans(
    {"−": "-", "－": "-", "–": "-", "．": ".", "％": "%"} | {chr(0xFF10 + at): str(at) for at in range(10)}
)
_DIGITS = r"(?:\d[\d.,]*(?:e[-+]?\d+)?|[.,]\d+)"
_SPREAD = (
    rf"\s*(?:(?:±|\+/-|\+-)\s*(?P<plus>{_DIGITS})|\(\s*(?:±|\+/-|s\.?e\.?m?\s*[:=]?|std\.?\s*err\w*\s*[:=]?)\s*"
    rf"(?P<said>{_DIGITS})\s*%?\s*\)|\(\s*(?P<bare>\d*[.,]\d+)\s*%?\s*\)).*$"
)
_BEHIND = re.compile(
    rf"(?<=[\d%*_†‡§^])(?:{_SPREAD}|\s*[\[(]\s*(?:n\s*=|std|sd|σ|ci)?\W*\d[^\])]*[\])].*$"
    r"|\s*[↑↓▲▼⬆⬇][\s\d.,+-]*$)",
    re.IGNORECASE,
)
"""What stands behind a score in its cell: an error, an interval, a rank, a number of items."""
_RIGHT = ("✓", "✔", "✔️", "✅", "yes", "true", "correct", "right", "pass", "passed", "对", "正确", "是", "○")
_WRONG = ("✗", "✘", "❌", "×", "no", "false", "wrong", "incorrect", "fail", "failed", "错", "错误", "否")


def number(value: object) -> float | None:
    """A finite number, also when it is written as text; else None. Marks of emphasis and what follows ± go.

    >>> [number(one) for one in ("0.25", "25%", "0,25", "7,000", "1 838", "25.5 ± 1.2", "0.25 (0.01)", "**25.5**†")]
    [0.25, 0.25, 0.25, 7000.0, 1838.0, 25.5, 0.25, 25.5]
    >>> number("12/40"), number("－3.5"), number("−3.5")
    (0.3, -3.5, -3.5)
    """
    if isinstance(value, Decimal):
        return finite(float(value))
    if isinstance(value, str):
        if (share := _counted(value)) is not None:
            return share[0] / share[1]
        value = re.sub(r"</?[a-z][^<>]*>", "", value, flags=re.IGNORECASE).strip().translate(_MINUS)
        value = re.sub(r"(?<=\d)\s*(percent|per cent|pct\.?|prozent|pour cent)$", "%", value, flags=re.IGNORECASE)
        text = _BEHIND.sub("", value.strip("*_†‡§^ \t\xa0")).strip("*_†‡§^ \t\xa0")
        text, percent = text.removesuffix("%").strip(), text.endswith("%") or value.rstrip().endswith("%")
        text = re.sub(r"(?<=\d)[\s\xa0\u202f'’](?=\d{3}(\D|$))", "", text)
        text = text.replace(",", "") if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", text) else text
        text = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
        try:
            return finite(float(text) / (100 if percent else 1))
        except ValueError:
            return None
    return float(value) if isinstance(value, bool) else finite(value)


def spread_in(value: object) -> float | None:
    """The error written behind a score, in the unit that ``number`` gives it; None where there is none.

    >>> [spread_in(one) for one in ("45.2 ± 1.1", "0.452 +/- 0.011", "45.2 (1.1)", "50% ± 2%", "45.2 (3)", "45.2")]
    [1.1, 0.011, 1.1, 0.02, None, None]
    """
    if not isinstance(value, str) or number(value) is None or not (found := _BEHIND.search(value.translate(_MINUS))):
        return None
    error = number(found["plus"] or found["said"] or found["bare"] or "")
    percent = with_percent_sign(value)
    return None if error is None or error <= 0 else error / 100 if percent else error


def unread_spread(value: object) -> bool:
    """Whether more stands behind a score that is no error by its looks: an interval, a rank, a number of items."""
    behind = _BEHIND.search(value.translate(_MINUS)) if isinstance(value, str) else None
    return behind is not None and number(value) is not None and not (behind["plus"] or behind["said"] or behind["bare"])


def numbers(values: pl.Series) -> list[float | None]:
    """``number`` of every cell of a column."""
    import polars as pl

    if values.dtype.is_numeric() and not values.dtype.is_decimal():
        plain = values.cast(pl.Float64)
        return plain.set(~plain.is_finite(), None).to_list()
    return [number(value) for value in values.to_list()]


def amount(value: object) -> float | None:
    """A count as people write it; None where it is none.

    >>> amount("7B"), amount("8x7B"), amount("7,000,000,000"), amount("350M"), amount("30B-A3B"), amount("large")
    (7000000000.0, 56000000000.0, 7000000000.0, 350000000.0, 30000000000.0, None)
    """
    if not isinstance(value, str):
        return number(value)
    found = _AMOUNT.fullmatch(value.strip())
    if found is None:
        return number(value)
    times, digits, power, unit = found.groups()
    whole = float(re.sub("[,_ '’]", "", digits)) * (int(times) if times else 1)
    return finite(whole * 10.0 ** int(power or 0) * SCALE.get((unit or "").lower(), 1.0))


def shots_in(value: object) -> int | None:
    """A number of shots as people write it: 5, "5", "5-shot", "zero-shot"; None where it is none."""
    found = number(value)
    if found is not None:
        return int(found) if found == int(found) and found >= 0 else None
    text = str(value or "").strip().lower()
    written = re.fullmatch(r"(\d+)[\s_-]*shots?|k\s*=\s*(\d+)|shots?[\s_=-]*(\d+)", text)
    if written:
        return int(next(one for one in written.groups() if one))
    return _SHOT_WORDS.get(re.sub(r"[\s_-]*shots?$", "", text))


def _counted(value: str) -> tuple[int, int] | None:
    """(right, of) of a score written as ``12/40``."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", value)
    return (int(found[1]), int(found[2])) if found and 0 < int(found[2]) >= int(found[1]) else None


def with_percent_sign(value: object) -> bool:
    """Whether a cell says itself that it is in percent, and ``number`` gives its fraction."""
    signed = isinstance(value, str) and re.search("%|％|percent|per cent|pct|prozent|pour cent", value.lower())
    return bool(signed) and number(value) is not None


def items_in(value: object) -> int | None:
    """The number of items that a score written as ``12/40`` states."""
    found = _counted(value) if isinstance(value, str) else None
    return found[1] if found else None


def right_or_wrong(value: object) -> float | None:
    """1 or 0 for a mark of right or wrong (✓, ✗, "yes", "wrong"); None for anything else."""
    text = str(value).strip().lower() if isinstance(value, str) else ""
    return 1.0 if text in _RIGHT else 0.0 if text in _WRONG else None


def plain_text(value: object) -> str:
    """A cell's text, without the tags of a link."""
    text = "" if value is None else str(value).strip()
    return re.sub(r"<[^>]*>", "", text).strip() if "<" in text else text


def model_name(value: object) -> str:
    """The name of a model: of a link its text, without the pictures that leaderboards put before it.

    >>> model_name("🟢 [me/model-7b](https://example.org/x)"), model_name("**model-7b** ⭐")
    ('me/model-7b', 'model-7b')
    """
    text = re.sub(r"!?\[([^\]]+)\]\([^)]*\)", r"\1", plain_text(value))
    kept = "".join(
        letter for letter in text if unicodedata.category(letter) not in ("So", "Sk") and letter not in "\ufe0f\u200d"
    )
    return kept.strip().strip("*`").rstrip("†‡§¹²³").strip() or text
