"""From a table of points to curves: one curve a (family, task, strategy, shots, metric), never merging families."""

from __future__ import annotations

from math import isfinite, log10
from typing import TYPE_CHECKING, Any

from scalecurve.analysis.stats.errors import standard_error
from scalecurve.errors import UserError
from scalecurve.schema import CURVE_AXES, CURVE_KEY
from scalecurve.types import Curve

if TYPE_CHECKING:
    import polars as pl

NO_DIRECTION = ("likelihood_difference", "pct_stereotype")  # neither higher nor lower is better
_COURSE = ("training_tokens", "step", "epoch")  # the order of checkpoints that lie at one scale
_LINEAR_AXES = ("loss",)  # already logarithmic; lower loss is larger scale


def curves_from_frame(frame: pl.DataFrame, axis: str = "params_non_embedding") -> list[Curve]:
    """The curves of a long table (columns of curves.parquet, one row a point), points in ascending scale.

    Optional columns: ``se``, ``n``, ``chance``, ``ceiling``, ``higher_is_better`` and the other axes. A point without
    score or without a value on ``axis`` is dropped and its curve flagged, never set to zero. For ``loss`` a lower value
    is a larger scale. ``UserError`` when ``axis`` is unknown or no row has it, or a needed column is missing.
    """
    missing = [name for name in (*CURVE_KEY, "rung", "y") if name not in frame.columns]
    if missing:
        raise UserError(f"curves table: no column {missing[0]}; it needs {', '.join((*CURVE_KEY, 'rung', 'y'))}")
    if axis not in frame.columns or frame[axis].is_null().all() or not frame[axis].dtype.is_numeric():
        known = [name for name in CURVE_AXES if name in frame.columns and not frame[name].is_null().all()]
        raise UserError(f"axis {axis!r}: no point has it; this table has {', '.join(known) or 'no axis of scale'}")
    rows: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for row in frame.iter_rows(named=True):
        rows.setdefault(tuple(row[name] for name in CURVE_KEY), []).append(row)
    return [_curve(dict(zip(CURVE_KEY, key, strict=True)), own, axis) for key, own in rows.items()]


def curve_points(scores: pl.DataFrame, curves: pl.DataFrame) -> pl.DataFrame:
    """The points of item ``scores`` (columns of scores.parquet), the scales of the rungs taken from ``curves``.

    Seeds share the items, so an item counts once, with its mean over seeds. Columns: the key, rung, y, se (of the
    mean), n, failed (items without a score) and the axes.
    """
    import polars as pl

    axes = [name for name in CURVE_AXES if name in curves.columns]
    scales = curves.select("family", "rung", *axes).unique(["family", "rung"], keep="first")
    key, value = [*CURVE_KEY, "rung"], pl.col("value")
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
    known = [name for name in CURVE_AXES if name in frame.columns and frame[name].count()]
    return next((name for name in known if frame[name].drop_nulls().n_unique() > 1), known[0] if known else None)


def by_axis(frame: pl.DataFrame, axis: str | None = None) -> dict[str, pl.DataFrame]:
    """Axis → the families that are read on it: all of them on ``axis`` where it is given, else each on its own.

    Families without a place on any axis are left out. ``UserError`` where that leaves nothing.
    """
    import polars as pl

    if axis is not None:
        return {axis: frame}
    families: dict[str, list[str]] = {}
    for (family,), rows in frame.group_by("family", maintain_order=True):
        own = axis_of(rows)
        if own:
            families.setdefault(own, []).append(str(family))
    if not families:
        models = frame["rung"].unique(maintain_order=True).to_list()
        some = ", ".join(models[:4]) + (", …" if len(models) > 4 else "")
        raise UserError(
            f"none of the {len(models)} models ({some}) has a size, tokens, step or epoch, so there is no curve; write "
            "a family file (`scalecurve import` prints its lines) and import again with --family FILE"
        )
    return {own: frame.filter(pl.col("family").is_in(names)) for own, names in families.items()}


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
    censored = any(row.get("censored") for row in placed)
    if censored:
        flags.append("censored-answers")
    if key["metric"].partition(",")[0] in NO_DIRECTION:
        flags.append("no-direction")
    placed.sort(key=lambda row: (coordinate(axis, row[axis]), *(row.get(name) or 0 for name in _COURSE)))
    first = rows[0]
    better = first.get("higher_is_better")
    chance, ceiling = first.get("chance"), first.get("ceiling")
    bounded = chance is not None or ceiling is not None
    counts = [int(row.get("n") or 0) for row in placed]
    return Curve(
        **{name: key[name] for name in CURVE_KEY},
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
        **(_bounds(placed) if censored else {}),
    )


def _bounds(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What a limit cut off of each point's answers, and the scores with all of that wrong, and right."""
    sides = {
        side: tuple(float(row["y"] if row[side] is None else row[side]) for row in rows)
        for side in ("all_wrong", "all_right")
    }
    return {"censored": tuple(int(row["censored"] or 0) for row in rows), **sides}


def _has_scale(value: Any, axis: str) -> bool:
    return value is not None and isfinite(value) and (axis in _LINEAR_AXES or value > 0)
