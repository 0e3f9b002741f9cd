"""The wire: OpenAI's requests as Inquiries, Traces as OpenAI's replies, and errors in its form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scalecurve.routing import Inquiry
from scalecurve.routing.trace import Step, Trace
from scalecurve.strategies import Shot
from scalecurve.tasks.postprocess import FIRST_LINE
from scalecurve.types import Example, Postprocess, Rendering, Task

REFUSALS = {
    "unanswerable": "I cannot answer this: the question does not seem to have an answer.",
    "abstained": "I am not sure enough to answer this.",
}
_WORDS = re.compile(r"\s*\S+\s*")


class Fault(Exception):
    """A request that is not answered: HTTP status, OpenAI's error type and code, the field at fault."""

    def __init__(self, status: int, message: str, *, type: str = "invalid_request_error", code: str | None = None,
                 param: str | None = None) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": type, "param": param, "code": code}}


# ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────
class _Part(BaseModel):
    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One turn of a chat. Content is a text, or parts of text."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part]

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class _StreamOptions(BaseModel):
    include_usage: bool = False


class Common(BaseModel):
    """What both kinds of request share. Sampling fields are taken and not used: the Thinker decides how to sample.

    ``options`` (one of them is chosen by its probability) and ``family`` (the task a controller knows) are ours.
    """

    model_config = ConfigDict(extra="ignore")

    model: str
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    stream: bool = False
    stream_options: _StreamOptions | None = None
    stop: str | list[str] | None = None
    n: Literal[1] | None = None
    options: list[str] = Field([], max_length=100)
    family: str = ""

    def tokens(self, most: int) -> int:
        """Longest text; ``Fault`` where more is asked for than the server gives."""
        wanted = self.max_completion_tokens or self.max_tokens
        if wanted is not None and wanted > most:
            raise Fault(400, f"max_tokens: at most {most} here, not {wanted}", param="max_tokens")
        return wanted or min(most, 256)


class ChatRequest(Common):
    """A call of ``/v1/chat/completions``."""

    messages: list[Message] = Field(min_length=1, max_length=1000)

    def inquiry(self, most: int) -> Inquiry:
        """The last user turn is the question, earlier exchanges are shots, system turns stand before all of them."""
        system = [one.text for one in self.messages if one.role in ("system", "developer")]
        turns: list[tuple[str, str]] = []
        for message in self.messages:
            if message.role in ("system", "developer"):
                continue
            if turns and turns[-1][0] == message.role:
                turns[-1] = (message.role, f"{turns[-1][1]}\n{message.text}")
            else:
                turns.append((message.role, message.text))
        if not turns or turns[-1][0] != "user" or not turns[-1][1].strip():
            raise Fault(400, "messages: the last one must be the user's question", param="messages")
        shots = [
            Shot(Example(f"shot{at}", asked, (answer,), rationale=_steps(answer)), answer)
            for at, ((role, asked), (_, answer)) in enumerate(pairwise(turns))
            if role == "user"
        ]
        rendering = Rendering(task_prefix="\n".join([*system, ""]) if system else "")
        return self._inquiry(turns[-1][1], rendering, tuple(shots), most)

    def _inquiry(self, text: str, rendering: Rendering, shots: tuple[Shot, ...], most: int) -> Inquiry:
        task = Task("question", (), (), "", rendering, Postprocess(FIRST_LINE))
        return Inquiry(text, tuple(self.options), shots, task, self.family, self.tokens(most))


class CompletionRequest(Common):
    """A call of ``/v1/completions``; what the Thinker cannot give (``echo``, ``suffix``, several texts) is refused."""

    prompt: str | list[str]
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None
    suffix: None = None

    def inquiry(self, most: int) -> Inquiry:
        """The prompt as it stands is what the fast answer continues."""
        text = self.prompt if isinstance(self.prompt, str) else self.prompt[0] if len(self.prompt) == 1 else ""
        if not text.strip():
            raise Fault(400, "prompt: give one text", param="prompt")
        rendering = Rendering(input_prefix="", output_prefix="" if text[-1].isspace() else " ")
        task = Task("question", (), (), "", rendering, Postprocess(FIRST_LINE))
        return Inquiry(text, tuple(self.options), (), task, self.family, self.tokens(most))


