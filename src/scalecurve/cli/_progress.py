"""Progress over models × tasks on standard error: a live bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scalecurve.cli._plain import console, plain
from scalecurve.cli._print import duration

if TYPE_CHECKING:
    from scalecurve.runner.execute import Watcher

LINE_SECONDS = 10.0


@contextmanager
def progress(quiet: bool = False) -> Iterator[Watcher]:
    """A watcher fit for where standard error goes."""
    if quiet:
        from scalecurve.runner.model_run import Silent

        yield Silent()
    elif sys.stderr.isatty():
        bars = _Bars()
        with bars.progress:
            yield bars
    else:
        yield _Lines()


class _Counts:
    """Which rung of how many, and how much work is left; shared by both watchers."""

    def __init__(self) -> None:
        self.rungs = self.tasks = self.rung_at = 0
        self.now_asked = ""

    def begin(self, work: float, rungs: int, tasks: int) -> None:
        self.rungs, self.tasks = rungs, tasks

    def rung(self, name: str) -> None:
        self.rung_at += 1

    def task(self, rung: str, ref: str, questions: int) -> None:
        self.now_asked = f"{rung} × {ref}"


class _Bars(_Counts):
    """One bar for the whole study with the time left, one for the requests the model is answering."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        super().__init__()
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console(sys.stderr),
            transient=True,
        )
        self.whole = self.progress.add_task("loading", total=None)
        self.now = self.progress.add_task("", total=None, visible=False)
        self.left = 0.0

    def begin(self, work: float, rungs: int, tasks: int) -> None:
        super().begin(work, rungs, tasks)
        self.left = work
        self.progress.update(self.whole, total=work, description=f"{rungs} models × {tasks} tasks")

    def rung(self, name: str) -> None:
        super().rung(name)
        self.progress.update(self.now, description=f"{plain(name)}: loading", total=None, visible=True)

    def task(self, rung: str, ref: str, questions: int) -> None:
        super().task(rung, ref, questions)
        self.progress.update(self.now, description=plain(self.now_asked), total=None, visible=True)

    def requests(self, done: int, total: int) -> None:
        self.progress.update(self.now, completed=done, total=total)

    def advance(self, work: float, computed: bool) -> None:
        if computed:
            self.progress.advance(self.whole, work)
        else:  # found on disk: less to do, not something done fast
            self.left -= work
            self.progress.update(self.whole, total=self.left)

    def note(self, text: str) -> None:
        self.progress.update(self.now, visible=False)
        self.progress.console.print(plain(text), markup=False, highlight=False)


class _Lines(_Counts):
    """A line when a model starts, and every ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.work = self.done = 0.0
        self.started = self.said = time.monotonic()

    def begin(self, work: float, rungs: int, tasks: int) -> None:
        super().begin(work, rungs, tasks)
        self.work, self.started = work, time.monotonic()
        self.note(f"{rungs} models × {tasks} tasks; the first are loading")

    def rung(self, name: str) -> None:
        super().rung(name)
        self.note(f"model {self.rung_at}/{self.rungs}: {name}{self._left()}")

    def task(self, rung: str, ref: str, questions: int) -> None:
        super().task(rung, ref, questions)
        if time.monotonic() - self.said > LINE_SECONDS:
            self.note(f"  {self.now_asked}{self._left()}")

    def requests(self, done: int, total: int) -> None:
        if time.monotonic() - self.said > LINE_SECONDS:
            self.note(f"  {self.now_asked}: {done}/{total} requests{self._left()}")

    def advance(self, work: float, computed: bool) -> None:
        if computed:
            self.done += work
        else:
            self.work -= work

    def note(self, text: str) -> None:
        self.said = time.monotonic()
        print(text, file=sys.stderr, flush=True)

    def _left(self) -> str:
        if not self.done:
            return ""
        seconds = (time.monotonic() - self.started) * (self.work / self.done - 1)
        return f" · {self.done / self.work:.0%}, about {duration(seconds)} left"
