"""What may be said of any curve, in the order it is said."""

from __future__ import annotations

import math

from scalecurve.analysis.verdicts.reasons import Arguments, remark
from scalecurve.types import Curve, Shape, Verdict

FEW_ITEMS = 100
APART = 3.0  # standard errors of a model from the mean of the others
SEEN = 0.02  # of a share, that a reader of its chart sees
SCATTERED = 0.005  # standard deviation between models from which on it is told


@remark(
    "largest-only",
    "It rests on the largest model alone: the next size decides.",
    "仅由最大的模型支撑：需看下一个规模。",
)
def largest_only(curve: Curve, verdict: Verdict, level: float) -> Arguments | None:
    return () if "largest-only" in verdict.flags else None


@remark(
    "last-apart",
    "{0} alone lies {1:+.2g} from the mean of the smaller models, more than their errors explain; a single model at "
    "the "
    "end makes no course: the next size decides.",
    "只有 {0} 与更小模型的均值相差 {1:+.2g}，超出误差所能解释；末端单个模型不构成走势：需看下一个规模。",
)
def last_apart(curve: Curve, verdict: Verdict, level: float) -> Arguments | None:
    *rest, last = curve.y
    share = curve.chance is not None and curve.ceiling == 1
    if verdict.shape != Shape.FLAT or "outlier-driven" in verdict.flags or not rest or not share:
        return None
    away = last - sum(rest) / len(rest)
    error = math.sqrt(curve.se[-1] ** 2 + sum(e**2 for e in curve.se[:-1]) / len(rest) ** 2)
    return (curve.rungs[-1], away) if abs(away) > max(APART * error, SEEN) else None


@remark(
    "no-direction",
    "This metric has no better or worse: a fall is no inverse scaling.",
    "该指标没有好坏方向：下降并不说明能力变差。",
)
def no_direction(curve: Curve, verdict: Verdict, level: float) -> Arguments | None:
    return () if "no-direction" in verdict.flags else None


@remark(
    "scatter",
    "Models of this kind scatter by about {0:.2g} beyond the noise of items; that is counted.",
    "除题目噪声外，此类模型间约有 {0:.2g} 的离散；判定已计入。",
)
def scatter(curve: Curve, verdict: Verdict, level: float) -> Arguments | None:
    return (verdict.scatter,) if verdict.scatter is not None and verdict.scatter >= SCATTERED else None


@remark(
    "not-significant",
    "Over all curves judged together a change like this is no discovery (p {0:.2g}, cut {1:.2g}).",
    "与所有曲线一并检验时，这一变化不显著（p {0:.2g}，界限 {1:.2g}）。",
)
def not_significant(curve: Curve, verdict: Verdict, level: float) -> Arguments | None:
    moves = verdict.likeliest not in (Shape.FLAT, Shape.SATURATED, Shape.ONE_MODEL)
    return (verdict.p_flat, level) if moves and verdict.p_flat is not None and verdict.p_flat >= level else None


@remark(
    "few-items",
    "{0} items are too few to call a rise emergent (at least {1}).",
    "{0} 道题不足以判定涌现（至少需要 {1} 道）。",
)
def few_items(curve: Curve, verdict: Verdict, level: float) -> Arguments | None:
    few = verdict.likeliest == Shape.EMERGENT and min(curve.n) < FEW_ITEMS
    return (min(curve.n), FEW_ITEMS) if few else None


@remark(
    "doubt",
    "{0} is likeliest, with a probability of {1:.0%}: open.",
    "最可能为“{0}”，概率 {1:.0%}：尚无定论。",
)
def doubt(curve: Curve, verdict: Verdict, level: float) -> Arguments | None:
    open_ = verdict.shape == Shape.INCONCLUSIVE and verdict.confidence is not None
    return (verdict.likeliest, verdict.confidence or 0.0) if open_ else None


@remark(
    "stable",
    "With questions drawn anew the shape stays in {0:.0%} (this says nothing of models trained anew).",
    "重新抽取题目时，形状在 {0:.0%} 的情形下不变（这与重新训练模型无关）。",
)
def stable(curve: Curve, verdict: Verdict, level: float) -> Arguments | None:
    return None if verdict.stability is None else (verdict.stability,)
