"""The endpoint backend against a real HTTP server whose model is a local one, and against a server's faults."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from local_server import Quiet, listen

pytest.importorskip("openai")

from scalecurve.errors import UserError
from scalecurve.models.endpoint import EndpointModel
from scalecurve.models.mock import fraction
from scalecurve.types import Output, Request, Rung


def tokens_of(text: str) -> list[str]:
    """Words with their spaces, and single characters of what is left."""
    out: list[str] = []
    for character in text:
        if (out and character.isalnum() and out[-1][-1].isalnum()) or (out and character.isalnum() and out[-1] == " "):
            out[-1] += character
        else:
            out.append(character)
    return out


def logprob(before: str, token: str) -> float:
    return -5 * fraction(before + "|" + token) - 0.01


class Server:
    """A completions server: ``faults`` are status codes to answer with first; ``told`` what it was asked."""

    def __init__(self) -> None:
        self.faults: list[int] = []
        self.told: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.echoes = True
        self.begins = [("No", 0.5), (" Yes", 0.2), ("yes", 0.1), ("I", 0.08), (" ", 0.06), ("ye", 0.01)]
        self.lock = threading.Lock()
        outer = self

        class Handler(Quiet):
            def do_POST(self) -> None:
                body = json.loads(self.body())
                with outer.lock:
                    outer.told.append(body)
                    outer.headers.append(self.headers["Authorization"])
                    fault = outer.faults.pop(0) if outer.faults else 0
                if fault == -1:
                    self.connection.close()
                    return
                reply = {"error": {"message": "no"}} if fault else outer.answer(self.path, body)
                self.reply(fault or 200, json.dumps(reply).encode(), Retry_After_Ms="1")

        self.http, self.url = listen(Handler)

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
        base = {"id": "x", "created": 0, "model": body["model"], "usage": usage}
        if path.endswith("/chat/completions"):
            text = f"heard {' | '.join(turn['content'] for turn in body['messages'])}"
            choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
            choice["message"] = {"role": "assistant", "content": text}
            if body.get("logprobs"):
                told = [{"token": token, "logprob": math.log(p), "bytes": None} for token, p in self.begins]
                choice["logprobs"] = {"content": [told[0] | {"top_logprobs": told[: body["top_logprobs"]]}]}
            return base | {"object": "chat.completion", "choices": [choice]}
        prompt = body["prompt"]
        shown = tokens_of(prompt) if body.get("echo") and self.echoes else []
        text = ("".join(shown)) + " done\nmore"
        shown = [*shown, " done", "\n", "more"]
        places = [len("".join(shown[:n])) for n in range(len(shown))]
        values: list[float | None] = [logprob("".join(shown[:n]), token) for n, token in enumerate(shown)]
        values[0] = None if body.get("echo") else values[0]
        tops = [{"best": -0.02} if value is None or value < -0.02 else {"it": value} for value in values]
        told = {"tokens": shown, "token_logprobs": values, "text_offset": places, "top_logprobs": tops}
        choices = [
            {"index": n, "text": text, "logprobs": told, "finish_reason": "stop"} for n in range(body.get("n") or 1)
        ]
        return base | {"object": "text_completion", "choices": choices}


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()


def ask(server: Server, requests: Sequence[Request], **options: Any) -> tuple[list[Output], EndpointModel]:
    model = EndpointModel(Rung("far", "endpoint", server.url, options=options))
    outputs: dict[int, Output] = {}
    model.run(requests, outputs.__setitem__)
    return [outputs[i] for i in range(len(requests))], model


def test_options_are_scored_by_the_echoed_prompt(server: Server) -> None:
    (output,), _ = ask(server, [Request("one two: ", options=("red", "blue sky"))])
    assert output.logprobs == pytest.approx(
        (
            logprob("one two:", " red"),
            logprob("one two:", " blue") + logprob("one two: blue", " sky"),
        )
    )
    assert output.token_counts == (1, 2)
    assert output.prompt_tokens == 3
    assert output.flags == ()


def test_an_option_that_merges_with_the_prompt_is_flagged(server: Server) -> None:
    (merged, gone), _ = ask(server, [Request("one two", options=("fold is",)), Request("one two", options=("fold",))])
    assert merged.flags == ("boundary_merge",)
    assert merged.token_counts == (1,)
    assert "no token of its own" in gone.error


def test_a_server_without_prompt_log_probabilities_is_refused(server: Server) -> None:
    server.echoes = False
    (scored, text), _ = ask(server, [Request("a b", options=(" c",)), Request("a b", max_tokens=4)])
    assert "does not tell log-probabilities of the prompt" in scored.error
    assert not scored.logprobs
    assert text.texts == (" done\nmore",)


def test_chat_writes_and_refuses_to_score(server: Server) -> None:
    (text, scored), _ = ask(server, [Request("hi", max_tokens=4), Request("hi", options=("a",))], chat=True)
    assert text.texts == ("heard hi",)
    assert "chat servers do not tell" in scored.error


def test_a_chat_picks_by_what_its_reply_begins_with(server: Server) -> None:
    request = Request("hi", options=("yes", "no", "perhaps"))
    (output,), _ = ask(server, [request], chat=True, top_logprobs=20, system="Be brief.")
    assert [math.exp(value) for value in output.logprobs] == pytest.approx([0.31, 0.5, 0.01])
    assert (output.greedy, output.prompt_tokens) == ((False, True, False), 10)
    body = server.told[-1]
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"], "stop" in body) == (1, True, 20, False)
    assert [turn["content"] for turn in body["messages"]] == ["Be brief.", "hi"]
    (output,), _ = ask(server, [request], chat=True, top_logprobs=1)
    assert [math.exp(value) for value in output.logprobs] == pytest.approx([0.5] * 3), "no more is known"
    server.begins = [("It", 0.9)]
    (none,), _ = ask(server, [request], chat=True, top_logprobs=20)
    assert "none of the options" in none.error


@pytest.mark.parametrize("options", [{"top_logprobs": 5}, {"chat": True, "top_logprobs": 21}, {"top_logprobs": -1}])
def test_beginnings_belong_to_chats(server: Server, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="top_logprobs needs chat = true"):
        ask(server, [], **options)


def test_a_system_prompt_comes_first(server: Server) -> None:
    (text,), _ = ask(server, [Request("hi", max_tokens=4)], chat=True, system="Be brief.")
    assert text.texts == ("heard Be brief. | hi",)


def test_texts_are_cut_and_counted(server: Server) -> None:
    (text,), model = ask(server, [Request("a: ", max_tokens=4, stop=("\n",), temperature=0.5, samples=2, seed=3)])
    assert text.texts == ("done", "done")
    assert len(text.text_logprobs) == 2
    assert server.told[0]["prompt"] == "a:"
    assert (server.told[0]["n"], server.told[0]["seed"], server.told[0]["stop"]) == (2, 3, ["\n"])
    assert model.used_tokens == 12


def test_log_probabilities_as_llama_cpp_tells_them(server: Server) -> None:
    answer = server.answer

    def told(path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = answer(path, body)
        reply["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1}]}
        return reply

    server.answer = told
    (text, scored), _ = ask(server, [Request("a b", max_tokens=4), Request("a b", options=(" c",))])
    assert text.text_logprobs == ((-0.5, -1.0),)
    assert "does not tell" in scored.error


@pytest.mark.parametrize("faults", [[429, 503, 500], [408, 429], [-1, 429]])
def test_passing_faults_are_tried_again(server: Server, faults: list[int]) -> None:
    server.faults = list(faults)
    (output,), _ = ask(server, [Request("a", max_tokens=4)], retries=4)
    assert output.texts
    assert len(server.told) == len(faults) + 1


def test_lasting_faults_fail_their_request_only(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_API_KEY", "sk-secret")
    server.faults = [401]
    outputs, _ = ask(
        server, [Request("a", max_tokens=4), Request("b", max_tokens=4)], concurrency=1, api_key_env="FAR_API_KEY"
    )
    assert "401" in outputs[0].error
    assert "sk-secret" not in outputs[0].error
    assert outputs[1].texts
    assert server.headers[0] == "Bearer sk-secret"


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize(
    "reply",
    [{}, {"choices": None}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": None}]}, ["a"], "page"],
)
def test_a_reply_in_no_known_form_fails_its_request_only(server: Server, reply: Any, chat: bool) -> None:
    answer = server.answer

    def told(path: str, body: dict[str, Any]) -> Any:
        asked = body["messages"][-1]["content"] if chat else body["prompt"]
        return reply if asked == "odd" else answer(path, body)

    server.answer = told
    asked = [Request(text, max_tokens=4) for text in ("a", "odd", "b")]
    (first, odd, last), _ = ask(server, asked, chat=chat, concurrency=1)
    assert first.texts
    assert last.texts
    assert "the server's reply is not understood" in odd.error
    if not chat:
        (scored,), _ = ask(server, [Request("odd", options=(" x",))])
        assert scored.texts == ()


def test_a_key_is_kept_out_of_an_error_wherever_it_stands(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_API_KEY", "sk-" + "s" * 40)
    model = EndpointModel(Rung("far", "endpoint", server.url, options={"api_key_env": "FAR_API_KEY"}))
    for before in (0, 280, 299):
        assert "sk-s" not in model._clean("x" * before + " sk-" + "s" * 40)


def test_the_budget_ends_the_spending(server: Server) -> None:
    outputs, model = ask(server, [Request(str(n), max_tokens=4) for n in range(9)], concurrency=1, max_tokens_total=30)
    assert [bool(output.error) for output in outputs] == [False] * 3 + [True] * 6
    assert "max_tokens_total" in outputs[-1].error
    assert model.used_tokens == 36


def test_many_requests_are_under_way_at_once_but_not_too_many(server: Server) -> None:
    together, most = 0, 0
    lock, answer = threading.Lock(), server.answer
    full = threading.Barrier(4, timeout=20)

    def slow(path: str, body: dict[str, Any]) -> dict[str, Any]:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        full.wait()
        with lock:
            together -= 1
        return answer(path, body)

    server.answer = slow
    outputs, _ = ask(server, [Request(str(n), max_tokens=4) for n in range(8)], concurrency=4)
    assert all(output.texts for output in outputs)
    assert most == 4


@pytest.mark.parametrize(
    ("location", "options", "words"),
    [
        ("localhost:8000", {}, "is not a URL"),
        ("http://x/v1", {"chatt": True}, "unknown 'chatt'"),
        ("http://x/v1", {"concurrency": "8"}, "concurrency must be like 8"),
        ("http://x/v1", {"concurrency": 0}, "must be 1 or more"),
        ("http://x/v1", {"system": "Be brief."}, "system needs chat"),
    ],
)
def test_what_a_user_gets_wrong_is_named(location: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match="far: ") as caught:
        EndpointModel(Rung("far", "endpoint", location, options=options))
    assert words in str(caught.value)


def test_identity_is_the_servers_and_the_models(server: Server) -> None:
    def identity(**options: Any) -> str:
        return EndpointModel(Rung("far", "endpoint", server.url, options=options)).fingerprint

    assert identity() == identity(concurrency=3, retries=1, max_tokens_total=5)
    chats = [identity(chat=True), identity(chat=True, system="Be brief.")]
    assert len({identity(), identity(model="other"), *chats}) == 4
