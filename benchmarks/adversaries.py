"""Curves that were not used to design the rules of verdicts, with the shapes that would be right.

A ladder of 5 to 12 models, even, uneven or with gaps, over two to four and a half decades; a true course; scatter of
models, items in clusters, seeds that are lotteries; and the scores that 50 to 5,000 items give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis import standard_error
from scalecurve.types import Curve

Floats = NDArray[np.float64]
CHANCES = (0.0, 0.2, 0.25, 0.5)
LADDERS = 10  # of a kind and a number of models


@dataclass
class Case:
    """A curve with what is true of it: ``right`` shapes, where a rise begins, its 10–90 % width in decades."""

    curve: Curve
    right: frozenset[str]
    start: float | None = None
    width: float | None = None
    items: Floats | None = None
    clusters: list[int] | None = None
    companions: list[Curve] = field(default_factory=list)
    stages: int = 1


def ladder(rng: np.random.Generator, scales: int, kind: str = "") -> Floats:
    """Places of the models in decades: one of ``LADDERS`` of a kind, whose courses are then made but once."""
    kind = kind or str(rng.choice(["even", "even", "uneven", "gaps"]))
    return _ladder(scales, kind, int(rng.integers(LADDERS)))


@cache
def _ladder(scales: int, kind: str, number: int) -> Floats:
    rng = np.random.default_rng((scales, len(kind), number))
    span = rng.uniform(2.5, 4.0)
    u = np.linspace(0, 1, scales)
    if kind == "uneven":
        steps = rng.uniform(0.5, 1.5, scales - 1)
        u = np.concatenate([[0], np.cumsum(steps) / steps.sum()])
    if kind == "gaps":
        more = np.linspace(0, 1, scales + 2)
        u = np.delete(more, rng.choice(np.arange(1, scales + 1), 2, replace=False))
    return np.asarray(7 + span * u)


def curve_of(
    y: Floats, x: Floats, n: int, chance: float | None, metric: str = "acc", se: Floats | None = None
) -> Curve:
    errors = [standard_error(float(v), n) for v in y] if se is None else se.tolist()
    return Curve(
        family="simulated", task="t", strategy="direct", shots=0, metric=metric, axis="params_non_embedding",
        rungs=tuple(f"r{i}" for i in range(len(x))), x=tuple((10**x).tolist()), y=tuple(float(v) for v in y),
        se=tuple(errors), n=(n,) * len(x), chance=chance, ceiling=None if chance is None else 1.0,
    )  # fmt: skip


def drawn(p: Floats, n: int, rng: np.random.Generator, scatter: float = 0.0) -> Floats:
    """Scores of n items at success rates ``p``, each model off by a draw of its own."""
    off = rng.normal(0, scatter, len(p)) * 2 * np.sqrt(np.clip(p * (1 - p), 0, 0.25))
    return rng.binomial(n, np.clip(p + off, 0, 1)) / n


def right_shapes(course: Callable[[Floats], Floats], x: Floats, chance: float, width: float | None) -> frozenset[str]:
    """The shapes that a true course may be called."""
    fine, at = course(np.linspace(x[0], x[-1], 400)), course(x)
    rise, drop = at[-1] - at[0], np.ptp(fine)
    if drop < 0.07:
        small = {"flat"} if drop < 0.05 else {"flat", "smooth", "late", "inverse", "U", "inverted-U"}
        return frozenset(small)
    if (np.diff(fine) <= 1e-9).all():
        return frozenset({"inverse"})
    if not (np.diff(fine) >= -1e-9).all():
        low = int(fine.argmin())
        turn = "U" if 0 < low < 399 and fine[0] - fine[low] >= 0.05 else "inverted-U"
        return frozenset({turn})
    near = (at >= 0.95).sum() > len(x) // 2
    risen = (at - at[0]) / rise
    floor, barely = int((risen < 0.05).sum()), int((risen < 0.12).sum())
    if near:
        return frozenset({"saturated"})
    if abs(at[0] - chance) > 0.03 or barely < 2:
        return frozenset({"smooth"})
    if floor < 2:
        return frozenset({"smooth", "late"})
    wide = width if width is not None else 3.0
    if floor >= 3 and (risen >= 0.5).sum() >= 2 and wide < 1.4:
        return frozenset({"emergent"} if wide <= 0.6 else {"emergent", "late"})
    return frozenset({"late"} if floor > 2 or wide < 1.4 else {"late", "smooth"})


def seen_turn(right: frozenset[str], at: Floats) -> frozenset[str]:
    """``right`` of a turn, and what else it is on a ladder that shows its models ``at`` only: one odd model where no
    other lies beyond half of it, a fall or a rise where less than .05 of it comes back."""
    if not right & {"U", "inverted-U"}:
        return right
    y = at if "U" in right else -at
    first, last = y[0] - y.min(), y[-1] - y.min()
    more = set()
    if (y < y.min() + max(first, last) / 2).sum() < 2:
        more.add("one-model")
    if last < 0.05:
        more.add("inverse" if "U" in right else "smooth")
    if first < 0.05:
        more.add("smooth" if "U" in right else "inverse")
    return right | more


def sigmoid(x: Floats, centre: float, width: float) -> Floats:
    return 1 / (1 + np.exp(-np.clip(4.394 * (x - centre) / width, -60, 60)))


def irt(x: Floats, centre: float, width: float, rng: np.random.Generator) -> Floats:
    """Mean over items of mixed difficulty and discrimination; the difficulties make the width."""
    difficulty = np.random.default_rng(5).normal(0, 1, 200)
    spread = width / 2.6
    return sigmoid(x[:, None], centre + spread * difficulty, 0.25 * width).mean(axis=1)


Made = tuple[Callable[[Floats], Floats], "float | None", "float | None"]  # course from 0 to 1, start, width


def risen(rng: np.random.Generator, x: Floats, kind: str, width: float | None = None) -> Made:
    """A rise of a kind on the ladder ``x``."""
    span = x[-1] - x[0]
    centre = x[0] + span * rng.uniform(0.4, 0.75)
    wide = width if width is not None else float(np.exp(rng.uniform(np.log(0.05), np.log(3.0))))
    if kind == "irt":
        return (lambda t: irt(t, centre, wide, rng)), centre - wide / 2, wide
    if kind == "hinge":
        onset = x[0] + span * rng.uniform(0.3, 0.65)
        return (lambda t: np.maximum(t - onset, 0) / (x[-1] - onset)), onset, 0.8 * (x[-1] - onset)
    if kind == "ramp":
        onset = centre - wide / 1.6
        return (lambda t: np.clip((t - onset) / (wide / 0.8), 0, 1)), onset, wide
    if kind == "convex":
        power = rng.uniform(2, 5)
        return (lambda t: ((t - x[0]) / span) ** power), x[0] + span * 0.1 ** (1 / power), 3.0
    if kind == "exponential":
        rate = rng.uniform(0.8, 2.3)
        return (lambda t: np.expm1(rate * (t - x[0])) / np.expm1(rate * span)), None, 3.0
    if kind == "power law":
        onset, slope = x[0] + span * rng.uniform(0.25, 0.5), rng.uniform(0.15, 0.6)
        return (lambda t: 1 - 10 ** (-slope * np.maximum(t - onset, 0))), onset, 0.954 / slope
    if kind == "two stages":
        first, gap = x[0] + span * rng.uniform(0.35, 0.45), max(1.5, span * 0.4)
        part = rng.uniform(0.35, 0.65)
        tenth = first - 0.1 * np.log(part / 0.1 - 1) / 4.394  # where a tenth of the whole rise is done
        return (lambda t: part * sigmoid(t, first, 0.1) + (1 - part) * sigmoid(t, first + gap, 0.1)), tenth, gap
    return (lambda t: sigmoid(t, centre, wide)), centre - wide / 2, wide


def rise_case(
    rng: np.random.Generator, scales: int, n: int, kind: str, width: float | None = None, scatter: float = 0.0
) -> Case:
    x, chance = ladder(rng, scales), float(rng.choice(CHANCES))
    course, start, wide = risen(rng, x, kind, width)
    height = rng.uniform(0.25, 0.9 - chance)

    def level(t: Floats) -> Floats:
        return np.asarray(chance + height * course(t))

    right = right_shapes(level, x, chance, wide)
    stages = 2 if kind == "two stages" else 1
    return Case(curve_of(drawn(level(x), n, rng, scatter), x, n, chance), right, start, wide, stages=stages)


def step_case(rng: np.random.Generator, scales: int, n: int, scatter: float = 0.0) -> Case:
    """A step within one interval, three models or more on the floor and two or more above."""
    x, chance = ladder(rng, scales), float(rng.choice(CHANCES))
    at = int(rng.integers(3, scales - 1))
    centre = x[at - 1] + (x[at] - x[at - 1]) * rng.uniform(0.35, 0.65)
    width = (x[at] - x[at - 1]) * rng.uniform(0.05, 0.5)
    height = rng.uniform(0.2, 0.9 - chance)
    p = chance + height * sigmoid(x, centre, width)
    start = centre - width / 2
    return Case(curve_of(drawn(p, n, rng, scatter), x, n, chance), frozenset({"emergent"}), start, width)


def other_case(rng: np.random.Generator, scales: int, n: int, kind: str, scatter: float = 0.0) -> Case:
    """Flat courses, falls, turns, rises off the floor, lotteries, odd models."""
    x, chance = ladder(rng, scales), float(rng.choice([0.25, 0.5]))
    u = (x - x[0]) / (x[-1] - x[0])
    level, size = rng.uniform(0.3, 0.6), rng.uniform(0.1, 0.35)
    courses: dict[str, tuple[Floats, str]] = {
        "flat": (0 * u + level, "flat"),
        "flat at chance": (0 * u + chance, "flat"),
        "fall": (level + 0.2 - size * u, "inverse"),
        "late fall": (level + 0.2 - size * sigmoid(u, 0.6, 0.4), "inverse"),
        "line": (level + size * u, "smooth"),
        "slowing": (level + size * (1 - np.exp(-4 * u)), "smooth"),
        "dip": (level + 0.1 - (size + 0.1) * np.exp(-(((u - 0.5) / 0.22) ** 2)), "U"),
        "hump": (level - 0.1 + (size + 0.1) * np.exp(-(((u - 0.5) / 0.22) ** 2)), "inverted-U"),
        "odd model": (0 * u + level, "one-model"),
        "dip, then rise": (
            0.5 - 0.1 * np.sin(np.pi * np.clip(u / 0.55, 0, 1)) + 0.3 * np.clip(u - 0.5, 0, 1) / 0.5,
            "U",
        ),
    }
    right = frozenset({courses[kind][1]}) if kind in courses else frozenset({"irregular", "smooth"})
    if kind == "lottery":
        lucky = rng.random(scales) < u
        p = np.where(lucky, 0.85, 0.25)
        chance = 0.25
    else:
        p = courses[kind][0].copy()
    if kind == "dip, then rise":
        chance, right = 0.5, frozenset({"U", "late", "smooth"})
    if kind == "odd model":
        p[rng.integers(1, scales - 1)] += 0.35 * (1 if level < 0.5 else -1)
    return Case(curve_of(drawn(p, n, rng, scatter), x, n, chance), right)


def clustered_flat(rng: np.random.Generator, scales: int, passages: int = 50, each: int = 20) -> Case:
    """A flat truth; all questions of a passage share their answer."""
    x = ladder(rng, scales)
    items = np.repeat((rng.random((passages, scales)) < 0.4).astype(float), each, axis=0)
    curve = curve_of(items.mean(axis=0), x, len(items), 0.25)
    labels = np.repeat(np.arange(passages), each).tolist()
    return Case(curve, frozenset({"flat"}), items=items, clusters=labels)


def power_case(rng: np.random.Generator, scales: int, n: int) -> Case:
    """Exact match of T tokens, each right with a probability that rises steadily; two companions."""
    x, tokens = ladder(rng, scales, "even"), int(rng.choice([10, 20, 30]))
    u = (x - x[0]) / (x[-1] - x[0])
    per_token = np.exp(-0.7 + 0.66 * u)
    right = rng.binomial(tokens, np.broadcast_to(per_token, (n, scales))) / tokens
    logs = rng.normal(0, 2, (n, 1)) + tokens * np.log(per_token) + rng.normal(0, 0.5, (n, scales))
    exact = (right == 1).mean(axis=0)
    companions = [
        curve_of(right.mean(axis=0), x, n, 0.0, "edit_similarity", right.std(axis=0, ddof=1) / n**0.5),
        curve_of(logs.mean(axis=0), x, n, None, "target_logprob", logs.std(axis=0, ddof=1) / n**0.5),
    ]
    return Case(curve_of(exact, x, n, 0.0, "exact_match"), frozenset({"late", "smooth"}), companions=companions)


def fluent_step(rng: np.random.Generator, scales: int, n: int, alone: bool = False) -> Case:
    """Four options whose margin truly steps while the log-probability of every option rises with fluency."""
    case = step_case(rng, scales, n)
    x = np.log10(np.array(case.curve.x))
    margin = 2.2 * sigmoid(x, (case.start or 0.0) + (case.width or 0.0) / 2, case.width or 0.1)
    logits = rng.normal(0, 1.0, (n, scales, 4))
    logits[:, :, 0] += margin
    share = np.exp(logits - logits.max(axis=2, keepdims=True))
    share /= share.sum(axis=2, keepdims=True)
    truth = np.array([1.0, 0, 0, 0])
    brier = ((share - truth) ** 2).sum(axis=2)
    right = (logits.argmax(axis=2) == 0).astype(float)
    fluency = -6 + 2.5 * (x - x[0]) / (x[-1] - x[0]) + np.log(share[:, :, 0]) * 0.3 + rng.normal(0, 0.5, (n, scales))

    def made(values: Floats, metric: str, chance: float | None) -> Curve:
        return curve_of(values.mean(axis=0), x, n, chance, metric, values.std(axis=0, ddof=1) / n**0.5)

    companions = [made(fluency, "correct_logprob", None)]
    if not alone:
        companions += [made(share[:, :, 0], "option_probability", 0.25)]
        companions += [made(1 - brier, "brier", None)]
    return Case(curve_of(right.mean(axis=0), x, n, 0.25), frozenset({"emergent"}), case.start, case.width,
                companions=companions)  # fmt: skip
