"""The verdict on a curve: its shape, how surely, where it leaves chance, and why, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from scalecurve.curves import explain, hinge, rules
from scalecurve.curves.bootstrap import paired, unpaired
from scalecurve.curves.descriptors import breakthroughness, linearity
from scalecurve.curves.errors import benjamini_hochberg, flatness
from scalecurve.curves.gather import coordinate, from_coordinate
from scalecurve.curves.rules import Setting
from scalecurve.nouns import Curve, Verdict

Floats = NDArray[np.float64]

SPAN_AXES = ("params_non_embedding", "params_total", "training_flops", "training_tokens")
MIN_SCALES, MIN_SPAN = 4, 10.0
MIN_ITEMS = 100  # below, a jump is not called emergent
WIDE_BAND_ITEMS = 250  # from here on three standard errors about chance, below it two
FAIRLY_SURE = 0.7
FALSE_DISCOVERY = 0.05


@dataclass(frozen=True, slots=True)
class Evidence:
    """A curve prepared for judging: scores turned so that higher is better, and divided so that the ceiling is ≤ 1.

    ``unit`` is the factor that did it.
    """

    y: Floats
    setting: Setting
    unit: float

    @property
    def floor(self) -> int:
        """q: how many points from the smallest scale on lie at chance."""
        return int(rules.floor_length(self.y[None], self.setting)[0])

    def without(self, index: int) -> Evidence:
        return replace(self, y=np.delete(self.y, index), setting=self.setting.without(index))

    def onset(self, y: Floats) -> Floats:
        """Where each row of ``y`` begins to rise, on the plotted axis."""
        return hinge.onset(y, self.setting.x, self.setting.errors)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with what it rests on: the index of the outlier left out (−1: none)."""

    verdict: Verdict
    outlier: int = -1


def judge(
    curve: Curve,
    items: Floats | None = None,
    *,
    clusters: Sequence[object] | None = None,
    seed: int = 0,
    replicates: int = 1000,
    flat_level: float = FALSE_DISCOVERY,
) -> Verdict:
    """The verdict on one curve.

    ``items`` (items, scales) are the item scores in the order of the curve's points, NaN where missing; without them
    the bootstrap draws every point on its own and flags ``unpaired``. ``clusters`` labels items that share a passage.
    ``replicates`` 0 gives the verdict of the rules alone, without confidence. ``flat_level`` is the p-value below which
    noise alone does not explain the curve (``judge_all`` sets it for many curves at once).
    """
    return consider(curve, items, clusters, seed, replicates, flat_level).verdict


def consider(
    curve: Curve,
    items: Floats | None = None,
    clusters: Sequence[object] | None = None,
    seed: int = 0,
    replicates: int = 1000,
    flat_level: float = FALSE_DISCOVERY,
) -> Judgement:
    """``judge``, keeping what the artefact check needs."""
    flags = [*curve.flags, *explain.answer_flags(curve)]
    el, b = linearity(curve.y), breakthroughness(curve.y)
    if len(curve.y) > 1 and not isfinite(el):
        flags.append("constant")
    problem = unjudgeable(curve)
    if problem:
        shape, reason = problem
        return Judgement(
            Verdict(shape, flags=tuple(flags), linearity=el, breakthroughness=b, artefact="", reasons=(reason,))
        )
    evidence = prepare(curve, seed, flat_level)
    found = rules.classify(evidence.y[None], evidence.setting)
    code, outlier, edge = int(found.code[0]), int(found.outlier[0]), bool(found.edge[0])
    kept = evidence.without(outlier) if outlier >= 0 else evidence
    shape, sublabel, rising = rules.SHAPES[code], _sublabel(code, kept), code in (rules.SMOOTH, rules.EMERGENT)
    flags += ["outlier-driven"] * (outlier >= 0) + ["edge-driven"] * edge
    flags += ["below-chance-start"] * (rising and _starts_below_chance(kept))
    chi2, p_flat = flatness(curve.y, curve.se)
    noise = f"chi² {chi2:.1f}, p {p_flat:.2g}", p_flat >= flat_level
    reasons = explain.reasons(curve, shape, sublabel, noise, outlier, edge, kept.y / kept.unit, kept.floor)

    leaves = rising and rules.leaves_chance(kept.y[None], kept.setting)[0]
    onset = float(kept.onset(kept.y[None])[0]) if leaves else None
    confidence, interval = None, None
    if replicates:
        flags += ["unpaired"] * (items is None)
        copies = unpaired(curve, replicates, seed) if items is None else paired(items, replicates, seed, clusters)
        copies = copies * evidence.unit
        again = rules.classify(copies, replace(evidence.setting, inflate=2**0.5))
        confidence = float((again.code == code).mean())
        if onset is not None:
            interval = _onset_interval(copies if outlier < 0 else np.delete(copies, outlier, axis=1), kept)
        if confidence < FAIRLY_SURE:
            reasons.append(f"Only {confidence:.0%} of the bootstrap copies are {shape}: inconclusive.")
            shape, sublabel = "inconclusive", rules.SHAPES[int(np.bincount(again.code).argmax())]
            onset = onset if sublabel in ("emergent", "smooth") else None
    if shape == "emergent" and min(curve.n) < MIN_ITEMS:
        reasons.append(f"{min(curve.n)} items are too few to call a rise emergent (at least {MIN_ITEMS}).")
        shape, sublabel = "inconclusive", "emergent"
    verdict = Verdict(
        shape=shape,
        sublabel=sublabel,
        confidence=confidence,
        threshold=None if onset is None else from_coordinate(curve.axis, onset),
        threshold_interval=None if onset is None or interval is None else _in_units(curve.axis, interval),
        artefact="untested" if onset is not None else "",
        flags=tuple(dict.fromkeys(flags)),
        linearity=el,
        breakthroughness=b,
        p_flat=p_flat,
        reasons=tuple(reasons),
    )
    return Judgement(verdict, outlier)


