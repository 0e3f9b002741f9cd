"""Behind a jump: do finer scores of the same outputs jump too, or did they improve all along?

An exact match of T tokens is p^T where each token is right with probability p: it leaps although p climbs in a
straight line (arXiv 2304.15004). Companions are continuous scores of the same answers, such as the log-probability of
the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalecurve.curves import hinge, rules
from scalecurve.curves.judge import Evidence, prepare
from scalecurve.nouns import Curve, Verdict

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]

COMPANIONS = (
    "target_logprob", "correct_logprob", "log_likelihood", "option_probability", "brier", "bits_per_byte",
    "edit_similarity", "bleu", "BLEU", "bpb", "soft_log", "soft",
)  # fmt: skip
CLEAR = 3.0  # standard errors of an improvement on the floor
STEADY = 0.5  # of its overall pace: a companion that already climbs like this on the floor does not jump


@dataclass(frozen=True, slots=True)
class CompanionFinding:
    """What one companion says.

    ``floor_gain``: its improvement over the floor points in standard errors; ``pace``: its slope there, relative to its
    slope over all points; ``bends``: whether a hinge beats a line, and ``near``: within one interval of the threshold.
    """

    metric: str
    floor_gain: float
    pace: float
    bends: bool
    near: bool
    explains: bool

    @property
    def says(self) -> str:
        if self.climbs and (not self.bends or self.pace >= STEADY):
            return "metric-artefact"
        if self.bends and self.near and self.pace < STEADY:
            return "metric-robust"
        return "undetermined"

    @property
    def climbs(self) -> bool:
        return self.floor_gain >= CLEAR


def artefact_check(
    curve: Curve,
    verdict: Verdict,
    companions: Sequence[Curve],
    copies: Mapping[str, Floats] | None = None,
    outlier: int = -1,
) -> Verdict:
    """``verdict`` with its artefact status, from companion curves of the same outputs (same family, task, strategy).

    Status ``metric-artefact`` when a companion improves on the floor (three standard errors) and either has no
    significant bend or already climbs there at half its overall pace; ``metric-robust`` when one hardly moves there and
    bends within one interval of the threshold; ``undetermined`` when neither or when companions disagree; ``untested``
    without companions; empty for a curve without a jump.
    ``copies`` are paired bootstrap copies by metric, which make the floor test sharper; ``outlier`` is the index of a
    point the verdict left out.
    Flags: ``explained-by-link`` when a logistic function of a companion, fitted without the largest model, predicts
    that model within two standard errors; ``one-companion`` when only one could be used.
    """
    if verdict.threshold is None or not jumped(verdict):
        return replace(verdict, artefact="")
    findings = []
    for companion in companions:
        finding = examine(curve, companion, (copies or {}).get(companion.metric), outlier)
        if finding is not None:
            findings.append(finding)
    if not findings:
        return replace(verdict, artefact="untested")
    said = {finding.says for finding in findings} - {"undetermined"}
    status = said.pop() if len(said) == 1 else "undetermined"
    flags = list(verdict.flags)
    if len(findings) == 1:
        flags.append("one-companion")
    if any(finding.explains for finding in findings):
        flags.append("explained-by-link")
    reasons = [*verdict.reasons, *(_sentence(finding) for finding in findings)]
    return replace(verdict, artefact=status, flags=tuple(flags), reasons=tuple(reasons))


def jumped(verdict: Verdict) -> bool:
    """Whether the verdict is, or leans to, an emergence or a late onset."""
    return "emergent" in (verdict.shape, verdict.sublabel) or verdict.sublabel == "late-onset"


def examine(curve: Curve, companion: Curve, copies: Floats | None = None, outlier: int = -1) -> CompanionFinding | None:
    """What ``companion`` did on the floor of ``curve`` and after it; None when it lacks some of the curve's rungs.

    ``copies`` (replicates, companion's points) are paired bootstrap copies of the companion; ``outlier`` is the index
    of a point of ``curve`` to leave out (−1: none).
    """
    keep = [i for i in range(len(curve.y)) if i != outlier]
    places = {rung: i for i, rung in enumerate(companion.rungs)}
    if any(curve.rungs[i] not in places for i in keep):
        return None
    at = [places[curve.rungs[i]] for i in keep]
    score, other = prepare(curve), prepare(companion)
    if not all(np.isfinite(other.setting.se[at])):
        return None
    y, setting = score.y[keep], replace(score.setting, x=score.setting.x[keep], se=score.setting.se[keep])
    z, se = other.y[at], other.setting.se[at]
    q = int(rules.floor_length(y[None], setting)[0])
    if not 2 <= q < len(y):
        return None
    spread = sqrt(se[0] ** 2 + se[q - 1] ** 2)
    if copies is not None:
        moved = (copies[:, at[q - 1]] - copies[:, at[0]]) * other.unit
        spread = float(moved.std()) or spread
    bend = bool(rules.bends(z[None], replace(setting, se=se))[0])
    onset = hinge.onset(np.stack([z]), setting.x, se)[0]
    overall = (z[-1] - z[0]) / (setting.x[-1] - setting.x[0])
    pace = float((z[q - 1] - z[0]) / (setting.x[q - 1] - setting.x[0]) / overall) if overall > 0 else 0.0
    gain = float((z[q - 1] - z[0]) / spread)
    near = setting.x[max(q - 2, 0)] <= onset <= setting.x[min(q + 1, len(y) - 1)]
    return CompanionFinding(companion.metric, gain, pace, bend, bool(near), _link_explains(score, y, z, setting))


def _link_explains(score: Evidence, y: Floats, companion: Floats, setting: rules.Setting) -> bool:
    """Whether y = g(companion), logistic, fitted without the largest model, predicts it within two standard errors."""
    from scipy.special import expit

    low = setting.chance or 0.0
    high = setting.ceiling if setting.ceiling is not None else 1.0
    centre, width = companion[:-1].mean(), companion[:-1].std()
    if width == 0 or high <= low:
        return False
    t = (companion - centre) / width
    beta = np.zeros(2)
    basis = np.column_stack([np.ones_like(t), t])
    for _ in range(60):  # Levenberg–Marquardt on two parameters
        g = expit(basis @ beta)
        residual = (y - (low + (high - low) * g))[:-1] / setting.se[:-1]
        slope = ((high - low) * g * (1 - g))[:-1, None] * basis[:-1] / setting.se[:-1, None]
        step = np.linalg.solve(slope.T @ slope + 1e-3 * np.diag(np.diag(slope.T @ slope) + 1e-6), slope.T @ residual)
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-6:
            break
    predicted = low + (high - low) * expit(basis[-1] @ beta)
    return bool(abs(predicted - y[-1]) <= 2 * setting.se[-1])


def _sentence(finding: CompanionFinding) -> str:
    floor = "hardly moves where the score is at chance"
    if finding.climbs:
        gain = f"{finding.floor_gain:.1f} standard errors, {finding.pace:.0%} of its overall pace"
        floor = f"already improves where the score is at chance ({gain})"
    bend = "bends where the score jumps" if finding.near else "bends elsewhere"
    return f"{finding.metric} {floor} and {bend if finding.bends else 'has no bend of its own'}."


def exact_match_account(target_logprobs: Floats, tokens: Floats | None = None) -> dict[str, float]:
    """What exact match a model would reach by getting every token of the target right, from its target log-probs.

    ``target_logprobs`` (items,) summed nats; ``tokens`` (items,) tokens of each target. Returns ``exact_match`` (mean
    of p^T), and with ``tokens`` the geometric mean probability of a token ``p``, ``T`` (mean) and ``edit_distance``
    T·(1 − p) (arXiv 2304.15004).
    """
    known = np.isfinite(target_logprobs)
    account = {"exact_match": float(np.exp(target_logprobs[known]).mean())}
    if tokens is not None:
        p = float(np.exp(target_logprobs[known].sum() / tokens[known].sum()))
        mean_tokens = float(tokens[known].mean())
        account |= {"p": p, "T": mean_tokens, "edit_distance": mean_tokens * (1 - p)}
    return account


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
