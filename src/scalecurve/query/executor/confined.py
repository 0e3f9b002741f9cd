"""The processes in which DuckDB works: ``python -m scalecurve.query.executor.confined FD``.

Statements come from strangers, and DuckDB looks at an interrupt or at its memory limit only now and then. So it works
in a process of its own that holds no key, can write no file, has hard limits, and is ended from outside when it passes
one (``database``). Models are asked by the parent, never here.

The first process imports the libraries once and then forks one process for each session that asks for one over the
socket it was given. Messages from the parent are pickled; what goes back is JSON and Arrow only, as the statements of
strangers shape it.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from scalecurve.query.executor.lookups import Lookups
from scalecurve.query.executor.tables import open_database

BURST = 128 * 2**20  # bytes the process may ask for at once beyond its limit before it is ended from outside
SPARE_SECONDS = 5  # processor seconds beyond those allowed, in case nobody outside is left to end it
LEAST_FOR_SQL = 16 * 2**20
BATCH_ROWS = 10_000


def main() -> None:
    """Fork a process for every descriptor that arrives, until the parent is gone."""
    import duckdb  # noqa: F401 - each fork has it already
    import pyarrow.dataset  # noqa: F401 - the same

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forks are not waited for
    parent = socket.socket(fileno=int(sys.argv[1]))
    while True:
        _, descriptors, _, _ = socket.recv_fds(parent, 1, 1)
        if not descriptors:
            return
        process = os.fork()
        if process == 0:
            parent.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _serve(Connection(descriptors[0]))
            os._exit(0)
        os.close(descriptors[0])
        parent.sendall(process.to_bytes(8, "little"))


def _serve(pipe: Connection) -> None:
    """Do what the parent says until it closes the pipe."""
    threading.Thread(target=_end_when_alone, args=(os.getppid(),), daemon=True).start()
    worker: Worker | None = None
    while True:
        try:
            order, *arguments = pickle.loads(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        try:
            if worker is None:
                worker = Worker(pipe, *arguments)
                pipe.send_bytes(b"J[]")
            else:
                getattr(worker, order)(*arguments)
        except BaseException as error:  # told to the session, which decides; this process waits for the next order
            late = worker is not None and worker.late
            pipe.send_bytes(b"E" + json.dumps(_told(error, late=late)).encode())


def _end_when_alone(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _told(error: BaseException, *, late: bool) -> list[str]:
    """The name of DuckDB's class for an error, and what it says."""
    import duckdb

    if late:
        return ["InterruptException", "a statement took too long"]
    words = ("Out of Memory", "can't start new thread")  # an OSError by Arrow's streams; a thread's stack is memory too
    if isinstance(error, MemoryError) or any(word in str(error) for word in words):
        return ["OutOfMemoryException", str(error)]
    if isinstance(error, duckdb.Error):
        return [type(error).__name__, str(error)]
    return ["Error", f"{type(error).__name__}: {error}"]


class Worker:
    """One session's database. Its methods are the orders of the parent, and send the reply."""

    def __init__(self, pipe: Connection, sources: Any, runs: Any, memory: int, most: int, threads: int) -> None:
        self.pipe = pipe
        self.late = False
        self.threads = threads
        self.lookups = Lookups()
        base = memory_of(os.getpid())
        _limit_memory(most)
        sql = max(LEAST_FOR_SQL, min(memory, most - base))
        self.connection = open_database(sources, runs, memory=f"{sql // 1000}KB", threads=threads)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def rows(self, sql: str, used: Mapping[str, object], seconds: float) -> None:
        """All rows of a statement as JSON; values that JSON has not are told as text."""
        with _Timed(self, seconds):
            done = self.connection.execute(sql, dict(used)) if used else self.connection.execute(sql)
            found = done.fetchall()
        self.pipe.send_bytes(b"J" + json.dumps(found, default=str, skipkeys=True).encode())

    def table(self, sql: str, used: Mapping[str, object], seconds: float, most_rows: int, most_bytes: int) -> None:
        """The result as Arrow streams of one batch each, the first without rows; then "J", or "R" or "B" where it has
        more rows or bytes than allowed.
        """
        rows = size = 0
        with (
            _Timed(self, seconds),
            self.connection.sql(sql, params=dict(used) or None).to_arrow_reader(BATCH_ROWS) as reader,
        ):
            self.pipe.send_bytes(b"T" + ipc(reader.schema, []))
            for batch in reader:
                rows, size = rows + batch.num_rows, size + batch.nbytes
                if rows > most_rows or size > most_bytes:
                    break
                self.pipe.send_bytes(b"T" + ipc(reader.schema, [batch]))
        self.pipe.send_bytes(b"R" if rows > most_rows else b"B" if size > most_bytes else b"J[]")

    def register(self, name: str, table: bytes) -> None:
        """Make an Arrow table known under a name."""
        self.connection.register(name, read_ipc(table))
        self.pipe.send_bytes(b"J[]")

    def unregister(self, name: str) -> None:
        """Forget it."""
        self.connection.unregister(name)
        self.pipe.send_bytes(b"J[]")

    def define(self, name: str, kind: str, arity: int) -> None:
        """The functions by which statements look up the answers of a call."""
        self.lookups.define(self.connection, name, kind, arity)
        self.pipe.send_bytes(b"J[]")

    def tell(self, name: str, cells: Mapping[tuple[str, ...], tuple[object, ...]]) -> None:
        """Answers, from now on."""
        self.lookups.cells[name].update(cells)
        self.pipe.send_bytes(b"J[]")

    def forget(self, tables: list[str]) -> None:
        """Take back the functions and the temporary tables of a query."""
        self.lookups.clear(self.connection)
        for name in tables:
            self.connection.execute(f'DROP TABLE IF EXISTS "{name}"').fetchall()
        self.pipe.send_bytes(b"J[]")


class _Timed:
    """Within: DuckDB is asked to stop after ``seconds``, and the system ends the process well after."""

    def __init__(self, worker: Worker, seconds: float) -> None:
        self.worker, self.seconds = worker, seconds
        self.timer = threading.Timer(max(0.0, seconds), self._stop)

    def _stop(self) -> None:
        self.worker.late = True
        self.worker.connection.interrupt()

    def __enter__(self) -> None:
        self.worker.late = False
        used = resource.getrusage(resource.RUSAGE_SELF)
        allowed = used.ru_utime + used.ru_stime + (max(0.0, self.seconds) + 1) * self.worker.threads + SPARE_SECONDS
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(min(allowed, 2**31)), hard))
        self.timer.daemon = True
        self.timer.start()

    def __exit__(self, *error: object) -> None:
        self.timer.cancel()


def _limit_memory(most: int) -> None:
    """No allocation beyond ``most`` and a burst succeeds: Linux counts here what the process may write to."""
    held = _status("VmData:")
    if held is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (held + most + BURST, held + most + BURST))


def memory_of(process: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not say."""
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0


def _status(field: str) -> int | None:
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))
    except (OSError, StopIteration, ValueError):
        return None


def ipc(schema: Any, batches: Any) -> bytes:
    """Batches of Arrow as a stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def read_ipc(data: bytes) -> Any:
    """The table of a stream."""
    import pyarrow as pa

    return pa.ipc.open_stream(data).read_all()


if __name__ == "__main__":
    main()
