"""Making any text harmless to look at: control and direction characters become visible, giants are cut.

HTML escaping is not done here but where text meets markup (Jinja's autoescape, ``textContent`` in the page).
"""

from __future__ import annotations

import json
import math
import re

TEXT_LIMIT = 2_000  # characters of one answer shown in the report
PROMPT_LIMIT = 12_000

_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)
_UNSEEN = (*range(0x200B, 0x200E), 0x2028, 0x2029, 0x2060, 0xFEFF, 0x00AD, *range(0x80, 0xA0))
_CONTROLS = (code for code in (*range(0x20), 0x7F) if code not in (0x09, 0x0A))
_SHOWN = {code: f"⟨U+{code:04X}⟩" for code in (*_CONTROLS, *_BIDI, *_UNSEEN, *range(0xD800, 0xE000))}


def visible(text: str | None, limit: int = TEXT_LIMIT, length: int | None = None) -> str:
    """``text`` cut after ``limit`` characters, with NUL, escapes, direction overrides and invisible characters shown.

    ``length`` is the true length where ``text`` was cut before.
    """
    if not text:
        return ""
    whole = len(text) if length is None else length
    shown = text[:limit].translate(_SHOWN)
    return shown if whole <= limit else f"{shown}… ⟨{whole:,}⟩"


def minus(text: str) -> str:
    """``text`` with the sign for minus before numbers, as the charts write it; hyphens in names stay.

    >>> minus("lab-109k goes from -4.1 to -0.3")
    'lab-109k goes from −4.1 to −0.3'
    """
    return re.sub(r"(?<![\w.)\]-])-(?=\.?\d)", "−", text)


def rounded(value: float | None, digits: int = 5) -> float | str | None:
    """``value`` to some significant digits for JSON; infinities as strings, NaN as None."""
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if float(value).is_integer() and abs(value) < 1e15:
        return int(value)
    shorter = float(f"{value:.{digits}g}")
    return value if math.isinf(shorter) else shorter


def to_json(value: object) -> str:
    """Compact JSON that may stand inside a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def shorter(text: str, most: int) -> str:
    """``text`` in at most ``most`` letters, cut in the middle: names differ at both ends.

    >>> shorter("an ability with a long name: level two", 20)
    'an ability…level two'
    """
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[1 - half :]}"
