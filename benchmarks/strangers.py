"""Curves of yet other kinds than ``adversaries``, to check confidences and intervals: neither the rules of verdicts nor
their calibration have seen them.

Rises follow other link functions (probit, both extreme values, Cauchy), or pools of items of mixed difficulty that all
models answer (three-parameter item response, with lapses). Models scatter with heavy tails, or each like its
neighbour. Ladders are those of public families. 5 to 12 models, 100 to 10,000 items, chance 0, .25 or .5; a step may
lie anywhere between two models, not in the middle only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from adversaries import Case, curve_of, right_shapes, seen_turn
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
CHANCES = (0.0, 0.25, 0.5)
LADDERS = (  # non-embedding parameters, in millions
    (19, 85, 302, 805, 1208, 2517, 6444, 11327),  # Pythia
    (86, 304, 1209, 2417, 6442, 12687, 29595, 64424),  # OPT
    (303, 680, 1209, 2417, 6041),  # BLOOM, up to 7B
    (100, 180, 300, 360, 900, 1400, 2800, 5600, 11000, 30000),  # sizes that come in pairs
    (10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480),  # doublings
    (14, 44, 200, 1100, 1300, 1600, 2600),  # crowded in the middle
)
RANDOM_LADDERS = 60
Link = Callable[[Floats], Floats]
LINKS: dict[str, Link] = {
    "probit": ndtr,
    "late extreme": lambda z: 1 - np.exp(-np.exp(np.clip(z, -50, 5))),
    "early extreme": lambda z: np.exp(-np.exp(np.clip(-z, -50, 5))),
    "cauchy": lambda z: 0.5 + np.arctan(z) / np.pi,
}
KINDS = ("link", "pool", "step", "flat", "fall", "hump", "dip", "off the floor")


def ladder(rng: np.random.Generator) -> Floats:
    """Places of the models in decades: a public family, or one of ``RANDOM_LADDERS``."""
    if rng.random() < 0.6:
        return np.log10(np.array(LADDERS[rng.integers(len(LADDERS))])) + 6
    return _ladder(int(rng.integers(RANDOM_LADDERS)))


@cache
def _ladder(number: int) -> Floats:
    rng = np.random.default_rng((number, 1))
    gaps = rng.gamma(2.0, 1.0, int(rng.integers(4, 12))) + 0.15
    return np.asarray(7 + rng.uniform(1.8, 4.5) * np.concatenate([[0], np.cumsum(gaps) / gaps.sum()]))


def scattered(p: Floats, rng: np.random.Generator) -> Floats:
    """Success rates with each model off by a draw: none, normal, heavy-tailed, or like its neighbour's."""
    kind, sd = rng.choice(["none", "normal", "heavy", "neighbours"]), rng.choice([0.008, 0.016, 0.024])
    if kind == "none":
        return p
    off = rng.standard_t(3, len(p)) / np.sqrt(3) if kind == "heavy" else rng.normal(0, 1, len(p))
    if kind == "neighbours":
        for i in range(1, len(p)):
            off[i] = 0.5 * off[i - 1] + np.sqrt(0.75) * off[i]
    return np.clip(p + sd * off * 2 * np.sqrt(np.clip(p * (1 - p), 0, 0.25)), 0, 1)


def case(rng: np.random.Generator, kind: str, items: int = 0, width: float | None = None) -> Case:
    """A curve of ``KINDS``. ``items`` 0: 100 to 10,000; ``width`` in decades, of a link."""
    x, chance = ladder(rng), float(rng.choice(CHANCES))
    n = items or int(np.exp(rng.uniform(np.log(100), np.log(10_000))))
    if kind == "pool":
        return _pool(rng, x, min(n, 4000), chance)
    course, start, wide = _course(rng, x, kind, width)
    low = chance if kind in ("link", "step") else rng.uniform(chance + 0.05, 0.6)
    high = rng.uniform(0.15, min(0.55, 0.97 - low))

    def level(t: Floats) -> Floats:
        return np.asarray(low + high * course(t))

    right = frozenset({"flat"}) if kind == "flat" else seen_turn(right_shapes(level, x, chance, wide), level(x))
    if kind in ("link", "step"):
        start = tenth(level, x)
    y = rng.binomial(n, scattered(level(x), rng)) / n
    return Case(curve_of(y, x, n, chance), right, start, wide)


