"""What the next size will score: several methods, combined by how well each predicted the sizes already known.

Which methods, what weight each has to begin with, and how wide intervals are was set on simulated families only
(docs/curves.md says how), and adapts to the past errors of the family at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.forecast.bounds import link_of
from scalecurve.analysis.forecast.panel import MIN_POINTS, Panel, enough, panels
from scalecurve.analysis.forecast.past import COMPONENTS, PROCESS, Past
from scalecurve.analysis.forecast.process import LEVELS
from scalecurve.analysis.gather import coordinate
from scalecurve.analysis.stats.errors import wilson
from scalecurve.errors import UserError
from scalecurve.schema import CURVE_AXES, CURVE_KEY
from scalecurve.types import Curve

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "COMBINED", "COMPONENTS", "MIN_POINTS", "PROCESS", "Forecast", "Panel", "Past", "enough", "forecast", "panels",
    "predict",
]  # fmt: skip

Floats = NDArray[np.float64]
COMBINED = "combined"
FEW = 3  # items from 0 or from all right, where quantiles may all lie on the bound


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected score of one curve at one scale by every method, in the units of the curve.

    ``quantiles`` are those of the score that will be measured, at the probabilities ``LEVELS``; ``sd`` is its standard
    deviation; both are of the combination. ``weights`` are those of the combination's members.
    """

    curve: Curve
    x: float
    by_method: dict[str, float]
    sd: float
    weights: Mapping[str, float]
    quantiles: Floats

    def interval(self, level: int) -> tuple[float, float]:
        """The central interval that holds the score with ``level`` per cent, inside the bounds of the metric.

        It holds the expected score, which a mass on a bound may leave outside, and is never narrower than a share
        within ``FEW`` items of 0 or 1 can be known by the items asked (Wilson 1927).
        """
        from scipy.special import ndtri

        tail, y = (1 - level / 100) / 2, self.by_method[COMBINED]
        ends = np.interp([tail, 1 - tail], LEVELS, self.quantiles)
        low, high = min(float(ends[0]), y), max(float(ends[1]), y)
        n, share = self.curve.n[-1] if self.curve.n else 0, self.curve.ceiling == 1 and 0 <= y <= 1
        if share and n > 0 and min(y, 1 - y) * n < FEW:
            least, most = wilson(round(y * n), n, float(ndtri(1 - tail)))
            low, high = min(low, least), max(high, most)
        return low, high

    def below(self, y: float) -> float:
        """The probability that the score will be at most ``y``."""
        q = self.quantiles
        if y < q[0] or y > q[-1]:
            return 0.0 if y < q[0] else 1.0
        left, right = np.searchsorted(q, y, "left"), np.searchsorted(q, y, "right")
        if right > left:  # on a bound, where several quantiles lie
            return float((LEVELS[left] + LEVELS[right - 1]) / 2)
        return float(np.interp(y, q, LEVELS))


def forecast(frame: pl.DataFrame, to: Sequence[float], *, axis: str = "params_non_embedding") -> pl.DataFrame:
    """Expected scores of every curve of a curves table at the scales ``to`` (natural units of ``axis``).

    One row a curve, scale and method: family, task, strategy, shots, metric, axis, x, method, y, and for the method
    ``combined`` also sd, lo80, hi80, lo95, hi95; for its members also weight. Curves at fewer than four
    different scales are left out. ``UserError`` when no curve is left, or ``to`` lies below the largest known scale of
    all of them.
    """
    import polars as pl

    found = [
        each
        for panel, past in ((panel, Past(panel)) for panel in panels(frame, axis))  # past errors are computed once
        for curve in panel.curves
        for x in to
        if curve.x and coordinate(axis, x) > coordinate(axis, curve.x[-1])
        and enough(panel.known(curve, x))
        and (each := predict(panel, curve, x, past))
    ]  # fmt: skip
    if not found:
        raise UserError(f"forecast: {too_few(frame, axis, ', '.join(f'{x:.3g}' for x in to))}")
    rows = []
    for each in found:
        own = {name: getattr(each.curve, name) for name in (*CURVE_KEY, "axis")} | {"x": each.x}
        for name, y in each.by_method.items():
            row = own | {"method": name, "y": y, "weight": each.weights.get(name)}
            if name == COMBINED:
                (lo80, hi80), (lo95, hi95) = each.interval(80), each.interval(95)
                row |= {"sd": each.sd, "lo80": lo80, "hi80": hi80, "lo95": lo95, "hi95": hi95}
            rows.append(row)
    numbers = dict.fromkeys(("x", "y", "weight", "sd", "lo80", "hi80", "lo95", "hi95"), pl.Float64)
    columns = [*CURVE_KEY, "axis", "x", "method", "y", "weight", "sd", "lo80", "hi80", "lo95", "hi95"]
    types = {name: numbers.get(name, pl.Int64 if name == "shots" else pl.String) for name in columns}
    return pl.DataFrame(rows, schema=types, orient="row")


