"""Rounds of parts through any executor, until every verdict is decided."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.gather import coordinate
from scalecurve.metrics import METRICS, bounds, score
from scalecurve.models import SMALL
from scalecurve.runner.adaptive.allocation import FIRST, GROWTH, LARGE_GROWTH, OpenCurve, next_round
from scalecurve.runner.adaptive.confidence_sequence import interval
from scalecurve.runner.model_run import Executor, Listener, ModelRun
from scalecurve.runner.part import weight
from scalecurve.schema import AXES
from scalecurve.store import read_cell
from scalecurve.store.atomic import write_bytes
from scalecurve.study.study import Study
from scalecurve.study.task_plan import Arm, TaskPlan, cells_of
from scalecurve.types import Curve

Floats = NDArray[np.float64]

PART = 25
"""Examples of a part when the study does not say: enough for a batch, few enough to stop in time."""


@dataclass(frozen=True, slots=True)
class Goal:
    """``confidence``: the expected share of settled verdicts that asking the rest would leave as they are; ``budget``:
    most tokens, in and out, all told."""

    confidence: float = 0.95
    budget: int | None = None


def in_rounds(study: Study) -> Study:
    """``study`` as ``AdaptiveExecutor`` needs it: in random order, and in parts small enough to stop in time."""
    return study.model_copy(update={"order": "random", "part_size": study.part_size or PART})


@dataclass(frozen=True, slots=True)
class AdaptiveExecutor:
    """Lets ``inner`` compute round after round of what is worth asking, and notes what was decided.

    The plan's study must be one of ``in_rounds``.
    """

    inner: Executor
    goal: Goal

    def run(self, jobs: Sequence[ModelRun], listener: Listener, changed: Callable[[], None]) -> None:
        campaign, told = Campaign(jobs, self.goal), _Rounds(listener)
        rounds = 0
        while more := campaign.next_round():
            rounds += 1
            self.inner.run(more, told, changed)
            campaign.read()
            listener.note(f"round {rounds}: {campaign.progress()}")
        campaign.keep(rounds)
        listener.advance(campaign.unasked(), False)


class _Rounds:
    """A listener that passes on what it hears, but of every rung's beginning the first only."""

    def __init__(self, listener: Listener) -> None:
        self.task, self.requests, self.advance, self.note = (
            listener.task,
            listener.requests,
            listener.advance,
            listener.note,
        )
        self.begun: set[str] = set()
        self._rung = listener.rung

    def rung(self, name: str) -> None:
        if name not in self.begun:
            self.begun.add(name)
            self._rung(name)


@dataclass(slots=True)
class Line:
    """One curve of a family: a task, a strategy and a number of shots (``arms``: one a seed), and its headline metric.

    ``scores``: (rung's place, example id) → its scores so far, one a seed, on 0–1 (empty where it could not be scored).
    """

    jobs: list[ModelRun]
    at: int
    arms: tuple[Arm, ...]
    metric: str
    scores: list[dict[str, list[float]]] = field(default_factory=list)
    read: set[tuple[int, Arm, int]] = field(default_factory=set)
    state: OpenCurve | None = None

    @property
    def task(self) -> TaskPlan:
        return self.jobs[0].plan.tasks[self.at]

    @property
    def total(self) -> int:
        return min(len(self.task.queries[arm]) for arm in self.arms)

    @property
    def can_be_decided(self) -> bool:
        """Whether the metric is a mean of scores within bounds."""
        return METRICS[self.metric].bounded and not METRICS[self.metric].corpus


