"""Large files of JSON, read a record at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from scalecurve.errors import UserError
from scalecurve.util.untrusted import parsed, whole_json

CHUNK = 1 << 20
LONGEST_LINE = LONGEST_VALUE = 1 << 28
_SPACE = re.compile(r"[ \t\r\n]*")
_MARK = re.compile(r'["{}\[\]]')
_DECODER = json.JSONDecoder()


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """(line number, object) of a file with one JSON object a line; blank lines are passed over."""
    try:
        with open(path, "rb") as file:
            for number in count(1):
                line = file.readline(LONGEST_LINE)
                if not line:
                    return
                if line.isspace():
                    continue
                yield number, _object(path, number, line)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _object(path: Path, number: int, line: bytes) -> dict[str, object]:
    try:
        found = parsed(line)
    except ValueError as error:
        why = "is cut off" if not line.endswith(b"\n") else "is not JSON"
        why = str(error) if "deeply" in str(error) else why
        raise UserError(f"{path}: line {number}: {why}; copy the file again") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: line {number}: must be a JSON object")
    return found


def json_members(path: Path, inside: str | None = None) -> Iterator[tuple[str, Any]]:
    """The members (key, value) of the object that a file holds, one at a time.

    ``inside`` names a member that is a list or an object: its elements are given instead, lists with their positions as
    keys, and the other members are skipped. A file that is a list is given like that without ``inside``. Memory is that
    of one record.
    """
    try:
        with open(path, encoding="utf-8") as file:
            yield from _Cursor(path, file).members(inside)
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text; copy the file again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def json_scalars(path: Path) -> dict[str, object]:
    """The members of the object a file holds that are no lists or objects; those are passed over, however large."""
    try:
        with open(path, encoding="utf-8") as file:
            return _Cursor(path, file).scalars()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); copy the file again") from None


class _Cursor:
    """A place in a JSON text that is read in chunks."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self.path, self.file = path, file
        self.text, self.at, self.ended = "", 0, False

    def members(self, inside: str | None) -> Iterator[tuple[str, Any]]:
        opening = self.peek()
        if opening not in "[{":
            raise UserError(f"{self.path}: must hold a JSON object or list")
        self.at += 1
        for number in count():
            if self.peek() in "]}":
                self.at += 1
                return
            if number:
                self.expect(",")
            key = str(number) if opening == "[" else self.value()
            if opening == "{":
                self.expect(":")
            if inside is None:
                yield key, self.value()
            elif key == inside and opening == "{":
                yield from self.members(None)
            else:
                self.skip()

    def scalars(self) -> dict[str, object]:
        self.expect("{")
        found: dict[str, object] = {}
        for number in count():
            if self.peek() == "}":
                return found
            if number:
                self.expect(",")
            key = self.value()
            self.expect(":")
            if self.peek() in "[{":
                self.skip()
            else:
                found[key] = self.value()
        return found

    def skip(self) -> None:
        """Pass over the value that begins here, holding no more of it than a chunk."""
        if self.peek() not in "[{":
            self.value()
            return
        depth = 0
        while True:
            if self.peek() == '"':
                self.value()
                continue
            match = _MARK.search(self.text, self.at)
            if match is None:
                self.at = len(self.text)
                continue
            self.at = match.start()
            mark = self.text[self.at]
            if mark == '"':
                continue
            depth += 1 if mark in "[{" else -1
            self.at += 1
            if not depth:
                return

    def peek(self) -> str:
        """The next character that is not blank."""
        while True:
            match = _SPACE.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                raise UserError(f"{self.path}: is cut off; copy the file again")

    def expect(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise UserError(f"{self.path}: is not JSON near {self.text[self.at : self.at + 20]!r}; copy the file again")
        self.at += 1

    def value(self) -> Any:
        """The JSON value that begins here, whole."""
        self.peek()
        while True:
            try:
                found, end = _DECODER.raw_decode(self.text, self.at)
            except ValueError:
                if len(self.text) - self.at <= LONGEST_VALUE and self.more():
                    continue
                raise UserError(f"{self.path}: is cut off or not JSON; copy the file again") from None
            except RecursionError:
                raise UserError(f"{self.path}: is nested too deeply to be read") from None
            if isinstance(found, int | float) and end + 3 > len(self.text) and self.more():
                continue  # a number may go on in the next chunk
            start, self.at = self.at, end
            read = self.text[start:end]
            whole = whole_json(read)
            return found if whole is read else json.loads(whole)

    def more(self) -> bool:
        """Read on; what lies behind is let go. Chunks grow with what is held, so that long values are not rescanned."""
        if self.ended:
            return False
        held = self.text[self.at :]
        chunk = self.file.read(max(CHUNK, len(held)))
        self.ended = not chunk
        if chunk:  # at the end nothing moves: who asked may hold a place in the text
            self.text, self.at = held + chunk, 0
        return bool(chunk)
