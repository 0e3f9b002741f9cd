"""A short pilot: a few examples of some tasks, asked of the real models, to learn how long texts become and how fast
this machine is. The time of any other work of the same model follows from its counts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scalecurve.cost.count import CountingModel, Tally, Tokens
from scalecurve.models import Model
from scalecurve.models.wrapper import ModelWrapper
from scalecurve.runner.part import conversations, open_for
from scalecurve.strategies import FewShotExample
from scalecurve.strategies.driver import drive
from scalecurve.study.plan import Plan
from scalecurve.study.task_plan import Arm, TaskPlan
from scalecurve.types import Output, Request, Rung

Floats = NDArray[np.float64]
Stage = tuple[int, tuple[str, ...], bool]
"""What tells the generations of a strategy apart: longest text, stop strings, whether it is sampled."""

SIZES = (6, 32)  # examples of a batch: two sizes tell what a batch costs from what an example costs
clock = time.perf_counter
FEATURES = ("calls", "sequences", "read", "written", "steps")


@dataclass(slots=True)
class Texts:
    """Generated texts with their tokens by (rung, task, arm, stage)."""

    seen: dict[tuple[str, str, Arm, Stage], list[tuple[str, int]]] = field(default_factory=dict)

    def replay(self, rung: str, ref: str, arm: Arm) -> Callable[[Request], list[tuple[str, int]]]:
        """Gives, for each generation of that arm, the texts seen in turn: this rung's, else those that are likest.

        Never seen anything like it, as long a text as is allowed.
        """
        turn = 0
        pools: dict[Stage, list[tuple[str, int]]] = {}

        def give(request: Request) -> list[tuple[str, int]]:
            nonlocal turn
            stage = stage_of(request)
            if stage not in pools:
                pools[stage] = self._likest(rung, ref, arm, stage)
            pool = pools[stage] or [(" the" * request.max_tokens, request.max_tokens)]
            turn += request.samples
            return [pool[(turn + at) % len(pool)] for at in range(request.samples)]

        return give

    def _likest(self, rung: str, ref: str, arm: Arm, stage: Stage) -> list[tuple[str, int]]:
        """Texts of the same task, arm and stage by this rung or another; else of the same strategy and rung; else of
        the same strategy; cut to the length that is allowed."""
        if (rung, ref, arm, stage) in self.seen:
            return self.seen[rung, ref, arm, stage]
        same = [pool for (_, *key), pool in self.seen.items() if key == [ref, arm, stage]]
        if same:
            return same[-1]
        for rungs in ({rung}, {key[0] for key in self.seen}):
            alike = [
                (text, min(tokens, stage[0]))
                for (name, _, other, _), pool in self.seen.items()
                if other.strategy == arm.strategy and name in rungs
                for text, tokens in pool
            ]
            if alike:
                return alike
        return []


def stage_of(request: Request) -> Stage:
    """What tells the stages of a strategy apart: the limit of tokens, the stop strings, and whether texts are drawn."""
    return request.max_tokens, request.stop, request.temperature > 0


@dataclass(frozen=True, slots=True)
class Pilot:
    """What was measured of one rung: seconds to open it, and of each batch its counts and seconds."""

    opening: float
    parameters: tuple[int, int]
    tallies: tuple[Tally, ...]
    seconds: tuple[float, ...]

    def rates(self) -> Floats:
        """Seconds for one of each of ``FEATURES``, none negative, by least squares of the relative errors."""
        from scipy.optimize import nnls

        rows = np.array([_features(tally) for tally in self.tallies])
        taken = np.array(self.seconds)
        scale = rows.max(axis=0)
        scale[scale == 0] = 1.0
        rates, _ = nnls(rows / scale / taken[:, None], np.ones(len(taken)))
        return np.asarray(rates / scale)


def predicted(tally: Tally, rates: Floats) -> float:
    """Seconds that the work of ``tally`` takes at ``rates``."""
    return float(_features(tally) @ rates)


def _features(tally: Tally) -> Floats:
    return np.array([getattr(tally, name) for name in FEATURES])


def run_pilot(plan: Plan, rung: Rung, tokens: Tokens, texts: Texts, budget: float) -> Pilot:
    """Ask ``rung`` a sample of the plan's questions for about ``budget`` seconds, at least one batch of each strategy.

    What it writes is added to ``texts``.
    """
    uncached = replace(plan, study=plan.study.model_copy(update={"cache": None}))  # what is kept takes no time
    began = clock()
    model, opened = open_for(uncached, rung, None)
    opening = clock() - began
    tallies: list[Tally] = []
    seconds: list[float] = []
    spent, strategies = 0.0, set[str]()
    try:
        for task, arm in _sample(plan):
            if spent > budget and arm.strategy in strategies:
                continue
            first = not tallies
            for queries in _batches(task.queries[arm]):
                if first:  # the first batch also warms caches and kernels
                    _ask(model, plan, task, arm, queries, tokens, texts)
                    first = False
                tally, taken = _ask(model, plan, task, arm, queries, tokens, texts)
                tallies.append(tally)
                seconds.append(taken)
                spent += taken
            strategies.add(arm.strategy)
    finally:
        model.close()
    return Pilot(opening, (opened.params_non_embedding, opened.params_total), tuple(tallies), tuple(seconds))


def _sample(plan: Plan) -> Iterator[tuple[TaskPlan, Arm]]:
    """Every (task, arm) in a fixed random order, the strategies taking turns."""
    by_strategy: dict[str, list[tuple[TaskPlan, Arm]]] = {}
    for task in plan.tasks:
        for arm in task.arms:
            by_strategy.setdefault(arm.strategy, []).append((task, arm))
    for each in by_strategy.values():
        random.Random(0).shuffle(each)
    for turn in range(max(map(len, by_strategy.values()))):
        yield from (each[turn] for each in by_strategy.values() if turn < len(each))


def _batches(queries: Sequence[FewShotExample]) -> list[list[FewShotExample]]:
    """One batch of each of ``SIZES``, of different examples as far as there are enough."""
    mixed = random.Random(1).sample(list(queries), len(queries))
    small, large = SIZES
    return [mixed[:small], mixed[small : small + large]] if len(mixed) > 2 * small else [mixed]


def _ask(
    model: Model, plan: Plan, task: TaskPlan, arm: Arm, queries: Sequence[FewShotExample], tokens: Tokens, texts: Texts
) -> tuple[Tally, float]:
    recorder = _Recorder(model, tokens)
    generators = conversations(plan, task, arm, model.name, queries)
    began = clock()
    drive(recorder, [query.example.id for query in queries], generators)
    taken = clock() - began - recorder.aside
    for stage, written in recorder.written:
        texts.seen.setdefault((model.name, task.ref, arm, stage), []).append(written)
    return recorder.tally, taken


class _Recorder(ModelWrapper):
    """Passes requests on to a model, counts what they take, and keeps the texts that come back."""

    def __init__(self, model: Model, tokens: Tokens) -> None:
        super().__init__(model)
        self.written: list[tuple[Stage, tuple[str, int]]] = []
        self.aside = 0.0  # seconds of counting, which a run does not take
        self._replies: Iterator[list[tuple[str, int]]] = iter(())
        self._counter = CountingModel(tokens, lambda request: next(self._replies))
        self.tally = self._counter.tally

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        outputs: dict[int, Output] = {}
        self.inner.run(requests, outputs.__setitem__)
        began = clock()
        replies = [_texts(request, outputs[at]) for at, request in enumerate(requests) if not request.options]
        stages = [stage_of(request) for request in requests if not request.options]
        self.written += [(stage, text) for stage, reply in zip(stages, replies, strict=True) for text in reply]
        self._replies = iter(replies)
        self._counter.run(requests, lambda index, output: None)
        self.aside += clock() - began
        for index, output in outputs.items():
            on_output(index, output)

    def close(self) -> None:
        """The model stays open; it is not ours."""


def _texts(request: Request, output: Output) -> list[tuple[str, int]]:
    """The texts of a reply and how many tokens each has."""
    if output.text_logprobs:
        return [(text, len(own)) for text, own in zip(output.texts, output.text_logprobs, strict=True)]
    return [(text, output.generated_tokens // max(1, len(output.texts))) for text in output.texts]
