"""Starting the endpoint, and stopping it within a second or so."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from scalecurve.errors import UserError
from scalecurve.routing import Thinker
from scalecurve.serving.app import build_app
from scalecurve.serving.batcher import Batcher
from scalecurve.serving.limits import ServingLimits

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Server(uvicorn.Server):
    """Stops on SIGINT and SIGTERM with exit code 0: what is under way has the grace to end, then gets 503."""

    def __init__(self, config: uvicorn.Config, batcher: Batcher, grace: float) -> None:
        super().__init__(config)
        self._batcher, self._grace = batcher, grace

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.should_exit = True
        timer = threading.Timer(self._grace if len(self._batcher) else 0.0, self._batcher.close)
        timer.daemon = True
        timer.start()


def _impatient(seconds: float) -> type[H11Protocol]:
    """Connections that are closed when the head of a request takes longer than ``seconds``; uvicorn waits for ever."""

    class Impatient(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows the argument
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            if self._late is None and self._idle():
                self._wait()
            super().data_received(data)
            if not self._idle():
                self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _wait(self) -> None:
            self._late = self.loop.call_later(seconds, self._close)

        def _stop_waiting(self) -> None:
            if self._late is not None:
                self._late.cancel()
            self._late = None

        def _close(self) -> None:
            self._late = None
            if self._idle():
                self.transport.close()

    return Impatient


def serve(
    thinker: Thinker,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: ServingLimits | None = None,
    key: str = "",
    aliases: Mapping[str, str] | None = None,
) -> None:
    """Answer until SIGINT or SIGTERM. ``port`` 0 takes a free one; the address is printed once it listens.
    ``aliases``: further names a request may give → the thinker's name of the model that answers.

    ``UserError`` where the port cannot be had, or another host than this machine is to be served without a key.
    """
    limits, key = limits or ServingLimits(), key.strip()
    local = host in LOOPBACK
    if not local and not key:
        raise UserError("--host: others than this machine are served with a key only; set SCALECURVE_API_KEY")
    batcher = Batcher(thinker, limits.concurrent)
    config = uvicorn.Config(
        build_app(batcher, thinker.names, limits, key, local=local, aliases=aliases or {}),
        http=_impatient(limits.reading),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(limits.grace) + 1,
        lifespan="off",
    )
    with _listening(host, port) as listener:
        bound = listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{bound}/v1  (Ctrl-C stops)", flush=True)
        batcher.open()
        try:
            _Server(config, batcher, limits.grace).run(sockets=[listener])
        finally:
            batcher.close()


def _listening(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except (OSError, OverflowError) as error:
        listener.close()
        raise UserError(f"--port: {host}:{port} cannot be used ({error}); give another or 0") from None
    return listener
