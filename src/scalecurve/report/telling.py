"""The words of the first screen: what a curve, its model and its prompt are called, and which curve is the clearest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scalecurve.report.data import Contents
from scalecurve.report.safe import minus, shorter
from scalecurve.report.summary import families_of_models

OPEN = ("inconclusive", "irregular", "too-few", "undefined")
_NAMED = 3  # abilities named on a card


def strength(verdict: Mapping[str, Any] | None) -> str:
    """firm, likely or open: a verdict's confidence in a word, as ``scalecurve verdicts`` says it."""
    from scalecurve.analysis.verdicts.judge import word

    confidence, shape = (verdict or {}).get("confidence"), (verdict or {}).get("shape", "undefined")
    if not isinstance(confidence, (int, float)) or shape in OPEN:
        return "open"
    return word(shape, confidence)


class Telling:
    """The curves of a report in one language. Curves are named by their index in ``contents.curves``."""

    def __init__(self, contents: Contents, words: Mapping[str, str], lang: str) -> None:
        self.contents, self.words, self.zh = contents, words, lang == "zh"
        self.curves = contents.curves
        self.judged = [index for index, curve in enumerate(self.curves) if curve["p"] and curve["v"]]

    def say(self, en: str, zh: str, **values: object) -> str:
        return (zh if self.zh else en).format(**values)

    def task(self, index: int) -> str:
        return shorter(str(self.contents.tasks[self.curves[index]["t"]]["name"]), 56)

    def named(self, index: int) -> str:
        """The ability, whose it is where there are several families, and how it is asked where that matters."""
        own, families, about = self.curves[index], self.contents.families, []
        if len(families_of_models(self.contents)) > 1:
            about.append(shorter(str(families[own["f"]]["name"]), 28))
        if len({c["s"] for c in self.curves if c["p"] and c["t"] == own["t"] and c["f"] == own["f"]}) > 1:
            about.append(self.arm(index))
        if not about:
            return self.task(index)
        return f"{self.task(index)}（{'，'.join(about)}）" if self.zh else f"{self.task(index)} ({', '.join(about)})"

    def rung(self, index: int, point: int) -> str:
        curve = self.curves[index]
        return str(self.contents.families[curve["f"]]["rungs"][curve["r"][point]]["name"])

    def arm(self, index: int) -> str:
        strategy = self.curves[index]["s"]
        way, _, budget = strategy.partition("@")
        if budget and strategy not in self.words:
            return self.words["budget"].format(way=self.words.get(way, way), n=budget)
        return str(self.words.get(strategy, strategy))

    def ends(self, index: int) -> tuple[str, str]:
        known = [y for y in self.curves[index]["y"] if y is not None]
        return (minus(f"{known[0]:.2f}"), minus(f"{known[-1]:.2f}")) if known else ("–", "–")

    def of(self, shape: str) -> list[int]:
        return [index for index in self.judged if self.curves[index]["v"]["shape"] == shape]

    def clearest(self, indices: Sequence[int]) -> int | None:
        """A jump that finer scores confirm, then the firmest, and among equals the one whose score moves most."""
        return next(iter(self.ranked(indices)), None)

    def ranked(self, indices: Sequence[int]) -> list[int]:
        """The clearest first."""
        order = {"firm": 2, "likely": 1, "open": 0}

        def clear(index: int) -> tuple[bool, int, float]:
            curve = self.curves[index]
            known = [y for y in curve["y"] if y is not None]
            bounded = curve["c"] is not None or curve["u"] is not None
            span = (max(known) - min(known)) if known and bounded else 0.0
            return self.is_confirmed(index), order[strength(curve["v"])], span

        return sorted(indices, key=clear, reverse=True)

    def is_confirmed(self, index: int) -> bool:
        """Whether the curve jumps, and finer scores of the same answers do too."""
        verdict = self.curves[index]["v"] or {}
        return verdict.get("shape") == "emergent" and verdict.get("artefact") == "metric-robust"

    def odd(self, indices: Sequence[int]) -> str:
        """The model that stands apart, where it is the same on all of these curves; else empty.

        Where leaving out another one explains a curve as well, both are named.
        """
        apart = {index: own for index in indices if (own := self.curves[index].get("o", ()))}
        rivals = {index: self.curves[index].get("ov", ()) for index in apart}
        found = {tuple(self.rung(index, place) for place in (*apart[index], *rivals[index])) for index in apart}
        if len(found) != 1 or any(len(own) > 1 for own in apart.values()):
            return ""
        return self.say(" or ", " 或 ").join(found.pop())

    def whose(self, members: Sequence[int]) -> str:
        """Of which families and prompts these curves of one ability are, where it has others; else empty."""
        one = self.curves[members[0]]
        every = [index for index in self.judged if self.curves[index]["t"] == one["t"]]
        if len(members) >= len(every):
            return ""

        def fewer(key: Callable[[int], object]) -> bool:
            return len({key(index) for index in members}) < len({key(index) for index in every})

        said: list[str] = []
        if fewer(lambda index: self.curves[index]["f"]):
            names = list(dict.fromkeys(self.contents.families[self.curves[index]["f"]]["name"] for index in members))
            several = self.say("{n} families", "{n} 个家族", n=len(names))
            said += [shorter(str(name), 28) for name in names] if len(names) < 3 else [several]
        if fewer(lambda index: self.curves[index]["s"]):
            said += [self.arm(index) for index in members]
        elif fewer(lambda index: self.curves[index]["k"]):
            said += [self.words["shots"].format(k=self.curves[index]["k"]) for index in members]
        return self.words["comma"].join(dict.fromkeys(said))

    def some(self, indices: Sequence[int]) -> tuple[tuple[tuple[str, int], ...], str]:
        """(the first abilities with their task's index, how many more there are in words)."""
        names = {self.curves[index]["t"]: self.task(index) for index in indices}
        more = len(names) - _NAMED
        shown = tuple((name, task) for task, name in list(names.items())[:_NAMED])
        return shown, self.say(" and {n} more", "等另外 {n} 项", n=more) if more > 0 else ""

    def names(self, indices: Sequence[int], *, quoted: bool = False) -> str:
        shown, more = self.some(indices)
        return ("、" if self.zh else ", ").join(f"“{name}”" if quoted else name for name, _ in shown) + more
