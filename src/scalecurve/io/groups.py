"""Groups of tasks that the field reports as one: a curve of their own beside their parts, weighted as their authors do.

A group is made of the scores of its parts where a model has all of them: their mean over questions, so that a part
counts as much as it has questions, or over parts where its authors count them alike (``known_groups.toml``).
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from scalecurve.io import known
from scalecurve.io.conventions import is_share
from scalecurve.io.shape import Point
from scalecurve.types import Cell

FEWEST_PARTS = 3  # of a group without a score of its own, for its parts to be shown together


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """``prefixes``: what stands before a part's own name in the harnesses. ``parts``: own name → questions (0: said
    by the results, or the table of known tasks). ``alike``: every part counts the same."""

    name: str
    prefixes: tuple[str, ...]
    parts: Mapping[str, int]
    source: str
    alike: bool = False


@cache
def task_groups() -> tuple[TaskGroup, ...]:
    """The groups that are known, those with most parts first."""
    subjects = known.items_under("hendryckstest_")
    found = [TaskGroup("mmlu", ("hendryckstest_", "mmlu_"), subjects, "Hendrycks et al. 2021, arXiv:2009.03300")]
    text = (files("scalecurve.io") / "known_groups.toml").read_text(encoding="utf-8")
    for block in tomllib.loads(text)["groups"]:
        parts = dict.fromkeys(block["parts"].split(), 0)
        for name, prefix in block["names"].items():
            found.append(TaskGroup(name, (prefix,), parts, block["source"], block["weight"] == "tasks"))
    return tuple(sorted(found, key=lambda group: -len(group.parts)))


def group_points(points: Mapping[tuple[Cell, str], Point]) -> dict[tuple[Cell, str], Point]:
    """(cell, metric) → the score of every group that a cell's model, strategy, shots and seed have all parts of."""
    found: dict[tuple[Cell, str], Point] = {}
    refs = list(dict.fromkeys(cell.task for cell, _ in points))
    for group in task_groups():
        for prefix in group.prefixes:
            parts = _parts(refs, group, prefix)
            ref = _whole(parts, group)
            if len(parts) < len(group.parts) or ref in refs:
                continue
            for key, own in _by_model(points, parts).items():
                if len(own) != len(parts):
                    continue
                sizes = [group.parts[parts[one[0].task]] or known.known(one[0].task).items or 0 for one in own]
                whole = _together([points[one] for one in own], sizes, alike=group.alike)
                if whole is not None:
                    cell, metric = replace(key[0], task=ref), key[1]
                    asked = replace(whole.asked, task=cell.task, version="", prompts=(), setting=(), group="")
                    found[cell, metric] = replace(whole, asked=asked)
    return found


def parents(refs: Iterable[str]) -> dict[str, str]:
    """Task → the name of the known group that it is part of, where that has a score, or several parts, among ``refs``.

    Of two groups with a part in common it is the one with a score of its own, else the larger.
    """
    given = list(refs)
    found: dict[str, str] = {}
    scored: set[str] = set()
    for group in task_groups():
        for prefix in group.prefixes:
            parts = _parts(given, group, prefix)
            has_score = bool(parts) and _whole(parts, group) in given
            for ref in parts if has_score or len(parts) >= FEWEST_PARTS else ():
                if ref not in found or (has_score and ref not in scored):
                    found[ref] = group.name
                    scored |= {ref} if has_score else set()
    return found


def _whole(parts: Mapping[str, str], group: TaskGroup) -> str:
    """What the whole is called, from the same source as its parts."""
    source, colon, _ = next(iter(parts), "").partition(":")
    return f"{source}:{group.name}" if colon else group.name


def _parts(refs: Iterable[str], group: TaskGroup, prefix: str) -> dict[str, str]:
    """Task → its own name in the group."""
    found = {}
    for ref in refs:
        own = re.sub(r"[\s\-/.]+", "_", ref.partition(":")[2] or ref).lower()
        name = own if own.startswith("leaderboard_") else known.plain_name(ref)
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


def _together(points: Sequence[Point], known_sizes: Sequence[int], *, alike: bool) -> Point | None:
    """The mean over all questions of the parts, or over parts, its error from theirs; None where a part has no score,
    or no size that counts."""
    sizes = [point.n or size for point, size in zip(points, known_sizes, strict=True)]
    values = [point.value for point in points]
    if any(value is None for value in values) or not (alike or all(sizes)):
        return None
    weights = [1] * len(points) if alike else sizes
    total = sum(weights)
    y = math.fsum(w * value for w, value in zip(weights, values, strict=True) if value is not None) / total
    errors = [point.se for point in points]
    squares = [(w * se) ** 2 for w, se in zip(weights, errors, strict=True) if se is not None]
    se = math.sqrt(math.fsum(squares)) / total if len(squares) == len(points) else None
    return replace(points[0], value=y, se=se, n=sum(sizes) if all(sizes) else None, preferred=points[0].preferred)
