"""What finer scores of the same answers say beside a verdict: the metric check of a rise, or that they go elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scalecurve.analysis.verdicts.reasons import Reason
from scalecurve.report.claim_sentences import BESIDES, CHECKS

Curve = dict[str, Any]

FINER = ("target_logprob", "edit_similarity", "bleu", "brier")
"""The finer score shown beside a strict one: the first that was recorded."""
FINER_OF_CHOICE = ("option_probability", "log_odds", "target_logprob", "correct_logprob", "brier")
CHOICE = "multiple_choice|option_|brier|calibration|log_odds|classification"
"""A metric of answers that are picked among options (a pattern)."""

_COURSE = {"smooth": "rising", "late": "rising", "emergent": "rising", "flat": "still", "inverse": "falling"}


def metric_check(
    curve: Curve, reasons: Sequence[Reason], companions: Sequence[Curve], name: Callable[[str], str], lang: str
) -> str:
    """The metric check of a rise in a sentence, with what it rests on; "" for a curve that has none.

    ``companions``: other curves of the same answers; ``name``: what a metric is called.
    """
    from scalecurve.analysis.verdicts.artefact import COMPANIONS, OVER_OPTIONS, STEADY

    status = str(curve["v"].get("artefact", ""))
    pace = {str(r.arguments[0]): float(r.arguments[2]) for r in reasons if r.code == "companion-climbs"}
    bends, straight, compared, fluent = (
        _named(reasons, codes)
        for codes in (
            {"companion-bends"},
            {"companion-straight"},
            {"companion-climbs", "companion-still", "companion-worsens"},
            {"companion-fluency"},
        )
    )
    climb = [metric for metric in pace if metric in straight or pace[metric] >= STEADY]
    turn = [metric for metric in bends if pace.get(metric, 0.0) < STEADY]
    names, others, key = climb if status == "metric-artefact" else turn, list[str](), status
    if status == "metric-robust" and pace:
        key = "metric-robust-climbing"
    elif status == "undetermined" and not compared:
        others = [one["m"] for one in companions if one["m"] in OVER_OPTIONS]
        names, key = fluent, "undetermined-recorded" if others else "undetermined-fluency"
    elif status == "untested":
        names = [one["m"] for one in companions if one["m"] in COMPANIONS]
        key = "untested-recorded" if names else status
        near = any(r.code == "floor-near" and int(r.arguments[0]) > 1 for r in reasons)
        alike = [one for one in companions if one["m"] in names and one["r"] == curve["r"]]
        if near and any(all(isinstance(e, (int, float)) for e in one["e"]) for one in alike):
            key = "untested-floor"
    if key not in CHECKS or (status != "untested" and not (compared or fluent)):
        return ""
    said = CHECKS[key][lang == "zh"].format(
        names=_listed(names, name, lang), climbing=_listed(list(pace), name, lang), n=len(compared), climb=len(climb),
        turn=len(turn), others=_listed(others, name, lang),
    )  # fmt: skip
    return said[:1].upper() + said[1:]


def beside(curve: Curve, companions: Sequence[Curve], name: Callable[[str], str], lang: str) -> str:
    """Of the finer score shown beside this one, that it goes another way; "" where it does not."""
    from scalecurve.analysis.verdicts.artefact import OVER_OPTIONS

    usual = FINER_OF_CHOICE if re.search(CHOICE, curve["m"]) else FINER
    known = {one["m"]: one for one in companions}
    finer = next((known[metric] for metric in usual if metric in known), None)
    if finer is None or "no-direction" in (finer["v"] or {}).get("flags", ()):
        return ""
    own, other = (_COURSE.get((one["v"] or {}).get("shape", ""), "") for one in (curve, finer))
    scores = [y for y in finer["y"] if isinstance(y, (int, float))]
    key = f"{own}-{other}"
    if other == "rising" and own != "rising" and curve["c"] and finer["m"] not in OVER_OPTIONS:
        key = "fluency" if own else ""
    if key not in BESIDES or not scores:
        return ""
    said = BESIDES[key][lang == "zh"].format(finer=name(finer["m"]), low=f"{scores[0]:.2f}", high=f"{scores[-1]:.2f}")
    return said[:1].upper() + said[1:]


def answers_of(curve: Mapping[str, object]) -> tuple[object, ...]:
    """What tells the answers of a curve from those of others: family, task, way of asking, shots."""
    return tuple(curve[key] for key in "ftsk")


def _named(reasons: Sequence[Reason], codes: set[str]) -> list[str]:
    return [str(reason.arguments[0]) for reason in reasons if reason.code in codes]


def _listed(metrics: Sequence[str], name: Callable[[str], str], lang: str) -> str:
    names = [name(metric) for metric in dict.fromkeys(metrics)]
    if lang == "zh":
        return "、".join(names)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
