"""The routes: models, chat completions, completions, health."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.requests import ClientDisconnect

from scalecurve.routing import Inquiry
from scalecurve.routing.trace import Step, Trace
from scalecurve.serving import protocol
from scalecurve.serving.batcher import Batcher, Job
from scalecurve.serving.limits import ServingLimits
from scalecurve.serving.protocol import ChatRequest, CompletionRequest, Fault

LOCAL = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")
TOO_LONG = re.compile(r"the option has \d+ tokens; the model takes \d+")
PATIENCE = 0.25
"""Seconds between looks at whether the asker is still there."""
Asked = ChatRequest | CompletionRequest
Handler = Callable[[Request], Awaitable[Response]]


def build_app(
    batcher: Batcher,
    names: tuple[str, ...],
    limits: ServingLimits,
    key: str = "",
    *,
    local: bool = True,
    aliases: Mapping[str, str] = MappingProxyType({}),
) -> FastAPI:
    """The application. ``key``: what askers send as bearer token ("": none needed). ``local``: refuse other hosts.

    ``aliases``: further names of models → one of ``names``, which a reply tells.
    """
    endpoint = _Endpoint(batcher, (*names, *aliases), aliases, limits, key, local)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_route("/v1/models", endpoint.guarded(endpoint.models), methods=["GET"])
    app.add_route("/v1/models/{name:path}", endpoint.guarded(endpoint.model), methods=["GET"])
    app.add_route("/v1/chat/completions", endpoint.guarded(endpoint.chat), methods=["POST"])
    app.add_route("/v1/completions", endpoint.guarded(endpoint.completions), methods=["POST"])
    app.add_route("/health", endpoint.guarded(endpoint.health), methods=["GET"])
    app.add_route("/{rest:path}", endpoint.guarded(endpoint.nothing), methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    return app


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """What is answered at each path; the fields are ``build_app``'s arguments, ``names`` with the aliases."""

    batcher: Batcher
    names: tuple[str, ...]
    aliases: Mapping[str, str]
    limits: ServingLimits
    key: str
    local: bool

    def guarded(self, handler: Handler) -> Handler:
        """``handler`` for those who may ask, a ``Fault`` as the reply it stands for."""

        async def run(request: Request) -> Response:
            try:
                _admit(request, self.key, self.local)
                return await handler(request)
            except Fault as fault:
                retry = {"Retry-After": "1"} if fault.status in (429, 503) else None
                return JSONResponse(fault.body, fault.status, retry)
            except ClientDisconnect:  # before its request was whole; nobody reads the reply
                return Response(status_code=499)

        return run

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(name) for name in self.names]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        _known(name, self.names)
        return JSONResponse(_model(name))

    async def chat(self, request: Request) -> Response:
        return await self._answer(request, ChatRequest, "chatcmpl")

    async def completions(self, request: Request) -> Response:
        return await self._answer(request, CompletionRequest, "cmpl")

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "under_way": len(self.batcher)})

    async def nothing(self, request: Request) -> Response:
        raise Fault(404, f"{request.method} {request.url.path}: not here", code="unknown_url")

    async def _answer(self, request: Request, kind: type[Asked], prefix: str) -> Response:
        asked = protocol.parse(kind, await _body(request, self.limits))
        _known(asked.model, self.names)
        asked = asked.model_copy(update={"model": self.aliases.get(asked.model, asked.model)})
        talk = _PendingReply(self.batcher, asked, asked.inquiry(self.limits.tokens), self.limits.seconds)
        head = {"id": f"{prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": asked.model}
        if asked.stream:
            return StreamingResponse(talk.stream(head), media_type="text/event-stream")
        trace = await talk.trace(request)
        return JSONResponse(protocol.whole(asked, head, trace))


