"""How well each method would have predicted the sizes a family already has, and what that says of the next one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.forecast.bounds import link_of
from scalecurve.analysis.forecast.components import component_forecasts
from scalecurve.analysis.forecast.methods import METHODS, Known, sizes_of
from scalecurve.analysis.forecast.panel import MIN_POINTS, Panel, curve_key, enough
from scalecurve.analysis.forecast.process import Mixture, process
from scalecurve.analysis.gather import coordinate
from scalecurve.types import Curve

Floats = NDArray[np.float64]

COMPONENTS = "components"
PROCESS = "process"
TWO_STEP = "two-step"
NEAR, FAR = 0.3, 1.0  # decades ahead at which the simulations were asked
PRIOR = {  # member → mean squared error beyond sampling, near and far, on the simulated families
    PROCESS: (0.0025, 0.0081),
    "recent slope": (0.0035, 0.0108),
    "sigmoids": (0.0036, 0.0095),
    "power law": (0.0051, 0.0121),
    "log law": (0.0046, 0.0124),
    TWO_STEP: (0.0024, 0.0065),
    COMPONENTS: (0.0036, 0.0110),
}
VERY_FAR, TWO_STEP_VERY_FAR = 2.2, 0.0080  # decades, excess: far ahead companions tell more than near errors promise
PRIOR_STRENGTH = 20.0  # past errors that count as much as the simulations
SHARPNESS = 6.0  # power of the inverse error that makes a weight
DOUBT = 1.55  # factor on the variance of doubt and disagreement
PER_TARGET = 15.0  # errors at one target share its model: together they count as no more than this many
CUTS = 8  # of the most recent known sizes
STEPS = (0, 1, 3)  # how many sizes ahead the past is asked for


@dataclass(frozen=True, slots=True)
class Members:
    """What the members say of one curve at one scale, on the turned scale, with what is known and the process."""

    known: Known
    values: dict[str, float]
    mixture: Mixture
    distance: float

    def variance(self, weights: Mapping[str, float], combined: float) -> float:
        """Doubt of the process and disagreement of the members."""
        apart = sum(w * (self.values[name] - combined) ** 2 for name, w in weights.items())
        return self.mixture.moments()[1] + apart


@dataclass(frozen=True, slots=True)
class Errors:
    """Past errors of one member: squared errors, the sampling variance in them, and how far ahead they were."""

    squares: Floats
    sampling: Floats
    distances: Floats
    share: Floats  # of each, so that a target counts no more than PER_TARGET

    def ratio(self, expected: Floats, distance: float) -> float:
        """Mean excess over ``expected`` (the prior at each distance), shrunk to 1; near distances count most."""
        told = (expected / (expected + self.sampling)) ** 2  # how much an error tells beyond its sampling noise
        told = told * self.share * np.exp(-np.abs(np.log(self.distances / distance)))
        excess = (self.squares - self.sampling) / expected
        return float(max((PRIOR_STRENGTH + told @ np.clip(excess, -9, 9)) / (PRIOR_STRENGTH + told.sum()), 0.1))


def prior(name: str, distance: float | Floats) -> Floats:
    """The excess squared error that the simulations make ``name`` expect so many decades ahead (unit 1)."""
    near, far = PRIOR[name]
    ahead = np.clip(np.asarray(distance, float), 0.05, 3.0)
    result: Floats = near * (far / near) ** (np.log(ahead / NEAR) / np.log(FAR / NEAR))
    if name == TWO_STEP:
        beyond = np.log(np.maximum(ahead, FAR) / FAR) / np.log(VERY_FAR / FAR)
        result = np.where(ahead > FAR, far * (TWO_STEP_VERY_FAR / far) ** beyond, result)
    return result


def past_targets(places: Floats, distance: float) -> list[tuple[int, int]]:
    """(first model not used, target) of the forecasts that models at ``places`` would have been given, in order.

    Models of nearly one size count as one (``sizes_of``): the last ``CUTS`` sizes are cuts, the targets the largest
    models one, two and four sizes ahead, and at the distance (decades) that is most like ``distance``.
    """
    if not len(places):
        return []
    numbers = sizes_of(places)
    first = [int(np.argmax(numbers == number)) for number in range(numbers[-1] + 1)]
    last = [*(start - 1 for start in first[1:]), len(places) - 1]
    found = []
    for number, cut in list(enumerate(first))[-CUTS:]:
        if cut >= MIN_POINTS:
            ahead = places[last[number:]] - places[cut - 1]
            like = int(np.argmin(np.abs(np.log(ahead / distance))))
            found += [(cut, last[number + step]) for step in sorted({*STEPS, like}) if number + step < len(first)]
    return found


class Past:
    """Every forecast that a family would have made so far; each is computed once."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._members: dict[tuple[float, float, bool], dict[int, Members]] = {}
        self._errors: dict[tuple[float, str, float], tuple[dict[str, Errors], Errors]] = {}
        self._groups = [_group(curve) for curve in panel.curves]
        self._index = {curve_key(curve): index for index, curve in enumerate(panel.curves)}

    def members(self, curve: Curve, below: float, x: float) -> Members | None:
        """What the members say of ``curve`` at ``x``, from scales below ``below``; None where too little is known."""
        return self._all(below, x, every=True).get(self._index[curve_key(curve)])

    def weights(self, curve: Curve, members: Members, below: float) -> tuple[dict[str, float], float]:
        """(weight of every member, factor on the variance of doubt), from errors at scales below ``below``."""
        errors, spread = self._past_errors(below, _group(curve), members.distance)
        weights = _weights(members, errors)
        factor = DOUBT
        if len(spread.squares):
            factor *= spread.ratio(np.ones(len(spread.squares)), members.distance)
        return weights, factor

    def _past_errors(self, below: float, group: str, distance: float) -> tuple[dict[str, Errors], Errors]:
        key = below, group, round(distance, 2)
        found = self._errors.get(key)
        if found is None:
            found = self._errors[key] = self._collect(below, group, distance)
        return found

    def _collect(self, below: float, group: str, distance: float) -> tuple[dict[str, Errors], Errors]:
        rows: dict[str, list[tuple[float, float, float, int]]] = {}
        for number, (cut, target) in enumerate(self._pairs(below, distance)):
            for index, members in self._all(cut, target).items():
                curve = self._panel.curves[index]
                if self._groups[index] != group or target not in curve.x:
                    continue
                at = curve.x.index(target)
                link, unit = link_of(curve), members.known.unit
                truth, se = link.forward(curve.y[at]), link.error(curve.se[at], curve.y[at])
                noise = float(se / unit) ** 2 * members.mixture.own_share() if np.isfinite(se) else 0.0
                for name, value in members.values.items():
                    if name in PRIOR:
                        rows.setdefault(name, []).append(
                            (((value - truth) / unit) ** 2, noise, members.distance, number)
                        )
                weights = _weights(members, {})
                combined = sum(weights[name] * members.values[name] for name in weights)
                doubt = max(DOUBT * members.variance(weights, combined) / unit**2, 1e-6)
                square = ((combined - truth) / unit) ** 2
                rows.setdefault("", []).append((square / doubt, noise / doubt, members.distance, number))
        errors = {name: _errors(each) for name, each in rows.items()}
        return errors, errors.pop("", _errors([]))

    def _pairs(self, below: float, distance: float) -> Iterable[tuple[float, float]]:
        """(first scale not used, target) of the past forecasts at scales below ``below``."""
        axis = self._panel.curves[0].axis if self._panel.curves else ""
        end = coordinate(axis, below)
        scales = sorted({x for c in self._panel.curves for x in c.x}, key=lambda x: coordinate(axis, x))
        scales = [x for x in scales if coordinate(axis, x) < end]
        for cut, target in past_targets(np.array([coordinate(axis, x) for x in scales]), distance):
            yield scales[cut], scales[target]

    def _all(self, below: float, x: float, *, every: bool = False) -> dict[int, Members]:
        """What the members, or ``every`` method, say of each curve that has enough points below ``below``."""
        found = self._members.get((below, x, True)) or self._members.get((below, x, every))
        if found is None:
            found = self._members[below, x, every] = dict(self._predict(below, x, every))
        return found

    def _predict(self, below: float, x: float, every: bool) -> Iterable[tuple[int, Members]]:
        knowns = {i: self._panel.known(curve, below) for i, curve in enumerate(self._panel.curves)}
        knowns = {i: known for i, known in knowns.items() if enough(known)}
        if not knowns:
            return
        axis = self._panel.curves[0].axis
        position = coordinate(axis, x)
        mixtures: dict[int, Mixture] = {}
        for group in dict.fromkeys(self._groups[i] for i in knowns):
            inside = [i for i in knowns if self._groups[i] == group]
            mixtures |= zip(inside, process([knowns[i] for i in inside], position), strict=True)
        shared: dict[tuple[object, ...], float] = {}
        for index, known in knowns.items():
            curve = self._panel.curves[index]
            methods = {name: each for name, each in METHODS.items() if every or name in PRIOR}
            values = {name: value for name, each in methods.items() if (value := each(known, position)) is not None}
            mean = mixtures[index].moments()[0]
            values[PROCESS] = min(max(mean, known.low), known.high)
            if curve_key(curve) not in shared:
                shared = component_forecasts(self._panel, curve, x, below=below) | shared
            if curve_key(curve) in shared:
                values[COMPONENTS] = min(max(shared[curve_key(curve)], known.low), known.high)
            distance = max(position - float(known.x[-1]), 0.02)
            yield index, Members(known, values, mixtures[index], distance)


def _weights(members: Members, errors: Mapping[str, Errors]) -> dict[str, float]:
    """Inverse excess squared error, to a power: the simulations' at this distance times how the family compares."""
    inverse = {}
    for name in PRIOR:
        if name in members.values:
            expected = float(prior(name, members.distance))
            past = errors.get(name)
            ratio = past.ratio(prior(name, past.distances), members.distance) if past else 1.0
            inverse[name] = (expected * ratio) ** -SHARPNESS
    whole = sum(inverse.values())
    return {name: value / whole for name, value in inverse.items()}


def _errors(rows: Sequence[tuple[float, float, float, int]]) -> Errors:
    table = np.array(rows, float).reshape(-1, 4)
    numbers = table[:, 3].astype(int)
    counts = np.bincount(numbers) if len(numbers) else np.zeros(1)
    share = np.minimum(1, PER_TARGET / np.maximum(counts, 1))[numbers] if len(numbers) else np.zeros(0)
    return Errors(table[:, 0], table[:, 1], table[:, 2], share)


def _group(curve: Curve) -> str:
    """Curves that teach each other: all that lie within bounds, and those of one unbounded metric."""
    link = link_of(curve)
    return "" if np.isfinite(link.low) and np.isfinite(link.high) else curve.metric
