"""What strangers wrote, made safe to hold: JSON without end in its nesting, and halves of characters."""

from __future__ import annotations

import json
import re
from typing import Any

_HALF = r"u[dD][89a-fA-F][0-9a-fA-F]{2}"
_PAIR = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPES = re.compile(rf"\\(?:{_PAIR}|(?P<half>{_HALF})|.)")


def parsed(text: str | bytes) -> Any:
    """The JSON value of a stranger's ``text``. ``ValueError`` where it is none, or nests too deeply to be read.

    Halves of surrogate pairs, which no file or table can hold, become U+FFFD.
    """
    text = text.decode(json.detect_encoding(text)) if isinstance(text, bytes) else text
    try:
        return json.loads(whole_json(text))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def whole_json(text: str) -> str:
    """JSON ``text`` in which no escape stands for half of a surrogate pair; the same object where none did."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return _ESCAPES.sub(lambda found: "\\ufffd" if found["half"] else found[0], text)


def whole(value: object) -> Any:
    """``value`` with its texts, and those in its lists and tuples, free of halves of surrogate pairs."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return [whole(each) for each in value] if isinstance(value, list | tuple) else value
