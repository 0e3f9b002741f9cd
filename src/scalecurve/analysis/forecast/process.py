"""A random process as a forecaster: the slope of a curve wanders, and is pulled back to a mean.

The slope per unit of the axis (a decade) is an Ornstein–Uhlenbeck process. Known points scatter about the curve by a
model-to-model deviation and by their sampling errors, of which a part is common to all models, who answer the same
items, and only shifts the curve. Everything is normal given five settings (deviation of the slope, how long it
persists, scatter, own part of the sampling error, mean slope), so that prediction is closed form; the settings are a
grid whose weights are learnt from all curves of a family at once (EM), each curve adding its own likelihood. Scores
on 0–1 are looked at both as they are and as arcsines of their roots, which level off at the bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.forecast.methods import MODEL_NOISE, Known

Floats = NDArray[np.float64]

SLOPES = (0.02, 0.06, 0.15, 0.4)  # stationary deviation of the slope, in units of the score a decade
LENGTHS = (0.3, 1.2, 6.0)  # decades over which it persists
SCATTERS = (0.0, 0.008, 0.025)
OWN = (0.3, 0.6, 1.0)  # share of the sampling variance that is a model's own: all models answer the same items
MEANS = (0.0, 0.06, 0.15)  # mean slope: more scale mostly helps, so that falls are expected to end
LEVEL = 0.5  # prior deviation of the first point
POOL_STRENGTH = 12.0  # curves that the even prior over the settings counts for
ROUNDS = 12
KINDS = 3  # scales that a curve is looked at on: as it is, its arcsine, and the arcsine of what lies above chance
LEVELS = np.array([0.005, 0.025, 0.05, *np.arange(0.1, 0.91, 0.05), 0.95, 0.975, 0.995])
"""Probabilities at which a predictive distribution is kept."""

_GRID = np.array(list(product(SLOPES, LENGTHS, SCATTERS, OWN)))
_CHUNK = 128
NODES = np.array([-2.8570, -1.3556, 0.0, 1.3556, 2.8570])  # of Gauss and Hermite, for a normal of deviation 1
PARTS = np.array([0.01126, 0.22208, 0.53332, 0.22208, 0.01126])


@dataclass(frozen=True, slots=True)
class Mixture:
    """A predictive distribution: normals with weights, on the score or (``bent``) on the arcsine of its root.

    ``means`` and ``variances`` are of the next model's true score, without the error of measuring it; ``error`` is
    that error's deviation on each component's own scale, ``own`` the part of the sampling variance that is in it, and
    ``noise`` the sampling error on the score's scale.
    The score is (y − ``low``) / ``unit``; the scale of a component begins at the share ``floor`` of it.
    """

    weights: Floats
    means: Floats
    variances: Floats
    bent: NDArray[np.bool_]
    floor: Floats
    error: Floats
    own: Floats
    noise: float
    low: float
    unit: float

    def moments(self) -> tuple[float, float]:
        """(mean, variance) of the true score, in the units of the curve."""
        m, v = self.means, self.variances
        angle = np.clip(m, 0, np.pi / 2)
        cos2, cos4 = np.cos(2 * angle) * np.exp(-2 * v), np.cos(4 * angle) * np.exp(-8 * v)
        first = np.where(self.bent, (1 - cos2) / 2, m)
        second = np.where(self.bent, 3 / 8 - cos2 / 2 + cos4 / 8, m**2 + v)
        reach = 1 - self.floor
        second = self.floor**2 + 2 * self.floor * reach * first + reach**2 * second
        first = self.floor + reach * first
        mean = float(self.weights @ first)
        spread = max(float(self.weights @ second) - mean**2, 1e-12)
        return self.low + self.unit * mean, self.unit**2 * spread

    def own_share(self) -> float:
        """The part of the sampling variance that models do not have in common."""
        return float(self.weights @ self.own)

    def quantiles(self) -> Floats:
        """The measured score at ``LEVELS``."""
        from scipy.special import ndtr

        kept = self.weights > 1e-4 * self.weights.max()
        w, m, bent, floor = self.weights[kept], self.means[kept], self.bent[kept], self.floor[kept]
        s = np.sqrt(self.variances[kept] + self.error[kept] ** 2)
        flat = ~bent
        reach = [m[flat] - 4 * s[flat], m[flat] + 4 * s[flat]] if flat.any() else [np.array([0.0]), np.array([1.0])]
        y = np.linspace(float(reach[0].min()), float(reach[1].max()), 301)
        if bent.any():
            y = np.union1d(y, np.linspace(0, 1, 201))
        below = np.empty((len(w), len(y)))
        below[flat] = ndtr((y - m[flat, None]) / s[flat, None])
        plain, raised = bent & (floor == 0), bent & (floor > 0)
        below[plain] = _bent_cdf(y[None], m[plain], s[plain], np.zeros(plain.sum()))
        # Chance holds the true score, not the measured one, which scatters about it: the error is added afterwards.
        noise = self.noise * self.own[kept][raised] ** 0.5
        true = m[raised], self.variances[kept][raised] ** 0.5, floor[raised]
        below[raised] = sum(
            part * _bent_cdf(y - (noise * place)[:, None], *true) for place, part in zip(NODES, PARTS, strict=True)
        )
        cdf = np.maximum.accumulate(w @ below / w.sum())
        places: Floats = self.low + self.unit * np.interp(LEVELS, cdf, y)
        return places


def process(known: Sequence[Known], x: float) -> list[Mixture]:
    """The predictive distribution of each curve at position ``x``; all curves share what is learnt of the settings."""
    if not known:
        return []
    parts = [_prepare(one) for one in known]
    settings = len(_GRID) * len(MEANS)
    shape = len(known), KINDS * settings
    likelihood, means, variances = np.full(shape, -np.inf), np.zeros(shape), np.ones(shape)
    own_part = np.tile(np.repeat(_GRID[:, 3], len(MEANS)), KINDS)
    groups: dict[bytes, list[int]] = {}
    for index, one in enumerate(known):
        groups.setdefault(one.x.tobytes(), []).append(index)
    for members in groups.values():
        t = known[members[0]].x - known[members[0]].x[0]
        ahead = x - float(known[members[0]].x[0])
        for kind in range(KINDS):
            inside = [i for i in members if kind < len(parts[i])]
            block = slice(kind * settings, (kind + 1) * settings)
            for start in range(0, len(inside), _CHUNK):
                chunk = inside[start : start + _CHUNK]
                y = np.array([parts[i][kind][0] for i in chunk])
                se = np.array([parts[i][kind][1] for i in chunk])
                own, m, v = _conditional(t, y, se, ahead)
                likelihood[chunk, block] = own + np.array([parts[i][kind][2] for i in chunk])[:, None]
                means[chunk, block], variances[chunk, block] = m, v
    shares = _pooled(likelihood)
    bent = np.arange(KINDS) > 0
    mixtures = []
    for i, one in enumerate(known):
        padded = [*parts[i], *parts[i][-1:] * (KINDS - len(parts[i]))]
        error = np.array([part[1][-1] for part in padded])
        floor = np.array([0.0, 0.0, _floor(one)])
        kinds = [np.repeat(values, settings) for values in (bent, floor, error)]
        mixtures.append(
            Mixture(
                shares[i], means[i], variances[i], kinds[0], kinds[1], kinds[2] * own_part**0.5, own_part,
                float(parts[i][0][1][-1]), one.base, one.unit,
            )
        )  # fmt: skip
    return mixtures


def _bent_cdf(y: Floats, means: Floats, deviations: Floats, floor: Floats) -> Floats:
    """(components, places): how likely a score is at most ``y``, on the scale of angles above each floor."""
    from scipy.special import ndtr

    share = (y - floor[:, None]) / (1 - floor[:, None])
    angle = np.arcsin(np.sqrt(np.clip(share, 0, 1)))
    inside: Floats = ndtr((angle - means[:, None]) / deviations[:, None])
    return np.where(share < 0, 0.0, np.where(share >= 1, 1.0, inside))


def _prepare(known: Known) -> list[tuple[Floats, Floats, float]]:
    """(scores, errors, log of the Jacobian) as they are on 0–1, and on the arcsine's scale where there are bounds."""
    y = (known.y - known.base) / known.unit
    se = np.where(np.isfinite(known.se), known.se, 0.0) / known.unit
    parts = [(y, se, 0.0)]
    if known.bounded:
        parts += [_bend(y, se, floor) for floor in dict.fromkeys([0.0, _floor(known)])]
    return parts


