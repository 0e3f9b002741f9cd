"""Where the next examples go: to the curves whose verdict is open, and of those to the rungs that keep it open.

Nothing here knows of models or files: a real run and a replay of stored scores go through the same steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.stats.errors import flatness
from scalecurve.analysis.verdicts.judge import discovery_level
from scalecurve.runner.adaptive.predictive import PredictedVerdict, predicted_curve, predicted_verdict
from scalecurve.types import Curve

Floats = NDArray[np.float64]

FIRST = 24  # examples of every rung before anything is concluded
GROWTH, LARGE_GROWTH = 0.25, 1.0  # a rung that is asked more is asked so much again, at least one part
NEAR = 0.5  # rungs whose examples are worth at least half as much as the best ones are asked in the same round
CHECKS = 3  # a curve that seems decided is looked at again with so many fresh sets of draws
DOUBTFUL = 0.75  # no curve is settled at a lower probability, however sure the others are


@dataclass(slots=True)
class OpenCurve:
    """A curve in the making. ``seen``: for each rung the scores so far, a prefix of one fixed random order, on 0–1.

    ``costs``: of one example of each rung, in any unit. ``part``: examples that are asked as a whole. ``growth``: of
    each rung, or of all. ``decided``: the prediction that settled it; None while it is open. ``lost``: examples of each
    rung that were asked and could not be scored.
    """

    curve: Curve
    total: int
    part: int
    costs: Floats
    seen: list[Floats] = field(default_factory=list)
    decided: PredictedVerdict | None = None
    growth: Floats | float = GROWTH
    lost: NDArray[np.int64] | int = 0

    @property
    def asked(self) -> NDArray[np.int64]:
        return np.array([len(scores) for scores in self.seen], dtype=np.int64) + self.lost

    @property
    def whole(self) -> bool:
        return bool((self.asked >= self.total).all())


def next_round(curves: Sequence[OpenCurve], confidence: float, seed: int = 0) -> list[NDArray[np.int64]]:
    """Look at every open curve, settle those that are decided, and say how many examples of each rung are wanted.

    One array (rungs,) a curve: what was asked already where nothing more is wanted.
    """
    level = flat_level(curves)
    looks = {
        number: predicted_verdict(each.curve, each.seen, each.total, flat_level=level, seed=seed + number)
        for number, each in enumerate(curves)
        if each.decided is None and not each.whole and all(map(len, each.seen))
    }
    _settle(curves, looks, confidence, level, seed)
    wanted = []
    for number, each in enumerate(curves):
        asked = each.asked
        if number in looks and each.decided is None:
            wanted.append(_more(each, looks[number]))
        elif (asked == 0).any():
            wanted.append(np.maximum(asked, _rounded(np.full(len(asked), FIRST), each)))
        else:
            wanted.append(asked)
    return wanted


def _settle(
    curves: Sequence[OpenCurve], looks: dict[int, PredictedVerdict], confidence: float, level: float, seed: int
) -> None:
    """Settle the surest of the open curves, as many as leave ``confidence`` to the settled ones on average.

    The expected share of settled verdicts that asking the rest would change is then at most 1 − ``confidence``, an
    average over verdicts as a false discovery rate is one over discoveries.
    """
    settled = [each.decided.probability for each in curves if each.decided is not None]

    def fits(look: PredictedVerdict) -> bool:
        return look.probability >= DOUBTFUL and float(np.mean([*settled, look.probability])) >= confidence

    for number, look in sorted(looks.items(), key=lambda item: -item[1].probability):
        if not fits(look):
            break
        sure = _again(curves[number], look, level, seed + number)
        if fits(sure):
            curves[number].decided = sure
            settled.append(sure.probability)


def _again(each: OpenCurve, look: PredictedVerdict, level: float, seed: int) -> PredictedVerdict:
    """A second look: a share of agreeing sets that has crossed the line may owe it to the luck of the draws."""
    seeds = [seed + 7919 * (check + 1) for check in range(CHECKS)]
    found = [predicted_verdict(each.curve, each.seen, each.total, flat_level=level, seed=fresh) for fresh in seeds]
    probability = float(np.mean([one.probability * (one.shape == look.shape) for one in found]))
    return replace(look, probability=probability)


def flat_level(curves: Sequence[OpenCurve]) -> float:
    """The p-value below which a curve is not flat, over all curves as they would be with every example asked."""
    values = []
    for each in curves:
        if each.seen and all(map(len, each.seen)) and len(each.curve.x) >= 2:
            whole = predicted_curve(each.curve, each.seen, each.total)
            values.append(flatness(whole.y, whole.se)[1])
    return discovery_level(values)


def _more(each: OpenCurve, look: PredictedVerdict) -> NDArray[np.int64]:
    """More examples for the rungs that are worth most: doubt they cause × share of it removed ÷ cost."""
    asked = each.asked
    grown = _rounded(np.minimum(asked + np.maximum(asked * each.growth, 1), each.total), each)
    spread = np.array([scores.std() + 0.5 / np.sqrt(len(scores) + 1) for scores in each.seen])
    doubt, after = _variance(spread, asked, each.total), _variance(spread, grown, each.total)
    removed = np.where(doubt > 0, 1 - after / np.maximum(doubt, 1e-12), 0.0)
    blame = look.weights + 0.02 * doubt / max(doubt.max(), 1e-12)  # none is beyond suspicion
    worth = blame * removed / (each.costs * np.maximum(grown - asked, 1))
    chosen = (worth >= NEAR * worth.max()) & (asked < each.total)
    return np.asarray(np.where(chosen, grown, asked), np.int64)


def _variance(spread: Floats, asked: NDArray[np.int64], total: int) -> Floats:
    """Of the mean of all examples, given those asked."""
    return np.asarray(spread**2 / np.maximum(asked, 1) * (1 - asked / total))


def _rounded(examples: NDArray[np.int64] | Floats, each: OpenCurve) -> NDArray[np.int64]:
    """Whole parts, and no more examples than there are."""
    parts = np.ceil(np.asarray(examples, float) / each.part - 1e-9)
    return np.asarray(np.minimum(parts * each.part, each.total), np.int64)
