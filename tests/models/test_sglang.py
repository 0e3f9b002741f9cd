"""Options scored by SGLang's own interfaces, against a real HTTP server that speaks as SGLang does."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from local_server import Quiet, listen

pytest.importorskip("openai")

from scalecurve.errors import UserError
from scalecurve.models.endpoint import EndpointModel
from scalecurve.models.mock import fraction
from scalecurve.types import Output, Request, Rung

BOS, WORDS = 1, 40  # a token a letter; "th" is one token of its own


def tokens(text: str) -> list[int]:
    out, at = [BOS], 0
    while at < len(text):
        pair = text[at : at + 2] == "th"
        out.append(2 if pair else 3 + ord(text[at]) % WORDS)
        at += 1 + pair
    return out


def table(before: Sequence[int]) -> list[float]:
    """The log-probabilities of what may come next."""
    raw = [8 * fraction(f"{list(before)}|{token}") for token in range(WORDS + 3)]
    norm = math.log(sum(map(math.exp, raw)))
    return [value - norm for value in raw]


class SGLang:
    """``asked``: (path, body) of every request; ``scores``: /v1/score is there; ``change``: made to each reply."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.scores = True
        self.change: Any = lambda path, reply: reply
        outer = self

        class Handler(Quiet):
            def do_POST(self) -> None:
                body = json.loads(self.body())
                outer.asked.append((self.path, body))
                reply = outer.answer(self.path, body)
                data = json.dumps(outer.change(self.path, reply) if reply else {"detail": "Not Found"}).encode()
                self.reply(200 if reply else 404, data)

        self.http, self.url = listen(Handler)

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if path == "/v1/tokenize":
            return {"tokens": [tokens(text) for text in body["prompt"]], "count": [], "max_model_len": 99}
        if path == "/v1/score" and self.scores:
            prompts = [[*body["query"], *item] for item in body["items"]]
            assert body["apply_softmax"] is False
            return {
                "object": "scoring",
                "scores": [[math.exp(table(ids)[label]) for label in body["label_token_ids"]] for ids in prompts],
            }
        if path != "/generate":
            return None
        ids, how = body["input_ids"], body["sampling_params"]
        told: dict[str, Any] = {"prompt_tokens": len(ids), "output_token_logprobs": []}
        start = body.get("logprob_start_len", len(ids))
        rows = [(at, table(ids[:at])) for at in range(max(1, start), len(ids))]
        told["input_token_logprobs"] = [[row[ids[at]], ids[at], None] for at, row in rows]
        told["input_top_logprobs"] = [[[max(row), row.index(max(row)), None]] for _, row in rows]
        for name in ("input_token_logprobs", "input_top_logprobs"):
            if told[name]:  # of the first of them SGLang tells nothing
                told[name][0] = [None, ids[rows[0][0]], None] if name == "input_token_logprobs" else None
        if how["max_new_tokens"]:
            row = table(ids)
            told["output_token_logprobs"] = [[max(row), row.index(max(row)), None]]
        return {"text": "", "meta_info": told}


@pytest.fixture
def server() -> Iterator[SGLang]:
    made = SGLang()
    yield made
    made.http.shutdown()


def ask(server: SGLang, *requests: Request) -> list[Output]:
    model = EndpointModel(Rung("far", "endpoint", server.url, options={"api": "sglang", "concurrency": 1}))
    found: dict[int, Output] = {}
    model.run(requests, found.__setitem__)
    return [found[at] for at in range(len(requests))]


def expected(prompt: str, option: str) -> tuple[float, bool]:
    context = tokens(prompt.rstrip())
    own = tokens(prompt + option)[len(context) :]
    rows = [table([*context, *own[:at]]) for at in range(len(own))]
    pairs = list(zip(rows, own, strict=True))
    return sum(row[token] for row, token in pairs), all(row[token] == max(row) for row, token in pairs)


QUESTION = Request("who? ", options=("ann", "b", "a longer one"))
LETTERS = [Request(f"question {n}:", options=tuple("abcdefghij")) for n in range(12)]


def test_options_are_scored_after_their_prompt_and_nothing_before(server: SGLang) -> None:
    (output,) = ask(server, QUESTION)
    wanted = [expected(QUESTION.prompt, option) for option in QUESTION.options]
    assert output.logprobs == pytest.approx([logprob for logprob, _ in wanted])
    assert output.greedy == tuple(greedy for _, greedy in wanted)
    assert (output.token_counts, output.prompt_tokens, output.flags) == ((4, 2, 13), 5, ())
    assert [path for path, _ in server.asked] == ["/v1/tokenize", *["/generate"] * 3]
    assert {body["logprob_start_len"] for _, body in server.asked[1:]} == {4}


def test_letters_are_scored_in_one_pass(server: SGLang) -> None:
    outputs = ask(server, *LETTERS)
    for request, output in zip(LETTERS, outputs, strict=True):
        wanted = [expected(request.prompt, option) for option in request.options]
        assert output.logprobs == pytest.approx([logprob for logprob, _ in wanted])
        assert output.greedy == tuple(greedy for _, greedy in wanted)
    paths = [path for path, _ in server.asked]
    assert paths.count("/v1/score") == len(LETTERS)
    assert all("logprob_start_len" not in body for _, body in server.asked)


def test_a_server_without_scores_gives_the_same(server: SGLang) -> None:
    with_scores = ask(server, *LETTERS)
    server.scores, server.asked = False, []
    without = ask(server, *LETTERS)
    assert [path for path, _ in server.asked].count("/v1/score") == 1, "asked for once"
    for one, other in zip(with_scores, without, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs)
        assert one.greedy == other.greedy


def test_a_token_over_the_border_is_flagged_and_an_option_without_one_fails(server: SGLang) -> None:
    merged, none = ask(server, Request("at", options=("hens",)), Request("at", options=("h",)))
    assert merged.flags == ("boundary_merge",)
    assert "no token of its own" in none.error


@pytest.mark.parametrize(
    "change",
    [
        lambda path, reply: reply | {"scores": [[2.0] * 10]} if path == "/v1/score" else reply,
        lambda path, reply: reply | {"scores": [[0.1]]} if path == "/v1/score" else reply,
        lambda path, reply: {"tokens": [["a"]] * 11} if path == "/v1/tokenize" else reply,
        lambda path, reply: {} if path == "/v1/tokenize" else reply,
        lambda path, reply: [],
    ],
)
def test_a_reply_that_says_no_such_thing_fails_its_request(server: SGLang, change: Any) -> None:
    server.change = change
    (output,) = ask(server, LETTERS[0])
    assert "is not understood" in output.error


@pytest.mark.parametrize("value", [None, "x", 3.0, float("nan")])
def test_a_log_probability_that_is_none_fails_its_request(server: SGLang, value: Any) -> None:
    def change(path: str, reply: dict[str, Any]) -> dict[str, Any]:
        if path == "/generate":
            reply["meta_info"]["input_token_logprobs"][-1][0] = value
        return reply

    server.change = change
    (output,) = ask(server, QUESTION)
    assert "not a number, or above 0" in output.error


def test_which_interface_is_part_of_the_identity_and_has_a_known_name(server: SGLang) -> None:
    plain = EndpointModel(Rung("far", "endpoint", server.url))
    assert (
        plain.fingerprint != EndpointModel(Rung("far", "endpoint", server.url, options={"api": "sglang"})).fingerprint
    )
    with pytest.raises(UserError, match="api must be one of openai, sglang"):
        EndpointModel(Rung("far", "endpoint", server.url, options={"api": "grpc"}))
