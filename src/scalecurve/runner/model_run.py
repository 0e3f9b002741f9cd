"""All that a study asks of one rung: the model is loaded once, and finished parts are kept, whole, as they come.

Wherever a study runs, parts go the same way: ``ModelRun.missing`` says that one is not on disk, ``compute`` asks
the model (and touches no file of the run), ``ModelRun.keep`` puts it in place. ``ModelRun.go`` is all of it for one
rung in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Protocol

from scalecurve.errors import UserError
from scalecurve.models import identity, sized
from scalecurve.runner.part import (
    Done,
    Opened,
    Part,
    Totals,
    compute,
    open_for,
    part_keys,
    part_size,
    parts_of,
    weight,
)
from scalecurve.store import RunDirectory, finished_parts, write_part
from scalecurve.store.parts import cell_of, part_totals
from scalecurve.strategies.driver import reason
from scalecurve.study.plan import Plan
from scalecurve.study.task_plan import Arm, cells_of
from scalecurve.types import Cell, Rung


class Listener(Protocol):
    """Who hears of a rung's progress. Work is in units of about one example of a small model."""

    def rung(self, name: str) -> None: ...
    def task(self, rung: str, ref: str, questions: int) -> None: ...
    def requests(self, done: int, total: int) -> None: ...
    def advance(self, work: float, computed: bool) -> None: ...
    def note(self, text: str) -> None: ...


class Silent:
    """Hears everything and says nothing."""

    def begin(self, work: float, rungs: int, tasks: int) -> None: ...
    def rung(self, name: str) -> None: ...
    def task(self, rung: str, ref: str, questions: int) -> None: ...
    def requests(self, done: int, total: int) -> None: ...
    def advance(self, work: float, computed: bool) -> None: ...
    def note(self, text: str) -> None: ...


@dataclass(slots=True)
class CellRecord:
    """What the manifest says of one cell; filled as its parts come.

    ``texts`` counts the examples a text was generated for, ``unextracted`` those in whose text no answer was found,
    ``censored`` those whose answer a limit cut off, ``cut`` all texts that reached their limit, steps included.
    ``hashes`` are those of parts by their key, also of parts that an earlier run wrote and this one has not met yet.
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
    censored: int = 0
    cut: int = 0
    thinking_tokens: int = 0
    parts: dict[int, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def add(self, index: int, key: str, totals: Totals) -> None:
        """Count a part that is on disk: its number, its key, and what its examples came to."""
        self.parts[index], self.hashes[key] = key, str(totals["sha256"])
        self.prompt_tokens += int(totals["prompt_tokens"])
        self.generated_tokens += int(totals["generated_tokens"])
        self.failed_examples += int(totals["failed"])
        self.texts += int(totals["texts"])
        self.unextracted += int(totals["unextracted"])
        self.censored += int(totals["censored"])
        self.cut += int(totals["cut"])
        self.thinking_tokens += int(totals["thinking_tokens"])
        self.reason = self.reason or str(totals["reason"])

    def close(self) -> None:
        """All parts are added."""
        self.status = "failed" if self.failed_examples == self.examples else "done"

    def to_json(self) -> dict[str, Any]:
        """The record as the manifest holds it, the cell's fields beside its own."""
        own = {name: getattr(self, name) for name in self.__slots__ if name not in ("cell", "parts")}
        return {"key": self.cell.key, **asdict(self.cell), **own, "parts": self.parts}


@dataclass(slots=True)
class RungRecord:
    """What the manifest says of one rung; ``rung`` with the sizes that are known by now."""

    OPENED: ClassVar = ("fingerprint", "batch_tokens", "part_size", "unshared")  # what opening a model tells of it
    family: str
    rung: Rung
    fingerprint: str = ""
    batch_tokens: int | None = None
    part_size: int = 0
    unshared: str = ""

    def to_json(self) -> dict[str, object]:
        """The record as the manifest holds it, the rung's fields beside its own."""
        later = {name: getattr(self, name) for name in ("part_size", "unshared") if getattr(self, name)}
        own = {"fingerprint": self.fingerprint, "batch_tokens": self.batch_tokens, "family": self.family}
        return {**own, **asdict(self.rung), **later}


