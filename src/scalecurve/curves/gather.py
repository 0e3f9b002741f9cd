"""From a table of points to curves: one curve a (family, task, strategy, shots, metric), never merging families."""

from __future__ import annotations

from math import isfinite, log10
from typing import TYPE_CHECKING, Any

from scalecurve.curves.errors import standard_error
from scalecurve.nouns import Curve, UserError

if TYPE_CHECKING:
    import polars as pl

KEY = ("family", "task", "strategy", "shots", "metric")
AXES = ("params_non_embedding", "params_total", "training_flops", "training_tokens", "step", "loss")
_LINEAR_AXES = ("loss",)  # already logarithmic; lower loss is larger scale


def curves_from_frame(frame: pl.DataFrame, axis: str = "params_non_embedding") -> list[Curve]:
    """The curves of a long table (columns of curves.parquet, one row a point), points in ascending scale.

    Optional columns: ``se``, ``n``, ``chance``, ``ceiling``, ``higher_is_better`` and the other axes. A point without
    score or without a value on ``axis`` is dropped and its curve flagged, never set to zero. For ``loss`` a lower value
    is a larger scale. ``UserError`` when ``axis`` is unknown or no row has it, or a needed column is missing.
    """
    missing = [name for name in (*KEY, "rung", "y") if name not in frame.columns]
    if missing:
        raise UserError(f"curves table: no column {missing[0]}; it needs {', '.join((*KEY, 'rung', 'y'))}")
    if axis not in frame.columns or frame[axis].is_null().all() or not frame[axis].dtype.is_numeric():
        known = [name for name in AXES if name in frame.columns and not frame[name].is_null().all()]
        raise UserError(f"axis {axis!r}: no point has it; this table has {', '.join(known) or 'no axis of scale'}")
    return [
        _curve(dict(zip(KEY, key, strict=True)), rows.to_dicts(), axis)
        for key, rows in frame.group_by(KEY, maintain_order=True)
    ]


def curve_points(scores: pl.DataFrame, curves: pl.DataFrame) -> pl.DataFrame:
    """The points of item ``scores`` (columns of scores.parquet), the scales of the rungs taken from ``curves``.

    Seeds share the items, so an item counts once, with its mean over seeds. Columns: the key, rung, y, se (of the
    mean), n, failed (items without a score) and the axes.
    """
    import polars as pl

    axes = [name for name in AXES if name in curves.columns]
    scales = curves.select("family", "rung", *axes).unique(["family", "rung"], keep="first")
    key, value = [*KEY, "rung"], pl.col("value")
    items = scores.group_by([*key, "example_id"], maintain_order=True).agg(value.mean())
    points = items.group_by(key, maintain_order=True).agg(
        y=value.mean(),
        se=value.std() / value.count().sqrt(),
        n=value.count().cast(pl.Int64),
        failed=value.null_count().cast(pl.Int64),
    )
    return points.join(scales, on=["family", "rung"], how="left")


def axis_of(frame: pl.DataFrame) -> str | None:
    """The axis to read a family's curves on: the first on which its models differ, else the first with any value.

    The sizes of one model's checkpoints are all the same, so that theirs is training tokens or the step.
    """
    known = [name for name in AXES if name in frame.columns and frame[name].count()]
    return next((name for name in known if frame[name].drop_nulls().n_unique() > 1), known[0] if known else None)


def coordinate(axis: str, x: float) -> float:
    """Where a scale lies on the plotted axis: log10, except for loss, which is taken as it is and reversed."""
    return -x if axis in _LINEAR_AXES else log10(x)


def from_coordinate(axis: str, position: float) -> float:
    """The scale in natural units at a plotted position; inverse of ``coordinate``."""
    return -position if axis in _LINEAR_AXES else float(10.0**position)


def _curve(key: dict[str, Any], rows: list[dict[str, Any]], axis: str) -> Curve:
    flags = []
    scored = [row for row in rows if row["y"] is not None and isfinite(row["y"])]
    if len(scored) < len(rows):
        flags.append("missing-points")
    placed = [row for row in scored if _has_scale(row[axis], axis)]
    if len(placed) < len(scored):
        flags.append("missing-scale")
    if any(row.get("failed") for row in placed):
        flags.append("failed-items")
    placed.sort(key=lambda row: coordinate(axis, row[axis]))
    first = rows[0]
    better = first.get("higher_is_better")
    chance, ceiling = first.get("chance"), first.get("ceiling")
    bounded = chance is not None or ceiling is not None
    counts = [int(row.get("n") or 0) for row in placed]
    return Curve(
        **{name: key[name] for name in KEY},
        axis=axis,
        rungs=tuple(row["rung"] for row in placed),
        x=tuple(float(row[axis]) for row in placed),
        y=tuple(float(row["y"]) for row in placed),
        se=tuple(
            standard_error(row["y"], n, row.get("se"), bounded=bounded and (ceiling is None or ceiling <= 1))
            for row, n in zip(placed, counts, strict=True)
        ),
        n=tuple(counts),
        chance=chance,
        ceiling=ceiling,
        higher_is_better=True if better is None else bool(better),
        flags=tuple(flags),
    )


def _has_scale(value: Any, axis: str) -> bool:
    return value is not None and isfinite(value) and (axis in _LINEAR_AXES or value > 0)
