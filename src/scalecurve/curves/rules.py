"""The rules that name a curve's shape, applied to many noisy copies of one curve at once.

Every function takes scores as a matrix (replicates × scales), so that a bootstrap costs a few array operations. The
rules and their error rates are described in docs/curves.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalecurve.curves import hinge

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

SHAPES = ("saturated", "flat", "U", "inverted-U", "irregular", "inverse", "emergent", "smooth")
SATURATED, FLAT, U, INVERTED_U, IRREGULAR, INVERSE, EMERGENT, SMOOTH = range(len(SHAPES))

DELTA = 0.05  # smallest change that counts, on a scale of 0 to 1
SIGNIFICANT = 3.0  # standard errors of a difference that count
FLOOR = 0.02  # distance from chance that always counts as chance
RISE = 0.10  # height above chance that counts as an ability
SHARE = 0.40  # of the range within one interval: a jump
SLACK = 1e-9  # so that .30 − .25 is a change of .05


@dataclass(frozen=True, slots=True)
class Setting:
    """What the rules need to know besides the scores. All in units where the score runs from 0 to 1.

    ``band`` is how many standard errors from chance still count as chance; ``inflate`` widens every standard error
    (√2 for bootstrap copies, which scatter about a curve that scatters itself); ``flat_level`` is the p-value above
    which a curve is flat.
    """

    x: Floats
    se: Floats
    chance: float | None
    ceiling: float | None
    band: float
    delta: float = DELTA
    inflate: float = 1.0
    flat_level: float = 0.05
    seed: int = 0

    def without(self, index: int) -> Setting:
        return replace(self, x=np.delete(self.x, index), se=np.delete(self.se, index))

    @property
    def errors(self) -> Floats:
        return self.se * self.inflate


@dataclass(frozen=True, slots=True)
class Shapes:
    """For each replicate: shape (index into ``SHAPES``), index of the outlier left out (−1: none), edge-driven."""

    code: Ints
    outlier: Ints
    edge: Bools


def classify(y: Floats, setting: Setting) -> Shapes:
    """The shape of each row of ``y`` (R, m), four points or more; first rule that matches wins."""
    replicates = len(y)
    code = np.full(replicates, SMOOTH)
    outlier = np.full(replicates, -1)
    edge = np.zeros(replicates, bool)
    rises, falls = significant_pairs(y, setting)
    any_rise, any_fall = rises.any(axis=(1, 2)), falls.any(axis=(1, 2))

    open_ = ~is_saturated(y, setting)
    code[~open_] = SATURATED
    flat = open_ & (is_flat(y, setting) | ~(any_rise | any_fall))
    code[flat] = FLAT
    open_ &= ~flat

    code[open_ & any_fall & ~any_rise] = INVERSE
    turning = np.flatnonzero(open_ & any_rise & any_fall)
    if len(turning):
        code[turning], outlier[turning], edge[turning] = _turning(y[turning], rises[turning], falls[turning], setting)
    rising = np.flatnonzero(open_ & any_rise & ~any_fall)
    if len(rising):
        code[rising] = np.where(is_emergent(y[rising], setting), EMERGENT, SMOOTH)
    return Shapes(code, outlier, edge)


def significant_pairs(y: Floats, setting: Setting) -> tuple[Bools, Bools]:
    """Which pairs i < j rise, and which fall, by at least δ and three standard errors: two (R, m, m) tables."""
    s = setting.errors
    needed = np.maximum(setting.delta, SIGNIFICANT * np.sqrt(s[:, None] ** 2 + s[None, :] ** 2)) - SLACK
    needed = np.where(np.triu(np.ones(needed.shape, bool), 1), needed, np.inf)
    change = y[:, None, :] - y[:, :, None]
    return change >= needed, -change >= needed


def is_saturated(y: Floats, setting: Setting) -> Bools:
    """More than half of the points within .05 of the ceiling."""
    if setting.ceiling is None:
        return np.zeros(len(y), bool)
    near = np.abs(setting.ceiling - y) <= DELTA + SLACK
    result: Bools = near.sum(axis=1) >= y.shape[1] // 2 + 1
    return result


def is_flat(y: Floats, setting: Setting) -> Bools:
    """Noise explains the scatter, or the range is too small to matter."""
    from scipy.special import chdtri

    weights = 1.0 / setting.errors**2
    mean = (y @ weights) / weights.sum()
    scatter = (y - mean[:, None]) ** 2 @ weights
    small = np.ptp(y, axis=1) < setting.delta - SLACK
    result: Bools = small | (scatter <= chdtri(y.shape[1] - 1, setting.flat_level))
    return result


def at_chance(y: Floats, setting: Setting, margin: float = 0.0) -> Bools:
    """Which points lie within the band around chance, (R, m); all False where there is no chance level.

    Where chance is 0 only scores up to ``margin`` count (a proportion above zero is no accident).
    """
    if setting.chance is None:
        return np.zeros(y.shape, bool)
    if setting.chance == 0:
        low: Bools = y <= margin + SLACK
        return low
    near: Bools = np.abs(y - setting.chance) <= np.maximum(setting.band * setting.errors, margin) + SLACK
    return near


def floor_length(y: Floats, setting: Setting) -> Ints:
    """q: how many points from the smallest scale on lie at chance."""
    result: Ints = np.cumprod(at_chance(y, setting, FLOOR), axis=1).sum(axis=1)
    return result


def leaves_chance(y: Floats, setting: Setting) -> Bools:
    """E1 and E2: two or more points at chance first, not all; the last clearly above chance."""
    if setting.chance is None:
        return np.zeros(len(y), bool)
    q = floor_length(y, setting)
    above = y[:, -1] - setting.chance
    high = (above >= RISE - SLACK) & (above >= SIGNIFICANT * setting.errors[-1])
    result: Bools = (q >= 2) & (q < y.shape[1]) & high
    return result


def is_emergent(y: Floats, setting: Setting) -> Bools:
    """E1 to E4 for rows that only rise: a floor at chance, then a jump or a bend, whichever point is deleted."""
    result = np.zeros(len(y), bool)
    rows = np.flatnonzero(leaves_chance(y, setting))
    rows = rows[_jumps(y[rows], setting)]
    for index in range(y.shape[1]):
        if not len(rows):
            return result
        fewer, less = np.delete(y[rows], index, axis=1), setting.without(index)
        rows = rows[leaves_chance(fewer, less)]
        rows = rows[_jumps(np.delete(y[rows], index, axis=1), less)]
    result[rows] = True
    return result


def _jumps(y: Floats, setting: Setting) -> Bools:
    """E3: one interval holds at least 40% of the range, or a hinge beats a line."""
    if not len(y):
        return np.zeros(0, bool)
    jump: Bools = np.diff(y).max(axis=1) >= SHARE * np.ptp(y, axis=1) - SLACK
    rest = np.flatnonzero(~jump)
    if len(rest):
        jump[rest] = bends(y[rest], setting)
    return jump


def bends(y: Floats, setting: Setting) -> Bools:
    """A hinge beats a straight line at p < .05 (the critical value is that of the mean row)."""
    fit = hinge.design(setting.x, setting.errors)
    if fit is None or not len(y):
        return np.zeros(len(y), bool)
    gain, _ = hinge.statistic(y, fit)
    better: Bools = gain > hinge.critical_gain(y.mean(axis=0), fit, setting.seed)
    return better


def _turning(y: Floats, rises: Bools, falls: Bools, setting: Setting) -> tuple[Ints, Ints, Bools]:
    """Shapes of rows that both rise and fall: without one bad interior point where that explains it, else by turn."""
    one_way = (_left_without(rises) == 0) | (_left_without(falls) == 0)
    code = _turn(y, rises, falls)
    neighbours = (y[:, :-2] + y[:, 2:]) / 2
    jumps_out = np.where(one_way[:, 1:-1], np.abs(y[:, 1:-1] - neighbours) / setting.errors[1:-1], -1.0)
    explained = one_way[:, 1:-1].any(axis=1)
    outlier = np.where(explained, jumps_out.argmax(axis=1) + 1, -1)
    edge = ~explained & (one_way[:, 0] | one_way[:, -1])
    for index in np.unique(outlier[explained]):
        rows = np.flatnonzero(outlier == index)
        code[rows] = classify(np.delete(y[rows], index, axis=1), setting.without(int(index))).code  # no longer turns
    return code, outlier, edge


def _left_without(pairs: Bools) -> Ints:
    """How many pairs remain when each one point is deleted, (R, m)."""
    involving = pairs.sum(axis=1) + pairs.sum(axis=2)
    result: Ints = pairs.sum(axis=(1, 2))[:, None] - involving
    return result


def _turn(y: Floats, rises: Bools, falls: Bools) -> Ints:
    rows, last = np.arange(len(y)), y.shape[1] - 1
    low, high = y.argmin(axis=1), y.argmax(axis=1)
    dips = (low > 0) & (low < last) & falls[rows, :, low].any(axis=1) & rises[rows, low, last]
    peaks = (high > 0) & (high < last) & rises[rows, :, high].any(axis=1) & falls[rows, high, last]
    return np.where(dips, U, np.where(peaks, INVERTED_U, IRREGULAR))
