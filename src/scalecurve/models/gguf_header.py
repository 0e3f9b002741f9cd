"""A GGUF file from a stranger, looked at before it is loaded: its header, read within the bytes that are there.

The layout is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: a magic word, a version, counts,
metadata by key, the names and shapes of the tensors, then their numbers. Loaders believe what stands there: a count of
2⁶⁰ keys is read until memory ends, and a configuration of 2³¹ columns is set up as one.
"""

from __future__ import annotations

import math
import mmap
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.types import Rung

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
MOST_NESTED = 4
KEPT = 64  # entries of an array that are kept
MOST_WORDS = 1 << 24  # texts in an array
MOST_LENGTH = 1 << 28  # tokens of context that a model may claim
_SIZES = re.compile(
    r"embedding_length|feed_forward_length|expert_feed_forward_length|expert_shared_feed_forward_length|vocab_size"
    r"|expert_count|attention\.(head_count|head_count_kv|key_length|value_length|q_lora_rank|kv_lora_rank)|ssm\.\w+"
    r"|rope\.dimension_count"
)
"""Keys, after the architecture's name, that say how large a tensor is along one of its sides, or less."""
REQUIRED = ("block_count", "embedding_length")


@dataclass(frozen=True, slots=True)
class Header:
    """``meta``: scalars, and arrays by their first entries. ``sides``: of each tensor by name."""

    meta: Mapping[str, object]
    sides: Mapping[str, tuple[int, ...]]


class _Bytes:
    """What of the file is read, and how far; ``ValueError`` beyond its end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise ValueError("it ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, code: str) -> Any:
        (found,) = struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))
        return found

    def count(self, least: int, what: str) -> int:
        """A count of things of at least ``least`` bytes each."""
        count = int(self.number("Q"))
        if count * least > len(self.data) - self.at:
            raise ValueError(f"it says that it has {count} {what}, which its {len(self.data)} bytes cannot hold")
        return count

    def text(self) -> str:
        return self.take(self.count(1, "letters in a name")).decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == STRING:
            return self.text()
        if kind != ARRAY or depth >= MOST_NESTED:
            raise ValueError(f"a value is of type {kind}, which no GGUF has" if kind != ARRAY else "nested too deeply")
        inner = int(self.number("I"))
        size = struct.calcsize("<" + NUMBERS[inner]) if inner in NUMBERS else 8
        count = self.count(size, "entries in an array")
        if count > MOST_WORDS and inner not in NUMBERS:
            raise ValueError(f"an array has {count} texts; at most {MOST_WORDS} are read")
        kept = [self.value(inner, depth + 1) for _ in range(min(count, KEPT))]
        if inner in NUMBERS:
            self.take((count - len(kept)) * size)
        else:
            for _ in range(count - len(kept)):
                self.value(inner, depth + 1)
        return kept


def check_gguf(rung: Rung, path: Path) -> None:
    """``UserError`` naming the key when a GGUF file's header is damaged, lacks what is needed, or claims too much."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _check(read_header(data), len(data))
    except (ValueError, OSError) as error:  # an empty file cannot be mapped
        words = "it is empty" if not path.stat().st_size else " ".join(str(error).split())
        raise UserError(
            f"{rung.name}: location: {path} cannot be loaded: {words}; fetch the file again, or take another"
        ) from None


def read_header(data: mmap.mmap) -> Header:
    """The metadata and shapes of a GGUF file. ``ValueError`` saying what is wrong."""
    source = _Bytes(data)
    if len(data) < 4 or source.take(4) != b"GGUF":
        raise ValueError("it is no GGUF file, as it does not begin with GGUF")
    version = source.number("I")
    if version not in (2, 3):
        raise ValueError(f"it is GGUF of version {version}; versions 2 and 3 are read, in little-endian order")
    tensors, keys = source.count(24, "tensors"), source.count(13, "keys")
    meta: dict[str, object] = {}
    for _ in range(keys):
        name = source.text()
        if name in meta:
            raise ValueError(f"{name} stands there twice")
        meta[name] = source.value(int(source.number("I")))
    sides: dict[str, tuple[int, ...]] = {}
    for _ in range(tensors):
        name, dimensions = source.text(), int(source.number("I"))
        if not 1 <= dimensions <= 4:
            raise ValueError(f"tensor {name[:80]} has {dimensions} dimensions")
        sides[name] = tuple(int(source.number("Q")) for _ in range(dimensions))
        source.take(12)  # its type and place
        if math.prod(sides[name]) > 8 * len(data) or 0 in sides[name]:
            shape = " × ".join(map(str, sides[name]))
            raise ValueError(f"tensor {name[:80]} has {shape} weights, in a file of {len(data)} bytes")
    return Header(meta, sides)


def _check(header: Header, size: int) -> None:
    kind = header.meta.get("general.architecture")
    if not isinstance(kind, str) or not kind:
        raise ValueError("it does not say general.architecture")
    for name in REQUIRED:
        if f"{kind}.{name}" not in header.meta:
            raise ValueError(f"it lacks the key {kind}.{name}")
    if not header.meta.get("tokenizer.ggml.tokens"):
        raise ValueError("it lacks the key tokenizer.ggml.tokens, so that no text can be read")
    if not header.sides:
        raise ValueError("it has no tensors")
    largest = max(max(sides) for sides in header.sides.values())
    for name, value in header.meta.items():
        inner = name.removeprefix(f"{kind}.")
        if inner == name:
            continue
        if inner == "block_count":
            _within(name, value, 1, len(header.sides), "tensors")
        elif inner == "context_length":
            _within(name, value, 1, MOST_LENGTH, "")
        elif _SIZES.fullmatch(inner):
            most = max(largest, len(header.sides))
            for one in value if isinstance(value, list) else [value]:
                _within(name, one, 0 if isinstance(value, list) else 1, most, "as its largest side")


def _within(name: str, value: object, least: int, most: int, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} is {str(value)[:40]!r}, not a whole number")
    if not least <= value <= most:
        fit = (
            f"; its tensors have {most} {what}" if what.startswith("as") else f"; it has {most} {what}" if what else ""
        )
        raise ValueError(f"{name} is {value}, which cannot be{fit}")
