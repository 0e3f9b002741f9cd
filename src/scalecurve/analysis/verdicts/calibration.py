"""From the model's own probability to how often such verdicts are right.

The numbers come from ``benchmarks/calibrate_verdicts.py``: simulated curves of many kinds with item noise and scatter,
judged, and counted by stated probability (900 curves). A shape and its mirror image share their numbers; shapes too
rare there keep their stated probability.
"""

from __future__ import annotations

import numpy as np

from scalecurve.types import Shape

STATED = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
RIGHT: dict[Shape, tuple[float, ...]] = {
    Shape.U: (0.329, 0.513, 0.652, 0.712, 0.821, 0.92, 0.962, 0.995, 1.0),  # 62 curves
    Shape.EMERGENT: (0.3, 0.5, 0.6, 0.727, 0.867, 0.938, 0.991, 0.998, 1.0),  # 108 curves
    Shape.FLAT: (0.3, 0.615, 0.778, 0.842, 0.909, 0.957, 0.98, 0.996, 1.0),  # 156 curves
    Shape.INVERSE: (0.3, 0.429, 0.663, 0.673, 0.893, 0.947, 0.975, 0.984, 0.985),  # 65 curves
    Shape.INVERTED_U: (0.329, 0.513, 0.652, 0.712, 0.821, 0.92, 0.962, 0.995, 1.0),  # 74 curves
    Shape.LATE: (0.364, 0.773, 0.81, 0.87, 0.923, 0.976, 0.99, 0.99, 1.0),  # 127 curves
    Shape.SATURATED: (0.3, 0.583, 0.6, 0.727, 0.867, 0.923, 0.964, 0.993, 1.0),  # 62 curves
    Shape.SMOOTH: (0.3, 0.429, 0.663, 0.673, 0.893, 0.947, 0.975, 0.984, 0.985),  # 163 curves
}
MOST_WITH_ODD_MODEL = 0.85  # several models may be odd where one is


def calibrated(shape: Shape, probability: float, odd: bool = False) -> float:
    """How often a verdict ``shape`` stated with ``probability`` is right."""
    table = RIGHT.get(shape)
    found = probability if table is None else float(np.interp(probability, STATED, table))
    return min(found, MOST_WITH_ODD_MODEL) if odd and shape != Shape.ONE_MODEL else found
