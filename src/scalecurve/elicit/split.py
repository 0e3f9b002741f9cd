"""The questions of a search, in three parts that share nothing: shown as shots, for choosing, for confirming."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from scalecurve.errors import UserError
from scalecurve.strategies.shots import spread
from scalecurve.types import Example, Task

MOST_DEVELOPMENT = 512
LEAST = 20


@dataclass(frozen=True, slots=True)
class Split:
    """``shots`` to show, ``development`` to choose on, ``held_out`` to confirm on; each in the order it is used."""

    shots: tuple[Example, ...]
    development: tuple[Example, ...]
    held_out: tuple[Example, ...]


def split(task: Task, most_shots: int, seed: int, limit: int | None = None) -> Split:
    """Shots of as many answers as there are (the task's worked ones where it has any), then two halves by ``seed``.

    At most 512 questions are for choosing. A question that appears twice is used once. ``UserError`` for a task with
    too few questions.
    """
    distinct = list({example.input: example for example in reversed(task.examples)}.values())
    random.Random(f"elicit|{seed}").shuffle(distinct)
    distinct = distinct[:limit]
    if task.worked:
        shots, rest = list(task.worked[:most_shots]), distinct
        if len(shots) < most_shots:
            raise UserError(f"task {task.name}: {len(shots)} worked examples are too few for {most_shots} shots")
    else:
        chosen = spread([_answered(example) for example in distinct], range(len(distinct)), most_shots)
        shots = [_answered(distinct[at]) for at in chosen]
        rest = [example for at, example in enumerate(distinct) if at not in set(chosen)]
    if len(rest) < LEAST:
        raise UserError(f"task {task.name}: {len(rest)} questions besides the shots; a search needs at least {LEAST}")
    half = min(len(rest) // 2, MOST_DEVELOPMENT)
    return Split(tuple(shots), tuple(rest[:half]), tuple(rest[half:]))


def _answered(example: Example) -> Example:
    """The example with the answer a shot shows first among its targets: its best option where it has options."""
    if not example.options:
        return example
    best = example.options[max(range(len(example.options)), key=example.option_scores.__getitem__)]
    return replace(example, targets=(best,))
