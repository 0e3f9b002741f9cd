"""How good forecasts would have been: every size is predicted from smaller ones and compared with what it scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import pi, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.forecast.forecast import COMBINED, Panel, Past, predict, too_few
from scalecurve.analysis.forecast.panel import MIN_POINTS, enough, panels
from scalecurve.analysis.forecast.process import LEVELS
from scalecurve.analysis.gather import coordinate
from scalecurve.analysis.verdicts.judge import judge
from scalecurve.errors import UserError
from scalecurve.schema import CURVE_KEY
from scalecurve.types import Curve

if TYPE_CHECKING:
    import polars as pl

DISTANCES = ((2.0, "up to 2x"), (4.0, "2x to 4x"), (16.0, "4x to 16x"), (float("inf"), "above 16x"))
TREND = 3.0  # standard errors between the first and last known third that make a curve rising or falling


def backtest(
    frame: pl.DataFrame,
    *,
    axis: str = "params_non_embedding",
    holdouts: int | None = None,
    ahead: float = 1.0,
    skip: int = 0,
    targets: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Rolling-origin forecasts of known points of a curves table: one row a curve, target and method.

    Each target is predicted from at least four points at scales of at most ``1/ahead`` of it (strictly smaller when
    ``ahead`` is 1), the largest ``skip`` of these left out too; weights and interval widths use past errors on still
    smaller targets only. ``holdouts`` limits the targets to the last so many points of a curve, ``targets`` to these
    rungs. Columns: family, task, strategy, shots, metric, axis, rung, x, method, known (points used), predicted,
    actual, error (predicted − actual), sampling (standard error of the actual score), distance and trend (words), shape
    (verdict on the known points), and for ``combined`` sd, inside80, inside95, crps, pit (share of the forecast below
    the actual score). Bounded metrics only. ``UserError`` when nothing can be predicted.
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
                    rows += _rows(panel, curve, index, past, ahead, skip)
    if not bounded:
        raise UserError("backtest: no metric has a chance level or a ceiling; say them when importing (column chance)")
    if not rows:
        raise UserError(f"backtest: {too_few(frame, axis, 'a target')}")
    texts = dict.fromkeys((*CURVE_KEY, "axis", "rung", "method", "distance", "trend", "shape"), pl.String)
    types = texts | {"shots": pl.Int64, "known": pl.Int64} | dict.fromkeys(("inside80", "inside95"), pl.Boolean)
    columns = [*CURVE_KEY, "axis", "rung", "x", "method", "known", "predicted", "actual", "error", "sampling"]
    columns += ["distance", "trend", "shape", "sd", "inside80", "inside95", "crps", "pit"]
    return pl.DataFrame(rows, schema={c: types.get(c, pl.Float64) for c in columns}, orient="row")


def summarise(results: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Accuracy of each method over the rows of ``backtest``, by further columns such as ``distance`` or ``known``.

    In percentage points: mae, rmse, bias (predicted − actual); floor, the mae that a perfect forecast would show from
    the sampling of items alone, and excess = mae − floor; skill = 1 − mae / mae of the last value on the same targets;
    for ``combined`` coverage80, coverage95 and crps. ``n`` is the number of targets.
    """
    import polars as pl

    target = [*CURVE_KEY, "rung", "known"]
    last = results.filter(pl.col("method") == "last value").select(*target, pl.col("error").abs().alias("last"))
    mae, floor = 100 * pl.col("error").abs().mean(), 100 * sqrt(2 / pi) * pl.col("sampling").mean()
    return (
        results.join(last, on=target, how="left")
        .group_by([*by, "method"])
        .agg(
            pl.len().alias("n"),
            mae.alias("mae"),
            floor.alias("floor"),
            (mae - floor).alias("excess"),
            (100 * (pl.col("error") ** 2).mean().sqrt()).alias("rmse"),
            (100 * pl.col("error").mean()).alias("bias"),
            (1 - pl.col("error").abs().sum() / pl.col("last").sum()).alias("skill"),
            pl.col("inside80").mean().alias("coverage80"),
            pl.col("inside95").mean().alias("coverage95"),
            (100 * pl.col("crps").mean()).alias("crps"),
        )
        .sort([*by, "mae"])
    )


