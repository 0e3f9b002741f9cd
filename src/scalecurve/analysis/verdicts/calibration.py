"""From the model's own probability to how often such verdicts are right.

The numbers come from ``benchmarks/calibrate_verdicts.py``: simulated curves of many kinds with item noise and scatter,
judged, and counted by stated probability (2,600 curves; beta calibration for each shape). A shape and its mirror image
share their numbers; shapes too rare there (one odd model) keep their stated probability.
"""

from __future__ import annotations

import numpy as np

from scalecurve.types import Shape

STATED = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
RIGHT: dict[Shape, tuple[float, ...]] = {
    Shape.U: (0.469, 0.681, 0.751, 0.807, 0.853, 0.896, 0.921, 0.953, 0.977),  # 224 curves
    Shape.EMERGENT: (0.304, 0.579, 0.687, 0.775, 0.847, 0.911, 0.943, 0.978, 0.994),  # 381 curves
    Shape.FLAT: (0.470, 0.745, 0.827, 0.886, 0.930, 0.964, 0.979, 0.994, 0.999),  # 494 curves
    Shape.INVERSE: (0.448, 0.669, 0.745, 0.806, 0.857, 0.904, 0.931, 0.965, 0.986),  # 676 curves
    Shape.INVERTED_U: (0.469, 0.681, 0.751, 0.807, 0.853, 0.896, 0.921, 0.953, 0.977),  # 224 curves
    Shape.IRREGULAR: (0.066, 0.206, 0.302, 0.409, 0.526, 0.660, 0.746, 0.863, 0.944),  # 116 curves
    Shape.LATE: (0.751, 0.893, 0.928, 0.952, 0.970, 0.984, 0.991, 0.997, 0.999),  # 294 curves
    Shape.SATURATED: (0.657, 0.833, 0.881, 0.917, 0.944, 0.967, 0.979, 0.992, 0.998),  # 61 curves
    Shape.SMOOTH: (0.448, 0.669, 0.745, 0.806, 0.857, 0.904, 0.931, 0.965, 0.986),  # 676 curves
}
MOST_WITH_ODD_MODEL = 0.85  # several models may be odd where one is
MOST_WITH_A_MODEL_ASTRAY = 0.3  # one has the ability before the others, or lacks it after them: rather a lottery


def calibrated(shape: Shape, probability: float, odd: bool = False) -> float:
    """How often a verdict ``shape`` stated with ``probability`` is right."""
    table = RIGHT.get(shape)
    found = probability if table is None else float(np.interp(probability, STATED, table))
    return min(found, MOST_WITH_ODD_MODEL) if odd and shape != Shape.ONE_MODEL else found
