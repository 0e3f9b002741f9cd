"""Reading a JSON file so that what is wrong with it can be said in one line: file, line and field."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from scalecurve.errors import UserError
from scalecurve.util.guard import regular
from scalecurve.util.untrusted import whole_json

LARGEST_UNPACKED = 1 << 30
_SPACE = re.compile(r"[ \t\r\n]*")
_LAST_KEY = re.compile(r'"((?:[^"\\\n]|\\.)*)"\s*:')


def read_text(path: Path) -> str:
    """The UTF-8 text of ``path`` (gzip when its name ends in ``.gz``)."""
    try:
        regular(path)
        raw = _unpacked(path) if path.suffix == ".gz" else path.read_bytes()
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}: line {line}: not UTF-8 (byte 0x{error.object[error.start]:02x}); save it as UTF-8"
        ) from None
    except (OSError, EOFError, zlib.error) as error:  # gzip says only by its message what is wrong with a file
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _unpacked(path: Path) -> bytes:
    with gzip.open(path) as file:
        raw = file.read(LARGEST_UNPACKED + 1)
    if len(raw) > LARGEST_UNPACKED:
        raise UserError(f"{path}: is larger than {LARGEST_UNPACKED >> 20} MB unpacked; give the file itself")
    return raw


def read_json(path: Path) -> Any:
    """The value in ``path``. A syntax error names the line and the field being read."""
    text = read_text(path)
    try:
        return json.loads(whole_json(text))
    except json.JSONDecodeError as error:
        keys = _LAST_KEY.findall(text, 0, error.pos)
        field = f" in or after field {keys[-1]!r}" if keys else ""
        message = (
            f"{path}: line {error.lineno}, column {error.colno}{field}: not valid JSON ({error.msg}); mend it there"
        )
    except RecursionError:
        message = f"{path}: nested too deeply to be a task file"
    except ValueError as error:  # a whole number of thousands of digits
        message = f"{path}: {str(error).partition(';')[0]}; shorten it"
    raise UserError(message)


def read_json_lines(path: Path) -> Iterator[tuple[int, object]]:
    """(line number, value) of every line of ``path`` that is not blank; a line ends at "\\n" and nowhere else."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error).partition(";")[0]
                raise UserError(f"{path}: line {number}: not valid JSON ({reason}); mend it there") from None


def fail(path: Path, where: tuple[str | int, ...], problem: str) -> NoReturn:
    """Raise the ``UserError`` for ``problem`` at the place ``where`` (keys and indices) of the JSON file ``path``."""
    field = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in where).lstrip(".")
    try:
        line = f"line {line_of(read_text(path), where)}: "
    except (UserError, ValueError, IndexError):
        line = ""
    raise UserError(f"{path}: {line}{field + ': ' if field else ''}{problem}")


def line_of(text: str, where: tuple[str | int, ...]) -> int:
    """The line (from 1) on which the value at ``where`` begins, or the innermost enclosing value that exists."""
    at = _skip(text, 0)
    for key in where:
        inner = _enter(text, at, key)
        if inner is None:
            break
        at = inner
    return text.count("\n", 0, at) + 1


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _enter(text: str, at: int, key: str | int) -> int | None:
    """Where the member ``key`` of the object or array that begins at ``at`` begins; None when it has no such member."""
    if text[at] != ("[" if isinstance(key, int) else "{"):
        return None
    decoder, at, index = json.JSONDecoder(), _skip(text, at + 1), 0
    while text[at] not in "]}":
        name: str | int = index
        if isinstance(key, str):
            name, at = decoder.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        if name == key:
            return at
        at = _skip(text, decoder.raw_decode(text, at)[1])
        at, index = (_skip(text, at + 1) if text[at] == "," else at), index + 1
    return None
