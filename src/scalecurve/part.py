"""The unit of work: a *part*, one stretch of a task's examples asked of one rung in all the study's arms at once.

The arms (strategy, shots, seed) go together so that the model sees every request of every stage and can batch them
well. A part is computed whole or not at all, and its stretch depends on the study and the model alone, never on when a
run was cut or where it was computed. So a run killed at any instant and started again makes the same batches, hence the
same floating-point numbers, and so does one that is spread over many machines.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from scalecurve.asking import drive
from scalecurve.metrics import needed
from scalecurve.models import SMALL, Model, open_model
from scalecurve.nouns import Answer, Cell, Example, Rung
from scalecurve.plan import Arm, Plan, TaskPlan
from scalecurve.prompts import Asking, Query, Question, determining
from scalecurve.runs.parts import part_bytes

FORMAT = 1
"""Of the parts; raised when what a row means changes, so that older parts are computed anew."""

Totals = Mapping[str, int | str]
"""What the manifest keeps of a part (see ``scalecurve.runs.parts.part_totals``)."""


@dataclass(frozen=True, slots=True)
class Part:
    """The examples ``start:stop`` of the plan's task number ``task``, asked of one rung in every arm (or ``arms``)."""

    task: int
    index: int
    start: int
    stop: int
    arms: tuple[Arm, ...] | None = None

    def stretch(self, task: TaskPlan) -> dict[Arm, Sequence[Query]]:
        """The questions of each arm; none where an arm has fewer than others."""
        arms = task.arms if self.arms is None else self.arms
        return {arm: task.queries[arm][self.start : self.stop] for arm in arms}


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known of a model once it is open: all that its parts' stretches, keys and batches depend on."""

    fingerprint: str
    batch_tokens: int | None  # None where a model has no such thing
    params_non_embedding: int
    params_total: int


@dataclass(frozen=True, slots=True)
class Done:
    """One arm of a part: its file, what the manifest keeps of it, and the seconds it took."""

    data: bytes
    totals: Totals
    answers: int
    seconds: float


def open_for(plan: Plan, rung: Rung, batch_tokens: int | None) -> tuple[Model, Opened]:
    """The model of ``rung`` as the plan wants it, and what is known of it now.

    What a run began with (``batch_tokens``) it goes on with: other batches round differently.
    """
    study = plan.study
    tokens = study.batch_tokens or batch_tokens
    model = open_model(rung, device=study.device, dtype=study.dtype, batch_tokens=tokens, cache=study.cache)
    return model, Opened(model.fingerprint, getattr(model, "batch_tokens", None), *model.parameters())


def compute(
    model: Model,
    plan: Plan,
    cells: Mapping[Arm, Cell],
    part: Part,
    on_requests: Callable[[int, int], None] | None = None,
) -> dict[Arm, Done]:
    """Ask one stretch of examples in every arm. Touches no file of the run, so that any machine can do it."""
    began = time.monotonic()
    task = plan.tasks[part.task]
    asked: list[tuple[Arm, Example]] = []
    generators: list[Asking] = []
    for arm, queries in part.stretch(task).items():
        asked += [(arm, query.example) for query in queries]
        generators += conversations(plan, task, arm, cells[arm].rung, queries)
    answers = drive(model, [example.id for _, example in asked], generators, on_requests)
    rows: dict[Arm, list[tuple[Example, Answer]]] = {arm: [] for arm in part.stretch(task)}
    for (arm, example), answer in zip(asked, answers, strict=True):
        rows[arm].append((example, answer))
    data = {arm: part_bytes(cells[arm], rows[arm]) for arm in rows}
    # The arms shared the model's time; each is charged by its tokens.
    tokens = {arm: 1 + sum(a.prompt_tokens + a.generated_tokens for _, a in rows[arm]) for arm in rows}
    rate = (time.monotonic() - began) / sum(tokens.values())
    return {
        arm: Done(data[arm], _totals(answer for _, answer in rows[arm]), len(rows[arm]), rate * tokens[arm])
        for arm in rows
    }


def conversations(plan: Plan, task: TaskPlan, arm: Arm, rung: str, queries: Sequence[Query]) -> list[Asking]:
    """The strategy of ``arm`` begun on each of ``queries``, for the rung of that name."""
    own = {"rung": rung, "family": task.ref, "seed": arm.seed, "max_tokens": task.task.max_tokens}
    settings = {**plan.study.settings, **own}
    strategy, wants = plan.ways[arm.strategy].strategy(), needed(task.metrics)
    return [strategy(Question(task.task, query, wants, settings)) for query in queries]


def part_keys(plan: Plan, part: Part, fingerprint: str) -> dict[Arm, str]:
    """A hash, for each arm, of all that determines the answers of a part: weights, task, way of asking, examples."""
    study, task = plan.study, plan.tasks[part.task]
    keys = {}
    for arm, queries in part.stretch(task).items():
        determines = [
            FORMAT,
            fingerprint,
            task.task.fingerprint,
            task.task.max_tokens,
            study.mode,
            determining(study.settings),
            asdict(arm),
            task.shot_policy,
            sorted(needed(task.metrics)),
            [[query.example.id, *(shot.example.id for shot in query.shots)] for query in queries],
            *filter(None, [plan.ways[arm.strategy].digest]),
        ]
        text = json.dumps(determines, sort_keys=True, default=str)
        keys[arm] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return keys


def parts_of(plan: Plan, at: int, size: int) -> list[Part]:
    """The parts of the plan's task number ``at``, of ``size`` examples each."""
    starts = range(0, plan.tasks[at].longest, size)
    return [Part(at, index, start, start + size) for index, start in enumerate(starts)]


def part_size(wanted: int | None, params: int) -> int:
    """Examples in a part: as many as make good batches, yet few enough that a cut loses little of a large model."""
    return wanted or (256 if params < SMALL else 64)


def weight(rung: Rung) -> float:
    """Work of one example: a constant, and what grows with the model."""
    return 1 + (rung.params_non_embedding or rung.params_total or 0) / 1e6


def _totals(answers: Iterable[Answer]) -> Totals:
    """The same as ``part_totals`` reads back."""
    answers = list(answers)
    return {
        "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
        "generated_tokens": sum(answer.generated_tokens for answer in answers),
        "failed": sum(bool(answer.error) for answer in answers),
        "texts": sum(answer.text is not None for answer in answers),
        "unextracted": sum(answer.text is not None and not answer.response for answer in answers),
        "reason": next((answer.error for answer in answers if answer.error), ""),
    }
