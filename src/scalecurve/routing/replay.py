"""Controllers replayed on stored answers, beside what needs no controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.stats.bootstrap import paired
from scalecurve.routing.answer_pairs import Pairs
from scalecurve.routing.controllers import Controller
from scalecurve.routing.fit import settled

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean over items with its 95% interval from the paired bootstrap."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """A way of answering on some items.

    ``tokens`` are generated, ``work`` is read and generated, both an item and in tokens of the rung that answers fast:
    a larger rung's count by the ratio of the parameters, since a token costs a forward pass of about 2 × parameters
    floating-point operations (Kaplan et al. 2020, arXiv 2001.08361, §2.1). ``deferred``: the share not answered fast.
    ``over_best`` and ``over_slow``: accuracy minus that of the better of always fast and always slow, and of always
    slow, on the same items; significantly below means that the interval's upper end is below 0.
    """

    name: str
    accuracy: MeanInterval
    tokens: MeanInterval
    work: MeanInterval
    deferred: float
    over_best: MeanInterval
    over_slow: MeanInterval
    share: MeanInterval
    """Of the tokens of always slow."""


@dataclass(frozen=True, slots=True)
class ItemResults:
    """What a way of answering makes of each item: right (0–1), tokens, work, and the chance of not answering fast."""

    name: str
    right: Floats
    tokens: Floats
    work: Floats
    deferred: Floats


def replay(controller: Controller, items: Pairs, *, seed: int = 0, replicates: int = 2000) -> ReplayOutcome:
    """What ``controller`` does on ``items``: a deferred item costs both answers, and the one settled on counts."""
    return outcome(way_of(controller, items), items, seed=seed, replicates=replicates)


def way_of(controller: Controller, items: Pairs) -> ItemResults:
    """What ``controller`` makes of each item."""
    defer = controller.defer(items.signals).astype(float)
    return ItemResults(
        controller.name,
        np.where(defer > 0, settled(controller.policy, items), items.fast),
        items.fast_cost + defer * items.slow_cost,
        items.fast_work + defer * items.slow_work,
        defer,
    )


def baselines(
    items: Pairs, development: Pairs, rate: float, *, seed: int = 0, replicates: int = 2000
) -> tuple[ReplayOutcome, ...]:
    """Always fast, always slow, random deferral at ``rate`` (in expectation), the task router, and two oracles.

    The task router takes, for a whole family, the way that was better on ``development`` (fast where equal or unseen)
    and pays for that way only. The oracle defers exactly what slow thinking fixes: no controller is more often right.
    ``least`` defers the cheapest of these until it is as often right as always slow: no controller that answers fast
    first gets there with fewer tokens.
    """
    n = len(items)
    routed = np.zeros(n)
    for name in np.unique(items.family):
        own = development.family == name
        routed[items.family == name] = own.any() and development.slow[own].mean() > development.fast[own].mean()
    fixed = np.maximum(items.slow - items.fast, 0)
    ways = (
        mixed("always fast", items, np.zeros(n)),
        mixed("always slow", items, np.ones(n)),
        mixed(f"random {rate:.0%}", items, np.full(n, rate), both=True),
        mixed("task router", items, routed),
        mixed("oracle", items, fixed, both=True),
        mixed("least", items, _cheapest(items), both=True),
    )
    return tuple(outcome(way, items, seed=seed, replicates=replicates) for way in ways)


def _cheapest(items: Pairs) -> Floats:
    """1 for the items to fix, by ascending cost, until slow's accuracy is reached."""
    fixes = np.flatnonzero(items.slow > items.fast)
    wanted = max(0, round(items.slow.sum() - items.fast.sum()))
    chosen = np.zeros(len(items))
    chosen[fixes[np.argsort(items.slow_cost[fixes], kind="stable")][:wanted]] = 1.0
    return chosen


def mixed(name: str, items: Pairs, share: Floats, *, both: bool = False) -> ItemResults:
    """Each item answered slowly with chance ``share``; ``both``: where so, the fast answer was paid for as well."""
    fast = 1.0 if both else 1 - share
    return ItemResults(
        name,
        np.asarray(items.fast + share * (items.slow - items.fast), float),
        np.asarray(fast * items.fast_cost + share * items.slow_cost, float),
        np.asarray(fast * items.fast_work + share * items.slow_work, float),
        share,
    )


def equal_work(name: str, items: Pairs, other: Pairs, work: float) -> ItemResults:
    """Items answered fast, or by the other way of ``other`` (same items): at random, so often that ``work`` is spent.

    ``work`` is the mean over items. Where the other way costs no more, it answers all.
    """
    spare = float(other.slow_work.mean() - other.fast_work.mean())
    share = 1.0 if spare <= 0 else float(np.clip((work - items.fast_work.mean()) / spare, 0.0, 1.0))
    return mixed(f"{name}, {share:.0%}", other, np.full(len(items), share))


def front(outcomes: Sequence[ReplayOutcome]) -> tuple[ReplayOutcome, ...]:
    """The outcomes that no other beats in accuracy at equal or fewer tokens, by ascending tokens."""
    kept: list[ReplayOutcome] = []
    for one in sorted(outcomes, key=lambda o: (o.tokens.value, -o.accuracy.value)):
        if not kept or one.accuracy.value > kept[-1].accuracy.value:
            kept.append(one)
    return tuple(kept)


def outcome(way: ItemResults, items: Pairs, *, seed: int = 0, replicates: int = 2000) -> ReplayOutcome:
    """``way`` with intervals; the items are drawn jointly for everything that is compared."""
    best = items.slow if items.slow.mean() > items.fast.mean() else items.fast
    columns: Mapping[str, Floats] = {
        "accuracy": way.right,
        "tokens": way.tokens,
        "work": way.work,
        "over_best": way.right - best,
        "over_slow": way.right - items.slow,
        "slow": items.slow_cost,
    }
    values = np.column_stack(list(columns.values())).astype(float)
    copies = dict(zip(columns, paired(values, replicates, seed).T, strict=True))
    means = dict(zip(columns, values.mean(axis=0), strict=True))
    copies["share"] = copies["tokens"] / np.maximum(copies.pop("slow"), 1e-9)
    means["share"] = means["tokens"] / max(means.pop("slow"), 1e-9)
    found = {name: MeanInterval(float(means[name]), *_interval(copies[name])) for name in means}
    return ReplayOutcome(name=way.name, deferred=float(way.deferred.mean()), **found)


def _interval(copies: Floats) -> tuple[float, float]:
    low, high = np.quantile(copies, (0.025, 0.975))
    return float(low), float(high)
