"""Starts the harness's process, gives it its orders, and takes what it says."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import scalecurve
from scalecurve.errors import UserError

_KEPT = ("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "NLTK_DATA")


@dataclass(frozen=True, slots=True)
class HarnessLimits:
    """Wall seconds and bytes of memory of one build or grading."""

    seconds: int = 3600
    memory: int = 16 << 30


LIMITS = HarnessLimits()


def installed() -> bool:
    """Whether lm-evaluation-harness is there."""
    return find_spec("lm_eval") is not None


def told(what: str, orders: Mapping[str, object]) -> Any:
    """What the harness makes of ``orders``, in a process without network or keys and with limits of time and memory.

    ``UserError`` names ``what`` and why nothing came of it: code that fails, data that is not on this machine, a
    package that is missing.
    """
    if not installed():
        raise UserError(f"{what}: needs lm-evaluation-harness to build it; pip install lm_eval==0.4.13")
    with _lock, tempfile.TemporaryDirectory(prefix="scalecurve-") as folder:
        limits = {"memory": LIMITS.memory, "cpu_seconds": LIMITS.seconds, "folder": folder}
        server = _server()
        late = threading.Event()
        timer = threading.Timer(LIMITS.seconds, _stop, (late, server))
        timer.start()
        try:
            reply = json.loads(_exchange(server, json.dumps({**orders, **limits}).encode() + b"\n"))
        except (OSError, ValueError):
            _servers.clear()
            _end(server)
            why = (
                f"takes longer than {LIMITS.seconds} s; ask a smaller task" if late.is_set() else "ended without a word"
            )
            raise UserError(f"{what}: lm-evaluation-harness {why}") from None
        except BaseException:
            _servers.clear()
            _end(server)
            raise
        finally:
            timer.cancel()
    if "error" in reply:
        raise UserError(f"{what}: lm-evaluation-harness: {_advised(str(reply['error']), reply)}")
    return reply["value"]


_lock = threading.RLock()
_servers: list[tuple[subprocess.Popen[bytes], dict[str, str], int]] = []


def _server() -> subprocess.Popen[bytes]:
    """The process that has the harness loaded, begun when it is first needed, and anew after a fork."""
    environment = _environment()
    if _servers and (_servers[0][1:] != (environment, os.getpid()) or _servers[0][0].poll() is not None):
        _end_all()
    if not _servers:
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "scalecurve.tasks.harness.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
            env=environment,
            start_new_session=True,
        )
        _servers.append((server, environment, os.getpid()))
    return _servers[0][0]


def _exchange(server: subprocess.Popen[bytes], line: bytes) -> bytes:
    if server.stdin is None or server.stdout is None:
        raise OSError("the process has no pipes")
    server.stdin.write(line)
    server.stdin.flush()
    return server.stdout.readline()


def _stop(late: threading.Event, server: subprocess.Popen[bytes]) -> None:
    late.set()
    _end(server)


def _end_all() -> None:
    while _servers:
        server, _, parent = _servers.pop()
        if parent == os.getpid():
            _end(server)


atexit.register(_end_all)


def _environment() -> dict[str, str]:
    """No key, no network for its libraries; the user's cache of data sets is read, and found where it lies."""
    home = Path("~/.cache/huggingface").expanduser()
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {
        "PATH": os.defpath,
        "HOME": tempfile.gettempdir(),
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_EVALUATE_OFFLINE": "1",
        "HF_ALLOW_CODE_EVAL": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": str(Path(scalecurve.__file__).resolve().parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
        "NLTK_DATA": str(Path("~/nltk_data").expanduser()),
        **kept,
    }


def _advised(error: str, reply: Mapping[str, object]) -> str:
    if reply.get("missing"):
        return f"{error}; pip install {str(reply['missing']).partition('.')[0]}"
    if any(word in error for word in ("OfflineMode", "ConnectionError", "DatasetNotFound", "offline")):
        return f"{error}; fetch its data first (datasets.load_dataset), or name local files in a YAML file"
    return error


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the process and all it started; its session is its own."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            with suppress(OSError):
                pipe.close()
