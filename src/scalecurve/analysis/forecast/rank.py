"""Which recipe wins at a size that nobody has trained: two or more families compared at the sizes they share.

What is carried on is the difference of two recipes on a task, not each curve by itself: what the task and the size do
to both cancels. A difference has a level (about a mean over tasks), a slope that wanders and dies out, and a scatter;
how large each is, is learnt from all tasks and pairs at once, as in ``process``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import isfinite, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.forecast.process import integrated_slope
from scalecurve.analysis.gather import coordinate, curves_from_frame
from scalecurve.errors import UserError
from scalecurve.types import Curve

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]

OVERALL = "overall"
MIN_SHARED = 2  # sizes that two recipes must share
LEVELS = (0.002, 0.008, 0.02, 0.05, 0.12)  # deviation of the difference at the largest size known
SLOPES = (0.0, 0.01, 0.03, 0.08, 0.2)  # of its slope a decade
SCATTERS = (0.0, 0.006, 0.015, 0.04, 0.1)
DRIFT = 0.01  # by how much the mean difference over tasks moves in a decade
LENGTH = 0.7  # decades over which a slope of the difference persists
TOLERANCE = 0.02  # decades within which two sizes are the same
_GRID = np.array(list(product(LEVELS, SLOPES, SCATTERS)))


@dataclass(frozen=True, slots=True)
class Spread:
    """What a difference may be: a mixture of normals, one a setting."""

    shares: Floats
    means: Floats
    variances: Floats

    @property
    def mean(self) -> float:
        return float(self.shares @ self.means)

    @property
    def sd(self) -> float:
        return float(np.sqrt(self.shares @ (self.variances + (self.means - self.mean) ** 2)))

    def below(self, y: float, noise: float = 0.0) -> float:
        """The probability that the difference, measured with the standard error ``noise``, is at most ``y``."""
        from scipy.special import ndtr

        return float(self.shares @ ndtr((y - self.means) / np.sqrt(self.variances + noise**2)))

    def interval(self, level: int, noise: float = 0.0) -> tuple[float, float]:
        from scipy.optimize import brentq

        tail, reach = (1 - level / 100) / 2, 12 * (self.sd + noise)
        low, high = (
            brentq(lambda y, p=p: self.below(y, noise) - p, self.mean - reach, self.mean + reach, xtol=1e-6)
            for p in (tail, 1 - tail)
        )
        return float(low), float(high)


@dataclass(frozen=True, slots=True)
class DifferenceCurve:
    """Score of ``first`` less that of ``second`` on one task at the scales both have (positions on the axis)."""

    first: str
    second: str
    task: tuple[object, ...]  # (task, strategy, shots, metric)
    x: Floats
    y: Floats
    se: Floats


def rank(
    frame: pl.DataFrame, to: float, *, recipes: Sequence[str] | None = None, axis: str = "params_non_embedding"
) -> pl.DataFrame:
    """How likely each recipe (family) is to beat each other at scale ``to``, per task and over all tasks.

    One row a pair and task, the task ``overall`` for the mean over the tasks both have: first, second, task, strategy,
    shots, metric, axis, x, known (shared scales), difference (first − second, in the score's unit, turned so that more
    is better), sd, lo80, hi80, lo95, hi95, probability (that first is better). ``UserError`` when no two recipes share
    two scales.
    """
    import polars as pl

    pairs = list(_differences(frame, axis, recipes, coordinate(axis, to)))
    if not pairs:
        raise UserError(
            f"rank: no two families share {MIN_SHARED} sizes below {to:.3g} on {axis}; name them with --recipe, or use "
            "another --axis"
        )
    rows = []
    for pair, spread in zip(pairs, _carry_on(pairs, coordinate(axis, to)), strict=True):
        middle, sd = spread.mean, spread.sd
        task, strategy, shots, metric = pair.task
        row = {"first": pair.first, "second": pair.second, "task": task, "strategy": strategy, "shots": shots}
        row |= {"metric": metric, "axis": axis, "x": to, "known": len(pair.x), "difference": middle, "sd": sd}
        for level in (80, 95):
            row[f"lo{level}"], row[f"hi{level}"] = spread.interval(level)
        rows.append(row | {"probability": 1 - spread.below(0.0)})
    return pl.DataFrame(rows, infer_schema_length=None)


def decisions(
    frame: pl.DataFrame,
    *,
    recipes: Sequence[str] | None = None,
    axis: str = "params_non_embedding",
    ahead: float = 10.0,
) -> pl.DataFrame:
    """The rankings that would have been made at every known size from models ``ahead`` times smaller, and what came.

    One row a target, pair and task: first, second, task, strategy, shots, metric, x, known, difference, probability,
    last (the difference at the largest model used), actual (the difference that came), sampling (its standard error),
    right and last_right (whether the signs were), clear (whether the actual difference is beyond two standard errors),
    inside80 and inside95 (of what was measured). ``UserError`` when nothing can be decided.
    """
    import polars as pl

    places = sorted({coordinate(axis, x) for curve in curves_from_frame(frame, axis) for x in curve.x})
    step = float(np.log10(ahead))
    rows: list[dict[str, object]] = []
    for target in places:
        known = list(_differences(frame, axis, recipes, target - step + 1e-9))
        came = {
            (d.first, d.second, d.task): d
            for d in _differences(frame, axis, recipes, target + 1e-9)
            if abs(d.x[-1] - target) < 1e-9
        }
        for pair, spread in zip(known, _carry_on(known, target), strict=True):
            truth = came.get((pair.first, pair.second, pair.task))
            if truth is None:
                continue
            actual, se, last = float(truth.y[-1]), float(truth.se[-1]), float(pair.y[-1])
            task, strategy, shots, metric = pair.task
            row = {"first": pair.first, "second": pair.second, "task": task, "strategy": strategy, "shots": shots}
            row |= {"metric": metric, "x": target, "known": len(pair.x), "difference": spread.mean, "last": last}
            row |= {"probability": 1 - spread.below(0.0), "actual": actual, "sampling": se}
            row |= {"right": actual * spread.mean > 0, "last_right": actual * last > 0, "clear": abs(actual) > 2 * se}
            for level in (80, 95):
                low, high = spread.interval(level, se)
                row[f"inside{level}"] = low <= actual <= high
            rows.append(row)
    if not rows:
        raise UserError(
            f"rank: no known size on {axis} lies {ahead:g} times above {MIN_SHARED} others that recipes share"
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _differences(
    frame: pl.DataFrame, axis: str, recipes: Sequence[str] | None, below: float
) -> Iterable[DifferenceCurve]:
    """Of every pair of families: each shared task, and their mean (``overall``) over tasks scored within bounds."""
    curves = curves_from_frame(frame, axis)
    families = list(dict.fromkeys(curve.family for curve in curves))
    for name in recipes or ():
        if name not in families:
            raise UserError(f"--recipe: no family {name!r}; there are {', '.join(families)}")
    chosen = list(recipes) if recipes else families
    by_family: dict[str, dict[tuple[object, ...], Curve]] = {name: {} for name in chosen}
    for curve in curves:
        if curve.family in by_family and (curve.chance is not None or curve.ceiling is not None):
            by_family[curve.family][curve.task, curve.strategy, curve.shots, curve.metric] = curve
    for first, second in combinations(chosen, 2):
        shared = [key for key in by_family[first] if key in by_family[second]]
        found = [
            each
            for key in shared
            if (each := _difference(by_family[first][key], by_family[second][key], key, below)) is not None
        ]
        yield from found
        yield from _overall(found)


def _difference(one: Curve, other: Curve, key: tuple[object, ...], below: float) -> DifferenceCurve | None:
    places = [[coordinate(c.axis, x) for x in c.x] for c in (one, other)]
    sign = 1.0 if one.higher_is_better else -1.0
    x, y, se = [], [], []
    for i, at in enumerate(places[0]):
        near = [(abs(at - other_at), j) for j, other_at in enumerate(places[1]) if abs(at - other_at) <= TOLERANCE]
        if not near or at >= below:
            continue
        j = min(near)[1]
        x.append(at)
        y.append(sign * (one.y[i] - other.y[j]))
        errors = [e if isfinite(e) else 0.01 for e in (one.se[i], other.se[j])]
        se.append(sqrt(errors[0] ** 2 + errors[1] ** 2))
    if len(x) < MIN_SHARED:
        return None
    return DifferenceCurve(one.family, other.family, key, np.array(x), np.array(y), np.array(se))


def _overall(found: Sequence[DifferenceCurve]) -> Iterable[DifferenceCurve]:
    """The mean difference over the tasks that are there at the most common set of scales."""
    if len(found) < 2:
        return
    sets: dict[bytes, list[DifferenceCurve]] = {}
    for each in found:
        sets.setdefault(each.x.tobytes(), []).append(each)
    most = max(sets.values(), key=len)
    y, se = np.mean([d.y for d in most], axis=0), np.sqrt(np.sum([d.se**2 for d in most], axis=0)) / len(most)
    yield DifferenceCurve(most[0].first, most[0].second, (OVERALL, "", None, ""), most[0].x, y, se)


def _carry_on(pairs: Sequence[DifferenceCurve], x: float) -> list[Spread]:
    """What every difference may be at position ``x``.

    Tasks of one pair scatter about the pair's mean difference; means over tasks (``overall``) scatter less and are
    pooled among themselves.
    """
    spreads: dict[int, Spread] = {}
    for overall in (False, True):
        inside = [i for i, pair in enumerate(pairs) if (pair.task[0] == OVERALL) == overall]
        if not inside:
            continue
        centres = dict.fromkeys(((pairs[i].first, pairs[i].second) for i in inside), (0.0, 0.0))
        if not overall:
            for key in centres:
                centres[key] = _centre([pairs[i] for i in inside if (pairs[i].first, pairs[i].second) == key])
        parts = [_conditional(pairs[i], x, centres[pairs[i].first, pairs[i].second]) for i in inside]
        shares = _learn(np.array([part[0] for part in parts]))
        spreads |= {i: Spread(share, part[1], part[2]) for i, share, part in zip(inside, shares, parts, strict=True)}
    return [spreads[i] for i in range(len(pairs))]


def _centre(pairs: Sequence[DifferenceCurve]) -> tuple[float, float]:
    """(mean difference over tasks at the largest two sizes, shrunk by its own standard error; variance of that)."""
    last = np.array([pair.y[-2:].mean() for pair in pairs])
    if len(last) < 3:
        return 0.0, 0.0
    error = float(last.var(ddof=1)) / len(last)
    mean = float(last.mean())
    return mean * max(0.0, 1 - error / max(mean**2, 1e-12)), error


def _conditional(pair: DifferenceCurve, x: float, about: tuple[float, float]) -> tuple[Floats, Floats, Floats]:
    """(log-likelihood, mean, variance) of one difference at ``x`` under every setting, about the mean of its pair.

    The mean over tasks moves with scale as well; how much is not learnt from so few pairs, but taken to be ``DRIFT``.
    """
    centre, doubt = about
    level, slope, scatter = _GRID.T
    t = pair.x[-1] - np.append(pair.x, x)  # from the largest known size: smaller sizes back, the target ahead
    back = integrated_slope(np.maximum(t, 0), slope, np.full(len(slope), LENGTH))
    ahead = integrated_slope(np.maximum(-t, 0), slope, np.full(len(slope), LENGTH))
    sides = np.where(t >= 0, 1.0, -1.0)
    cross = _across(np.abs(t), slope) * (np.multiply.outer(sides, sides) < 0)
    kernel = level[:, None, None] ** 2 + np.where(np.multiply.outer(sides, sides) < 0, -cross, back + ahead)
    noise = pair.se[None] ** 2 + scatter[:, None] ** 2 + 1e-8
    matrix = kernel[:, :-1, :-1] + noise[..., None] * np.eye(len(pair.x))
    right = np.stack([np.broadcast_to(pair.y - centre, noise.shape), kernel[:, :-1, -1]], axis=-1)
    solved = np.linalg.solve(matrix, right)
    fit = ((pair.y - centre) * solved[..., 0]).sum(axis=1)
    likelihood = -0.5 * fit - 0.5 * np.linalg.slogdet(matrix)[1]
    mean = centre + (right[..., 1] * solved[..., 0]).sum(axis=1)
    variance = kernel[:, -1, -1] - (right[..., 1] * solved[..., 1]).sum(axis=1) + scatter**2
    if doubt:
        variance = variance + doubt + (DRIFT * (x - float(pair.x[-1]))) ** 2
    return likelihood, mean, np.maximum(variance, 1e-9)


def _across(distance: Floats, slope: Floats) -> Floats:
    """Covariance of the change over ``a`` before and the change over ``b`` after one point, up to its sign."""
    gone = 1 - np.exp(-distance / LENGTH)
    result: Floats = slope[:, None, None] ** 2 * LENGTH**2 * np.multiply.outer(gone, gone)
    return result


def _learn(likelihood: Floats) -> Floats:
    """The share of every setting for every difference: EM over all of them, as in ``process``."""
    own = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    even = np.full(likelihood.shape[1], 1 / likelihood.shape[1])
    weights = even
    for _ in range(20):
        shares = own * weights
        shares /= shares.sum(axis=1, keepdims=True)
        weights = (8 * even + shares.sum(axis=0)) / (8 + len(own))
    shares = own * weights
    result: Floats = shares / shares.sum(axis=1, keepdims=True)
    return result
