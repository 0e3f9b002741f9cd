"""The verdict on a curve: its shape, how probable that is, where and how fast it rises, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.gather import from_coordinate
from scalecurve.analysis.stats.bootstrap import paired, unpaired
from scalecurve.analysis.stats.descriptors import breakthroughness, linearity
from scalecurve.analysis.stats.errors import benjamini_hochberg
from scalecurve.analysis.verdicts import explain, posterior, rise, templates
from scalecurve.analysis.verdicts.calibration import MOST_WITH_A_MODEL_ASTRAY, MOST_WITH_ODD_MODEL, calibrated
from scalecurve.analysis.verdicts.evidence import prepare
from scalecurve.analysis.verdicts.posterior import SCATTER, SCATTER_PRIOR, Belief, Evidence, Masses
from scalecurve.analysis.verdicts.reasons import Reason
from scalecurve.types import Artefact, Certainty, Curve, Shape, Verdict

Floats = NDArray[np.float64]

SPAN_AXES = ("params_non_embedding", "params_total", "training_flops", "training_tokens")
MIN_SCALES, MIN_SPAN = 4, 10.0
MIN_ITEMS = 100  # below, a jump is not called emergent
FIRM, LIKELY = 0.9, 0.6  # a verdict is firm, likely, or open
FALSE_DISCOVERY = 0.05
ODD = 0.35  # standard deviation of a model that stands alone
ODD_PRIOR = 0.04  # how often a curve has one
ABOUT_AS_WELL = 1.1  # log of the evidence by which the odd model leads another: three times is barely worth a mention
NEAR_CHANCE = 0.04  # how far above chance a floor may lie, if its errors do not explain more
CLEARLY_ODD = 4.0  # standard errors off its neighbours' course
PRUNED = 10  # templates of each kind kept for copies
SOME_SCATTERS = np.array([0, 2, 4])  # enough to find the odd one
NO_DIRECTION = "no-direction"


@dataclass(frozen=True, slots=True)
class Weighed:
    """A curve prepared and looked at once, before the scatter of its family is known. None: it cannot be judged."""

    curve: Curve
    evidence: Evidence | None
    masses: Masses | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with what it rests on: the index of the model that stands alone (−1: none), and the evidence."""

    verdict: Verdict
    outlier: int = -1
    evidence: Evidence | None = None


def judge(
    curve: Curve,
    items: Floats | None = None,
    *,
    clusters: Sequence[object] | None = None,
    seed: int = 0,
    replicates: int = 100,
    flat_level: float = FALSE_DISCOVERY,
    scatter: Floats = SCATTER_PRIOR,
) -> Verdict:
    """The verdict on one curve.

    ``items`` (items, scales) are the item scores in the order of the curve's points, NaN where missing; without them
    the points err on their own and the verdict is flagged ``unpaired``. ``clusters`` labels items that share a passage.
    ``replicates`` copies with questions drawn anew give ``stability`` (0: none). ``flat_level`` is the p-value from
    which on a change is no discovery (``judge_all`` sets it for many curves at once), ``scatter`` the prior weights of
    the scatter of models (``judge_all`` learns them from the family's curves).
    """
    found = look(curve, items, clusters)
    return consider(found, items, clusters, seed, replicates, flat_level, scatter).verdict


def look(
    curve: Curve, items: Floats | None = None, clusters: Sequence[object] | None = None, between: Floats | None = None
) -> Weighed:
    """A curve with the evidence for every shape at every scatter."""
    if unjudgeable(curve):
        return Weighed(curve, None, None)
    own = prepare(curve, items, clusters, between=between)
    found = posterior.masses(own.y[None], own)
    return Weighed(curve, own, replace(found, begun=found.begun[:, :, :0]))  # many curves: keep little of each


