"""Behind a jump: do finer scores of the same outputs jump too, or did they improve all along?

An exact match of T tokens is p^T where each token is right with probability p: it leaps although p climbs in a
straight line (arXiv 2304.15004). Companions are continuous scores of the same answers, such as the log-probability of
the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.verdicts import hinge
from scalecurve.analysis.verdicts.evidence import prepare
from scalecurve.analysis.verdicts.explain import floor_length
from scalecurve.analysis.verdicts.posterior import Evidence
from scalecurve.analysis.verdicts.reasons import Reason
from scalecurve.types import Artefact, Curve, Shape, Verdict

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]

COMPANIONS = (
    "target_logprob", "correct_logprob", "log_likelihood", "option_probability", "brier", "bits_per_byte",
    "edit_similarity", "bleu", "BLEU", "bpb", "soft_log", "soft", "log_odds", "classification_loss",
)  # fmt: skip
OVER_OPTIONS = (
    "option_probability", "brier", "calibration_multiple_choice_brier_score", "log_odds", "classification_loss", "soft",
    "soft_log",
)  # fmt: skip
"""Companions normalised over the options of an item: the others rise with fluency alone. ``soft`` and ``soft_log`` are
OLMo's probability of the right option among the options, and its logarithm."""
OTHER_UNIT = {"bits_per_byte": "target_logprob"}
"""Companions that show another one in another unit: where both are there, this one is no further witness."""
CLEAR = 3.0  # standard errors of an improvement on the floor
STEADY = 0.5  # of its overall pace: a companion that already climbs like this on the floor does not jump
NEEDED = 2  # companions that must say the same


@dataclass(frozen=True, slots=True)
class CompanionFinding:
    """What one companion says.

    ``floor_gain``: its improvement over the floor points in standard errors; ``pace``: its slope there, relative to its
    slope over all points; ``bends``: whether a hinge beats a line, and ``near``: within one interval of the threshold;
    ``ends``: its scores at the first and the last floor point, in its own unit.
    """

    metric: str
    floor_gain: float
    pace: float
    bends: bool
    near: bool
    ends: tuple[float, float] = (0.0, 0.0)

    @property
    def says(self) -> Artefact:
        if self.climbs and (not self.bends or self.pace >= STEADY):
            return Artefact.METRIC_ARTEFACT
        if self.bends and self.near and self.pace < STEADY:
            return Artefact.METRIC_ROBUST
        return Artefact.UNDETERMINED

    @property
    def climbs(self) -> bool:
        return self.floor_gain >= CLEAR

    @property
    def worsens(self) -> bool:
        return self.floor_gain <= -CLEAR


def artefact_check(
    curve: Curve,
    verdict: Verdict,
    companions: Sequence[Curve],
    evidence: Mapping[str, Evidence] | None = None,
    outlier: int = -1,
) -> Verdict:
    """``verdict`` with its artefact status, from companion curves of the same outputs (same family, task, strategy).

    A companion speaks for an artefact when it improves on the floor (three standard errors) and either has no
    significant bend or already climbs there at half its overall pace; for a robust rise when it hardly moves there and
    bends within one interval of the threshold. Status ``metric-artefact`` or ``metric-robust`` when two companions say
    so and none the opposite, else ``undetermined``; ``untested`` without companions; empty for a curve without a rise
    off chance. Where an item has options (a chance level above 0) only companions normalised over them count.
    ``evidence``: companions prepared with their items, by metric; ``outlier``: the index of a point left out.
    """
    if verdict.threshold is None or not jumped(verdict):
        return replace(verdict, artefact=Artefact.NONE)
    findings, fluent = [], []
    for companion in companions:
        if curve.chance and companion.metric not in OVER_OPTIONS:
            fluent.append(companion.metric)
            continue
        finding = examine(curve, companion, (evidence or {}).get(companion.metric), outlier)
        if finding is not None:
            findings.append(finding)
    reasons = [*verdict.reasons, *(Reason("companion-fluency", (metric,)) for metric in fluent)]
    if not findings:
        return replace(verdict, artefact=Artefact.UNDETERMINED if fluent else Artefact.UNTESTED, reasons=tuple(reasons))
    votes = [finding.says for finding in findings]
    robust, artefact = votes.count(Artefact.METRIC_ROBUST), votes.count(Artefact.METRIC_ARTEFACT)
    status = Artefact.UNDETERMINED
    if max(robust, artefact) >= NEEDED and min(robust, artefact) == 0:
        status = Artefact.METRIC_ARTEFACT if artefact else Artefact.METRIC_ROBUST
    flags = list(verdict.flags)
    for finding in findings:
        reasons += _told(finding)
    if len(findings) == 1:
        flags.append("one-companion")
        reasons.append(Reason("one-companion"))
    return replace(verdict, artefact=status, flags=tuple(flags), reasons=tuple(reasons))


