"""Where a rise begins, how wide it is, and whether a gradual one would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.verdicts import templates
from scalecurve.analysis.verdicts.posterior import SCATTER, Belief, Evidence

Floats = NDArray[np.float64]

REJECTED = 4.0  # χ² by which every gradual course must be worse than an abrupt one
TAIL = 0.025
PLACES = 801  # at which beginnings are counted
FORGOTTEN = 1e-6  # of the largest weight: courses that count for nothing


@dataclass(frozen=True, slots=True)
class RisePlace:
    """Medians and 95 % intervals: where the rise begins, and its width in decades. ``spacing``: of the models there;
    ``floor``: how many models are likely to lie below it."""

    start: float
    start_interval: tuple[float, float]
    width: float
    width_interval: tuple[float, float]
    spacing: float
    floor: int


def place(belief: Belief, own: Evidence) -> RisePlace | None:
    """Where and how fast a curve leaves chance, over all courses by their weights."""
    lib = templates.library(own.x)
    weight = belief.begun[0]
    if not weight.sum() > 0:
        return None
    start = _beginnings(lib, weight, (TAIL, 0.5, 1 - TAIL))
    width = _quantiles(lib.width, weight, (TAIL, 0.5, 1 - TAIL))
    at = int(np.clip(np.searchsorted(own.x, start[1], side="right"), 1, len(own.x) - 1))
    floor = round(_quantiles(lib.floor.astype(float), weight, (0.5,))[0])
    spacing = float(own.x[at] - own.x[at - 1])
    return RisePlace(start[1], (start[0], start[2]), width[1], (width[0], width[2]), spacing, floor)


def gain(own: Evidence) -> float:
    """By how much abrupt courses explain the points better than any gradual one.

    The difference of −2 log likelihood, each side with the scatter of models that suits it best.
    """
    gradual, abrupt = templates.gradual(own.x), templates.abrupt(own.x)
    best = np.full(2, np.inf)
    for sigma, prior in zip(SCATTER, own.scatter / own.scatter.sum(), strict=True):
        noise = own.cov + np.diag((sigma * own.share) ** 2) + 1e-12 * np.eye(len(own.y))
        cost = float(np.linalg.slogdet(noise)[1]) - 2 * np.log(prior)
        best = np.minimum(best, np.array(_misfits(own.y, noise, gradual, abrupt)) + cost)
    return float(best[0] - best[1])


def astray(own: Evidence, rise: RisePlace, odd: int) -> bool:
    """Whether model ``odd`` stands on the other side of a rise: it has the ability before, or lacks it afterwards."""
    others = np.delete(own.y, odd)
    floor = max(rise.floor, 1)
    middle = (others[:floor].mean() + others[floor:].mean()) / 2 if floor < len(others) else np.inf
    return bool((own.y[odd] > middle) == (own.x[odd] < rise.start))


def expected(own: Evidence, odd: int, scatter: float) -> float:
    """The score of model ``odd`` by the courses that explain the others best."""
    lib = templates.library(own.x)
    course = lib.shapes[:, lib.kind != templates.SPIKE]
    keep = np.delete(np.arange(len(own.y)), odd)
    weights = 1 / own.errors(scatter)[keep]
    one = weights / np.linalg.norm(weights)
    z = own.y[keep] * weights
    level = (one @ z) / np.linalg.norm(weights)
    h = course[keep] * weights[:, None]
    inner = h - one[:, None] * (one @ h)
    precision = (inner**2).sum(axis=0) + 8.0
    slope = (z @ inner) / precision
    mean = (one @ h) / np.linalg.norm(weights)
    predicted = np.append(level + slope * (course[odd] - mean), level)
    score = np.append(0.5 * (z @ inner) ** 2 / precision - 0.5 * np.log(precision / 8.0), 0.0)
    share = np.exp(score - score.max())
    return float(predicted @ share / share.sum())


def _misfits(y: Floats, noise: Floats, *courses: Floats) -> list[float]:
    """χ² of the best floor plus rise along one of each set of courses (m, K)."""
    root = np.linalg.cholesky(noise + 1e-12 * np.eye(len(y)))
    z, one = np.linalg.solve(root, y), np.linalg.solve(root, np.ones(len(y)))
    one /= np.linalg.norm(one)
    z = z - one * (one @ z)
    found = []
    for shapes in courses:
        h = np.linalg.solve(root, shapes)
        h = h - one[:, None] * (one @ h)
        along = np.maximum((z @ h) / np.maximum(np.sqrt((h**2).sum(axis=0)), 1e-9), 0.0)
        found.append(float(z @ z - (along**2).max()))
    return found


def _beginnings(lib: templates.Library, weight: Floats, levels: tuple[float, ...]) -> list[float]:
    """Quantiles of where the rise begins; each course counts for all beginnings in its cell."""
    places = np.linspace(lib.x[0], lib.x[-1], PLACES)
    known = weight > FORGOTTEN * weight.max()
    cell = np.maximum(lib.cell[known], 1e-9)  # none between two models of one size
    low = lib.start[known] - cell
    below = np.clip((places[:, None] - low) / (2 * cell), 0.0, 1.0)
    return np.interp(levels, below @ (weight[known] / weight[known].sum()), places).tolist()


def _quantiles(values: Floats, weight: Floats, levels: tuple[float, ...]) -> list[float]:
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order])
    share = (share - 0.5 * weight[order]) / share[-1]
    return np.interp(levels, share, values[order]).tolist()