@dataclass(slots=True)
class RungState:
    """How far a rung has come: its record for the manifest, its cells, answers computed, and why it was refused.

    ``allowed``: (task number, arm) → how many of its parts may be asked by now; None: all of all.
    """

    record: RungRecord
    cells: dict[Cell, CellRecord]
    allowed: dict[tuple[int, Arm], int] | None = None
    opened: Opened | None = None
    computed: int = 0
    refused: UserError | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True)
class ModelRun:
    """One rung's share of a plan, and the ``state`` that its parts fill as they come."""

    plan: Plan
    directory: RunDirectory
    family: str
    rung: Rung
    state: RungState
    retry_failed: bool

    # ── In one process ───────────────────────────────────────────────────────────────────────────────────────
    def from_disk(self, listener: Listener) -> bool:
        """Fill ``state`` without opening the model where every part of it is on disk; whether that was so.

        A local model whose files are gone by now is taken for what it was.
        """
        record = self.state.record
        fingerprint = record.fingerprint
        if self.retry_failed or not fingerprint:
            return False
        if identity(self.rung, dtype=self.plan.study.dtype, gone=fingerprint) != fingerprint:
            return False
        record.part_size = part_size(self.plan.study.part_size, record.rung.params_total or 0)
        known = []
        for at in range(len(self.plan.tasks)):
            for part, found in self.look(at):
                if not found:
                    return False
                known.append((part, found))
        for part, found in known:
            self._count(part, found, listener, computed=False)
        return True

    def go(self, listener: Listener, changed: Callable[[], None], mine: Callable[[Part], bool] | None = None) -> None:
        """Open the model and ask it everything (or the parts that are ``mine``), calling ``changed`` now and then.

        What fails is recorded in ``state`` and the rest goes on, but for ``UserError`` when the disk takes no more.
        """
        listener.rung(self.rung.name)
        try:
            model, opened = open_for(self.plan, self.rung, self.state.record.batch_tokens)
        except Exception as error:  # recorded with its reason; the other models go on
            self.fail(error, listener)
            return
        try:
            self.begin(opened, listener)
            changed()
            for at, task in enumerate(self.plan.tasks):
                listener.task(self.rung.name, task.ref, task.n_questions)
                cells = cells_of(self.family, self.rung, task)
                for part in self.missing(at, listener):
                    if mine is not None and not mine(part):
                        continue
                    try:
                        done = compute(model, self.plan, cells, part, listener.requests)
                    except Exception as error:  # the other tasks go on
                        self.fail_task(at, error, listener)
                        break
                    self.keep(part, done, listener)
                    changed()
        finally:
            model.close()

    # ── Step by step, for executors ──────────────────────────────────────────────────────────────────────────
    def begin(self, opened: Opened, listener: Listener | None = None) -> None:
        """Take in what is known of the model now that it is open."""
        if listener and self.state.record.fingerprint not in ("", opened.fingerprint):
            listener.note(f"{self.rung.name}: not the weights this run began with; its parts are computed anew")
        self.state.opened = opened
        self.state.record = RungRecord(
            self.family,
            sized(self.rung, opened.params_non_embedding, opened.params_total),
            opened.fingerprint,
            opened.batch_tokens,
            part_size(self.plan.study.part_size, opened.params_total),
            opened.unshared,
        )

    def missing(self, at: int, listener: Listener) -> Iterator[Part]:
        """The parts of task number ``at`` that must be computed; those found on disk are counted on the way."""
        for part, found in self.look(at):
            if found:
                self._count(part, found, listener, computed=False)
            else:
                yield part

    def look(self, at: int) -> Iterator[tuple[Part, Mapping[Arm, Totals]]]:
        """Each part of task number ``at`` with what it came to in every arm; empty when it must be computed.

        That is also so when a part is not what was written (a copy cut short or misplaced, a bad block), and, with
        ``retry_failed``, when examples in it got no answer.
        """
        cells = self._cells(at)
        on_disk = {arm: finished_parts(self.directory, cell.cell) for arm, cell in cells.items()}
        for part in self._parts(at):
            keys = part_keys(self.plan, part, self.state.record.fingerprint)
            found: dict[Arm, Totals] = {}
            if all((part.index, key) in on_disk[arm] for arm, key in keys.items()):
                with suppress(UserError):
                    found = {arm: self._totals(cells[arm], part, arm, keys[arm]) for arm in keys}
            if self.retry_failed and any(totals["failed"] for totals in found.values()):
                found = {}
            yield part, found

    def _totals(self, record: CellRecord, part: Part, arm: Arm, key: str) -> Totals:
        """What an arm of a part on disk came to. ``UserError`` when it is not what was written."""
        ids = [query.example.id for query in part.stretch(self.plan.tasks[part.task])[arm]]
        known = record.hashes.get(key, "")
        try:
            return part_totals(self.directory, record.cell, part.index, key, known, ids)
        except UserError:
            record.hashes.pop(key, None)
            raise

    def keep(self, part: Part, done: Mapping[Arm, Done], listener: Listener) -> None:
        """Put a computed part in place, all its arms together. ``UserError`` when the disk takes no more."""
        keys, cells = part_keys(self.plan, part, self.state.record.fingerprint), self._cells(part.task)
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

    # ── Not all at once ──────────────────────────────────────────────────────────────────────────────────────
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
        every = parts_of(self.plan, at, self.state.record.part_size)
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
        every = -(-self.plan.tasks[part.task].longest // self.state.record.part_size)
        keys, cells = part_keys(self.plan, part, self.state.record.fingerprint), self._cells(part.task)
        allowed = self.state.allowed
        for arm, key in keys.items():
            cell = cells[arm]
            cell.add(part.index, key, totals[arm])
            if len(cell.parts) == (every if allowed is None else allowed[part.task, arm]):
                cell.close()
        listener.advance(self.work(part), computed)


class Executor(Protocol):
    """Where a plan is computed: here, on Ray, on Slurm, or in rounds through one of these."""

    def run(self, jobs: Sequence[ModelRun], listener: Listener, changed: Callable[[], None]) -> None:
        """Compute what is missing of ``jobs``, filling the ``state`` of each; ``changed`` is called as it goes."""


def model_runs(plan: Plan, directory: RunDirectory, *, retry_failed: bool = False) -> list[ModelRun]:
    """A ``ModelRun`` for each rung of the plan, nothing counted yet; what an earlier manifest knows is taken over."""
    before = directory.read_manifest()
    rungs = {(rung["family"], rung["name"]): rung for rung in before.get("rungs", [])}
    records = {cell_of(record).key: record for record in before.get("cells", [])}
    runs = []
    for family, rung in plan.rungs():
        known = rungs.get((family, rung.name), {})
        counts = known.get("params_non_embedding"), known.get("params_total")  # measured before
        earlier = {name: known[name] for name in RungRecord.OPENED if name in known}
        record = RungRecord(family, sized(rung, *counts), **earlier)
        cells = {
            cell: _begun(cell, len(task.queries[arm]), records.get(cell.key, {}))
            for task in plan.tasks
            for arm, cell in cells_of(family, rung, task).items()
        }
        runs.append(ModelRun(plan, directory, family, rung, RungState(record, cells), retry_failed))
    return runs


def _begun(cell: Cell, examples: int, before: Mapping[str, Any]) -> CellRecord:
    """The record of a cell with nothing counted; what it took and wrote ``before`` is taken over."""
    return CellRecord(cell, examples, seconds=before.get("seconds", 0.0), hashes=dict(before.get("hashes", {})))
