"""The endpoint and those who send nothing, half of something, or what is no text: timed out or refused, never a 500."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

SCALECURVE = Path(sys.executable).with_name("scalecurve")
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Authorization: bearer key\r\nContent-Length: %d\r\n\r\n"
)


class Server:
    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        environment = {**os.environ, "SCALECURVE_API_KEY": " key\n", "OMP_NUM_THREADS": "1"}
        command = [str(SCALECURVE), "serve", "--model", "lab:lab-3k", "--plain", "--port", "0", "--timeout", "3"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        assert self.process.stdout is not None
        address = urlsplit(self.process.stdout.readline().split()[0])
        self.place = (address.hostname or "", address.port or 0)
        while self.ask(question())[0] == 504:  # until the model is open, which takes long on a busy machine
            time.sleep(0.1)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.place, timeout=60)

    def ask(self, body: bytes) -> tuple[int, dict[str, dict[str, str]]]:
        with self.connect() as line:
            line.sendall(HEAD % len(body) + body)
            return read(line)


def read(line: socket.socket) -> tuple[int, dict[str, dict[str, str]]]:
    """Status and JSON of a reply."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += line.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(row.split(b":")[1]) for row in head.split(b"\r\n") if row.lower().startswith(b"content-len")), 0)
    while len(body) < length:
        body += line.recv(65536)
    return int(head.split()[1]), json.loads(body)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = Server(tmp_path_factory.mktemp("served"))
    yield own
    own.process.send_signal(signal.SIGTERM)
    assert own.process.wait(timeout=20) == 0
    assert own.log.read_text() == "", "nobody who leaves or lingers fills the log"


def question(**more: object) -> bytes:
    given = {"model": "lab-3k", "messages": [{"role": "user", "content": "What is 1+1?"}], "max_tokens": 4}
    return json.dumps(given | more).encode()


def test_a_body_that_stops_gets_408(server: Server) -> None:
    with server.connect() as line:
        line.sendall(HEAD % 500 + b'{"model": ')
        status, reply = read(line)
        assert (status, reply["error"]["code"]) == (408, "timeout")
        assert line.recv(100) == b"", "and the connection ends"


@pytest.mark.parametrize("sent", [b"", b"POST /v1/chat/comp", HEAD[:60]])
def test_a_request_whose_head_never_ends_is_hung_up_on(sent: bytes, server: Server) -> None:
    began = time.monotonic()
    with server.connect() as line:
        line.sendall(sent)
        assert line.recv(1000) in (b"",)
    assert time.monotonic() - began > 1, "not at once"


def test_a_connection_is_kept_for_further_requests(server: Server) -> None:
    with server.connect() as line:
        for wait in (0, 4):  # longer than a head may take
            time.sleep(wait)
            line.sendall(HEAD % len(question()) + question())
            assert read(line)[0] == 200


def test_who_leaves_in_the_middle_is_forgotten(server: Server) -> None:
    for part in (b"", b'{"model"'):
        with server.connect() as line:
            line.sendall(HEAD % 500 + part)
    with server.connect() as line:
        line.sendall(HEAD % len(question()) + question())
    assert server.ask(question())[0] == 200


@pytest.mark.parametrize("half", [r"\ud800", r"a\udfffb"])
@pytest.mark.parametrize("field", ["messages", "options", "stop", "family"])
def test_half_characters_get_400(half: str, field: str, server: Server) -> None:
    text = question(**{field: [{"role": "user", "content": "HALF"}] if field == "messages" else "HALF"})
    if field == "options":
        text = question(options=["HALF", "b"])
    status, reply = server.ask(text.replace(b"HALF", half.encode()))
    assert status == 400
    assert "surrogate" in reply["error"]["message"]
    assert server.ask(question(**{"stop": "é😀"}))[0] == 200


def test_an_option_that_no_model_takes_gets_400(server: Server) -> None:
    status, reply = server.ask(question(options=["yes", "no " * 2000]))
    assert (status, reply["error"]["code"]) == (400, "context_length_exceeded")


def test_a_blank_key_is_none(tmp_path: Path) -> None:
    command = [SCALECURVE, "serve", "--model", "mock", "--host", "0.0.0.0"]
    environment = os.environ | {"SCALECURVE_API_KEY": " \t\n"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 2
    assert "others than this machine are served with a key only" in done.stderr


def test_a_key_without_its_scheme_is_none(server: Server) -> None:
    with server.connect() as line:
        line.sendall(HEAD.replace(b"bearer key", b"key") % len(question()) + question())
        assert read(line)[0] == 401
