"""The models of a study: its entries become ladders, each rung checked to be one that can be opened here."""

from __future__ import annotations

from dataclasses import replace

from scalecurve.errors import UserError
from scalecurve.study.checks import at_field, check_names, repeated
from scalecurve.study.study import ModelEntry, Study
from scalecurve.types import Ladder, Rung


def plan_ladders(study: Study) -> tuple[Ladder, ...]:
    """The study's ladders, its budgets in them. Models named singly form one, the study's own, in ascending size.

    ``UserError`` for a model that cannot be opened here, and for two models or two families of one name.
    """
    from scalecurve.models import check_rung

    ladders: list[Ladder] = []
    single: list[Rung] = []
    family = ""
    for at, entry in enumerate(study.models):
        with at_field(f"{study.source}: models[{at}]"):
            found = _resolve(entry)
            for rung in found.rungs if isinstance(found, Ladder) else (found,):
                check_rung(rung)
            if isinstance(found, Ladder):
                ladders.append(found)
                continue
            family = family or entry.family
            single.append(found)
    if single:
        single.sort(key=lambda rung: rung.params_non_embedding or rung.params_total or 0)
        ladders.append(Ladder(family=family or study.name, rungs=tuple(single)))
    for ladder in ladders:
        twice = repeated([rung.name for rung in ladder.rungs])
        if twice:
            raise UserError(f"{study.source}: models: two models are named {twice!r} in {ladder.family}; rename one")
    twice = repeated([ladder.family for ladder in ladders])
    if twice:
        raise UserError(f'{study.source}: models: two families are named {twice!r}; give one of them family = "…"')
    return tuple(_within_budget(ladder, study.max_tokens_total) for ladder in ladders)


def _within_budget(ladder: Ladder, tokens: int | None) -> Ladder:
    """The ladder, its served models held to ``tokens`` each where they have no budget of their own."""
    if tokens is None:
        return ladder
    rungs = (
        replace(rung, options={"max_tokens_total": tokens, **rung.options}) if rung.backend == "endpoint" else rung
        for rung in ladder.rungs
    )
    return replace(ladder, rungs=tuple(rungs))


def _resolve(entry: ModelEntry) -> Ladder | Rung:
    from scalecurve.models import load_ladder, resolve_rung
    from scalecurve.models.ladders import is_ladder

    if not entry.ref:
        given = entry.model_dump(exclude={"ref", "rungs", "family"})
        return Rung(**given)
    if is_ladder(entry.ref):
        ladder = _select(entry, load_ladder(entry.ref))
        rungs = tuple(_with_options(entry, rung) for rung in ladder.rungs)
        return replace(ladder, rungs=rungs, family=entry.family or ladder.family)
    return _with_options(entry, resolve_rung(entry.ref))


def _with_options(entry: ModelEntry, rung: Rung) -> Rung:
    if not entry.options:
        return rung
    return replace(rung, name=rung.name + entry.mark, options={**rung.options, **entry.options})


def _select(entry: ModelEntry, ladder: Ladder) -> Ladder:
    if not entry.rungs:
        return ladder
    check_names(f"rungs of {entry.ref}", entry.rungs, [rung.name for rung in ladder.rungs])
    return replace(ladder, rungs=tuple(rung for rung in ladder.rungs if rung.name in entry.rungs))
