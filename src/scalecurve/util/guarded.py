"""The process behind ``guard.confined``: ``python -m scalecurve.util.guarded DESCRIPTOR MEMORY``."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
from multiprocessing.connection import Connection
from typing import Any

from scalecurve.errors import UserError


def main() -> None:
    """Call what the parent asks for, one call after another, until it closes the pipe."""
    pipe, memory = Connection(int(sys.argv[1])), int(sys.argv[2])
    _limit(memory)
    while True:
        try:
            function, arguments, folder, seconds = pickle.loads(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        _limit_time(seconds)
        try:
            reply = pickle.dumps(_answer(function, arguments, folder))
        except MemoryError:
            reply = pickle.dumps(("memory", ""))
        pipe.send_bytes(reply)


def _answer(function: str, arguments: tuple[object, ...], folder: str) -> tuple[str, Any]:
    """(kind, value): "ok" and the result, or how the call ended."""
    module, _, name = function.partition(":")
    try:
        os.chdir(folder)
        return "ok", getattr(importlib.import_module(module), name)(*arguments)
    except UserError as error:
        return "user", str(error)
    except RecursionError:
        return "user", f"{arguments[0] if arguments else function}: nested too deeply to be read"
    except MemoryError:
        return "memory", ""
    except Exception as error:  # raised again in the process that asked
        return "error", f"{type(error).__name__}: {error}"


def _limit_time(seconds: float) -> None:
    """The system ends this process when it works for longer, also when nobody is left to do so."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _limit(memory: int) -> None:
    """No file is written, no core, and no more memory than that; Linux counts what a process may write to."""
    import resource

    for name, most in (("RLIMIT_DATA", memory), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0)):
        resource.setrlimit(getattr(resource, name), (most, most))


if __name__ == "__main__":
    main()
