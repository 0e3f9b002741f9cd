"""What the next size will score: several methods, combined by how well each foretold the sizes already known.

The weights and the width of the intervals were set on simulated families only (docs/curves.md says how), and adapt to
the past errors of the family at hand: every known size is foretold from those below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalecurve.curves.artefact import COMPANIONS
from scalecurve.curves.gather import KEY, coordinate, curves_from_frame
from scalecurve.curves.methods import METHODS, MODEL_NOISE, Known, recent_slope, sigmoid_average
from scalecurve.nouns import Curve, UserError

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]

COMBINED = "combined"
COMPONENTS = "components"
MIN_POINTS = 4  # known sizes that a forecast needs
PRIOR_MSE = {  # of the members of the combination, on simulated families of curves
    "recent slope": 0.0025,
    "sigmoids": 0.0020,
    "power law": 0.0038,
    "broken line": 0.0018,
    "two-step": 0.0030,
    COMPONENTS: 0.0030,
}
PRIOR_STRENGTH = 20  # past errors that count as much as the simulations
WIDTH = 0.9  # factor on the standard deviation of an interval, from the same simulations
NORMAL = {80: 1.2816, 95: 1.9600}


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected score of one curve at one scale by every method; ``sd`` is of the combination.

    All in the units of the curve. ``weights`` are those of the combination's members.
    """

    curve: Curve
    x: float
    by_method: dict[str, float]
    sd: float
    weights: dict[str, float]

    def interval(self, level: int) -> tuple[float, float]:
        """The 80% or 95% interval of the combination, inside the bounds of the score."""
        middle, reach = self.by_method[COMBINED], NORMAL[level] * self.sd
        low, high = _bounds(self.curve)
        return max(middle - reach, low), min(middle + reach, high)


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves of one family over the same scales, what drives each, and curves of other families to learn from."""

    curves: Sequence[Curve]
    drivers: Mapping[tuple[object, ...], dict[str, dict[str, float]]] = field(default_factory=dict)
    others: Sequence[Curve] = ()

    def known(self, curve: Curve, below: float) -> Known:
        """The points of ``curve`` at scales below ``below``, turned so that higher is better."""
        sign = 1.0 if curve.higher_is_better else -1.0
        count = sum(coordinate(curve.axis, x) < coordinate(curve.axis, below) for x in curve.x)
        low, high = sorted(sign * bound for bound in _bounds(curve))
        series = self.drivers.get(_key(curve), {})
        rows = [[values.get(rung, np.nan) for rung in curve.rungs[:count]] for values in series.values()]
        return Known(
            x=np.array([coordinate(curve.axis, x) for x in curve.x[:count]]),
            y=sign * np.array(curve.y[:count]),
            se=np.array(curve.se[:count]),
            chance=None if curve.chance is None else sign * curve.chance,
            low=low,
            high=high,
            drivers=np.array(rows) if rows else None,
        )


def forecast(frame: pl.DataFrame, to: Sequence[float], *, axis: str = "params_non_embedding") -> pl.DataFrame:
    """Expected scores of every curve of a curves table at the scales ``to`` (natural units of ``axis``).

    One row a curve, scale and method: family, task, strategy, shots, metric, axis, x, method, y, and for the method
    ``combined`` also sd, lo80, hi80, lo95, hi95; for its members also weight. Curves of fewer than four points are left
    out. ``UserError`` when no curve is left, or ``to`` lies below the largest known scale of all of them.
    """
    import polars as pl

    found = [
        predict(panel, curve, x, past)
        for panel, past in ((panel, Past(panel)) for panel in panels(frame, axis))  # past errors are computed once
        for curve in panel.curves
        for x in to
        if len(curve.x) >= MIN_POINTS and coordinate(axis, x) > coordinate(axis, curve.x[-1])
    ]
    if not found:
        raise UserError(
            f"forecast: no curve has {MIN_POINTS} scales below {', '.join(f'{x:.3g}' for x in to)} on {axis}; "
            "give a larger scale"
        )
    rows = []
    for each in found:
        own = {name: getattr(each.curve, name) for name in (*KEY, "axis")} | {"x": each.x}
        for name, y in each.by_method.items():
            row = own | {"method": name, "y": y, "weight": each.weights.get(name)}
            if name == COMBINED:
                (lo80, hi80), (lo95, hi95) = each.interval(80), each.interval(95)
                row |= {"sd": each.sd, "lo80": lo80, "hi80": hi80, "lo95": lo95, "hi95": hi95}
            rows.append(row)
    numbers = dict.fromkeys(("x", "y", "weight", "sd", "lo80", "hi80", "lo95", "hi95"), pl.Float64)
    columns = [*KEY, "axis", "x", "method", "y", "weight", "sd", "lo80", "hi80", "lo95", "hi95"]
    types = {name: numbers.get(name, pl.Int64 if name == "shots" else pl.String) for name in columns}
    return pl.DataFrame(rows, schema=types, orient="row")


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
        for other in by_outputs[(curve.family, curve.task, curve.strategy, curve.shots)]:
            if other.metric != curve.metric and other.metric in COMPANIONS and curve.metric not in COMPANIONS:
                sign = 1.0 if other.higher_is_better else -1.0
                series[other.metric] = {rung: sign * y for rung, y in zip(other.rungs, other.y, strict=True)}
        own_losses = {rung: losses[curve.family, rung] for rung in curve.rungs if (curve.family, rung) in losses}
        if own_losses:
            series["loss"] = own_losses
        drivers[_key(curve)] = series
    families = dict.fromkeys(curve.family for curve in curves)
    return [
        Panel([c for c in curves if c.family == family], drivers, [c for c in curves if c.family != family])
        for family in families
    ]


def predict(panel: Panel, curve: Curve, x: float, past: Past | None = None) -> Forecast:
    """The score of ``curve`` at scale ``x`` from its points at smaller scales only."""
    sign = 1.0 if curve.higher_is_better else -1.0
    known, position, found = _foretold(panel, curve, x, METHODS)
    memory = (past or Past(panel)).up_to(curve.x[-1])
    members = [name for name in PRIOR_MSE if name in found]
    weights = _weights(members, memory)
    combined = sum(weights[name] * found[name] for name in members)
    sd = _deviation(known, position, found, weights, combined) * memory.width
    by_method = {name: sign * value for name, value in (found | {COMBINED: combined}).items()}
    return Forecast(curve, x, by_method, sd, weights)


@dataclass(frozen=True, slots=True)
class Memory:
    """Squared past errors by method (sum, count), and by how much past intervals were too narrow."""

    squares: dict[str, tuple[float, int]]
    width: float


class Past:
    """How each method foretold the sizes a family already has; every error is computed once."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._errors: dict[tuple[int, int], dict[str, float]] = {}

    def up_to(self, x: float) -> Memory:
        """Past performance on targets at scales up to ``x``, over the bounded curves of the panel."""
        squares: dict[str, list[float]] = {}
        spreads: list[float] = []
        for number, curve in enumerate(self._panel.curves):
            if curve.chance is None and curve.ceiling is None:
                continue
            for index in range(MIN_POINTS, len(curve.x)):
                if _below(curve.axis, x, curve.x[index]):
                    break
                errors = self._errors.get((number, index))
                if errors is None:
                    errors = self._errors[number, index] = self._foretell(curve, index)
                for name, error in errors.items():
                    (spreads if name == "z" else squares.setdefault(name, [])).append(error**2)
        width = (PRIOR_STRENGTH + sum(min(z, 16.0) for z in spreads)) / (PRIOR_STRENGTH + len(spreads))
        return Memory({name: (sum(e), len(e)) for name, e in squares.items()}, WIDTH * float(width) ** 0.5)

    def _foretell(self, curve: Curve, index: int) -> dict[str, float]:
        truth = curve.y[index] * (1.0 if curve.higher_is_better else -1.0)
        members = [name for name in PRIOR_MSE if name in METHODS]
        known, position, found = _foretold(self._panel, curve, curve.x[index], members)
        weights = _weights(list(found), Memory({}, 1.0))
        combined = sum(weights[name] * value for name, value in found.items())
        z = (truth - combined) / _deviation(known, position, found, weights, combined)
        return {name: value - truth for name, value in found.items()} | {"z": float(z)}


