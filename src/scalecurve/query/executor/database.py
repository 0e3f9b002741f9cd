"""The database of a session, held in a process of its own that is ended when it passes a limit (``confined``)."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.query.executor.attached import first_line
from scalecurve.query.executor.confined import ipc, memory_of, read_ipc
from scalecurve.query.executor.tables import run_sources, sources_of

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.store import RunDirectory

GRACE_SECONDS = 1.0  # for DuckDB to stop by itself
LOOK_SECONDS = 0.02
CLEANING_SECONDS = 10.0
ENDS = ("OutOfMemoryException", "InterruptException")  # the process still holds what the statement took, and goes
LEAST_PROCESS = 500 * 10**6  # bytes: the libraries take a quarter of it, and a page of a run's table the rest
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_KEPT = re.compile(r"PATH|TZ|TZDIR|TMPDIR|LANG|LC_\w+|LD_LIBRARY_PATH|PYTHON\w+|COVERAGE\w*")


class LimitError(UserError):
    """A statement took longer, or more memory, than it was allowed."""


class Database:
    """What DuckDB's connection is to a query. ``memory``: of the process, as ``500MB``.

    ``attach``: name → path (see ``attached``), or a frame. Files are read now, as nothing outside
    can be reached later. A process that was ended is started anew for the next statement, and reads them again.
    """

    def __init__(
        self,
        attach: Mapping[str, object],
        runs: Sequence[RunDirectory],
        abilities: pl.DataFrame,
        *,
        memory: str = "2GB",
        threads: int = 2,
    ) -> None:
        self._attach = dict(attach)
        self._runs, self._abilities, self._threads = runs, abilities, threads
        self._memory = memory_bytes(memory)
        self._most = max(self._memory, LEAST_PROCESS)
        self._pipe: Connection | None = None
        self._process = 0
        self._left: float = 10**6
        sources_of(self._attach)  # a wrong name is refused before anything is started
        self._open()

    def _open(self) -> None:
        import duckdb

        sources = sources_of(self._attach)
        runs = run_sources(self._runs)
        if self._runs or len(self._abilities):
            sources["abilities"] = ipc_of(self._abilities)
        self._pipe, self._process = _zygote.fork()
        self._left = 10**6
        try:
            self._ask("open", sources, runs, self._memory, self._most, self._threads)
        except duckdb.Error as error:
            self.close()
            said = str(error).removeprefix("UserError: ")
            raise UserError(
                said if said.startswith("--attach ") else f"query: the database cannot be opened: {first_line(error)}"
            ) from None
        except BaseException:
            self.close()
            raise

    def allow(self, seconds: float) -> None:
        """Begin a statement: all its SQL together may take ``seconds``."""
        if self._pipe is None:
            self._open()
        self._left = seconds

    # ── Orders ──────────────────────────────────────────────────────────────────────────────────────────────
    def rows(self, sql: str, used: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a statement. Errors are DuckDB's, and ``LimitError`` where the process had to be ended."""
        return [tuple(row) for row in json.loads(self._ask("rows", sql, used or {}, self._left)[0])]

    def execute(self, sql: str, used: Mapping[str, object] | None = None) -> Rows:
        """The rows of a statement, as DuckDB's own connection gives them."""
        return Rows(self.rows(sql, used))

    def table(self, sql: str, used: Mapping[str, object], most_rows: int, most_bytes: int) -> Any:
        """The result of a statement as an Arrow table; ``UserError`` where it is larger than allowed."""
        import pyarrow as pa

        most_bytes = min(most_bytes, self._memory // 2)
        end, *streams = self._ask("table", sql, used, self._left, most_rows, most_bytes)
        if end == b"R":
            raise UserError(f"query: more than {most_rows} rows; add a LIMIT")
        if end == b"B":
            raise UserError(f"query: more than {most_bytes} bytes of result; select less, or LIMIT it")
        return pa.concat_tables([read_ipc(stream) for stream in streams])

    def register(self, name: str, table: Any) -> None:
        """Make an Arrow table known under ``name``."""
        self._ask("register", name, ipc(table.schema, table.to_batches()))

    def unregister(self, name: str) -> None:
        """Forget it."""
        self._ask("unregister", name)

    def define(self, name: str, kind: str, arity: int) -> None:
        """The functions of a call (``lookups``)."""
        self._ask("define", name, kind, arity)

    def tell(self, name: str, cells: Mapping[tuple[str, ...], tuple[object, ...]]) -> None:
        """Answers of a call."""
        if cells:
            self._ask("tell", name, dict(cells))

    def forget(self, tables: Sequence[str]) -> None:
        """Take back the functions and these temporary tables. Where that fails, the process goes with them, so that
        no error of cleaning up takes the place of the one that ended the query.
        """
        import duckdb

        if self._pipe is None:
            return
        self._left = CLEANING_SECONDS
        try:
            self._ask("forget", list(tables))
        except (duckdb.Error, UserError):
            self.close()

    def close(self) -> None:
        """End the process."""
        if self._pipe is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)
            self._pipe.close()
            self._pipe = None

    # ── The pipe ────────────────────────────────────────────────────────────────────────────────────────────
    def _ask(self, *order: Any) -> list[bytes]:
        """The end of the reply to an order, and the streams before it. Time is taken off what is left."""
        if self._pipe is None:
            raise LimitError("query: the database is closed; connect again")
        began = time.monotonic()
        try:
            try:
                data = pickle.dumps(order)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                raise UserError(f"query: a parameter cannot be handed to SQL: {error}") from None
            with suppress(BrokenPipeError):  # it ended meanwhile, which the reply says
                self._pipe.send_bytes(data)
            streams = []
            while (reply := self._reply(began))[:1] == b"T":
                streams.append(reply[1:])
        except BaseException:
            self.close()  # whatever it was at, it must not go on
            raise
        finally:
            self._left -= time.monotonic() - began
        if reply[:1] == b"E":
            import duckdb

            name, said = json.loads(reply[1:])
            if name in ENDS:
                self.close()
            raise getattr(duckdb, name, duckdb.Error)(said)
        return [reply[1:] if reply[:1] == b"J" else reply, *streams]

    def _reply(self, began: float) -> bytes:
        """The next message, unless the process passes its limits first."""
        assert self._pipe is not None
        while not self._pipe.poll(LOOK_SECONDS):
            if memory_of(self._process) > self._most:
                raise out_of_memory()
            if time.monotonic() - began > self._left + GRACE_SECONDS:
                raise too_long()
        try:
            return self._pipe.recv_bytes()
        except (EOFError, OSError):  # the system ended it
            raise (too_long() if time.monotonic() - began > self._left else out_of_memory()) from None


