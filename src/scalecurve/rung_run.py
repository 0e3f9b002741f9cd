"""All that a study asks of one rung: the model is loaded once, and finished parts are kept, whole, as they come.

The unit of work is a *part*: one stretch of a task's examples, asked in all the study's arms (strategy, shots, seed)
at once, so that the model sees every request of every stage together and can batch them well. A part is computed
whole or not at all, and its stretch depends on the study and the model alone, never on when a run was cut or where it
was computed. So a run killed at any instant and started again makes the same batches, hence the same floating-point
numbers, and so does one that is spread over many machines.

Wherever a study runs, a part goes the same way: ``RungRun.missing`` says that it is not on disk, ``compute`` asks the
model (and touches no file), ``RungRun.keep`` puts it in place. ``RungRun.go`` is all of it for one rung in one process.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from scalecurve.asking import drive, reason
from scalecurve.metrics import needed
from scalecurve.models import SMALL, Model, open_model
from scalecurve.nouns import Answer, Cell, Example, Rung, UserError
from scalecurve.plan import Arm, Plan, TaskPlan, cells_of
from scalecurve.prompts import Asking, Query, Question, get_strategy
from scalecurve.runs import RunDirectory, finished_parts, write_part
from scalecurve.runs.parts import part_bytes, part_totals

FORMAT = 1
"""Of the parts; raised when what a row means changes, so that older parts are computed anew."""

Totals = Mapping[str, int | str]
"""What the manifest keeps of a part: ``prompt_tokens``, ``generated_tokens``, ``failed`` and the first ``reason``."""


class Listener(Protocol):
    """Who hears of a rung's progress. Work is in units of about one example of a small model."""

    def rung(self, name: str) -> None: ...
    def task(self, rung: str, ref: str, questions: int) -> None: ...
    def requests(self, done: int, total: int) -> None: ...
    def advance(self, work: float, computed: bool) -> None: ...
    def note(self, text: str) -> None: ...


# ── The unit of work ─────────────────────────────────────────────────────────────────────────────────────────
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
    """The model of ``rung`` as the plan wants it. What a run began with (``batch_tokens``) it goes on with: other
    batches round differently."""
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
    """Ask one stretch of examples in every arm. Touches no file, so that it can be done on any machine."""
    began = time.monotonic()
    task = plan.tasks[part.task]
    asked: list[tuple[Arm, Example]] = []
    generators: list[Asking] = []
    for arm, queries in part.stretch(task).items():
        asked += [(arm, query.example) for query in queries]
        generators += conversations(plan, task, arm, queries)
    answers = drive(model, [example.id for _, example in asked], generators, on_requests)
    rows: dict[Arm, list[tuple[Example, Answer]]] = {arm: [] for arm in part.arms or task.arms}
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


def conversations(plan: Plan, task: TaskPlan, arm: Arm, queries: Sequence[Query]) -> list[Asking]:
    """The strategy of ``arm`` begun on each of ``queries``."""
    settings = {**plan.study.settings, "seed": arm.seed, "max_tokens": task.task.max_tokens}
    strategy, wants = get_strategy(arm.strategy), needed(task.metrics)
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
            study.settings,
            asdict(arm),
            task.shot_policy,
            sorted(needed(task.metrics)),
            [[query.example.id, *(shot.example.id for shot in query.shots)] for query in queries],
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
        "reason": next((answer.error for answer in answers if answer.error), ""),
    }


# ── One rung ─────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class CellRecord:
    """What the manifest says of one cell; filled as its parts come."""

    cell: Cell
    examples: int
    status: str = "pending"
    reason: str = ""
    seconds: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    failed_examples: int = 0
    parts: dict[int, str] = field(default_factory=dict)

    def add(self, index: int, key: str, totals: Totals) -> None:
        self.parts[index] = key
        self.prompt_tokens += int(totals["prompt_tokens"])
        self.generated_tokens += int(totals["generated_tokens"])
        self.failed_examples += int(totals["failed"])
        self.reason = self.reason or str(totals["reason"])

    def to_json(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in self.__slots__ if name not in ("cell", "parts")}
        return {"key": self.cell.key, **asdict(self.cell), **own, "parts": self.parts}


