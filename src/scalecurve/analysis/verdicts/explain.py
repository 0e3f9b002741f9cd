"""What is said beside a verdict: flags, labels, tests of flatness, and the reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.verdicts import templates
from scalecurve.analysis.verdicts.posterior import DELTA, Evidence
from scalecurve.analysis.verdicts.reasons import Reason, remarks
from scalecurve.types import Curve, Shape, Verdict

if TYPE_CHECKING:
    from scalecurve.analysis.verdicts.judge import Decision
    from scalecurve.analysis.verdicts.rise import RisePlace

Floats = NDArray[np.float64]

SAME_ANSWER = 0.75  # share of scales with the identical score
FLOOR = 0.02  # distance from chance that always counts as chance
BAND, WIDEST_BAND = 3.0, 0.05  # standard errors about chance, and the most that they may come to from 250 items on
TREND = 2.5  # standard errors of a slope that is seen
SLACK = 1e-9
DRAWS = 400


def answer_flags(curve: Curve) -> list[str]:
    """``constant-answer`` (identical non-zero score at three of four scales), ``structural-zero`` (never above 0)."""
    if len(curve.y) < 2:
        return []
    values, counts = np.unique(np.round(curve.y, 9), return_counts=True)
    value, count = float(values[counts.argmax()]), int(counts.max())
    if value != 0 and count >= SAME_ANSWER * len(curve.y):
        return ["constant-answer"]
    return ["structural-zero"] if max(map(abs, curve.y)) == 0 else []


def saturated(own: Evidence) -> float | None:
    """How probable it is that more than half of the points lie within .05 of the ceiling; None when they do not."""
    if own.ceiling is None:
        return None
    needed = len(own.y) // 2 + 1
    if (np.abs(own.ceiling - own.y) <= DELTA + SLACK).sum() < needed:
        return None
    rng = np.random.default_rng(0)
    draws = own.y + rng.standard_normal((DRAWS, len(own.y))) * own.errors()
    near = np.abs(own.ceiling - np.minimum(draws, own.ceiling)) <= DELTA + SLACK
    return float((near.sum(axis=1) >= needed).mean())


def p_flat(own: Evidence, scatter: float) -> float:
    """The p-value of "nothing changes": the smaller of a χ² test and a trend test (which knows the order), doubled."""
    from scipy.special import chdtrc, ndtr

    noise = own.cov + np.diag((scatter * own.share) ** 2) + 1e-12 * np.eye(len(own.y))
    root = np.linalg.cholesky(noise)
    z, one, x = (np.linalg.solve(root, v) for v in (own.y, np.ones(len(own.y)), own.x))
    one = one / np.linalg.norm(one)
    z, x = z - one * (one @ z), x - one * (one @ x)
    chi2 = float(chdtrc(len(z) - 1, z @ z))
    trend = float(2 * ndtr(-abs(z @ x) / np.linalg.norm(x)))
    return min(1.0, 2 * min(chi2, trend))


def bound(own: Evidence, scatter: float) -> float:
    """The largest change from the first to the last model that a straight line allows (95 %)."""
    noise = own.cov + np.diag((scatter * own.share) ** 2) + 1e-12 * np.eye(len(own.y))
    basis = np.column_stack([np.ones(len(own.y)), own.x - own.x.mean()])
    inverse = np.linalg.inv(noise)
    covariance = np.linalg.inv(basis.T @ inverse @ basis)
    slope = float((covariance @ basis.T @ inverse @ own.y)[1])
    return float((abs(slope) + 1.96 * np.sqrt(covariance[1, 1])) * (own.x[-1] - own.x[0]))


def at_chance(own: Evidence) -> NDArray[np.bool_]:
    """Which points lie within the band around chance; none where there is no chance level."""
    if own.chance is None:
        return np.zeros(len(own.y), bool)
    if own.chance == 0:
        return np.asarray(own.y <= FLOOR + SLACK)
    errors = own.errors()
    band = np.maximum(BAND * errors, FLOOR) if errors.max() > 0.03 else np.clip(BAND * errors, FLOOR, WIDEST_BAND)
    return np.asarray(np.abs(own.y - own.chance) <= band + SLACK)


def floor_length(own: Evidence) -> int:
    """q: how many points from the smallest scale on lie at chance."""
    return int(np.cumprod(at_chance(own)).sum())


def sublabel(shape: Shape, own: Evidence, scatter: float, undirected: bool, place: RisePlace | None = None) -> str:
    """What is known beyond the shape; of a late rise whether its width is surely that of a jump, or surely not."""
    if undirected and shape in (Shape.SMOOTH, Shape.INVERSE, Shape.LATE, Shape.EMERGENT):
        return "falling" if own.y[-1] < own.y[0] else "rising"
    if shape == Shape.FLAT:
        return "at-chance" if own.chance is not None and at_chance(own).all() else ""
    if shape == Shape.LATE and place is not None:
        low, high = place.width_interval
        return "steep" if high <= templates.ABRUPT else "gradual" if low > templates.ABRUPT else ""
    return "concave" if shape == Shape.SMOOTH and _is_concave(own, scatter) else ""


def shape_flags(own: Evidence, kept: Evidence, shape: Shape, outlier: int, up: bool) -> list[str]:
    """Flags of the shape: what it rests on."""
    flags = ["outlier-driven"] * (outlier >= 0)
    y, error = kept.y, kept.errors()
    if shape in (Shape.EMERGENT, Shape.LATE, Shape.SMOOTH) and own.chance:
        flags += ["below-chance-start"] * bool(own.chance - y[0] > max(BAND * error[0], FLOOR))
    if shape in (Shape.LATE, Shape.SMOOTH, Shape.INVERSE) and _only_last(kept.x, y, error, kept.delta):
        flags.append("largest-only")
    if shape in (Shape.U, Shape.INVERTED_U) and (_one_way(y[1:], error[1:]) or _one_way(y[:-1], error[:-1])):
        flags.append("edge-driven")
    return flags


def _only_last(x: Floats, y: Floats, error: Floats, delta: float) -> bool:
    """The last model is off all others, and these show no trend of their own."""
    rest = y[:-1]
    weight = 1 / error[:-1] ** 2
    away = x[:-1] - (weight @ x[:-1]) / weight.sum()
    trend = abs(weight * away @ rest) / np.sqrt(weight @ away**2)
    return bool(
        trend <= TREND
        and (abs(y[-1] - rest.mean()) > max(delta, 3 * error[-1]))
        and (np.abs(rest - rest.mean()) <= np.maximum(3 * error[:-1], delta)).all()
    )


def _one_way(y: Floats, error: Floats) -> bool:
    steps = np.subtract.outer(y, y).T
    needed = np.maximum(3 * np.sqrt(np.add.outer(error**2, error**2)), DELTA)
    upper = np.triu(np.ones_like(steps, bool), 1)
    return not (((steps >= needed) & upper).any() and ((-steps >= needed) & upper).any())


def _is_concave(own: Evidence, scatter: float) -> bool:
    """A parabola in x bends down by more than two standard errors."""
    errors = own.errors(scatter)
    basis = np.vander(own.x - own.x.mean(), 3) / errors[:, None]
    covariance = np.linalg.pinv(basis.T @ basis)
    curvature = (covariance @ basis.T @ (own.y / errors))[0]
    return bool(curvature < -2 * np.sqrt(covariance[0, 0]))


def reasons(
    curve: Curve, own: Evidence, decision: Decision, verdict: Verdict, place: RisePlace | None, level: float
) -> list[Reason]:
    """Why the curve has this shape, in the units of its metric."""
    said: list[Reason] = []
    odd = decision.outlier
    kept = own.without(odd) if odd >= 0 else own
    y = np.delete(np.array(curve.y), odd) if odd >= 0 else np.array(curve.y)
    shape = decision.shape
    if odd >= 0 and decision.predicted is not None:
        base = Shape.FLAT if shape == Shape.ONE_MODEL else shape
        said.append(Reason("one-model", (curve.rungs[odd], curve.y[odd], curve.y[odd] - decision.predicted, base)))
        if decision.rival >= 0:
            said.append(Reason("one-model-or", (curve.rungs[decision.rival], curve.y[decision.rival])))
        said += [Reason("one-model-astray", (curve.rungs[odd],))] * decision.astray
    if "edge-driven" in verdict.flags:
        said.append(Reason("edge"))
    if shape == Shape.SATURATED:
        said.append(Reason("saturated"))
    elif shape == Shape.FLAT:
        said.append(Reason("flat", (verdict.bound or 0.0, float(np.ptp(y)))))
    elif place is not None:
        said.append(Reason("goes", (float(y[0]), float(y[-1]))))
        said.append(_floor(curve, kept, y, place.floor))
        said += _width(verdict, decision, place)
    else:
        said.append(Reason("goes-between", (float(y[0]), float(y[-1]), float(y.min()), float(y.max()))))
    return said + remarks(curve, verdict, level)


def _floor(curve: Curve, kept: Evidence, y: Floats, floor: int) -> Reason:
    """How many models lie below the rise, and where that is if not plainly at chance."""
    level, chance = float(y[:floor].mean()), curve.chance or 0.0
    if at_chance(kept)[:floor].all() and floor:
        return Reason("floor", (floor, len(y)))
    return Reason("floor-near", (floor, len(y), level, chance))


def _width(verdict: Verdict, decision: Decision, place: RisePlace) -> list[Reason]:
    if verdict.width is None:
        return []
    low, high = place.width_interval
    said = [Reason("width", (place.width, low, high, place.spacing))]
    said += [Reason("steep")] * (verdict.sublabel == "steep")
    if decision.gain is not None:
        if verdict.shape == Shape.EMERGENT:
            said.append(Reason("abrupt"))
            said += [Reason("sharp-as-ladder")] * (low < place.spacing)
        else:
            said.append(Reason("not-surely-abrupt"))
    return said
