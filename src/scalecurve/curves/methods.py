"""Ways to foretell a score at a larger scale from those at smaller scales: one function a method.

Each takes the known points (scores turned so that higher is better, positions on the plotted axis) and a position, and
returns the expected score. A new method is one function with ``@method("name")``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Known:
    """The points a forecast may use, in ascending scale.

    ``drivers`` are companion series over the same points (each higher is better, such as −loss): rows are series.
    ``low`` and ``high`` bound the score (±inf for unbounded metrics).
    """

    x: Floats
    y: Floats
    se: Floats
    chance: float | None = None
    low: float = 0.0
    high: float = 1.0
    drivers: Floats | None = None


Method = Callable[[Known, float], float | None]
METHODS: dict[str, Method] = {}


def method(name: str) -> Callable[[Method], Method]:
    """Enter a forecasting method under ``name``. A method returns None where it does not apply."""

    def enter(function: Method) -> Method:
        METHODS[name] = function
        return function

    return enter


@method("last value")
def last_value(known: Known, x: float) -> float:
    return float(known.y[-1])


@method("mean")
def mean(known: Known, x: float) -> float:
    return float(known.y.mean())


@method("line")
def line(known: Known, x: float) -> float:
    """Least squares over all points on the plotted (logarithmic) axis."""
    return _clip(_line(known.x, known.y, x), known)


@method("recent slope")
def recent_slope(known: Known, x: float) -> float:
    """Least squares over the last three points."""
    return _clip(_line(known.x[-3:], known.y[-3:], x), known)


@method("Theil-Sen")
def theil_sen(known: Known, x: float) -> float:
    """Line with the median of all pairwise slopes: one odd model does not move it."""
    i, j = np.triu_indices(len(known.x), 1)
    apart = known.x[j] > known.x[i]
    slope = (
        float(np.median((known.y[j] - known.y[i])[apart] / (known.x[j] - known.x[i])[apart])) if apart.any() else 0.0
    )
    return _clip(float(np.median(known.y - slope * known.x)) + slope * x, known)


@method("logit line")
def logit_line(known: Known, x: float) -> float | None:
    """Least squares on the logit of the chance-corrected score, clipped to .01–.99."""
    from scipy.special import expit, logit

    if known.chance is None or not 0 <= known.chance < 1 or known.high != 1:
        return None
    share = np.clip((known.y - known.chance) / (1 - known.chance), 0.01, 0.99)
    return known.chance + (1 - known.chance) * float(expit(_line(known.x, logit(share), x)))


@method("power law")
def power_law(known: Known, x: float) -> float | None:
    """y = u − a·s^(−b) in natural units s of scale: a power law with an offset, averaged over b by likelihood."""
    return None if len(known.x) < 4 else _clip(_power_average(known, x), known)


@method("broken line")
def broken_line(known: Known, x: float) -> float | None:
    """Two straight pieces that meet, averaged over where by likelihood: six points or more."""
    if len(known.x) < 6:
        return None
    places = np.linspace(known.x[1], known.x[-2], 24)
    t = np.append(known.x, x)
    predictions, fits = [], []
    for place in places:
        basis = np.column_stack([np.ones_like(t), t, np.maximum(t - place, 0)])
        weights = 1 / noise_of(known)
        beta = np.linalg.lstsq(basis[:-1] * weights[:, None], known.y * weights, rcond=None)[0]
        fits.append(float((((known.y - basis[:-1] @ beta) * weights) ** 2).sum()))
        predictions.append(float(basis[-1] @ beta))
    likelihood = np.exp(-(np.array(fits) - min(fits)) / 2)
    return _clip(float(np.average(predictions, weights=likelihood)), known)


@method("sigmoids")
def sigmoids(known: Known, x: float) -> float | None:
    """The average of all S-curves (floor, height, middle and width free) that fit, each by its likelihood."""
    found = sigmoid_average(known, x)
    return None if found is None else _clip(found[0], known)


@method("two-step")
def two_step(known: Known, x: float) -> float | None:
    """Scale → companion (power law with offset) → score (S-curve), averaged over companions (arXiv 2412.04403)."""
    if known.drivers is None or len(known.x) < 4:
        return None
    predictions = []
    for driver in known.drivers:
        if not np.isfinite(driver).all() or np.ptp(driver) == 0:
            continue
        spread = np.full(len(driver), max(float(np.ptp(driver)) * 0.01, 1e-9))
        ahead = _power_average(Known(known.x, driver, spread, None, -np.inf, np.inf), x)
        order = np.argsort(driver, kind="stable")
        along = Known(driver[order], known.y[order], known.se[order], known.chance, known.low, known.high)
        predictions.append(_clip(_sigmoid_average(along, ahead)[0], known))
    return float(np.mean(predictions)) if predictions else None


MODEL_NOISE = 0.008  # scatter of models of one family about their trend, on a scale of 0 to 1


def noise_of(known: Known) -> Floats:
    """Standard error and model-to-model scatter of each point together."""
    scale = 1.0 if np.isfinite(known.high) else float(np.ptp(known.y)) or 1.0
    se = np.where(np.isfinite(known.se), known.se, 0.0)
    return np.sqrt(se**2 + (MODEL_NOISE * scale) ** 2)


def _power_average(known: Known, x: float) -> float:
    """The mean at ``x`` over power laws with an offset."""
    rates = np.geomspace(0.1, 4.0, 16)
    basis = -np.exp(-rates[:, None] * (np.append(known.x, x) - known.x[-1]))
    return _averaged(known, basis[:, :-1], basis[:, -1])[0]


def sigmoid_average(known: Known, x: float) -> tuple[float, float] | None:
    """(mean, standard deviation) at ``x`` over all S-curves, weighted by likelihood; None under 3 points."""
    return None if len(known.x) < 3 else _sigmoid_average(known, x)


def _sigmoid_average(known: Known, x: float) -> tuple[float, float]:
    from scipy.special import expit

    span = float(known.x[-1] - known.x[0])
    t = (np.append(known.x, x) - known.x[-1]) / span
    middles = np.linspace(-1.2, 1.5, 28)
    widths = np.array([0.04, 0.08, 0.15, 0.3, 0.6])
    place = (t - middles[:, None, None]) / widths[:, None]
    basis = expit(place).reshape(-1, len(t))
    return _averaged(known, basis[:, :-1], basis[:, -1])


def _averaged(known: Known, basis: Floats, ahead: Floats) -> tuple[float, float]:
    """Mean and deviation of α + β·ahead over the rows of ``basis``, each fitted by ridge and weighted by evidence.

    The prior on β (deviation 1 on a scale of 0 to 1) keeps curves from shooting off where the data say nothing.
    """
    weights = 1 / noise_of(known)
    scale = 1.0 if np.isfinite(known.high) else float(np.ptp(known.y)) or 1.0
    w2 = weights**2
    total = w2.sum()
    centre = (basis @ w2) / total
    g = basis - centre[:, None]
    middle = (known.y @ w2) / total
    gg = (g**2) @ w2 + 1 / scale**2
    beta = (g @ (w2 * (known.y - middle))) / gg
    evidence = 0.5 * beta**2 * gg - 0.5 * np.log(gg)  # but for what all fits share
    level = middle + beta * (ahead - centre)
    allowed = (level <= known.high + 0.05) & (level >= known.low - 0.05)
    evidence = np.where(allowed, evidence, -np.inf) if allowed.any() else evidence
    share = np.exp(evidence - evidence.max())
    share /= share.sum()
    mean_ahead = float(share @ level)
    variance = float(share @ (level - mean_ahead) ** 2 + share @ (1 / total + (ahead - centre) ** 2 / gg))
    return mean_ahead, variance**0.5


def _line(x: Floats, y: Floats, at: float) -> float:
    if len(x) < 2 or np.ptp(x) == 0:
        return float(y[-1])
    apart = x - x.mean()
    slope = float((apart @ y) / (apart @ apart))
    return float(y.mean()) + slope * (at - float(x.mean()))


def _clip(value: float, known: Known) -> float:
    return float(min(max(value, known.low), known.high))
