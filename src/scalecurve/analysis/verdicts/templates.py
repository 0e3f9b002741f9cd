"""The courses a true ability may take over a ladder: rises of every width, turns, two stages, one odd model.

Each template is a course with a change of one between the ends (or, for turns, from the lowest to the highest point);
a curve is a floor plus an amplitude times a template. Sharp and gradual courses of several families are in it, so that
"abrupt" can be said when no gradual course explains the points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

RISE, TURN, WAVE, SPIKE = range(4)
ABRUPT = 1.2  # decades from 10 to 90 %: a rise at most this wide is abrupt
GRADUAL = 1.4  # decades: from here on a rise is gradual; between the two it is neither
ON_FLOOR = 0.05  # of the rise: a model that has done less is on the floor
FEET = 7  # places where a leg of a turn may begin or end
FINE = 301  # places at which a course is looked at
WIDTHS = (0.03, 0.15, 0.3, 0.5, 0.75, 1.0, 1.4, 1.9, 2.6, 3.5, 5.0)
LENGTHS = (0.2, 0.5, 0.9, 1.4, 2.0, 2.8, 4.0)
SLOWING = (0.3, 0.6, 0.9, 1.2, 1.6, 2.2, 3.2)
RATES = (0.6, 1.0, 1.6, 2.3, 3.2, 4.5, 6.5, 9.0)
POWERS = (1.5, 2.0, 3.0, 4.0, 6.0)


@dataclass(frozen=True, slots=True)
class Library:
    """K courses over m models at ``x`` (decades).

    ``shapes`` (m, K); ``kind`` and ``weight`` (K,) what it is and how likely beforehand within its kind; ``floor`` how
    many models lie on the floor first, ``above`` how many have done half of the rise; ``width`` decades from 10 to 90 %
    and ``start`` where it begins (the onset of a bend, else where a tenth is done); ``cell`` decades to either side for
    whose beginnings the course stands, too; ``side`` the smaller leg of a turn.
    """

    x: Floats
    shapes: Floats
    kind: Ints
    weight: Floats
    floor: Ints
    above: Ints
    width: Floats
    start: Floats
    cell: Floats
    side: Floats


def logistic(t: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(t, -60, 60))))


def library(x: Floats) -> Library:
    """The templates of a ladder with models at ``x`` (decades, ascending)."""
    return _library(tuple(np.round(x, 6).tolist()))


@lru_cache(maxsize=256)
def _library(places: tuple[float, ...]) -> Library:
    x = np.array(places)
    fine = np.linspace(x[0], x[-1], FINE)
    courses = [*_sigmoids(x), *_onsets(x), *_convex(x), *_stages(x)]
    made = [(_scaled(course.f(x), course.f(fine)), course) for course in courses]
    rises = [(at, on, course) for (at, on), course in made if at is not None]
    columns = [at for at, *_ in rises]
    width, begin = zip(*(_width(on, fine, course.start) for _, on, course in rises), strict=True)
    turns = [*_turns(x), *_bumps(x)]
    waves = list(_waves(x))
    spikes = [np.eye(len(x))[:, j] for j in range(1, len(x) - 1)]
    shapes = np.column_stack([*columns, *(t for t, _ in turns), *waves, *spikes])
    counts = (len(columns), len(turns), len(waves), len(spikes))
    kind = np.repeat(np.arange(4), counts)
    rest = sum(counts[1:])
    risen = shapes[:, : len(columns)]
    empty = np.zeros(rest)
    return Library(
        x=x,
        shapes=shapes,
        kind=kind,
        weight=np.concatenate([[course.weight for *_, course in rises], np.ones(rest)]),
        floor=np.concatenate([np.cumprod(risen < ON_FLOOR, axis=0).sum(axis=0), empty]).astype(np.int64),
        above=np.concatenate([(risen >= 0.5).sum(axis=0), empty]).astype(np.int64),
        width=np.concatenate([width, empty]),
        start=np.concatenate([begin, empty]),
        cell=np.concatenate([[course.cell for *_, course in rises], empty]),
        side=np.concatenate([np.ones(len(columns)), [s for _, s in turns], np.ones(counts[2] + counts[3])]),
    )


class Function:
    """A course as a function of place."""

    def __init__(self, kind: str, *numbers: float) -> None:
        self.kind, self.numbers = kind, numbers

    def __call__(self, x: Floats) -> Floats:
        a, b, *more = (*self.numbers, 0.0)
        if self.kind == "sigmoid":
            return logistic(4.394 * (x - a) / b)
        if self.kind == "ramp":
            return np.asarray(np.clip((x - a) / b, 0.0, 1.0))
        if self.kind == "saturating":
            return np.asarray(1.0 - np.exp(-2.197 * np.maximum(x - a, 0.0) / b))
        if self.kind == "exponential":
            return np.asarray(np.exp(b * (x - a)))
        if self.kind == "power":
            return np.asarray(np.maximum(x - a, 0.0) ** b)
        return np.asarray(more[0] * logistic(60 * (x - a)) + (1 - more[0]) * logistic(60 * (x - b)))


@dataclass(frozen=True, slots=True)
class Course:
    """A rise: where it begins (None: where a tenth is done), how likely it is, and for which beginnings it stands."""

    f: Function
    start: float | None
    weight: float
    cell: float


def step(x: Floats) -> float:
    """The distance in decades between neighbouring places where a rise may lie."""
    return float(min(0.12, (x[-1] - x[0]) / 24))


def _sigmoids(x: Floats) -> Iterator[Course]:
    for width, cell in zip(WIDTHS, _cells(WIDTHS, step(x), 0.5), strict=True):
        centres = np.arange(x[0] - 0.3 * width, x[-1] + 0.5 * width, step(x))
        for centre in centres:
            yield Course(Function("sigmoid", centre, width), None, 1.0 / len(centres), cell)


def _cells(widths: Sequence[float], apart: float, share: float) -> Floats:
    """For which beginnings, to either side, courses of each of ``widths`` stand that lie ``apart`` decades from each
    other: half way to the next one, and with their middle in its place half way to the next width; ``share`` of a
    change of the width moves the beginning."""
    return np.asarray(np.hypot(apart / 2, share * np.gradient(np.array(widths)) / 2))


def _onsets(x: Floats) -> Iterator[Course]:
    """Bends: a straight rise to a plateau or to the end, and a rise that slows down from its beginning."""
    span = x[-1] - x[0]
    begins = x[0] + span * np.arange(0, 28) / 28
    cells = (*_cells(LENGTHS, span / 28, 0.5), span / 56)
    for length, cell in zip((*LENGTHS, 50.0), cells, strict=True):
        for begin in begins:
            if length < 50 or begin < x[-2]:
                weight = (1.5 if length == 50 else 0.5) / len(begins)
                yield Course(Function("ramp", begin, length), begin, weight, cell)
    for width, cell in zip(SLOWING, _cells(SLOWING, span / 56, 0.3), strict=True):
        places = begins if width > 1.2 else x[0] + span * np.arange(0, 56) / 56
        for begin in places:
            yield Course(Function("saturating", begin, width), begin, 0.3 / len(places), cell)


def _convex(x: Floats) -> Iterator[Course]:
    for rate in RATES:
        yield Course(Function("exponential", x[0], rate), None, 0.25, step(x) / 2)
    for power in POWERS:
        for i, begin in enumerate(x[: max(1, len(x) // 2)]):
            cell = (x[i + 1] - begin) / 4  # half way to the next one's, whose tenth is about half as far away
            yield Course(Function("power", begin, power), None, 0.5 / max(1, len(x) // 2), cell)


def _stages(x: Floats) -> Iterator[Course]:
    """Two steps, each in the middle of two models; nothing tells them from steps anywhere between the same two."""
    middles, gaps = (x[1:] + x[:-1]) / 2, np.diff(x)
    firsts = enumerate(zip(middles, gaps, strict=True), start=1)
    pairs = [(a, b, gap) for after, (a, gap) in firsts for b in middles[after:] if b - a >= 0.6]
    for a, b, gap in pairs:
        for share in (0.25, 0.5, 0.75):
            yield Course(Function("stages", a, b, share), None, 0.3 / len(pairs), gap / 2)


def _scaled(at: Floats, on: Floats) -> tuple[Floats | None, Floats]:
    """A course as a rise of one between the ends; None where nothing of it can be seen."""
    rise = on[-1] - on[0]
    if rise < 1e-3 * max(1.0, float(np.abs(on).max())):
        return None, on
    return (at - on[0]) / rise, (on - on[0]) / rise


def _width(on: Floats, fine: Floats, start: float | None) -> tuple[float, float]:
    low, high = np.interp([0.1, 0.9], on + 1e-12 * np.arange(len(on)), fine)
    return float(high - low), float(low if start is None else max(start, fine[0]))


def _turns(x: Floats) -> Iterator[tuple[Floats, float]]:
    """A fall, then a rise (an amplitude below zero turns it over): where each leg ends, and how high the legs are."""
    span = x[-1] - x[0]
    inner = np.linspace(x[0] + 0.08 * span, x[-1] - 0.08 * span, 9)
    for i, low in enumerate(inner):
        for high in inner[i:]:
            for left, right in ((1.0, 1.0), (1.0, 0.5), (0.5, 1.0), (1.0, 0.25), (0.25, 1.0)):
                down = np.clip((low - x) / (low - x[0]), 0, 1)
                up = np.clip((x - high) / (x[-1] - high), 0, 1)
                course = left * down + right * up
                yield course - course[0], min(left, right)
                if low == high:  # the same turn with a sharp middle
                    yield left * down**0.5 + right * up**0.5 - left, min(left, right)
                    yield left * down**2 + right * up**2 - left, min(left, right)


def _bumps(x: Floats) -> Iterator[tuple[Floats, float]]:
    """Turns between level ends: a smooth fall from one of seven places to another, and later a rise; two models or more
    lie below half of it (one alone is an odd model)."""
    places = np.linspace(x[0], x[-1], FEET)
    legs = [(a, b) for i, a in enumerate(places) for b in places[i + 1 :]]
    for first, low in legs:
        for high, last in legs:
            if high < low or (first == places[0] and last == places[-1]):  # those are among the other turns
                continue
            down, up = _eased((x - first) / (low - first)), _eased((x - high) / (last - high))
            if (down - up >= 0.5).sum() < 2:
                continue
            for left, right in ((1.0, 1.0), (1.0, 0.5), (0.5, 1.0)):
                yield right * up - left * down, min(left, right)


def _eased(t: Floats) -> Floats:
    """From 0 to 1 without corners."""
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _waves(x: Floats) -> Iterator[Floats]:
    u = (x - x[0]) / (x[-1] - x[0])
    for periods, phase in ((1.0, 0.0), (1.5, 0.0), (1.5, 0.5), (2.0, 0.0), (2.0, 0.5)):  # two turns or more
        course = np.sin(2 * np.pi * periods * u + phase * np.pi) / 2
        yield course - course[0]


# ── What is gradual ──────────────────────────────────────────────────────────────────────────────────────────
@lru_cache(maxsize=256)
def _gradual(places: tuple[float, ...]) -> Floats:
    x = np.array(places)
    span = x[-1] - x[0]
    found: list[Floats] = []
    for width in (1.4, 1.6, 1.85, 2.2, 2.7, 3.4, 4.5, 6.0):
        for centre in np.arange(x[0] - 0.5 * width, x[-1] + width, 0.06):
            found.append(Function("sigmoid", centre, width)(x))
    begins = np.arange(x[0] - 0.2 * span, x[-2], 0.06)
    for begin in begins:
        found += [Function("ramp", begin, length)(x) for length in (1.75, 2.1, 2.6, 3.3, 50.0)]
        found += [Function("saturating", begin, width)(x) for width in (1.5, 1.8, 2.3, 3.0, 4.0)]
        found += [Function("power", begin, power)(x) for power in (1.5, 2.0, 3.0, 4.0)]
        found += [np.sqrt(Function("ramp", begin, length)(x)) for length in (2.4, 3.2)]
    found += [Function("exponential", x[0], rate)(x) for rate in np.geomspace(0.3, 20, 40)]
    middles = np.concatenate([np.linspace(a, b, 4)[1:-1] for a, b in pairwise(x)])
    for i, first in enumerate(middles):
        for second in middles[i + 1 :]:
            if second - first >= GRADUAL:
                found += [Function("stages", first, second, f)(x) for f in (0.35, 0.5, 0.65)]
    # What dips first and then comes back is no floor.
    for power in (1.0, 2.0):
        for low in np.arange(x[0] + 0.1 * span, x[-1] - 0.3 * span, 0.12):
            for depth in (0.15, 0.3, 0.5):
                down = np.clip((low - x) / (low - x[0]), 0, 1) ** power
                up = np.clip((x - low) / (x[-1] - low), 0, 1) ** power
                found.append(depth * down + up)
    return np.column_stack(found)


def gradual(x: Floats) -> Floats:
    """(m, G) courses without a jump: rises of 1.4 decades or more, convex ones, two stages, dips that come back."""
    return _gradual(tuple(np.round(x, 6).tolist()))


@lru_cache(maxsize=256)
def _abrupt(places: tuple[float, ...]) -> Floats:
    x = np.array(places)
    found = []
    for width in (0.02, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0):
        for centre in np.arange(x[0], x[-1], 0.05):
            found.append(Function("sigmoid", centre, width)(x))
    for begin in np.arange(x[0], x[-2], 0.05):
        found += [Function("saturating", begin, width)(x) for width in (0.3, 0.6, 0.9)]
        found += [Function("ramp", begin, length)(x) for length in (0.4, 0.8, 1.2)]
    return np.column_stack(found)


def abrupt(x: Floats) -> Floats:
    """(m, A) courses that rise within a decade."""
    return _abrupt(tuple(np.round(x, 6).tolist()))


def nearest(y: Floats, x: Floats, errors: Floats, count: int) -> Ints:
    """Places in the library of the ``count`` courses of each kind that come closest to ``y``, and of its mirror image;
    rises off a floor count as a kind of their own."""
    lib = library(x)
    weights = 1 / errors
    one = weights / np.linalg.norm(weights)
    h = lib.shapes * weights[:, None]
    h = h - one[:, None] * (one @ h)
    along = ((y * weights) @ h) / np.maximum(np.sqrt((h**2).sum(axis=0)), 1e-9)
    kinds = lib.kind * 4 + (lib.floor >= 2) * 2 + (lib.width <= ABRUPT) * (lib.kind == RISE)
    chosen = []
    for kind in np.unique(kinds):
        places = np.flatnonzero(kinds == kind)
        order = places[np.argsort(along[places], kind="stable")]
        chosen += [order[:count], order[-count:]]
    return np.unique(np.concatenate(chosen))
