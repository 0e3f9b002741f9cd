"""A folder of weights from a stranger, looked at before it is loaded: numbers in its files that would never end."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.types import Rung
from scalecurve.util.guard import check_size, regular

LARGEST_JSON = 1 << 28
MOST_GROWTH = 64
"""How many times longer a tokenizer's normaliser may make a text."""

_LAYERS = re.compile(r"(n|num)(_hidden|_decoder|_encoder)?_(layers?|blocks?)|n_layers?")
_ELEMENTS_A_BYTE = 64  # far more than any packing of weights has


def check_plausible(rung: Rung, folder: Path) -> None:
    """``UserError`` when a configuration names more than the weights can hold, or a tokenizer makes texts grow."""
    weights = [regular(path, 1 << 62) for path in sorted(folder.glob("*.safetensors"))]
    config = _table(rung, folder / "config.json")
    tensors, size = sum(map(_tensors, weights)), sum(path.stat().st_size for path in weights)
    for part in _tables(config):
        for name, value in part.items():
            if _LAYERS.fullmatch(name) and isinstance(value, int) and value > max(tensors, 1):
                raise UserError(
                    f"{rung.name}: location: {folder}: config.json: {name}: {value} layers, but the weights hold "
                    f"{tensors} tensors; fetch the folder again"
                )
        elements = _least_elements(part)
        if elements > _ELEMENTS_A_BYTE * size + (1 << 26):
            raise UserError(
                f"{rung.name}: location: {folder}: config.json: its sizes need {elements:.1e} weights, but the files "
                f"hold {size} bytes; fetch the folder again"
            )
    growth = _growth(_table(rung, folder / "tokenizer.json").get("normalizer"))
    if growth > MOST_GROWTH:
        raise UserError(
            f"{rung.name}: location: {folder}: tokenizer.json: normalizer: makes texts up to {growth:.1e} times "
            "longer; take another tokenizer"
        )


def _table(rung: Rung, path: Path) -> Mapping[str, Any]:
    """A JSON file's table; empty where there is none that can be read, which the loader will say better."""
    try:
        read = json.loads(regular(path, LARGEST_JSON).read_bytes())
        check_size(read)
    except RecursionError:
        raise UserError(f"{rung.name}: location: {path}: nested too deeply; fetch the folder again") from None
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _tables(value: Mapping[str, object]) -> Iterator[Mapping[str, Any]]:
    yield value
    for one in value.values():
        if isinstance(one, dict):
            yield from _tables(one)


def _tensors(path: Path) -> int:
    """How many tensors a safetensors file names; 0 where it is damaged, which the loader will say better."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return len(json.loads(file.read(length))) if length <= LARGEST_JSON else 0
    except (OSError, ValueError, RecursionError, TypeError):
        return 0


def _least_elements(config: Mapping[str, Any]) -> float:
    """The weights that a transformer of these sizes has at the least."""
    hidden, words = (config.get(name) for name in ("hidden_size", "vocab_size"))
    layers = config.get("num_hidden_layers")
    if not isinstance(hidden, int) or hidden < 1:
        return 0
    of_words = float(hidden) * words if isinstance(words, int) else 0.0
    return max(of_words, float(hidden) ** 2 * (layers if isinstance(layers, int) else 1) / 4)


def _growth(normalizer: object) -> float:
    """How many times longer a tokenizer's normaliser can make a text, by its replacements."""
    if not isinstance(normalizer, dict):
        return 1
    if isinstance(normalizer.get("normalizers"), list):
        return math.prod(map(_growth, normalizer["normalizers"]))
    content, pattern = normalizer.get("content"), normalizer.get("pattern")
    if normalizer.get("type") != "Replace" or not isinstance(content, str) or not isinstance(pattern, dict):
        return 1
    text = pattern.get("String")
    if isinstance(text, str) and text:
        return max(1.0, len(content) / len(text))
    return float(max(1, len(content)) + (bool(content) and _may_be_empty(pattern.get("Regex"))))


def _may_be_empty(pattern: object) -> bool:
    """Whether a regular expression matches between any two characters; one that Python cannot read may."""
    try:
        return re.compile(str(pattern)).match("") is not None
    except (re.error, RecursionError, OverflowError):
        return True
