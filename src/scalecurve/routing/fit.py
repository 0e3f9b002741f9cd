"""Fitting controllers on stored answers: thresholds, isotonic per family, learned, and bars that save tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scalecurve.routing.answer_pairs import Pairs
from scalecurve.routing.controllers import Controller, worth
from scalecurve.routing.policies import (
    Calibrated,
    FamilyStats,
    Learned,
    Policy,
    Threshold,
    columns_after,
    columns_before,
)
from scalecurve.routing.regression import FeatureSpace, Logistic, LogLinear, folds

Floats = NDArray[np.float64]
PRIOR = 4.0
"""Items' worth of the mean over all families that is mixed into each family's own mean."""
PENALTIES = (2.0, 10.0, 50.0, 250.0)
FOLDS = 5


def threshold(least: float) -> Controller:
    """Think slowly where the fast answer's confidence is below ``least`` (0–1); unknown confidence counts as none."""
    return Controller(Threshold(least))


def calibrated(development: Pairs) -> Controller:
    """Per family, isotonic regression of "the fast answer is right" on its confidence, against the slow accuracy.

    Without stored confidences it becomes a task router. A family that was not seen takes the values over all.
    """
    overall = _habit(development, None)
    names = [str(name) for name in np.unique(development.family)]
    own = {name: _habit(development.take(development.family == name), overall) for name in names}
    return Controller(Calibrated({"": overall, **own}))


def learned(development: Pairs) -> Controller:
    """Ridge-penalised logistic regressions on the signals (``Learned``), all on ``development``.

    What thinking slowly is worth depends on how fast and slow answers are then reconciled. That is judged out of fold:
    each fifth of the items by a choice fitted on the others. So are the penalties chosen.
    """
    return Controller(_learn(development, _penalties(development)))


def budgeted(controller: Controller, development: Pairs, tokens: float) -> Controller:
    """``controller`` at the least rate at which the development items spend at most ``tokens`` each on the mean."""
    each = worth(controller.policy, development.signals)
    order = np.argsort(-each, kind="stable")
    spent = (development.fast_cost.sum() + np.cumsum(development.slow_cost[order])) / len(development)
    within = int(np.searchsorted(spent, tokens, side="right"))  # as many as can be afforded
    rate = max(controller.rate, _between(each[order], within))
    return replace(controller, label=f"{controller.name}, at most {tokens:g} tokens", rate=rate)


def thrifty(development: Pairs) -> Controller:
    """The learned controller at the greatest rate that keeps the better of always fast and always slow.

    The accuracy at each rate is judged out of fold on ``development``. Of all rates the greatest is taken below which
    no rate falls under the goal; where even rate 0 does, it stays 0.
    """
    penalties = _penalties(development)
    goal = max(development.fast.mean(), development.slow.mean())
    each, right = np.empty(len(development)), np.empty(len(development))
    for fold in folds(len(development)):
        rest = np.setdiff1d(np.arange(len(development)), fold)
        policy, own = _learn(development.take(rest), penalties), development.take(fold)
        each[fold], right[fold] = worth(policy, own.signals), settled(policy, own)
    order = np.argsort(-each, kind="stable")
    order = order[each[order] > 0]
    accuracy = (development.fast.sum() + np.cumsum((right - development.fast)[order])) / len(development)
    keeps = np.flatnonzero(accuracy < goal)
    kept = int(keeps[-1]) + 1 if len(keeps) else 0
    rate = _between(each[order], kept + 1) if kept < len(order) else 0.0
    return Controller(_learn(development, penalties), rate=rate, label="learned, thrifty")


def _between(falling: Floats, count: int) -> float:
    """The rate above which the first ``count`` of the falling worths lie: midway to the next, and never below 0."""
    before = falling[count - 1] if count else np.inf
    after = falling[count] if count < len(falling) else 0.0
    middle = (before + after) / 2 if np.isfinite(before) else after
    return max(float(middle), 0.0)


def settled(policy: Policy, items: Pairs) -> Floats:
    """1 where the answer that stays after thinking slowly about each item is right."""
    take, _ = policy.settle(items.signals, items.after)
    return np.where(take, items.slow, items.fast)


@dataclass(frozen=True, slots=True)
class _Penalties:
    """Of the regressions before and after a slow answer, and of the choice between the two."""

    before: float
    after: float
    choice: float


