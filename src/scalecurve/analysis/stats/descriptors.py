"""Linearity L and breakthroughness B of a curve, and how often pure noise reaches them.

L = I / sqrt(mean((f·d)²)) and B = I / sqrt(median(d²)), with d the successive differences of the scores and
I = sign(argmax y − argmin y)·(max y − min y). BIG-bench (arXiv 2206.04615), form of B as in arXiv 2304.15004.
Both describe a curve; neither detects emergence: eight points of noise reach |B| = 6 in one case of twenty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def linearity(y: Sequence[float | None] | Floats, f: float = 1.0, *, zero_on_constant: bool = False) -> float:
    """L of the scores ``y`` in ascending scale. |L| ≤ m − 1 at f = 1, reached by equal steps.

    NaN for fewer than two points and for a constant series (0 when ``zero_on_constant``). Missing points are dropped.

    >>> linearity([0, 0.25, 0.5, 0.75, 1])
    4.0
    >>> round(linearity([0, 0.01, 0, 0.01, 0.9]), 2)
    2.02
    """
    points = _present(y)
    if len(points) < 2:
        return math.nan
    if points.min() == points.max():
        return 0.0 if zero_on_constant else math.nan
    return float(_linearity(points[None], f)[0])


def breakthroughness(y: Sequence[float | None] | Floats, *, zero_on_constant: bool = False) -> float:
    """B of the scores ``y`` in ascending scale; ±inf when most steps are exactly zero and the series is not constant.

    NaN for fewer than two points and for a constant series (0 when ``zero_on_constant``). Missing points are dropped.

    >>> breakthroughness([0, 0.25, 0.5, 0.75, 1])
    4.0
    >>> round(breakthroughness([0, 0.01, 0, 0.01, 0.9]), 1)
    90.0
    """
    points = _present(y)
    if len(points) < 2:
        return math.nan
    if points.min() == points.max():
        return 0.0 if zero_on_constant else math.nan
    return float(_breakthroughness(points[None])[0])


def noise_p_values(y: Sequence[float] | Floats, se: Sequence[float] | Floats, seed: int = 0) -> tuple[float, float]:
    """How often noise alone reaches |L| and |B|: (p of L, p of B), from 2,000 simulated flat curves.

    ``se`` are the standard errors of the points. NaN for a constant series or fewer than two points.
    """
    points, errors = np.asarray(y, float), np.asarray(se, float)
    if len(points) < 2 or points.min() == points.max():
        return math.nan, math.nan
    top = errors.max()
    relative = tuple(np.round(errors / top, 2).tolist()) if top > 0 else (1.0,) * len(points)
    null_l, null_b = _noise_null(relative, seed)
    p_l = (1 + (len(null_l) - np.searchsorted(null_l, abs(linearity(points)) - 1e-12))) / (1 + len(null_l))
    p_b = (1 + (len(null_b) - np.searchsorted(null_b, abs(breakthroughness(points)) - 1e-12))) / (1 + len(null_b))
    return float(p_l), float(p_b)


def noise_null(scales: int, draws: int = 2000, seed: int = 0) -> tuple[Floats, Floats]:
    """Sorted |L| and |B| of ``draws`` curves of equal noise over ``scales`` points."""
    return _noise_null((1.0,) * scales, seed, draws)


@lru_cache(maxsize=4096)
def _noise_null(relative: tuple[float, ...], seed: int, draws: int = 2000) -> tuple[Floats, Floats]:
    noise = _standard_normal(len(relative), draws, seed) * np.asarray(relative)
    return np.sort(np.abs(_linearity(noise, 1.0))), np.sort(np.abs(_breakthroughness(noise)))


@lru_cache(maxsize=64)
def _standard_normal(points: int, draws: int, seed: int) -> Floats:
    noise: Floats = np.random.default_rng((seed, points)).standard_normal((draws, points))
    return noise


def _present(y: Sequence[float | None] | Floats) -> Floats:
    values = np.array([np.nan if value is None else value for value in y], dtype=float)
    present: Floats = values[np.isfinite(values)]
    return present


def _signed_range(y: Floats) -> Floats:
    """I of each row: the range, negative when the highest point comes before the lowest (first index on ties)."""
    sign = np.sign(y.argmax(axis=1) - y.argmin(axis=1))
    result: Floats = sign * (y.max(axis=1) - y.min(axis=1))
    return result


def _linearity(y: Floats, f: float) -> Floats:
    result: Floats = _signed_range(y) / np.sqrt(np.mean((f * np.diff(y)) ** 2, axis=1))
    return result


def _breakthroughness(y: Floats) -> Floats:
    median = np.median(np.diff(y) ** 2, axis=1)
    with np.errstate(divide="ignore"):
        result: Floats = _signed_range(y) / np.sqrt(median)
    return result
