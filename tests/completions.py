"""A completions server of its own making: counts what it is asked, waits, and errs where a test wants it to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from scalecurve.models.mock import fraction

Reply = tuple[int, bytes]


class CompletionsServer:
    """``asked`` counts (model, prompt); each answer takes ``seconds``.

    ``fault``: from a request and how often its prompt came, what to send in place of an answer; None: the answer.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.fault: Callable[[dict[str, Any], int], Reply | None] = lambda body, times: None
        self.asked: Counter[tuple[str, str]] = Counter()
        self.closing = threading.Event()
        lock, outer = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.asked[body["model"], body["prompt"]] += 1
                    times = outer.asked[body["model"], body["prompt"]]
                time.sleep(seconds)
                status, data = outer.fault(body, times) or (200, json.dumps(answer(body)).encode())
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Retry-After-Ms", "1")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:  # who asked has hung up
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """Tokens are single characters; each one's log-probability is a hash of what comes before it."""
    shown = [*(body["prompt"] if body.get("echo") else ""), "7", "\n"]
    values: list[float | None] = [-5 * fraction("".join(shown[:n])) for n in range(len(shown))]
    if body.get("echo"):
        values[0] = None
    told = {
        "tokens": shown,
        "token_logprobs": values,
        "text_offset": list(range(len(shown))),
        "top_logprobs": [{"x": -0.01} for _ in shown],
    }
    choice = {"index": 0, "text": "".join(shown), "logprobs": told, "finish_reason": "stop"}
    usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": 2, "total_tokens": len(shown)}
    base = {"id": "x", "created": 0, "object": "text_completion", "model": body["model"]}
    return base | {"usage": usage, "choices": [choice]}
