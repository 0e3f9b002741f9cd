"""Running a plan through an executor, and the manifest of what every rung and cell has come to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from scalecurve._version import __version__
from scalecurve.runner.local import LocalExecutor
from scalecurve.runner.model_run import CellRecord, Executor, Listener, ModelRun, Silent, model_runs
from scalecurve.runner.part import weight
from scalecurve.store import RunDirectory, environment, task_record
from scalecurve.study.plan import Plan

MANIFEST_SECONDS = 5.0


class Watcher(Listener, Protocol):
    """Who hears of a run's progress: ``begin`` once, then what its rungs do."""

    def begin(self, work: float, rungs: int, tasks: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended: cells in all, those that failed and why, examples without an answer.

    ``texts`` were generated, and in ``unextracted`` of them no answer was found; ``censored`` of those were cut off
    before they said one. ``cut`` counts every text that reached its limit, steps included.
    """

    cells: int
    failed_cells: tuple[tuple[str, str], ...]
    failed_examples: int
    first_error: str
    computed: int
    seconds: float
    texts: int = 0
    unextracted: int = 0
    censored: int = 0
    cut: int = 0
    thinking_tokens: int = 0

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
    without an answer. ``executor`` says where the work is done; None: here, one rung after another.
    """
    watcher = watcher or Silent()
    started = time.monotonic()
    jobs = model_runs(plan, directory, retry_failed=retry_failed)
    ledger = _Ledger(plan, directory, jobs)
    questions = sum(task.n_questions for task in plan.tasks)
    watcher.begin(questions * sum(weight(job.rung) for job in jobs), len(jobs), len(plan.tasks))
    try:
        (executor or LocalExecutor()).run(jobs, watcher, ledger.changed)
        refusals = [job.state.refused for job in jobs if job.state.broken]
        if len(refusals) == len(jobs) and refusals[0] is not None:
            raise refusals[0]
        ledger.save(finished=True)
    except KeyboardInterrupt:
        if directory.outputs.exists():
            ledger.save(finished=False)
        raise
    return ledger.outcome(time.monotonic() - started)


class _Ledger:
    """The manifest in the making: what every rung and cell has come to, saved now and then."""

    def __init__(self, plan: Plan, directory: RunDirectory, jobs: Sequence[ModelRun]) -> None:
        self.plan, self.directory, self.jobs = plan, directory, jobs
        self.created = directory.read_manifest().get("created", _now())
        self.saved_at = 0.0

    def changed(self) -> None:
        if time.monotonic() - self.saved_at > MANIFEST_SECONDS:
            self.save(finished=False)

    def save(self, *, finished: bool) -> None:
        records = [record.to_json() for record in self._cells()]
        if finished:
            for record in records:
                record["hashes"] = {key: record["hashes"][key] for key in record["parts"].values()}
        summed = (
            "examples", "failed_examples", "texts", "unextracted", "censored", "cut", "prompt_tokens",
            "generated_tokens", "thinking_tokens", "seconds",
        )  # fmt: skip
        self.directory.write_manifest(
            {
                "scalecurve": __version__,
                "study": self.plan.study.name,
                "repeats": self.plan.study.repeats,
                "effort": self.plan.study.effort.values() if self.plan.study.effort else None,
                "created": self.created,
                "finished": _now() if finished else None,
                "environment": environment(),
                "rungs": [job.state.record.to_json() for job in self.jobs],
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
            censored=sum(record.censored for record in records),
            cut=sum(record.cut for record in records),
            thinking_tokens=sum(record.thinking_tokens for record in records),
        )

    def _cells(self) -> list[CellRecord]:
        return [record for job in self.jobs for record in job.state.cells.values()]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
