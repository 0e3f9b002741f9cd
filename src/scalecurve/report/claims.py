"""What an ability's page says of a curve: the claim in a sentence, evidence, what would refute it, caveats, numbers.

Everything is made from the verdict and its reason codes, in the language of the report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from scalecurve.analysis.verdicts.reasons import SHAPES, Reason, read, say
from scalecurve.report.checks import answers_of, beside, metric_check
from scalecurve.report.claim_sentences import CLAIMS, ERRORS, PARTS, REFUTE, REPEATED, SEEN
from scalecurve.report.data import Contents
from scalecurve.report.named import named_in_question
from scalecurve.report.safe import minus, visible
from scalecurve.report.telling import strength

Curve = dict[str, Any]

NUMBERS = frozenset({"width", "scatter", "stable", "one-model-elsewhere", "short-span"})
"""Codes of reasons that are numbers for the expert: they stand folded."""
DOUBTS = frozenset({
    "largest-only", "edge", "not-surely-abrupt", "not-significant", "doubt", "few-items", "no-direction", "steep",
    "one-companion", "stopped-early", "undecided", "companion-fluency", "no-errors", "few-scales", "one-model-or",
    "last-apart", "one-model-astray",
})  # fmt: skip
"""Codes of reasons that speak against the verdict, or say how far it carries."""

SURELY = 3.0  # standard errors of a difference


def told(contents: Contents, words: Mapping[str, str], lang: str) -> Contents:
    """``contents`` with sentences in place of the verdicts' reason codes, in place.

    A headline curve's verdict gets ``claim`` (one sentence), ``strength`` (firm, likely, open), ``evidence``,
    ``refute``, ``caveats`` and ``numbers`` (sentences each);
    its curve ``o`` (positions of the points the verdict left out), ``ov`` (those that leaving out instead would explain
    as much), ``st`` (positions of the two models between which a rise begins), ``b`` (these; of a jump, and else, the
    two that differ most), ``off`` (position of the first point off the floor, of a rise), ``by`` (the finer score that
    decides about its jump) and ``why`` (of a fall, what the wrong answers are).
    Reasons of other curves are dropped: no page shows them.
    """
    same: dict[tuple[Any, ...], list[Curve]] = {}
    for curve in contents.curves:
        same.setdefault(answers_of(curve), []).append(curve)
    for curve in contents.curves:
        verdict = curve["v"]
        reasons = [read(text) for text in (verdict or {}).pop("reasons", [])]
        curve["o"] = left_out(contents, curve, reasons)
        if not curve["p"]:
            continue
        if rivals := left_out(contents, curve, reasons, "one-model-or"):
            curve["ov"] = rivals
        curve |= _off_floor(curve, reasons) | _decider(verdict, reasons)
        if start := _start(contents, curve):
            curve["st"] = start
            verdict |= _holding(contents, curve)
        curve["b"] = _around(contents, curve)
        if verdict:
            companions = [one for one in same[answers_of(curve)] if one is not curve]
            verdict |= _Claim(contents, curve, reasons, companions, words, lang).rows() | {
                "strength": strength(verdict)
            }
    return contents


def left_out(contents: Contents, curve: Curve, reasons: list[Reason], code: str = "one-model") -> list[int]:
    """Positions of the points of a curve that its verdict left out."""
    names = {visible(str(reason.arguments[0]), 120) for reason in reasons if reason.code == code}
    rungs = contents.families[curve["f"]]["rungs"]
    return [at for at, rung in enumerate(curve["r"]) if names and rungs[rung]["name"] in names]


def _around(contents: Contents, curve: Curve) -> list[int]:
    """The two neighbours between which a rise begins; the odd model and the one before it; of a jump, and else, those
    that differ most."""
    verdict = curve["v"] or {}
    pairs = list(pairwise(_kept(curve)))
    before = [at for at in _kept(curve) if curve["o"] and at < curve["o"][0]]
    if verdict.get("shape") == "one-model" and before:
        return [before[-1], curve["o"][0]]
    if "st" in curve and verdict.get("shape") != "emergent":
        return list(curve["st"])
    return list(max(pairs, key=lambda pair: abs(curve["y"][pair[1]] - curve["y"][pair[0]]), default=()))


def _start(contents: Contents, curve: Curve) -> list[int]:
    """The last model on the floor and the first off it; where no floor is counted, those around the threshold."""
    verdict, rungs = curve["v"] or {}, contents.families[curve["f"]]["rungs"]
    place, axis = verdict.get("threshold"), verdict.get("axis")
    if not isinstance(place, (int, float)):
        return []
    for low, high in pairwise(_kept(curve)):
        one, other = (rungs[curve["r"][at]].get(axis) for at in (low, high))
        known = isinstance(one, (int, float)) and isinstance(other, (int, float))
        if curve.get("off") == high or ("off" not in curve and known and one <= place < other):
            return [low, high]
    return []


def _holding(contents: Contents, curve: Curve) -> dict[str, float]:
    """The 95 % interval of where a rise begins, widened to hold the two models that the page names."""
    verdict, rungs = curve["v"], contents.families[curve["f"]]["rungs"]
    sizes = [rungs[curve["r"][at]].get(verdict.get("axis")) for at in curve["st"]]
    known = [
        x for x in (*sizes, verdict.get("threshold_lo"), verdict.get("threshold_hi")) if isinstance(x, (int, float))
    ]
    whole = len(known) == 4 and verdict["axis"] != "loss"
    return {"threshold_lo": min(known), "threshold_hi": max(known)} if whole else {}


def _kept(curve: Curve) -> list[int]:
    """Positions of the points with a score that the verdict keeps."""
    return [at for at, y in enumerate(curve["y"]) if isinstance(y, (int, float)) and at not in curve["o"]]


def _off_floor(curve: Curve, reasons: list[Reason]) -> dict[str, int]:
    """``off``: the first point off the floor, by the verdict's own count of the models on it."""
    lengths = [int(reason.arguments[0]) for reason in reasons if reason.code in ("floor", "floor-near")]
    kept = _kept(curve)
    return {"off": kept[lengths[0]]} if lengths and 0 < lengths[0] < len(kept) else {}


