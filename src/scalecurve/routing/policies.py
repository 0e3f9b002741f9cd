"""Policies: what thinking slowly about an item is expected to gain and cost, and which of two answers stays.

None lets slow override fast by default: without evidence of a gain the fast answer is kept, and where the two differ
the evidence decides between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scalecurve.errors import UserError
from scalecurve.routing.features import FastFeatures, Floats, SlowFeatures, Texts
from scalecurve.routing.regression import FeatureSpace, Logistic, LogLinear, log_odds, plain_numbers

Bools = NDArray[np.bool_]


class Policy(Protocol):
    """What decides about one slow way of answering."""

    @property
    def name(self) -> str: ...

    def right(self, items: FastFeatures) -> Floats:
        """P(the fast answer is right); NaN where unknown."""

    def gain(self, items: FastFeatures) -> Floats:
        """P(right after thinking slowly) − P(the fast answer is right)."""

    def cost(self, items: FastFeatures) -> Floats:
        """Tokens that thinking slowly is expected to generate."""

    def settle(self, items: FastFeatures, after: SlowFeatures) -> tuple[Bools, Floats]:
        """Whether the slow answer is taken, and P(the answer that stays is right) (NaN unknown)."""

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Threshold:
    """Think slowly where the fast answer's confidence is below ``least`` (0–1); unknown confidence counts as none.

    It knows nothing of cost: a controller's rate is simply taken off ``least``. A slow answer is taken where there is
    one: whoever sets a threshold says that doubt alone calls for it.
    """

    least: float

    def __post_init__(self) -> None:
        if not 0 <= self.least <= 1:
            raise UserError(f"threshold: {self.least} is not a confidence; use 0 to 1")

    @property
    def name(self) -> str:
        return f"threshold {self.least:g}"

    def right(self, items: FastFeatures) -> Floats:
        return items.confidence

    def gain(self, items: FastFeatures) -> Floats:
        return np.asarray(self.least - np.nan_to_num(items.confidence, nan=0.0), float)

    def cost(self, items: FastFeatures) -> Floats:
        return np.ones(len(items))

    def settle(self, items: FastFeatures, after: SlowFeatures) -> tuple[Bools, Floats]:
        take = after.answer != ""
        return take, np.where(take, after.confidence, items.confidence)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "threshold", "least": self.least}


@dataclass(frozen=True, slots=True)
class FamilyStats:
    """One family's record: isotonic knots (confidence, P(fast right)) and rates over its items.

    ``fast``: P(fast right) where confidence is unknown. ``settled``: P(right) after thinking slowly and settling.
    ``cost``: mean slow tokens. ``agreed``: P(right) where both say the same. ``differ``: (P(fast right),
    P(slow right)) where they do not. ``unfound``: P(fast right) where no slow answer was found.
    """

    knots: tuple[tuple[float, ...], tuple[float, ...]]
    fast: float
    settled: float
    cost: float
    agreed: float
    differ: tuple[float, float]
    unfound: float

    def right(self, confidence: Floats) -> Floats:
        if not self.knots[0]:
            return np.full(len(confidence), self.fast)
        found = np.interp(confidence, *self.knots)
        return np.where(np.isfinite(confidence), found, self.fast)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Per family, isotonic regression of "the fast answer is right" on its confidence, against the slow accuracy.

    Without confidences it is a task router. A family that was not seen takes the record over all (``""``).
    """

    habits: Mapping[str, FamilyStats]

    @property
    def name(self) -> str:
        return "calibrated"

    def right(self, items: FastFeatures) -> Floats:
        return self._each(items.family, lambda habit, own: habit.right(items.confidence[own]))

    def gain(self, items: FastFeatures) -> Floats:
        return self._each(items.family, lambda habit, own: habit.settled - habit.right(items.confidence[own]))

    def cost(self, items: FastFeatures) -> Floats:
        return self._each(items.family, lambda habit, own: np.full(int(own.sum()), habit.cost))

    def settle(self, items: FastFeatures, after: SlowFeatures) -> tuple[Bools, Floats]:
        def sure(habit: FamilyStats, own: Bools) -> Floats:
            found = after.answer[own] != ""
            return np.where(after.agree[own], habit.agreed, np.where(found, max(habit.differ), habit.unfound))

        better = self._each(
            items.family, lambda habit, own: np.full(int(own.sum()), float(habit.differ[1] > habit.differ[0]))
        )
        return after.agree | ((better > 0) & (after.answer != "")), self._each(items.family, sure)

    def _each(self, family: Texts, value: Any) -> Floats:
        out = np.empty(len(family))
        for name in np.unique(family):
            own = family == name
            out[own] = value(self.habits.get(str(name), self.habits[""]), own)
        return out

    def to_json(self) -> dict[str, Any]:
        habits = {name: {key: getattr(one, key) for key in one.__slots__} for name, one in self.habits.items()}
        return {"kind": "calibrated", "habits": habits}