def _penalties(development: Pairs) -> _Penalties:
    """Those of least log loss out of fold."""
    known, seen = _matrices(development)[1::2]
    telling = _telling(development)
    return _Penalties(
        before=_penalty(known, development.fast),
        after=_penalty(seen, development.slow),
        choice=_penalty(seen[telling], development.slow[telling]),
    )


def _penalty(matrix: Floats, yes: Floats) -> float:
    """The penalty whose predictions of the items left out have the least log loss; the greatest for very few items."""
    if len(yes) < 2 * FOLDS:
        return PENALTIES[-1]
    losses = []
    for penalty in PENALTIES:
        loss = 0.0
        for fold in folds(len(yes), FOLDS):
            rest = np.setdiff1d(np.arange(len(yes)), fold)
            p = np.clip(Logistic.fit(matrix[rest], yes[rest], penalty)(matrix[fold]), 1e-6, 1 - 1e-6)
            loss -= float(np.sum(np.where(yes[fold] > 0, np.log(p), np.log1p(-p))))
        losses.append(loss)
    return PENALTIES[int(np.argmin(losses))]


def _matrices(development: Pairs) -> tuple[FeatureSpace, Floats, FeatureSpace, Floats]:
    """The spaces before and after, with the items in them."""
    columns = columns_before(development.signals)
    before = FeatureSpace.fit(*columns)
    known = before.matrix(*columns)
    columns = columns_after(development.signals, development.after)
    after = FeatureSpace.fit(*columns)
    return before, known, after, after.matrix(*columns)


def _learn(development: Pairs, penalties: _Penalties) -> Learned:
    before, known, after, seen = _matrices(development)
    telling = _telling(development)
    right = np.empty(len(development))
    for fold in folds(len(development), FOLDS):
        among = np.setdiff1d(telling, fold)
        choice = Logistic.fit(seen[among], development.slow[among], penalties.choice)
        take = development.after.agree | ((choice(seen) > 0.5) & _found(development))
        right[fold] = np.where(take, development.slow, development.fast)[fold]
    return Learned(
        before=before,
        fast=Logistic.fit(known, development.fast, penalties.before),
        slow=Logistic.fit(known, right, penalties.before),
        tokens=LogLinear.fit(known, development.slow_cost),
        after=after,
        choice=Logistic.fit(seen[telling], development.slow[telling], penalties.choice),
        last=Logistic.fit(seen, right, penalties.after),
    )


def _telling(items: Pairs) -> NDArray[np.intp]:
    """Indices of the items where the answers differ and one of them is right."""
    return np.flatnonzero((items.fast != items.slow) & ~items.after.agree)


def _found(items: Pairs) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = items.after.answer != ""
    return found


def _habit(own: Pairs, overall: FamilyStats | None) -> FamilyStats:
    """The record of the items ``own``, its means drawn towards those of ``overall``."""

    def mean(values: Floats, name: str, place: int | None = None) -> float:
        if overall is None:
            return float(values.mean()) if len(values) else 0.0
        prior = getattr(overall, name) if place is None else getattr(overall, name)[place]
        return float((values.sum() + PRIOR * prior) / (len(values) + PRIOR))

    found = _found(own)
    agree, differ, lost = own.after.agree, found & ~own.after.agree, ~found
    rates = mean(own.fast[differ], "differ", 0), mean(own.slow[differ], "differ", 1)
    take = agree | (found & (rates[1] > rates[0]))
    return FamilyStats(
        knots=_isotonic(own.signals.confidence, own.fast),
        fast=mean(own.fast, "fast"),
        settled=mean(np.where(take, own.slow, own.fast), "settled"),
        cost=mean(own.slow_cost, "cost"),
        agreed=mean(own.slow[agree], "agreed"),
        differ=rates,
        unfound=mean(own.fast[lost], "unfound"),
    )


def _isotonic(confidence: Floats, right: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Knots (confidence, P(right)) of the isotonic regression; those that change nothing are left out."""
    from scipy.optimize import isotonic_regression

    known = np.isfinite(confidence)
    if not known.any():
        return (), ()
    at, place = np.unique(confidence[known], return_inverse=True)
    count = np.bincount(place)
    fit = isotonic_regression(np.bincount(place, weights=right[known]) / count, weights=count).x
    edge = np.ones(len(at), bool)
    edge[1:-1] = (fit[1:-1] != fit[:-2]) | (fit[1:-1] != fit[2:])
    return tuple(float(x) for x in at[edge]), tuple(float(y) for y in fit[edge])
