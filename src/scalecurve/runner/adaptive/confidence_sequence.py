"""Intervals that hold at every moment, for the mean of a finite set asked in random order without replacement.

A confidence sequence by betting (Waudby-Smith & Ramdas, arXiv 2010.09686, sections 4.3 and 5): for each candidate mean
a gambler bets that the next score lies above or below it. At the true mean the game is fair, so that the capital
reaches 1/α with probability at most α, ever (Ville). The candidates at which it has not are the interval. Looking after
every example and stopping when one likes is therefore allowed.
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GRID = 501  # candidate means
MOST_BET = 0.75  # of what the gambler may lose


def interval(scores: Floats, total: int, alpha: float = 0.05) -> tuple[float, float]:
    """The interval for the mean of all ``total`` scores after those given, all within 0–1.

    With ``scores`` a prefix of a random order fixed beforehand, the intervals after 1, 2, 3, … scores hold all at once
    with probability 1 − ``alpha``. Never wider than what the missing scores could do.
    """
    seen = np.asarray(scores, float)
    n = len(seen)
    low = seen.sum() / total
    high = low + (total - n) / total
    if not n or n >= total:
        return low, high
    means = np.linspace(0.0, 1.0, GRID)
    up, down, best = np.zeros(GRID), np.zeros(GRID), np.zeros(GRID)
    bets = _bets(seen, alpha)
    before = np.concatenate([[0.0], np.cumsum(seen)[:-1]])
    for t in range(n):
        # Given what was drawn, the next score's expectation at candidate m is that of the scores left.
        expected = (total * means - before[t]) / (total - t)
        possible = (expected >= 0) & (expected <= 1)
        inner = np.clip(expected, 1e-9, 1 - 1e-9)
        above = np.minimum(bets[t], MOST_BET / inner)
        below = np.minimum(bets[t], MOST_BET / (1 - inner))
        up = np.where(possible, up + np.log1p(above * (seen[t] - inner)), np.inf)
        down = np.where(possible, down + np.log1p(-below * (seen[t] - inner)), np.inf)
        best = np.maximum(best, np.maximum(up, down))
    if not np.isfinite(best).any():
        return low, high  # so few are left that what is possible lies between two candidates
    kept = means[best < max(log(2 / alpha), np.nextafter(best.min(), np.inf))]  # the best one, if none else
    step = 1.0 / (GRID - 1)
    return float(max(low, kept[0] - step)), float(min(high, kept[-1] + step))


def _bets(seen: Floats, alpha: float) -> Floats:
    """The size of each bet, from the scores before it only: √(2 log(2/α) / (variance · t · log(t + 1)))."""
    t = np.arange(1, len(seen) + 1)
    mean = (0.5 + np.cumsum(seen)) / (t + 1)
    variance = (0.25 + np.cumsum((seen - mean) ** 2)) / (t + 1)
    earlier = np.concatenate([[0.25], variance[:-1]])
    return np.asarray(np.sqrt(2 * log(2 / alpha) / (earlier * t * np.log(t + 1))))
