"""Where tasks come from: a reference such as "lab:addition" or a path becomes the leaves it names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scalecurve.nouns import Task, UserError
from scalecurve.tasks.jsonfile import read_json
from scalecurve.tasks.reader import MODES, read_task, subtask_files

LAB = Path(__file__).resolve().parent.parent / "lab" / "tasks"
SOURCES = ("lab", "bigbench", "bbh", "inverse", "emoji", "twins", "answerability", "lm-eval")
LISTED = ("lab", "bigbench", "inverse", "emoji")


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of a leaf without loading it. ``chance`` is None where that takes loading."""

    ref: str
    name: str
    source: str
    description: str = ""
    keywords: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    preferred_metric: str = ""
    n_examples: int = 0
    chance: float | None = None
    flags: tuple[str, ...] = ()

    @property
    def multiple_choice(self) -> bool:
        return "multiple_choice_grade" in self.metrics


def load_tasks(ref: str, *, mode: str = "faithful") -> tuple[Task, ...]:
    """The leaf tasks that ``ref`` names; a container gives all its subtasks.

    ``lab:NAME[:SUBTASK]`` the laboratory's tasks; ``bigbench:NAME[:SUBTASK]`` the installed BIG-bench;
    ``bbh:DIRECTORY/NAME`` BIG-Bench Hard; ``inverse:KIND`` or ``inverse:FILE.csv`` traps for large models;
    ``emoji:films`` the parts of BIG-bench's emoji_movie;
    ``twins:COUNT`` or ``twins:FILE`` answerable and unanswerable word problems;
    ``answerability:NAME`` BIG-bench tasks told what can be answered; ``lm-eval:FILE.yaml`` tasks of
    lm-evaluation-harness; else the path of a ``task.json`` or its directory.
    """
    if mode not in MODES:
        raise UserError(f"mode: unknown mode {mode!r}; use {' or '.join(MODES)}")
    source, _, rest = ref.partition(":")
    if source == "lab":
        return _lab_tasks(ref, rest, mode)
    if source == "bigbench":
        from scalecurve.tasks.bigbench import load_bigbench

        return load_bigbench(rest, mode=mode)
    if source == "bbh":
        from scalecurve.tasks.bbh import load_bbh

        return load_bbh(rest)
    if source == "inverse":
        from scalecurve.tasks.inverse import load_inverse

        return load_inverse(rest)
    if source == "emoji":
        from scalecurve.tasks.emoji import load_emoji

        return load_emoji(rest, mode=mode)
    if source == "twins":
        from scalecurve.tasks.twins import load_twins

        return load_twins(rest)
    if source == "answerability":
        from scalecurve.tasks.answerability import load_answerability

        return load_answerability(rest, mode=mode)
    if source == "lm-eval":
        from scalecurve.tasks.lm_eval import load_lm_eval

        return load_lm_eval(rest)
    return _path_tasks(ref, mode)


def list_tasks(source: str | None = None) -> tuple[Listing, ...]:
    """The leaves of ``source`` (None for all that are there), as cheaply as can be."""
    if source not in (None, *LISTED):
        raise UserError(f"source: no listing for {source!r}; use {', '.join(LISTED)}")
    found: list[Listing] = []
    if source in (None, "lab"):
        found += [listing for path in _lab_files() for listing in _lab_listing(path)]
    if source in (None, "inverse"):
        from scalecurve.tasks.inverse import list_inverse

        found += list_inverse()
    if source in (None, "bigbench", "emoji"):
        from scalecurve.tasks.bigbench import installed, list_bigbench
        from scalecurve.tasks.emoji import list_emoji

        if installed() or source:
            found += [] if source == "emoji" else list_bigbench()
            found += [] if source == "bigbench" else list_emoji()
    return tuple(found)


def suggest(name: str, names: Iterable[str]) -> str:
    """ ", did you mean …" with the names nearest to ``name``, or "" where none is near."""
    near = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def pick_subtask(tasks: Sequence[Task], ref: str, subtask: str) -> tuple[Task, ...]:
    """The leaf of ``tasks`` whose own name is ``subtask`` ("" for all of them)."""
    if not subtask:
        return tuple(tasks)
    names = {task.name.removeprefix(f"{task.parent}:"): task for task in tasks if task.parent}
    if subtask not in names:
        hint = suggest(subtask, names) or (f"; it has {', '.join(sorted(names))}" if names else "; it has none")
        raise UserError(f"task {ref!r}: no subtask {subtask!r}{hint}")
    return (names[subtask],)


# ── The laboratory ───────────────────────────────────────────────────────────────────────────────────────────
def _lab_files() -> list[Path]:
    return sorted(LAB.glob("*/task.json"))


def _lab_tasks(ref: str, rest: str, mode: str) -> tuple[Task, ...]:
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
    names = [listing.ref for listing in list_tasks("lab")] + [f"lab:{file.parent.name}" for file in _lab_files()]
    known = ", ".join(f"{source}:" for source in SOURCES)
    raise UserError(
        f"task {ref!r}: unknown{suggest(ref, names) or f'; begin it with a source ({known}) or give a path'}"
    )
