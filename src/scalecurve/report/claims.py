"""What an ability's page says of a curve: the claim in a sentence, evidence, what would refute it, caveats, numbers.

Everything is made from the verdict and its reason codes, in the language of the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from scalecurve.analysis.verdicts.reasons import SHAPES, Reason, read, say
from scalecurve.report.data import Contents
from scalecurve.report.named import named_in_question
from scalecurve.report.safe import visible
from scalecurve.report.telling import strength

Curve = dict[str, Any]

NUMBERS = frozenset({"width", "scatter", "stable", "one-model-elsewhere", "short-span"})
"""Codes of reasons that are numbers for the expert: they stand folded."""
DOUBTS = frozenset({
    "largest-only", "edge", "not-surely-abrupt", "not-significant", "doubt", "few-items", "no-direction", "steep",
    "one-companion", "stopped-early", "undecided", "companion-fluency", "no-errors", "few-scales", "one-model-or",
})  # fmt: skip
"""Codes of reasons that speak against the verdict, or say how far it carries."""

SURELY = 3.0  # standard errors of a difference

# (English, Chinese). {where}: between which two models; {a}, {b}: their names; {low}, {high}: first and last score;
# {floor}: where the first models are ({left}: what they leave), at chance or on a floor of their own.
CLAIMS: dict[str, tuple[str, str]] = {
    "artefact-emergent": (
        "The score jumps{where}; the ability does not.",
        "得分突增{where}，能力本身并未突增。",
    ),
    "artefact-late": (
        "The score leaves {left} late{where}; the ability had been growing before.",
        "得分较晚离开{left}{where}，能力此前一直在增长。",
    ),
    "robust-emergent": ("Appears suddenly{where}, and finer scores agree.", "突然出现{where}，更细的指标也如此。"),
    "emergent": (
        "The score jumps{where}; whether the ability does is not settled.",
        "得分突增{where}，能力本身是否突增尚无定论。",
    ),
    "late": ("{floor} up to {a}, then rises, to {high}.", "{a} 及更小的模型{floor}，此后升至 {high}。"),
    "gradual": (
        "{floor} up to {a}, then rises gradually, to {high}.",
        "{a} 及更小的模型{floor}，此后逐渐升至 {high}。",
    ),
    "steep": ("{floor} up to {a}, then rises steeply, to {high}.", "{a} 及更小的模型{floor}，此后陡升至 {high}。"),
    "late-onset": ("At chance at first, then rises, to {high}.", "起初处于随机水平，此后升至 {high}。"),
    "smooth": ("Rises steadily with scale, from {low} to {high}.", "随规模稳步上升，从 {low} 到 {high}。"),
    "concave": (
        "Rises with scale, ever more slowly, from {low} to {high}.",
        "随规模上升，先快后慢，从 {low} 到 {high}。",
    ),
    "at-chance": ("No model does better than chance.", "没有模型优于随机水平。"),
    "flat": ("Does not change with scale: {low} at first, {high} at last.", "不随规模变化：起初 {low}，最后 {high}。"),
    "inverse": ("Gets worse with scale, from {low} to {high}.", "随规模变差，从 {low} 到 {high}。"),
    "inverse-upturn": (
        "Gets worse with scale, from {low} to {worst} at {lowest}; at the end a little better again, {high}.",
        "随规模变差，从 {low} 到 {lowest} 的 {worst}；最后略有回升，为 {high}。",
    ),
    "inverted-U": ("Rises, then falls again to {high}.", "先升后降，最后为 {high}。"),
    "U": ("Falls, then comes back to {high}.", "先降后升，最后回到 {high}。"),
    "saturated": (
        "Solved by most models: this exam no longer tells them apart.",
        "多数模型已达上限：本测验无法再区分它们。",
    ),
    "one-model": (
        "One model stands apart: {rung}. The others do not follow.",
        "只有 {rung} 与众不同，其余模型并不跟随。",
    ),
    "irregular": (
        "The models differ by more than any course over scale explains.",
        "各模型间的差异超出任何随规模变化的走势所能解释。",
    ),
    "inconclusive": ("Open: {likeliest} fits best, but not surely.", "尚无定论：最可能为“{likeliest}”，但不确定。"),
    "open": ("Too little is known to judge this curve.", "所知太少，无法判断这条曲线。"),
}

# what would refute: (English, Chinese)
REFUTE: dict[str, tuple[str, str]] = {
    "artefact": (
        "A finer score of the same answers that stays flat up to {b} and then jumps too.",
        "同一批答案的某个更细指标在 {b} 之前保持平坦、随后也突增。",
    ),
    "emergent": (
        "A model between {a} and {b} that scores halfway.",
        "在 {a} 与 {b} 之间有一个得分居中的模型。",
    ),
    "late": (
        "More models between {a} and {last} that show the rise in a single step.",
        "在 {a} 与 {last} 之间有更多模型显示上升只在一步之内完成。",
    ),
    "smooth": (
        "A further model that is worse than a smaller one by more than {noise}: {because}.",
        "另有一个模型比更小的模型差 {noise} 以上：{because}。",
    ),
    "flat": (
        "A larger model that differs from {last} by more than {bound}.",
        "更大的模型与 {last} 相差 {bound} 以上。",
    ),
    "inverse": (
        "A larger model that is better than {last} by more than {noise}: {because}.",
        "更大的模型比 {last} 好 {noise} 以上：{because}。",
    ),
    "inverted-U": (
        "A larger model that is better than {last} by more than {noise}: {because}.",
        "更大的模型比 {last} 好 {noise} 以上：{because}。",
    ),
    "U": (
        "A larger model that is worse than {last} by more than {noise}: {because}.",
        "更大的模型比 {last} 差 {noise} 以上：{because}。",
    ),
    "saturated": ("Harder questions on which the models differ.", "能区分各模型的更难的题目。"),
    "one-model": (
        "A second model near {rung} that scores as it does.",
        "{rung} 附近有第二个得分相近的模型。",
    ),
    "open": (
        "More questions, or more models between these, would settle it.",
        "更多题目，或这些规模之间的更多模型，可得定论。",
    ),
}

# of a fall: what the wrong answers are: (English, Chinese)
REPEATED = (
    "Of {n} wrong answers of {rung}, {k} are the option that the question itself names.",
    "{rung} 的 {n} 个错误回答中，有 {k} 个正是题目本身提到的选项。",
)

# why a difference has to be so large: (English, Chinese)
ERRORS = ("three standard errors of a difference", "差值标准误的三倍")
SEEN = ("the largest such change already seen, which the errors explain", "已见过的最大同类变化，误差足以解释")


def told(contents: Contents, words: Mapping[str, str], lang: str) -> Contents:
    """``contents`` with sentences in place of the verdicts' reason codes, in place.

    A headline curve's verdict gets ``claim`` (one sentence), ``strength`` (firm, likely, open), ``evidence``,
    ``refute``, ``caveats`` and ``numbers`` (sentences each);
    its curve ``o`` (positions of the points the verdict left out), ``ov`` (those that leaving out instead would explain
    as much), ``b`` (positions of the two models around where it begins, or where it jumps or changes most), ``g``
    (position of the first point off the floor, of a rise) and ``by`` (the finer score that decides about its jump).
    Reasons of other curves are dropped: no page shows them.
    """
    for curve in contents.curves:
        verdict = curve["v"]
        reasons = [read(text) for text in (verdict or {}).pop("reasons", [])]
        curve["o"] = left_out(contents, curve, reasons)
        if not curve["p"]:
            continue
        if rivals := left_out(contents, curve, reasons, "one-model-or"):
            curve["ov"] = rivals
        curve |= _off_floor(curve, reasons) | _decider(verdict, reasons)
        curve["b"] = _around(contents, curve)
        if verdict:
            verdict |= _Claim(contents, curve, reasons, words, lang).rows() | {"strength": strength(verdict)}
    return contents


def left_out(contents: Contents, curve: Curve, reasons: list[Reason], code: str = "one-model") -> list[int]:
    """Positions of the points of a curve that its verdict left out."""
    names = {visible(str(reason.arguments[0]), 120) for reason in reasons if reason.code == code}
    rungs = contents.families[curve["f"]]["rungs"]
    return [at for at, rung in enumerate(curve["r"]) if names and rungs[rung]["name"] in names]


def _around(contents: Contents, curve: Curve) -> list[int]:
    """The two neighbours between which a rise leaves its floor; the odd model and the one before it; of a jump, and
    else, those that differ most."""
    verdict = curve["v"] or {}
    rungs = contents.families[curve["f"]]["rungs"]
    pairs = list(pairwise(_kept(curve)))
    before = [at for at in _kept(curve) if curve["o"] and at < curve["o"][0]]
    if verdict.get("shape") == "one-model" and before:
        return [before[-1], curve["o"][0]]
    place, axis = verdict.get("threshold"), verdict.get("axis")
    if isinstance(place, (int, float)) and verdict.get("shape") != "emergent":
        for low, high in pairs:
            one, other = (rungs[curve["r"][at]].get(axis) for at in (low, high))
            known = isinstance(one, (int, float)) and isinstance(other, (int, float))
            if curve.get("g") == high or ("g" not in curve and known and one <= place < other):
                return [low, high]
    return list(max(pairs, key=lambda pair: abs(curve["y"][pair[1]] - curve["y"][pair[0]]), default=()))


def _kept(curve: Curve) -> list[int]:
    """Positions of the points with a score that the verdict keeps."""
    return [at for at, y in enumerate(curve["y"]) if isinstance(y, (int, float)) and at not in curve["o"]]


def _off_floor(curve: Curve, reasons: list[Reason]) -> dict[str, int]:
    """``g``: the first point off the floor, by the verdict's own count of the models on it."""
    lengths = [int(reason.arguments[0]) for reason in reasons if reason.code in ("floor", "floor-near")]
    kept = _kept(curve)
    return {"g": kept[lengths[0]]} if lengths and 0 < lengths[0] < len(kept) else {}


