"""From a Study to a Plan: names become tasks, ladders, metrics and strategies, each checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scalecurve.errors import UserError
from scalecurve.strategies.resolve import BUDGET, TAKES, Way, find_way
from scalecurve.study.checks import at_field, check_names, metric_names, repeated
from scalecurve.study.model_plan import plan_ladders
from scalecurve.study.study import Study
from scalecurve.study.task_plan import TaskPlan, budgeted, plan_entry
from scalecurve.types import Ladder, Rung


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a study asks: every task plan of every rung, and the ways of asking by the name cells have for them."""

    study: Study
    ladders: tuple[Ladder, ...]
    tasks: tuple[TaskPlan, ...]
    ways: Mapping[str, Way]

    def rungs(self) -> Iterator[tuple[str, Rung]]:
        """(family, rung) in the order they run."""
        for ladder in self.ladders:
            for rung in ladder.rungs:
                yield ladder.family, rung


def make_plan(study: Study, *, allow_code: bool = False) -> Plan:
    """Resolve every name of ``study``. ``UserError`` for the first that is unknown or does not fit.

    Strategies that are code of the user's own are read and run only with ``allow_code``.
    """
    ways: dict[str, Way] = {}
    with at_field(study.source):
        _find_ways(ways, study.strategies, allow_code)
    check_names(f"{study.source}: metrics", study.metrics, metric_names(study.metrics))
    tasks: list[TaskPlan] = []
    for at, entry in enumerate(study.tasks):
        with at_field(f"{study.source}: tasks[{at}]"):
            _find_ways(ways, entry.strategies or (), allow_code)
            tasks.extend(plan_entry(study, entry, ways, allow_code))
    twice = repeated([plan.ref for plan in tasks])
    if twice:
        raise UserError(f"{study.source}: tasks: {twice!r} is named by two entries; remove one of them")
    _check_probes(study, tasks)
    ladders = plan_ladders(study)
    _check_settings(study, ladders, tasks)
    every = {each.name: each for way in ways.values() for each in budgeted(study, way)}
    _check_effort(study, every)
    return Plan(study, ladders, tuple(tasks), every)


def _find_ways(ways: dict[str, Way], refs: Iterable[str], allow_code: bool) -> None:
    """Add what each of ``refs`` names. Cells know a file by its name alone, so two of one name are refused."""
    for ref in refs:
        ways[ref] = ways.get(ref) or find_way(ref, allow_code=allow_code)
        twice = next((other for other, way in ways.items() if way.name == ways[ref].name and other != ref), "")
        if twice:
            raise UserError(f"strategies: {ref} and {twice} would both be called {ways[ref].name}; rename one file")


def _check_effort(study: Study, ways: Mapping[str, Way]) -> None:
    if study.effort is None or any(way.effort for way in ways.values()):
        return
    (setting,) = study.effort.values()
    raise UserError(f"{study.source}: effort: no strategy takes {setting}; add one of {', '.join(TAKES[setting])}")


def _check_probes(study: Study, tasks: Sequence[TaskPlan]) -> None:
    """``UserError`` for a probe that is a subtask nobody asks: before anything is computed, not after."""
    from scalecurve.tasks.probes import read_probes

    asked = {plan.ref for plan in tasks}
    for plan in tasks:
        for probe in read_probes(plan.task.probes):
            if probe.subtask and probe.subtask not in asked:
                raise UserError(
                    f"{study.source}: {plan.ref}: probes.{probe.name}: subtask {probe.subtask!r} is not among the "
                    "study's tasks; ask it too, or take the probe out"
                )


def _check_settings(study: Study, ladders: Sequence[Ladder], tasks: Sequence[TaskPlan]) -> None:
    from scalecurve.strategies import check_settings
    from scalecurve.strategies.manner import manner_of

    strategies = dict.fromkeys(arm.strategy.partition(BUDGET)[0] for task in tasks for arm in task.arms)
    with at_field(study.source):
        manner_of(study.settings, 0 if study.repeats > 1 else None)
        check_settings(strategies, study.settings, [rung.name for ladder in ladders for rung in ladder.rungs])
