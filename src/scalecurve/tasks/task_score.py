"""The scores of a BIG-bench task, whether its own code or our metrics gave them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskScore:
    """The scores of a leaf or a task at one number of shots; −1 shots: the number means nothing here."""

    name: str
    shots: int
    scores: Mapping[str, float]
    preferred: str
    low: float
    high: float

    @property
    def normalised(self) -> float | None:
        """0 at the low score, 100 at the high one; None where the preferred score is missing or not finite."""
        value = self.scores.get(self.preferred)
        if value is None or not math.isfinite(value) or self.high == self.low:
            return None
        return 100.0 * (value - self.low) / (self.high - self.low)