@dataclass(frozen=True, slots=True)
class Learned:
    """Logistic regressions on all signals.

    ``fast`` and ``slow``: whether the fast answer is right, and whether the one settled on after a slow one is, from
    what is known before. ``tokens``: what the slow answer will cost. ``choice``: where the two differ and one is
    right, whether it is the slow one. ``last``: whether the answer settled on is right, from all that is known then.
    """

    before: FeatureSpace
    fast: Logistic
    slow: Logistic
    tokens: LogLinear
    after: FeatureSpace
    choice: Logistic
    last: Logistic

    @property
    def name(self) -> str:
        return "learned"

    def right(self, items: FastFeatures) -> Floats:
        return self.fast(self.before.matrix(*columns_before(items)))

    def gain(self, items: FastFeatures) -> Floats:
        matrix = self.before.matrix(*columns_before(items))
        return np.asarray(self.slow(matrix) - self.fast(matrix), float)

    def cost(self, items: FastFeatures) -> Floats:
        return self.tokens(self.before.matrix(*columns_before(items)))

    def settle(self, items: FastFeatures, after: SlowFeatures) -> tuple[Bools, Floats]:
        matrix = self.after.matrix(*columns_after(items, after))
        return after.agree | ((self.choice(matrix) > 0.5) & (after.answer != "")), self.last(matrix)

    def to_json(self) -> dict[str, Any]:
        plain: dict[str, object] = {"kind": "learned", "before": self.before.to_json(), "after": self.after.to_json()}
        plain |= {name: getattr(self, name).weights for name in ("fast", "slow", "choice", "last")}
        return plain | {"tokens": {"weights": self.tokens.weights, "scale": self.tokens.scale}}


BEFORE = ("confidence", "margin", "entropy", "tokens", "words", "digits")
AFTER = (*BEFORE, "slow confidence", "slow tokens", "found", "agree")


def columns_before(items: FastFeatures) -> tuple[Texts, dict[str, Texts], dict[str, Floats]]:
    """The columns that decide whether to think slowly."""
    numbers = {
        "confidence": log_odds(items.confidence),
        "margin": np.sqrt(items.margin),
        "entropy": items.entropy,
        "tokens": np.log1p(items.tokens),
        "words": np.log1p(items.words),
        "digits": np.log1p(items.digits),
    }
    return items.family, {"answer": items.answer}, numbers


def columns_after(items: FastFeatures, after: SlowFeatures) -> tuple[Texts, dict[str, Texts], dict[str, Floats]]:
    """The columns that decide between two answers: those from before, and what the slow answer adds."""
    family, texts, numbers = columns_before(items)
    numbers |= {
        "slow confidence": log_odds(after.confidence),
        "slow tokens": np.log1p(after.tokens),
        "found": (after.answer != "").astype(float),
        "agree": after.agree.astype(float),
    }
    return family, {**texts, "slow answer": after.answer}, numbers


def policy_from_json(data: Mapping[str, Any]) -> Policy:
    """The policy that ``to_json`` wrote; KeyError, TypeError or ValueError where it is none."""
    if data["kind"] == "threshold":
        return Threshold(float(data["least"]))
    if data["kind"] == "calibrated":
        return Calibrated(
            {name: _habit(one) for name, one in data["habits"].items()} | {"": _habit(data["habits"][""])}
        )
    if data["kind"] != "learned":
        raise ValueError(f"unknown kind {data['kind']!r}")
    before, after = FeatureSpace.from_json(data["before"], BEFORE), FeatureSpace.from_json(data["after"], AFTER)
    wide = {"fast": before, "slow": before, "choice": after, "last": after}
    models = {name: Logistic(plain_numbers(data[name], space.width)) for name, space in wide.items()}
    (scale,) = plain_numbers([data["tokens"]["scale"]], 1)
    tokens = LogLinear(plain_numbers(data["tokens"]["weights"], before.width), scale)
    return Learned(before=before, after=after, tokens=tokens, **models)


def _habit(data: Mapping[str, Any]) -> FamilyStats:
    x, y = data["knots"]
    knots = plain_numbers(x, len(x)), plain_numbers(y, len(x))
    first, second = plain_numbers(data["differ"], 2)
    names = ("fast", "settled", "cost", "agreed", "unfound")
    rates = dict(zip(names, plain_numbers([data[name] for name in names], len(names)), strict=True))
    return FamilyStats(knots=knots, differ=(first, second), **rates)