def _decider(verdict: Mapping[str, object] | None, reasons: list[Reason]) -> dict[str, str]:
    """``by``: of an artefact the finer score that climbs most before the score does, else the first examined."""
    climbs = {str(r.arguments[0]): float(r.arguments[2]) for r in reasons if r.code == "companion-climbs"}
    others = [str(r.arguments[0]) for r in reasons if r.code in ("companion-still", "companion-worsens")]
    if verdict and verdict.get("artefact") == "metric-artefact" and climbs:
        return {"by": visible(max(climbs, key=lambda name: climbs[name]), 80)}
    return {"by": visible([*others, *climbs][0], 80)} if others or climbs else {}


def jumps_where(rung: Callable[[int], str], curve: Curve, lang: str) -> str:
    """Between which two models a score jumps, and after which it begins, if elsewhere; ``rung`` names a point."""
    a, b = (rung(at) for at in curve["b"])
    begins: Sequence[int] = curve.get("st") or curve["b"]
    if list(begins) == list(curve["b"]):
        return f"（{a} 与 {b} 之间）" if lang == "zh" else f" between {a} and {b}"
    before = rung(begins[0])
    return (
        f"（{a} 与 {b} 之间，始于 {before} 之后）"
        if lang == "zh"
        else f" between {a} and {b}, beginning after {before}"
    )


