"""The cards of the first screen: one for each kind of curve, with the clearest of them and how strongly all hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scalecurve.report.summary import counted
from scalecurve.report.telling import Telling, strength

UNREAD = 0.1  # share of texts without an answer from which on a harm may be one of reading
KINDS = ("emergent", "artefact", "one-model", "late", "inverse", "U", "smooth", "saturated", "flat", "open")


@dataclass(frozen=True, slots=True)
class Card:
    """One kind of curve on the first screen: what it is, of which abilities, and how strongly it holds.

    ``count``: how many curves of how many abilities, in words; ``aside``: what is open about them, or
    why they fall; ``where``: of jumps, between which models; ``names``: the first abilities, each with
    its task's index, ``whose``: of which families and prompts each of these is, where the ability has curves of other
    kinds, ``more``: how many others, in words. ``curve``: index of the clearest one, drawn as a spark.
    ``strength``: firm, likely or open, of the least sure of them, and ``sure`` in words for all. ``kind``: how the page
    groups it; ``shapes``: what the table of curves is filtered by.
    """

    kind: str
    title: str
    count: str
    aside: str
    where: str
    names: tuple[tuple[str, int], ...]
    whose: tuple[str, ...]
    more: str
    shapes: tuple[str, ...]
    curve: int
    strength: str
    sure: str


@dataclass(frozen=True, slots=True)
class Unlock:
    """A way of asking that lifts or harms an ability: indices of its curve and task, the task's name, and where."""

    curve: int
    task: int
    name: str
    by: str


def unlocks(telling: Telling) -> tuple[Unlock, ...]:
    """The ways of asking that are better than direct ones from some model on, the largest final score first."""
    lifted = [index for index, curve in enumerate(telling.curves) if curve["p"] and curve.get("unlock")]
    lifted.sort(key=lambda index: -(next((y for y in reversed(telling.curves[index]["y"]) if y is not None), 0.0)))
    made = []
    for index in lifted:
        curve = telling.curves[index]
        by = telling.say("{arm}, from {rung} on", "{arm}，自 {rung} 起", arm=telling.arm(index), rung=curve["unlock"])
        made.append(Unlock(index, curve["t"], telling.task(index), by))
    return tuple(made)


def harms(telling: Telling) -> tuple[Unlock, ...]:
    """The ways of asking that are surely worse than direct ones at some model, the largest loss first.

    ``by`` says what the score is with and without, and in how many texts no answer was found where that is one of ten.
    """
    hurt = [index for index, curve in enumerate(telling.curves) if curve["p"] and curve.get("harm")]
    made = []
    for index in sorted(hurt, key=lambda index: -telling.curves[index]["harm"]["loss"]):
        harm = telling.curves[index]["harm"]
        by = telling.say(
            "{arm}, most at {rung}, by {loss:.2f}", "{arm}，在 {rung} 上最甚，差 {loss:.2f}",
            arm=telling.arm(index), rung=harm["rung"], loss=harm["loss"],
        )  # fmt: skip
        if (harm["unread"] or 0.0) >= UNREAD:
            by += telling.say(
                " (no answer was found in {share:.0%} of its texts)", "（其文本中 {share:.0%} 未抽取到答案）",
                share=harm["unread"],
            )  # fmt: skip
        made.append(Unlock(index, telling.curves[index]["t"], telling.task(index), by))
    return tuple(made)


