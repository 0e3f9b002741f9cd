"""Curves made by hand for the tests."""

from collections.abc import Sequence

import numpy as np

from scalecurve.analysis import standard_error
from scalecurve.types import Curve


def curve_of(
    y: Sequence[float], chance: float | None = 0.25, n: int = 1000, x: Sequence[float] | None = None, **changes: object
) -> Curve:
    """A curve of proportions over three decades of parameters."""
    points = len(y)
    defaults = {
        "family": "f",
        "task": "t",
        "strategy": "direct",
        "shots": 0,
        "metric": "exact_match",
        "axis": "params_non_embedding",
        "rungs": tuple(f"r{i}" for i in range(points)),
        "x": tuple(x) if x is not None else tuple(np.logspace(6, 9, points).tolist()),
        "y": tuple(map(float, y)),
        "se": tuple(standard_error(value, n) for value in y),
        "n": (n,) * points,
        "chance": chance,
        "ceiling": None if chance is None else 1.0,
    }
    return Curve(**(defaults | changes))
