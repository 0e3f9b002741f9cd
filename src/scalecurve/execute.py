"""Running a plan: the rungs one after another, or several at a time in processes of their own; and the manifest.

Every rung is loaded once and asked all its tasks (``scalecurve.rung_run``). Small models leave most of a processor idle
when they are run one by one, each with several threads; side by side, each with one thread, they do not. Other
executors (``scalecurve.distribute``) do the same work on other machines.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from scalecurve import __version__
from scalecurve.models import SMALL
from scalecurve.nouns import Rung
from scalecurve.part import weight
from scalecurve.plan import Plan
from scalecurve.rung_run import CellRecord, Executor, Listener, RungRun, rung_runs
from scalecurve.runs import RunDirectory, environment, task_record

MANIFEST_SECONDS = 5.0
MOST_WORKERS = 4


class Watcher(Listener, Protocol):
    """Who hears of a run's progress: ``begin`` once, then what its rungs do."""

    def begin(self, work: float, rungs: int, tasks: int) -> None: ...


class Silent:
    """A watcher that says nothing."""

    def begin(self, work: float, rungs: int, tasks: int) -> None: ...
    def rung(self, name: str) -> None: ...
    def task(self, rung: str, ref: str, questions: int) -> None: ...
    def requests(self, done: int, total: int) -> None: ...
    def advance(self, work: float, computed: bool) -> None: ...
    def note(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended: cells in all, those that failed and why, examples without an answer.

    ``texts`` were generated, and in ``unextracted`` of them no answer was found.
    """

    cells: int
    failed_cells: tuple[tuple[str, str], ...]
    failed_examples: int
    first_error: str
    computed: int
    seconds: float
    texts: int = 0
    unextracted: int = 0

    @property
    def complete(self) -> bool:
        return not self.failed_cells and not self.failed_examples


def execute(
    plan: Plan,
    directory: RunDirectory,
    watcher: Watcher | None = None,
    *,
    retry_failed: bool = False,
    executor: Executor | None = None,
) -> Outcome:
    """Compute every part of ``plan`` that is not on disk, and write the manifest.

    A cell that fails is recorded with its reason and the rest goes on. ``UserError`` when not one model could be
    opened, or when the directory cannot be written to. ``retry_failed`` computes parts again that hold examples
    without an answer. ``executor`` says where the work is done: here, one rung after another (None), as
    ``on_this_machine`` says, or on other machines (``scalecurve.distribute``).
    """
    watcher = watcher or Silent()
    started = time.monotonic()
    jobs = rung_runs(plan, directory, retry_failed=retry_failed)
    ledger = _Ledger(plan, directory, jobs)
    questions = sum(task.n_questions for task in plan.tasks)
    watcher.begin(questions * sum(weight(job.rung) for job in jobs), len(jobs), len(plan.tasks))
    try:
        (executor or on_this_machine(1))(jobs, watcher, ledger.changed)
        refusals = [job.state.refused for job in jobs if job.state.broken]
        if len(refusals) == len(jobs) and refusals[0] is not None:
            raise refusals[0]
        ledger.save(finished=True)
    except KeyboardInterrupt:
        if directory.outputs.exists():
            ledger.save(finished=False)
        raise
    return ledger.outcome(time.monotonic() - started)


def on_this_machine(workers: int | None) -> Executor:
    """The executor that needs nothing else: the rungs one after another, or ``workers`` of them side by side.

    None: as many as there are processors, up to four, when all models are small and local; else one. With more than
    one, the calling script needs the usual ``if __name__ == "__main__":``.
    """

    def run(jobs: Sequence[RungRun], listener: Listener, changed: Callable[[], None]) -> None:
        unfinished = [job for job in jobs if not job.from_disk(listener)]
        count = min(len(unfinished), workers or default_workers(job.rung for job in unfinished))
        if count > 1:
            from scalecurve.workers import run_side_by_side

            run_side_by_side(unfinished, count, listener, changed)
        else:
            for job in unfinished:
                job.go(listener, changed)

    return run


def default_workers(rungs: Iterable[Rung]) -> int:
    """How many rungs to run at the same time when nobody says."""
    small = all(
        rung.backend == "transformers" and 0 < (rung.params_total or rung.params_non_embedding or 0) < SMALL
        for rung in rungs
    )
    return min(MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1) if small else 1


class _Ledger:
    """The manifest in the making: what every rung and cell has come to, saved now and then."""

    def __init__(self, plan: Plan, directory: RunDirectory, jobs: Sequence[RungRun]) -> None:
        self.plan, self.directory, self.jobs = plan, directory, jobs
        self.created = directory.read_manifest().get("created", _now())
        self.saved_at = 0.0

    def changed(self) -> None:
        if time.monotonic() - self.saved_at > MANIFEST_SECONDS:
            self.save(finished=False)

    def save(self, *, finished: bool) -> None:
        records = [record.to_json() for record in self._cells()]
        summed = (
            "examples", "failed_examples", "texts", "unextracted", "prompt_tokens", "generated_tokens", "seconds",
        )  # fmt: skip
        self.directory.write_manifest(
            {
                "scalecurve": __version__,
                "study": self.plan.study.name,
                "created": self.created,
                "finished": _now() if finished else None,
                "environment": environment(),
                "rungs": [job.state.record for job in self.jobs],
                "tasks": [task_record(task.ref, task.task, task.metrics) for task in self.plan.tasks],
                "strategies": [way.record() for way in self.plan.ways.values() if way.path],
                "cells": records,
                "totals": {
                    "cells": len(records),
                    "failed_cells": sum(record["status"] == "failed" for record in records),
                    **{name: sum(record[name] for record in records) for name in summed},
                },
            }
        )
        self.saved_at = time.monotonic()

    def outcome(self, seconds: float) -> Outcome:
        records = self._cells()
        reasons = [record.reason for record in records if record.reason]
        return Outcome(
            cells=len(records),
            failed_cells=tuple((record.cell.key, record.reason) for record in records if record.status == "failed"),
            failed_examples=sum(record.failed_examples for record in records),
            first_error=reasons[0] if reasons else "",
            computed=sum(job.state.computed for job in self.jobs),
            seconds=seconds,
            texts=sum(record.texts for record in records),
            unextracted=sum(record.unextracted for record in records),
        )

    def _cells(self) -> list[CellRecord]:
        return [record for job in self.jobs for record in job.state.cells.values()]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
