"""From text to token ids: where an option begins, what begins a sequence, what is cut when it is too long.

The rules are those of lm-evaluation-harness (``TemplateLM._encode_pair``), so that equal prompts, weights and dtype
give equal log-probabilities. Where the harness stops with an assertion, one request fails with its reason instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scalecurve.types import Output, Request
from scalecurve.util.thinking import answer_begins

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = tuple[int, ...]

TOGETHER = 64  # requests whose texts are tokenised in one call
MERGE = "boundary_merge"
TRUNCATED = "truncated"
SHORTENED = "shortened"
NOT_A_NUMBER = "the model gave a log-probability that is not a number"


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids of a prompt and of one option after it. A non-empty ``error`` says why there are none."""

    context: Ids = ()
    continuation: Ids = ()
    flags: tuple[str, ...] = ()
    error: str = ""


class Encoder:
    """A tokenizer and the rules by which it is used.

    ``add_bos``: None leaves special tokens to the tokenizer's own default. ``max_length``: tokens a sequence may have.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_length: int, add_bos: bool | None = None) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.add_bos = add_bos
        prefix = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        self.prefix = int(prefix if prefix is not None else 0)
        self.prefix_text: str = tokenizer.bos_token or tokenizer.eos_token or ""
        ends = (tokenizer.eos_token_id,)
        self.ends = frozenset(int(end) for end in ends if end is not None)
        self.added_ends = self._added_ends()
        self.guide: Any = None  # the tokenizer as grammars need it, made when one is asked for
        self.grammars: dict[str, Any] = {}  # grammars that texts were held to, as read for this tokenizer

    def ids(self, texts: Sequence[str], *, special: bool = True) -> list[list[int]]:
        """Token ids of each text; with ``special``, the special tokens that begin a sequence."""
        begun = [not special or bool(self.prefix_text and text.startswith(self.prefix_text)) for text in texts]
        add = True if self.add_bos is None else self.add_bos
        out: list[list[int]] = [[]] * len(texts)
        for bare in (False, True):
            rows = [i for i, is_bare in enumerate(begun) if is_bare == bare]
            if rows:
                encoded = self.tokenizer(
                    [texts[i] for i in rows],
                    add_special_tokens=add and not bare,
                    return_attention_mask=False,
                    return_token_type_ids=False,
                )
                cut = self.added_ends if add and not bare else 0
                for i, ids in zip(rows, encoded["input_ids"], strict=True):
                    out[i] = self._begin(ids[: len(ids) - cut], bare)
        return out

    def _added_ends(self) -> int:
        """How many special tokens the tokenizer appends to a text: no text ends where an option or a reply follows."""
        how = {"return_attention_mask": False, "return_token_type_ids": False}
        bare = list(self.tokenizer(["a"], add_special_tokens=False, **how)["input_ids"][0])
        ids = list(self.tokenizer(["a"], add_special_tokens=True, **how)["input_ids"][0])
        starts = [at for at in range(len(ids) - len(bare) + 1) if ids[at : at + len(bare)] == bare]
        return len(ids) - len(bare) - starts[0] if starts else 0

    def _begin(self, ids: list[int], bare: bool) -> list[int]:
        if self.add_bos and not bare and ids[:1] != [self.prefix]:
            return [self.prefix, *ids]
        return ids

    def pairs(self, requests: Sequence[Request]) -> list[list[Pair]]:
        """The split of each option of each request: ids(option) = ids(prompt + option) after ids(prompt)."""
        rows: list[list[Pair]] = []
        for begin in range(0, len(requests), TOGETHER):
            rows += self._pairs(requests[begin : begin + TOGETHER])
        return rows

    def _pairs(self, requests: Sequence[Request]) -> list[list[Pair]]:
        texts: dict[str, int] = {}
        bare: dict[str, int] = {}
        for request in requests:
            prompt, held = hold_back(request.prompt)
            if prompt:
                texts.setdefault(prompt, len(texts))
            for option in request.options:
                names, text = (texts, prompt + held + option) if prompt else (bare, held + option)
                names.setdefault(text, len(names))
        whole = self.ids(list(texts))
        alone = self.ids(list(bare), special=False)
        rows = []
        for request in requests:
            prompt, held = hold_back(request.prompt)
            if prompt:
                ids = whole[texts[prompt]]
                context = tuple(ids)
                row = [self._split(context, ids, whole[texts[prompt + held + option]]) for option in request.options]
            else:
                row = [self._unconditional(alone[bare[held + option]]) for option in request.options]
            rows.append(row)
        return rows

    def _split(self, context: Ids, ids: list[int], whole: list[int]) -> Pair:
        continuation = tuple(whole[len(ids) :])
        merged = whole[: len(ids)] != ids
        if not continuation:
            return Pair(error="the option has no token of its own after the prompt")
        return self.fit(context or (self.prefix,), continuation, (MERGE,) if merged else ())

    def _unconditional(self, ids: list[int]) -> Pair:
        continuation = tuple(ids)
        if not continuation:
            return Pair(error="the prompt and the option are empty")
        if continuation[0] == self.prefix and len(continuation) > 1:
            return self.fit(continuation[:1], continuation[1:], ())
        return self.fit((self.prefix,), continuation, ())

    def fit(self, context: Ids, continuation: Ids, flags: tuple[str, ...]) -> Pair:
        """Keep the last ``max_length`` + 1 ids, of which all but the last are fed to the model."""
        if len(continuation) > self.max_length:
            return Pair(error=f"the option has {len(continuation)} tokens; the model takes {self.max_length}")
        room = self.max_length + 1 - len(continuation)
        if len(context) > room:
            context, flags = context[-room:], (*flags, TRUNCATED)
        return Pair(context, continuation, flags)

    def prompts(self, requests: Sequence[Request]) -> list[Pair]:
        """Token ids of prompts to generate from, their trailing spaces held back, cut to leave room for the text."""
        held = [request.prompt.rstrip(" ") for request in requests]
        encoded = iter(self.ids([prompt for prompt in held if prompt]))
        pairs = []
        for prompt, request in zip(held, requests, strict=True):
            ids = (next(encoded) if prompt else []) or [self.prefix]
            room = self.max_length - self.fitted(request).limit
            flags = (SHORTENED,) if request.limit >= self.max_length else ()
            pairs.append(Pair(tuple(ids[-room:]), (), (*flags, TRUNCATED) if len(ids) > room else flags))
        return pairs

    def fitted(self, request: Request) -> Request:
        """The request with half the model's context to write in, where it asks for as much as the whole or more."""
        if request.limit < self.max_length:
            return request
        room = self.max_length // 2
        answer = min(request.max_tokens, room)
        return replace(request, max_tokens=answer, thinking_tokens=room - answer)