class Campaign:
    """What is open, what was asked, and what comes next."""

    def __init__(self, jobs: Sequence[ModelRun], goal: Goal) -> None:
        self.jobs, self.goal = jobs, goal
        self.lines = list(_lines(jobs))
        self.begun = False

    # ── What comes next ──────────────────────────────────────────────────────────────────────────────────────
    def next_round(self) -> list[ModelRun]:
        """Allow more parts where they are worth most; the rungs that got any, none when all is decided or spent."""
        if not self.begun:
            self.begun = True
            wishes = [(line, job, FIRST) for line in self.lines for job in line.jobs]
            return self._allow(wishes)
        open_ = [line for line in self.lines if line.state is not None]
        wanted = next_round([line.state for line in open_ if line.state], self.goal.confidence)
        wishes = [
            (line, job, int(examples))
            for line, targets in zip(open_, wanted, strict=True)
            for job, examples in zip(line.jobs, targets, strict=True)
        ]
        wishes += [(line, job, line.total) for line in self.lines if line.state is None for job in line.jobs]
        return self._allow(wishes)

    def _allow(self, wishes: list[tuple[Line, ModelRun, int]]) -> list[ModelRun]:
        """Grant wishes, the cheapest first, as far as the budget goes."""
        left = None if self.goal.budget is None else self.goal.budget - self.spent()
        granted: set[int] = set()
        for line, job, examples in sorted(wishes, key=lambda wish: weight(wish[1].rung)):
            if job.state.broken:
                continue
            for arm in line.arms:
                cell = job.state.cells[cells_of(job.family, job.rung, line.task)[arm]]
                done = len(cell.parts) * (job.plan.study.part_size or 1)
                if left is not None:
                    each = (cell.prompt_tokens + cell.generated_tokens) / max(1, min(done, cell.examples))
                    left -= int(each * max(0, examples - done))
                    if left <= 0 and done:
                        continue
                if cell.status != "failed" and job.allow(line.at, arm, examples):
                    granted.add(id(job))
        return [job for job in self.jobs if id(job) in granted]

    def spent(self) -> int:
        """Tokens in and out so far."""
        return sum(cell.prompt_tokens + cell.generated_tokens for job in self.jobs for cell in job.state.cells.values())

    # ── What came back ───────────────────────────────────────────────────────────────────────────────────────
    def read(self) -> None:
        """Take in the scores of the parts that were computed since."""
        axis = next((name for name in AXES if any(getattr(job.state.record.rung, name) for job in self.jobs)), None)
        for line in self.lines:
            line.jobs = [job for job in line.jobs if not job.state.broken]
            if not line.jobs:
                line.state = None
                continue
            for job in line.jobs:
                self._read(line, job)
            placed = axis is not None and all(getattr(job.state.record.rung, axis) for job in line.jobs)
            if line.can_be_decided and placed and axis:
                line.jobs.sort(key=lambda job: coordinate(axis, getattr(job.state.record.rung, axis)))
                self._update(line, axis)

    def _read(self, line: Line, job: ModelRun) -> None:
        number = self.jobs.index(job)
        for arm in line.arms:
            cell = job.state.cells[cells_of(job.family, job.rung, line.task)[arm]]
            new = {index: key for index, key in cell.parts.items() if (number, arm, index) not in line.read}
            for example, answer in read_cell(job.directory, cell.cell, new, cell.hashes):
                value = score(line.task.task, example, answer, line.metric) if line.can_be_decided else None
                seen = line.scores[number].setdefault(example.id, [])
                if value is not None:
                    seen.append(_on_unit(line.metric, value))
            line.read |= {(number, arm, index) for index in new}

    def _update(self, line: Line, axis: str) -> None:
        """The open curve of a line, with all that is known by now; what was decided stays so."""
        order = [query.example.id for query in line.task.queries[line.arms[0]]]
        seen, lost, costs = [], [], []
        for job in line.jobs:
            scores = line.scores[self.jobs.index(job)]
            seen.append(np.array([np.mean(scores[name]) for name in order if scores.get(name)], float))
            lost.append(len(scores) - len(seen[-1]))
            cells = [job.state.cells[cells_of(job.family, job.rung, line.task)[arm]] for arm in line.arms]
            tokens = sum(cell.prompt_tokens + cell.generated_tokens for cell in cells)
            costs.append(max(1.0, tokens / max(1, sum(cell.examples for cell in cells))))
        decided = line.state.decided if line.state else None
        if any(len(scores) == 0 for scores in seen):
            line.state = None  # a cell that failed: the rest is asked in full
            return
        size = line.jobs[0].plan.study.part_size or PART
        small = np.array([(job.state.record.rung.params_total or SMALL) < SMALL for job in line.jobs])
        growth = np.where(small, GROWTH, LARGE_GROWTH)  # a large model is opened anew in few rounds only
        line.state = OpenCurve(
            self._curve(line, axis), line.total, size, np.array(costs), seen, decided, growth, np.array(lost, np.int64)
        )

    def _curve(self, line: Line, axis: str) -> Curve:
        chance, ceiling = bounds(line.task.task, line.metric)
        rungs = len(line.jobs)
        return Curve(
            family=line.jobs[0].family,
            task=line.task.ref,
            strategy=line.arms[0].strategy,
            shots=line.arms[0].shots,
            metric=line.metric,
            axis=axis,
            rungs=tuple(job.rung.name for job in line.jobs),
            x=tuple(float(getattr(job.state.record.rung, axis)) for job in line.jobs),
            y=(0.0,) * rungs,
            se=(1.0,) * rungs,
            n=(line.total,) * rungs,
            chance=None if chance is None else _on_unit(line.metric, chance),
            ceiling=None if ceiling is None else _on_unit(line.metric, ceiling),
            higher_is_better=METRICS[line.metric].higher_is_better,
        )

    # ── What it came to ──────────────────────────────────────────────────────────────────────────────────────
    def progress(self) -> str:
        """How far it is, in a line."""
        decided = sum(line.state is not None and (line.state.decided is not None) for line in self.lines)
        return f"{decided} of {len(self.lines)} verdicts decided, {self.spent():,} tokens"

    def unasked(self) -> float:
        """Work that was not done, in units of progress."""
        every = sum(task.n_questions for task in self.jobs[0].plan.tasks)
        return sum(
            (every - sum(cell.examples for cell in job.state.cells.values() if cell.parts)) * weight(job.rung)
            for job in self.jobs
        )

    def keep(self, rounds: int) -> None:
        """Write until.json: for each curve what was decided, and for each rung how much was asked and the interval."""
        record = {
            "goal": asdict(self.goal),
            "rounds": rounds,
            "tokens": self.spent(),
            "tokens_of_all": self._tokens_of_all(),
            "curves": [self._told(line) for line in self.lines if line.state is not None],
        }
        write_bytes(self.jobs[0].directory.until, json.dumps(record, ensure_ascii=False, indent=1).encode())

    def _tokens_of_all(self) -> int:
        """What asking everything would take, by what the examples asked took."""
        whole = 0.0
        for line in self.lines:
            for job in line.jobs:
                for arm in line.arms:
                    cell = job.state.cells[cells_of(job.family, job.rung, line.task)[arm]]
                    every = len(line.task.queries[arm])
                    whole += (cell.prompt_tokens + cell.generated_tokens) * every / max(1, cell.examples)
        return round(whole)

    def _told(self, line: Line) -> dict[str, object]:
        assert line.state is not None
        state, curve = line.state, line.state.curve
        low, high = METRICS[line.metric].low, METRICS[line.metric].high
        rungs = []
        for rung, scores in zip(curve.rungs, state.seen, strict=True):
            ends = interval(scores, state.total, 1 - self.goal.confidence)
            told = [low + (high - low) * end for end in (float(scores.mean()), *ends)]
            rungs.append({"rung": rung, "asked": len(scores), "mean": told[0], "low": told[1], "high": told[2]})
        return {name: getattr(curve, name) for name in ("family", "task", "strategy", "shots", "metric")} | {
            "total": state.total,
            "whole": state.whole,
            "shape": state.decided.shape if state.decided else None,
            "probability": state.decided.probability if state.decided else None,
            "rungs": rungs,
        }


def _lines(jobs: Sequence[ModelRun]) -> list[Line]:
    """The curves of a plan: every task, strategy and number of shots of every family."""
    found = []
    for family in dict.fromkeys(job.family for job in jobs):
        own = [job for job in jobs if job.family == family]
        for at, task in enumerate(jobs[0].plan.tasks):
            by_way: dict[tuple[str, int], list[Arm]] = {}
            for arm in task.arms:
                by_way.setdefault((arm.strategy, arm.shots), []).append(arm)
            for arms in by_way.values():
                found.append(Line(list(own), at, tuple(arms), _headline(task), [{} for _ in jobs]))
    return found


def _headline(task: TaskPlan) -> str:
    """The metric whose verdict is to be decided: the task's preferred one, or the first that was asked for."""
    preferred = task.task.preferred_metric
    return preferred if preferred in task.metrics else task.metrics[0]


def _on_unit(metric: str, value: float) -> float:
    """A score on 0–1, by its metric's range."""
    definition = METRICS[metric]
    return float(np.clip((value - definition.low) / (definition.high - definition.low), 0.0, 1.0))
