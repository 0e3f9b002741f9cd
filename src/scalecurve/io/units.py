"""Percent or fraction: told apart task by task, from what the user says, the errors, and what guessing would earn."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt

from scalecurve.errors import UserError
from scalecurve.io import known
from scalecurve.io.sources import Said

PERCENT, FRACTION, EITHER = "percent", "fraction", ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A score as it stands in a table, with its error, number of items and chance level where they are stated."""

    value: float
    se: float | None = None
    n: int | None = None
    chance: float | None = None


def units(where: str, scores: Mapping[str, Sequence[Seen]], said: Said, *, metric: str = "acc") -> dict[str, str]:
    """Task → ``percent`` or ``fraction``, of one metric that is a share of items.

    A task above 1 is in percent. One that is not is so only where its errors say it, or guessing would earn it; where
    neither tells and other tasks are in percent, nobody can know: ``UserError`` names both and the option to say it.
    """
    found = {task: _unit(task, seen, said, metric) for task, seen in scores.items()}
    for task, unit in found.items():
        if unit == PERCENT and task not in said.percent:
            _refuse_mixed(where, task, scores[task], metric)
    percent = [task for task, unit in found.items() if unit == PERCENT]
    doubtful = [task for task, unit in found.items() if unit == EITHER]
    if percent and doubtful:
        raise UserError(
            f"{where}: {metric}: {_some(percent)} {'is' if len(percent) == 1 else 'are'} in percent, {_some(doubtful)} "
            f"could be either; say --percent {shlex.quote(doubtful[0])} or --fraction {shlex.quote(doubtful[0])}"
        )
    return {task: unit or FRACTION for task, unit in found.items()}


def _refuse_mixed(where: str, task: str, seen: Sequence[Seen], metric: str) -> None:
    """``UserError`` where some scores of a task in percent are fractions: in percent they would be far below guessing,
    or their errors would not fit."""
    chance = _chance(task, seen, metric)
    below = chance is not None and 0.05 <= chance <= 1
    items = known.known(task).items
    most = max(one.value for one in seen)
    wrong = [one.value for one in seen if 0 < one.value <= 1 and (below or (_by_error(one, items) or 0.0) > 0)]
    if wrong:
        raise UserError(
            f"{where}: {metric} of {task}: {', '.join(f'{one:g}' for one in wrong[:3])} "
            f"{'is a fraction' if len(wrong) == 1 else 'are fractions'}, {most:g} is in percent; write all "
            f"one way, or say --percent {shlex.quote(task)} if they are so small"
        )


def _chance(task: str, seen: Sequence[Seen], metric: str) -> float | None:
    stated = next((one.chance for one in seen if one.chance is not None), None)
    return known.chance_of(task, metric if metric not in ("score", "raw") else "acc") if stated is None else stated


def _unit(task: str, seen: Sequence[Seen], said: Said, metric: str) -> str:
    names = {task, task.partition(":")[2], metric}
    if names & said.percent:
        return PERCENT
    if names & said.fractions:
        return FRACTION
    values = [one.value for one in seen]
    highest = max(values, default=0.0)
    if min(values, default=0.0) < 0 or highest > 100:
        return FRACTION  # no share: it stands as it is
    if highest > 1:
        return PERCENT
    if not highest:
        return FRACTION  # nothing but zeros: the same in both
    by_error = [lean for one in seen if (lean := _by_error(one, known.known(task).items)) is not None]
    if by_error:
        return FRACTION if sum(by_error) > 0 else PERCENT
    chance = _chance(task, seen, metric)
    if chance is not None and 0.05 <= chance <= 1:
        return FRACTION  # in percent it would lie far below guessing
    return EITHER


def _by_error(one: Seen, items: int | None) -> float | None:
    """How much better the stated error fits a fraction (above 0) than a percentage (below); None: no error to judge."""
    n = one.n or items
    if not one.se or not n or not 0 < one.value < 1:
        return None
    as_fraction = sqrt(one.value * (1 - one.value) / n)
    as_percent = 100 * sqrt(one.value / 100 * (1 - one.value / 100) / n)
    return abs(log(one.se / as_percent)) - abs(log(one.se / as_fraction))


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:4]) + (f" and {len(listed) - 4} more" if len(listed) > 4 else "")
