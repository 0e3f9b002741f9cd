"""How good forecasts would have been: every size is foretold from smaller ones and compared with what it scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import erf, exp, pi, sqrt
from typing import TYPE_CHECKING

from scalecurve.curves.forecast import COMBINED, MIN_POINTS, Panel, Past, panels, predict
from scalecurve.curves.gather import KEY
from scalecurve.curves.judge import judge
from scalecurve.nouns import Curve, UserError

if TYPE_CHECKING:
    import polars as pl


def backtest(
    frame: pl.DataFrame,
    *,
    axis: str = "params_non_embedding",
    holdouts: int | None = None,
    ahead: float = 1.0,
    targets: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Rolling-origin forecasts of known points of a curves table: one row a curve, target and method.

    Each target is foretold from at least four points at scales of at most ``1/ahead`` of it (strictly smaller when
    ``ahead`` is 1); weights and interval widths use past errors on still smaller targets only. ``holdouts`` limits the
    targets to the last so many points of a curve, ``targets`` to these rungs. Columns: family, task, strategy, shots,
    metric, axis, rung, x, method, known (points used), predicted, actual, error (predicted − actual), shape (verdict on
    the known points), and for ``combined`` sd, inside80, inside95, crps. Bounded metrics only.
    ``UserError`` when nothing can be foretold.
    """
    import polars as pl

    rows, bounded = [], False
    for panel in panels(frame, axis):
        past = Past(panel)
        for curve in panel.curves:
            if curve.chance is None and curve.ceiling is None:
                continue
            bounded = True
            start = MIN_POINTS if holdouts is None else max(MIN_POINTS, len(curve.x) - holdouts)
            for index in range(start, len(curve.x)):
                if targets is None or curve.rungs[index] in targets:
                    rows += _rows(panel, curve, index, past, ahead)
    if not bounded:
        raise UserError("backtest: no metric has a chance level or a ceiling; say them when importing (column chance)")
    if not rows:
        raise UserError(f"backtest: no curve has {MIN_POINTS} scales below a target on {axis}; nothing to foretell")
    texts = dict.fromkeys((*KEY, "axis", "rung", "method", "shape"), pl.String) | {"shots": pl.Int64, "known": pl.Int64}
    flags = dict.fromkeys(("inside80", "inside95"), pl.Boolean)
    columns = [*KEY, "axis", "rung", "x", "method", "known", "predicted", "actual", "error", "shape"]
    columns += ["sd", "inside80", "inside95", "crps"]
    return pl.DataFrame(rows, schema={c: (texts | flags).get(c, pl.Float64) for c in columns}, orient="row")


def summarise(results: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Accuracy of each method over the rows of ``backtest``, by further columns such as ``shape`` or ``task``.

    In percentage points: mae, rmse, bias (predicted − actual); skill = 1 − mae / mae of the last value on the same
    targets; for ``combined`` coverage80, coverage95 and crps. ``n`` is the number of targets.
    """
    import polars as pl

    target = [*KEY, "rung", "known"]
    last = results.filter(pl.col("method") == "last value").select(*target, pl.col("error").abs().alias("last"))
    return (
        results.join(last, on=target, how="left")
        .group_by([*by, "method"])
        .agg(
            pl.len().alias("n"),
            (100 * pl.col("error").abs().mean()).alias("mae"),
            (100 * (pl.col("error") ** 2).mean().sqrt()).alias("rmse"),
            (100 * pl.col("error").mean()).alias("bias"),
            (1 - pl.col("error").abs().sum() / pl.col("last").sum()).alias("skill"),
            pl.col("inside80").mean().alias("coverage80"),
            pl.col("inside95").mean().alias("coverage95"),
            (100 * pl.col("crps").mean()).alias("crps"),
        )
        .sort([*by, "mae"])
    )


def _rows(panel: Panel, curve: Curve, index: int, past: Past, ahead: float) -> list[dict[str, object]]:
    target = curve.x[index]
    count = sum(x <= target / ahead for x in curve.x[:index]) if ahead > 1 else index
    if count < MIN_POINTS:
        return []
    seen = _first(curve, count)
    found = predict(panel, seen, target, past)
    shape = judge(seen, replicates=0).shape
    actual = curve.y[index]
    own = {name: getattr(curve, name) for name in (*KEY, "axis")} | {"rung": curve.rungs[index], "x": target}
    rows: list[dict[str, object]] = []
    for name, y in found.by_method.items():
        row = own | {"method": name, "known": count, "predicted": y, "actual": actual, "error": y - actual}
        if name == COMBINED:
            (lo80, hi80), (lo95, hi95) = found.interval(80), found.interval(95)
            row |= {"sd": found.sd, "inside80": lo80 <= actual <= hi80, "inside95": lo95 <= actual <= hi95}
            row |= {"crps": crps_normal(y, found.sd, actual)}
        rows.append(row | {"shape": shape})
    return rows


def _first(curve: Curve, count: int) -> Curve:
    known = slice(count)
    return replace(
        curve, rungs=curve.rungs[known], x=curve.x[known], y=curve.y[known], se=curve.se[known], n=curve.n[known]
    )


def crps_normal(mean: float, sd: float, actual: float) -> float:
    """Continuous ranked probability score of a normal forecast (Gneiting & Raftery 2007): lower is better."""
    if sd <= 0:
        return abs(actual - mean)
    z = (actual - mean) / sd
    density, below = exp(-(z**2) / 2) / sqrt(2 * pi), 0.5 * (1 + erf(z / sqrt(2)))
    return sd * (z * (2 * below - 1) + 2 * density - 1 / sqrt(pi))
