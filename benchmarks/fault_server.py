"""A server of completions that errs in every way it can, in turn, and that says the key it was shown."""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from completions import answer

KEY = "sk-attack-Zq81vKq0aYb7Rk3s"
ZEROS = b"0" * 400


def _well(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], bytes]:
    def reply(body: dict[str, Any]) -> bytes:
        whole = answer(body)
        change(whole)
        return json.dumps(whole).encode()

    return reply


def _one(body: dict[str, Any]) -> bytes:
    return json.dumps(answer(body)).encode()


def _error(message: str) -> bytes:
    return json.dumps({"error": {"message": message}}).encode()


def _log(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda whole: whole["choices"][0]["logprobs"].update({name: value})


Reply = tuple[int, dict[str, str], Callable[[dict[str, Any]], bytes]]
FAULTS: dict[str, Reply] = {
    "429": (429, {"Retry-After": "1e400"}, lambda body: b"{}"),
    "500": (500, {}, lambda body: b"<html>"),
    "redirect": (307, {"Location": "http://localhost:9/v1"}, lambda body: b""),
    "cut": (200, {}, lambda body: _one(body)[:80]),
    "no JSON": (200, {}, lambda body: b"welcome"),
    "deep": (200, {}, lambda body: b"[" * 300_000),
    "packed": (200, {"Content-Encoding": "gzip"}, lambda body: b"\x1f\x8b" + b"\0" * 100),
    "large": (200, {}, lambda body: b" " * 80_000_000),
    "no choices": (200, {}, _well(lambda whole: whole.update(choices=[]))),
    "many choices": (200, {}, _well(lambda whole: whole.update(choices=whole["choices"] * 200))),
    "above 0": (200, {}, _well(_log("token_logprobs", [5.0] * 99))),
    "true": (200, {}, _well(_log("token_logprobs", [True] * 99))),
    "huge": (200, {}, lambda body: _one(body).replace(b'"token_logprobs": [null', b'"token_logprobs": [-1' + ZEROS)),
    "usage": (200, {}, _well(lambda whole: whole.update(usage={"prompt_tokens": 10**30, "completion_tokens": -5}))),
    "the key": (200, {}, _well(lambda whole: whole["choices"][0].update(text=KEY))),
    "the key, in base64": (400, {"X-Key": KEY}, lambda body: _error(base64.b64encode(KEY.encode()).decode())),
    "the key, by halves": (400, {}, lambda body: _error(KEY[:14])),
}  # fmt: skip


@contextmanager
def fault_server() -> Iterator[str]:
    """The address of a server, in a process of its own, whose replies go through all faults in turn."""
    asked, lock, kinds = [0], threading.Lock(), list(FAULTS.values())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                asked[0] += 1
                status, headers, reply = kinds[asked[0] % len(kinds)]
            data = reply(body)
            with suppress(OSError):
                self.send_response(status)
                for name, value in ({"Content-Type": "application/json", "Retry-After-Ms": "1"} | headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    process = os.fork()
    if process == 0:
        server.serve_forever()
    server.server_close()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
