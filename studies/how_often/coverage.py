"""Do the intervals hold what they say? Verdicts and errors simulated over the study's own benchmarks and origins."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from scipy.special import expit, ndtri
from shares import Floats, interval, spans

SHARES = (0.003, 0.01, 0.03, 0.1, 0.3, 0.56)  # of all curves; the last one is that of flat
SPREADS = (1.0, 2.0)  # standard deviation of the log-odds between benchmarks, and as much between origins
SETS = 500


def coverage(tables: Mapping[str, pl.DataFrame], seed: int = 29) -> pl.DataFrame:
    """How often intervals hold the truth, on every part of the curves that the page gives shares or means of.

    A curve fits with log-odds of a mean, plus what its benchmark adds, plus what its origin adds, both normal. An error
    of a forecast is the sum of what its benchmark, its origin and it alone add, all normal (spread 1), or each the
    square of a normal (spread 2: skewed).
    """
    rng = np.random.default_rng(seed)
    found = []
    for part, rows in parts(tables).items():
        names = rows.select("benchmark", "origin").unique()
        about = (part, names["benchmark"].n_unique(), names["origin"].n_unique())
        for spread in SPREADS:
            if part.startswith("forecasts"):
                values = sum((_effects(rows, name, rng) ** spread for name in ("benchmark", "origin")),
                             rng.normal(size=(rows.height, SETS)) ** spread)  # fmt: skip
                found.append((*about, spread, None, SETS, _held(*interval(rows, values), 3.0 * (spread - 1))))
                continue
            for share in SHARES:
                more = sum(spread * _effects(rows, name, rng) for name in ("benchmark", "origin"))
                hits = rng.random((rows.height, SETS)) < expit(_mean(share, spread) + more)
                found.append((*about, spread, share, SETS, _held(*spans(rows, hits.astype(float)), share)))
    columns = ["part", "benchmarks", "origins", "spread", "share", "sets", "held"]
    return pl.DataFrame(found, schema=columns, orient="row")


def parts(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The curves, and the forecasts, over which the page's intervals are made."""
    shape = pl.col("shape") != "too-few"
    judged, training = tables["verdicts"].filter(shape), tables["training"].filter(shape)
    foretold = tables["forecasts"].filter(pl.col("asked") == "next size")
    found = {
        "judged": judged, "able": judged.filter("capable"),
        "gadre": judged.filter("capable", pl.col("set") == "Gadre"), "loss": tables["loss"].filter("capable"),
        "training": training.with_columns(origin=pl.col("family")),
        "forecasts": foretold, "forecasts_gadre": foretold.filter(pl.col("set") == "Gadre"),
    }  # fmt: skip
    return {name: rows for name, rows in found.items() if rows.height > 1}


def _effects(rows: pl.DataFrame, name: str, rng: np.random.Generator) -> Floats:
    place = np.unique(rows[name].to_numpy(), return_inverse=True)[1]
    return np.asarray(rng.normal(size=(place.max() + 1, SETS))[place])


def _held(low: Floats, high: Floats, truth: float) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


def _mean(share: float, spread: float) -> float:
    """The mean of the log-odds at which ``share`` of all curves fit."""
    both = np.sqrt(2) * spread * ndtri((np.arange(2001) + 0.5) / 2001)
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if expit(middle + both).mean() > share else (middle, high)
    return (low + high) / 2
