"""Curves as the ladders of practice give them, drawn and labelled by one who had not seen the rule.

A ladder is 5 to 12 models over 1.5 to 4 decades, unevenly spaced, its sizes reported exactly, off by a tenth, or with
embeddings counted. Courses: mixtures of sub-tasks, several steps p^k, facts met ever more often, power laws, a format
that small models do not keep, a second recipe from some size on, an abrupt step, traps that larger models fall into,
falls that come back. Then one model may be broken or have seen the exam, models scatter (Student's t, standard
deviation 0 to .05, unlike between models), and all answer 50 to 2,000 items of unlike difficulty, at times in passages.

The truth is the course's, without scatter, noise and the odd model, in the words as users are told them:

- flat: no change, or less than .04; with models that scatter by more than .03 irregular is as right, and where scatter
  put one model .1 or more apart from an otherwise even row, one-model.
- emergent: three models or more at chance, then 80 % of the rise and more within .6 decades of the true course, to .15
  or more above chance, with the last model below half of it and the first above no more than a decade apart, and two
  models or more above. From there to a rise of 1.4 decades (10 to 90 %, or half of it within .6 decades): emergent or
  late. With two models at chance: late, or either of them where a third is hardly off it and the rise not gradual.
- late: two models or more at chance, then any other rise, to .13 or more above it (to less: smooth is as right).
- smooth: a rise whose first model is more than .05 above chance. With one model alone at chance (where two more are
  hardly off it and the rise is not gradual, emergent too), or a floor below chance (formats), late is as right.
- inverse: a fall, two models or more on either side of half of it.
- U, inverted-U: a fall and a rise of .1 or more each, of two models or more each, and not made by one model.
- saturated: more than half of the models at .96 or more; where that is nearly so, or a rise from chance comes before,
  the name of the rise is as right.
- one-model: flat but for one model, neither the first nor the last, by .12 or more.
- irregular: three reversals of .1 or more, and two still when any one model is left out.

What is between the words (changes of .04 to .1, falls that come back a little, rises that only the first or the last
model shows, abrupt rises from a floor below chance or a little above it) is not drawn. ``case`` draws until a curve
deserves the one word asked for, so shapes are equally frequent; curves that deserve two words are the kind "either". A
rise begins where the true course has done a tenth of it, on the reported axis. No verdict had been seen before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from adversaries import Case, curve_of
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rng = np.random.Generator
Course = Callable[[Floats], Floats]
CHANCES, ITEMS = (0.0, 0.2, 0.25, 1 / 3, 0.5), (50, 100, 200, 250, 500, 1000, 2000)
SCATTER = ((0.0, 0.01), (0.01, 0.03), (0.03, 0.05))  # standard deviations between models: small, middling, large
NODES = np.linspace(-3.5, 3.5, 41)  # of a standard normal distribution, with its mass
MASS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()


@dataclass(frozen=True)
class Ladder:
    """log10 of the sizes, as they are and as they are reported; one length, both ascending."""

    true: Floats
    reported: Floats


@dataclass(frozen=True)
class Made:
    """How a curve was made: success rates over true log10 size, and what one model does instead (index, rate)."""

    course: Course
    odd: tuple[int, float] | None = None
    table: Floats | None = None  # rates of models that follow no course


def sigmoid(t: Floats, middle: float, width: float) -> Floats:
    """0 to 1 about ``middle``, a tenth to nine tenths within ``width``."""
    return 1 / (1 + np.exp(np.clip(-4.394 * (t - middle) / width, -60, 60)))


def ladder(rng: Rng) -> Ladder:
    while True:
        gaps = rng.dirichlet(np.full(rng.integers(4, 12), 3.0))
        true = rng.uniform(6.0, 8.5) + rng.uniform(1.5, 4.0) * np.concatenate([[0.0], np.cumsum(gaps)])
        reported, how = true, rng.random()
        if how < 0.3:
            reported = true + rng.uniform(-0.046, 0.041, len(true))  # a tenth less or more
        elif how < 0.6:  # embeddings grow as the width does, about the cube root of the size
            embedding = rng.uniform(0.1, 2.0) * 10 ** (true[0] + (true - true[0]) / 3)
            reported = np.log10(10**true + embedding)
        if np.diff(reported).min() >= 0.04 and np.diff(true).min() >= 0.04 and np.ptp(reported) >= 1.2:
            return Ladder(true, reported)


# ── Courses ──────────────────────────────────────────────────────────────────────────────────────────────────
Way = Callable[[Rng, Floats, float], Made]


def place(rng: Rng, x: Floats, low: float = 0.0, high: float = 1.0) -> float:
    return float(x[0] + rng.uniform(low, high) * (x[-1] - x[0]))


def top(rng: Rng, chance: float) -> float:
    return float(rng.uniform(min(chance + 0.15, 0.8), 0.92))


def still(rng: Rng, x: Floats, chance: float) -> Made:
    """At chance throughout; a prompt that no model follows; an easy or middling task that size does not help."""
    level = chance if rng.random() < 0.5 else float(rng.uniform(chance, 0.9))
    slope = float(rng.uniform(-0.03, 0.03)) if level > chance else 0.0
    return Made(lambda t: np.clip(level + slope * (t - x[0]) / (x[-1] - x[0]), 0, 1))


def mixture(rng: Rng, x: Floats, chance: float) -> Made:
    """The mean of sub-tasks that come one after the other, each fast or slowly."""
    parts = int(rng.integers(3, 9))
    weights = rng.dirichlet(np.full(parts, 2.0))
    middles = [place(rng, x, *((0.35, 1.0) if rng.random() < 0.5 else (-0.3, 1.0))) for _ in range(parts)]
    widths, high = rng.uniform(0.2, 1.5, parts), top(rng, chance)
    low = chance if rng.random() < 0.6 else float(rng.uniform(chance, max(high - 0.15, chance)))
    rows = list(zip(weights, middles, widths, strict=True))
    return Made(lambda t: low + (high - low) * sum((w * sigmoid(t, m, s) for w, m, s in rows), np.zeros_like(t)))


def steps(rng: Rng, x: Floats, chance: float) -> Made:
    """Several steps that must all be right; where one fails, a guess is left."""
    count, middle, wide = int(rng.integers(3, 16)), place(rng, x, -0.3, 0.6), float(rng.uniform(1.0, 3.5))
    best = float(rng.uniform(0.9, 0.995))
    return Made(lambda t: chance + (1 - chance) * (best * sigmoid(t, middle, wide)) ** count)


def power_law(rng: Rng, x: Floats, chance: float) -> Made:
    """An error that falls as a power of size, to a rest that stays."""
    low, rest, exponent = rng.uniform(chance, 0.7), rng.uniform(0.05, 0.3), rng.uniform(0.1, 0.6)
    return Made(lambda t: 1 - rest - (1 - rest - low) * 10 ** (-exponent * (t - x[0])))


def facts(rng: Rng, x: Floats, chance: float) -> Made:
    """Facts known once a model is large for how seldom they are met: how often is spread over decades."""
    middle, spread, share = place(rng, x, -0.2, 1.2), float(rng.uniform(0.4, 1.6)), float(rng.uniform(0.4, 0.92))
    met = middle + spread * NODES
    return Made(lambda t: chance + (1 - chance) * share * (1 - np.exp(-(10 ** (t[:, None] - met)))) @ MASS)


def formats(rng: Rng, x: Floats, chance: float) -> Made:
    """Small models do not keep the format and score nothing; then guesses, then the ability."""
    kept, able = place(rng, x, 0.05, 0.5), place(rng, x, 0.5, 1.1)
    quick, slow = rng.uniform(0.3, 1.2), rng.uniform(0.8, 2.5)
    gain = rng.choice([0.0, 1.0]) * (top(rng, chance) - chance)
    return Made(lambda t: sigmoid(t, kept, quick) * (chance + gain * sigmoid(t, able, slow)))


def step(rng: Rng, x: Floats, chance: float) -> Made:
    """An ability that comes between two neighbours, or nearly so; in some more growth follows."""
    at = int(rng.integers(2, len(x) - 1))
    middle, wide = float(rng.uniform(x[at - 1], x[at])), float(rng.uniform(0.02, 0.7))
    high, more = top(rng, chance), float(rng.choice([0.0, 0.2])) * rng.random()

    def course(t: Floats) -> Floats:
        later = np.clip((t - middle) / (x[-1] - middle), 0, 1)
        return np.asarray(chance + (high - chance) * sigmoid(t, middle, wide) * (1 - more + more * later))

    return Made(course)


def onset(rng: Rng, x: Floats, chance: float) -> Made:
    """A floor, then a rise that goes on to the largest model, straight or bent."""
    start, bend, high = place(rng, x, 0.15, 0.7), float(rng.uniform(0.7, 2.0)), top(rng, chance)
    return Made(lambda t: chance + (high - chance) * np.clip((t - start) / (x[-1] - start), 0, 1) ** bend)


def recipe(rng: Rng, x: Floats, chance: float) -> Made:
    """A second generation from some size on, better at once, on a slow rise or none, from chance or above it."""
    change = float(np.mean(x[(k := int(rng.integers(1, len(x) - 1))) - 1 : k + 1]))
    low = chance if rng.random() < 0.4 else float(rng.uniform(chance, 0.7))
    slope, gain = rng.choice([0.0, 0.1, 0.2]) * rng.random(), rng.uniform(0.1, 0.4)
    return Made(lambda t: np.minimum(low + slope * (t - x[0]) / (x[-1] - x[0]) + gain * (t > change), 0.93))


def easy(rng: Rng, x: Floats, chance: float) -> Made:
    """A task that is soon solved."""
    low, rate, high = float(rng.uniform(chance, 0.96)), float(rng.uniform(0.3, 1.5)), float(rng.uniform(0.965, 0.998))
    start = place(rng, x, -0.2, 0.25)
    return Made(lambda t: low + (high - low) * (1 - np.exp(-np.maximum(t - start, 0) * 2.3 / rate)))


def trap(rng: Rng, x: Floats, chance: float) -> Made:
    """A wrong answer that tempts the more the larger the model: slowly, at once, or from some size on."""
    high = float(rng.uniform(max(chance, 0.25), 0.95))
    low = float(rng.uniform(0.02, max(high - 0.1, 0.03)))
    if rng.random() < 0.3:
        start = place(rng, x, 0.0, 0.6)
        return Made(lambda t: high - (high - low) * np.clip((t - start) / (x[-1] - start), 0, 1))
    middle, wide = place(rng, x, 0.1, 0.9), float(rng.uniform(0.1, 3.0))
    return Made(lambda t: high - (high - low) * sigmoid(t, middle, wide))


def turn(rng: Rng, x: Floats, chance: float) -> Made:
    """A distractor that is understood before the task is (U), or an ability that a later habit undoes (inverted U)."""
    first, second = place(rng, x, 0.0, 0.5), place(rng, x, 0.5, 1.0)
    (one, two), wide = rng.uniform(0.15, 0.6, 2), rng.uniform(0.2, 1.6, 2)
    sign, level = rng.choice([-1.0, 1.0]), float(rng.uniform(0.1, 0.9))

    def course(t: Floats) -> Floats:
        return np.asarray(level + sign * (one * sigmoid(t, first, wide[0]) - two * sigmoid(t, second, wide[1])))

    seen = course(np.linspace(x[0], x[-1], 60))
    inside = seen.min() >= 0.02 and seen.max() <= 0.93  # else there is no such task: nothing is what is left of it
    return Made(course if inside else lambda t: 0 * t + level)


def odd_flat(rng: Rng, x: Floats, chance: float) -> Made:
    """A task that size does not help, but for one model."""
    return with_odd(rng, still(rng, x, chance), x)


def with_odd(rng: Rng, made: Made, x: Floats) -> Made:
    """One model inside the ladder has seen the exam, or its checkpoint is broken."""
    at = int(rng.integers(1, len(x) - 1))
    level = float(made.course(x)[at])
    off = float(rng.uniform(0.12, 0.5))
    rate = level + off if rng.random() < 0.5 or level < off else max(level - off, 0.0)
    return Made(made.course, (at, min(rate, 0.98)))


def interleaved(rng: Rng, x: Floats, chance: float) -> Made:
    """Two families sorted into one ladder by size, one far better."""
    base, apart = float(rng.uniform(chance, 0.6)), float(rng.uniform(0.12, 0.35))
    table = base + apart * rng.integers(0, 2, len(x)) + rng.uniform(0.0, 0.03, len(x))
    return Made(lambda t: 0 * t + base, table=np.clip(table, 0, 0.98))


def lottery(rng: Rng, x: Floats, chance: float) -> Made:
    """Each model tuned in its own way: where it stands has nothing to do with its size."""
    low = float(rng.uniform(0.02, 0.5))
    table = rng.uniform(low, min(low + rng.uniform(0.25, 0.6), 0.95), len(x))
    return Made(lambda t: 0 * t + low, table=table)


WAYS: dict[str, tuple[Way, ...]] = {
    "flat": (still,),
    "smooth": (mixture, steps, power_law, facts, recipe),
    "late": (mixture, steps, facts, onset, step),
    "emergent": (step, step, step, recipe),
    "inverse": (trap,),
    "U": (turn,),
    "inverted-U": (turn,),
    "saturated": (easy,),
    "one-model": (odd_flat,),
    "irregular": (interleaved, lottery),
    "either": (still, step, step, easy, mixture, steps, facts, onset, recipe, formats),
}
KINDS = tuple(WAYS)


# ── The words ────────────────────────────────────────────────────────────────────────────────────────────────
def words(made: Made, x: Floats, chance: float) -> frozenset[str]:
    """The words that a curve deserves by how it was made; none where it lies between them."""
    if made.table is not None:
        apart = [turns(np.delete(made.table, i)) for i in range(len(x))]
        return frozenset({"irregular"} if turns(made.table) >= 3 and min(apart) >= 2 else ())
    kept = x if made.odd is None else np.delete(x, made.odd[0])
    fine = np.linspace(x[0], x[-1], 600)
    p, g = made.course(kept), made.course(fine)
    said = _course_words(p, g, fine, kept, chance)
    if made.odd is None or not said:
        return said
    if said == {"flat"}:
        away = abs(made.odd[1] - float(made.course(x)[made.odd[0]]))
        return frozenset({"one-model"} if away >= 0.12 else ())
    return said if said & {"smooth", "late", "emergent", "inverse"} and "saturated" not in said else frozenset()


def turns(p: Floats, least: float = 0.1) -> int:
    """How often ``p`` turns round, moves of less than ``least`` not counted."""
    low = high = p[0]
    way = count = 0
    for v in p[1:]:
        low, high = min(low, v), max(high, v)
        if way <= 0 and v - low >= least:
            count, way, high = count + (way < 0), 1, v
        elif way >= 0 and high - v >= least:
            count, way, low = count + (way > 0), -1, v
    return count


def _course_words(p: Floats, g: Floats, fine: Floats, x: Floats, chance: float) -> frozenset[str]:
    up, down = float((g - np.minimum.accumulate(g)).max()), float((np.maximum.accumulate(g) - g).max())
    if down < 0.02 and (p >= 0.94).sum() > len(p) / 2:
        rise = frozenset({"smooth"}) if np.ptp(g) < 0.1 else _rise_words(p, g, fine, x, chance)
        if (p >= 0.96).sum() > len(p) / 2 and rise <= {"smooth"}:
            return frozenset({"saturated"})
        return rise | {"saturated"} if rise else rise
    if np.ptp(g) < 0.04:
        return frozenset({"flat"})
    if down < 0.02 and up >= 0.1 and np.ptp(p) >= 0.1:
        return _rise_words(p, g, fine, x, chance)
    if up < 0.02 and down >= 0.1 and np.ptp(p) >= 0.1:
        done = (p[0] - p) / (p[0] - p[-1])
        return frozenset({"inverse"} if min((done >= 0.5).sum(), (done < 0.5).sum()) >= 2 else ())
    return frozenset({"U"} if _is_u(p, g) else {"inverted-U"} if _is_u(1 - p, 1 - g) else ())


def _is_u(p: Floats, g: Floats) -> bool:
    """A fall, then a rise, each of .1 or more and of more than one model."""
    low, at = int(g.argmin()), int(p.argmin())
    back = float((np.maximum.accumulate(g[low:]) - g[low:]).max())
    before = float((g[: low + 1] - np.minimum.accumulate(g[: low + 1])).max())
    others = np.delete(p, at)
    return bool(
        max(back, before) < 0.02
        and min(p[0], p[-1]) - p[at] >= 0.1
        and min(p[0], p[-1]) - others.min() >= 0.06
        and min((p[:at] - p[at] >= 0.05).sum(), (p[at:] - p[at] >= 0.05).sum()) >= 2
    )


def _rise_words(p: Floats, g: Floats, fine: Floats, x: Floats, chance: float) -> frozenset[str]:
    done, course = (p - p[0]) / (p[-1] - p[0]), (g - g[0]) / (g[-1] - g[0])
    if (done >= 0.5).sum() < 2 or p[-1] - p[1] < 0.05:
        return frozenset()
    width = fine[np.argmax(course >= 0.9)] - fine[np.argmax(course >= 0.1)]
    within = float((np.interp(fine + 0.6, fine, course) - course).max())
    if p[0] > chance + 0.05:
        return frozenset({"smooth"})
    gradual = width >= 1.4 and within < 0.5
    if p[0] < chance - 0.04 or p[0] > chance + 0.03 or p[-1] < chance + 0.13:
        return frozenset({"smooth", "late"} if gradual else ())
    floor = int(np.cumprod((done < 0.05) & (p <= chance + 0.03)).sum())  # models from the first on
    loose = int(np.cumprod((done < 0.1) & (p <= chance + 0.05)).sum())
    if floor < 2:
        return frozenset({"smooth", "late"} if loose < 3 or gradual else {"smooth", "late", "emergent"})
    above = int(np.argmax(done >= 0.5))
    abrupt = width <= 0.6 and within >= 0.8 and x[above] - x[above - 1] <= 1.0
    if floor >= 3 and abrupt and p[-1] >= chance + 0.15:
        return frozenset({"emergent"})
    if loose >= 3 and not gradual:
        return frozenset({"emergent", "late"})
    return frozenset({"late"})


# ── Scores ───────────────────────────────────────────────────────────────────────────────────────────────────
def scatter(rng: Rng, models: int, sd: float) -> Floats:
    """What each model is off by: Student's t of 3, 5 or 30 degrees of freedom, its spread unlike between models."""
    degrees = float(rng.choice([3, 5, 30]))
    own = rng.uniform(0.5, 1.5, models)
    unit = rng.standard_t(degrees, models) / np.sqrt(degrees / (degrees - 2))
    return np.asarray(sd * own / np.sqrt(np.mean(own**2)) * unit)