def _foretold(panel: Panel, curve: Curve, x: float, methods: Iterable[str]) -> tuple[Known, float, dict[str, float]]:
    """(what is known below ``x``, where it lies, what each of ``methods`` and the components say of it)."""
    known, position = panel.known(curve, x), coordinate(curve.axis, x)
    found = {name: value for name in methods if (value := METHODS[name](known, position)) is not None}
    ahead = components(panel, curve, x)
    if ahead is not None:
        found[COMPONENTS] = min(max(ahead, known.low), known.high)
    return known, position, found


def components(panel: Panel, curve: Curve, x: float, count: int = 2) -> float | None:
    """Observational scaling (arXiv 2405.10938): what two principal components of all tasks, carried on, imply.

    The components are those of all models, of every family, that are smaller and have all tasks of this one; its own
    components continue by their recent slope. None with fewer than four tasks or four known models.
    """
    if curve.chance is None and curve.ceiling is None:
        return None
    inside = [c for c in panel.curves if (c.metric, c.higher_is_better) == (curve.metric, curve.higher_is_better)]
    below = [rung for rung, at in zip(curve.rungs, curve.x, strict=True) if _below(curve.axis, at, x)]
    columns = [c for c in inside if set(below) <= set(c.rungs)]
    if len(columns) < 4 or len(below) < MIN_POINTS:
        return None
    own = np.array([[c.y[c.rungs.index(rung)] for c in columns] for rung in below])
    rows = np.vstack([own, *_other_rows(panel, columns, x)])
    middle, axes, _ = principal_components(rows, count)
    scores = (own - middle) @ axes.T
    position = coordinate(curve.axis, x)
    places = np.array([coordinate(curve.axis, at) for at in curve.x[: len(below)]])
    nothing = np.zeros(len(below))
    ahead = [recent_slope(Known(places, s, nothing, None, -np.inf, np.inf), position) for s in scores.T]
    sign = 1.0 if curve.higher_is_better else -1.0
    number = [_key(c) for c in columns].index(_key(curve))
    return sign * float((middle + np.array(ahead) @ axes)[number])


