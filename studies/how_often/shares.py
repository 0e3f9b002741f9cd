"""Shares and means with intervals that know what curves have in common.

Curves of one benchmark and curves of one group of models are not independent. Intervals come from drawing benchmarks
and origins of models anew, both at once (the pigeonhole bootstrap: a curve counts as often as its benchmark was drawn
times its origin was drawn). A few hits in one benchmark leave such draws almost still, so that no interval of a share
ends nearer to 0 or 1 than that of none, or all, of as many independent curves as there are benchmarks. How often these
intervals hold what they should is measured (``coverage``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

DRAWS = 2000
LEVELS = (0.025, 0.975)
SEED = 29


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
    return f"{100 * value:.1f} %" if 0 < value < 0.0995 or 0.9905 < value < 1 else f"{100 * value:.0f} %"


def share(rows: pl.DataFrame, hit: pl.Expr) -> Share:
    """How many of ``rows`` (columns origin, benchmark) fit ``hit``."""
    hits = rows.select(hit.fill_null(False).alias("hit"))["hit"].to_numpy().astype(float)
    if not len(hits):
        return Share(0, 0, float("nan"), float("nan"))
    low, high = spans(rows, hits[:, None])
    return Share(int(hits.sum()), len(hits), float(low[0]), float(high[0]))


def spans(rows: pl.DataFrame, hits: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % of the shares of ``hits`` (rows, sets; 0 or 1): lower and upper ends, one a set."""
    drawn = weights(rows)
    total = drawn.sum(axis=1)
    means = (drawn @ hits)[total > 0] / total[total > 0, None]
    low, high = np.quantile(means, LEVELS, axis=0)
    none = 1 - 0.05 ** (1 / rows["benchmark"].n_unique())  # the most that none of so many independent curves allows
    return np.minimum(low, 1 - none), np.maximum(high, none)


def interval(
    rows: pl.DataFrame, values: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """95 % of the mean of ``values``, benchmarks and origins drawn anew."""
    drawn = weights(rows)
    own = drawn if weight is None else drawn * weight
    total = own.sum(axis=1)
    means = (own @ values)[total > 0] / total[total > 0]
    low, high = np.quantile(means, LEVELS)
    return float(low), float(high)


def weights(rows: pl.DataFrame) -> NDArray[np.float64]:
    """(DRAWS, rows) how often each row counts."""
    rng = np.random.default_rng(SEED)
    result = np.ones((DRAWS, rows.height))
    for column in ("benchmark", "origin"):
        names = sorted(rows[column].unique())
        places = np.searchsorted(names, rows[column].to_numpy())
        counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
        result *= counts[:, places]
    return result
