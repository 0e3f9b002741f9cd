"""How probable each shape is, given the points, their errors and the scatter of models.

y = a + b·g + scatter + noise. For every template g the floor a and the amplitude b are integrated out in closed form
(normal priors); the floor is either anywhere or at chance. Scatter between models is summed over a grid of standard
deviations. The verdict is the shape with the largest sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.verdicts import templates
from scalecurve.analysis.verdicts.templates import Library
from scalecurve.types import Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHAPES = (
    Shape.FLAT, Shape.SMOOTH, Shape.LATE, Shape.EMERGENT, Shape.INVERSE, Shape.U, Shape.INVERTED_U, Shape.IRREGULAR,
    Shape.ONE_MODEL,
)  # fmt: skip
FLAT, SMOOTH, LATE, EMERGENT, INVERSE, U, INVERTED_U, IRREGULAR, ONE_MODEL = range(len(SHAPES))
PRIOR = np.array([0.30, 0.16, 0.10, 0.10, 0.16, 0.04, 0.04, 0.06, 0.04])

DELTA = 0.05  # smallest change that counts, on a scale of 0 to 1
RISE = 0.10  # height above chance that counts as an ability
AMPLITUDE, ANYWHERE, AT_CHANCE = 0.35, 0.35, 0.02  # standard deviations: of a change, of a floor, of a floor at chance
CHANCE_SHARE = 0.5  # how often a floor is at chance, beforehand
SCATTER = np.array([0.0, 0.006, 0.012, 0.02, 0.032, 0.05])  # between models, of a score of one half
SCATTER_PRIOR = np.array([0.16, 0.24, 0.26, 0.18, 0.10, 0.06])
ROUGH = np.array([0.10, 0.18, 0.30])  # scatter that hides any shape: irregular


@dataclass(frozen=True, slots=True)
class Evidence:
    """A curve prepared for judging, in units where the score runs from 0 to 1 and higher is better.

    ``x`` decades; ``cov`` (m, m) of the item errors; ``share`` (m,) how much of the scatter reaches each point
    (2·√(p(1 − p)) for proportions); ``scatter`` prior weights over ``SCATTER``; ``unit`` the factor and ``shift`` the
    offset that brought the scores here.
    """

    y: Floats
    x: Floats
    cov: Floats
    share: Floats
    chance: float | None
    ceiling: float | None
    delta: float
    scatter: Floats
    unit: float = 1.0
    shift: float = 0.0
    middle: float = 0.5

    def without(self, index: int) -> Evidence:
        keep = np.delete(np.arange(len(self.y)), index)
        return replace(self, y=self.y[keep], x=self.x[keep], cov=self.cov[np.ix_(keep, keep)], share=self.share[keep])

    def errors(self, scatter: float = 0.0) -> Floats:
        """Standard errors of the points, scatter of models included."""
        return np.asarray(np.sqrt(np.diag(self.cov) + (scatter * self.share) ** 2))


@dataclass(frozen=True, slots=True)
class Masses:
    """Log evidence before the scatters are weighed: ``shapes`` (R, S, 9), ``rough`` (R,) of scores at random,
    ``monotone`` (R,) 1 for rows that only rise, −1 for those that only fall; ``begun`` (R, S, K) of templates that
    leave chance."""

    shapes: Floats
    rough: Floats
    monotone: Ints
    begun: Floats


@dataclass(frozen=True, slots=True)
class Belief:
    """``shapes`` (R, 9) probabilities; ``scatter`` (R, S) of each scatter; ``begun`` (R, K) weights of templates that
    leave chance, for the place and width of the rise; ``log`` (R,) evidence of everything."""

    shapes: Floats
    scatter: Floats
    begun: Floats
    log: Floats


def believe(y: Floats, own: Evidence, grid: Ints | None = None, chosen: Ints | None = None) -> Belief:
    """The belief about each row of ``y`` (R, m). ``grid``: the scatters to sum over; ``chosen``: the templates."""
    places = np.arange(len(SCATTER)) if grid is None else grid
    return weigh(masses(y, own, places, chosen), own.scatter[places])


def masses(y: Floats, own: Evidence, grid: Ints | None = None, chosen: Ints | None = None) -> Masses:
    lib = _part(templates.library(own.x), chosen)
    tables = _tables(lib, own)
    sigmas = [*(SCATTER if grid is None else SCATTER[grid]), *ROUGH]
    calm = len(sigmas) - len(ROUGH)
    shapes = np.full((len(y), calm, len(SHAPES)), -np.inf)
    rough = np.full(len(y), -np.inf)
    begun = np.full((len(y), calm, lib.shapes.shape[1]), -np.inf)
    anchors = [(own.middle, ANYWHERE, 1.0 if own.chance is None else 1 - CHANCE_SHARE)]
    if own.chance is not None:
        anchors.append((own.chance, AT_CHANCE, CHANCE_SHARE))
    for number, sigma in enumerate(sigmas):
        noise = own.cov + np.diag((sigma * (own.share if number < calm else np.ones(len(own.x)))) ** 2)
        for centre, spread, share in anchors:
            root = np.linalg.cholesky(noise + spread**2 + 1e-12 * np.eye(len(own.x)))
            z = np.linalg.solve(root, (y - centre).T)  # (m, R)
            base = -0.5 * (z**2).sum(axis=0) - np.log(np.diag(root)).sum() + np.log(share)
            if number >= calm:
                rough = np.logaddexp(rough, base - np.log(len(ROUGH)))
                continue
            found, climbing = _templates(z.T, np.linalg.solve(root, lib.shapes), tables, own, spread == AT_CHANCE)
            shapes[:, number] = np.logaddexp(shapes[:, number], base[:, None] + found)
            if climbing is not None:
                begun[:, number] = base[:, None] + climbing
    steps, slack = np.diff(y, axis=1), own.errors()[1:]
    rises, falls = (steps >= -slack).all(axis=1), (steps <= slack).all(axis=1)
    monotone = np.asarray(rises.astype(np.int64) - falls.astype(np.int64), np.int64)
    return Masses(shapes, rough, monotone, begun)


def weigh(found: Masses, scatter: Floats) -> Belief:
    """The belief with prior weights ``scatter`` (S,) of each scatter."""
    with np.errstate(divide="ignore"):
        weight = np.log(scatter / scatter.sum())
        logs = found.shapes + np.log(PRIOR) + weight[:, None]
    rough = found.rough + np.log(PRIOR[IRREGULAR])
    top = np.maximum(logs.max(axis=(1, 2)), rough)
    mass = np.exp(logs - top[:, None, None])
    shapes = mass.sum(axis=1)
    calm = np.maximum(shapes.sum(axis=1), 1e-300)
    named = np.select([found.monotone > 0, found.monotone < 0], [SMOOTH, INVERSE], IRREGULAR)
    shapes[np.arange(len(shapes)), named] += np.exp(rough - top)
    total = shapes.sum(axis=1)
    begun = found.begun + weight[:, None]
    highest = np.maximum(begun.max(axis=(1, 2), initial=-1e300), -1e300)
    starts = np.exp(begun - highest[:, None, None]).sum(axis=1)
    return Belief(shapes / total[:, None], mass.sum(axis=2) / calm[:, None], starts, top + np.log(total))


@dataclass(frozen=True, slots=True)
class _Tables:
    """Prior weights (K,) of the templates by what they would be called."""

    smooth_free: Floats
    smooth: Floats
    late: Floats
    emergent: Floats
    inverse: Floats
    turn: Floats
    wave: Floats
    spike: Floats
    least: Floats  # (K,) amplitude below which nothing has changed


def _tables(lib: Library, own: Evidence) -> _Tables:
    rise = (lib.kind == templates.RISE) * lib.weight
    floor = lib.floor >= 2
    sharp = floor & (lib.floor >= 3) & (lib.above >= 2) & (lib.width <= templates.ABRUPT)

    def normal(weights: Floats) -> Floats:
        total = weights.sum()
        return weights / total if total > 0 else weights

    return _Tables(
        smooth_free=normal(rise),
        smooth=normal(rise * ~floor),
        late=normal(rise * (floor & ~sharp)),
        emergent=normal(rise * sharp),
        inverse=normal(rise),
        turn=normal((lib.kind == templates.TURN) * 1.0),
        wave=normal((lib.kind == templates.WAVE) * 1.0),
        spike=normal((lib.kind == templates.SPIKE) * 1.0),
        least=own.delta / lib.side,
    )


def _templates(
    z: Floats, shapes: Floats, tables: _Tables, own: Evidence, at_chance: bool
) -> tuple[Floats, Floats | None]:
    """Log evidence (R, 9) relative to a flat course, and (R, K) of those that leave chance (None: floor anywhere)."""
    from scipy.special import ndtr

    precision = (shapes**2).sum(axis=0) + 1 / AMPLITUDE**2  # (K,)
    along = z @ shapes  # (R, K)
    scale = np.sqrt(precision)
    q = along / scale
    most = np.maximum(0.5 * (q**2).max(axis=1, keepdims=True), 0.0)
    gain = np.exp(0.5 * q**2 - most) / (AMPLITUDE * scale)
    least = tables.least * scale
    up, down = 2 * gain * ndtr(q - least), 2 * gain * ndtr(-q - least)
    still = np.maximum(2 * gain - up - down, 0.0) / 2
    result = np.zeros((len(z), len(SHAPES)))
    smooth = tables.smooth if at_chance else tables.smooth_free
    result[:, FLAT] = 0.6 * np.exp(-most[:, 0]) + 0.4 * (still @ tables.inverse)
    result[:, SMOOTH] = up @ smooth
    result[:, INVERSE] = down @ tables.inverse
    result[:, U], result[:, INVERTED_U] = up @ tables.turn, down @ tables.turn
    result[:, IRREGULAR] = 0.5 * ((up + down) @ tables.wave)
    result[:, ONE_MODEL] = 0.5 * ((up + down) @ tables.spike)
    climbing = None
    if at_chance:
        clear = 2 * gain * ndtr(q - scale * RISE) if own.delta else up
        result[:, LATE], result[:, EMERGENT] = clear @ tables.late, clear @ tables.emergent
        mean = PRIOR[LATE] * tables.late + PRIOR[EMERGENT] * tables.emergent
        with np.errstate(divide="ignore"):
            climbing = np.log(clear * mean) + most
    with np.errstate(divide="ignore"):
        return np.log(result) + most, climbing


def _part(lib: Library, chosen: Ints | None) -> Library:
    if chosen is None:
        return lib
    return Library(
        lib.x, lib.shapes[:, chosen], lib.kind[chosen], lib.weight[chosen], lib.floor[chosen], lib.above[chosen],
        lib.width[chosen], lib.start[chosen], lib.cell[chosen], lib.side[chosen],
    )  # fmt: skip
