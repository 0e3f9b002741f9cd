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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from scalecurve.metrics import needed
from scalecurve.models import SMALL, Model, open_model
from scalecurve.store.parts import digest, part_bytes
from scalecurve.strategies import Asking, FewShotExample, Question, determining
from scalecurve.strategies.driver import drive
from scalecurve.strategies.manner import in_manner, manner_of
from scalecurve.study.plan import Plan
from scalecurve.study.task_plan import Arm, TaskPlan
from scalecurve.types import Answer, Cell, Example, Rung

FORMAT = 3
"""Of the parts; raised when what a row means changes, so that older parts are computed anew."""

Totals = Mapping[str, int | str]
"""What the manifest keeps of a part (see ``scalecurve.store.parts.part_totals``)."""


@dataclass(frozen=True, slots=True)
class Part:
    """The examples ``start:stop`` of the plan's task number ``task``, asked of one rung in every arm (or ``arms``)."""

    task: int
    index: int
    start: int
    stop: int
    arms: tuple[Arm, ...] | None = None

    def stretch(self, task: TaskPlan) -> dict[Arm, Sequence[FewShotExample]]:
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
    unshared: str = ""  # why prefixes that prompts share are computed for each of them


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
    return model, Opened(model.fingerprint, model.batch_tokens, *model.parameters(), model.unshared)


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
    totals = {arm: _totals(data[arm], [answer for _, answer in rows[arm]]) for arm in rows}
    return {arm: Done(data[arm], totals[arm], len(rows[arm]), rate * tokens[arm]) for arm in rows}


def conversations(plan: Plan, task: TaskPlan, arm: Arm, rung: str, queries: Sequence[FewShotExample]) -> list[Asking]:
    """The strategy of ``arm`` begun on each of ``queries``, for the rung of that name."""
    study = plan.study
    own = {"rung": rung, "family": task.ref, "seed": study.draw_seed(arm.seed)}
    way = plan.ways[arm.strategy]
    settings = {**study.settings, **way.settings, **own}
    strategy, wants = way.strategy(), needed(task.metrics)
    manner = manner_of(settings, arm.seed - study.seed if study.repeats > 1 else None)
    return [in_manner(strategy(Question(task.task, query, wants, settings)), manner) for query in queries]


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
            task.task.step_tokens,
            study.mode,
            determining(study.settings),
            asdict(arm),
            task.shot_policy,
            sorted(needed(task.metrics)),
            [[query.example.id, *(shot.example.id for shot in query.shots)] for query in queries],
            *filter(None, [plan.ways[arm.strategy].digest, "repeats" if study.repeats > 1 else ""]),
            *filter(None, [plan.ways[arm.strategy].effort]),
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


def _totals(data: bytes, answers: Sequence[Answer]) -> Totals:
    """The same as ``part_totals`` reads back."""
    return {
        "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
        "generated_tokens": sum(answer.generated_tokens for answer in answers),
        "failed": sum(bool(answer.error) for answer in answers),
        "texts": sum(answer.text is not None for answer in answers),
        "unextracted": sum(answer.text is not None and not answer.response for answer in answers),
        "censored": sum(answer.censored for answer in answers),
        "cut": sum(answer.cut for answer in answers),
        "thinking_tokens": sum(answer.thinking_tokens for answer in answers),
        "reason": next((answer.error for answer in answers if answer.error), ""),
        "sha256": digest(data),
    }
