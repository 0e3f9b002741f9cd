"""Runs one programmatic task in a process of its own and answers its requests with a model of ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import scalecurve
from scalecurve.errors import UserError
from scalecurve.tasks.bigbench import require_installed, tasks_dir
from scalecurve.tasks.programmatic.surface import BigbenchModelData
from scalecurve.tasks.registry import suggest
from scalecurve.tasks.task_score import TaskScore
from scalecurve.types import Output, Request

Answering = Callable[[Sequence[Request]], Sequence[Output]]
_LINE = 2**28


@dataclass(frozen=True, slots=True)
class ProgramLimits:
    """Wall and processor seconds, memory in bytes, tokens a generation, and requests in all."""

    seconds: float = 600.0
    memory: int = 4 * 2**30
    max_tokens: int = 64
    requests: int = 1_000_000


@dataclass(frozen=True, slots=True)
class ProgramOutcome:
    """What became of one task: its scores, or the reason there are none."""

    task: str
    scores: tuple[TaskScore, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    requests: int = 0
    isolation: str = ""
    log: str = field(default="", repr=False)


def program_names() -> list[str]:
    """The programmatic tasks of the installed BIG-bench."""
    require_installed()
    return sorted(path.parent.name for path in tasks_dir().glob("*/task.py"))


def run_program(
    name: str,
    answer: Answering,
    *,
    allow_code: bool = False,
    max_examples: int | None = None,
    seed: int = 0,
    limits: ProgramLimits | None = None,
    model: Mapping[str, Any] | None = None,
) -> ProgramOutcome:
    """Evaluate the task ``name`` with ``answer``. Without ``allow_code`` nothing runs: tasks are other people's code.

    The process has no network, a memory and a time limit, an empty environment and a temporary working directory.
    """
    if not allow_code:
        raise UserError(f"task {name!r} is code of its authors; add --allow-code to run it (apart, without network)")
    names = program_names()
    if name not in names:
        raise UserError(f"BIG-bench has no programmatic task {name!r}{suggest(name, names)}")
    limits = limits or ProgramLimits()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="scalecurve-") as folder, tempfile.TemporaryFile() as log:
        child = _start(Path(folder), log)
        late = threading.Event()
        timer = threading.Timer(limits.seconds, _stop, (late, child))
        timer.start()
        try:
            orders = _orders(name, max_examples, seed, limits, model or {})
            final, requests = _converse(child, orders, answer, limits)
        finally:
            timer.cancel()
            _end(child)
            child.wait()
            _close(child)
        log.seek(0)
        said = log.read()[-20_000:].decode("utf-8", errors="replace")
    reason = f"stopped after {limits.seconds:.0f} s" if late.is_set() else final.get("reason", "")
    if not reason and final.get("op") != "done":
        reason = _died(child.returncode)
    try:
        scores = tuple(TaskScore(**score) for score in final.get("scores", ()))
    except TypeError:  # its own code wrote to our pipe
        scores, reason = (), reason or "reported scores that cannot be read"
    seconds = time.monotonic() - began
    return ProgramOutcome(name, () if reason else scores, reason, seconds, requests, final.get("isolation", ""), said)


def _start(folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    source = Path(scalecurve.__file__).resolve().parent.parent
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(source),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "scalecurve.tasks.programmatic.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


def _orders(
    name: str, max_examples: int | None, seed: int, limits: ProgramLimits, model: Mapping[str, Any]
) -> dict[str, Any]:
    data = asdict(BigbenchModelData("scalecurve", "model", 0, 0, 0, 0, 0, "")) | dict(model)
    return {
        "name": name,
        "tasks": str(tasks_dir()),
        "max_examples": max_examples,
        "seed": seed,
        "memory": limits.memory,
        "cpu_seconds": int(limits.seconds) + 5,
        "model": data,
    }


def _converse(
    child: subprocess.Popen[bytes], orders: dict[str, Any], answer: Answering, limits: ProgramLimits
) -> tuple[dict[str, Any], int]:
    """Answer the child's requests until it reports; its report, and how many prompts it asked."""
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child process has no pipes")
    asked, message = 0, orders
    while True:
        try:
            child.stdin.write(json.dumps(message).encode() + b"\n")
            child.stdin.flush()
            line = child.stdout.readline(_LINE)
            request = json.loads(line) if line.endswith(b"\n") else {}
            if not isinstance(request, dict) or request.get("op") not in ("generate", "score"):
                return request if isinstance(request, dict) else {}, asked
            requests = _requests(request, limits)
        except (BrokenPipeError, ValueError, KeyError, TypeError):  # gone, or its own code wrote to our pipe
            return {}, asked
        asked += len(requests)
        if asked > limits.requests:
            return {"op": "failed", "reason": f"asked more than {limits.requests} prompts"}, asked
        message = _reply(answer(requests), scored=request["op"] == "score")


def _requests(message: Mapping[str, Any], limits: ProgramLimits) -> list[Request]:
    """What the child asks. ``KeyError``, ``TypeError`` or ``ValueError`` where it is no message of ours."""
    if message["op"] == "generate":
        longest = message["max_length"]
        tokens = min(limits.max_tokens, longest) if longest > 0 else limits.max_tokens
        return [Request(text, max_tokens=tokens) for text in message["inputs"]]
    pairs = zip(message["inputs"], message["targets"], strict=True)
    return [Request(text, options=tuple(options)) for text, options in pairs]


def _reply(outputs: Sequence[Output], *, scored: bool) -> dict[str, object]:
    """The log-probabilities of each question's options, or the first text of each generation."""
    values = [list(one.logprobs) if scored else (one.texts[0] if one.texts else "") for one in outputs]
    error = next((output.error for output in outputs if output.error), "")
    return {"error": error} if error else {"value": values}


def _stop(late: threading.Event, child: subprocess.Popen[bytes]) -> None:
    late.set()
    _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and all it started; its session is its own."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _close(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe:
            with suppress(BrokenPipeError):  # what was not yet written to it is lost with it
                pipe.close()


def _died(code: int | None) -> str:
    if code is not None and code < 0:
        return f"ended by {signal.Signals(-code).name} (the memory or processor limit, most likely)"
    return f"ended with exit code {code} and no scores"