def answered(rng: Rng, p: Floats, n: int) -> tuple[Floats, list[int] | None]:
    """Right or wrong (items × models) at mean rates ``p``: items differ in difficulty, at times by passage."""
    spread = float(rng.choice([0.0, 0.8, 1.5, 2.5]))
    places = np.linspace(-20, 20, 801)
    means = (1 / (1 + np.exp(-(places[:, None] - spread * NODES)))) @ MASS
    ability = np.interp(np.clip(p, 1e-4, 1 - 1e-4), means, places)
    hard = spread * rng.normal(size=(n, 1))
    clusters = None
    if rng.random() < 0.25:
        group = np.arange(n) // int(rng.integers(4, 16))
        hard = np.sqrt(0.5) * (hard + spread * rng.normal(size=(n, 1))[group])
        hard = hard + 0.25 * rng.normal(size=(n, len(p)))[group]  # some models like some passages better
        clusters = group.tolist()
    return (rng.random((n, len(p))) < 1 / (1 + np.exp(hard - ability))).astype(float), clusters


def case(rng: Rng, kind: str) -> Case:
    """A curve that deserves the word ``kind`` alone ("either": two words or more), with its items at times."""
    while True:
        sizes, chance = ladder(rng), float(rng.choice(CHANCES))
        way = WAYS[kind][int(rng.integers(len(WAYS[kind])))]
        made = way(rng, sizes.true, chance)
        if made.odd is None and made.table is None and len(sizes.true) >= 6 and rng.random() < 0.12 and kind != "flat":
            made = with_odd(rng, made, sizes.true)
        p = np.asarray(made.course(sizes.true) if made.table is None else made.table, dtype=float)
        sd = float(rng.uniform(*SCATTER[int(rng.choice(3, p=(0.4, 0.4, 0.2)))]))
        if kind in ("one-model", "irregular"):
            sd = min(sd, 0.02)  # more would hide what the word says
        off = scatter(rng, len(p), sd) * 2 * np.sqrt(np.clip(p * (1 - p), 0, 0.25))
        right = widened(words(made, sizes.true, chance), p + off, sd)
        if (len(right) >= 2) if kind == "either" else right == {kind}:
            break
    if made.odd is not None:
        p[made.odd[0]] = made.odd[1]
    n = int(rng.choice(ITEMS))
    items, clusters = answered(rng, np.clip(p + off, 0, 1), n)
    curve = curve_of(items.mean(axis=0), sizes.reported, n, chance)
    start, wide = begins(made, sizes) if right & {"smooth", "late", "emergent"} else (None, None)
    known = rng.random() < 0.5
    return Case(curve, right, start, wide, items if known else None, clusters if known else None)


def widened(right: frozenset[str], levels: Floats, sd: float) -> frozenset[str]:
    """Flat rows that scatter much, or by one model, deserve another word too."""
    if right != {"flat"}:
        return right
    apart = np.abs(levels - np.median(levels))
    alone = apart.max() >= 0.1 and np.ptp(np.delete(levels, apart.argmax())) < 0.05
    return right | ({"irregular"} if sd > 0.03 else set()) | ({"one-model"} if alone else set())


def begins(made: Made, sizes: Ladder) -> tuple[float, float]:
    """Where a tenth of the rise is done, and how wide it is to nine tenths: log10 of the reported sizes."""
    fine = np.linspace(sizes.true[0], sizes.true[-1], 600)
    g = made.course(fine)
    done = (g - g[0]) / (g[-1] - g[0])
    ends = np.interp([fine[np.argmax(done >= share)] for share in (0.1, 0.9)], sizes.true, sizes.reported)
    return float(ends[0]), float(ends[1] - ends[0])