class _PendingReply:
    """A request in the batcher, heard from the server's event loop."""

    def __init__(self, batcher: Batcher, asked: Asked, inquiry: Inquiry, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Step | Trace] = asyncio.Queue()
        self._asked, self._deadline, self._seconds = asked, loop.time() + seconds, seconds

        def tell(event: Step | Trace) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._events.put_nowait, event)

        job = batcher.submit(inquiry, asked.model, tell, tell)
        if job is None:
            raise Fault(
                429, "too many requests under way; try again", type="rate_limit_error", code="rate_limit_exceeded"
            )
        self._job: Job = job

    async def _next(self, wait: float) -> Step | Trace | None:
        """The next event; None after ``wait`` seconds. ``Fault`` where the request failed or its time is up."""
        left = self._deadline - asyncio.get_running_loop().time()
        if left <= 0:
            self._job.fail("timeout")
            raise Fault(504, f"no answer within {self._seconds:g} s", type="timeout_error", code="timeout")
        try:
            event = await asyncio.wait_for(self._events.get(), min(wait, left))
        except TimeoutError:
            return None
        if isinstance(event, Trace) and event.status == "error":
            if TOO_LONG.search(event.error):
                raise Fault(400, f"options: {event.error}", code="context_length_exceeded", param="options")
            stopping = "stopping" in event.error
            raise Fault(503 if stopping else 500, event.error, type="server_error")
        return event

    async def trace(self, request: Request) -> Trace:
        """The answer in one piece; called off when the asker has left."""
        try:
            while True:
                event = await self._next(PATIENCE)
                if isinstance(event, Trace):
                    return event
                if event is None and await request.is_disconnected():
                    raise Fault(499, "the asker has left")
        finally:
            self._job.fail("left")

    async def stream(self, head: Mapping[str, object]) -> AsyncIterator[str]:
        """Server-sent events: an opening, every step as it is done, the answer, the end."""
        try:
            yield _event(protocol.opening(self._asked, head))
            while True:
                event = await self._next(10.0)
                if event is None:
                    yield ": thinking\n\n"
                elif isinstance(event, Step):
                    yield _event(protocol.step_piece(self._asked, head, event))
                else:
                    for piece in protocol.pieces(self._asked, head, event):
                        yield _event(piece)
                    yield "data: [DONE]\n\n"
                    return
        except Fault as fault:
            yield _event(fault.body)
        finally:  # also when the asker has left
            self._job.fail("left")


def _event(data: Mapping[str, object]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "scalecurve"}


def _known(name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise Fault(404, f"model: {name!r} is not here; use {', '.join(names)}", code="model_not_found", param="model")


def _admit(request: Request, key: str, local: bool) -> None:
    """``Fault`` for a wrong key; without keys, for another site's page or name that points at this machine."""
    if key:
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), key.encode()):
            raise Fault(401, "wrong or missing API key", type="authentication_error", code="invalid_api_key")
    elif local:
        origin = request.headers.get("origin")
        asked_by = origin is None or LOCAL.fullmatch(origin.removeprefix("http://"))
        if not asked_by or not LOCAL.fullmatch(request.headers.get("host", "")):
            raise Fault(403, "only for this machine", type="permission_error")


async def _body(request: Request, limits: ServingLimits) -> object:
    """The JSON body, within the limits of bytes and seconds, whatever its header says. Its texts are whole."""
    most = limits.body
    if "json" not in request.headers.get("content-type", ""):
        raise Fault(400, "content-type: send application/json")
    told = request.headers.get("content-length", "0")
    too_large = Fault(413, f"the body is larger than {most} bytes", code="request_too_large")
    if told.isdecimal() and int(told) > most:
        raise too_large
    data = bytearray()
    try:
        async with asyncio.timeout(limits.reading):
            async for piece in request.stream():
                data += piece
                if len(data) > most:
                    raise too_large
    except TimeoutError:
        raise Fault(408, f"the body was not whole within {limits.reading:g} s", code="timeout") from None
    try:
        value = json.loads(data)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Fault(400, "the body holds half of a surrogate pair, which is no character") from None
    except (ValueError, RecursionError):
        raise Fault(400, "the body is not valid JSON") from None
    return value
