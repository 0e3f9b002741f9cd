"""All that a study asks of one rung: the model is loaded once, and finished parts are kept, whole, as they come.

The unit of work is a *part*: one stretch of a task's examples, asked in all the study's arms (strategy, shots, seed)
at once, so that the model sees every request of every stage together and can batch them well. A part is computed
whole or not at all, and its stretch depends on the study and the model alone, never on when a run was cut. So a run
killed at any instant and started again makes the same batches, hence the same floating-point numbers.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from scalecurve.asking import drive, reason
from scalecurve.metrics import needed
from scalecurve.models import SMALL, Model, identity, open_model, sized
from scalecurve.nouns import Answer, Cell, Example, Rung, UserError
from scalecurve.plan import Arm, Plan, TaskPlan, cells_of
from scalecurve.prompts import Query, Question, determining
from scalecurve.runs import RunDirectory, finished_parts, write_part
from scalecurve.runs.parts import part_bytes, part_totals

FORMAT = 1
"""Of the parts; raised when what a row means changes, so that older parts are computed anew."""


class Listener(Protocol):
    """Who hears of a rung's progress. Work is in units of about one example of a small model."""

    def rung(self, name: str) -> None: ...
    def task(self, rung: str, ref: str, questions: int) -> None: ...
    def requests(self, done: int, total: int) -> None: ...
    def advance(self, work: float, computed: bool) -> None: ...
    def note(self, text: str) -> None: ...


@dataclass(slots=True)
class CellRecord:
    """What the manifest says of one cell; filled as its parts come.

    ``texts`` counts the examples a text was generated for, ``unextracted`` those in whose text no answer was found.
    """

    cell: Cell
    examples: int
    status: str = "pending"
    reason: str = ""
    seconds: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    failed_examples: int = 0
    texts: int = 0
    unextracted: int = 0
    parts: dict[int, str] = field(default_factory=dict)

    def add(self, index: int, key: str, totals: Mapping[str, int | str]) -> None:
        self.parts[index] = key
        self.prompt_tokens += int(totals["prompt_tokens"])
        self.generated_tokens += int(totals["generated_tokens"])
        self.failed_examples += int(totals["failed"])
        self.texts += int(totals["texts"])
        self.unextracted += int(totals["unextracted"])
        self.reason = self.reason or str(totals["reason"])

    def close(self) -> None:
        """All parts are added."""
        self.status = "failed" if self.failed_examples == self.examples else "done"

    def to_json(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in self.__slots__ if name not in ("cell", "parts")}
        return {"key": self.cell.key, **asdict(self.cell), **own, "parts": self.parts}


@dataclass(slots=True)
class RungState:
    """How far a rung has come: its record for the manifest, its cells, answers computed, and why it was refused."""

    record: dict[str, Any]
    cells: dict[Cell, CellRecord]
    computed: int = 0
    refused: UserError | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True)