@dataclass(slots=True)
class RungState:
    """How far a rung has come: its record for the manifest, its cells, answers computed, and why it was refused.

    ``allowed``: (task number, arm) → how many of its parts may be asked by now; None: all of all.
    """

    record: dict[str, Any]
    cells: dict[Cell, CellRecord]
    allowed: dict[tuple[int, Arm], int] | None = None
    opened: Opened | None = None
    computed: int = 0
    refused: UserError | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True)
class RungRun:
    """One rung's share of a plan, and the ``state`` that its parts fill as they come."""

    plan: Plan
    directory: RunDirectory
    family: str
    rung: Rung
    state: RungState
    retry_failed: bool

    def go(self, listener: Listener, changed: Callable[[], None], mine: Callable[[Part], bool] | None = None) -> None:
        """Open the model and ask it everything (or the parts that are ``mine``), calling ``changed`` now and then.

        What fails is recorded in ``state`` and the rest goes on, but for ``UserError`` when the disk takes no more.
        """
        listener.rung(self.rung.name)
        try:
            model, opened = open_for(self.plan, self.rung, self.state.record["batch_tokens"])
        except Exception as error:
            self.fail(error, listener)
            return
        try:
            self.begin(opened)
            changed()
            for at, task in enumerate(self.plan.tasks):
                listener.task(self.rung.name, task.ref, task.n_questions)
                cells = cells_of(self.family, self.rung, task)
                for part in self.missing(at, listener):
                    if mine is not None and not mine(part):
                        continue
                    try:
                        done = compute(model, self.plan, cells, part, listener.requests)
                    except Exception as error:
                        self.fail_task(at, error, listener)
                        break
                    self.keep(part, done, listener)
                    changed()
        finally:
            model.close()

    def begin(self, opened: Opened) -> None:
        """Take in what is known of the model now that it is open."""
        record, rung, self.state.opened = self.state.record, self.rung, opened
        record["fingerprint"] = opened.fingerprint
        record["batch_tokens"] = opened.batch_tokens
        record["params_non_embedding"] = rung.params_non_embedding or opened.params_non_embedding or None
        record["params_total"] = rung.params_total or opened.params_total or None
        record["part_size"] = part_size(self.plan.study.part_size, opened.params_total)

    def missing(self, at: int, listener: Listener) -> Iterator[Part]:
        """The parts of task number ``at`` that must be computed; those found on disk are counted on the way."""
        for part, found in self.look(at):
            if found:
                self._count(part, found, listener, computed=False)
            else:
                yield part

    def look(self, at: int) -> Iterator[tuple[Part, Mapping[Arm, Totals]]]:
        """Each part of task number ``at`` with what it came to in every arm; empty when it must be computed.

        That is also so when a part cannot be read (a copy cut short, a bad block), and, with ``retry_failed``, when
        examples in it got no answer.
        """
        cells = self._cells(at)
        on_disk = {arm: finished_parts(self.directory, cell.cell) for arm, cell in cells.items()}
        for part in self._parts(at):
            keys = part_keys(self.plan, part, self.state.record["fingerprint"])
            found: dict[Arm, Totals] = {}
            if all((part.index, keys[arm]) in on_disk[arm] for arm in keys):
                with suppress(UserError):
                    found = {arm: part_totals(self.directory, cells[arm].cell, part.index, keys[arm]) for arm in keys}
            if self.retry_failed and any(totals["failed"] for totals in found.values()):
                found = {}
            yield part, found

    def keep(self, part: Part, done: Mapping[Arm, Done], listener: Listener) -> None:
        """Put a computed part in place, all its arms together. ``UserError`` when the disk takes no more."""
        keys, cells = part_keys(self.plan, part, self.state.record["fingerprint"]), self._cells(part.task)
        for arm, each in done.items():
            write_part(self.directory, cells[arm].cell, part.index, keys[arm], each.data)
            cells[arm].seconds += each.seconds
            self.state.computed += each.answers
        self._count(part, {arm: each.totals for arm, each in done.items()}, listener, computed=True)

    def fail(self, error: Exception, listener: Listener | None = None) -> None:
        """Record that the model cannot be asked at all."""
        if listener:
            listener.note(f"{self.rung.name}: cannot be opened: {reason(error)}")
        self.state.broken = True
        self.state.refused = error if isinstance(error, UserError) else None
        for at in range(len(self.plan.tasks)):
            self.fail_task(at, error)

    def fail_task(self, at: int, error: Exception, listener: Listener | None = None) -> None:
        """Record that a task cannot be finished."""
        if listener:
            listener.note(f"{self.rung.name} × {self.plan.tasks[at].ref}: failed: {reason(error)}")
        for cell in self._cells(at).values():
            if cell.status == "pending":
                cell.status, cell.reason = "failed", reason(error)

    def work(self, part: Part) -> float:
        """What a part weighs in the progress of the whole."""
        return sum(map(len, part.stretch(self.plan.tasks[part.task]).values())) * weight(self.rung)

    def allow(self, at: int, arm: Arm, examples: int) -> bool:
        """Limit an arm of task number ``at`` to its first ``examples``, or raise its limit; whether that adds any.

        Before the first call everything is allowed, after it only what was. Needs the study to say ``part_size``.
        """
        size = self.plan.study.part_size
        assert size is not None
        self.state.allowed = self.state.allowed or {}
        parts = -(-min(examples, len(self.plan.tasks[at].queries[arm])) // size)
        if parts <= self.state.allowed.get((at, arm), 0):
            return False
        self.state.allowed[at, arm] = parts
        cell = self._cells(at)[arm]
        cell.examples = min(parts * size, len(self.plan.tasks[at].queries[arm]))
        cell.status = "pending" if cell.status == "done" else cell.status
        return True

    def _parts(self, at: int) -> list[Part]:
        """The parts that are allowed; under a limit, without the arms in which they are counted already."""
        every = parts_of(self.plan, at, int(self.state.record["part_size"]))
        allowed = self.state.allowed
        if allowed is None:
            return every
        found = []
        for part in every:
            arms = [arm for arm in self.plan.tasks[at].arms if part.index < allowed.get((at, arm), 0)]
            left = tuple(arm for arm in arms if part.index not in self._cells(at)[arm].parts)
            if left:
                found.append(replace(part, arms=left))
        return found

    def _cells(self, at: int) -> dict[Arm, CellRecord]:
        task = self.plan.tasks[at]
        return {arm: self.state.cells[cell] for arm, cell in cells_of(self.family, self.rung, task).items()}

    def _count(self, part: Part, totals: Mapping[Arm, Totals], listener: Listener, *, computed: bool) -> None:
        every = -(-self.plan.tasks[part.task].longest // int(self.state.record["part_size"]))
        keys, cells = part_keys(self.plan, part, self.state.record["fingerprint"]), self._cells(part.task)
        allowed = self.state.allowed
        for arm, key in keys.items():
            cell = cells[arm]
            cell.add(part.index, key, totals[arm])
            if len(cell.parts) == (every if allowed is None else allowed[part.task, arm]):
                cell.status = "failed" if cell.failed_examples == cell.examples else "done"
        listener.advance(self.work(part), computed)


Executor = Callable[[Sequence[RungRun], Listener, Callable[[], None]], None]
"""Computes what is missing of the given rungs, filling the ``state`` of each; calls the last argument as it goes."""


def rung_runs(plan: Plan, directory: RunDirectory, *, retry_failed: bool = False) -> list[RungRun]:
    """A ``RungRun`` for each rung of the plan, nothing counted yet; what an earlier manifest knows is taken over."""
    before = directory.read_manifest()
    rungs = {(rung["family"], rung["name"]): rung for rung in before.get("rungs", [])}
    seconds = {record["key"]: record["seconds"] for record in before.get("cells", [])}
    runs = []
    for family, rung in plan.rungs():
        known = rungs.get((family, rung.name), {})
        record = {"fingerprint": "", "batch_tokens": None} | known | {"family": family, **asdict(rung)}
        cells = {
            cell: CellRecord(cell, len(task.queries[arm]), seconds=seconds.get(cell.key, 0.0))
            for task in plan.tasks
            for arm, cell in cells_of(family, rung, task).items()
        }
        runs.append(RungRun(plan, directory, family, rung, RungState(record, cells), retry_failed))
    return runs
