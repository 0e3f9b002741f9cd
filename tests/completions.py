"""A completions server of its own making: counts what it is asked, waits, and errs where a test wants it to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from local_server import Quiet, listen

from scalecurve.models.mock import fraction

Reply = tuple[int, bytes]


class CompletionsServer:
    """``asked`` counts (model, prompt), ``told`` keeps what was sent; each answer takes ``seconds``. Chats are answered
    by thinking models (``think``).

    ``fault``: from a request and how often its prompt came, what to send in place of an answer; None: the answer.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.fault: Callable[[dict[str, Any], int], Reply | None] = lambda body, times: None
        self.asked: Counter[tuple[str, str]] = Counter()
        self.told: list[dict[str, Any]] = []
        self.closing = threading.Event()
        lock, outer = threading.Lock(), self

        class Handler(Quiet):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.body())
                prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
                with lock:
                    outer.asked[body["model"], prompt] += 1
                    times = outer.asked[body["model"], prompt]
                    outer.told.append(body)
                time.sleep(seconds)
                reply = think(body) if "messages" in body else answer(body)
                status, data = outer.fault(body, times) or (200, json.dumps(reply).encode())
                try:
                    self.reply(status, data, Retry_After_Ms="1")
                except OSError:  # who asked has hung up
                    self.close_connection = True

        self.http, self.url = listen(Handler)

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


def think(body: dict[str, Any]) -> dict[str, Any]:
    """A thinking model's turn, in the form that ``body["model"]`` names, cut at ``max_tokens`` words.

    To "… + n" it thinks of 20 n words, among them a wrong answer, then says the sum. Forms: ``reasoning_content``
    (vLLM, SGLang, DeepSeek: its own field, counted in the usage), ``reasoning`` (OpenRouter, Ollama; not counted),
    ``tags`` (servers without a parser), ``inside`` (the template opened the tag), ``plain`` (no thinking at all).
    """
    one, other = map(int, body["messages"][-1]["content"].rsplit("Q:", 1)[1].split("?")[0].split("+"))
    form, limit = body["model"], body["max_tokens"]
    if (body.get("chat_template_kwargs") or {}).get("enable_thinking") is False:
        form = "plain"
    words = {"low": 2, "high": 40}.get(body.get("reasoning_effort", ""), 20)
    thoughts = (
        [] if form == "plain" else ("The answer is 99.\n\n" + "Hm. " * (words * other - 4)).split(" ")[: words * other]
    )
    said = f"The answer is {one + other}.".split(" ")
    kept, told = thoughts[:limit], said[: max(0, limit - len(thoughts))]
    over = len(kept) == len(thoughts)
    thought, text = " ".join(kept), " ".join(told)
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if form in ("reasoning_content", "reasoning"):
        message[form] = thought
    elif form == "tags":
        message["content"] = f"<think>\n{thought}" + (f"\n</think>\n\n{text}" if over else "")
    elif form == "inside":
        message["content"] = thought + (f"\n</think>\n\n{text}" if over else "")
    else:
        message["content"] = text
    spent = len(kept) + len(told)
    usage: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": spent, "total_tokens": 9 + spent}
    if form == "reasoning_content":
        usage["completion_tokens_details"] = {"reasoning_tokens": len(kept)}
    stopped = "length" if spent < len(thoughts) + len(said) else "stop"
    choice = {"index": 0, "message": message, "finish_reason": stopped}
    return {"id": "x", "created": 0, "object": "chat.completion", "model": form, "usage": usage, "choices": [choice]}
