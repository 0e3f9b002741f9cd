"""Two sides of a comparison, and their differences task by task: models, prompts, checkpoints, or whole runs.

A side is a run, or what is chosen of one by the names of a model, a strategy and a number of shots, joined by colons:
``lab-1m``, ``direct``, ``lab-1m:direct:5-shot``, ``runs/a:lab-1m``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalecurve.analysis.compare.paired import paired_difference, slope_over_scale, unpaired_difference
from scalecurve.analysis.gather import axis_of, coordinate
from scalecurve.analysis.stats.errors import benjamini_hochberg, holm, standard_error
from scalecurve.errors import UserError
from scalecurve.store import open_run, read_table

if TYPE_CHECKING:
    import polars as pl

KEY = ("family", "rung", "task", "strategy", "shots", "metric")
ADJUST = {"holm": holm, "bh": benjamini_hochberg}
LEVEL = 0.05


@dataclass(frozen=True)
class Side:
    """One side: its scores and curves (tables of a run, filtered), which parts of the key were chosen, and the run."""

    name: str
    scores: pl.DataFrame
    curves: pl.DataFrame
    chosen: frozenset[str] = field(default_factory=frozenset)
    path: Path | None = None


def read_side(text: str, run: Path | None = None, *, task: str | None = None) -> Side:
    """The side that ``text`` names, of ``run`` unless it begins with a run directory.

    ``UserError`` for names that are not there, with those that are.
    """
    import polars as pl

    path, names = _split(text, run)
    directory = open_run(path)
    if not directory.curves.exists():
        raise UserError(
            f"{path}: no curves.parquet yet; finish the run, or rebuild it with `scalecurve rescore {path}`"
        )
    curves = read_table(directory.curves)
    scores = read_table(directory.scores)
    chosen = {}
    for name in names:
        column, value = _meaning(name, curves, path)
        chosen[column] = value
    keep = [pl.col(column) == value for column, value in chosen.items()]
    keep += [pl.col("task").str.contains(task, literal=True)] if task else []
    curves, scores = (frame.filter(*keep) if keep else frame for frame in (curves, scores))
    if curves.is_empty():
        raise UserError(f"{text}: {path} has no scores of it{f' in tasks with {task!r}' if task else ''}")
    return Side(text, scores, curves, frozenset(chosen), path)


def _split(text: str, run: Path | None) -> tuple[Path, list[str]]:
    parts = text.split(":")
    for end in range(len(parts), 0, -1):
        path = Path(":".join(parts[:end]))
        if path.is_dir():
            return path, parts[end:]
    if run is None:
        raise UserError(f"{text}: is no run directory; name a run, or give the run of both sides with --run")
    return run, parts


def _meaning(name: str, curves: pl.DataFrame, path: Path) -> tuple[str, Any]:
    """(column, value) of a name: a model, a strategy, or a number of shots."""
    for column in ("rung", "strategy"):
        if name in curves[column].unique():
            return column, name
    shots = re.fullmatch(r"(\d+)-?shots?", name)
    if shots:
        return "shots", int(shots[1])
    known = [*curves["rung"].unique(maintain_order=True), *curves["strategy"].unique(maintain_order=True)]
    raise UserError(f"{name}: is neither a model nor a strategy of {path}; it has {', '.join(known[:20])}")


def compare_sides(a: Side, b: Side, *, metric: str | None = None, adjust: str = "holm") -> pl.DataFrame:
    """A − B: one row a task and whatever else both sides share (model, strategy, shots).

    Columns: family, rung, task, strategy, shots (as of A), metric, higher_is_better, the fields of ``Difference``,
    p_adjusted (over all rows, by ``holm`` or ``bh``), better (``A``, ``B`` or empty). ``UserError`` where the sides
    share nothing.
    """
    import polars as pl

    if adjust not in ADJUST:
        raise UserError(f"--adjust: {adjust!r} is not known; use {' or '.join(ADJUST)}")
    shared = _shared_key(a, b)
    rows = [_row(one, other, a, b, shared) for one, other in _matching(a, b, shared, metric)]
    if not rows:
        raise UserError(
            f"{a.name} and {b.name} have no task and metric in common; name a metric both have with --metric, or check "
            "that both were asked the same tasks"
        )
    adjusted = ADJUST[adjust]([row["p"] for row in rows])
    for row, p in zip(rows, adjusted, strict=True):
        up = row["difference"] > 0 if row["higher_is_better"] else row["difference"] < 0
        row |= {"p_adjusted": float(p), "better": ("A" if up else "B") if p < LEVEL else ""}
    return pl.DataFrame(rows, infer_schema_length=None)


def _shared_key(a: Side, b: Side) -> list[str]:
    """The parts of the key in which the two sides must agree: all but what was chosen, or what each has one of."""
    chosen = a.chosen | b.chosen
    drop = {"family", "rung"} if "rung" in chosen else set()
    drop |= {"strategy", "shots"} & chosen
    drop |= {"shots"} if "strategy" in chosen and not _common(a, b, "shots") else set()
    for part in (("family", "rung"), ("strategy",), ("shots",)):
        single = all(side.curves.select(part).n_unique() == 1 for side in (a, b))
        if single and not _common(a, b, part[-1]):
            drop |= set(part)
    if not _common(a, b, "family"):
        drop |= {"family"}
    return [name for name in KEY if name not in drop]


def _common(a: Side, b: Side, column: str) -> set[object]:
    return set(a.curves[column].unique()) & set(b.curves[column].unique())


def _matching(
    a: Side, b: Side, shared: Sequence[str], metric: str | None
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of points, one of either side, equal in ``shared``; each task's preferred metric unless one is named."""
    import polars as pl

    wanted = pl.col("preferred") if metric is None else pl.col("metric") == metric
    theirs: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for row in b.curves.filter(wanted if metric else pl.lit(True)).iter_rows(named=True):
        theirs.setdefault(tuple(row[name] for name in shared), []).append(row)
    pairs = []
    for row in a.curves.filter(wanted).iter_rows(named=True):
        for other in theirs.get(tuple(row[name] for name in shared), []):
            if row["y"] is not None and other["y"] is not None:
                pairs.append((row, other))
    return pairs


