"""The cards of the first screen: one for each kind of curve, with the clearest of them and how strongly all hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scalecurve.report.telling import Telling, strength

KINDS = ("emergent", "artefact", "one-model", "late", "inverse", "U", "smooth", "saturated", "flat", "open")


@dataclass(frozen=True, slots=True)
class Card:
    """One kind of curve on the first screen: what it is, of which abilities, and how strongly it holds.

    ``count``: how many curves, in words; ``aside``: what is open about them; ``names``: the first abilities, each with
    its task's index, ``more``: how many others, in words. ``curve``: index of the clearest one, drawn as a spark.
    ``strength``: firm, likely or open, of the least sure of them, and ``sure`` in words for all. ``kind``: how the page
    groups it; ``shapes``: what the table of curves is filtered by.
    """

    kind: str
    title: str
    count: str
    aside: str
    names: tuple[tuple[str, int], ...]
    more: str
    shapes: tuple[str, ...]
    curve: int
    strength: str
    sure: str


def cards(telling: Telling) -> tuple[Card, ...]:
    """At most six, in the order of KINDS."""
    kinds = {index: _kind(telling, index) for index in telling.judged}
    made = []
    for kind in KINDS:
        members = [index for index, own in kinds.items() if own == kind]
        shown = telling.clearest(members)
        if shown is None:
            continue
        title = telling.words["card_" + kind]
        if kind == "one-model" and (who := telling.odd(members)):
            title += telling.words["colon"] + who
        count = telling.words["one_curve" if len(members) == 1 else "n_curves"].format(n=len(members))
        names, more = telling.some(members)
        shapes = tuple(dict.fromkeys(shape_of(telling.curves[index]["v"]) for index in members))
        aside, sure = _unsettled(telling, members), _sure(telling, members)
        made.append(Card(kind, title, count, aside, names, more, shapes, shown, *sure))
    return tuple(made[:6])


def shape_of(verdict: Mapping[str, Any]) -> str:
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
    """Of jumps: for how many of them finer scores leave open whether the ability jumps too."""
    verdicts = [telling.curves[index]["v"] for index in members]
    n = sum(v["shape"] == "emergent" and v.get("artefact") == "undetermined" for v in verdicts)
    en, zh = "finer scores leave {n} of them open", "其中 {n} 条更细的指标无法定论"
    return telling.say(en, zh, n=n) if n else ""


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
