"""Models behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, hosted APIs.

``location`` is the server's base URL. Options are scored through ``/completions`` with ``echo``, by which a server
tells the log-probability of its prompt; a server that does not is refused, never guessed at. With ``api = "sglang"``
they are scored by SGLang's own interfaces (``models.sglang``). A chat server tells at most what its reply may begin
with: with ``top_logprobs = 20`` queries choose among options by that (``models.replies``). Texts come from
``/completions``, or from ``/chat/completions`` with ``chat = true``.

Options of the rung: ``model`` (default: the rung's name), ``api``, ``chat``, ``system`` (its system prompt),
``api_key_env`` (name of the environment variable that holds the key, default OPENAI_API_KEY), ``enable_thinking`` (of
chats: told to the server's chat template), ``top_logprobs`` (of chats: 0–20 beginnings of a reply; 0 writes answers),
``concurrency`` (8), ``timeout`` in seconds (120), ``retries`` (6, with growing and jittered pauses, on 408, 409, 429,
5xx, timeouts and broken connections), ``max_tokens_total`` (budget).

What a server gives as ``reasoning_content`` or ``reasoning`` is thinking, kept apart from the text. Stop strings are
not sent where a request lets the model think, as they would end the thinking; the text is cut at them here.

A reply that is no JSON, or not of the form that was asked for, is asked for once more and then fails its request, as
does one whose log-probabilities are not one a token. Nothing is made of half a reply.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from scalecurve.errors import UserError
from scalecurve.models import Model
from scalecurve.models.backend import backend
from scalecurve.models.guarded import Secret, guarded_client, thinking_told, tokens_told
from scalecurve.models.replies import (
    Refused,
    begun,
    check_logprobs,
    cut,
    offsets,
    said,
    some_choices,
    thought,
    token_logprobs,
)
from scalecurve.types import Output, Request, Rung

DEFAULTS: dict[str, Any] = {
    "model": "",
    "api": "openai",
    "chat": False,
    "system": "",
    "api_key_env": "OPENAI_API_KEY",
    "concurrency": 8,
    "timeout": 120.0,
    "retries": 6,
    "max_tokens_total": 0,
    "enable_thinking": None,
    "top_logprobs": 0,
}
MOST_TOP = 20  # beginnings that OpenAI's interface tells
APIS = ("openai", "sglang")
LETTERS_A_TOKEN = 4  # the tokenizer is the server's; this is the usual rule of thumb for English


PAUSES = 10.0  # seconds for the pause before a request is tried again, at most
_MALFORMED = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)  # what comes of reading a reply that is not as it should


class EndpointModel(Model):
    """See the module's description. ``used_tokens`` counts what the server reported."""

    scores: bool = True
    picks: bool = False

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
        self.picks = self.options["top_logprobs"] > 0
        self._key = os.environ.get(self.options["api_key_env"], "").strip()
        self._secret = Secret(self._key)
        identity = [rung.location, self.options["model"], self.options["chat"], rung.revision]
        identity += [] if self.options["api"] == "openai" else [self.options["api"]]
        identity += [self.options["system"]] if self.options["system"] else []
        thinks = self.options["enable_thinking"]
        identity += [] if thinks is None else [{"enable_thinking": thinks}]
        identity += [{"top_logprobs": self.options["top_logprobs"]}] if self.picks else []
        self.fingerprint = hashlib.sha256(json.dumps(["endpoint", *identity]).encode()).hexdigest()
        self.used_tokens = 0
        self._letters = True  # SGLang's /v1/score is there, as far as is known

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
            http_client=guarded_client(self._openai, timeout=self.options["timeout"]),
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
                    return self._kept(await work(client, request))
            except Refused as error:
                return Output(error=self._clean(str(error)))
            except TimeoutError:
                return Output(error=f"no whole reply within {longest:.0f} s")
            except self._openai.OpenAIError as error:
                return Output(error=self._clean(f"{type(error).__name__}: {error}"))
            except _MALFORMED as error:
                if last:
                    said = f"the server's reply is not understood ({type(error).__name__}: {error})"
                    return Output(error=self._clean(said))
        raise AssertionError("not reached: the last try returns")

    def _kept(self, output: Output) -> Output:
        """What may be kept: no text with the key in it."""
        if any(map(self._secret.within, (*output.texts, *output.thinking))):
            return Output(error="the server wrote the API key, which is not kept")
        return output

    def _clean(self, text: str) -> str:
        """One line without the key, as far as a server repeats it."""
        return self._secret.without(" ".join(text[:10_000].split()))[:300]

    # ── Scoring ─────────────────────────────────────────────────────────────────────────────────────────────
    async def _score(self, client: Any, request: Request) -> Output:
        if self.picks:
            return await self._pick(client, request)
        if self.options["chat"]:
            raise Refused(
                f"{self.name}: chat servers do not tell the log-probability of a given option; "
                "score options with chat = false on a server of /completions, or use text metrics"
            )
        if self.options["api"] == "sglang":
            return await self._score_sglang(client, request)
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

    async def _pick(self, client: Any, request: Request) -> Output:
        """Options by the first token of the reply that one call of the chat would give."""
        reply = await client.chat.completions.create(
            model=self.options["model"],
            messages=self._messages(request),
            logprobs=True,
            top_logprobs=self.options["top_logprobs"],
            **self._how(replace(request, max_tokens=1, stop=()), chat=True),
        )
        self._count(reply)
        logprobs, best = begun(reply.choices[0], request.options)
        prompt_tokens, generated, _ = tokens_told(reply)
        return Output(
            logprobs=logprobs,
            token_counts=(1,) * len(logprobs),
            greedy=tuple(value >= best for value in logprobs),
            prompt_tokens=prompt_tokens,
            generated_tokens=generated,
        )

    async def _score_sglang(self, client: Any, request: Request) -> Output:
        from scalecurve.models.sglang import score

        root = self._rung.location.rstrip("/").removesuffix("/v1")

        async def post(path: str, body: dict[str, Any]) -> Any:
            return await client.post(root + path, body=body, cast_to=object)

        async def scored(letters: bool) -> Output:
            output, fed = await score(post, self.options["model"], request, letters=letters)
            self.used_tokens += fed
            return output

        try:
            return await scored(self._letters)
        except self._openai.NotFoundError:  # an older SGLang, without /v1/score
            if not self._letters:
                raise
            self._letters = False
            return await scored(False)

    async def _score_one(self, client: Any, prompt: str, option: str) -> tuple[float, int, bool, int, tuple[str, ...]]:
        """(log-probability, tokens, greedy, prompt tokens, flags) of an option; one call of the server."""
        reply = await client.completions.create(
            model=self.options["model"], prompt=prompt + option, max_tokens=1, temperature=0.0, echo=True, logprobs=1
        )
        self._count(reply)
        told = reply.choices[0].logprobs
        tokens = list(told.tokens or ()) if told else []
        starts = (list(told.text_offset or ()) or offsets(tokens)) if told else []
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
        if "".join(tokens) == reply.choices[0].text and starts != offsets(tokens):
            raise Refused("the server told places of tokens that are not where they stand")
        first = next((at for at, start in enumerate(starts) if start >= len(prompt)), len(tokens))
        end = next((at for at, start in enumerate(starts) if start >= len(whole)), len(tokens))
        if not prompt:
            first = max(first, 1)  # the first token of a text has no log-probability
        values = logprobs[first:end]
        if not values or any(value is None for value in values):
            raise Refused("the option has no token of its own after the prompt")
        check_logprobs(values)
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
            model=self.options["model"], prompt=request.prompt.rstrip(" "), logprobs=1, **self._how(request, chat=False)
        )
        self._count(reply)
        choices = some_choices(reply.choices, request)
        if not all(isinstance(choice.text, str) for choice in choices):
            raise TypeError("a choice has no text")
        prompt_tokens, generated, _ = tokens_told(reply)
        return Output(
            texts=tuple(finish(choice.text, request)[0] for choice in choices),
            text_logprobs=tuple(token_logprobs(choice.logprobs) for choice in choices),
            prompt_tokens=prompt_tokens,
            generated_tokens=generated,
            cut=cut(choices),
        )

    async def _chat(self, client: Any, request: Request) -> Output:
        from scalecurve.engine.text import finish

        reply = await client.chat.completions.create(
            model=self.options["model"],
            messages=self._messages(request),
            **self._how(request, chat=True),
        )
        self._count(reply)
        choices = some_choices(reply.choices, request)
        prompt_tokens, generated, _ = tokens_told(reply)
        return Output(
            texts=tuple(finish(said(choice), request)[0] for choice in choices),
            text_logprobs=((),) * len(choices),
            prompt_tokens=prompt_tokens,
            generated_tokens=generated,
            cut=cut(choices, chat=True),
            thinking=tuple(thought(choice.message) for choice in choices),
            thinking_tokens=min(generated, thinking_told(reply)),
        )

    def _messages(self, request: Request) -> list[dict[str, str]]:
        system = [{"role": "system", "content": self.options["system"]}] if self.options["system"] else []
        return [*system, {"role": "user", "content": request.prompt}]

    def _how(self, request: Request, *, chat: bool) -> dict[str, Any]:
        how: dict[str, object] = {"max_tokens": request.limit, "temperature": request.temperature}
        more: dict[str, object] = {}
        if request.effort and chat:
            how["reasoning_effort"] = request.effort
        elif request.effort:
            more["reasoning_effort"] = request.effort
        if self.options["enable_thinking"] is not None:
            more["chat_template_kwargs"] = {"enable_thinking": self.options["enable_thinking"]}
        if more:
            how["extra_body"] = more
        if request.temperature > 0:
            how["seed"] = request.seed
        if request.samples > 1:
            how["n"] = request.samples
        if request.stop and not request.thinking_tokens:
            how["stop"] = list(request.stop)
        return how

    def _count(self, reply: object) -> None:
        self.used_tokens += tokens_told(reply)[2]

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
        like = True if DEFAULTS[key] is None else DEFAULTS[key]
        kind = (int, float) if isinstance(like, float) else type(like)
        if not isinstance(value, kind):
            raise UserError(f"{rung.name}: options: {key} must be like {like!r}, not {value!r}")
    options = DEFAULTS | dict(rung.options)
    options["model"] = options["model"] or rung.name
    if options["enable_thinking"] is not None and not options["chat"]:
        raise UserError(f"{rung.name}: options: enable_thinking needs chat = true")
    if options["top_logprobs"] and not (options["chat"] and 0 < options["top_logprobs"] <= MOST_TOP):
        raise UserError(f"{rung.name}: options: top_logprobs needs chat = true, and is at most {MOST_TOP}")
    if options["system"] and not options["chat"]:
        raise UserError(f"{rung.name}: options: system needs chat = true")
    if "API_KEY" not in options["api_key_env"]:  # a study of somebody else's must not send off any other secret
        raise UserError(f"{rung.name}: options: api_key_env must name a variable with API_KEY in its name")
    if options["api"] not in APIS:
        raise UserError(f"{rung.name}: options: api must be one of {', '.join(APIS)}, not {options['api']!r}")
    if options["concurrency"] < 1:
        raise UserError(f"{rung.name}: options: concurrency must be 1 or more")
    return options


@backend("endpoint")
def open_endpoint(rung: Rung, **_: Any) -> EndpointModel:
    return EndpointModel(rung)
