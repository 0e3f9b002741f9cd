"""What a pair of answers and a confidence are worth: flips and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FlipMatrix:
    """Shares of the items by which answers are right. ``fixed``: only the slow one; ``broken``: only the fast one."""

    n: int
    both_right: float
    fixed: float
    broken: float
    both_wrong: float

    @property
    def fast(self) -> float:
        return self.both_right + self.broken

    @property
    def slow(self) -> float:
        return self.both_right + self.fixed

    @property
    def either(self) -> float:
        """The accuracy of an oracle that always takes the right one of the two."""
        return self.both_right + self.fixed + self.broken


def flip_matrix(fast: Floats, slow: Floats) -> FlipMatrix:
    """What taking ``slow`` for ``fast`` changes; both 0/1, one an item, at least one item."""
    f, s = np.asarray(fast) > 0, np.asarray(slow) > 0
    shares = (float(np.mean(cell)) for cell in (f & s, ~f & s, f & ~s, ~f & ~s))
    return FlipMatrix(len(f), *shares)


def calibration_error(confidence: Floats, right: Floats, bins: int = 10) -> float:
    """Expected calibration error: |accuracy − confidence| over ``bins`` of equal width, weighted by their items."""
    confidence, right = np.asarray(confidence, float), np.asarray(right, float)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(right))