def _bend(y: Floats, se: Floats, floor: float) -> tuple[Floats, Floats, float]:
    """(angles, errors, log of the Jacobian): arcsines of the roots of the shares above ``floor``.

    Scores below it are taken for the floor itself, as far as their errors explain that: chance as stated is not always
    the floor, and the likelihood pays for what lies below.
    """
    share, error = (y - floor) / (1 - floor), se / (1 - floor)
    below = (np.minimum(share, 0) / np.hypot(error, MODEL_NOISE)) ** 2 if floor else np.zeros(1)
    share = np.clip(share, 0, 1)
    slope = 2 * np.sqrt(np.maximum(share * (1 - share), np.maximum(error, 1e-4)))
    return np.arcsin(np.sqrt(share)), error / slope, float(-np.log(slope * (1 - floor)).sum() - below.sum() / 2)


def _floor(known: Known) -> float:
    """Chance on 0–1, above which a score rises faster and faster; nothing where none is stated."""
    chance = 0.0 if known.chance is None else (known.chance - known.base) / known.unit
    return chance if known.bounded and 0 < chance < 1 else 0.0


def _conditional(t: Floats, y: Floats, se: Floats, ahead: float) -> tuple[Floats, Floats, Floats]:
    """(log-likelihood, mean ahead, variance ahead) of curves (rows of ``y``), each (curves, settings)."""
    slope, length, scatter, own_part = _GRID.T
    places = np.append(t, ahead)
    kernel = integrated_slope(places, slope, length) + LEVEL**2  # (grid, points + 1, points + 1)
    inner, cross, own = kernel[:, :-1, :-1], kernel[:, :-1, -1], kernel[:, -1, -1]
    count = len(t)
    noise = se[:, None, :] ** 2 * own_part[:, None] + scatter[:, None] ** 2 + 1e-7
    matrix = inner[None] + noise[..., None] * np.eye(count)
    right = np.empty((len(y), len(_GRID), count, 3))
    right[..., 0] = (y - 0.4)[:, None, :]
    right[..., 1] = t
    right[..., 2] = cross
    solved = np.linalg.solve(matrix, right)
    logdet = np.linalg.slogdet(matrix)[1]
    mu = np.array(MEANS)
    residual = right[..., 0, None] - mu * t[:, None]  # (curves, grid, points, means)
    inverse = solved[..., 0, None] - mu * solved[..., 1, None]
    fit = (residual * inverse).sum(axis=2)
    mean = 0.4 + mu * ahead + (right[..., 2, None] * inverse).sum(axis=2)
    variance = own - (right[..., 2] * solved[..., 2]).sum(axis=2) + scatter**2
    likelihood = -0.5 * fit - 0.5 * logdet[..., None]
    shape = (len(y), len(_GRID) * len(mu))
    spread = np.broadcast_to(np.maximum(variance, 1e-9)[..., None], fit.shape)
    return likelihood.reshape(shape), mean.reshape(shape), spread.reshape(shape)


def integrated_slope(t: Floats, slope: Floats, length: Floats) -> Floats:
    """Covariance of the integral from 0 of a stationary Ornstein–Uhlenbeck slope: (settings, points, points)."""
    s, ell = slope[:, None, None], length[:, None, None]
    a, b = t[:, None], t[None, :]
    decay = np.exp(-a / ell) + np.exp(-b / ell) - np.exp(-np.abs(a - b) / ell) - 1
    kernel: Floats = s**2 * ell * (2 * np.minimum(a, b) + ell * decay)
    return kernel


def _pooled(likelihood: Floats) -> Floats:
    """The share of every setting in every curve: prior of the family (learnt by EM) times the curve's likelihood."""
    top = likelihood.max(axis=1, keepdims=True)
    own = np.exp(likelihood - top)
    even = np.isfinite(likelihood).any(axis=0).astype(float)
    even /= even.sum()
    prior = even
    for _ in range(ROUNDS):
        shares = own * prior
        shares /= shares.sum(axis=1, keepdims=True)
        prior = (POOL_STRENGTH * even + shares.sum(axis=0)) / (POOL_STRENGTH + len(own))
    shares = own * prior
    result: Floats = shares / shares.sum(axis=1, keepdims=True)
    return result
