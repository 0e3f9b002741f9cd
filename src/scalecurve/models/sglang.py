"""How SGLang's own interfaces score options: ``/generate`` with ``logprob_start_len``, and ``/v1/score`` for letters.

The server's tokenizer makes the tokens (``/v1/tokenize``), so that an option's are those after the prompt's own, as for
models of this machine. Where all options of a question are one token, ``/v1/score`` tells their probabilities as the
next one in a single pass; else each option's tokens are scored after the prompt, which the server's cache remembers,
and no position before them.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from scalecurve.models.replies import HIGHEST
from scalecurve.types import Output, Request

Post = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""(path from the server's root, body) to the reply's JSON."""


async def score(post: Post, model: str, request: Request, *, letters: bool) -> tuple[Output, int]:
    """The scored options of a request and the tokens that the server was given; ``letters``: ``/v1/score`` is there.

    ``ValueError`` for what a server should not say, and for an option without a token of its own.
    """
    prompt = request.prompt.rstrip()
    texts = [prompt, *(request.prompt + option for option in request.options)]
    told = await post("/v1/tokenize", {"model": model, "prompt": texts})
    context, *wholes = [_ids(ids) for ids in told["tokens"]]
    if len(wholes) != len(request.options):
        raise ValueError(f"{len(wholes)} of {len(request.options)} options have tokens")
    if not context:
        raise ValueError("an empty prompt has no token to begin with")
    options = [ids[len(context) :] for ids in wholes]
    if not all(options):
        raise ValueError("an option has no token of its own after the prompt")
    if letters and all(len(option) == 1 for option in options):
        found = await _next_token(post, model, context, [option[0] for option in options])
        fed = len(context)
    else:
        found = [await _after(post, context, option) for option in options]
        fed = sum(len(context) + len(option) for option in options)
    merged = any(ids[: len(context)] != context for ids in wholes)
    output = Output(
        logprobs=tuple(logprob for logprob, _ in found),
        token_counts=tuple(map(len, options)),
        greedy=tuple(greedy for _, greedy in found),
        prompt_tokens=len(context),
        flags=("boundary_merge",) if merged else (),
    )
    return output, fed


async def _next_token(post: Post, model: str, context: list[int], labels: list[int]) -> list[tuple[float, bool]]:
    """(log-probability, greedy) of tokens that may come next."""
    distinct = sorted(set(labels))
    body = {"query": context[:-1], "items": [context[-1:]], "label_token_ids": distinct, "apply_softmax": False}
    (told,) = (await post("/v1/score", {"model": model, **body}))["scores"]
    if len(told) != len(distinct) or not all(_is_number(one) and 0 <= one <= 1 + HIGHEST for one in told):
        raise ValueError(f"{len(told)} probabilities for {len(distinct)} tokens, or none")
    if not all(told):  # less than a number can hold
        return [await _after(post, context, [label]) for label in labels]
    shares = dict(zip(distinct, told, strict=True))
    best = max(shares, key=lambda label: shares[label])
    if shares[best] <= 0.5:  # another token may be the first choice
        how = {"temperature": 0.0, "max_new_tokens": 1}
        reply = await post("/generate", {"input_ids": context, "sampling_params": how, "return_logprob": True})
        best = int(reply["meta_info"]["output_token_logprobs"][0][1])
    return [(math.log(shares[label]), label == best) for label in labels]


async def _after(post: Post, context: list[int], option: list[int]) -> tuple[float, bool]:
    """(log-probability, greedy) of an option's tokens after the prompt's."""
    body = {
        "input_ids": [*context, *option],
        "sampling_params": {"temperature": 0.0, "max_new_tokens": 0},
        "return_logprob": True,
        "logprob_start_len": len(context) - 1,
        "top_logprobs_num": 1,
    }
    told = (await post("/generate", body))["meta_info"]
    tokens, tops = (told[name][-len(option) :] for name in ("input_token_logprobs", "input_top_logprobs"))
    if [entry[1] for entry in tokens] != option or len(tops) != len(option):
        raise ValueError("log-probabilities of other tokens than were asked for")
    values = [entry[0] for entry in tokens]
    if not all(_is_number(value) and value <= HIGHEST for value in values):
        raise ValueError("a log-probability that is not a number, or above 0")
    greedy = all(value >= max(one[0] for one in top) - 1e-6 for value, top in zip(values, tops, strict=True))
    return float(sum(values)), greedy


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _ids(told: Sequence[Any]) -> list[int]:
    if not all(isinstance(one, int) for one in told):
        raise TypeError("tokens that are no numbers")
    return list(told)
