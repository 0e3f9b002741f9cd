"""Cascades with a guarantee: a small model decides the clear cases, the oracle model the rest.

The promise is against the oracle's answers, not the truth: with probability at least 1 − δ, recall and precision of the
result are at least their targets. Items are labelled adaptively, as in BARGAIN (Zeighami, Shankar and Parameswaran,
arXiv 2509.02896): a few along the scores, to guess where thresholds may lie; all between them; then, of those that
would go unasked, a random few at a time until betting bounds (``betting``) say that no more are wrong than may be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scalecurve.query.answers.betting import Bound

LEAST = 100
"""So many items or fewer are all labelled: there is nothing to save."""
PILOT = (64, 32, 400)  # items labelled first, spread evenly along the scores: at least, one in so many, at most
GRID = 120  # candidates for each threshold
BATCH = 12  # items labelled at a time to confirm
STAGE = 0.75  # of the error probability that is left, the share that each attempt at thresholds may use
PATIENCE = 2.0  # an attempt is given up when it has taken so many times the labels that it should have

Oracle = Callable[[Sequence[int]], Sequence[bool]]


@dataclass(frozen=True, slots=True)
class Targets:
    """What is promised: least ``recall`` and ``precision`` (0–1), either missed with probability at most ``delta``."""

    recall: float
    precision: float
    delta: float = 0.2

    def __post_init__(self) -> None:
        for name in ("recall", "precision", "delta"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Accept a score of at least ``accept``; reject one strictly below ``reject``; the oracle labels the others.

    ``accept`` +∞ and ``reject`` −∞ leave everything to the oracle.
    """

    reject: float = -math.inf
    accept: float = math.inf


@dataclass(frozen=True, slots=True)
class Cascade:
    """The labels of all items in order, the thresholds that decided, and how many items the oracle labelled."""

    labels: tuple[bool, ...]
    thresholds: Thresholds
    oracle_calls: int


def run_cascade(scores: Sequence[float], oracle: Oracle, targets: Targets, *, seed: int = 0) -> Cascade:
    """Label every item: by thresholds on its proxy score where they are sure, else by ``oracle``.

    ``oracle`` is given indices and returns their labels; it is asked about no item twice. The order of the items does
    not matter to the promise.
    """
    import numpy as np

    if not all(math.isfinite(score) for score in scores):
        raise ValueError("every proxy score must be a finite number")
    search = _Search(np.asarray(scores, dtype=float), oracle, targets, np.random.default_rng(seed))
    thresholds = search.run() if len(scores) else Thresholds()
    decided = np.where(search.known, search.label, search.scores >= thresholds.accept)
    return Cascade(tuple(map(bool, decided)), thresholds, int(search.known.sum()))