_UNSUPPORTED = ("tools", "functions", "logprobs", "top_logprobs", "logit_bias", "audio", "modalities")


def parse(kind: type[ChatRequest] | type[CompletionRequest], data: object) -> ChatRequest | CompletionRequest:
    """The request in ``data``; ``Fault`` naming the first field at fault, or one that would have to be obeyed."""
    if not isinstance(data, Mapping):
        raise Fault(400, "the body must be a JSON object")
    for name in _UNSUPPORTED:
        if data.get(name):
            raise Fault(400, f"{name}: not supported here; leave it out", param=name)
    form = data.get("response_format")
    if form and not (isinstance(form, Mapping) and form.get("type") == "text"):
        raise Fault(400, "response_format: only text here", param="response_format")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Fault(400, f"{where}: {first['msg']}", param=where) from None


def _steps(answer: str) -> str:
    """An earlier answer that shows its steps is a shot with steps."""
    return answer if re.search("the answer is", answer, re.IGNORECASE) else ""


# ── Replies ──────────────────────────────────────────────────────────────────────────────────────────────────
def content(trace: Trace, stop: str | Sequence[str] | None) -> str:
    """What the asker reads: the response, cut at the first stop string, or why there is none."""
    text = REFUSALS.get(trace.status, trace.response)
    for each in [stop] if isinstance(stop, str) else stop or ():
        text = text.partition(each)[0] if each else text
    return text


def usage(trace: Trace) -> dict[str, object]:
    """Tokens of everything that was asked; those of slow answers are the reasoning tokens."""
    read, written = trace.prompt_tokens, trace.generated_tokens
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "completion_tokens_details": {"reasoning_tokens": trace.slow_tokens},
    }


def told(trace: Trace) -> dict[str, object]:
    """The extra field ``scalecurve``: how the answer came about."""
    own = {name: getattr(trace, name) for name in ("status", "who", "how", "confidence")}
    return own | {"steps": [asdict(step) for step in trace.steps]}


def whole(request: ChatRequest | CompletionRequest, head: Mapping[str, object], trace: Trace) -> dict[str, object]:
    """The reply in one piece. ``head``: id, created, model."""
    text = content(trace, request.stop)
    choice: dict[str, object] = {"index": 0, "finish_reason": "stop", "logprobs": None}
    own: dict[str, object] = {"text": text}
    if isinstance(request, ChatRequest):
        own = {"message": {"role": "assistant", "content": text, "refusal": None}}
    kind = "chat.completion" if isinstance(request, ChatRequest) else "text_completion"
    return {**head, "object": kind, "choices": [choice | own], "usage": usage(trace), "scalecurve": told(trace)}


def opening(request: ChatRequest | CompletionRequest, head: Mapping[str, object]) -> dict[str, object]:
    """The first piece of a stream."""
    return _piece(request, head, "")


def step_piece(request: ChatRequest | CompletionRequest, head: Mapping[str, object], step: Step) -> dict[str, object]:
    """A piece without text that tells a step, as it is done."""
    return _piece(request, head, None) | {"scalecurve": {"step": asdict(step)}}


def pieces(
    request: ChatRequest | CompletionRequest, head: Mapping[str, object], trace: Trace
) -> Iterator[dict[str, object]]:
    """The answer word by word, then the end with the trace, then the tokens where they were asked for."""
    for word in _WORDS.findall(content(trace, request.stop)):
        yield _piece(request, head, word)
    yield _piece(request, head, None, finish="stop") | {"scalecurve": told(trace)}
    if request.stream_options and request.stream_options.include_usage:
        yield _piece(request, head, None) | {"choices": [], "usage": usage(trace)}


def _piece(
    request: ChatRequest | CompletionRequest, head: Mapping[str, object], text: str | None, finish: str | None = None
) -> dict[str, object]:
    choice: dict[str, object] = {"index": 0, "finish_reason": finish, "logprobs": None}
    if not isinstance(request, ChatRequest):
        return {**head, "object": "text_completion", "choices": [choice | {"text": text or ""}]}
    delta = {} if text is None else {"content": text} if text else {"role": "assistant", "content": ""}
    return {**head, "object": "chat.completion.chunk", "choices": [choice | {"delta": delta}]}