def _decider(verdict: Mapping[str, Any] | None, reasons: list[Reason]) -> dict[str, str]:
    """``by``: of an artefact the finer score that climbs most before the score does, else the first examined."""
    climbs = {str(r.arguments[0]): float(r.arguments[2]) for r in reasons if r.code == "companion-climbs"}
    others = [str(r.arguments[0]) for r in reasons if r.code in ("companion-still", "companion-worsens")]
    if verdict and verdict.get("artefact") == "metric-artefact" and climbs:
        return {"by": visible(max(climbs, key=lambda name: climbs[name]), 80)}
    return {"by": visible([*others, *climbs][0], 80)} if others or climbs else {}


class _Claim:
    """The sentences of one curve."""

    def __init__(
        self, contents: Contents, curve: Curve, reasons: list[Reason], words: Mapping[str, str], lang: str
    ) -> None:
        self.contents, self.curve, self.reasons, self.words, self.lang = contents, curve, reasons, words, lang
        self.verdict = curve["v"]
        self.rungs = contents.families[curve["f"]]["rungs"]

    def rows(self) -> dict[str, Any]:
        refute = self._pick(REFUTE, self._refuted())
        parted: dict[str, list[str]] = {"evidence": [], "refute": [refute], "caveats": [], "numbers": []}
        for reason in self.reasons:
            kind = "numbers" if reason.code in NUMBERS else "caveats" if reason.code in DOUBTS else "evidence"
            parted[kind].append(self._sentence(reason))
        if said := self._repeated():
            parted["evidence"].append(said)
        return {"claim": self._pick(CLAIMS, self._claimed())} | {name: rows for name, rows in parted.items() if rows}

    def _repeated(self) -> str:
        """Of a fall, that wrong answers repeat what the question names; "" where they do not."""
        kept = _kept(self.curve)
        falls = self.verdict["shape"] in ("inverse", "inverted-U") and kept
        found = named_in_question(self.contents, self.curve, kept[-1]) if falls else None
        if found is None:
            return ""
        return REPEATED[self.lang == "zh"].format(n=found[0], k=found[1], rung=self._rung(kept[-1]))

    def _sentence(self, reason: Reason) -> str:
        """A reason with metrics called as the charts call them."""
        named = tuple(
            self.words.get(word, visible(word, 120)) if isinstance(word, str) and word not in SHAPES else word
            for word in reason.arguments
        )
        return visible(say(Reason(reason.code, named), self.lang), 400)

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
            where = f"（{a} 与 {b} 之间）" if self.lang == "zh" else f" between {a} and {b}"
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
        return table[key][self.lang == "zh"].format(**values)

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
