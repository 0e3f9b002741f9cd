"""Groups of tasks that the field reports as one: a curve of their own beside their parts, weighted as their authors do.

A group is made of the scores of its parts where a model has all of them: their mean over questions, so that a part
counts as much as it has questions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from scalecurve.io import known
from scalecurve.io.shape import Point, is_share
from scalecurve.types import Cell

_PRO = (
    "biology business chemistry computer_science economics engineering health history law math other philosophy "
    "physics psychology"
)


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """``prefixes``: what stands before a part's own name in the harnesses. ``parts``: own name → questions (0: said
    by the results alone)."""

    name: str
    prefixes: tuple[str, ...]
    parts: Mapping[str, int]
    source: str


@cache
def task_groups() -> tuple[TaskGroup, ...]:
    """The groups that are known."""
    subjects = known.items_under("hendryckstest_")
    return (
        TaskGroup("mmlu", ("hendryckstest_", "mmlu_"), subjects, "Hendrycks et al. 2021, arXiv:2009.03300"),
        TaskGroup("mmlu_pro", ("mmlu_pro_",), dict.fromkeys(_PRO.split(), 0), "Wang et al. 2024, arXiv:2406.01574"),
    )


def group_points(points: Mapping[tuple[Cell, str], Point]) -> dict[tuple[Cell, str], Point]:
    """(cell, metric) → the score of every group that a cell's model, strategy, shots and seed have all parts of."""
    found: dict[tuple[Cell, str], Point] = {}
    refs = list(dict.fromkeys(cell.task for cell, _ in points))
    for group in task_groups():
        for prefix in group.prefixes:
            parts = _parts(refs, group, prefix)
            source, colon, _ = next(iter(parts), "").partition(":")
            ref = f"{source}:{group.name}" if colon else group.name
            if len(parts) < len(group.parts) or ref in refs:
                continue
            for key, own in _by_model(points, parts).items():
                whole = _together([points[one] for one in own], [group.parts[parts[one[0].task]] for one in own])
                if len(own) == len(parts) and whole is not None:
                    cell, metric = replace(key[0], task=ref), key[1]
                    asked = replace(whole.asked, task=cell.task, version="", prompts=(), setting=())
                    found[cell, metric] = replace(whole, asked=asked)
    return found


def _parts(refs: Iterable[str], group: TaskGroup, prefix: str) -> dict[str, str]:
    """Task → its own name in the group."""
    found = {}
    for ref in refs:
        name = known.plain_name(ref)
        if name.startswith(prefix) and name.removeprefix(prefix) in group.parts:
            found[ref] = name.removeprefix(prefix)
    return found


def _by_model(
    points: Mapping[tuple[Cell, str], Point], parts: Mapping[str, str]
) -> dict[tuple[Cell, str], list[tuple[Cell, str]]]:
    """(a cell without its task, metric) → the keys of its parts' points."""
    found: dict[tuple[Cell, str], list[tuple[Cell, str]]] = {}
    for cell, metric in points:
        if cell.task in parts and is_share(metric):
            found.setdefault((replace(cell, task=""), metric), []).append((cell, metric))
    return found


def _together(points: Sequence[Point], known_sizes: Sequence[int]) -> Point | None:
    """The mean over all questions of the parts, its error from theirs; None where a part has no score or no size."""
    sizes = [point.n or size for point, size in zip(points, known_sizes, strict=True)]
    values = [point.value for point in points]
    if not all(sizes) or any(value is None for value in values):
        return None
    total = sum(sizes)
    y = math.fsum(size * value for size, value in zip(sizes, values, strict=True) if value is not None) / total
    errors = [point.se for point in points]
    squares = [(size * se) ** 2 for size, se in zip(sizes, errors, strict=True) if se is not None]
    se = math.sqrt(math.fsum(squares)) / total if len(squares) == len(points) else None
    return replace(points[0], value=y, se=se, n=total, preferred=points[0].preferred)