class RungRun:
    """One rung's share of a plan. ``state`` is filled by ``go``, which calls ``changed`` whenever it has more."""

    plan: Plan
    directory: RunDirectory
    family: str
    rung: Rung
    state: RungState
    retry_failed: bool

    def from_disk(self, listener: Listener) -> bool:
        """Fill ``state`` without opening the model where every part of it is on disk; whether that was so.

        A local model whose files are gone by now is taken for what it was.
        """
        record = self.state.record
        fingerprint = record["fingerprint"]
        if self.retry_failed or not fingerprint:
            return False
        if identity(self.rung, dtype=self.plan.study.dtype, gone=fingerprint) != fingerprint:
            return False
        size = _part_size(self.plan.study.part_size, record["params_total"] or 0)
        found: list[tuple[CellRecord, int, str, Mapping[str, int | str]]] = []
        for task in self.plan.tasks:
            cells = self._cells(task)
            on_disk = {arm: finished_parts(self.directory, cell.cell) for arm, cell in cells.items()}
            for index, stretch in _stretches(task, size):
                keys = {arm: self._key(fingerprint, task, arm, queries) for arm, queries in stretch.items()}
                if any((index, key) not in on_disk[arm] for arm, key in keys.items()):
                    return False
                try:
                    for arm, key in keys.items():
                        found.append((cells[arm], index, key, part_totals(self.directory, cells[arm].cell, index, key)))
                except UserError:  # a damaged part, which going through the tasks reports
                    return False
        for cell, index, key, totals in found:
            cell.add(index, key, totals)
        for cell in self.state.cells.values():
            cell.close()
        listener.advance(sum(task.n_questions for task in self.plan.tasks) * weight(self.rung), computed=False)
        return True

    def go(self, listener: Listener, changed: Callable[[], None]) -> None:
        """Open the model and ask it everything; what fails is recorded in ``state`` and the rest goes on."""
        study, record, rung = self.plan.study, self.state.record, self.rung
        listener.rung(rung.name)
        try:
            # What a run began with it goes on with: other batches round differently.
            batch_tokens = study.batch_tokens or record["batch_tokens"]
            model = open_model(
                rung, device=study.device, dtype=study.dtype, batch_tokens=batch_tokens, cache=study.cache
            )
        except Exception as error:
            listener.note(f"{rung.name}: cannot be opened: {reason(error)}")
            self.fail(error)
            return
        try:
            non_embedding, total = model.parameters()
            record["fingerprint"] = model.fingerprint
            record["batch_tokens"] = getattr(model, "batch_tokens", None)  # None where a model has no such thing
            record |= asdict(sized(rung, non_embedding, total))
            changed()
            for task in self.plan.tasks:
                listener.task(rung.name, task.ref, task.n_questions)
                try:
                    self._task(model, task, _part_size(study.part_size, total), listener, changed)
                except Exception as error:
                    listener.note(f"{rung.name} × {task.ref}: failed: {reason(error)}")
                    self._fail_task(task, error)
        finally:
            model.close()

    def fail(self, error: Exception) -> None:
        """Record that the model cannot be asked at all."""
        self.state.broken = True
        self.state.refused = error if isinstance(error, UserError) else None
        for task in self.plan.tasks:
            self._fail_task(task, error)

    def _cells(self, task: TaskPlan) -> dict[Arm, CellRecord]:
        return {arm: self.state.cells[cell] for arm, cell in cells_of(self.family, self.rung, task).items()}

    def _fail_task(self, task: TaskPlan, error: Exception) -> None:
        for cell in self._cells(task).values():
            if cell.status == "pending":
                cell.status, cell.reason = "failed", reason(error)

    def _task(
        self, model: Model, task: TaskPlan, part_size: int, listener: Listener, changed: Callable[[], None]
    ) -> None:
        cells = self._cells(task)
        on_disk = {arm: finished_parts(self.directory, cell.cell) for arm, cell in cells.items()}
        for index, stretch in _stretches(task, part_size):
            keys = {arm: self._key(model.fingerprint, task, arm, queries) for arm, queries in stretch.items()}
            totals = {
                arm: part_totals(self.directory, cells[arm].cell, index, keys[arm])
                for arm in task.arms
                if (index, keys[arm]) in on_disk[arm]
            }
            unanswered = self.retry_failed and any(total["failed"] for total in totals.values())
            compute = unanswered or len(totals) < len(task.arms)
            if compute:
                totals = self._compute(model, task, stretch, index, keys, listener)
            for arm, cell in cells.items():
                cell.add(index, keys[arm], totals[arm])
            listener.advance(sum(map(len, stretch.values())) * weight(self.rung), compute)
            changed()
        for cell in cells.values():
            cell.close()

    def _compute(
        self,
        model: Model,
        task: TaskPlan,
        stretch: Mapping[Arm, Sequence[Query]],
        index: int,
        keys: Mapping[Arm, str],
        listener: Listener,
    ) -> dict[Arm, dict[str, int | str]]:
        """Ask one stretch of examples in every arm, and put the parts in place together."""
        began = time.monotonic()
        cells, wants = self._cells(task), needed(task.metrics)
        asked: list[tuple[Arm, Example]] = []
        generators = []
        for arm, queries in stretch.items():
            own = {"rung": self.rung.name, "family": task.ref, "seed": arm.seed, "max_tokens": task.task.max_tokens}
            settings = {**self.plan.study.settings, **own}
            strategy = self.plan.ways[arm.strategy].strategy()
            for query in queries:
                asked.append((arm, query.example))
                generators.append(strategy(Question(task.task, query, wants, settings)))
        answers = drive(model, [example.id for _, example in asked], generators, listener.requests)
        rows: dict[Arm, list[tuple[Example, Answer]]] = {arm: [] for arm in stretch}
        for (arm, example), answer in zip(asked, answers, strict=True):
            rows[arm].append((example, answer))
        data = {arm: part_bytes(cells[arm].cell, rows[arm]) for arm in stretch}
        for arm, part in data.items():
            write_part(self.directory, cells[arm].cell, index, keys[arm], part)
        self.state.computed += len(answers)
        tokens = {arm: 1 + sum(a.prompt_tokens + a.generated_tokens for _, a in rows[arm]) for arm in rows}
        for arm in stretch:  # the arms shared the model's time; each is charged by its tokens
            cells[arm].seconds += (time.monotonic() - began) * tokens[arm] / sum(tokens.values())
        return {arm: _totals(answer for _, answer in rows[arm]) for arm in rows}

    def _key(self, fingerprint: str, task: TaskPlan, arm: Arm, queries: Sequence[Query]) -> str:
        """A hash of all that determines the answers of a part: weights, task, way of asking, examples."""
        study = self.plan.study
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
            *filter(None, [self.plan.ways[arm.strategy].digest]),
        ]
        return hashlib.sha256(json.dumps(determines, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _totals(answers: Iterable[Answer]) -> dict[str, int | str]:
    """What the manifest keeps of a part; the same as ``part_totals`` reads back."""
    answers = list(answers)
    return {
        "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
        "generated_tokens": sum(answer.generated_tokens for answer in answers),
        "failed": sum(bool(answer.error) for answer in answers),
        "texts": sum(answer.text is not None for answer in answers),
        "unextracted": sum(answer.text is not None and not answer.response for answer in answers),
        "reason": next((answer.error for answer in answers if answer.error), ""),
    }


def _stretches(task: TaskPlan, size: int) -> Iterator[tuple[int, dict[Arm, Sequence[Query]]]]:
    """(index, arm → questions) of each part of a task."""
    for index, start in enumerate(range(0, max(map(len, task.queries.values())), size)):
        yield index, {arm: queries[start : start + size] for arm, queries in task.queries.items()}


def _part_size(wanted: int | None, params: int) -> int:
    """Examples in a part: as many as make good batches, yet few enough that a cut loses little of a large model."""
    return wanted or (256 if params < SMALL else 64)


def weight(rung: Rung) -> float:
    """Work of one example: a constant, and what grows with the model."""
    return 1 + (rung.params_non_embedding or rung.params_total or 0) / 1e6