def _course(
    rng: np.random.Generator, x: Floats, kind: str, width: float | None
) -> tuple[Link, float | None, float | None]:
    """(course, where a tenth is done, 10–90 % width)."""
    link = LINKS[str(rng.choice(list(LINKS)))]
    span = float(x[-1] - x[0])
    if kind == "flat":
        return (lambda t: 0 * t), None, None
    if kind == "step":  # anywhere between two neighbours, at least three models below and two above
        at = int(rng.integers(3, len(x) - 1))
        gap = x[at] - x[at - 1]
        wide = float(gap * rng.uniform(0.02, 0.5))
        start = x[at - 1] + (gap - wide) * rng.random()
        return _placed(LINKS["probit"], start, wide), start, wide
    wide = width or float(np.exp(rng.uniform(np.log(0.1), np.log(4.0))))
    start = x[0] + span * rng.uniform(0.15, 0.8)
    if kind == "fall":
        rise = _placed(link, start, wide)
        return (lambda t: 1 - rise(t)), None, wide
    if kind in ("hump", "dip"):
        up = _placed(link, x[0] + span * rng.uniform(0.1, 0.35), span * rng.uniform(0.05, 0.3))
        down = _placed(link, x[0] + span * rng.uniform(0.5, 0.75), span * rng.uniform(0.05, 0.3))
        part = rng.uniform(0.6, 1.0)  # how much of it comes back
        sign = 1.0 if kind == "hump" else -1.0
        return (lambda t: (kind == "dip") + sign * (up(t) - part * down(t))), None, None
    if kind == "off the floor":
        start = x[0] - span * rng.uniform(0.0, 0.4)
        wide = span * rng.uniform(0.6, 2.0)
    return _placed(link, start, wide), start, wide


def _placed(link: Link, start: float, wide: float) -> Link:
    """``link`` with its tenth at ``start`` and nine tenths ``wide`` decades later."""
    z = np.linspace(-12, 12, 24_001)
    low, high = np.interp([0.1, 0.9], link(z), z)
    return lambda t: link(low + (t - start) / wide * (high - low))


def tenth(level: Link, x: Floats) -> float:
    """Where a tenth is done of the rise that the ladder ``x`` shows."""
    fine = np.linspace(x[0], x[-1], 2000)
    on = level(fine)
    return float(np.interp(0.1, (on - on[0]) / (on[-1] - on[0]) + 1e-9 * np.arange(2000), fine))


def _pool(rng: np.random.Generator, x: Floats, n: int, chance: float) -> Case:
    """Items of two difficulties, answered by every model; the mean over the pool is the true course."""
    spread, apart = float(np.exp(rng.uniform(np.log(0.05), np.log(1.2)))), rng.uniform(0, 2.5)
    centre = x[0] + (x[-1] - x[0]) * rng.uniform(0.35, 0.8)
    hard = rng.random(n) < rng.uniform(0.2, 0.5)
    difficulty = centre + spread * (rng.normal(0, 1, n) + apart * hard)
    steep = 4.394 / spread * np.exp(rng.normal(0, 0.4, n))
    lapse = rng.uniform(0.0, 0.3)

    def rates(t: Floats) -> Floats:
        z = np.clip(steep[:, None] * (t - difficulty[:, None]), -60, 60)
        return np.asarray(chance + (1 - lapse - chance) / (1 + np.exp(-z)))

    fine = np.linspace(x[0] - 8, x[-1] + 8, 2000)
    done = (rates(fine).mean(axis=0) - chance) / (1 - lapse - chance)
    early, end = np.interp([0.1, 0.9], done, fine)

    def level(t: Floats) -> Floats:
        return np.asarray(np.interp(t, fine, chance + (1 - lapse - chance) * done))

    right, start = right_shapes(level, x, chance, float(end - early)), tenth(level, x)
    mean = rates(x).mean(axis=0)
    off = scattered(mean, rng) - mean
    items = (rng.random((n, len(x))) < np.clip(rates(x) + off, 0, 1)).astype(float)
    return Case(curve_of(items.mean(axis=0), x, n, chance), right, start, float(end - early), items=items)