def consider(
    found: Weighed,
    items: Floats | None = None,
    clusters: Sequence[object] | None = None,
    seed: int = 0,
    replicates: int = 100,
    flat_level: float = FALSE_DISCOVERY,
    scatter: Floats = SCATTER_PRIOR,
) -> Judgement:
    """``judge`` on a curve already looked at, keeping what the artefact check needs."""
    curve = found.curve
    flags = [*curve.flags, *explain.answer_flags(curve)]
    risen = [y if curve.higher_is_better else -y for y in curve.y]
    el, b = linearity(risen), breakthroughness(risen)
    if len(curve.y) > 1 and not isfinite(el):
        flags.append("constant")
    problem = unjudgeable(curve)
    if problem or found.evidence is None or found.masses is None:
        shape, reason = problem or (Shape.INCONCLUSIVE, Reason("no-errors"))
        described = Verdict(shape, flags=tuple(flags), linearity=el, breakthroughness=b, reasons=(reason,))
        return Judgement(replace(described, artefact=Artefact.NONE))
    own = replace(found.evidence, scatter=scatter)
    decision = decide(own, posterior.weigh(found.masses, scatter))
    p_flat = explain.p_flat(own, decision.scatter)
    kept = own.without(decision.outlier) if decision.outlier >= 0 else own
    own_flags = explain.shape_flags(own, kept, decision.shape, decision.outlier, curve.higher_is_better)
    if "largest-only" in own_flags and decision.shape in (Shape.SMOOTH, Shape.INVERSE):  # it may be the odd one
        decision = replace(decision, probability=min(decision.probability, MOST_WITH_ODD_MODEL))
    shape, confidence = _named(decision, curve, p_flat, flat_level)
    flags += own_flags
    stability = None
    if replicates:
        flags += ["unpaired"] * (items is None)
        stability = _stability(curve, own, decision, items, clusters, seed, replicates)
    if NO_DIRECTION in flags and shape == Shape.INVERSE:
        shape = Shape.SMOOTH  # it falls, which is neither better nor worse
    leaning = decision.shape if shape == Shape.INCONCLUSIVE else ""
    place = decision.place
    bound = explain.bound(kept, decision.scatter) / abs(own.unit)
    verdict = Verdict(
        shape=shape,
        sublabel=leaning or explain.sublabel(decision.shape, kept, decision.scatter, NO_DIRECTION in flags, place),
        confidence=confidence,
        threshold=None if place is None else from_coordinate(curve.axis, _back(curve, own, place.start)),
        threshold_interval=None if place is None else _interval(curve, own, place.start_interval),
        artefact=Artefact.UNTESTED if place is not None else Artefact.NONE,
        flags=tuple(dict.fromkeys(flags)),
        linearity=el,
        breakthroughness=b,
        p_flat=p_flat,
        stability=stability,
        width=place.width if place and curve.axis != "loss" else None,
        width_interval=place.width_interval if place and curve.axis != "loss" else None,
        scatter=decision.scatter if own.delta else None,
        bound=bound if decision.shape == Shape.FLAT else None,
    )
    reasons = explain.reasons(curve, own, decision, verdict, place, flat_level)
    return Judgement(replace(verdict, reasons=tuple(reasons)), decision.outlier, own)


def _again(own: Evidence, outlier: int) -> Belief:
    """The belief about the place of the rise, an odd model left out."""
    return posterior.believe(own.y[None], _doubting(own, outlier))


def _doubting(own: Evidence, outlier: int) -> Evidence:
    """The evidence without what model ``outlier`` says (−1: none)."""
    if outlier < 0:
        return own
    wide = own.cov.copy()
    wide[outlier, outlier] += ODD**2
    return replace(own, cov=wide)


@dataclass(frozen=True, slots=True)
class Decision:
    """The likeliest ``shape``, its calibrated ``probability``, the odd model (−1: none), the belief without it, and the
    mean ``scatter``. ``gain``: how much worse gradual courses explain the points than abrupt ones (χ²); ``place``: of a
    rise off chance; ``rival``: another model that may be the odd one about as well (−1: none); ``astray``: the odd
    model stands on the other side of the rise."""

    shape: Shape
    probability: float
    outlier: int
    belief: Belief
    scatter: float
    gain: float | None = None
    predicted: float | None = None
    place: rise.RisePlace | None = None
    rival: int = -1
    astray: bool = False


