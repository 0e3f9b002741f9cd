"""The curves of one family side by side, and what a forecast may know of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scalecurve.analysis.forecast.bounds import link_of
from scalecurve.analysis.forecast.methods import Known
from scalecurve.analysis.gather import coordinate, curves_from_frame
from scalecurve.analysis.verdicts.artefact import COMPANIONS, OTHER_UNIT
from scalecurve.types import Curve

if TYPE_CHECKING:
    import polars as pl

MIN_POINTS = 4  # known scales that a forecast needs


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves of one family over the same scales, what drives each, and curves of other families to learn from."""

    curves: Sequence[Curve]
    drivers: Mapping[tuple[object, ...], dict[str, dict[str, float]]] = field(default_factory=dict)
    others: Sequence[Curve] = ()

    def known(self, curve: Curve, below: float) -> Known:
        """The points of ``curve`` at scales below ``below``, turned so that higher is better."""
        link = link_of(curve)
        count = sum(lies_below(curve.axis, x, below) for x in curve.x)
        low, high = link.turned_bounds()
        series = self.drivers.get(curve_key(curve), {})
        rows = [[values.get(rung, np.nan) for rung in curve.rungs[:count]] for values in series.values()]
        y = curve.y[:count]
        return Known(
            x=np.array([coordinate(curve.axis, x) for x in curve.x[:count]]),
            y=np.array([link.forward(value) for value in y]),
            se=np.array([link.error(se, value) for se, value in zip(curve.se[:count], y, strict=True)]),
            chance=None if curve.chance is None else link.forward(curve.chance),
            low=low,
            high=high,
            drivers=np.array(rows) if rows else None,
        )


def enough(known: Known) -> bool:
    """Whether a forecast can be made from these points: they lie at four or more different scales."""
    return len(np.unique(known.x)) >= MIN_POINTS


def panels(frame: pl.DataFrame, axis: str) -> list[Panel]:
    """One panel a family, with the companion metrics and losses of its rungs as drivers."""
    import polars as pl

    curves = curves_from_frame(frame, axis)
    losses = {}
    if "loss" in frame.columns and axis != "loss":
        known = frame.filter(pl.col("loss").is_not_null()).select("family", "rung", "loss").unique()
        losses = {(family, rung): -loss for family, rung, loss in known.iter_rows()}
    drivers: dict[tuple[object, ...], dict[str, dict[str, float]]] = {}
    by_outputs: dict[tuple[object, ...], list[Curve]] = {}
    for curve in curves:
        by_outputs.setdefault((curve.family, curve.task, curve.strategy, curve.shots), []).append(curve)
    for curve in curves:
        series = {}
        outputs = by_outputs[(curve.family, curve.task, curve.strategy, curve.shots)]
        measured = {other.metric for other in outputs}
        for other in outputs:
            if OTHER_UNIT.get(other.metric) in measured:
                continue
            if other.metric != curve.metric and other.metric in COMPANIONS and curve.metric not in COMPANIONS:
                sign = 1.0 if other.higher_is_better else -1.0
                series[other.metric] = {rung: sign * y for rung, y in zip(other.rungs, other.y, strict=True)}
        own_losses = {rung: losses[curve.family, rung] for rung in curve.rungs if (curve.family, rung) in losses}
        if own_losses:
            series["loss"] = own_losses
        drivers[curve_key(curve)] = series
    families = dict.fromkeys(curve.family for curve in curves)
    return [
        Panel([c for c in curves if c.family == family], drivers, [c for c in curves if c.family != family])
        for family in families
    ]


def lies_below(axis: str, a: float, b: float) -> bool:
    return coordinate(axis, a) < coordinate(axis, b)


def curve_key(curve: Curve) -> tuple[object, ...]:
    return curve.family, curve.task, curve.strategy, curve.shots, curve.metric