class _Search:
    """Labels so far, and the attempts at thresholds."""

    def __init__(self, scores: Any, oracle: Oracle, targets: Targets, random: Any) -> None:
        import numpy as np

        self.scores, self.oracle, self.targets, self.random = scores, oracle, targets, random
        self.known = np.zeros(len(scores), dtype=bool)
        self.label = np.zeros(len(scores), dtype=bool)

    def run(self) -> Thresholds:
        """Thresholds that are confirmed; those that leave everything to the oracle where none are."""
        import numpy as np

        everything = np.arange(len(self.scores))
        if len(self.scores) > LEAST:
            least, every, most = PILOT
            pilot = min(max(least, len(self.scores) // every), most)
            order = np.lexsort((self.random.random(len(self.scores)), self.scores))
            self.ask(np.array([self.random.choice(part) for part in np.array_split(order, pilot)]))
            alpha = self.targets.delta / 2
            while (plan := self.plan(alpha * STAGE)) is not None:
                thresholds, needed = plan
                if self.confirm(thresholds, alpha * STAGE, PATIENCE * needed + BATCH):
                    return Thresholds() if self.known.all() else thresholds
                alpha *= 1 - STAGE
        self.ask(everything)
        return Thresholds()

    def ask(self, items: Any) -> None:
        """Have the oracle label those of ``items`` that it has not."""
        new = items[~self.known[items]]
        if len(new):
            self.label[new] = [bool(label) for label in self.oracle(new.tolist())]
            self.known[new] = True

    # ── Where thresholds may lie ────────────────────────────────────────────────────────────────────────────
    def plan(self, alpha: float) -> tuple[Thresholds, float] | None:
        """The thresholds that should take the fewest labels, and how many to confirm; None where all is as cheap."""
        import numpy as np

        chance = _calibrated(self.scores, self.known, self.label)
        free = np.flatnonzero(~self.known)
        free = free[np.argsort(self.scores[free])]
        cuts = np.unique(np.quantile(self.scores[free], np.linspace(0, 1, GRID))) if len(free) else np.zeros(0)
        cuts = np.append(cuts, np.inf)
        below = np.searchsorted(self.scores[free], cuts)  # how many lie below each
        size, yes = below.astype(float), np.concatenate([[0.0], np.cumsum(chance[free])])[below]
        low, high = np.triu_indices(len(cuts))  # every pair of thresholds, in order
        accepted = size[-1] - size[high]
        wrong = accepted - (yes[-1] - yes[high])
        sure = self.label[self.known].sum() + yes[high] - yes[low]
        taken = _labels(size[low], yes[low], self._missable(sure, accepted, wrong), alpha)
        taken = taken + _labels(accepted, wrong, self._wrongable(sure, accepted), alpha)
        total = size[high] - size[low] + taken
        best = int(np.argmin(total))
        if total[best] >= size[-1]:
            return None
        reject = float(cuts[low[best]]) if low[best] else -math.inf
        return Thresholds(reject, float(cuts[high[best]])), float(taken[best])

    def _wrongable(self, sure: Any, accepted: Any) -> Any:
        """How many accepted items may be wrong, beside ``sure`` items that the oracle has called yes."""
        return (1 - self.targets.precision) * (sure + accepted)

    def _missable(self, sure: Any, accepted: Any, wrong: Any) -> Any:
        """How many rejected items may be yes."""
        return (1 - self.targets.recall) / self.targets.recall * (sure + accepted - wrong)

    # ── Whether they hold ───────────────────────────────────────────────────────────────────────────────────
    def confirm(self, thresholds: Thresholds, alpha: float, most: float) -> bool:
        """Whether the bounds say so before ``most`` more labels are spent. All between the thresholds is labelled."""
        import numpy as np

        chance = _calibrated(self.scores, self.known, self.label)
        rejected = ~self.known & (self.scores < thresholds.reject)
        accepted = ~self.known & (self.scores >= thresholds.accept)
        self.ask(np.flatnonzero(~rejected & ~accepted))
        missed = _Drawn(self, rejected, chance, True, alpha)
        wrong = _Drawn(self, accepted, chance, False, alpha)
        spent = 0
        while True:
            sure = int(self.label[self.known].sum())
            at_most = wrong.left()
            pure = at_most <= self._wrongable(sure, wrong.size)
            whole = missed.left() <= self._missable(sure, wrong.size, at_most)
            if pure and whole:
                return True
            if spent > most:
                return False
            for drawn, needed in ((missed, not whole), (wrong, not pure)):
                spent += drawn.more() if needed else 0


class _Drawn:
    """Items that would go unasked, in a random order in which they are labelled; those labelled ``bad`` are errors."""

    def __init__(self, search: _Search, items: Any, chance: Any, bad: bool, alpha: float) -> None:
        import numpy as np

        self.search, self.bad = search, bad
        self.order = search.random.permutation(np.flatnonzero(items))
        rate = chance[items] if bad else 1 - chance[items]
        self.bound = Bound(len(self.order), float(rate.mean()) if len(rate) else 0.5, alpha)

    @property
    def size(self) -> int:
        """Items that are not labelled yet."""
        return len(self.order) - self.bound.drawn

    def left(self) -> int:
        """The most of them that can be errors."""
        return self.bound.most - self.bound.found

    def more(self) -> int:
        """Label a few more; how many."""
        some = self.order[self.bound.drawn : self.bound.drawn + BATCH]
        self.search.ask(some)
        self.bound.add(len(some), int((self.search.label[some] == self.bad).sum()))
        return len(some)


def _labels(size: Any, errors: Any, allowed: Any, alpha: float) -> Any:
    """About how many labels it takes to see that of ``size`` items no more than ``allowed`` are errors; arrays."""
    import numpy as np

    rate, most = (errors + 0.25) / (size + 0.5), np.clip(allowed / np.maximum(size, 1), 1e-9, 1 - 1e-9)
    gain = rate * np.log(rate / most) + (1 - rate) * np.log((1 - rate) / (1 - most))
    taken = math.log(1 / alpha) / np.maximum(gain, 1e-12)
    needed = np.where(rate >= most, size, size * taken / (size + taken))
    return np.where((size <= 0) | (allowed >= size), 0.0, needed)


def _calibrated(scores: Any, known: Any, label: Any) -> Any:
    """The probability of yes of every item, by a logistic curve of its score's logit through the labels so far."""
    import numpy as np

    low, high = scores.min(), scores.max()
    scaled = (scores - low) / (high - low) if high > low and (low < 0 or high > 1) else scores
    clipped = np.clip(scaled, 1e-4, 1 - 1e-4)
    features = np.column_stack([np.ones(len(scores)), np.log(clipped / (1 - clipped))])
    x, y = features[known], label[known].astype(float)
    weights, ridge = np.zeros(2), np.diag([0.1, 0.1])
    for _ in range(25):  # Newton's method
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (y - p) - ridge @ weights
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, slope)
        weights = weights + np.clip(step, -2, 2)
    return 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
