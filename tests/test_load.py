"""View and serve under many clients at once: real server processes, and nothing but what is documented comes back."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from storm import Asking, Reply, peak_megabytes, storm

from scalecurve.pipeline import run_study
from scalecurve.study.study import parse_study

pytestmark = pytest.mark.slow
SCALECURVE = Path(sys.executable).with_name("scalecurve")
CLIENTS, SILENT = 150, 30
KEY = "correct horse"


@contextmanager
def server(*arguments: object) -> Iterator[tuple[str, int]]:
    """A server process: its address and number."""
    environment = {**os.environ, "SCALECURVE_API_KEY": KEY, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([SCALECURVE, *map(str, arguments)], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0].rstrip("/"), process.pid
        assert process.poll() is None, "the server lives"
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def silent_clients(address: str) -> Iterator[None]:
    """Connections on which half a request was sent, and no more comes."""
    host, port = re.findall(r"//([\d.]+):(\d+)", address)[0]
    with ExitStack() as stack:
        for _ in range(SILENT):
            connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=20))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        yield


def faults(replies: list[Reply]) -> list[str]:
    return [f"{reply.status}: {reply.text[:100]}" for reply in replies if reply.status != 200]


def test_view_shows_many_browsers_the_same(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert")
    models = [
        {"name": f"m{size}", "backend": "mock", "location": f"m/{size}", "params_non_embedding": size}
        for size in (10, 100)
    ]
    study = {"name": "load", "models": models, "tasks": ["lab:addition:1_digit", "lab:remap"], "limit": 20}
    run, _ = run_study(parse_study(study), tmp_path / "run")
    with server("view", run.path, "--no-open") as (address, process):

        def look(number: int) -> list[Asking]:
            return [(f"{address}{path}", None) for path in ("/", f"/examples/{number % 2}", "/version")]

        first = storm(1, look)
        before = peak_megabytes(process)
        with silent_clients(address):
            replies = storm(CLIENTS, look)
        assert faults(replies) == []
        assert len(replies) == 3 * CLIENTS
        assert len({reply.text for reply in replies}) == 4, "one page, two tasks, one version"
        assert {reply.text for reply in first} <= {reply.text for reply in replies}
        assert peak_megabytes(process) - before < 200


def test_serve_answers_everyone_or_says_when_to_come_back() -> None:
    pytest.importorskip("uvicorn")
    with server("serve", "--model", "mock", "--plain", "--port", 0, "--concurrent", 16) as (address, process):

        def ask(number: int) -> list[Asking]:
            message = {"role": "user", "content": f"What is {number}+1?"}
            data: dict[str, Any] = {"model": "mock", "messages": [message], "options": ["yes", "no"]}
            return [(f"{address}/chat/completions", data)] * 2

        alone = storm(1, ask, Authorization=f"Bearer {KEY}")
        before = peak_megabytes(process)
        with silent_clients(address):
            replies = storm(CLIENTS, ask, Authorization=f"Bearer {KEY}")
        assert faults(replies) == []
        assert len(replies) == 2 * CLIENTS
        said = [json.loads(reply.text)["choices"][0]["message"]["content"] for reply in (*alone, *replies)]
        assert set(said) <= {"yes", "no"}
        assert said[:2] == said[2:4], "under load as alone"
        assert peak_megabytes(process) - before < 200
        assert storm(1, ask)[0].status == 401