class _Claim:
    """The sentences of one curve."""

    def __init__(
        self,
        contents: Contents,
        curve: Curve,
        reasons: list[Reason],
        companions: Sequence[Curve],
        words: Mapping[str, str],
        lang: str,
    ) -> None:
        self.contents, self.curve, self.reasons, self.words, self.lang = contents, curve, reasons, words, lang
        self.companions = companions
        self.verdict = curve["v"]
        self.rungs = contents.families[curve["f"]]["rungs"]

    def rows(self) -> dict[str, Any]:
        repeated = self._repeated()
        refute = self._pick(REFUTE, "inverse-repeated" if repeated else self._refuted())
        parted: dict[str, list[str]] = {"evidence": [], "refute": [refute], "caveats": [], "numbers": []}
        for reason in self.reasons:
            if reason.code == "sharp-as-ladder" and list(self.curve.get("st", ())) != list(self.curve["b"]):
                continue  # it begins before the two models between which it jumps
            kind = "numbers" if reason.code in NUMBERS else "caveats" if reason.code in DOUBTS else "evidence"
            parted[kind].append(self._sentence(reason))
        if repeated:
            self.curve["why"] = repeated
            parted["evidence"].append(repeated)
        if parts := self._other_parts():
            parted["evidence"].append(parts)
        if check := metric_check(self.curve, self.reasons, self.companions, self._metric, self.lang):
            parted["evidence"].append(check)
        if other := beside(self.curve, self.companions, self._metric, self.lang):
            parted["caveats"].append(minus(other))
        return {"claim": self._pick(CLAIMS, self._claimed())} | {name: rows for name, rows in parted.items() if rows}

    def _repeated(self) -> str:
        """Of a fall, that wrong answers repeat what the question names; "" where they do not."""
        kept = _kept(self.curve)
        falls = self.verdict["shape"] in ("inverse", "inverted-U") and kept
        found = named_in_question(self.contents, self.curve, kept[-1]) if falls else None
        if found is None:
            return ""
        return REPEATED[self.lang == "zh"].format(n=found[0], k=found[1], rung=self._rung(kept[-1]))

    def _other_parts(self) -> str:
        """Of a fall, the other parts of the same ability that rise, asked in the same way; "" where there are none."""
        own, tasks = self.curve, self.contents.tasks
        parent = tasks[own["t"]]["parent"]
        if self.verdict["shape"] not in ("inverse", "inverted-U") or not parent:
            return ""
        rises = []
        for curve in self.contents.curves:
            part = curve["p"] and tasks[curve["t"]]["parent"] == parent and all(curve[k] == own[k] for k in "fskm")
            kept = [y for y in curve["y"] if isinstance(y, (int, float))]
            if part and curve["v"] and curve["v"]["shape"] in ("smooth", "late", "emergent", "saturated") and kept:
                rises.append(f"{tasks[curve['t']]['name']} {kept[0]:.2f} → {kept[-1]:.2f}")
        names = ("、" if self.lang == "zh" else ", ").join(rises[:4])
        return minus(PARTS[self.lang == "zh"].format(parent=parent, names=names)) if rises else ""

    def _sentence(self, reason: Reason) -> str:
        """A reason with metrics called as the charts call them."""
        reason = self._over_the_floor(reason)
        named = tuple(
            self.words.get(word, visible(word, 120)) if isinstance(word, str) and word not in SHAPES else word
            for word in reason.arguments
        )
        said = minus(visible(say(Reason(reason.code, named), self.lang), 400))
        if self.lang == "zh":  # sentences leave a space for Latin names, and the report's are Chinese
            return re.sub(r"(?<=[\u4e00-\u9fff”]) (?=[\u4e00-\u9fff“])", "", said)
        return said[:1].upper() + said[1:] if reason.code.startswith("companion-") else said

    def _over_the_floor(self, reason: Reason) -> Reason:
        """How far a finer score worsens before the rise, over all models that the verdict counts on the floor: the
        check itself compares those alone that are no better than chance."""
        floor = [at for at in _kept(self.curve) if at < self.curve.get("off", 0)]
        own = next((one for one in self.companions if reason.arguments[:1] == (one["m"],)), None)
        if reason.code != "companion-worsens" or own is None:
            return reason
        known = dict(zip(own["r"], own["y"], strict=True))
        scores = [y for at in floor if isinstance(y := known.get(self.curve["r"][at]), (int, float))]
        if len(scores) < 2:
            return reason
        return Reason(reason.code, (own["m"], scores[0], (min if own["up"] else max)(scores)))

    def _metric(self, metric: str) -> str:
        return self.words.get(metric, visible(metric, 80))

    def _claimed(self) -> str:
        shape, sub, artefact = (self.verdict.get(name, "") for name in ("shape", "sublabel", "artefact"))
        if shape in ("emergent", "late") and artefact == "metric-artefact":
            return f"artefact-{shape}"
        if shape == "emergent" and artefact == "metric-robust":
            return "robust-emergent"
        if shape == "flat" and sub == "at-chance":
            return "at-chance"
        if shape == "smooth" and sub in ("late-onset", "concave"):
            return str(sub)
        if shape == "late" and not (self.curve["b"] and self.verdict.get("threshold") is not None):
            return "late-onset"
        if shape == "late" and sub in ("gradual", "steep"):
            return str(sub)
        if shape == "flat" and any(reason.code == "last-apart" for reason in self.reasons):
            return "flat-last"
        if shape == "one-model" and not self.curve["o"]:
            return "open"
        if shape == "inverse" and self._worst() not in (None, _kept(self.curve)[-1]):
            return "inverse-upturn"
        return shape if shape in CLAIMS else "open"

    def _refuted(self) -> str:
        shape = self.verdict["shape"]
        if shape in ("emergent", "late") and self.verdict.get("artefact") == "metric-artefact":
            return "artefact" if self.curve["b"] else "open"
        if (shape == "flat" and self.verdict.get("bound") is None) or (shape == "one-model" and not self.curve["o"]):
            return "open"
        if shape == "emergent" and not self.curve["b"]:
            return "open"
        return shape if shape in REFUTE else "open"

    def _pick(self, table: Mapping[str, tuple[str, str]], key: str) -> str:
        known = [y for y in self.curve["y"] if isinstance(y, (int, float))]
        low, high = (f"{known[0]:.2f}", f"{known[-1]:.2f}") if known else ("–", "–")
        a, b = [self._rung(at) for at in self.curve["b"]] if len(self.curve["b"]) == 2 else ("", "")
        where = ""
        if a and self.verdict.get("threshold") is not None:
            where = jumps_where(self._rung, self.curve, self.lang)
        likeliest, kept, worst = self.verdict.get("sublabel", ""), _kept(self.curve), self._worst()
        odd = [self._rung(at) for at in (*self.curve["o"], *self.curve.get("ov", ()))]
        noise, because = self._noise(len(kept) > 1 and self.verdict["shape"] == "smooth")
        floor, left = self._floor()
        values = {
            "where": where, "a": a, "b": b, "low": low, "high": high, "floor": floor, "left": left, "because": because,
            "noise": f"{noise:.2g}", "bound": f"{max(self.verdict.get('bound') or 0.0, noise, self._span()):.2g}",
            "last": self._rung(kept[-1]) if kept else "",
            "rung": (" 或 " if self.lang == "zh" else " or ").join(odd),
            "worst": f"{self.curve['y'][worst]:.2f}" if worst is not None else "",
            "lowest": self._rung(worst) if worst is not None else "",
            "likeliest": self.words.get(likeliest, likeliest or self.words["irregular"]),
        }  # fmt: skip
        return minus(table[key][self.lang == "zh"].format(**values))

    def _rung(self, at: int) -> str:
        return str(self.rungs[self.curve["r"][at]]["name"])

    def _worst(self) -> int | None:
        """The worst of the points that the verdict keeps."""
        sign = 1 if self.curve["up"] else -1
        return min(_kept(self.curve), key=lambda at: (sign * self.curve["y"][at], -at), default=None)

    def _floor(self) -> tuple[str, str]:
        """(where the first models are, what they leave): chance, or a floor of their own."""
        near = next((r.arguments for r in self.reasons if r.code == "floor-near"), None)
        if near is None:
            return ("处于随机水平", "随机水平") if self.lang == "zh" else ("At chance", "chance")
        level = f"{float(near[2]):.2f}"
        if self.lang == "zh":
            return f"处于约 {level} 的底部", "底部"
        return f"On a floor of {level}", "its floor"

    def _span(self) -> float:
        known = [self.curve["y"][at] for at in _kept(self.curve)]
        return float(max(known) - min(known)) if known else 0.0

    def _noise(self, falls: bool) -> tuple[float, str]:
        """(a difference of two models that chance does not make, why): what was seen and held for noise is less."""
        kept, sign = _kept(self.curve), 1 if self.curve["up"] else -1
        scatter = next((float(r.arguments[0]) for r in self.reasons if r.code == "scatter"), 0.0)
        errors = sorted(e for at in kept if isinstance(e := self.curve["e"][at], (int, float)))
        middle = errors[len(errors) // 2] if errors else 0.0
        noise, best, seen = SURELY * (2 * (middle**2 + scatter**2)) ** 0.5, float("-inf"), 0.0
        for at in kept if falls else ():
            best = max(best, sign * self.curve["y"][at])
            seen = max(seen, best - sign * self.curve["y"][at])
        why = ERRORS if noise > seen else SEEN
        return max(noise, seen), why[self.lang == "zh"]
