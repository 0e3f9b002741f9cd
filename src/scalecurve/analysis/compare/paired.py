"""Is A better than B on the same questions? The difference, how sure it is, and what could have been seen at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DETECTABLE = 1.959963984540054 + 0.8416212335729143  # two-sided 5 %, seen 80 times in 100


@dataclass(frozen=True, slots=True)
class Difference:
    """A − B over ``n`` questions, with its 95 % interval and p-value.

    ``wins`` and ``losses`` count the questions on which A scored higher and lower. ``detectable`` is the smallest true
    difference that would be seen 80 times in 100 at this error, ``needed`` the questions with which half of it would.
    ``gain``: the error of unpaired samples over that of the pairs (None where there are no pairs). ``method``:
    ``mcnemar`` (right or wrong, each question once), ``clustered`` (any scores, repeats of a question together) or
    ``unpaired``.
    """

    n: int
    a: float
    b: float
    difference: float
    se: float
    low: float
    high: float
    p: float
    wins: int | None
    losses: int | None
    detectable: float
    needed: int | None
    gain: float | None
    method: str


def mcnemar(wins: int, losses: int) -> float:
    """The exact two-sided p-value of McNemar (1947): the discordant pairs as throws of a fair coin.

    >>> round(mcnemar(8, 2), 12)
    0.109375
    """
    from scipy.special import bdtr

    count = wins + losses
    return min(1.0, 2.0 * float(bdtr(min(wins, losses), count, 0.5))) if count else 1.0


def paired_difference(a: Floats, b: Floats, clusters: Sequence[object] | None = None) -> Difference:
    """A − B of scores of the same questions, position by position; ``clusters`` labels repeats of one question.

    Scores that are right or wrong, each question once: exact McNemar, and the interval of Bonett and Price (2012), an
    adjusted Wald interval. Others: Student's t over questions, the differences of repeats summed within their question.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    values = a - b
    labels = np.arange(len(values)) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    count = int(labels.max()) + 1 if len(labels) else 0
    sums = np.bincount(labels, weights=values, minlength=count)
    wins, losses = int((sums > 0).sum()), int((sums < 0).sum())
    if count < 2:
        return _nothing(values, a, b, count, wins, losses)
    mean = float(values.mean())
    residual = np.bincount(labels, weights=values - mean, minlength=count)
    se = sqrt(float((residual**2).sum()) * count / (count - 1)) / len(values)
    binary = count == len(values) and bool(np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all())
    if binary:
        low, high, se = _bonett_price(wins, losses, count)
        p = mcnemar(wins, losses)
    else:
        low, high, p = _student(mean, se, count - 1)
    alone = sqrt(_variance_of_mean(a, labels, count) + _variance_of_mean(b, labels, count))
    seen = DETECTABLE * se
    return Difference(
        count, float(a.mean()), float(b.mean()), mean, se, low, high, p, wins, losses, seen,
        4 * count, alone / se if se > 0 else None, "mcnemar" if binary else "clustered",
    )  # fmt: skip


def unpaired_difference(a: float, b: float, se_a: float, se_b: float, n: int) -> Difference:
    """A − B of two scores with their errors, as if of other questions; ``n``: questions of the smaller sample."""
    from scipy.special import ndtr

    se = sqrt(se_a**2 + se_b**2)
    known = isfinite(se) and se > 0
    reach = 1.959963984540054 * se if known else nan
    p = float(2 * ndtr(-abs(a - b) / se)) if known else nan
    needed = 4 * n if n and known else None
    return Difference(n, a, b, a - b, se, a - b - reach, a - b + reach, p, None, None, DETECTABLE * se, needed, None,
                      "unpaired")  # fmt: skip


def slope_over_scale(matrix: Floats, x: Floats) -> tuple[float, float, float]:
    """(slope, its error, p) of the difference over ``x`` (log10 of the scale); ``matrix`` (items, scales) of A − B.

    Every item has a slope of its own by least squares, and theirs are averaged: what items share over scales cancels.
    """
    centred = x - x.mean()
    slopes = matrix @ centred / float(centred @ centred)
    mean, se = float(slopes.mean()), float(slopes.std(ddof=1) / sqrt(len(slopes)))
    return mean, se, _student(mean, se, len(slopes) - 1)[2]


def _bonett_price(wins: int, losses: int, count: int) -> tuple[float, float, float]:
    """(low, high, error) of a difference of paired shares: one pair more of either kind is added."""
    up, down, total = (wins + 1) / (count + 2), (losses + 1) / (count + 2), count + 2
    se = sqrt((up + down - (up - down) ** 2) / total)
    reach = 1.959963984540054 * se
    return max(-1.0, up - down - reach), min(1.0, up - down + reach), se


def _student(mean: float, se: float, freedom: int) -> tuple[float, float, float]:
    from scipy.special import stdtr, stdtrit

    if se == 0:
        return mean, mean, 1.0 if mean == 0 else 0.0
    reach = float(stdtrit(freedom, 0.975)) * se
    return mean - reach, mean + reach, float(2 * stdtr(freedom, -abs(mean) / se))


def _variance_of_mean(values: Floats, labels: NDArray[np.intp], count: int) -> float:
    residual = np.bincount(labels, weights=values - values.mean(), minlength=count)
    return float((residual**2).sum()) * count / (count - 1) / len(values) ** 2


def _nothing(values: Floats, a: Floats, b: Floats, count: int, wins: int, losses: int) -> Difference:
    mine, theirs, shift = (float(one.mean()) if len(one) else nan for one in (a, b, values))
    return Difference(count, mine, theirs, shift, nan, nan, nan, 1.0, wins, losses, nan, None, None, "clustered")