def predict(panel: Panel, curve: Curve, x: float, past: Past | None = None, *, below: float | None = None) -> Forecast:
    """The score of ``curve``, one of ``panel``, at scale ``x`` from points at scales below ``below`` only.

    ``below`` is ``x`` if not given. ``ValueError`` when the curve has too few points there (``enough``).
    """
    below = x if below is None else below
    past = past or Past(panel)
    members = past.members(curve, below, x)
    if members is None:
        raise ValueError(f"{curve.task}: fewer than {MIN_POINTS} scales below {below}")
    weights, factor = past.weights(curve, members, below)
    combined = float(sum(weight * members.values[name] for name, weight in weights.items()))
    middle, own = members.mixture.moments()
    share = members.mixture.own_share()
    today = float(np.nan_to_num(members.known.se[-1])) ** 2 * share
    sampling = today * sampling_ratio(curve, len(members.known.x), combined)
    variance = sampling + factor * members.variance(weights, combined)
    # The process says how the doubt is spread (skewed near a bound); how large it is, all members and the past say.
    shape = (members.mixture.quantiles() - middle) / (own + today) ** 0.5
    link = link_of(curve)
    quantiles = np.sort([link.back(value) for value in combined + shape * variance**0.5])
    sd = variance**0.5
    if link.logarithmic:
        sd *= link.back(combined)
    by_method = {name: link.back(value) for name, value in (members.values | {COMBINED: combined}).items()}
    return Forecast(curve, x, by_method, float(sd), weights, quantiles)


def sampling_ratio(curve: Curve, known: int, ahead: float) -> float:
    """The sampling variance of a share at ``ahead`` over that of the last ``known`` score.

    Few items right, or few wrong, scatter less than half of them do. 1 for other metrics.
    """
    n, last = curve.n[known - 1] if curve.n else 0, curve.y[known - 1]
    if n < 1 or curve.ceiling != 1 or not (0 <= ahead <= 1 and 0 <= last <= 1):
        return 1.0
    return max(ahead * (1 - ahead), 1 / n) / max(last * (1 - last), 1 / n)


def too_few(frame: pl.DataFrame, axis: str, target: str) -> str:
    """Why nothing can be predicted on ``axis``, and the axis that would do."""
    here = [name for name in CURVE_AXES if name in frame.columns]
    others = [name for name in here if frame[name].drop_nulls().n_unique() >= MIN_POINTS]
    alike = frame[axis].drop_nulls().unique() if axis in frame.columns else frame["y"].unique()
    if len(alike) == 1 and others:
        use = " or ".join(others)
        return f"all models have {axis} {alike[0]:,.0f}, so there is nothing to predict over it; use --axis {use}"
    largest = frame[axis].drop_nulls().max() if axis in frame.columns else None
    known = f" (known up to {largest:.3g})" if isinstance(largest, int | float) else ""
    return f"no curve has {MIN_POINTS} scales below {target} on {axis}{known}; give a larger scale, or another --axis"
