"""Standard errors, chance levels and corrections for judging many curves at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum, isfinite, nan, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def standard_error(y: float, n: int, stated: float | None = None, *, bounded: bool = True) -> float:
    """Standard error of a mean score over ``n`` items, never below what ``n`` items can resolve.

    With no stated error, that of a proportion, √(max(y(1−y), 1/n)/n). A stated error is kept, but at least 1/n for a
    score on 0–1: a sample without variation does not make the score certain. NaN when nothing is known.
    """
    known = float(stated) if stated is not None and isfinite(stated) and stated > 0 else None
    if not bounded or n <= 0:
        return nan if known is None else known
    if known is None:
        return sqrt(max(y * (1.0 - y), 1.0 / n) / n)
    return max(known, 1.0 / n)


def wilson(successes: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share of ``n`` ≥ 1 items, two-sided, 95 % by default."""
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"need 0 ≤ successes ≤ n and n ≥ 1, not {successes}, {n}")
    share, spread = successes / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    reach = z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return middle - reach if successes else 0.0, middle + reach if successes < n else 1.0


def chance_level(option_scores: Iterable[Sequence[float]]) -> float:
    """Expected score of blind guessing: the mean over items of (sum of the options' scores / number of options)."""
    levels = [fsum(scores) / len(scores) for scores in option_scores]
    return fsum(levels) / len(levels)


def flatness(y: Sequence[float] | Floats, se: Sequence[float] | Floats) -> tuple[float, float]:
    """(χ², p) of the points scattering about one weighted mean: a large p means that noise explains the curve."""
    from scipy.special import chdtrc  # scipy.stats takes a second to import

    values, weights = np.asarray(y, float), 1.0 / np.asarray(se, float) ** 2
    mean = (weights * values).sum() / weights.sum()
    statistic = float((weights * (values - mean) ** 2).sum())
    return statistic, float(chdtrc(len(values) - 1, statistic))


def benjamini_hochberg(p: Sequence[float] | Floats) -> Floats:
    """p-values adjusted for the false-discovery rate (Benjamini & Hochberg 1995), in the given order. NaN stays NaN."""
    return _step_adjusted(np.asarray(p, float), upward=True)


def holm(p: Sequence[float] | Floats) -> Floats:
    """p-values adjusted for the chance of any false claim (Holm 1979), in the given order. NaN stays NaN."""
    return _step_adjusted(np.asarray(p, float), upward=False)


def _step_adjusted(p: Floats, *, upward: bool) -> Floats:
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    count = len(order)
    ranks = np.arange(1, count + 1)
    if upward:
        steps = np.minimum.accumulate((p[order] * count / ranks)[::-1])[::-1]
    else:
        steps = np.maximum.accumulate(p[order] * (count - ranks + 1))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
