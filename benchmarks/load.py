"""``view`` and ``serve`` under 200 clients at once: replies by status, seconds, and the server's peak memory.

    python benchmarks/load.py [--clients N] [--requests N] [--run RUN]

The servers are processes of their own. ``view`` shows RUN, or a synthetic one of 200 curves; each client opens the
page, the examples of a task and the version. ``serve`` answers with the laboratory's smallest model, asked plainly and
as a thinker. Nothing but 200, and 429 with Retry-After, may come back.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "report"))

from storm import Asking, peak_megabytes, storm, summary

COMMAND = [sys.executable, "-c", "from scalecurve.cli import main; main()"]


def under_load(name: str, arguments: Sequence[str], clients: int, asks: Callable[[str, int], list[Asking]]) -> bool:
    """Start a server, storm it, print what came of it. Whether every reply was 200."""
    environment = os.environ | {"SCALECURVE_API_KEY": "", "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[0].rstrip("/")
        storm(1, lambda _: asks(address, 0))  # the model is loaded, the page made
        before, began = peak_megabytes(server.pid), time.monotonic()
        replies = storm(clients, lambda number: asks(address, number))
        seconds, peak = time.monotonic() - began, peak_megabytes(server.pid)
        replies += storm(clients, lambda number: asks(address, number))
        again = peak_megabytes(server.pid)
    finally:
        server.terminate()
        server.wait()
    print(f"{name}, {clients} clients: {summary(replies)}")
    rate = len(replies) / 2 / seconds
    print(f"   {rate:.0f} replies/s; at most {before:.0f} MB before, {peak:.0f} MB then, ", end="")
    print(f"{again:.0f} MB after as many again", flush=True)
    wrong = [reply for reply in replies if reply.status != 200]
    for reply in wrong[:3]:
        print(f"   {reply.status}: {reply.text[:200]}")
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=5)
    parser.add_argument("--run", type=Path)
    told = parser.parse_args()

    def look(address: str, number: int) -> list[Asking]:
        paths = ("", f"examples/{number % 20}", "version")
        return [(f"{address}/{paths[at % 3]}", None) for at in range(told.requests)]

    def ask(address: str, number: int) -> list[Asking]:
        def data(at: int) -> dict[str, object]:
            message = {"role": "user", "content": f"What is {number}+{at}?"}
            return {"model": "lab-36k", "messages": [message], "max_tokens": 16}

        return [(f"{address}/chat/completions", data(at)) for at in range(told.requests)]

    with tempfile.TemporaryDirectory() as folder:
        run = told.run
        if run is None:
            from synthetic import make_large_run

            run = make_large_run(Path(folder) / "run", 200, examples=20)
        model = ["--model", "lab:lab-36k", "--port", "0"]
        good = [
            under_load("view", ["view", str(run), "--no-open"], told.clients, look),
            under_load("serve --plain", ["serve", *model, "--plain"], told.clients, ask),
            under_load("serve --below 0.9", ["serve", *model, "--below", "0.9"], told.clients, ask),
        ]
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