def jumped(verdict: Verdict) -> bool:
    """Whether the verdict is, or leans to, a rise off a floor at chance."""
    return bool({Shape.EMERGENT, Shape.LATE} & {verdict.shape, verdict.sublabel}) or verdict.sublabel == "late-onset"


def examine(
    curve: Curve, companion: Curve, evidence: Evidence | None = None, outlier: int = -1
) -> CompanionFinding | None:
    """What ``companion`` did on the floor of ``curve`` and after it; None when it lacks some of the curve's rungs.

    ``evidence``: the companion prepared with its items; ``outlier``: the index of a point of ``curve`` to leave out
    (−1: none).
    """
    keep = [i for i in range(len(curve.y)) if i != outlier]
    places = {rung: i for i, rung in enumerate(companion.rungs)}
    if any(curve.rungs[i] not in places for i in keep):
        return None
    at = [places[curve.rungs[i]] for i in keep]
    if not all(np.isfinite([companion.se[i] for i in at])):
        return None
    score = prepare(curve)
    score = score.without(outlier) if outlier >= 0 else score
    other = evidence or prepare(companion)
    q = floor_length(score)
    if not 2 <= q < len(keep):
        return None
    x, z = score.x, other.y[at]
    cov = other.cov[np.ix_(at, at)]
    errors = np.sqrt(np.diag(cov))
    spread = float(np.sqrt(max(cov[0, 0] + cov[q - 1, q - 1] - 2 * cov[0, q - 1], 1e-18)))
    moved, overall = z[q - 1] - z[0], (z[-1] - z[0]) / (x[-1] - x[0])
    pace = float(moved / (x[q - 1] - x[0]) / overall) if overall > 0 else 0.0
    onset = hinge.onset(np.stack([z]), x, errors)[0]
    near = x[max(q - 2, 0)] <= onset <= x[min(q + 1, len(x) - 1)]
    ends = companion.y[at[0]], companion.y[at[q - 1]]
    return CompanionFinding(companion.metric, float(moved / spread), pace, hinge.bends(z, x, errors), bool(near), ends)


def _told(finding: CompanionFinding) -> list[Reason]:
    moves = Reason("companion-still", (finding.metric,))
    if finding.climbs:
        moves = Reason("companion-climbs", (finding.metric, round(finding.floor_gain, 1), round(finding.pace, 3)))
    elif finding.worsens:
        moves = Reason("companion-worsens", (finding.metric, *finding.ends))
    bend = "companion-bends" if finding.near else "companion-elsewhere"
    return [moves, Reason(bend if finding.bends else "companion-straight", (finding.metric,))]


def decomposition(curve: Curve, companions: Sequence[Curve], scores: pl.DataFrame | None = None) -> pl.DataFrame:
    """A chart-ready table: the score, its companions and the p^T account, each also rescaled to its own range (0–1).

    Columns: metric, role (score, companion, account), rung, x, y, se, share (0 at the series' worst, 1 at its best).
    The account needs ``scores`` with ``target_logprob`` of the curve's items.
    """
    import polars as pl

    rows = []
    for each, role in ((curve, "score"), *((companion, "companion") for companion in companions)):
        sign = 1.0 if each.higher_is_better else -1.0
        low, high = min(sign * v for v in each.y), max(sign * v for v in each.y)
        for rung, x, y, se in zip(each.rungs, each.x, each.y, each.se, strict=True):
            share = (sign * y - low) / (high - low) if high > low else None
            rows.append({"metric": each.metric, "role": role, "rung": rung, "x": x, "y": y, "se": se, "share": share})
    if scores is not None:
        rows += _account_rows(curve, scores)
    kinds = {"metric": pl.String, "role": pl.String, "rung": pl.String}
    return pl.DataFrame(rows, schema=kinds | dict.fromkeys(("x", "y", "se", "share"), pl.Float64), orient="row")


def _account_rows(curve: Curve, scores: pl.DataFrame) -> list[dict[str, object]]:
    import polars as pl

    own = {name: getattr(curve, name) for name in ("family", "task", "strategy", "shots")} | {
        "metric": "target_logprob"
    }
    chosen = scores.filter(*(pl.col(name) == value for name, value in own.items())).drop_nulls("value")
    means = dict(chosen.group_by("rung").agg(pl.col("value").exp().mean()).iter_rows())
    known = [(rung, x, means[rung]) for rung, x in zip(curve.rungs, curve.x, strict=True) if rung in means]
    if not known:
        return []
    low, high = min(value for *_, value in known), max(value for *_, value in known)
    return [
        {"metric": "p^T", "role": "account", "rung": rung, "x": x, "y": value, "se": None}
        | {"share": (value - low) / (high - low) if high > low else None}
        for rung, x, value in known
    ]
