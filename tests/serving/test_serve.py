"""The endpoint, as OpenAI's own client meets it: a real server process over the laboratory's models."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from local_server import Quiet, listen

openai = pytest.importorskip("openai")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

SCALECURVE = Path(sys.executable).with_name("scalecurve")
KEY = "correct horse"
SUMS = [f"What is {a}+{a + 7}?" for a in range(110, 126)]
SHOTS = [
    {"role": "user", "content": "What is 120+101?"},
    {"role": "assistant", "content": "221"},
    {"role": "user", "content": "What is 307+512?"},
    {"role": "assistant", "content": "819"},
]


class Upstream:
    """A model server that takes a request and says nothing until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.asked = threading.Semaphore(0)
        outer = self

        class Handler(Quiet):
            def do_POST(self) -> None:
                outer.asked.release()
                outer.let_go.wait(60)
                self.connection.close()

        self.http, self.url = listen(Handler)

    def family(self, folder: Path) -> Path:
        """A family file whose only rung is this server."""
        path = folder / "far.toml"
        path.write_text(
            f'family = "far"\n[[rung]]\nname = "slowpoke"\nbackend = "endpoint"\n'
            f'location = "{self.url}"\noptions = {{retries = 0}}\n'
        )
        return path

    def close(self) -> None:
        self.let_go.set()
        self.http.shutdown()
        self.http.server_close()


class Served:
    """A server process and its address."""

    def __init__(self, *options: object, key: str = KEY) -> None:
        environment = {**os.environ, "SCALECURVE_API_KEY": key, "OMP_NUM_THREADS": "1"}
        command = [str(SCALECURVE), "serve", "--thinker", "--port", "0", *map(str, options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[0]

    def client(self, **changes: Any) -> Any:
        return openai.OpenAI(**({"base_url": self.url, "api_key": KEY, "max_retries": 0, "timeout": 60} | changes))

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def served(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    family = upstream.family(tmp_path_factory.mktemp("far"))
    options = ("--model", "lab:lab-332k", "--model", "lab:lab-36k", "--model", family)
    server = Served(*options, "--below", 0.9, "--concurrent", 20, "--max-body", 20_000)
    yield server
    if server.process.poll() is None:
        assert server.stop() == 0


@pytest.fixture
def client(served: Served) -> Any:
    return served.client()


def chat(client: Any, question: str, model: str = "lab-332k", **more: Any) -> Any:
    messages = [*SHOTS, {"role": "user", "content": question}]
    return client.chat.completions.create(model=model, messages=messages, max_tokens=96, **more)


def raw(url: str, data: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of a request that the client would not make; pieces are sent without telling their length."""
    given = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data, given | headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_models_are_the_rungs(client: Any) -> None:
    assert [model.id for model in client.models.list()] == ["lab-332k", "lab-36k", "slowpoke"]
    assert client.models.retrieve("lab-36k").id == "lab-36k"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-7")


def test_a_chat_is_thought_about_and_tells_how(client: Any) -> None:
    reply = chat(client, "What is 345+678?")
    assert reply.choices[0].message.content == "1023", "lab-332k adds with steps, and not without"
    assert reply.choices[0].finish_reason == "stop"
    told = reply.model_extra["scalecurve"]
    assert (told["status"], told["who"], told["how"]) == ("ok", "lab-332k", "chain_of_thought")
    assert [step["stage"] for step in told["steps"]] == ["fast", "slow", "settle"]
    usage = reply.usage
    assert usage.completion_tokens == sum(step["generated_tokens"] for step in told["steps"])
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens


def test_a_stream_tells_the_steps_and_ends_with_the_same_answer(client: Any) -> None:
    pieces = list(chat(client, "What is 345+678?", stream=True, stream_options={"include_usage": True}))
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    whole = chat(client, "What is 345+678?")
    assert text == whole.choices[0].message.content
    extras = [piece.model_extra["scalecurve"] for piece in pieces if "scalecurve" in (piece.model_extra or {})]
    assert [extra["step"]["stage"] for extra in extras[:-1]] == ["fast", "slow", "settle"]
    assert extras[-1] == whole.model_extra["scalecurve"]
    assert pieces[-1].usage == whole.usage
    assert pieces[-2].choices[0].finish_reason == "stop"


def test_completions_continue_the_prompt_as_it_stands(client: Any) -> None:
    prompt = "Q: What is 120+101?\nA: 221\nQ: What is 300+410?\nA: "
    reply = client.completions.create(model="lab-36k", prompt=prompt, max_tokens=20)
    assert reply.choices[0].text.isdigit()
    streamed = client.completions.create(model="lab-36k", prompt=prompt, max_tokens=20, stream=True)
    assert "".join(piece.choices[0].text for piece in streamed) == reply.choices[0].text


def test_options_are_chosen_from(client: Any) -> None:
    extra = {"options": ["red", "blue"]}
    reply = chat(client, "If ka is red, ro is blue, what is ka?", model="lab-36k", extra_body=extra)
    assert reply.choices[0].message.content in ("red", "blue")


def test_concurrent_askers_get_what_they_would_get_alone(client: Any) -> None:
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda question: chat(client, question), SUMS))
    assert [reply.choices[0].message.content for reply in together] == [str(2 * a + 7) for a in range(110, 126)]
    alone = [chat(client, question) for question in SUMS[:2]]
    for one, other in zip(alone, together, strict=False):
        assert one.choices[0].message.content == other.choices[0].message.content
        assert one.usage == other.usage


# ── Limits ───────────────────────────────────────────────────────────────────────────────────────────────────
def code(error: Any) -> str | None:
    """The code in OpenAI's error form."""
    body = error.value.body
    assert isinstance(body, dict)
    assert {"message", "type", "param", "code"} <= set(body)
    return body["code"] or body["param"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_tokens": 100_000}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": "  "}]}, "messages"),
        ({"messages": [{"role": "assistant", "content": "7"}]}, "messages"),
        ({"messages": [{"role": "wizard", "content": "7"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, None),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    ],
)
def test_what_is_not_understood_gets_400(client: Any, changes: dict[str, Any], said: str | None) -> None:
    given = {"model": "lab-36k", "messages": [{"role": "user", "content": "What is 1+1?"}]}
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**(given | changes))
    assert said is None or code(error) == said


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"[" * 15_000, b"\xff\xfe", b'{"model": 1}'])
def test_a_body_that_is_no_request_gets_400(served: Served, body: bytes) -> None:
    status, reply = raw(f"{served.url}/chat/completions", body)
    assert status == 400
    assert set(reply["error"]) == {"message", "type", "param", "code"}


