"""Counting the work of requests without a model: a Model that tokenizes, counts, and gives made-up replies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from scalecurve.engine.batching import windows
from scalecurve.engine.text import Encoder, Pair
from scalecurve.engine.trie import build_trie, common_prefix
from scalecurve.models import Model
from scalecurve.types import Output, Request

SLOTS = 128  # texts that the engine writes at the same time
MIN_SHARED, MIN_PROMPTS = 16, 4  # tokens a prefix must have, and prompts it must begin, to be remembered
LETTERS_A_TOKEN = 4


@dataclass(slots=True)
class Tally:
    """The work of some requests. Tallies add up, and scale when only a sample was counted.

    ``sequences``: options scored and texts written. ``sent``: tokens of every sequence's prompt and option, as a server
    reads and bills them. ``read``: distinct tokens that go through the layers before anything is written. ``heads``:
    positions at which the vocabulary is scored. ``written``: generated tokens; ``steps``: the forward passes that write
    them, many texts at a time. ``calls``: batches of requests handed to the model.
    """

    calls: float = 0.0
    requests: float = 0.0
    sequences: float = 0.0
    sent: float = 0.0
    read: float = 0.0
    heads: float = 0.0
    written: float = 0.0
    steps: float = 0.0

    def add(self, other: Tally, times: float = 1.0) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + times * getattr(other, field.name))

    @property
    def forwarded(self) -> float:
        """Tokens through the layers."""
        return self.read + self.written

    def flops(self, non_embedding: int, embedding: int) -> float:
        """FLOPs of layers and vocabulary: 2 a parameter and token (attention to the context is left out)."""
        return 2.0 * (non_embedding * self.forwarded + embedding * self.heads)


class Tokens(Protocol):
    """What of an Encoder is needed for counting."""

    def pairs(self, requests: Sequence[Request]) -> list[list[Pair]]: ...
    def prompts(self, requests: Sequence[Request]) -> list[Pair]: ...
    def ids(self, texts: Sequence[str], *, special: bool = True) -> list[list[int]]: ...


Replay = Callable[[Request], Sequence[tuple[str, int]]]
"""What a generation would give: (text, tokens) of each sample."""


class CountingModel(Model):
    """Answers nothing of worth, and keeps the ``tally`` of what answering would have taken."""

    name, fingerprint = "counting", ""

    def __init__(self, tokens: Tokens, replay: Replay) -> None:
        self.tokens, self.replay = tokens, replay
        self.tally = Tally()

    def parameters(self) -> tuple[int, int]:
        return 0, 0

    def count_tokens(self, text: str) -> int:
        return len(self.tokens.ids([text], special=False)[0])

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        remembered: dict[bool, NDArray[np.int64]] = {}
        self.tally.calls += 1
        self.tally.requests += len(requests)
        for window in windows(requests):
            for scoring in (True, False):
                mine = [(i, request) for i, request in window if bool(request.options) is scoring]
                if mine:
                    work = self._score if scoring else self._write
                    outputs, sequences = work([request for _, request in mine])
                    self._share(sequences, remembered, scoring)
                    for (index, _), output in zip(mine, outputs, strict=True):
                        on_output(index, output)

    def _score(self, requests: list[Request]) -> tuple[list[Output], list[tuple[int, ...]]]:
        rows = self.tokens.pairs(requests)
        keys = list(dict.fromkeys((pair.context, pair.continuation) for row in rows for pair in row if not pair.error))
        if keys:
            sequences = [context + continuation[:-1] for context, continuation in keys]
            trie = build_trie(sequences, [len(context) - 1 for context, _ in keys])
            self.tally.read += len(trie)
            self.tally.heads += len(np.unique(np.concatenate(trie.paths)))
        self.tally.sequences += sum(map(len, rows))
        self.tally.sent += sum(len(pair.context) + len(pair.continuation) for row in rows for pair in row)
        return [_scored(row) for row in rows], [context for context, _ in keys]

    def _write(self, requests: list[Request]) -> tuple[list[Output], list[tuple[int, ...]]]:
        prompts = [pair.context for pair in self.tokens.prompts(requests)]
        texts = [self.replay(request) for request in requests]
        lengths = [tokens for each in texts for _, tokens in each]
        self.tally.read += len(build_trie(list(dict.fromkeys(prompts))))
        self.tally.sequences += len(lengths)
        self.tally.sent += sum(len(prompt) for prompt in prompts)
        self.tally.heads += sum(lengths)
        self.tally.written += sum(lengths)
        self.tally.steps += max(max(lengths, default=0), sum(lengths) / SLOTS)
        outputs = [
            Output(
                texts=tuple(text for text, _ in each),
                text_logprobs=tuple((-1.0,) * tokens for _, tokens in each),
                prompt_tokens=len(prompt),
                generated_tokens=sum(tokens for _, tokens in each),
            )
            for prompt, each in zip(prompts, texts, strict=True)
        ]
        return outputs, prompts

    def _share(self, prompts: list[tuple[int, ...]], remembered: dict[bool, NDArray[np.int64]], kind: bool) -> None:
        """A prefix of all prompts of a window is not computed again in the next one."""
        distinct = sorted(set(prompts))
        if len(distinct) < MIN_PROMPTS:
            return
        first, last = np.asarray(distinct[0], np.int64), np.asarray(distinct[-1], np.int64)
        common = first[: common_prefix(first, last)]
        if kind in remembered:
            self.tally.read -= common_prefix(remembered[kind], common)
        if len(common) >= MIN_SHARED:
            remembered[kind] = common


def _scored(row: Sequence[Pair]) -> Output:
    error = next((pair.error for pair in row if pair.error), "")
    return Output(
        logprobs=tuple(-1.0 - place for place in range(len(row))),
        token_counts=tuple(max(1, len(pair.continuation)) for pair in row),
        greedy=tuple(place == 0 for place in range(len(row))),
        prompt_tokens=max(len(pair.context) for pair in row),
        error=error,
    )


class Remembering(Encoder):
    """An encoder that makes tokens of every text only once: the rungs of a ladder are asked the same."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.tokenizer, encoder.max_length, encoder.add_bos)
        self.ends = encoder.ends
        self._known: dict[tuple[str, bool], list[int]] = {}

    def ids(self, texts: Sequence[str], *, special: bool = True) -> list[list[int]]:
        new = list(dict.fromkeys(text for text in texts if (text, special) not in self._known))
        self._known |= {(text, special): ids for text, ids in zip(new, super().ids(new, special=special), strict=True)}
        return [self._known[text, special] for text in texts]


class Letters:
    """Tokens where no tokenizer is at hand: four letters each, aligned to the text's beginning."""

    def ids(self, texts: Sequence[str], *, special: bool = True) -> list[list[int]]:
        return [list(_pieces(text)) for text in texts]

    def pairs(self, requests: Sequence[Request]) -> list[list[Pair]]:
        return [[self._pair(request.prompt, option) for option in request.options] for request in requests]

    def _pair(self, prompt: str, option: str) -> Pair:
        return Pair(tuple(_pieces(prompt)) or (0,), tuple(_pieces(option)) or (0,))

    def prompts(self, requests: Sequence[Request]) -> list[Pair]:
        return [Pair(tuple(_pieces(request.prompt)) or (0,)) for request in requests]


def _pieces(text: str) -> Iterator[int]:
    for at in range(0, len(text), LETTERS_A_TOKEN):
        yield crc32(text[at : at + LETTERS_A_TOKEN].encode())
