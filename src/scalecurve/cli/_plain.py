"""What is printed cannot steer the terminal: control characters in other people's texts are shown, not sent.

A task, a model or an imported file may hold escape sequences that move the cursor, rename the window or hide what
stands before them. ``main`` puts a ``PlainStream`` before both standard streams, so that no command has to think of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_DIRECTION = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C, 0x2028, 0x2029)
_CODES = (*range(0x20), *range(0x7F, 0xA0), *_DIRECTION, *range(0xD800, 0xE000))
_SHOWN = {code: f"⟨U+{code:04X}⟩" for code in _CODES if chr(code) not in "\t\n"}
_ESCAPED = {code: f"\\u{code:04x}" for code in _CODES if code >= 0x7F}


def plain(text: str) -> str:
    """``text`` with characters that steer a terminal, or turn the direction of writing, shown by their numbers."""
    return text.translate(_SHOWN)


def plain_json(text: str) -> str:
    """JSON ``text`` of the same value that ``plain`` leaves as it is: characters stand escaped, as JSON allows."""
    return text.translate(_ESCAPED)


def console(stream: TextIO, **how: Any) -> Console:
    """A Rich console on ``stream`` that may send codes of its own; what it is given to print must be ``plain``."""
    from rich.console import Console

    return Console(file=getattr(stream, "raw", stream), **how)


class PlainStream:
    """``raw`` with all that is written made ``plain``. ``returns``: "\\r" passes, as libraries' progress bars need."""

    def __init__(self, raw: TextIO, *, returns: bool = False) -> None:
        self.raw = raw
        self._shown = {code: text for code, text in _SHOWN.items() if not returns or code != 0x0D}

    def write(self, text: str) -> int:
        self.raw.write(text.translate(self._shown))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)
