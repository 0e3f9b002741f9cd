"""What the first screen says: the strongest finding, one doubt, and a card for each kind of curve.

The headline is the largest contrast that the verdicts support, in this order: a way of asking that unlocks an ability,
a jump that finer metrics confirm, one of which they leave open whether it is the ability's (and that is said with it),
a fall with scale, the steepest rise. Every sentence is made of verdicts and
scores that stand on the page; nothing is said that the verdicts do not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from scalecurve.report.cards import Card, Unlock, cards, harms, unlocks
from scalecurve.report.checks import answers_of
from scalecurve.report.claims import jumps_where
from scalecurve.report.data import Contents
from scalecurve.report.summary import amount, families_of_models
from scalecurve.report.telling import OPEN, Telling, strength

LEAST_GAIN = 0.1  # of a way of asking over direct answers, to be a headline
SURE = 3.0  # standard errors of a difference between two scores
RISES = ("smooth", "late", "saturated", "emergent")


@dataclass(frozen=True, slots=True)
class Findings:
    """The first screen. ``hero``: indices of the curves of its chart, empty where nothing was judged; ``lead``: that of
    the one that the headline speaks of (−1: none); ``unlocks``: ways of asking that lift an ability, largest first;
    ``harms``: those that harm one."""

    kicker: str
    trouble: str
    headline: str
    doubt: str
    hero: tuple[int, ...]
    lead: int
    cards: tuple[Card, ...]
    unlocks: tuple[Unlock, ...]
    harms: tuple[Unlock, ...]
    unit: str
    """Key of the sentence that says what is counted."""


def findings(contents: Contents, words: Mapping[str, str], lang: str) -> dict[str, object]:
    """The first screen as plain values for the page."""
    told = _Screen(contents, words, lang)
    text, lead = told.headline()
    hero = () if lead < 0 else told.arms(lead)
    unit = "curve_is_of_family" if len(families_of_models(contents)) > 1 else "curve_is"
    screen = Findings(
        told.kicker(), told.trouble(), text, told.doubt(), hero, lead, cards(told), unlocks(told), harms(told), unit
    )
    return asdict(screen)


class _Screen(Telling):
    # ── The line above the headline ───────────────────────────────────────────────────────────────────────────
    def kicker(self) -> str:
        rungs = [rung for family in families_of_models(self.contents) for rung in family["rungs"]]
        sizes = sorted(size for rung in rungs if (size := rung["params_non_embedding"] or rung["params_total"]))
        answers = sum(source.manifest.get("totals", {}).get("examples", 0) for source in self.contents.sources)
        parts = [
            self.say("{n} models", "{n} 个模型", n=len(rungs)) if len(rungs) != 1 else self.say("1 model", "1 个模型")
        ]
        if sizes and sizes[0] != sizes[-1]:
            span = f"{amount(sizes[0])}–{amount(sizes[-1])}"
            parts[0] += self.say(", {span} parameters", "，{span} 参数", span=span)
        tasks = len(self.contents.tasks)
        said = self.say("{n} abilities", "{n} 项能力", n=tasks) if tasks != 1 else self.say("1 ability", "1 项能力")
        if (curves := sum(curve["p"] for curve in self.curves)) > tasks:
            said += self.say(" in {n} curves", "，{n} 条曲线", n=curves)
        parts.append(said)
        if answers:
            parts.append(self.say("{n:,} answers", "{n:,} 个回答", n=answers))
        else:
            scores = sum(len(curve["y"]) for curve in self.curves)
            parts.append(self.say("{n:,} published scores", "{n:,} 个已发表得分", n=scores))
        return " · ".join(parts)

    def trouble(self) -> str:
        """What is missing, for an amber chip; empty where nothing is."""
        missing = sum(curve["x"] for curve in self.curves if curve["p"])
        cells = sum(
            bool(cell.get("reason")) for source in self.contents.sources for cell in source.manifest.get("cells", [])
        )
        gaps = sum(value is None for curve in self.curves if curve["p"] for value in curve["y"])
        said = []
        if missing:
            said.append(self.say("{n:,} without an answer", "{n:,} 个没有答案", n=missing))
        if cells:
            said.append(self.say("{n} failed cells", "{n} 个失败单元", n=cells))
        if gaps and not cells:
            said.append(self.say("{n} scores missing", "缺少 {n} 个得分", n=gaps))
        return " · ".join(said)

    # ── The finding ───────────────────────────────────────────────────────────────────────────────────────────
    def headline(self) -> tuple[str, int]:
        """The finding, and the index of the curve it speaks of (−1: there is none)."""
        if not self.judged:
            return self.words["no_verdicts"], self._first()
        if all(self.curves[index]["v"]["shape"] == "too-few" for index in self.judged):
            return self._too_few()
        for find in (self._unlock, self._jump, self._fall, self._rise):
            text, index = find()
            if text:
                return text, index
        return self.say("No verdict here is a change with scale.", "没有任何判定为随规模变化。"), self._first()

    def _too_few(self) -> tuple[str, int]:
        """What was seen with fewer models than a verdict needs: the largest change, called no more than that."""
        index = self.clearest(self.judged) or self.judged[0]
        low, high = self.ends(index)
        if low == high:
            return self.say("Too few models to judge anything.", "模型太少，无法作出任何判定。"), index
        text = self.say(
            "{task} goes from {low} to {high}; too few models to judge how.",
            "“{task}”从 {low} 变为 {high}；模型太少，无法判定变化方式。", task=self.named(index), low=low, high=high,
        )  # fmt: skip
        return text[:1].upper() + text[1:], index

    def _first(self) -> int:
        return next((index for index, curve in enumerate(self.curves) if curve["p"]), -1)

    def arms(self, index: int) -> tuple[int, ...]:
        """The curves that belong in one chart with this one: same ability and metric, all families and prompts."""
        own = self.curves[index]
        same = [i for i, curve in enumerate(self.curves) if curve["t"] == own["t"] and curve["m"] == own["m"]]
        budgets = [family not in families_of_models(self.contents) for family in self.contents.families]
        same = [i for i in same if budgets[self.curves[i]["f"]] == budgets[own["f"]]]
        if len({self.curves[i]["f"] for i in same}) > 8:
            same = [i for i in same if self.curves[i]["f"] == own["f"]]
        return tuple(same[:8])

    def _unlock(self) -> tuple[str, int]:
        """The way of asking that lifts an ability most over direct answers, at some model and surely.

        Those whose rise finer scores leave open come last, and are told with that doubt.
        """
        best, chosen = (False, LEAST_GAIN), None
        for index in self.judged:
            curve = self.curves[index]
            base = self._direct(index) if curve["s"] != "direct" and curve["up"] else None
            if base is None or curve["v"]["shape"] not in RISES or "outlier-driven" in curve["v"].get("flags", ()):
                continue
            for gain, point in self._gains(index, base):
                if gain > LEAST_GAIN and (not self._is_open(index), gain) > best:
                    best, chosen = (not self._is_open(index), gain), (index, base, point)
        if chosen is None:
            return "", 0
        index, base, point = chosen
        small = self._small_beats_large(index, base)
        one, other = (small, len(self.curves[base]["y"]) - 1) if small is not None else (point, point)
        values = {
            "arm": self.arm(index), "task": self.task(index), "rung": self.rung(index, one),
            "largest": self.rung(base, other), "with_": f"{self.curves[index]['y'][one]:.2f}",
            "without": f"{self.curves[base]['y'][other]:.2f}",
        }  # fmt: skip
        chance = self.curves[index]["c"]
        values["chance"] = self.say(" (chance {c:.2f})", "（随机水平 {c:.2f}）", c=chance) if chance else ""
        en = "{arm} lifts “{task}”: {with_} against {without} at {rung}{chance}."
        zh = "{arm}提升“{task}”：在 {rung} 上为 {with_} 对 {without}{chance}。"
        if small is not None:
            en = "{arm} unlocks “{task}”: {rung} with it beats {largest} without, {with_} against {without}{chance}."
            zh = "{arm}解锁“{task}”：{rung} 用它胜过 {largest} 不用它，{with_} 对 {without}{chance}。"
        text = self.say(en, zh, **values)
        if self._is_open(index):
            text += self.say(
                " Whether the ability jumps or its score alone is open.", "突增的是能力还是仅得分，尚无定论。"
            )
        return text[:1].upper() + text[1:] + self._confirmed(index), index

    def _is_open(self, index: int) -> bool:
        """Whether the curve jumps and finer scores do not confirm that the ability does."""
        verdict = self.curves[index]["v"]
        return bool(verdict["shape"] == "emergent") and not self.is_confirmed(index)

    def _confirmed(self, index: int) -> str:
        """That a jump is no artefact of its score, where finer ones of the same answers say so."""
        return self.say(" Finer scores jump too.", "更细的指标同样突增。") if self.is_confirmed(index) else ""

    def _gains(self, index: int, base: int) -> list[tuple[float, int]]:
        """What the way of asking surely gains, at every model that both verdicts keep."""
        one, other = self.curves[index], self.curves[base]
        apart = {*one.get("o", ()), *other.get("o", ())}
        sure = [(y - other["y"][k], k) for y, k in self._shared(index, base) if k not in apart]
        return [(gain, k) for gain, k in sure if gain > SURE * self._error(index, k, base, k)]

    def _small_beats_large(self, index: int, base: int) -> int | None:
        """The smallest model that, asked this way, surely beats the largest asked directly; None where none does."""
        one, last = self.curves[index], len(self.curves[base]["y"]) - 1
        if self._shared(index, base)[-1:] == [] or self.curves[base]["y"][last] is None:
            return None
        top = self.curves[base]["y"][last]
        return next(
            (
                k
                for y, k in self._shared(index, base)
                if k < last and k not in one.get("o", ()) and y - top > SURE * self._error(index, k, base, last)
            ),
            None,
        )

    def _error(self, one: int, k: int, other: int, j: int) -> float:
        """The standard error of the difference of two points, as if of other questions."""
        parts = (self.curves[one]["e"][k], self.curves[other]["e"][j])
        return float(sum(e * e for e in parts if isinstance(e, (int, float))) ** 0.5)

    def _shared(self, index: int, base: int) -> list[tuple[float, int]]:
        one, other = self.curves[index], self.curves[base]
        if one["r"] != other["r"]:
            return []
        return [(y, k) for k, y in enumerate(one["y"]) if y is not None and other["y"][k] is not None]

    def _direct(self, index: int) -> int | None:
        own = self.curves[index]
        same = [i for i, c in enumerate(self.curves) if c["s"] == "direct" and all(c[k] == own[k] for k in "ftm")]
        return min(same, key=lambda i: abs(self.curves[i]["k"] - own["k"]), default=None)

    def _jump(self) -> tuple[str, int]:
        """The clearest jump among those that finer scores confirm, else among those that they do not take apart."""
        check = {i: self.curves[i]["v"].get("artefact", "untested") for i in self.of("emergent")}
        index = self.clearest([i for i in check if check[i] == "metric-robust"])
        if index is None:
            index = self.clearest([i for i in check if check[i] != "metric-artefact"])
        if index is None:
            return "", 0
        en, zh = "{task} appears suddenly{where}.", "“{task}”突然出现{where}。"
        if check[index] != "metric-robust":
            en = "The score on {task} jumps{where}; whether the ability does is open."
            zh = "“{task}”的得分突增{where}；能力本身是否突增尚无定论。"
        text = self.say(en, zh, task=self.named(index), where=self._where(index))
        return text[:1].upper() + text[1:] + self._confirmed(index), index

    def _fall(self) -> tuple[str, int]:
        index = self.clearest(self.of("inverse"))
        if index is None:
            return "", 0
        low, high = self.ends(index)
        text = self.say(
            "{task} gets worse with scale: {low} → {high}.", "“{task}”随规模变差：{low} → {high}。",
            task=self.named(index), low=low, high=high,
        )  # fmt: skip
        return text[:1].upper() + text[1:], index

    def _rise(self) -> tuple[str, int]:
        index = self.clearest([i for shape in RISES for i in self.of(shape)])
        if index is None:
            return "", 0
        if self.curves[index]["v"]["shape"] == "emergent":  # only jumps made by the metric are left
            text = self.say(
                "The score on {task} jumps{where}; the ability behind it does not.",
                "“{task}”的得分突增{where}，其背后的能力并未突增。", task=self.named(index), where=self._where(index),
            )  # fmt: skip
            return text, index
        low, high = self.ends(index)
        text = self.say(
            "{task} grows with scale: {low} → {high}.", "“{task}”随规模上升：{low} → {high}。",
            task=self.named(index), low=low, high=high,
        )  # fmt: skip
        return text[:1].upper() + text[1:], index

    def _where(self, index: int) -> str:
        """Between which two models it begins; "" where the verdict has no threshold."""
        curve = self.curves[index]
        if curve["v"].get("threshold") is None or len(curve.get("b", ())) != 2:
            return ""
        return jumps_where(lambda at: self.rung(index, at), curve, "zh" if self.zh else "en")

    # ── The doubt ─────────────────────────────────────────────────────────────────────────────────────────────
    def doubt(self) -> str:
        if not self.judged:
            return ""
        jumps = self.of("emergent")
        made = [index for index in jumps if self.curves[index]["v"].get("artefact") == "metric-artefact"]
        untested = [index for index in jumps if self.curves[index]["v"].get("artefact", "untested") == "untested"]
        if made:
            names = self.names(made)
            en, zh = "On {names} the score jumps, the ability does not.", "{names}：得分突增，能力并未突增。"
            if len(made) == len(jumps):
                en = "No jump survives a finer score: on {names} the same answers had climbed before."
                zh = "没有跃升经得起更细的指标：{names}的同一批答案此前已在上升。"
            return self.say(en, zh, names=names)
        if untested:
            en = "The finer scores of {names} cannot be compared, so whether the jump is real is untested."
            zh = "{names}的更细指标无法比较，跃升是否真实尚未检验。"
            if not any(self._has_finer(index) for index in untested):
                en = "No finer score was recorded for {names}, so whether the jump is real is untested."
                zh = "{names}没有更细的指标，跃升是否真实尚未检验。"
            return self.say(en, zh, names=self.names(untested))
        apart = [i for i in self.judged if {"outlier-driven", "one-model"} & set(self.curves[i]["v"].get("flags", ()))]
        odd = [i for i in apart if self.curves[i]["v"]["shape"] not in OPEN]  # what is open is told as no fact
        if odd:
            return self._apart(odd)
        firm = sum(strength(self.curves[index]["v"]) == "firm" for index in self.judged)
        en = "{firm} of {all} verdicts are firm; the others would need more questions or more models."
        zh = "{all} 个判定中有 {firm} 个可靠；其余需要更多题目或更多模型。"
        if firm == 0:
            en = "No verdict is firm: that would need more questions or more models."
            zh = "没有可靠的判定：需要更多题目或更多模型。"
            if all(self.curves[index]["v"]["shape"] == "too-few" for index in self.judged):
                en = "A verdict needs four models of a family, far enough apart."
                zh = "判定至少需要同一家族中规模间隔足够大的四个模型。"
        elif firm == len(self.judged):
            en = "Every verdict is firm for these models and questions; a larger model may undo it."
            zh = "就这些模型和题目而言，每个判定都可靠；更大的模型仍可能推翻它。"
        return self.say(en, zh, firm=firm, all=len(self.judged))

    def _has_finer(self, index: int) -> bool:
        """Whether a finer score of the same answers is in the run."""
        from scalecurve.analysis.verdicts.artefact import COMPANIONS

        own = answers_of(self.curves[index])
        return any(answers_of(curve) == own and curve["m"] in COMPANIONS for curve in self.curves if not curve["p"])

    def _apart(self, odd: list[int]) -> str:
        """Which model stands apart on which curves; where they are more than two cases, that one does."""
        cases: dict[str, list[int]] = {}
        for index in odd:
            cases.setdefault(self.odd([index]), []).append(index)
        if "" in cases or len(cases) > 2:
            cases = {self.odd(odd) or self.say("One model", "有一个模型"): odd}
        parts = [(who, self.names(own, quoted=True)) for who, own in cases.items()]
        if self.zh:
            said = "，".join(f"{who} 在{names}中与众不同" for who, names in parts)
            return f"{said}；请先查看，再相信{'这条曲线' if len(odd) == 1 else '这些曲线'}的形状。"
        said = ", and ".join(
            f"{who} {'' if at else 'stands apart '}on {names}" for at, (who, names) in enumerate(parts)
        )
        which, its = ("that curve", "its shape") if len(odd) == 1 else ("those curves", "their shapes")
        return f"{said}; look at {which} before believing {its}."
