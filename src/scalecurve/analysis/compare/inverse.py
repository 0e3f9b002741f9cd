"""Inverse scaling: the Prize's metrics (arXiv 2306.09479) and a test for a trend against scale."""

from __future__ import annotations

import numpy as np

from scalecurve.analysis.gather import coordinate
from scalecurve.analysis.stats.errors import flatness
from scalecurve.metrics.inverse import classification_loss, log_odds, log_odds_shift, sequence_loss
from scalecurve.types import Curve

__all__ = ["classification_loss", "log_odds", "log_odds_shift", "sequence_loss", "trend_test"]


def trend_test(curve: Curve, *, draws: int = 20_000, seed: int = 0) -> dict[str, float]:
    """Does the score fall, or rise, with scale? Weighted slope per decade, and Kendall's τ with an exact-style p.

    Signs are turned so that negative means worse with scale, whatever the metric's direction. Keys: slope (score per
    unit of the plotted axis: a decade, or a nat of loss), slope_se, z, p_slope (two-sided, normal), tau, p_tau
    (two-sided, by permutation:
    all orders up to 7 points, else ``draws`` random ones) and p_flat (χ² against no change at all).
    The standard error of the slope is widened when the points scatter about the line by more than their errors.
    """
    from scipy.special import erfc

    sign = 1.0 if curve.higher_is_better else -1.0
    x = np.array([coordinate(curve.axis, value) for value in curve.x])
    y, se = sign * np.array(curve.y), np.array(curve.se)
    weights = 1 / se**2
    centre = (weights @ x) / weights.sum()
    spread = weights @ (x - centre) ** 2
    slope = float(weights @ ((x - centre) * y) / spread)
    residual = y - (weights @ y) / weights.sum() - slope * (x - centre)
    scatter = float(weights @ residual**2) / max(len(x) - 2, 1)
    slope_se = float(np.sqrt(max(scatter, 1.0) / spread))
    tau, p_tau = _kendall(y, draws, seed)
    z = slope / slope_se
    p_slope = float(erfc(abs(z) / np.sqrt(2)))
    found = {"slope": slope, "slope_se": slope_se, "z": z, "p_slope": p_slope, "tau": tau, "p_tau": p_tau}
    return found | {"p_flat": flatness(curve.y, curve.se)[1]}


def _kendall(y: np.ndarray, draws: int, seed: int) -> tuple[float, float]:
    from itertools import permutations

    m = len(y)
    i, j = np.triu_indices(m, 1)
    if m <= 7:
        orders = np.array(list(permutations(range(m))))
    else:
        rng = np.random.default_rng(seed)
        orders = rng.permuted(np.tile(np.arange(m), (draws, 1)), axis=1)
    observed = float(np.sign(y[j] - y[i]).sum())
    shuffled = y[orders]
    null = np.sign(shuffled[:, j] - shuffled[:, i]).sum(axis=1)
    extreme = int((np.abs(null) >= abs(observed) - 1e-9).sum())
    p = extreme / len(orders) if m <= 7 else (extreme + 1) / (len(orders) + 1)
    return observed / len(i), p
