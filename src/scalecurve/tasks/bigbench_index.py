"""The compact index of BIG-bench's leaves, made once by reading all of them."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scalecurve.tasks.reader import build_task, read_object, subtask_files, task_name


def build_index(
    root: Path,
    hashes: Mapping[str, str],
    log: Path,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> tuple[list[dict[str, object]], int]:
    """The records of all leaves below ``root``, by task directory and path, and the number of containers.

    Each record is kept in ``log`` with its file's hash as soon as it is made, so that an interrupted call goes on.
    """
    known = _read_log(log)
    files = sorted(root.glob("*/task.json"), key=str)
    leaves: list[dict[str, object]] = []
    containers = 0

    def key_of(path: Path) -> str:
        name = path.relative_to(root).as_posix()
        return f"{hashes[name]} {name}"

    with log.open("a", encoding="utf-8") as record, _uncollected():

        def index(path: Path, parent: str, data: object = None) -> dict[str, Any]:
            key = key_of(path)
            if key not in known:
                known[key] = _record(root, path, read_object(path) if data is None else data, parent)
                record.write(json.dumps([key, known[key]]) + "\n")
                record.flush()
            return known[key]

        for at, path in enumerate(files):
            if key_of(path) in known:
                leaves.append(index(path, ""))
            elif "examples" in (head := read_object(path)):
                leaves.append(index(path, "", head))
            else:
                containers += 1
                parent = task_name(path, head)
                leaves += [index(file, parent) for file in subtask_files(path)]
            progress("index", at + 1, len(files))
    return leaves, containers


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which looks again and again through millions of values that are no garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read_log(log: Path) -> dict[str, dict[str, object]]:
    """Key → record of an interrupted call; its last line may be torn."""
    found: dict[str, dict[str, object]] = {}
    for line in log.read_text("utf-8").splitlines() if log.is_file() else ():
        try:
            key, record = json.loads(line)
        except ValueError:
            continue
        found[key] = record
    return found


def _record(root: Path, path: Path, data: Any, parent: str) -> dict[str, object]:
    task = build_task(path, data, parent=parent, mode="faithful", source="bigbench")
    return {
        "name": task.name,
        "task": path.relative_to(root).parts[0],
        "file": path.relative_to(root).as_posix(),
        "parent": task.parent,
        "description": " ".join(task.description.split())[:300],
        "keywords": task.keywords,
        "metrics": task.metrics,
        "preferred_metric": task.preferred_metric,
        "n_examples": len(task.examples),
        "n_raw": len(data["examples"]),
        "chance": task.chance,
        "flags": task.flags,
        "fingerprint": task.fingerprint,
    }
