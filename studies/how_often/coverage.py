"""Do the intervals of the shares hold what they say? Verdicts simulated over the study's own benchmarks and origins."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import expit, ndtri
from shares import spans

SHARES = (0.003, 0.01, 0.03, 0.1, 0.3)  # of all curves
SPREADS = (1.0, 2.0)  # standard deviation of the log-odds between benchmarks, and as much between origins
SETS = 200


def coverage(judged: pl.DataFrame, seed: int = 29) -> pl.DataFrame:
    """How often the interval of a share holds the true one, by that share and by how much benchmarks, origins differ.

    A curve fits with log-odds of a mean, plus what its benchmark adds, plus what its origin adds, both normal.
    """
    rng = np.random.default_rng(seed)
    rows = judged.filter(pl.col("shape") != "too-few")
    places = [np.unique(rows[name].to_numpy(), return_inverse=True)[1] for name in ("benchmark", "origin")]
    found = []
    for spread in SPREADS:
        for share in SHARES:
            mean = _mean(share, spread)
            more = [rng.normal(0, spread, (place.max() + 1, SETS))[place] for place in places]
            hits = rng.random((rows.height, SETS)) < expit(mean + more[0] + more[1])
            low, high = spans(rows, hits.astype(float))
            found.append((spread, share, SETS, float(((low <= share) & (share <= high)).mean())))
    return pl.DataFrame(found, schema=["spread", "share", "sets", "held"], orient="row")


def _mean(share: float, spread: float) -> float:
    """The mean of the log-odds at which ``share`` of all curves fit."""
    both = np.sqrt(2) * spread * ndtri((np.arange(2001) + 0.5) / 2001)
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if expit(middle + both).mean() > share else (middle, high)
    return (low + high) / 2
