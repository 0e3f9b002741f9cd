"""Models behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, hosted APIs.

``location`` is the server's base URL. Options are scored through ``/completions`` with ``echo``, by which a server
tells the log-probability of its prompt; a server that does not is refused, never guessed at. Texts come from
``/completions``, or from ``/chat/completions`` with ``chat = true``.

Options of the rung: ``model`` (default: the rung's name), ``chat``, ``system`` (its system prompt), ``api_key_env``
(name of the environment variable that holds the key, default OPENAI_API_KEY), ``concurrency`` (8), ``timeout`` in
seconds (120), ``retries`` (6, with growing and jittered pauses, on 408, 409, 429, 5xx, timeouts and broken
connections), ``max_tokens_total`` (budget).

A reply that is no JSON, or not of the form that was asked for, is asked for once more and then fails its request, as
does one whose log-probabilities are not one a token. Nothing is made of half a reply.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from scalecurve.models.backend import backend
from scalecurve.nouns import Output, Request, Rung, UserError

DEFAULTS: dict[str, Any] = {
    "model": "",
    "chat": False,
    "system": "",
    "api_key_env": "OPENAI_API_KEY",
    "concurrency": 8,
    "timeout": 120.0,
    "retries": 6,
    "max_tokens_total": 0,
}
LETTERS_A_TOKEN = 4  # the tokenizer is the server's; this is the usual rule of thumb for English


PAUSES = 10.0  # seconds for the pause before a request is tried again, at most
_MALFORMED = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
)  # what comes of reading a reply that is not as it should


class Refused(Exception):
    """The server does not do what was asked, and never will."""


class EndpointModel:
    """See the module's description. ``used_tokens`` counts what the server reported."""

    def __init__(self, rung: Rung) -> None:
        try:
            import openai
        except ImportError:
            raise UserError(f"{rung.name}: endpoints need openai; pip install 'scalecurve[models]'") from None
        self._openai = openai
        self._rung = rung
        self.name = rung.name
        self.options = options_of(rung)
        self.scores = not self.options["chat"]
        self._key = os.environ.get(self.options["api_key_env"], "").strip()
        identity = [rung.location, self.options["model"], self.options["chat"], rung.revision]
        identity += [self.options["system"]] if self.options["system"] else []
        self.fingerprint = hashlib.sha256(json.dumps(["endpoint", *identity]).encode()).hexdigest()
        self.used_tokens = 0

    def parameters(self) -> tuple[int, int]:
        return self._rung.params_non_embedding or 0, self._rung.params_total or 0

    def count_tokens(self, text: str) -> int:
        """An estimate: the server's tokenizer is not known here."""
        return -(-len(text) // LETTERS_A_TOKEN)

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        asyncio.run(self._run(requests, on_output))

    async def _run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        waiting = iter(range(len(requests)))
        client = self._openai.AsyncOpenAI(
            base_url=self._rung.location,
            api_key=self._key or "none",
            timeout=self.options["timeout"],
            max_retries=self.options["retries"],
        )

        async def work() -> None:
            for index in waiting:
                on_output(index, await self._answer(client, requests[index]))

        async with client, asyncio.TaskGroup() as group:
            for _ in range(min(self.options["concurrency"], len(requests))):
                group.create_task(work())

    async def _answer(self, client: Any, request: Request) -> Output:
        budget = self.options["max_tokens_total"]
        if budget and self.used_tokens >= budget:
            return Output(error=f"the budget of {budget} tokens is used up (max_tokens_total)")
        work = self._score if request.options else self._chat if self.options["chat"] else self._complete
        longest = (self.options["retries"] + 1) * (self.options["timeout"] + PAUSES) * max(1, len(request.options))
        for last in (False, True):
            try:
                async with asyncio.timeout(longest):  # the client's own is for each piece of a reply, which may trickle
                    return await work(client, request)
            except Refused as error:
                return Output(error=str(error))
            except TimeoutError:
                return Output(error=f"no whole reply within {longest:.0f} s")
            except self._openai.OpenAIError as error:
                return Output(error=self._clean(f"{type(error).__name__}: {error}"))
            except _MALFORMED as error:
                if last:
                    said = f"the server's reply is not understood ({type(error).__name__}: {error})"
                    return Output(error=self._clean(said))
        raise AssertionError("not reached: the last try returns")

    def _clean(self, text: str) -> str:
        """One line without the key, as far as a server repeats it."""
        text = " ".join(text.split())
        return (text.replace(self._key, "…") if self._key else text)[:300]

    # ── Scoring ─────────────────────────────────────────────────────────────────────────────────────────────
    async def _score(self, client: Any, request: Request) -> Output:
        if self.options["chat"]:
            raise Refused(
                f"{self.name}: chat servers do not tell the log-probability of a given option; "
                "score options with chat = false on a server of /completions, or use text metrics"
            )
        prompt = request.prompt.rstrip()
        held = request.prompt[len(prompt) :]
        scored = [await self._score_one(client, prompt, held + option) for option in request.options]
        return Output(
            logprobs=tuple(logprob for logprob, *_ in scored),
            token_counts=tuple(count for _, count, *_ in scored),
            greedy=tuple(greedy for _, _, greedy, *_ in scored),
            prompt_tokens=max(before for *_, before, _ in scored),
            flags=tuple(sorted({flag for *_, flags in scored for flag in flags})),
        )

    async def _score_one(self, client: Any, prompt: str, option: str) -> tuple[float, int, bool, int, tuple[str, ...]]:
        """(log-probability, tokens, greedy, prompt tokens, flags) of an option; one call of the server."""
        reply = await client.completions.create(
            model=self.options["model"], prompt=prompt + option, max_tokens=1, temperature=0.0, echo=True, logprobs=1
        )
        self._count(reply)
        told = reply.choices[0].logprobs
        tokens = list(told.tokens or ()) if told else []
        starts = (list(told.text_offset or ()) or _offsets(tokens)) if told else []
        whole = prompt + option
        if not reply.choices[0].text.startswith(whole) or not starts or starts[0] > 0 or starts[-1] == 0:
            raise Refused(
                f"{self.name}: the server does not tell log-probabilities of the prompt (echo with logprobs on "
                "/completions), so options cannot be scored; vLLM and llama-cpp-python's server do. With options = "
                "{ chat = true } answers are written instead"
            )
        logprobs = list(told.token_logprobs or ())
        tops = list(told.top_logprobs or ())
        if not len(tokens) == len(starts) == len(logprobs) == len(tops):
            raise Refused(
                f"the server told {len(logprobs)} log-probabilities, {len(tops)} best ones and "
                f"{len(starts)} places for {len(tokens)} tokens"
            )
        first = next((at for at, start in enumerate(starts) if start >= len(prompt)), len(tokens))
        end = next((at for at, start in enumerate(starts) if start >= len(whole)), len(tokens))
        if not prompt:
            first = max(first, 1)  # the first token of a text has no log-probability
        values = logprobs[first:end]
        if not values or any(value is None for value in values):
            raise Refused("the option has no token of its own after the prompt")
        if not all(math.isfinite(value) for value in values):
            raise Refused("the server told a log-probability that is not a number")
        best = [max(top.values(), default=value) for top, value in zip(tops[first:end], values, strict=True)]
        merged = first < len(starts) and first > 0 and starts[first] > len(prompt)
        return (
            float(sum(values)),
            len(values),
            all(value >= top - 1e-6 for value, top in zip(values, best, strict=True)),
            first,
            ("boundary_merge",) if merged else (),
        )

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────
    async def _complete(self, client: Any, request: Request) -> Output:
        from scalecurve.engine.text import finish

        reply = await client.completions.create(
            model=self.options["model"], prompt=request.prompt.rstrip(" "), logprobs=1, **self._how(request)
        )
        self._count(reply)
        if not all(isinstance(choice.text, str) for choice in _some(reply.choices)):
            raise TypeError("a choice has no text")
        return Output(
            texts=tuple(finish(choice.text, request)[0] for choice in reply.choices),
            text_logprobs=tuple(_token_logprobs(choice.logprobs) for choice in reply.choices),
            prompt_tokens=reply.usage.prompt_tokens if reply.usage else 0,
            generated_tokens=(reply.usage.completion_tokens or 0) if reply.usage else 0,
        )

    async def _chat(self, client: Any, request: Request) -> Output:
        from scalecurve.engine.text import finish

        system = [{"role": "system", "content": self.options["system"]}] if self.options["system"] else []
        reply = await client.chat.completions.create(
            model=self.options["model"],
            messages=[*system, {"role": "user", "content": request.prompt}],
            **self._how(request),
        )
        self._count(reply)
        return Output(
            texts=tuple(finish(choice.message.content or "", request)[0] for choice in _some(reply.choices)),
            text_logprobs=((),) * len(reply.choices),
            prompt_tokens=reply.usage.prompt_tokens if reply.usage else 0,
            generated_tokens=(reply.usage.completion_tokens or 0) if reply.usage else 0,
        )

    def _how(self, request: Request) -> dict[str, Any]:
        how: dict[str, Any] = {"max_tokens": request.max_tokens, "temperature": request.temperature}
        if request.temperature > 0:
            how["seed"] = request.seed
        if request.samples > 1:
            how["n"] = request.samples
        if request.stop:
            how["stop"] = list(request.stop)
        return how

    def _count(self, reply: Any) -> None:
        self.used_tokens += reply.usage.total_tokens if reply.usage else 0

    def close(self) -> None:
        """Nothing is held between runs."""


def options_of(rung: Rung) -> dict[str, Any]:
    """All options with their defaults. ``UserError`` for a wrong one, or an address that runs must not keep."""
    if not rung.location.startswith(("http://", "https://")):
        raise UserError(
            f"{rung.name}: location: {rung.location} is not a URL; give the server's, as http://host:8000/v1"
        )
    address = urlsplit(rung.location)
    if address.username is not None or address.password is not None or address.query:
        raise UserError(
            f"{rung.name}: location: holds a password or a query, which runs would keep; leave it out and put the key "
            "into the environment variable that options name as api_key_env"
        )
    for key, value in rung.options.items():
        if key not in DEFAULTS:
            raise UserError(f"{rung.name}: options: unknown {key!r}; known: {', '.join(sorted(DEFAULTS))}")
        kind = (int, float) if isinstance(DEFAULTS[key], float) else type(DEFAULTS[key])
        if not isinstance(value, kind):
            raise UserError(f"{rung.name}: options: {key} must be like {DEFAULTS[key]!r}, not {value!r}")
    options = DEFAULTS | dict(rung.options)
    options["model"] = options["model"] or rung.name
    if options["system"] and not options["chat"]:
        raise UserError(f"{rung.name}: options: system needs chat = true")
    if "API_KEY" not in options["api_key_env"]:  # a study of somebody else's must not send off any other secret
        raise UserError(f"{rung.name}: options: api_key_env must name a variable with API_KEY in its name")
    if options["concurrency"] < 1:
        raise UserError(f"{rung.name}: options: concurrency must be 1 or more")
    return options


def _some(choices: Sequence[Any]) -> Sequence[Any]:
    if not choices:
        raise ValueError("it holds no choice")
    return choices


def _token_logprobs(told: Any) -> tuple[float, ...]:
    """Log-probabilities of a text's tokens, as OpenAI's completions tell them or as llama.cpp does; empty if untold."""
    values, tokens = getattr(told, "token_logprobs", None), getattr(told, "tokens", None)
    if values is None:
        values = [each.get("logprob") for each in getattr(told, "content", None) or ()]
    elif tokens is not None and len(values) != len(tokens):
        raise Refused(f"the server told {len(values)} log-probabilities for {len(tokens)} tokens")
    known = tuple(float(value) for value in values if value is not None)
    if not all(map(math.isfinite, known)):
        raise Refused("the server told a log-probability that is not a number")
    return known


def _offsets(tokens: Sequence[str]) -> list[int]:
    starts = [0]
    for token in tokens[:-1]:
        starts.append(starts[-1] + len(token))
    return starts


@backend("endpoint")
def open_endpoint(rung: Rung, **_: Any) -> EndpointModel:
    return EndpointModel(rung)
