"""What an import tells of itself: what was understood, what was left out, and notes, in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scalecurve.io.sources import SourceFile
from scalecurve.types import Cell, Rung

SHOWN_METRICS = 4


def understood(
    formats: Iterable[str],
    points: Sequence[tuple[Cell, str]],
    cells: Sequence[Mapping[str, object]],
    rungs: Iterable[Rung] = (),
) -> str:
    """One sentence: files by format, results, models, tasks, metrics. ``points`` are (cell, metric) of every score,
    ``cells`` the records of answers; of ``rungs`` is told how many are states of a training, and by what."""
    files = Counter(formats)
    kinds = " and ".join(f"{_count(count, 'file')} of {name}" for name, count in files.items())
    models = {(cell.family, cell.rung) for cell, _ in points} | {(one["family"], one["rung"]) for one in cells}
    tasks = {cell.task for cell, _ in points} | {one["task"] for one in cells}
    metrics = list(dict.fromkeys(metric for _, metric in points))
    named = ", ".join(metrics[:SHOWN_METRICS]) + (", …" if len(metrics) > SHOWN_METRICS else "")
    by = f" by {_count(len(metrics), 'metric')} ({named})" if metrics else ""
    verb = "holds" if sum(files.values()) == 1 else "hold"
    what = f"{_count(len(points), 'result')} of {_count(len(models), 'model')}{_states(rungs)} on "
    what += _count(len(tasks), "task")
    return f"{kinds} {verb} {what}{by}"


def _states(rungs: Iterable[Rung]) -> str:
    """How many models are states of a training, by the axis that says their place in it."""
    by = Counter(next((axis for axis in ("step", "epoch") if getattr(rung, axis) is not None), "") for rung in rungs)
    told = [f"{count:,} by their {axis}" for axis, count in by.items() if axis]
    return f" (checkpoints: {' and '.join(told)})" if told else ""


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def notes_of(heads: Iterable[SourceFile]) -> list[str]:
    """What readers want to tell, each thing once."""
    noted: dict[str, list[Path]] = {}
    for head in heads:
        for note in head.notes:
            noted.setdefault(note, []).append(head.path)
    return [f"{where[0]}{f' and {len(where) - 1} more files' if len(where) > 1 else ''}: {note}"
            for note, where in noted.items()]  # fmt: skip


def left_out(heads: Iterable[SourceFile], parts: Sequence[Path]) -> list[str]:
    """What was not taken, in counts: parts of files by kind, and answers without their results."""
    kinds: dict[str, dict[str, None]] = {}
    for head in heads:
        for kind, names in head.left.items():
            kinds.setdefault(kind, {}).update(dict.fromkeys(names))
    lines = [f"{len(names)} {kind}: {some(names)}" for kind, names in kinds.items()]
    if parts:
        lines.append(f"{len(parts)} files of answers whose results are not here: {some(parts)}")
    return lines


def some(names: Iterable[object]) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:3]) + (", …" if len(listed) > 3 else "")