def pit_histogram(results: pl.DataFrame, bins: int = 10) -> list[int]:
    """How many targets fell into each tenth of their forecast: even counts where intervals mean what they say."""
    values = results.drop_nulls("pit")["pit"].to_numpy()
    return [int(count) for count in np.histogram(values, bins=bins, range=(0.0, 1.0))[0]]


def _rows(panel: Panel, curve: Curve, index: int, past: Past, ahead: float, skip: int) -> list[dict[str, object]]:
    target = curve.x[index]
    place = coordinate(curve.axis, target)
    count = sum(x <= target / ahead for x in curve.x[:index]) if ahead > 1 else index
    while count and coordinate(curve.axis, curve.x[count - 1]) >= place:
        count -= 1  # models of the target's own size are no smaller ones
    count -= skip
    if count < MIN_POINTS:
        return []
    below = curve.x[count]
    known = panel.known(curve, below)
    if not enough(known):
        return []
    found = predict(panel, curve, target, past, below=below)
    seen = _first(curve, len(known.x))
    shape = judge(seen, replicates=0).shape
    actual = curve.y[index]
    own: dict[str, object] = {name: getattr(curve, name) for name in (*CURVE_KEY, "axis")}
    own |= {"rung": curve.rungs[index], "x": target, "known": len(seen.x), "actual": actual}
    own |= {"sampling": curve.se[index], "distance": _distance(curve, seen, target), "trend": trend(seen)}
    rows: list[dict[str, object]] = []
    for name, y in found.by_method.items():
        row = own | {"method": name, "predicted": y, "error": y - actual, "shape": shape}
        if name == COMBINED:
            (lo80, hi80), (lo95, hi95) = found.interval(80), found.interval(95)
            row |= {"sd": found.sd, "inside80": lo80 <= actual <= hi80, "inside95": lo95 <= actual <= hi95}
            row |= {"crps": crps_quantiles(found.quantiles, actual), "pit": found.below(actual)}
        rows.append(row)
    return rows


def trend(curve: Curve) -> str:
    """``rising``, ``flat`` or ``falling``: the mean of the last third of the points against that of the first."""
    third = max(1, len(curve.y) // 3)
    change = float(np.mean(curve.y[-third:]) - np.mean(curve.y[:third]))
    noise = float(np.nanmean(curve.se)) * sqrt(2 / third) if np.isfinite(curve.se).any() else 0.0
    change = change if curve.higher_is_better else -change
    return "flat" if abs(change) <= TREND * noise else "rising" if change > 0 else "falling"


def _distance(curve: Curve, seen: Curve, target: float) -> str:
    if curve.axis == "loss":
        return "loss"
    return next(word for most, word in DISTANCES if target / seen.x[-1] <= most * 1.0001)


def _first(curve: Curve, count: int) -> Curve:
    known = slice(count)
    return replace(
        curve, rungs=curve.rungs[known], x=curve.x[known], y=curve.y[known], se=curve.se[known], n=curve.n[known]
    )


def crps_quantiles(quantiles: NDArray[np.float64], actual: float) -> float:
    """Continuous ranked probability score of a forecast known by its quantiles at ``LEVELS``, lower is better: twice
    the mean pinball loss (Gneiting & Raftery 2007)."""
    loss = np.where(actual >= quantiles, LEVELS * (actual - quantiles), (1 - LEVELS) * (quantiles - actual))
    edges = np.concatenate([[0.0], (LEVELS[1:] + LEVELS[:-1]) / 2, [1.0]])
    return float(2 * (loss * np.diff(edges)).sum())
