"""Ways to predict a score at a larger scale from those at smaller scales: one function a method.

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

    @property
    def bounded(self) -> bool:
        """On both sides."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def unit(self) -> float:
        """What a deviation is measured in: the range of a bounded score, else the range of the known points."""
        return float(self.high - self.low) if self.bounded else float(np.ptp(self.y)) or 1.0

    @property
    def base(self) -> float:
        return float(self.low) if self.bounded else float(self.y.min())


MIN_SPAN = 0.3  # decades that the recent slope looks back at the least
SPAN_AHEAD = 0.5  # and of the distance to the target; both from the simulations
SAME = 0.1  # decades within which models have nearly one size
Method = Callable[[Known, float], float | None]
METHODS: dict[str, Method] = {}


def method(name: str) -> Callable[[Method], Method]:
    """Enter a forecasting method under ``name``. A method returns None where it does not apply."""

    def enter(function: Method) -> Method:
        METHODS[name] = function
        return function

    return enter


def sizes_of(x: Floats) -> NDArray[np.int_]:
    """The number of the size of each point, in ascending order: a size reaches ``SAME`` decades up from its first."""
    numbers = np.zeros(len(x), int)
    for i in range(1, len(x)):
        begins = x[i] - x[np.argmax(numbers[:i] == numbers[i - 1])] > SAME + 1e-9
        numbers[i] = numbers[i - 1] + begins
    return numbers


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
    """Least squares over the last three sizes, or as many more as span enough to be carried on to ``x``.

    Models of nearly one size (``SAME``) differ by chance alone: a slope between them, carried on, says nothing.
    """
    back = max(MIN_SPAN, SPAN_AHEAD * (x - float(known.x[-1])))
    groups = sizes_of(known.x)
    three = int((groups > groups[-1] - 3).sum())
    count = max(three, int((known.x > known.x[-1] - back + 1e-9).sum()) + 1)
    return _clip(_line(known.x[-count:], known.y[-count:], x), known)


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


@method("log law")
def log_law(known: Known, x: float) -> float | None:
    """Two parameters: −log(score) is a power of scale, so that its logarithm is a straight line on the axis."""
    if known.chance is None or not known.bounded:
        return None
    share = np.clip((known.y - known.low) / known.unit, 0.005, 0.995)
    ahead = np.exp(-np.exp(_line(known.x, np.log(-np.log(share)), x)))
    return known.low + known.unit * float(ahead)


@method("power law")
def power_law(known: Known, x: float) -> float | None:
    """y = u − a·s^(−b) in natural units s of scale: a power law with an offset, averaged over b by likelihood."""
    return None if len(known.x) < 4 else _clip(_power_average(known, x)[0], known)


@method("broken line")
def broken_line(known: Known, x: float) -> float | None:
    """Two straight pieces that meet, averaged over where by likelihood: six points or more."""
    if len(known.x) < 6:
        return None
    places = np.linspace(known.x[1], known.x[-2], 24)
    t = np.append(known.x, x)
    t = t - known.x.mean()
    basis = np.stack([np.broadcast_to(part, (len(places), len(t))) for part in (1 + 0 * t, t)], axis=-1)
    bent = np.maximum(t - (places - known.x.mean())[:, None], 0)
    basis = np.concatenate([basis, bent[..., None]], axis=-1)
    weighted = basis[:, :-1] / noise_of(known)[:, None]
    y = known.y / noise_of(known)
    square = np.swapaxes(weighted, 1, 2) @ weighted
    square = square + 1e-9 * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    beta = np.linalg.solve(square, (np.swapaxes(weighted, 1, 2) @ y)[..., None])[..., 0]
    fits = ((y - (weighted @ beta[..., None])[..., 0]) ** 2).sum(axis=1)
    predictions = (basis[:, -1] * beta).sum(axis=1)
    likelihood = np.exp(-(fits - fits.min()) / 2)
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
    predictions, trust = [], []
    for driver in known.drivers:
        if not np.isfinite(driver).all() or np.ptp(driver) == 0:
            continue
        spread = np.full(len(driver), max(float(np.ptp(driver)) * 0.01, 1e-9))
        ahead, doubt = _power_average(Known(known.x, driver, spread, None, -np.inf, np.inf), x)
        order = np.argsort(driver, kind="stable")
        along = Known(driver[order], known.y[order], known.se[order], known.chance, known.low, known.high)
        middle, sd = _sigmoid_average(along, ahead)
        slope = (_sigmoid_average(along, ahead + doubt)[0] - middle) if doubt else 0.0
        predictions.append(_clip(middle, known))
        trust.append(1 / (sd**2 + slope**2 + 1e-9))  # a companion that is itself in doubt counts less
    return float(np.average(predictions, weights=trust)) if predictions else None


MODEL_NOISE = 0.008  # scatter of models of one family about their trend, on a scale of 0 to 1


def noise_of(known: Known) -> Floats:
    """Standard error and model-to-model scatter of each point together."""
    se = np.where(np.isfinite(known.se), known.se, 0.0)
    return np.sqrt(se**2 + (MODEL_NOISE * known.unit) ** 2)


def _power_average(known: Known, x: float) -> tuple[float, float]:
    """(mean, standard deviation) at ``x`` over power laws with an offset."""
    rates = np.geomspace(0.1, 4.0, 16)
    basis = -np.exp(-rates[:, None] * (np.append(known.x, x) - known.x[-1]))
    return _averaged(known, basis[:, :-1], basis[:, -1])


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
    scale = known.unit
    w2 = weights**2
    total = w2.sum()
    centre = (basis @ w2) / total
    g = basis - centre[:, None]
    middle = (known.y @ w2) / total
    gg = (g**2) @ w2 + 1 / scale**2
    beta = (g @ (w2 * (known.y - middle))) / gg
    evidence = 0.5 * beta**2 * gg - 0.5 * np.log(gg)  # but for what all fits share
    level = middle + beta * (ahead - centre)
    allowed = (level <= known.high + 0.05 * scale) & (level >= known.low - 0.05 * scale)
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
