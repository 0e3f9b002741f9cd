"""vLLM's offline engine (``pip install vllm``), for large models on GPUs.

Options are scored by the prompt log-probabilities that vLLM returns for prompt + option; its prefix cache does not
serve those (vLLM issue #8268), so that each option costs its whole prompt. Options of the rung: ``max_length``,
``add_bos_token``, ``chat`` and ``system`` (``models.chat``), and ``engine``, a table passed to ``vllm.LLM`` as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from scalecurve.engine.text import Encoder, Pair, finish, scored_output
from scalecurve.models.backend import backend
from scalecurve.models.chat import chat_template
from scalecurve.nouns import Output, Request, Rung, UserError

TOGETHER = 1024  # requests handed to the engine at once


class VllmModel:
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
        requests = [self._chat.request(request) for request in requests] if self._chat else requests
        for begin in range(0, len(requests), TOGETHER):
            indices = range(begin, min(begin + TOGETHER, len(requests)))
            self._score([i for i in indices if requests[i].options], requests, on_output)
            self._write([i for i in indices if not requests[i].options], requests, on_output)

    def _generate(self, prompts: Sequence[Sequence[int]], how: Any) -> list[Any]:
        given = [{"prompt_token_ids": list(ids)} for ids in prompts]
        return list(self._llm.generate(given, how, use_tqdm=False)) if given else []

    def _score(self, indices: list[int], requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        rows = self._encoder.pairs([requests[i] for i in indices])
        fit = [pair for row in rows for pair in row if not pair.error]
        how = self._vllm.SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=1)
        replies = iter(self._generate([pair.context + pair.continuation for pair in fit], how))
        for index, row in zip(indices, rows, strict=True):
            scored = [_scored(pair, next(replies)) for pair in row if not pair.error]
            error = next((pair.error for pair in row if pair.error), "")
            on_output(index, Output(error=error) if error else scored_output(row, scored))

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
                ),
            )
        for index, pair in zip(indices, pairs, strict=True):
            if pair.error:
                on_output(index, Output(error=pair.error))

    def _sampling(self, request: Request) -> Any:
        return self._vllm.SamplingParams(
            n=request.samples,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            stop=list(request.stop) or None,
            seed=request.seed if request.temperature > 0 else None,
            logprobs=0,
            include_stop_str_in_output=False,
            **({"stop_token_ids": sorted(self._chat.ends)} if self._chat else {}),
        )

    def close(self) -> None:
        self._llm = None


def _scored(pair: Pair, reply: Any) -> tuple[float, bool]:
    """Sum over the option's tokens, and whether each was the first choice."""
    steps = reply.prompt_logprobs[-len(pair.continuation) :]
    told = [step[token] for step, token in zip(steps, pair.continuation, strict=True)]
    return sum(float(each.logprob) for each in told), all(each.rank == 1 for each in told)


@backend("vllm")
def open_vllm(rung: Rung, *, dtype: str, **_: Any) -> VllmModel:
    return VllmModel(rung, dtype=dtype)
