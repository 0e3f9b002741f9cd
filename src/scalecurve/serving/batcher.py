"""The batcher: one thread that drives the Thinker, taking in what has come whenever a stage is done.

Requests that wait together go to a model in one call; those that come later join at the next stage.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from scalecurve.routing import Inquiry, Thinker
from scalecurve.routing.trace import Step, Trace
from scalecurve.strategies.driver import reason

GATHER_SECONDS = 0.004
"""How long an idle batcher waits for others after the first request."""


@dataclass(eq=False, slots=True)
class Job:
    """A request. ``done`` hears once, from another thread, of its trace; a failure is one with an error."""

    inquiry: Inquiry
    model: str
    hear: Callable[[Step], None]
    done: Callable[[Trace], None]
    ticket: int | None = None
    _once: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ended(self) -> bool:
        return self._once.locked()

    def end(self, trace: Trace) -> None:
        if self._once.acquire(blocking=False):  # and never released
            self.done(trace)

    def fail(self, why: str) -> None:
        self.end(Trace(self.inquiry.text, "error", "", self.model, "", None, (), why))


class Batcher:
    """See the module's description. ``open`` starts the thread, ``close`` ends it."""

    def __init__(self, thinker: Thinker, most: int) -> None:
        self._thinker, self._most = thinker, most
        self._come: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._jobs: set[Job] = set()
        self._begun: set[Job] = set()  # of these, what the thinker has; touched by the thread alone
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def __len__(self) -> int:
        with self._lock:
            return len(self._jobs)

    def submit(
        self, inquiry: Inquiry, model: str, hear: Callable[[Step], None], done: Callable[[Trace], None]
    ) -> Job | None:
        """Take a request in; None when the batcher is full or closing."""

        def ended(trace: Trace) -> None:
            with self._lock:
                self._jobs.discard(job)
            done(trace)

        job = Job(inquiry, model, hear, ended)
        with self._lock:
            if self._closing.is_set() or len(self._jobs) >= self._most:
                return None
            self._jobs.add(job)
        self._come.put(job)
        return job

    def close(self, why: str = "the server is stopping") -> None:
        """Fail what is under way, and let the thread end; it may still be deep in a model, and is not waited for."""
        self._closing.set()
        with self._lock:
            left = list(self._jobs)
        for job in left:
            job.fail(why)
        self._come.put(None)

    def _work(self) -> None:
        while not self._closing.is_set():
            for job in self._take():
                if not job.ended:
                    self._begin(job)
            for job in [job for job in self._begun if job.ended]:
                self._drop(job)
            try:
                self._thinker.turn()
            except Exception as error:  # a model that cannot be opened, or fails as a whole
                for job in list(self._begun):
                    self._drop(job)
                    job.fail(reason(error))

    def _take(self) -> list[Job]:
        """What has come; an idle batcher waits for it."""
        idle = not len(self._thinker)
        found = [self._come.get()] if idle else []
        if idle:
            time.sleep(GATHER_SECONDS)
        while True:
            try:
                found.append(self._come.get_nowait())
            except queue.Empty:
                return [job for job in found if job is not None]

    def _begin(self, job: Job) -> None:
        def done(trace: Trace) -> None:
            self._begun.discard(job)
            job.end(trace)

        self._begun.add(job)
        try:
            job.ticket = self._thinker.begin(job.inquiry, job.model, job.hear, done)
        except Exception as error:  # who asked is told, the others are served
            self._begun.discard(job)
            job.fail(reason(error))

    def _drop(self, job: Job) -> None:
        self._begun.discard(job)
        if job.ticket is not None:
            self._thinker.call_off(job.ticket)
