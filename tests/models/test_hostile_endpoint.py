"""A server that means harm, or errs, costs its own answers: no key, no memory, no score that was not given."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from local_server import Quiet, listen

from scalecurve.models import guarded
from scalecurve.types import Output, Request

from .test_endpoint import Server, ask

KEY = "sk-Zq81vKq0aYb7Rk3s"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


class Raw:
    """Sends the bytes it is told to. ``seen``: the headers of each request."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.seen: list[dict[str, str]] = []
        outer = self

        class Handler(Quiet):
            def do_POST(self) -> None:
                self.body()
                outer.seen.append(dict(self.headers))
                try:
                    self.reply(status, body, **({"Retry_After_Ms": "1"} | headers))
                except OSError:
                    self.close_connection = True

        self.http, self.url = listen(Handler)


def answered(server: Any, request: Request | None = None, **options: Any) -> Output:
    (output,), _ = ask(server, [request or Request("hi", max_tokens=4)], retries=0, **options)
    return output


@pytest.mark.parametrize(
    "spelled",
    [KEY, f"your key is {KEY}!", KEY[: len(KEY) // 2], KEY[len(KEY) // 2 :], KEY[::-1], KEY.encode().hex(),
     base64.b64encode(KEY.encode()).decode(), base64.b64encode(f"Bearer {KEY}".encode()).decode()],
)  # fmt: skip
def test_a_text_with_the_key_is_not_kept(server: Server, spelled: str) -> None:
    whole = Server.answer

    def repeated(path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = whole(server, path, body)
        reply["choices"][0] |= {"text": spelled, "message": {"role": "assistant", "content": spelled}}
        return reply

    server.answer = repeated
    for chat in (False, True):
        output = answered(server, chat=chat)
        assert "wrote the API key" in output.error
        assert spelled not in repr(output)


@pytest.mark.parametrize("spelled", [KEY, KEY[:12], base64.b64encode(KEY.encode()).decode()])
def test_an_error_or_header_with_the_key_loses_it(spelled: str) -> None:
    body = json.dumps({"error": {"message": f"bad key {spelled} here"}}).encode()
    output = answered(Raw(400, {"X-Key": spelled}, body))
    assert "bad key … here" in output.error or "bad key …" in output.error
    assert spelled not in output.error


def test_a_word_that_is_the_key_of_a_local_server_may_be_said(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "done")
    assert answered(server).texts == (" done\nmore",)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_address_is_not_followed(status: int) -> None:
    other = Raw(200, {}, b"{}")
    output = answered(Raw(status, {"Location": other.url + "/completions"}, b""))
    assert "another address" in output.error
    assert other.seen == []


def test_a_redirect_on_the_same_address_ends(server: Server) -> None:
    looped = Raw(307, {"Location": "/v1/again"}, b"")
    assert "from address to address" in answered(looped).error
    assert len(looped.seen) == guarded.MOST_REDIRECTS


def test_packed_and_large_replies_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = Raw(200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * 10_000_000))
    assert "packs its replies" in answered(bomb).error
    assert bomb.seen[0]["Accept-Encoding"] == "identity"
    monkeypatch.setattr(guarded, "MOST_BYTES", 2**20)
    assert "larger than 1 MB" in answered(Raw(200, {}, b" " * (2**20 + 1))).error


ODD = [
    b'{"a":' * 100_000, b"[" * 200_000, b'{"choices": [{"text": "x", "logprobs": {"tokens": ["x"], "token_logprobs": ['
    b"-1" + b"0" * 400 + b']}}]}', b'{"choices": [{"text": "x"}], "usage": {"total_tokens": 1' + b"0" * 30 + b"}}",
    b'{"choices": [{"text": "x"}], "usage": {"total_tokens": -1}}', b'{"choices": [{"text": "x"}], "usage": 7}',
    b'{"choices": [{"text": 1' + b"0" * 5000 + b"}]}", b'{"choices": {"text": "x"}}', b"\xff\xfe{}", b"",
]  # fmt: skip


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("options", [(), ("a", "b")])
def test_an_odd_reply_costs_its_answer(body: bytes, options: tuple[str, ...]) -> None:
    output = answered(Raw(200, {}, body), Request("hi", options=options, max_tokens=4))
    assert output.error or body.endswith(b": 7}")
    assert len(output.error) <= 300


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"message": {"role": "assistant", "content": None}}, "no text"),
        ({"message": {"role": "assistant", "content": None, "refusal": "no"}}, "it refused"),
        ({"finish_reason": "content_filter"}, "content filter"),
    ],
)
def test_no_answer_is_none_and_not_an_empty_one(server: Server, change: dict[str, Any], said: str) -> None:
    whole = Server.answer

    def changed(path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = whole(server, path, body)
        reply["choices"][0] |= change
        return reply

    server.answer = changed
    output = answered(server, chat=True)
    assert said in output.error
    assert output.texts == ()


def test_thinking_without_an_answer_is_kept_apart_and_counts_as_cut(server: Server) -> None:
    whole = Server.answer

    def thought(path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = whole(server, path, body)
        reply["choices"][0] |= {"message": {"role": "assistant", "content": None, "reasoning_content": "hm"}}
        return reply

    server.answer = thought
    output = answered(server, chat=True)
    assert (output.texts, output.thinking, output.cut, output.error) == (("",), ("hm",), (True,), "")


def test_more_texts_than_asked_do_not_vote(server: Server) -> None:
    whole = Server.answer
    server.answer = lambda path, body: whole(server, path, body | {"n": 200})
    output = answered(server, Request("hi", max_tokens=4, samples=4, temperature=1.0))
    assert "200 texts where 4" in output.error


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("value", [5.0, True, 1e300])
def test_log_probabilities_above_0_are_refused(server: Server, value: Any, scored: bool) -> None:
    whole = Server.answer

    def changed(path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = whole(server, path, body)
        values = reply["choices"][0]["logprobs"]["token_logprobs"]
        values[1:] = [value] * (len(values) - 1)
        return reply

    server.answer = changed
    assert "above 0" in answered(server, Request("hi", options=(" a",) if scored else (), max_tokens=4)).error


def test_places_that_are_shifted_are_refused(server: Server) -> None:
    whole = Server.answer

    def changed(path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = whole(server, path, body)
        told = reply["choices"][0]["logprobs"]
        told["text_offset"] = [0, *(at + 3 for at in told["text_offset"][1:])]
        return reply

    server.answer = changed
    assert "not where they stand" in answered(server, Request("hi there", options=(" a",))).error
