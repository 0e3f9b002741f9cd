"""The states of a training run: a folder with a checkpoint in each of its folders, as training writes them.

``checkpoints:FOLDER`` is the ladder of those that are complete. A checkpoint is a directory in transformers format. Its
step is what its ``trainer_state.json`` states, or else the number its name ends in (``checkpoint-500``, ``step500``);
its epoch is what the same file states.
It is complete when its JSON files can be read, every safetensors file is as long as its header says, a tokenizer is
there, and nothing in it has changed for ``QUIET`` seconds.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.models.fingerprint import model_files
from scalecurve.types import Ladder, Rung

QUIET = 2.0
_NUMBER = re.compile(r"(\d+)$")
_TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json")
_INDEX = "model.safetensors.index.json"
_LONGEST_HEADER = 100_000_000  # bytes; that of the safetensors format


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One state. ``lacks`` says what is missing for it to be complete ("" for nothing), ``broken`` that waiting will
    not help. ``signature`` changes whenever a file of it does."""

    folder: Path
    step: int
    signature: tuple[tuple[str, int, int], ...]
    lacks: str = ""
    broken: bool = False

    @property
    def complete(self) -> bool:
        return not self.lacks


def list_checkpoints(folder: Path, quiet: float = QUIET) -> list[Checkpoint]:
    """The checkpoints in ``folder``, complete or not, by step. ``UserError`` for no folder, and two of a step."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder that training writes its checkpoints into")
    found: dict[int, Checkpoint] = {}
    for path in sorted(folder.iterdir()):
        step = _step(path) if path.is_dir() else None
        one = None if step is None else _look(path, step, quiet)
        if one is None or not one.signature:  # not a checkpoint, or an empty folder that may become one
            continue
        if one.step in found:
            raise UserError(f"{path}: is of step {step}, as {found[one.step].folder.name} is; move one of them away")
        found[one.step] = one
    return [found[step] for step in sorted(found)]


def checkpoint_ladder(folder: Path) -> Ladder:
    """The complete checkpoints of ``folder``, in ascending step. ``UserError`` when there is none."""
    folder = folder.expanduser().resolve()
    complete = [one for one in list_checkpoints(folder) if one.complete]
    if not complete:
        raise UserError(f"checkpoints:{folder}: holds no complete checkpoint in transformers format yet")
    family = re.sub(r"[^A-Za-z0-9._+-]+", "-", folder.name).strip("-") or "checkpoints"
    rungs = tuple(
        Rung(one.folder.name, "transformers", str(one.folder), step=one.step, epoch=_epoch(one.folder))
        for one in complete
    )
    return Ladder(family, rungs, ("step",), str(folder))


def _step(path: Path) -> int | None:
    """The step that a folder states, or that its name ends in; None where it has none."""
    number, stated = _NUMBER.search(path.name), _stated(path, "global_step")
    return stated if isinstance(stated, int) else int(number[1]) if number else None


def _epoch(path: Path) -> float | None:
    """The passes over the data that a folder states; None where it states none."""
    stated = _stated(path, "epoch")
    return float(stated) if isinstance(stated, int | float) and 0 <= stated < 1e9 else None


def _stated(path: Path, name: str) -> object:
    try:
        found: object = json.loads((path / "trainer_state.json").read_bytes()).get(name)
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return found


def _look(path: Path, step: int, quiet: float) -> Checkpoint:
    files = {}
    try:
        found = model_files(path)
    except FileNotFoundError:  # deleted while it was looked at
        found = []
    for file in (*found, path / _INDEX):
        try:
            stat = file.stat()
        except FileNotFoundError:
            continue
        files[file.name] = (stat.st_size, stat.st_mtime_ns)
    signature = tuple((name, *when) for name, when in sorted(files.items()))
    try:
        lacks = _missing(path, set(files))
    except _Broken as problem:
        return Checkpoint(path, step, signature, str(problem), broken=True)
    newest = max((changed for _, changed in files.values()), default=0) / 1e9
    if not lacks and abs(time.time() - newest) < quiet:
        lacks = "it has just been written"
    return Checkpoint(path, step, signature, lacks)


class _Broken(Exception):
    """A file that no further writing makes whole."""


def _missing(path: Path, files: set[str]) -> str:
    """What is not there yet, in words; "" for nothing."""
    if "config.json" not in files:
        return "config.json is missing"
    wanted = sorted(name for name in files if name.endswith(".safetensors"))
    if _INDEX in files:
        index = _json(path / _INDEX)
        if index is None:
            return f"{_INDEX} is not complete"
        placed = index.get("weight_map")
        if not isinstance(placed, dict):
            raise _Broken(f"{_INDEX} has no weight_map")
        wanted = sorted(set(map(str, placed.values())))
    if not wanted:
        return "its weights (.safetensors) are missing"
    for name in wanted:
        if name not in files:
            return f"{name} is missing"
        try:
            lacks = _unfinished(path / name)
        except FileNotFoundError:  # training deletes old checkpoints while we look
            return f"{name} is missing"
        if lacks:
            return lacks
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        if name in files and _json(path / name) is None:
            return f"{name} is not complete"
    return "" if files.intersection(_TOKENIZER) else "its tokenizer is missing"


def _json(path: Path) -> dict[str, object] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unfinished(path: Path) -> str:
    """How much of a safetensors file is still to be written; "" for nothing."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size >= 8 and not 2 <= length <= _LONGEST_HEADER:
            raise _Broken(f"{path.name} is not a safetensors file")
        if size < 8 + length:
            return f"{path.name} has {size} bytes of its header's {8 + length}"
        try:
            header = json.loads(file.read(length))
            end = max((one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            raise _Broken(f"{path.name} has a damaged header") from None
    if size > 8 + length + end:
        raise _Broken(f"{path.name} is longer than its header says")
    return f"{path.name} has {size} of {8 + length + end} bytes" if size < 8 + length + end else ""