def hold_back(prompt: str) -> tuple[str, str]:
    """A prompt without its trailing whitespace, and that whitespace, which is scored as part of the option."""
    kept = prompt.rstrip()
    return kept, prompt[len(kept) :]


def finish(text: str, request: Request) -> tuple[str, bool]:
    """A generated text without the prompt's held-back spaces and cut at its first stop string; whether one was met.

    Stop strings count in the answer only: thinking, which has blank lines and questions of its own, goes on to its end.
    """
    held = request.prompt[len(request.prompt.rstrip(" ")) :]
    if held and text.startswith(held):
        text = text[len(held) :]
    begin = answer_begins(text, request.prompt, expected=request.thinking_tokens > 0)
    cuts = [] if begin is None else [at for at in (text.find(stop, begin) for stop in request.stop if stop) if at >= 0]
    return (text[: min(cuts)], True) if cuts else (text, False)


def scored_output(row: Sequence[Pair], scores: Sequence[tuple[float, bool]]) -> Output:
    """The output of a scoring request from (log-probability, greedy) of its options."""
    if any(math.isnan(logprob) or logprob == math.inf for logprob, _ in scores):
        return Output(error=NOT_A_NUMBER)
    return Output(
        logprobs=tuple(logprob for logprob, _ in scores),
        token_counts=tuple(len(pair.continuation) for pair in row),
        greedy=tuple(greedy for _, greedy in scores),
        prompt_tokens=max(len(pair.context) for pair in row),
        flags=tuple(sorted({flag for pair in row for flag in pair.flags})),
    )