def _row(one: Mapping[str, Any], other: Mapping[str, Any], a: Side, b: Side, shared: Sequence[str]) -> dict[str, Any]:
    items = _items(a, one).join(_items(b, other), on=["example_id", "seed"], how="inner", suffix="_b")
    if items.is_empty():  # repeats were drawn with other seeds: their means are set side by side
        mine, theirs = (_means(_items(side, row)) for side, row in ((a, one), (b, other)))
        items = mine.join(theirs, on="example_id", how="inner", suffix="_b")
    if items.height >= 2:
        found = paired_difference(items["value"].to_numpy(), items["value_b"].to_numpy(), items["example_id"].to_list())
    else:
        n = min(one["n"] or 0, other["n"] or 0)
        found = unpaired_difference(one["y"], other["y"], _error(one), _error(other), n)
    own = {name: one[name] for name in KEY} | {"higher_is_better": one["higher_is_better"]}
    return own | {"rung_b": other["rung"], "strategy_b": other["strategy"]} | asdict(found)


def _items(side: Side, row: Mapping[str, object]) -> pl.DataFrame:
    import polars as pl

    same = [pl.col(name) == row[name] for name in KEY]
    return side.scores.filter(*same).drop_nulls("value").select("example_id", "seed", "value")


def _means(items: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return items.group_by("example_id", maintain_order=True).agg(pl.col("value").mean())


def _error(row: Mapping[str, Any]) -> float:
    bounded = row["chance"] is not None or row["ceiling"] is not None
    return standard_error(row["y"], row["n"] or 0, row["se"], bounded=bounded) if row["y"] is not None else nan


def over_scale(a: Side, b: Side, found: pl.DataFrame) -> list[dict[str, Any]]:
    """The difference over the whole ladder, a row a task: its mean, and its slope a decade of scale.

    Only where both sides have the same three models or more, with the same questions at each. Keys: family, task,
    metric, axis, models, n, difference, low, high, p, slope, slope_se, slope_p.
    """
    rows = []
    for (family, task, metric), part in found.group_by(["family", "task", "metric"], maintain_order=True):
        axis = axis_of(a.curves.filter(family=family, task=task))
        if axis is None or part["rung"].n_unique() < 3 or part["rung"].n_unique() < part.height:
            continue
        matrix, x, items = _matrix(a, b, part, axis)
        if len(x) < 3 or len(items) < 2:
            continue
        whole = paired_difference(matrix.mean(axis=1), np.zeros(len(matrix)))
        slope, slope_se, slope_p = slope_over_scale(matrix, x)
        rows.append(
            {"family": family, "task": task, "metric": metric, "axis": axis, "models": len(x), "n": len(items)}
            | {"difference": whole.difference, "low": whole.low, "high": whole.high, "p": whole.p}
            | {"slope": slope, "slope_se": slope_se, "slope_p": slope_p}
        )
    return rows


def _matrix(a: Side, b: Side, part: pl.DataFrame, axis: str) -> tuple[Any, Any, list[str]]:
    """(items, scales) of A − B for the questions that all models of a task have, the scales, and the questions."""
    columns, x = [], []
    scales = dict(a.curves.drop_nulls(axis).select("rung", axis).unique().iter_rows())
    for row in part.iter_rows(named=True):
        other = row | {"rung": row["rung_b"], "strategy": row["strategy_b"]}
        mine = _means(_items(a, row))
        theirs = _means(_items_of_other(b, other))
        both = mine.join(theirs, on="example_id", how="inner", suffix="_b")
        if row["rung"] in scales and both.height:
            columns.append(dict(zip(both["example_id"], both["value"] - both["value_b"], strict=True)))
            x.append(coordinate(axis, scales[row["rung"]]))
    items = [item for item in columns[0] if all(item in column for column in columns)] if columns else []
    return np.array([[column[item] for column in columns] for item in items]), np.array(x), items


def _items_of_other(side: Side, row: Mapping[str, object]) -> pl.DataFrame:
    import polars as pl

    same = [pl.col(name) == row[name] for name in ("rung", "task", "strategy", "metric")]
    return side.scores.filter(*same).drop_nulls("value").select("example_id", "seed", "value")


def questions(a: Side, b: Side, row: Mapping[str, object]) -> dict[str, list[str]]:
    """The questions of a row that only A, or only B, got the better of: ``wins`` and ``losses``, by id."""
    other = dict(row) | {"rung": row["rung_b"], "strategy": row["strategy_b"]}
    both = _means(_items(a, row)).join(_means(_items_of_other(b, other)), on="example_id", suffix="_b")
    ids, shift = both["example_id"].to_list(), (both["value"] - both["value_b"]).to_list()
    wins = [item for item, value in zip(ids, shift, strict=True) if value > 0]
    return {"wins": wins, "losses": [item for item, value in zip(ids, shift, strict=True) if value < 0]}