def principal_components(rows: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """(mean, axes, cumulative share of variance) of the first ``count`` components of a table models × tasks.

    Centred, not scaled: scores of all tasks are in the same unit. Where nothing varies, no component leaves a rest.
    """
    middle = rows.mean(axis=0)
    _, size, axes = np.linalg.svd(rows - middle, full_matrices=False)
    variance = (size**2).sum()
    share: Floats = np.cumsum(size**2) / variance if variance else np.ones_like(size)
    return middle, axes[:count], share[:count]


def _other_rows(panel: Panel, columns: Sequence[Curve], x: float) -> list[Floats]:
    """Models of other families below ``x`` that have every task of ``columns``."""
    wanted = [_key(c)[1:] for c in columns]
    families: dict[str, dict[tuple[object, ...], Curve]] = {}
    for other in panel.others:
        families.setdefault(other.family, {})[_key(other)[1:]] = other
    found = []
    for tasks in families.values():
        if all(key in tasks for key in wanted):
            one = tasks[wanted[0]]
            smaller = [r for r, at in zip(one.rungs, one.x, strict=True) if _below(one.axis, at, x)]
            shared = [r for r in smaller if all(r in tasks[key].rungs for key in wanted)]
            if shared:
                found.append(
                    np.array([[tasks[key].y[tasks[key].rungs.index(rung)] for key in wanted] for rung in shared])
                )
    return found


def _weights(members: Sequence[str], memory: Memory) -> dict[str, float]:
    """Inverse mean squared past error, the simulations counting as ``PRIOR_STRENGTH`` errors."""
    inverse = {}
    for name in members:
        total, count = memory.squares.get(name, (0.0, 0))
        inverse[name] = (PRIOR_STRENGTH + count) / (PRIOR_STRENGTH * PRIOR_MSE[name] + total)
    whole = sum(inverse.values())
    return {name: value / whole for name, value in inverse.items()}


def _deviation(
    known: Known, position: float, found: Mapping[str, float], weights: Mapping[str, float], combined: float
) -> float:
    """Sampling error of the target, scatter of models, doubt of the fit, and disagreement of the members."""
    scale = 1.0 if np.isfinite(known.high) else float(np.ptp(known.y)) or 1.0
    fit = sigmoid_average(known, position)
    doubt = fit[1] ** 2 if fit else 0.0
    disagreement = sum(weight * (found[name] - combined) ** 2 for name, weight in weights.items())
    se = float(known.se[-1]) if np.isfinite(known.se[-1]) else 0.0
    return float((se**2 + (MODEL_NOISE * scale) ** 2 + doubt + disagreement) ** 0.5)


def _bounds(curve: Curve) -> tuple[float, float]:
    if curve.chance is None and curve.ceiling is None:
        return -np.inf, np.inf
    return 0.0, max(1.0, curve.ceiling or 1.0)


def _below(axis: str, a: float, b: float) -> bool:
    return coordinate(axis, a) < coordinate(axis, b)


def _key(curve: Curve) -> tuple[object, ...]:
    return curve.family, curve.task, curve.strategy, curve.shots, curve.metric
