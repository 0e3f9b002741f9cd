"""A floor followed by a straight rise, y = a + β·max(x − τ, 0) with β > 0: its fit, and whether it beats a line.

τ runs over a grid with at least two points at or below it and one above. Fits are weighted least squares with weights
fixed by the curve's own errors, so that the fit of a whole bootstrap is one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GRID = 48  # values of τ tried
DRAWS = 400  # parametric bootstrap of the hinge statistic
LEVEL = 0.05
ONSET_GRID = 32  # places where a rise may begin or end


@dataclass(frozen=True, slots=True)
class Design:
    """The directions in weighted score space along which a hinge at each τ, or a line, can explain a curve."""

    x: Floats  # (m,) plotted positions, ascending
    weights: Floats  # (m,) 1/se
    taus: Floats  # (T,)
    hinges: Floats  # (m, T) unit columns, orthogonal to a constant
    line: Floats  # (m,) unit, orthogonal to a constant


def design(x: Floats, se: Floats) -> Design | None:
    """The design for points at ``x`` with errors ``se``; None with fewer than three distinct positions."""
    if len(x) < 3 or not x[-1] > x[1]:
        return None
    weights = 1.0 / se
    taus = x[1] + (x[-1] - x[1]) * np.arange(GRID) / GRID
    shapes = np.column_stack([x, np.maximum(x[:, None] - taus[None, :], 0.0)]) * weights[:, None]
    constant = weights / np.linalg.norm(weights)
    shapes = shapes - constant[:, None] * (constant @ shapes)
    shapes /= np.linalg.norm(shapes, axis=0)
    return Design(x, weights, taus, shapes[:, 1:], shapes[:, 0])


def statistic(y: Floats, fit: Design) -> tuple[Floats, Floats]:
    """(gain in χ² of the best hinge over a line, its τ) for each row of ``y`` (R, m). Gain is −inf without β > 0."""
    z = y * fit.weights
    along = z @ fit.hinges
    explained = np.where(along > 0, along, 0.0) ** 2
    best = explained.argmax(axis=1)
    gain = explained[np.arange(len(y)), best] - (z @ fit.line) ** 2
    return np.where(explained[np.arange(len(y)), best] > 0, gain, -np.inf), fit.taus[best]


def critical_gain(y: Floats, fit: Design, seed: int = 0) -> float:
    """The gain a hinge must exceed for p < .05: parametric bootstrap around the straight line fitted to ``y`` (m,).

    τ is unidentified under a line, so no χ² reference is valid. Never below zero.
    """
    slope = float((y * fit.weights) @ fit.line)
    z = slope * fit.line + _noise(len(y), seed)
    along = z @ fit.hinges
    gains = np.where(along > 0, along, 0.0).max(axis=1) ** 2 - (z @ fit.line) ** 2
    return max(0.0, float(np.quantile(gains, 1.0 - LEVEL)))


def bends(y: Floats, x: Floats, se: Floats, seed: int = 0) -> bool:
    """Whether a hinge beats a straight line for the points ``y`` (m,) at p < .05."""
    fit = design(x, se)
    if fit is None:
        return False
    gain, _ = statistic(y[None], fit)
    return bool(gain[0] > critical_gain(y, fit, seed))


def onset(y: Floats, x: Floats, se: Floats) -> Floats:
    """Where each row of ``y`` (R, m) begins to rise, on the axis of ``x``.

    Fits floor, straight rise and plateau (weighted least squares over a grid of where the rise begins, at two points
    or more from the left, and ends) and returns the mean of the beginning under the likelihood: between two points
    that a sudden step separates, the middle. A plain hinge would put the onset of a saturating rise too early.
    """
    weights = 1.0 / se
    begins, ends = np.triu_indices(ONSET_GRID + 1, 1)
    grid = x[1] + (x[-1] - x[1]) * np.arange(ONSET_GRID + 1) / ONSET_GRID
    begins, ends = grid[begins], grid[ends]
    ramps = np.clip((x[:, None] - begins) / (ends - begins), 0.0, 1.0) * weights[:, None]
    constant = weights / np.linalg.norm(weights)
    ramps = ramps - constant[:, None] * (constant @ ramps)
    ramps /= np.linalg.norm(ramps, axis=0)
    along = np.maximum((y * weights) @ ramps, 0.0) ** 2
    likelihood = np.exp((along - along.max(axis=1, keepdims=True)) / 2)
    result: Floats = likelihood @ begins / likelihood.sum(axis=1)
    return result


@lru_cache(maxsize=64)
def _noise(points: int, seed: int) -> Floats:
    return np.random.default_rng((seed, points, 7)).standard_normal((DRAWS, points))
