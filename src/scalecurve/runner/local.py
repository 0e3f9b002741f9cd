"""The executor of this machine: rungs one after another, or several at a time, each in a process of its own.

Small models leave most of a processor idle when they are run one by one, each with several threads; side by side, each
with one thread, they do not. The processes are forked from one that has loaded the libraries. Each reports through a
pipe: ("state", RungState), ("tell", method, arguments) for the listener, at the end ("done",), or ("raise", UserError)
when the whole run must end. When the pipe closes before that, the process has died and its rung is recorded as failed.
Processes end when the run does, however it ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from scalecurve.errors import UserError
from scalecurve.models import SMALL
from scalecurve.runner.model_run import Listener, ModelRun
from scalecurve.runner.part import weight
from scalecurve.types import Rung

PRELOAD = ["transformers.models.llama.modeling_llama", "scalecurve.runner.preload"]  # in this order
STATE_SECONDS = 2.0
MOST_WORKERS = 4


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """The rungs one after another, or ``workers`` of them side by side.

    None: as many as there are processors, up to four, when all models are small and local; else one. With more than
    one, the calling script needs the usual ``if __name__ == "__main__":``.
    """

    workers: int | None = 1

    def run(self, jobs: Sequence[ModelRun], listener: Listener, changed: Callable[[], None]) -> None:
        unfinished = [job for job in jobs if not job.from_disk(listener)]
        count = min(len(unfinished), self.workers or default_workers(job.rung for job in unfinished))
        if count > 1:
            run_side_by_side(unfinished, count, listener, changed)
        else:
            for job in unfinished:
                job.go(listener, changed)


def default_workers(rungs: Iterable[Rung]) -> int:
    """How many rungs to run at the same time when nobody says."""
    small = all(
        rung.backend == "transformers" and 0 < (rung.params_total or rung.params_non_embedding or 0) < SMALL
        for rung in rungs
    )
    return min(MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1) if small else 1


def run_side_by_side(jobs: Sequence[ModelRun], count: int, listener: Listener, changed: Callable[[], None]) -> None:
    """Run ``jobs``, ``count`` at a time and the largest first, filling the ``state`` of each."""
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    waiting = sorted(jobs, key=lambda job: weight(job.rung))
    running: dict[Connection, tuple[ModelRun, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < count:
                job = waiting.pop()
                ours, theirs = context.Pipe(duplex=False)
                process: BaseProcess = context.Process(
                    target=_work, args=(job, theirs), name=job.rung.name, daemon=True
                )
                process.start()
                theirs.close()
                running[ours] = (job, process)
            for pipe in wait(list(running)):
                assert isinstance(pipe, Connection)
                job, process = running[pipe]
                if not _hear(pipe, job, process, listener):
                    process.join()
                    del running[pipe]
                changed()
    finally:
        for _, left in running.values():
            left.kill()


def _hear(pipe: Connection, job: ModelRun, process: BaseProcess, listener: Listener) -> bool:
    """Take in one message; whether there will be more. ``UserError`` when the process says that all must end."""
    try:
        kind, *content = pipe.recv()
    except (EOFError, OSError):  # OSError: it died in the middle of a message
        process.join()
        reason = RuntimeError(f"its process ended ({process.exitcode}); was there too little memory?")
        listener.note(f"{job.rung.name}: {reason}")
        job.fail(reason)
        return False
    if kind == "raise":
        raise content[0]
    if kind == "tell":
        method, arguments = content
        getattr(listener, method)(*arguments)
    elif kind == "state":
        (state,) = content
        for name in state.__slots__:
            setattr(job.state, name, getattr(state, name))
    return bool(kind != "done")


class _PipeListener:
    """The listener in a worker: passes on what it hears."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def rung(self, name: str) -> None:
        self.pipe.send(("tell", "rung", (name,)))

    def task(self, rung: str, ref: str, questions: int) -> None:
        self.pipe.send(("tell", "task", (rung, ref, questions)))

    def requests(self, done: int, total: int) -> None:
        """Of several models at once, too many to show."""

    def advance(self, work: float, computed: bool) -> None:
        self.pipe.send(("tell", "advance", (work, computed)))

    def note(self, text: str) -> None:
        self.pipe.send(("tell", "note", (text,)))


def _work(job: ModelRun, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends us
    os.environ.setdefault("MKL_DISABLE_FAST_MM", "1")  # or MKL keeps some 15 MB for itself; no faster for small models
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sent_at = 0.0

    def changed() -> None:
        nonlocal sent_at
        _give_back()
        if time.monotonic() - sent_at > STATE_SECONDS:
            pipe.send(("state", job.state))
            sent_at = time.monotonic()

    try:
        job.go(_PipeListener(pipe), changed)
    except UserError as error:  # the disk takes no more: no rung could go on
        pipe.send(("raise", error))
        return
    pipe.send(("state", job.state))
    pipe.send(("done",))


def _give_back() -> None:
    """Return memory that is freed, but held for later, to the system, where the C library can: glibc.

    After a task of long texts it is 50 MB, which the next one finds in holes too small for its own.
    """
    with suppress(AttributeError, TypeError):  # other libraries; Windows
        ctypes.CDLL(None).malloc_trim(0)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