def prepare(curve: Curve, seed: int = 0, flat_level: float = FALSE_DISCOVERY) -> Evidence:
    """Scores, errors, chance and ceiling of a curve in the units of the rules."""
    bounded = curve.chance is not None or curve.ceiling is not None
    unit = 1.0 if curve.higher_is_better else -1.0
    if curve.ceiling is not None and abs(curve.ceiling) > 1:
        unit /= abs(curve.ceiling)  # BLEU and other scores out of 100
    setting = Setting(
        x=np.array([coordinate(curve.axis, x) for x in curve.x]),
        se=np.array(curve.se) * abs(unit),
        chance=None if curve.chance is None else curve.chance * unit,
        ceiling=None if curve.ceiling is None else curve.ceiling * unit,
        band=3.0 if curve.n and min(curve.n) >= WIDE_BAND_ITEMS else 2.0,
        delta=rules.DELTA if bounded else 0.0,
        flat_level=flat_level,
        seed=seed,
    )
    return Evidence(np.array(curve.y) * unit, setting, unit)


def discovery_level(p: Sequence[float] | Floats) -> float:
    """The raw p-value up to which Benjamini–Hochberg at 5% rejects, over everything judged together."""
    known = np.asarray(p, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return FALSE_DISCOVERY
    rejected = int((benjamini_hochberg(known) < FALSE_DISCOVERY).sum())
    return FALSE_DISCOVERY * max(rejected, 1) / len(known)


def unjudgeable(curve: Curve) -> tuple[str, str] | None:
    scales = len(set(curve.x))
    if scales < MIN_SCALES:
        return "too-few", f"{scales} scales; a shape needs at least {MIN_SCALES}."
    if curve.axis in SPAN_AXES and curve.x[-1] < MIN_SPAN * curve.x[0]:
        return "too-few", f"The scales span a factor of {curve.x[-1] / curve.x[0]:.3g}; a shape needs at least 10."
    if not all(isfinite(se) and se > 0 for se in curve.se):
        return "inconclusive", "No standard error is known for some points, so change cannot be told from noise."
    return None


def _sublabel(code: int, kept: Evidence) -> str:
    y, setting = kept.y[None], kept.setting
    if code == rules.FLAT:
        return "at-chance" if rules.at_chance(y, setting).all() else ""
    if code != rules.SMOOTH:
        return ""
    if rules.leaves_chance(y, setting)[0]:
        return "late-onset"
    return "concave" if _is_concave(kept) else ""


def _starts_below_chance(kept: Evidence) -> bool:
    if not kept.setting.chance:
        return False
    return bool(kept.setting.chance - kept.y[0] > max(kept.setting.band * kept.setting.errors[0], rules.FLOOR))


def _is_concave(kept: Evidence) -> bool:
    """A parabola in x bends down by more than two standard errors."""
    errors = kept.setting.errors
    basis = np.vander(kept.setting.x - kept.setting.x.mean(), 3) / errors[:, None]
    covariance = np.linalg.pinv(basis.T @ basis)
    curvature = (covariance @ basis.T @ (kept.y / errors))[0]
    return bool(curvature < -2 * np.sqrt(covariance[0, 0]))


def _onset_interval(copies: Floats, kept: Evidence) -> tuple[float, float]:
    """95% percentiles of the onset over the copies, widened to the interval in which the curve leaves chance."""
    low, high = np.quantile(kept.onset(copies), [0.025, 0.975])
    x, q = kept.setting.x, kept.floor
    return float(min(low, x[q - 1])), float(max(high, x[q]))


def _in_units(axis: str, interval: tuple[float, float]) -> tuple[float, float]:
    low, high = sorted(from_coordinate(axis, position) for position in interval)
    return low, high