def cards(telling: Telling) -> tuple[Card, ...]:
    """At most six, in the order of KINDS."""
    kinds = {index: _kind(telling, index) for index in telling.judged}
    made = []
    for kind in KINDS:
        members = telling.ranked([index for index, own in kinds.items() if own == kind])
        if not members:
            continue
        title = telling.words["card_" + kind]
        if kind == "artefact" and not any(telling.curves[i]["v"]["shape"] == "emergent" for i in members):
            title = telling.words["card_artefact_late"]
        if kind == "one-model" and (who := telling.odd(members)):
            title += telling.words["colon"] + who
        tasks = len({telling.curves[index]["t"] for index in members})
        count = counted(len(members), tasks, telling.words)
        names, more = telling.some(members)
        shapes = tuple(dict.fromkeys(shape_of(telling.curves[index]["v"]) for index in members))
        aside, sure = _unsettled(telling, members), _sure(telling, members)
        whose = tuple(telling.whose([i for i in members if telling.curves[i]["t"] == task]) for _, task in names)
        where = _where(telling, members)
        made.append(Card(kind, title, count, aside, where, names, whose, more, shapes, members[0], *sure))
    return tuple(made[:6])


def shape_of(verdict: Mapping[str, object]) -> str:
    """What the page counts and filters a curve as: its shape, and a jump that the metric makes as one of its own."""
    made = verdict["shape"] in ("emergent", "late") and verdict.get("artefact") == "metric-artefact"
    return "metric-artefact" if made else str(verdict["shape"])


def _sure(telling: Telling, members: Sequence[int]) -> tuple[str, str]:
    """The strength of the least sure, and a word for all: how many are firm where they differ."""
    own = [strength(telling.curves[index]["v"]) for index in members]
    least = next(word for word in ("open", "likely", "firm") if word in own)
    if len(set(own)) == 1 or "firm" not in own:
        return least, telling.words[least]
    return least, telling.say("{n} of {all} firm", "{all} 条中 {n} 条可靠", n=own.count("firm"), all=len(own))


def _unsettled(telling: Telling, members: Sequence[int]) -> str:
    """Of jumps: those that may be the metric's alone. Of falls: why, where it is known."""
    for index in members:
        if why := telling.curves[index].get("why"):
            return str(why) if len(members) == 1 else f"{telling.task(index)}{telling.words['colon']}{why}"
    check = {
        index: telling.curves[index]["v"].get("artefact", "untested")
        for index in members
        if telling.curves[index]["v"]["shape"] == "emergent"
    }
    said = []
    for status, en, zh in (
        (
            "undetermined",
            "finer scores leave open whether the ability jumps too: {names}",
            "能力是否同样突增，更细的指标无法定论：{names}",
        ),
        ("untested", "whether the ability jumps too is untested: {names}", "能力是否同样突增，未经检验：{names}"),
    ):
        own = [index for index in check if check[index] == status]
        said += [telling.say(en, zh, names=telling.names(own))] if own else []
    return telling.words["semicolon"].join(said)


def _where(telling: Telling, members: Sequence[int]) -> str:
    """Of jumps, between which two models they are, the commonest first."""
    pairs = [
        tuple(telling.rung(index, at) for at in telling.curves[index]["b"])
        for index in members
        if telling.curves[index]["v"]["shape"] == "emergent" and len(telling.curves[index].get("b", ())) == 2
    ]
    said = []
    for pair in sorted(dict.fromkeys(pairs), key=lambda pair: -pairs.count(pair))[:2]:
        en, zh = "{n} between {a} and {b}", "{n} 条在 {a} 与 {b} 之间"
        if len(set(pairs)) == 1:
            en, zh = "between {a} and {b}", "在 {a} 与 {b} 之间"
        said.append(telling.say(en, zh, n=pairs.count(pair), a=pair[0], b=pair[1]))
    return telling.words["comma"].join(said)


def _kind(telling: Telling, index: int) -> str:
    verdict = telling.curves[index]["v"]
    shape, flags = verdict["shape"], set(verdict.get("flags", ()))
    if shape_of(verdict) == "metric-artefact":
        return "artefact"
    if shape == "emergent":
        return "emergent"
    if shape == "one-model":
        return "one-model"
    if shape == "late" or (shape == "smooth" and verdict.get("sublabel") == "late-onset"):
        return "late"
    if shape in ("flat", "saturated", "smooth", "U"):
        return "one-model" if shape == "flat" and "outlier-driven" in flags else str(shape)
    return "inverse" if shape in ("inverse", "inverted-U") else "open"
