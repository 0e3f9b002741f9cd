"""The one guard before whatever strangers wrote is parsed: the kind and size of a file, depth and size of a value, and
a process of its own, with limits of time and memory, for readers that may burn either.

Files: ``regular``. Values: ``check_size``. Readers: ``confined``, which runs ``python -m scalecurve.util.guarded``.
"""

from __future__ import annotations

import atexit
import io
import os
import pickle
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError

LARGEST_FILE = 1 << 30
DEEPEST = 200
MOST_VALUES = 2_000_000
_KEPT = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SYSTEMROOT")


def regular(path: Path, most: int = LARGEST_FILE) -> Path:
    """``path`` itself. ``UserError`` when it is a device or a pipe, or holds more than ``most`` bytes.

    What is not there, or a folder, is left to the reader, who knows what it was meant to be.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return path
    if stat.S_ISDIR(found.st_mode):
        return path
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path}: cannot be read (it is a device or a pipe); give a file")
    if found.st_size > most:
        raise UserError(f"{path}: cannot be read (it is larger than {most >> 20} MB); give a smaller file")
    return path


def check_size(value: object) -> None:
    """``ValueError`` when lists and tables nest too deeply, or come to too many once every alias is written out."""
    count, layer = 0, [value]
    for _ in range(DEEPEST):
        inner: list[object] = []
        for one in layer:
            if isinstance(one, dict | list):
                count += len(one) + 1
                if count > MOST_VALUES:
                    raise ValueError(f"holds more than {MOST_VALUES:,} values once its aliases are written out")
                inner += (each for each in (one.values() if isinstance(one, dict) else one))
        if not inner:
            return
        layer = inner
    raise ValueError("nested too deeply")


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """Most wall seconds and bytes of memory of one call."""

    seconds: float = 60.0
    memory: int = 2 << 30


LIMITS = ReadingLimits()


def confined(what: str, function: str, *arguments: Any) -> Any:
    """The result of ``function`` (``module:name``) called in a process of its own that holds no key and writes nothing.

    Results are made of plain values and of the dataclasses of ``scalecurve.types``. ``UserError`` as the function
    raises it, or, naming ``what`` was read, when one of ``LIMITS`` is met.
    """
    limits = LIMITS
    with _lock:
        reader = _reader(limits)
        try:
            reader.pipe.send_bytes(pickle.dumps((function, arguments, os.getcwd(), limits.seconds)))
            if not reader.pipe.poll(limits.seconds):
                raise UserError(f"{what}: takes longer than {limits.seconds:g} s to read; make it simpler or smaller")
            kind, value = _Plain(io.BytesIO(reader.pipe.recv_bytes())).load()
        except (EOFError, OSError):
            _end()
            raise UserError(f"{what}: its reader ended; it needs too much memory, make it simpler or smaller") from None
        except BaseException:
            _end()
            raise
    if kind == "user":
        raise UserError(value)
    if kind == "memory":
        _end()
        raise UserError(f"{what}: needs more than {limits.memory >> 20} MB to read; make it simpler or smaller")
    if kind == "error":
        raise RuntimeError(f"{what}: {value}")
    return value


@dataclass(frozen=True, slots=True)
class _Reader:
    process: subprocess.Popen[bytes]
    pipe: Connection
    limits: ReadingLimits
    parent: int


_lock = threading.RLock()
_readers: list[_Reader] = []


def _reader(limits: ReadingLimits) -> _Reader:
    """The process that reads, begun when it is first needed, and anew after a fork or with other limits."""
    if _readers and (_readers[0].limits != limits or _readers[0].parent != os.getpid()):
        _end()
    if not _readers:
        ours, theirs = Pipe()
        command: Sequence[str] = [sys.executable, "-m", "scalecurve.util.guarded", str(theirs.fileno())]
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        process = subprocess.Popen(
            [*command, str(limits.memory)],
            env=environment | {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        _readers.append(_Reader(process, ours, limits, os.getpid()))
    return _readers[0]


def _end() -> None:
    while _readers:
        reader = _readers.pop()
        reader.pipe.close()
        if reader.parent == os.getpid():
            reader.process.kill()
            reader.process.wait()


atexit.register(_end)


class _Plain(pickle.Unpickler):
    """Reads what the process sends back: plain values and our own types, nothing that could run."""

    def find_class(self, module: str, name: str) -> Any:
        if module != "scalecurve.types" or "." in name:
            raise pickle.UnpicklingError(f"{module}.{name} is not expected")
        return super().find_class(module, name)
