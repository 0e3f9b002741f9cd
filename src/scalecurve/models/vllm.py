"""vLLM's offline engine (``pip install vllm``), for large models on GPUs.

Where every option of a question is one token after the same prompt, vLLM is asked for the log-probabilities of just
those tokens as the next one (``logprob_token_ids``): one pass a prompt, which its prefix cache serves. Other questions
are scored by the prompt log-probabilities of prompt + option, which the cache does not serve (vLLM issue #8268), so
that each option costs its whole prompt. All options of a question go one way, so that they compare.

Options of the rung: ``max_length``, ``add_bos_token``, ``chat``, ``system`` and ``enable_thinking`` (``models.chat``),
and ``engine``, a table passed to ``vllm.LLM`` as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from scalecurve.engine.text import Encoder, Pair, finish, scored_output
from scalecurve.errors import UserError
from scalecurve.models import Model
from scalecurve.models.backend import backend
from scalecurve.models.chat import chat_template
from scalecurve.types import Output, Request, Rung

TOGETHER = 1024  # requests handed to the engine at once
MOST_IDS = 128  # tokens whose log-probabilities are asked for in one request


class VllmModel(Model):
    """See the module's description."""

    def __init__(self, rung: Rung, *, dtype: str = "float32") -> None:
        try:
            import vllm
        except ImportError:
            raise UserError(f"{rung.name}: this backend needs vLLM; pip install vllm") from None
        self._vllm = vllm
        self._rung = rung
        self.name = rung.name
        more = dict(rung.options.get("engine", {}))
        length = rung.options.get("max_length")
        self._llm = vllm.LLM(
            model=rung.location,
            revision=rung.revision or None,
            dtype=dtype,
            trust_remote_code=False,
            enable_prefix_caching=True,
            **({"max_model_len": length} if length else {}),
            **more,
        )
        limit = int(self._llm.llm_engine.model_config.max_model_len)
        # One token is always generated after the prompt, so two ids fewer fit than the model could take.
        self._encoder = Encoder(self._llm.get_tokenizer(), limit - 2, rung.options.get("add_bos_token"))
        self._chat = chat_template(rung, self._encoder.tokenizer)
        said = ["vllm", rung.location, rung.revision, dtype, dict(rung.options)]
        said += [self._chat.source] if self._chat else []
        self.fingerprint = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()

    def parameters(self) -> tuple[int, int]:
        return self._rung.params_non_embedding or 0, self._rung.params_total or 0

    def count_tokens(self, text: str) -> int:
        return len(self._encoder.ids([text], special=False)[0])

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        chat = self._chat
        asked = [chat.request(request) for request in requests] if chat else requests

        def said(index: int, output: Output) -> None:
            on_output(index, chat.reply(asked[index], output) if chat else output)

        for begin in range(0, len(asked), TOGETHER):
            indices = range(begin, min(begin + TOGETHER, len(asked)))
            self._score([i for i in indices if asked[i].options], asked, on_output)
            self._write([i for i in indices if not asked[i].options], asked, said)

    def _generate(self, prompts: Sequence[Sequence[int]], how: Any) -> list[Any]:
        given = [{"prompt_token_ids": list(ids)} for ids in prompts]
        return list(self._llm.generate(given, how, use_tqdm=False)) if given else []

    def _score(self, indices: list[int], requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        rows = self._encoder.pairs([requests[i] for i in indices])
        found: list[list[tuple[float, bool]]] = [[] for _ in rows]
        letters = [n for n, row in enumerate(rows) if self._tells_tokens and _one_token(row)]
        for n, scores in zip(letters, self._next_tokens([rows[n] for n in letters]), strict=True):
            found[n] = scores
        rest = [n for n in range(len(rows)) if n not in set(letters)]
        fit = [pair for n in rest for pair in rows[n] if not pair.error]
        how = self._vllm.SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=1)
        replies = iter(self._generate([pair.context + pair.continuation for pair in fit], how))
        for n in rest:
            found[n] = [_scored(pair, next(replies)) for pair in rows[n] if not pair.error]
        for index, row, scores in zip(indices, rows, found, strict=True):
            error = next((pair.error for pair in row if pair.error), "")
            on_output(index, Output(error=error) if error else scored_output(row, scores))

    def _next_tokens(self, rows: Sequence[Sequence[Pair]]) -> list[list[tuple[float, bool]]]:
        """(log-probability, greedy) of options of one token each, of which those of a row follow the same prompt."""
        parts = [(row[at].context, row[at : at + MOST_IDS]) for row in rows for at in range(0, len(row), MOST_IDS)]
        asked = [
            self._vllm.SamplingParams(
                max_tokens=1, temperature=0.0, logprob_token_ids=sorted({pair.continuation[0] for pair in part})
            )
            for _, part in parts
        ]
        replies = self._generate([context for context, _ in parts], asked)
        told = iter(
            [
                (float(reply.outputs[0].logprobs[0][token].logprob), token == reply.outputs[0].token_ids[0])
                for (_, part), reply in zip(parts, replies, strict=True)
                for (token,) in (pair.continuation for pair in part)
            ]
        )
        return [[next(told) for _ in row] for row in rows]

    @cached_property
    def _tells_tokens(self) -> bool:
        """Whether this vLLM tells the log-probabilities of named tokens."""
        try:
            self._vllm.SamplingParams(max_tokens=1, logprob_token_ids=[0])
        except TypeError:
            return False
        return True

    def _write(self, indices: list[int], requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        pairs = self._encoder.prompts([requests[i] for i in indices])
        fit = [(i, pair) for i, pair in zip(indices, pairs, strict=True) if not pair.error]
        how = [self._sampling(requests[i]) for i, _ in fit]
        for (index, pair), reply in zip(fit, self._generate([pair.context for _, pair in fit], how), strict=True):
            texts = [finish(each.text, requests[index])[0] for each in reply.outputs]
            logprobs = tuple(
                tuple(float(step[token].logprob) for token, step in zip(each.token_ids, each.logprobs, strict=True))
                for each in reply.outputs
            )
            on_output(
                index,
                Output(
                    texts=tuple(texts),
                    text_logprobs=logprobs,
                    prompt_tokens=len(pair.context),
                    generated_tokens=sum(map(len, logprobs)),
                    flags=pair.flags,
                    cut=tuple(each.finish_reason == "length" for each in reply.outputs),
                ),
            )
        for index, pair in zip(indices, pairs, strict=True):
            if pair.error:
                on_output(index, Output(error=pair.error))

    def _sampling(self, request: Request) -> Any:
        return self._vllm.SamplingParams(
            n=request.samples,
            max_tokens=request.limit,
            temperature=request.temperature,
            stop=None if request.thinking_tokens else list(request.stop) or None,
            seed=request.seed if request.temperature > 0 else None,
            logprobs=0,
            include_stop_str_in_output=False,
            **({"stop_token_ids": sorted(self._chat.ends)} if self._chat else {}),
        )

    def close(self) -> None:
        self._llm = None


def _one_token(row: Sequence[Pair]) -> bool:
    """Whether all options of a question are one token after the same prompt."""
    return all(not pair.error and len(pair.continuation) == 1 and pair.context == row[0].context for pair in row)


def _scored(pair: Pair, reply: Any) -> tuple[float, bool]:
    """Sum over the option's tokens, and whether each was the first choice."""
    steps = reply.prompt_logprobs[-len(pair.continuation) :]
    told = [step[token] for step, token in zip(steps, pair.continuation, strict=True)]
    return sum(float(each.logprob) for each in told), all(each.rank == 1 for each in told)


@backend("vllm")
def open_vllm(rung: Rung, *, dtype: str, **_: Any) -> VllmModel:
    return VllmModel(rung, dtype=dtype)
