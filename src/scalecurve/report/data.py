"""What a report shows, read from run directories: one dictionary that the page's script draws from.

Names in it are short because the page carries it whole: a curve is ``f`` family, ``t`` task, ``s`` strategy, ``k``
shots, ``m`` metric, ``r`` rungs, ``y`` scores, ``e`` standard errors, ``n`` items, ``x`` failed items, ``c`` chance,
``u`` ceiling, ``up`` higher is better, ``p`` preferred, ``v`` verdict, ``a`` the point from which on it is surely above
chance; and only where a limit cut off answers, ``z`` how many, ``w`` and ``g`` the scores with all of those wrong, and
right.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.analysis.probes import appears_at
from scalecurve.analysis.stats.errors import standard_error
from scalecurve.errors import UserError
from scalecurve.report.safe import rounded, shorter, visible
from scalecurve.schema import ANSWER_TOKENS, CURVE_AXES, CURVE_KEY
from scalecurve.store import RunDirectory, open_run, read_table

if TYPE_CHECKING:
    import polars as pl

VERDICT_NUMBERS = (
    "confidence", "threshold", "threshold_lo", "threshold_hi", "linearity", "breakthroughness", "linearity_share",
    "p_linearity", "p_breakthroughness", "p_flat_adjusted", "stability", "width", "width_lo", "width_hi", "bound",
)  # fmt: skip


@dataclass(slots=True)
class RunSource:
    """One run as the report reads it."""

    run: RunDirectory
    name: str
    manifest: dict[str, Any]
    curves: pl.DataFrame
    verdicts: pl.DataFrame | None
    labels: dict[str, str] = field(default_factory=dict)
    """Family → its name in the report (with the run's name where two runs have the same family)."""


def read_sources(directories: Sequence[str | Path]) -> list[RunSource]:
    """The runs to show. ``UserError`` when there are none, or one has no curves or cannot be read."""
    if not directories:
        raise UserError("report: no run directory given; name at least one, such as runs/lab")
    sources = [_read_source(open_run(directory)) for directory in directories]
    names: dict[str, int] = {}
    for source in sources:  # runs with the same study name are told apart by their directory
        names[source.name] = names.get(source.name, 0) + 1
    for source in sources:
        if names[source.name] > 1:
            source.name = str(source.run.path.resolve().name)
    seen: dict[str, int] = {}
    for source in sources:
        for family in source.curves["family"].unique(maintain_order=True):
            seen[family] = seen.get(family, 0) + 1
    taken: set[str] = set()
    for source in sources:
        for family in source.curves["family"].unique(maintain_order=True):
            label = family if seen[family] == 1 else f"{family} · {source.name}"
            while label in taken:
                label += "′"
            taken.add(label)
            source.labels[family] = label
    return sources


def _read_source(run: RunDirectory) -> RunSource:
    manifest = run.read_manifest()
    if not run.curves.exists():
        raise UserError(f"{run.curves}: not there yet; finish the run, or rebuild with `scalecurve rescore {run.path}`")
    curves = read_table(run.curves)
    verdicts = read_table(run.verdicts) if run.verdicts.exists() else None
    return RunSource(run, str(manifest.get("study") or run.path.resolve().name), manifest, curves, verdicts)


@dataclass(slots=True)
class Contents:
    """Everything of the report but the examples. ``tasks``, ``families`` and ``curves`` go into the page."""

    sources: list[RunSource]
    families: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    curves: list[dict[str, Any]]
    refs: list[str]
    """The tasks' names as the run's files have them (``tasks`` holds what may be shown)."""


def gather(directories: Sequence[str | Path]) -> Contents:
    """Families, tasks and curves of all runs, ready for the page."""
    sources = read_sources(directories)
    families = [family for source in sources for family in _families(source)]
    family_of = {family["name"]: index for index, family in enumerate(families)}
    tasks = _tasks(sources)
    task_of = {task["ref"]: index for index, task in enumerate(tasks)}
    curves = [curve for source in sources for curve in _curves(source, families, family_of, task_of)]
    refs = [task["ref"] for task in tasks]
    for task in tasks:
        task["ref"] = visible(task["ref"], 300)
    return Contents(sources, families, tasks, curves, refs)


def _families(source: RunSource) -> list[dict[str, Any]]:
    found = []
    for family in source.curves["family"].unique(maintain_order=True):
        rungs = [rung for rung in source.manifest.get("rungs", []) if rung.get("family") == family]
        rows = {
            row["rung"]: row for row in source.curves.filter(source.curves["family"] == family).iter_rows(named=True)
        }
        known = {rung["name"]: rung for rung in rungs}
        named = [
            {"name": visible(name, 120), "key": name}
            | {axis: rounded(known.get(name, {}).get(axis) or row.get(axis), 8) for axis in CURVE_AXES}
            for name, row in rows.items()
        ]
        named.sort(key=_scale)
        found.append(
            {"name": source.labels[family], "family": visible(family, 120), "run": source.name, "rungs": named}
        )
    return found


def _scale(rung: Mapping[str, Any]) -> tuple[float, ...]:
    """What a family's rungs are put in order by."""
    size = rung["params_non_embedding"] or rung["params_total"] or 0
    return size, rung["step"] or 0, rung[ANSWER_TOKENS] or 0


def _tasks(sources: Sequence[RunSource]) -> list[dict[str, Any]]:
    tasks: dict[str, dict[str, Any]] = {}
    for source in sources:
        records = {record["ref"]: record for record in source.manifest.get("tasks", [])}
        for ref in source.curves["task"].unique(maintain_order=True):
            if ref not in tasks:
                tasks[ref] = _task(ref, records.get(ref, {"ref": ref, "name": ref}))
    return list(tasks.values())


def _task(ref: str, record: Mapping[str, Any]) -> dict[str, object]:
    human = record.get("human") or {}
    return {
        "ref": ref,
        "name": shorter(visible(str(record.get("name") or ref).replace("_", " ").replace(":", ": "), 1000), 120),
        "parent": visible(str(record.get("parent") or "").replace("_", " "), 120),
        "source": visible(str(record.get("source") or ""), 120),
        "about": visible(str(record.get("description") or ""), 600),
        "keywords": [visible(str(word), 60) for word in record.get("keywords", [])][:12],
        "preferred": record.get("preferred_metric", ""),
        "flags": [visible(str(flag), 80) for flag in record.get("flags", [])],
        "n": record.get("n_examples", 0),
        "human": {name: rounded(human[name]) for name in ("mean", "best") if human.get(name) is not None},
    }


def _curves(
    source: RunSource, families: Sequence[Mapping[str, Any]], family_of: Mapping[str, int], task_of: Mapping[str, int]
) -> list[dict[str, Any]]:
    verdicts = {}
    if source.verdicts is not None:
        verdicts = {tuple(row[name] for name in CURVE_KEY): row for row in source.verdicts.iter_rows(named=True)}
    found = []
    for key, rows in source.curves.group_by(CURVE_KEY, maintain_order=True):
        family = family_of[source.labels[str(key[0])]]
        places = {rung["key"]: index for index, rung in enumerate(families[family]["rungs"])}
        points = sorted(rows.to_dicts(), key=lambda row: places[row["rung"]])
        first = points[0]
        found.append(
            {
                "f": family,
                "t": task_of[str(key[1])],
                "s": visible(str(key[2]), 80),
                "k": key[3],
                "m": visible(str(key[4]), 80),
                "r": [places[row["rung"]] for row in points],
                "y": [rounded(row["y"]) for row in points],
                "e": [rounded(_error(row), 3) for row in points],
                "n": [row["n"] for row in points],
                "x": sum(row["failed"] or 0 for row in points),
                "c": rounded(first["chance"]),
                "u": rounded(first["ceiling"]),
                "up": bool(first["higher_is_better"]),
                "p": bool(first["preferred"]),
                "v": _verdict(verdicts.get(key)),
                "a": _appears(points),
            }
            | _censored(points)
        )
    return found


def _error(row: Mapping[str, Any]) -> float | None:
    """A point's standard error: the stated one, else, of a score on 0–1 with known items, that of a proportion."""
    stated, y, n = row["se"], row["y"], row["n"] or 0
    if stated is not None or y is None or n <= 0 or row["ceiling"] != 1 or not 0 <= y <= 1:
        return None if stated is None else float(stated)
    return standard_error(y, n)


def _censored(points: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """How many answers a limit cut off, and the scores with all of them wrong, and right; nothing without any."""
    count = sum(point.get("censored") or 0 for point in points)
    if not count:
        return {}
    sides = {"w": "all_wrong", "g": "all_right"}
    return {"z": count} | {key: [rounded(point[side]) for point in points] for key, side in sides.items()}


def _verdict(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    numbers = {name: rounded(row.get(name), 4) for name in VERDICT_NUMBERS}
    words = {name: row.get(name) or "" for name in ("shape", "sublabel", "artefact", "axis")}
    lists = {
        "flags": [visible(flag, 400) for flag in row.get("flags") or []],
        "reasons": list(row.get("reasons") or []),
    }
    return {name: value for name, value in (numbers | words | lists).items() if value not in (None, "", [])}


def _appears(points: Sequence[Mapping[str, Any]]) -> int | None:
    """The index of the point from which on the curve is surely above chance."""
    y, se, n = ([point[name] for point in points] for name in ("y", "se", "n"))
    return appears_at(y, se, n, points[0]["chance"], higher_is_better=bool(points[0]["higher_is_better"]))


def study_of(source: RunSource) -> dict[str, object]:
    """study.toml as a dictionary; empty when absent or unreadable."""
    try:
        return tomllib.loads(source.run.study.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
