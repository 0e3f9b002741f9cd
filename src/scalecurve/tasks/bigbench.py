"""The installed BIG-bench: a cache directory with the task files and a compact index of its leaves.

<cache>/benchmark_tasks/<task>/[<subtask>/]task.json
<cache>/index.json       one record a leaf, so that listing and finding need not read 1.7 GB
<cache>/manifest.json    where the files came from, and the size and SHA-256 of each
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.tasks.jsonfile import read_json
from scalecurve.tasks.reader import build_task
from scalecurve.tasks.registry import Listing, suggest, task_format
from scalecurve.types import Task

VARIABLE = "SCALECURVE_BIGBENCH"
INDEX, MANIFEST, TASKS = "index.json", "manifest.json", "benchmark_tasks"

LITE = (
    "auto_debugging",
    "bbq_lite_json",
    "code_line_description",
    "conceptual_combinations",
    "conlang_translation",
    "emoji_movie",
    "formal_fallacies_syllogisms_negation",
    "hindu_knowledge",
    "known_unknowns",
    "language_identification",
    "linguistics_puzzles",
    "logic_grid_puzzle",
    "logical_deduction",
    "misconceptions_russian",
    "novel_concepts",
    "operators",
    "parsinlu_reading_comprehension",
    "play_dialog_same_or_different",
    "repeat_copy_logic",
    "strange_stories",
    "strategyqa",
    "symbol_interpretation",
    "vitaminc_fact_verification",
    "winowhy",
)
"""The 24 tasks of BIG-bench Lite, version 1, all of them JSON tasks."""


def cache_dir() -> Path:
    """Where BIG-bench is installed: ``$SCALECURVE_BIGBENCH``, else ``scalecurve/bigbench`` in the user's cache."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "scalecurve" / "bigbench"


def tasks_dir() -> Path:
    """Where the installed BIG-bench keeps its tasks, a folder each; it need not exist."""
    return cache_dir() / TASKS


def installed() -> bool:
    """Whether an installation was finished."""
    return (cache_dir() / INDEX).is_file()


def require_installed() -> Path:
    """The cache directory; ``UserError`` with the command that fills it when it is not."""
    if not installed():
        raise UserError(f"BIG-bench is not installed in {cache_dir()}; run: scalecurve tasks install bigbench")
    return cache_dir()


def index() -> Sequence[Mapping[str, Any]]:
    """One record a leaf: ref's name, task directory, file, and what ``Listing`` holds."""
    path = require_installed() / INDEX
    try:
        return _index(path, path.stat().st_mtime_ns)
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: damaged; run scalecurve tasks install bigbench again") from None


@lru_cache(maxsize=2)
def _index(path: Path, _changed: int) -> Sequence[Mapping[str, object]]:
    return tuple(json.loads(path.read_text("utf-8"))["leaves"])


def list_bigbench() -> list[Listing]:
    """The leaves of the installed BIG-bench, from its index."""
    return [
        Listing(
            ref=f"bigbench:{leaf['name']}",
            name=leaf["name"],
            source="bigbench",
            description=leaf["description"],
            keywords=tuple(leaf["keywords"]),
            metrics=tuple(leaf["metrics"]),
            preferred_metric=leaf["preferred_metric"],
            n_examples=leaf["n_examples"],
            chance=leaf["chance"],
            flags=tuple(leaf["flags"]),
        )
        for leaf in index()
    ]


@task_format("bigbench", listing=list_bigbench, ready=installed, tells_source=True)
def load_bigbench(rest: str, *, mode: str = "faithful") -> tuple[Task, ...]:
    """The leaves of ``NAME[:SUBTASK]``; "lite" stands for the 24 tasks of BIG-bench Lite.

    A task goes by its directory or the name in its file, a subtask likewise. Only the files asked for are read.
    """
    leaves = find_leaves(rest)
    root = tasks_dir()
    return tuple(load_leaf(root / leaf["file"], leaf["parent"], mode) for leaf in leaves)


def load_leaf(path: Path, parent: str, mode: str = "faithful") -> Task:
    """The leaf of the installed BIG-bench in the file ``path``."""
    return build_task(path, read_json(path), parent=parent, mode=mode, source="bigbench")


def find_leaves(rest: str) -> list[Mapping[str, Any]]:
    """The index records of the leaves that ``NAME[:SUBTASK]`` names, in the reference's order."""
    ref, leaves = f"bigbench:{rest}", index()
    if rest == "lite":
        return [leaf for name in LITE for leaf in leaves if leaf["task"] == name]
    name, _, subtask = rest.partition(":")
    found = [leaf for leaf in leaves if name in (leaf["task"], leaf["parent"] or leaf["name"])]
    if not found:
        names = {leaf["task"] for leaf in leaves}
        raise UserError(f"task {ref!r}: BIG-bench has no JSON task {name!r}{suggest(name, names)}")
    if not subtask:
        return found
    chosen = [leaf for leaf in found if subtask in _subtask_names(leaf)]
    if not chosen:
        names = {leaf["name"].partition(":")[2] for leaf in found if leaf["parent"]}
        hint = suggest(subtask, names) or (f"; it has {', '.join(sorted(names)[:12])}" if names else "; it has none")
        raise UserError(f"task {ref!r}: no subtask {subtask!r}{hint}")
    return chosen[:1]


def _subtask_names(leaf: Mapping[str, Any]) -> tuple[str, ...]:
    return (leaf["name"].removeprefix(f"{leaf['parent']}:"), Path(leaf["file"]).parent.name) if leaf["parent"] else ()
