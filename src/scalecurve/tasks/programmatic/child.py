"""The process in which one programmatic task runs: ``python -m scalecurve.tasks.programmatic.child``.

It reads one JSON line with its orders, shuts itself in, imports the task, and evaluates it. Requests to the model and
the final scores go to the parent as JSON lines on the standard output it was started with; whatever the task prints
goes to standard error.
"""

from __future__ import annotations

import ctypes
import importlib
import inspect
import json
import math
import os
import random
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from scalecurve.tasks.programmatic.surface import BigbenchTask, RemoteModel, ScoreData, install_surface

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_BLOCKED = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "urllib.Request", "os.system")


def main() -> None:
    """Take the orders, evaluate, report; every failure becomes one line for the parent."""
    replies = os.fdopen(os.dup(0), "r", encoding="utf-8")
    requests = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - lives as long as the process
    orders = json.loads(replies.readline())
    try:
        isolation = shut_in(orders["memory"], orders["cpu_seconds"])
        install_surface(Path(orders["tasks"]))
        model = RemoteModel(lambda request: _ask(requests, replies, request), orders["model"])
        scores = evaluate(orders["name"], model, orders["max_examples"], orders["seed"])
        sys.stdout.flush()  # the parent ends this process as soon as it has the scores
        _send(requests, {"op": "done", "isolation": isolation, "scores": scores})
    except BaseException as error:  # a task's code may end in any way; the parent is told before this process ends
        _send(requests, {"op": "failed", "reason": f"{type(error).__name__}: {error}".strip()[:500]})
        raise


def shut_in(memory: int, cpu_seconds: int, file_size: int = 2**26) -> str:
    """Limit memory, processor time and file size, and cut the network off. Says how the network was cut off."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    unshared = _unshare_network()
    sys.addaudithook(_refuse_network)
    return "own network namespace" if unshared else "audit hook"


def _unshare_network() -> bool:
    """Move to a network namespace without interfaces, where the system allows it."""
    try:
        return bool(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)
    except (OSError, AttributeError):
        return False


def _refuse_network(event: str, args: tuple[Any, ...]) -> None:
    if event in _BLOCKED and not _is_local_socket(event, args):
        raise PermissionError(f"programmatic tasks have no network ({event})")


def _is_local_socket(event: str, args: tuple[Any, ...]) -> bool:
    """multiprocessing talks over Unix sockets, whose address is a path."""
    return event in ("socket.connect", "socket.bind") and len(args) > 1 and isinstance(args[1], str | bytes)


def evaluate(name: str, model: RemoteModel, max_examples: int | None, seed: int) -> list[dict[str, object]]:
    """The task's scores. Its module must hold one class that extends Task and can be made without arguments."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)
    module = importlib.import_module(f"bigbench.benchmark_tasks.{name}.task")
    task = _the_task(module)
    accepts = inspect.signature(task.evaluate_model).parameters
    options = {"max_examples": max_examples, "random_seed": seed}
    known = {key: value for key, value in options.items() if key in accepts and value is not None}
    result = task.evaluate_model(model, **known)
    return [_plain(score) for score in (result if isinstance(result, list) else [result])]


def _the_task(module: Any) -> BigbenchTask:
    found = list(_tasks(module))
    if len(found) != 1:
        raise TypeError(f"the module has {len(found)} tasks that can be made without arguments; it must have one")
    return found[0]


def _tasks(module: Any) -> Iterator[BigbenchTask]:
    for kind in list(vars(module).values()):  # making a task may add names to its module
        if inspect.isclass(kind) and issubclass(kind, BigbenchTask) and not inspect.isabstract(kind):
            try:
                yield kind()
            except TypeError as error:
                print(f"{kind.__name__}: {error}", file=sys.stderr)


def _plain(score: ScoreData) -> dict[str, object]:
    values = {str(key): _number(value) for key, value in score.score_dict.items()}
    return {
        "name": str(score.subtask_description),
        "shots": int(score.number_of_shots),
        "scores": {key: value for key, value in values.items() if value is not None},
        "preferred": str(score.preferred_score),
        "low": float(score.low_score),
        "high": float(score.high_score),
    }


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _ask(requests: TextIO, replies: TextIO, request: dict[str, Any]) -> Any:
    _send(requests, request)
    line = replies.readline()
    if not line:
        raise EOFError("the parent process has gone")
    reply = json.loads(line)
    if "error" in reply:
        raise RuntimeError(f"the model failed: {reply['error']}")
    return reply["value"]


def _send(requests: TextIO, message: dict[str, Any]) -> None:
    requests.write(json.dumps(message) + "\n")
    requests.flush()


if __name__ == "__main__":
    main()