def decide(own: Evidence, belief: Belief) -> Decision:
    """The shape of one curve, an odd model looked for where the points fit no course."""
    saturated = explain.saturated(own)
    scatter = float(belief.scatter[0] @ SCATTER)
    if saturated is not None:
        return Decision(Shape.SATURATED, calibrated(Shape.SATURATED, saturated), -1, belief, scatter)
    chances = belief.shapes[0]
    outlier, share, predicted, rival = -1, 1.0, None, -1
    turning = chances[[posterior.U, posterior.INVERTED_U, posterior.IRREGULAR, posterior.ONE_MODEL]].sum()
    if turning > 0.2 or scatter > 0.025:
        outlier, share, without, predicted, rival = _odd_model(own, belief)
        if outlier >= 0:
            belief, chances = without, without.shapes[0]
            scatter = float(belief.scatter[0] @ SCATTER)
    best = int(chances.argmax())
    shape, probability = posterior.SHAPES[best], float(chances[best]) * share
    gain, place = None, None
    if outlier == len(own.y) - 1:  # the last one: it may be the turn itself
        outlier, rival, shape = -1, -1, Shape.U if shape == Shape.INVERSE else Shape.INVERTED_U
    if shape in (Shape.LATE, Shape.EMERGENT):
        place = rise.place(_again(own, outlier), own)
        if place and 0 <= outlier < place.floor:
            place = replace(place, floor=place.floor - 1)
        if place and not _from_chance(own.without(outlier) if outlier >= 0 else own, place.floor):
            risen = chances[[posterior.SMOOTH, posterior.LATE, posterior.EMERGENT]].sum()
            shape, probability, place = Shape.SMOOTH, float(risen) * share, None
    if shape == Shape.EMERGENT:
        gain = rise.gain(own.without(outlier) if outlier >= 0 else own)
    if outlier >= 0 and shape == Shape.FLAT:
        shape = Shape.ONE_MODEL
    sure = calibrated(shape, probability, outlier >= 0)
    astray = place is not None and outlier >= 0 and rise.astray(own, place, outlier)
    if astray:
        sure = min(sure, MOST_WITH_A_MODEL_ASTRAY)
    return Decision(shape, sure, outlier, belief, scatter, gain, predicted, place, rival, astray)


def _from_chance(kept: Evidence, floor: int) -> bool:
    """Whether the first ``floor`` models lie at chance, or below it: a rise from a higher floor is a smooth one."""
    if kept.chance is None or floor < 1:
        return kept.chance is not None
    error = float(np.sqrt(kept.cov[:floor, :floor].sum())) / floor
    return bool(kept.y[:floor].mean() - kept.chance <= max(NEAR_CHANCE, explain.BAND * error))


def _odd_model(own: Evidence, belief: Belief) -> tuple[int, float, Belief, float | None, int]:
    """(which interior model stands alone, how probable that is, the belief without it, what was expected of it, which
    other interior model would do about as well)."""
    m, none = len(own.y), (-1, 1.0, belief, None, -1)
    if m <= MIN_SCALES:  # the others would be no ladder
        return none
    looks = {}
    for j in range(1, m):
        looks[j] = posterior.believe(own.y[None], _doubting(own, j), SOME_SCATTERS)
    logs = np.array([look.log[0] for look in looks.values()]) + np.log(ODD_PRIOR / max(m - 2, 1))
    best = int(logs.argmax()) + 1
    others = belief.log[0] + np.log1p(-min(float(belief.shapes[0, posterior.ONE_MODEL]), 1 - 1e-12))
    share = float(1 / (1 + np.exp(np.clip(others - logs.max(), -50, 50))))
    if share < 0.5:
        return none
    without = posterior.believe(own.y[None], _doubting(own, best))
    scatter = float(without.scatter[0] @ SCATTER)
    expected = rise.expected(own, best, scatter)
    distance = abs(own.y[best] - expected)
    own_error = own.errors(scatter)[best]
    if distance < max(2 * own.delta, CLEARLY_ODD * own_error):
        return none
    if best == m - 1:  # the last one is odd where it turns the curve; else it is a rise or a fall of its own
        up, base = own.y[-1] > expected, int(without.shapes[0].argmax())
        if base not in ((posterior.INVERSE,) if up else (posterior.SMOOTH, posterior.LATE, posterior.EMERGENT)):
            return none
    rivals = [j for j in range(1, m - 1) if j != best and logs[j - 1] > logs.max() - ABOUT_AS_WELL]
    rival = max(rivals, key=lambda j: logs[j - 1], default=-1)
    return best, share, without, float((expected - own.shift) / own.unit), rival


