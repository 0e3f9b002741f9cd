"""Shares, means and differences of means with intervals that know what curves have in common.

Curves of one benchmark and curves of one origin of models are not independent. The variance of a mean is that between
benchmarks plus that between origins, each from the sums of deviations of its clusters, corrected for what the mean
takes from them. Degrees of freedom are the number of clusters less one, of shares those of origins, which are few, what
their sizes leave (bias-reduced linearisation, Bell & McCaffrey 2002, for cluster effects of equal variance);
Satterthwaite's for the sum. Means get an interval of Student's t; shares that of Korn & Graubard (1998): Clopper and
Pearson's for as many independent curves as would have this variance, widened for the degrees of freedom. A few hits in
one benchmark say little of the variance, so that no interval of a share ends nearer to 0 or 1 than that of none, or
all, of as many independent curves as there are benchmarks. How often these intervals hold what they should is measured
(``coverage``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import beta
from scipy.stats import t as student

LEVEL = 0.95
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """``hits`` of ``count`` with a 95 % interval of their share."""

    hits: int
    count: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.hits / self.count if self.count else float("nan")

    def __str__(self) -> str:
        if not self.count:
            return "–"
        return f"{percent(self.value)} [{percent(self.low)}, {percent(self.high)}]"


def percent(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    if 0.9995 <= value < 1:
        return "> 99.9 %"
    if 0 < value < 0.0005:
        return "< 0.1 %"
    digits = 1 if 0 < value < 0.0995 or 0.9905 < value < 1 else 0
    return f"{100 * value + 1e-9:.{digits}f} %"  # halves are rounded up


def share(rows: pl.DataFrame, hit: pl.Expr) -> Share:
    """How many of ``rows`` (columns origin, benchmark) fit ``hit``."""
    hits = rows.select(hit.fill_null(False).alias("hit"))["hit"].to_numpy().astype(float)
    if not len(hits):
        return Share(0, 0, float("nan"), float("nan"))
    low, high = spans(rows, hits[:, None])
    return Share(int(hits.sum()), len(hits), float(low[0]), float(high[0]))


def spans(rows: pl.DataFrame, hits: Floats) -> tuple[Floats, Floats]:
    """95 % of the shares of ``hits`` (rows, sets; 0 or 1): lower and upper ends, one a set."""
    count, p = rows.height, hits.mean(axis=0)
    variance, freedom = variances(rows, hits - p, by_size=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        like = np.where(variance > 0, p * (1 - p) / variance, count) * (_t(np.inf) / _t(freedom)) ** 2
        like = np.minimum(like, count)
        low = np.where(p > 0, beta.ppf((1 - LEVEL) / 2, like * p, like * (1 - p) + 1), 0.0)
        high = np.where(p < 1, beta.ppf((1 + LEVEL) / 2, like * p + 1, like * (1 - p)), 1.0)
    # the most that none of as many independent curves as there are benchmarks allows
    none = 1 - (1 - LEVEL) ** (1 / rows["benchmark"].n_unique())
    return np.minimum(low, 1 - none), np.maximum(high, none)


def interval(rows: pl.DataFrame, values: Floats) -> tuple[Floats, Floats]:
    """95 % of the means of ``values`` (rows, sets): lower and upper ends, one a set."""
    mean = values.mean(axis=0)
    variance, freedom = variances(rows, values - mean)
    reach = _t(freedom) * np.sqrt(variance)
    return mean - reach, mean + reach


def difference(first: pl.DataFrame, second: pl.DataFrame, value: str) -> tuple[float, float, float]:
    """The mean of column ``value`` of ``first`` less that of ``second``, with its 95 % interval.

    Both are taken as independent, which makes the interval too wide where they share benchmarks and origins.
    """
    known = []
    for rows in (first, second):
        values = rows[value].to_numpy()
        variance, freedom = variances(rows, (values - values.mean())[:, None])
        known.append((float(values.mean()), float(variance[0]), float(freedom[0])))
    (one, v1, f1), (two, v2, f2) = known
    freedom = (v1 + v2) ** 2 / max(v1**2 / f1 + v2**2 / f2, 1e-300)
    reach = float(_t(freedom)) * np.sqrt(v1 + v2)
    return one - two, one - two - reach, one - two + reach


def variances(rows: pl.DataFrame, apart: Floats, by_size: bool = False) -> tuple[Floats, Floats]:
    """Variance of each mean, and its degrees of freedom, from deviations ``apart`` (rows, sets) that sum to 0.

    ``by_size``: for origins degrees of freedom that know the sizes of the clusters; else their number less one.
    """
    found = [_between(rows[name].to_numpy(), apart, by_size and name == "origin") for name in ("benchmark", "origin")]
    variance = sum((part for part, _ in found), np.zeros(apart.shape[1]))
    squares = sum((part**2 / freedom for part, freedom in found), np.zeros(apart.shape[1]))
    return variance, np.where(variance > 0, variance**2 / np.where(squares > 0, squares, 1.0), np.inf)


def _between(names: NDArray[np.object_], apart: Floats, by_size: bool) -> tuple[Floats, float]:
    """The part of the variance that comes from the clusters ``names``, and its degrees of freedom.

    Were every cluster's effect drawn alike, a mean would vary by Σw², w being the shares of the clusters; the squared
    sums of deviations have another mean, by which they are divided. One cluster alone says nothing: 0.
    """
    kinds, places = np.unique(names, return_inverse=True)
    share = np.bincount(places) / len(places)
    if len(kinds) < 2:
        return np.zeros(apart.shape[1]), 1.0
    sums = (places == np.arange(len(kinds))[:, None]).astype(float) @ apart / len(places)
    own = np.eye(len(kinds)) - share
    form = own.T @ (share[:, None] ** 2 * own)
    freedom = float(np.trace(form) ** 2 / np.trace(form @ form)) if by_size else len(kinds) - 1.0
    return (share**2).sum() / np.trace(form) * (sums**2).sum(axis=0), freedom


def _t(freedom: Floats | float) -> Floats:
    return np.asarray(student.ppf((1 + LEVEL) / 2, freedom))