def test_too_much_gets_413_told_or_not(served: Served, client: Any) -> None:
    with pytest.raises(openai.APIStatusError) as error:
        chat(client, "x" * 30_000)
    assert (error.value.status_code, code(error)) == (413, "request_too_large")
    assert raw(f"{served.url}/completions", iter([b" " * 9_000] * 4))[0] == 413


def test_wrong_keys_and_unknown_models(served: Served, client: Any) -> None:
    with pytest.raises(openai.AuthenticationError) as error:
        served.client(api_key="battery staple").models.list()
    assert code(error) == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as missing:
        chat(client, "What is 1+1?", model="gpt-7")
    assert code(missing) == "model_not_found"
    assert raw(f"{served.url}/secrets")[0] == 404


def test_full_gets_429_and_a_failing_model_500_while_others_go_on(
    served: Served, upstream: Upstream, client: Any
) -> None:
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(chat, client, f"What is {i}+1?", model="slowpoke") for i in range(20)]
        assert upstream.asked.acquire(timeout=30)
        while raw(f"{served.url.removesuffix('/v1')}/health")[1]["under_way"] < 20:
            time.sleep(0.02)
        with pytest.raises(openai.RateLimitError) as full:
            chat(client, "What is 1+1?", model="lab-36k")
        assert code(full) == "rate_limit_exceeded"
        assert full.value.response.headers["retry-after"] == "1"
        upstream.let_go.set()
        failed = [one.exception() for one in waiting]
    assert all(isinstance(one, openai.InternalServerError) and one.status_code == 500 for one in failed)
    assert chat(client, "What is 111+118?").choices[0].message.content == "229"


def test_late_gets_504_whole_or_streamed(tmp_path: Path) -> None:
    far = Upstream()
    server = Served("--model", far.family(tmp_path), "--below", 0.9, "--timeout", 2)
    try:
        with pytest.raises(openai.InternalServerError) as late:
            chat(server.client(), "What is 1+1?", model="slowpoke")
        assert (late.value.status_code, code(late)) == (504, "timeout")
        with pytest.raises(openai.APIError, match="no answer within 2 s"):
            list(chat(server.client(), "What is 2+2?", model="slowpoke", stream=True))
    finally:
        assert server.stop() == 0
        far.close()


def test_only_this_machine_without_a_key() -> None:
    """Another site's name that points here, and another site's page, are refused where no key is asked for."""
    server = Served("--model", "mock", key="")
    try:
        assert raw(f"{server.url}/models")[0] == 200
        assert raw(f"{server.url}/models", Origin="http://localhost:3000")[0] == 200
        assert raw(f"{server.url}/models", Host="evil.example")[0] == 403
        for origin in ("https://evil.example", "http://127.0.0.1.evil.example", "null"):
            assert raw(f"{server.url}/models", Origin=origin)[0] == 403
    finally:
        assert server.stop(signal.SIGINT) == 0


def test_other_machines_are_served_with_a_key_only() -> None:
    command = [SCALECURVE, "serve", "--model", "mock", "--host", "0.0.0.0"]
    environment = {name: value for name, value in os.environ.items() if name != "SCALECURVE_API_KEY"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 2
    assert (
        done.stderr
        == "scalecurve: --host: others than this machine are served with a key only; set SCALECURVE_API_KEY\n"
    )


# ── Stopping ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_while_requests_are_under_way(tmp_path: Path, number: int) -> None:
    upstream = Upstream()
    server = Served("--model", upstream.family(tmp_path), "--below", 0.9)
    client = server.client()
    with ThreadPoolExecutor(2) as pool:
        plain = pool.submit(chat, client, "What is 1+1?", model="slowpoke")
        stream = pool.submit(lambda: list(chat(client, "What is 2+2?", model="slowpoke", stream=True)))
        assert upstream.asked.acquire(timeout=30)
        assert server.stop(number) == 0
        for one in (plain, stream):
            error = one.exception(timeout=30)
            assert isinstance(error, openai.APIError), "told, or cut off; never an answer that is none"
    assert isinstance(plain.exception(), openai.InternalServerError)
    assert "stopping" in json.dumps(plain.exception().body)
    upstream.close()