def _named(decision: Decision, curve: Curve, p_flat: float, level: float) -> tuple[Shape, float]:
    """(shape or inconclusive, confidence of the likeliest shape)."""
    shape, sure = decision.shape, decision.probability
    if decision.gain is not None and decision.gain < rise.REJECTED:
        return Shape.INCONCLUSIVE, min(sure, LIKELY - 0.01)
    if shape == Shape.EMERGENT and min(curve.n) < MIN_ITEMS:
        return Shape.INCONCLUSIVE, sure
    if shape not in (Shape.FLAT, Shape.SATURATED, Shape.ONE_MODEL) and p_flat >= level:
        return Shape.INCONCLUSIVE, min(sure, LIKELY - 0.01)
    return (shape if sure >= LIKELY else Shape.INCONCLUSIVE), sure


def named_shapes(curve: Curve, rows: Floats, flat_level: float = FALSE_DISCOVERY) -> list[Shape]:
    """What each row of ``rows`` (R, m) would be called, with the errors and items of ``curve``."""
    own = prepare(curve)
    different, which = np.unique(rows * own.unit + own.shift, axis=0, return_inverse=True)
    names = []
    for start in range(0, len(different), 32):
        part = different[start : start + 32]
        found = posterior.masses(part, own)
        for r, y in enumerate(part):
            mine = Masses(
                found.shapes[r : r + 1],
                found.rough[r : r + 1],
                found.monotone[r : r + 1],
                found.begun[r : r + 1, :, :0],
            )
            each = replace(own, y=y)
            decision = decide(each, posterior.weigh(mine, own.scatter))
            names.append(_named(decision, curve, explain.p_flat(each, decision.scatter), flat_level)[0])
    return [names[index] for index in which.ravel()]


def _stability(
    curve: Curve,
    own: Evidence,
    decision: Decision,
    items: Floats | None,
    clusters: Sequence[object] | None,
    seed: int,
    replicates: int,
) -> float | None:
    """Share of copies with questions drawn anew whose likeliest shape is the same, models as they are."""
    if decision.shape == Shape.SATURATED:
        return decision.probability
    copies = unpaired(curve, replicates, seed) if items is None else paired(items, replicates, seed, clusters)
    copies = copies * own.unit + own.shift
    own = _doubting(own, decision.outlier)
    grid = np.array([int(decision.belief.scatter[0].argmax())])
    chosen = templates.nearest(own.y, own.x, own.errors(float(SCATTER[grid[0]])), PRUNED)
    again = posterior.believe(copies, own, grid, chosen).shapes.argmax(axis=1)
    shape = Shape.FLAT if decision.shape == Shape.ONE_MODEL and decision.outlier >= 0 else decision.shape
    return float((again == posterior.SHAPES.index(shape)).mean())


def word(shape: str, confidence: float | None) -> Certainty:
    """A verdict's confidence in a word."""
    if confidence is None or shape == Shape.INCONCLUSIVE or confidence < LIKELY:
        return Certainty.OPEN
    return Certainty.FIRM if confidence >= FIRM else Certainty.LIKELY


def discovery_level(p: Sequence[float] | Floats) -> float:
    """The raw p-value up to which Benjamini–Hochberg at 5% rejects, over everything judged together."""
    known = np.asarray(p, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return FALSE_DISCOVERY
    rejected = int((benjamini_hochberg(known) < FALSE_DISCOVERY).sum())
    return FALSE_DISCOVERY * max(rejected, 1) / len(known)


def unjudgeable(curve: Curve) -> tuple[Shape, Reason] | None:
    """(shape, why) of a curve that no rule applies to."""
    scales = len(set(curve.x))
    if scales < MIN_SCALES:
        return Shape.TOO_FEW, Reason("few-scales", (scales, MIN_SCALES))
    if curve.axis in SPAN_AXES and curve.x[-1] < MIN_SPAN * curve.x[0]:
        return Shape.TOO_FEW, Reason("short-span", (curve.x[-1] / curve.x[0],))
    if not all(isfinite(se) and se > 0 for se in curve.se):
        return Shape.INCONCLUSIVE, Reason("no-errors")
    return None


def _back(curve: Curve, own: Evidence, position: float) -> float:
    """A place of the templates on the plotted axis (a loss was stretched)."""
    if curve.axis != "loss":
        return position
    low, high = -curve.x[0], -curve.x[-1]
    return float(low + (position - own.x[0]) / (own.x[-1] - own.x[0]) * (high - low))


def _interval(curve: Curve, own: Evidence, places: tuple[float, float]) -> tuple[float, float]:
    low, high = sorted(from_coordinate(curve.axis, _back(curve, own, place)) for place in places)
    return low, high