class Rows:
    """Rows that are there already."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All of them."""
        return self._rows


def too_long() -> LimitError:
    """The error of a statement that took too long."""
    return LimitError("query: a statement took longer than allowed; narrow it, or allow more with --timeout")


def out_of_memory() -> LimitError:
    """The error of a statement that wanted too much memory."""
    return LimitError("query: out of memory; narrow the query, or allow more with --memory")


def memory_bytes(text: str) -> int:
    """Bytes of a size such as 500MB, 1.5 GB or 2GiB."""
    found = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([a-z]{0,3})\s*", text, re.I)
    unit = _UNITS.get(found[2].upper()) if found else None
    if found is None or unit is None or float(found[1]) * unit < 10**6:
        raise UserError(f"query: memory {text[:40]!r} is no size; give one of 1MB or more, such as 500MB or 2GB")
    return int(float(found[1]) * unit)


def ipc_of(frame: Any) -> bytes:
    """A Polars frame, a pandas one or an Arrow table as a stream."""
    import pyarrow as pa

    table = frame.to_arrow() if hasattr(frame, "to_arrow") else pa.table(frame)
    return ipc(table.schema, table.to_batches())


class _Zygote:
    """The process that forks those of sessions; started when first needed, and ends with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._owner = 0

    def fork(self) -> tuple[Connection, int]:
        """A pipe to a new process, and its number."""
        with self._lock:
            for _ in range(2):  # one that was ended is started again
                if self._socket is None or self._owner != os.getpid():
                    self._start()
                assert self._socket is not None
                ours, theirs = socket.socketpair()
                try:
                    socket.send_fds(self._socket, [b"+"], [theirs.fileno()])
                    process = int.from_bytes(self._socket.recv(8), "little")
                except OSError:
                    process = 0
                theirs.close()
                if process:
                    return Connection(ours.detach()), process
                ours.close()
                self._socket = None
        raise UserError("query: the process for SQL cannot be started; see that Python can start processes here")

    def _start(self) -> None:
        import scalecurve

        source = str(Path(scalecurve.__file__).resolve().parent.parent)
        environment = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (source, environment.get("PYTHONPATH"))))
        ours, theirs = socket.socketpair()
        with theirs:
            subprocess.Popen(
                [sys.executable, "-m", "scalecurve.query.executor.confined", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the parent, which ends it
            )
        self._socket, self._owner = ours, os.getpid()


_zygote = _Zygote()
