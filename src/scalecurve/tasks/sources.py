"""Where tasks come from: a reference such as "lab:addition" or a path becomes the leaves it names."""

from __future__ import annotations

from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.tasks.jsonfile import read_json
from scalecurve.tasks.reader import MODES, read_task, subtask_files
from scalecurve.tasks.registry import Listing, find_format, formats, pick_subtask, suggest, task_format
from scalecurve.types import Task

LAB = Path(__file__).resolve().parent.parent / "lab" / "tasks"


def load_tasks(ref: str, *, mode: str = "faithful", allow_code: bool = False) -> tuple[Task, ...]:
    """The leaf tasks that ``ref`` names; a container gives all its subtasks. Code of theirs runs with ``allow_code``.

    ``lab:NAME[:SUBTASK]`` the laboratory's tasks; ``bigbench:NAME[:SUBTASK]`` the installed BIG-bench;
    ``bbh:DIRECTORY/NAME`` BIG-Bench Hard; ``inverse:KIND`` or ``inverse:FILE.csv`` traps for large models;
    ``emoji:films`` the parts of BIG-bench's emoji_movie;
    ``twins:COUNT`` or ``twins:FILE`` answerable and unanswerable word problems;
    ``answerability:NAME`` BIG-bench tasks told what can be answered; ``lm-eval:FILE.yaml`` tasks of
    lm-evaluation-harness; else the path of a ``task.json`` or its directory.
    """
    if mode not in MODES:
        raise UserError(f"mode: unknown mode {mode!r}; use {' or '.join(MODES)}")
    source, colon, rest = ref.partition(":")
    known = find_format(source) if colon else None
    if known is None:
        return _path_tasks(ref, mode)
    load = known.with_code if allow_code and known.with_code else known.load
    return load(rest, mode=mode)


def list_tasks(source: str | None = None) -> tuple[Listing, ...]:
    """The leaves of ``source`` (None for all that are there), as cheaply as can be."""
    listed = {name: one for name, one in formats().items() if one.listing}
    if source not in (None, *listed):
        raise UserError(f"source: no listing for {source!r}; use {', '.join(listed)}")
    asked = [one for name, one in listed.items() if name == source or (source is None and one.ready())]
    return tuple(leaf for one in asked if one.listing for leaf in one.listing())


# ── The laboratory ───────────────────────────────────────────────────────────────────────────────────────────
def _lab_files() -> list[Path]:
    return sorted(LAB.glob("*/task.json"))


def list_lab() -> list[Listing]:
    """The leaves of the laboratory's tasks."""
    return [listing for path in _lab_files() for listing in _lab_listing(path)]


@task_format("lab", listing=list_lab, tells_source=True)
def load_lab(rest: str, *, mode: str = "faithful") -> tuple[Task, ...]:
    """The leaves of ``NAME[:SUBTASK]``."""
    ref = f"lab:{rest}"
    name, _, subtask = rest.partition(":")
    names = [path.parent.name for path in _lab_files()]
    if name not in names:
        raise UserError(f"task {ref!r}: the lab has no task {name!r}{suggest(name, names) or '; see tasks list'}")
    return pick_subtask(read_task(LAB / name / "task.json", mode=mode, source="lab"), ref, subtask)


def _lab_listing(path: Path) -> list[Listing]:
    head = read_json(path)
    files = [path] if "examples" in head else subtask_files(path)
    return [_listing(head["name"], read_json(file), file != path) for file in files]


def _listing(parent: str, data: dict[str, object], is_subtask: bool) -> Listing:
    name = f"{parent}:{data['name']}" if is_subtask else str(data["name"])
    examples, metrics, keywords = data.get("examples"), data.get("metrics"), data.get("keywords")
    return Listing(
        ref=f"lab:{name}",
        name=name,
        source="lab",
        description=str(data.get("description", "")),
        keywords=tuple(keywords) if isinstance(keywords, list) else (),
        metrics=tuple(metrics) if isinstance(metrics, list) else (),
        preferred_metric=str(data.get("preferred_score", "")),
        n_examples=len(examples) if isinstance(examples, list) else 0,
    )


# ── Paths ────────────────────────────────────────────────────────────────────────────────────────────────────
def _path_tasks(ref: str, mode: str) -> tuple[Task, ...]:
    path = Path(ref).expanduser()
    if path.is_dir():
        path = path / "task.json"
    if path.is_file():
        return read_task(path, mode=mode, source=str(path.parent))
    if path.suffix or "/" in ref:
        raise UserError(f"task {ref!r}: no such file; give a task.json or the directory that holds one")
    names = [listing.ref for listing in list_lab()] + [f"lab:{file.parent.name}" for file in _lab_files()]
    known = ", ".join(f"{source}:" for source in formats())
    raise UserError(
        f"task {ref!r}: unknown{suggest(ref, names) or f'; begin it with a source ({known}) or give a path'}"
    )
