"""A third set of curves to check confidences and intervals: the literature's shapes, drawn by a hand that wrote none of
the rules, after they were fixed (state of a5b3b65).

Rises follow broken neural scaling laws (Caballero et al. 2023), sudden generalisation (Power et al. 2022) and straight
lines; falls and U-shapes are those of the Inverse Scaling Prize (McKenzie et al. 2023; Wei et al. 2023: a distractor
that smaller models learn first, the task that larger ones learn); humps come back in part. One run in a ladder may have
failed, or models have nothing to do with each other. 4 to 12 models over 1.2 to 5 decades, 50 to 5,000 items, models
that scatter by 0 to .06, which is more than the rules expect. The right words are those of
``adversaries.right_shapes``, a width being that of the rise that the ladder shows.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from adversaries import Case, curve_of, drawn, right_shapes, seen_turn
from calibrate_verdicts import Course, width
from numpy.typing import NDArray
from strangers import tenth

Floats = NDArray[np.float64]
CHANCES = (0.0, 0.1, 0.2, 0.25, 0.5)
LADDERS = 108
KINDS = (
    "flat", "broken law", "broken law off the floor", "sudden", "line", "inverse", "U", "hump", "nearly solved",
    "failed run", "erratic",
)  # fmt: skip


def ladder(rng: np.random.Generator) -> Floats:
    """4 to 12 models over 1.2 to 5 decades, evenly spaced to crowded: one of ``LADDERS``."""
    return _ladder(int(rng.integers(LADDERS)))


@cache
def _ladder(number: int) -> Floats:
    rng = np.random.default_rng((number, 3))
    count = 4 + number % 9
    gaps = np.exp(rng.normal(0, rng.choice([0.05, 0.35, 0.7]), count - 1))
    return 6.5 + rng.uniform(1.2, 5.0) * np.concatenate([[0], np.cumsum(gaps) / gaps.sum()])


def broken_law(rng: np.random.Generator, x: Floats, begun: bool) -> Course:
    """1 − a power law of scale with one or two bends, sharp or slow; ``begun``: it falls from the start."""
    span = x[-1] - x[0]
    breaks = [
        (x[0] + span * rng.uniform(0.1, 0.8), 10 ** rng.uniform(-1.5, -0.2), rng.uniform(0.1, 1.5))
        for _ in range(rng.integers(1, 3))
    ]  # (place, softness in decades, exponent gained)
    first = rng.uniform(0.05, 0.4) if begun else 0.0

    def course(t: Floats) -> Floats:
        error = -first * (t - x[0])
        for place, soft, gained in breaks:
            error = error - gained * soft * np.logaddexp(0, 2.3026 * (t - place) / soft) / 2.3026
        return np.asarray(1 - 10.0 ** np.minimum(error, 0))

    return course


def rise(rng: np.random.Generator, x: Floats, low: float, high: float, shortest: float, longest: float) -> Course:
    """A logistic rise with its middle between two shares of the ladder, ``shortest`` to ``longest`` decades wide."""
    middle = x[0] + (x[-1] - x[0]) * rng.uniform(low, high)
    wide = float(np.exp(rng.uniform(np.log(shortest), np.log(longest))))
    return lambda t: 1 / (1 + np.exp(-np.clip(4.394 * (t - middle) / wide, -60, 60)))


def case(rng: np.random.Generator, kind: str) -> Case:
    x, chance = ladder(rng), float(rng.choice(CHANCES))
    n = int(np.exp(rng.uniform(np.log(50), np.log(5000))))
    level = _level(rng, kind, x, chance)
    p = level(x)
    right = seen_turn(right_shapes(level, x, chance, width(level, x)), p)
    if (p >= 0.95).sum() > len(x) / 2:  # whether or not it changes by .05 there
        right |= {"saturated"}
    if kind == "failed run":
        p = p.copy()
        odd = int(rng.integers(1, len(x) - 1))
        p[odd] = max(p[odd] - rng.uniform(0.15, 0.4), 0.02)
        right = frozenset({"one-model"}) if right == {"flat"} else right
    if kind == "erratic":
        p = rng.uniform(0.3, 0.7) + rng.uniform(0.1, 0.25) * rng.standard_normal(len(x))
        right = frozenset({"irregular"})
    start = tenth(level, x) if kind in ("broken law", "sudden") else None
    y = drawn(np.clip(p, 0, 1), n, rng, float(rng.uniform(0, 0.06)))
    return Case(curve_of(y, x, n, chance), right, start)


def _level(rng: np.random.Generator, kind: str, x: Floats, chance: float) -> Course:
    """The true score over scale."""
    span = x[-1] - x[0]
    low, size = rng.uniform(max(chance, 0.3), 0.6), rng.uniform(0.15, 0.4)
    if kind in ("broken law", "sudden"):
        low, size = chance, rng.uniform(0.2, 0.98 - chance)
    f: Course
    if kind in ("broken law", "broken law off the floor"):
        f = broken_law(rng, x, kind != "broken law")
    elif kind == "sudden":
        f = rise(rng, x, 0.3, 0.85, 0.02, 0.5)
    elif kind == "line":
        f = lambda t: (t - x[0]) / span  # noqa: E731 - one of several courses of one type
    elif kind == "inverse":
        down = rise(rng, x, 0.1, 0.9, 0.2, 5.0)
        f = lambda t: 1 - down(t)  # noqa: E731 - one of several courses of one type
    elif kind in ("U", "hump"):
        one, two = rise(rng, x, 0.0, 0.4, 0.2, 2.5), rise(rng, x, 0.6, 1.0, 0.2, 2.5)
        back, sign = rng.uniform(0.4, 1.2), 1.0 if kind == "hump" else -1.0
        f = lambda t: (kind == "U") + sign * (one(t) - back * two(t))  # noqa: E731 - one of several courses of one type
    elif kind == "nearly solved":
        low, up = rng.uniform(0.75, 0.95), rise(rng, x, -0.2, 0.6, 0.3, 4.0)
        size, f = 0.99 - low, up
    elif kind == "failed run" and rng.random() < 0.5:
        f = broken_law(rng, x, begun=True)
    else:
        low = chance if rng.random() < 0.4 else low
        return lambda t: low + 0 * t
    return lambda t: np.asarray(np.clip(low + size * f(t), 0, 1))
