"""Drives one model: many requests in, outputs as they are done, in windows of bounded memory."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from scalecurve.engine import plain
from scalecurve.engine.attention import FUSED
from scalecurve.engine.check import why_not
from scalecurve.engine.draft import Draft, gather, start
from scalecurve.engine.forward import Forward
from scalecurve.engine.generate import Writer
from scalecurve.engine.linear import use_onednn
from scalecurve.engine.score import Scored, score_pairs
from scalecurve.engine.text import Encoder, Ids, scored_output
from scalecurve.engine.windows import WINDOW_REQUESTS, windows
from scalecurve.nouns import Output, Request

log = logging.getLogger("scalecurve")

OnOutput = Callable[[int, Output], None]
IdPair = tuple[Ids, Ids]
CPU_BATCH = 1024
MOST_BATCH = 32768


class Runner:
    """Answers requests with a transformers causal model and counts the work.

    ``forwarded_tokens``: tokens that went through the layers. ``head_positions``: positions whose vocabulary was
    scored. ``plain``: padded batches only. ``fallback`` says why the model cannot take packs (empty when it can).
    """

    def __init__(self, model: Any, encoder: Encoder, *, batch_tokens: int | None = None, plain: bool = False) -> None:
        self.model = model
        self.encoder = encoder
        self.batch_tokens = batch_tokens or measured_batch(model)
        use_onednn(model)
        self.fallback = "it was told to" if plain else why_not(model, encoder.max_length)
        if self.fallback and not plain and model.device.type == "cuda" and "cuda" in FUSED:
            FUSED.discard("cuda")  # plain matrix products in place of the fused kernel, before giving up packs
            self.fallback = why_not(model, encoder.max_length)
        if self.fallback and not plain:
            log.warning("plain batching for %s: %s", type(model).__name__, self.fallback)
        self.forward = None if self.fallback else Forward(model, self.batch_tokens).__enter__()
        self._plain_tokens = self._plain_positions = 0
        generation = getattr(model, "generation_config", None)
        ends = getattr(generation, "eos_token_id", None)
        encoder.ends |= frozenset([ends] if isinstance(ends, int) else ends or ())

    @property
    def forwarded_tokens(self) -> int:
        return self._plain_tokens + (self.forward.forwarded_tokens if self.forward else 0)

    @property
    def head_positions(self) -> int:
        return self._plain_positions + (self.forward.head_positions if self.forward else 0)

    def run(self, requests: Sequence[Request], on_output: OnOutput) -> None:
        """Answer ``requests``; ``on_output(index, output)`` is called once for each as it is done.

        Nothing is remembered from earlier calls, so that equal calls give equal bits, whatever came before: a run that
        was cut and goes on later must end with the numbers of one that was not.
        """
        if self.forward:
            self.forward.prefixes.clear()
        for window in windows(requests):
            for work, mine in (
                (self._score, [(i, request) for i, request in window if request.options]),
                (self._generate, [(i, request) for i, request in window if not request.options]),
            ):
                if mine:
                    work([i for i, _ in mine], [request for _, request in mine], on_output)

    # ── Scoring ─────────────────────────────────────────────────────────────────────────────────────────────
    def _score(self, indices: list[int], requests: list[Request], on_output: OnOutput) -> None:
        rows = self.encoder.pairs(requests)
        distinct: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = defaultdict(list)
        left = []
        for at, row in enumerate(rows):
            wanted = {(pair.context, pair.continuation) for pair in row}
            left.append(len(wanted))
            if any(pair.error for pair in row):
                on_output(indices[at], Output(error=next(pair.error for pair in row if pair.error)))
                continue
            for key in wanted:
                distinct[key].append(at)
        keys = list(distinct)
        numbers = {key: n for n, key in enumerate(keys)}
        scores: dict[int, Scored] = {}

        def on_score(number: int, scored: Scored) -> None:
            scores[number] = scored
            for at in distinct[keys[number]]:
                left[at] -= 1
                if not left[at]:
                    found = [scores[numbers[pair.context, pair.continuation]] for pair in rows[at]]
                    on_output(indices[at], scored_output(rows[at], found))

        self._score_keys(keys, on_score)

    def score_ids(self, pairs: Sequence[IdPair], on_score: Callable[[int, Scored], None]) -> None:
        """Score (context, continuation) pairs of token ids, neither part empty: ``on_score(index, (sum, greedy))``.

        Together they have at most one token more than the model takes. For those who split texts by rules of their own.
        """
        if self.forward:
            self.forward.prefixes.clear()
        for begin in range(0, len(pairs), WINDOW_REQUESTS):
            window = pairs[begin : begin + WINDOW_REQUESTS]
            keys = list(dict.fromkeys(window))
            at: dict[IdPair, list[int]] = defaultdict(list)
            for index, pair in enumerate(window, begin):
                at[pair].append(index)
            found: dict[int, Scored] = {}
            self._score_keys(keys, found.__setitem__)
            for number, key in enumerate(keys):
                for index in at[key]:
                    on_score(index, found[number])

    def _score_keys(self, keys: Sequence[IdPair], on_score: Callable[[int, Scored], None]) -> None:
        if not keys:
            return
        if self.forward:
            score_pairs(self.forward, keys, on_score)
            return
        fed = sum(len(context) + len(continuation) - 1 for context, continuation in keys)
        self._plain_tokens += fed
        self._plain_positions += fed
        for number, scored in enumerate(plain.score_pairs(self.model, keys, self.batch_tokens)):
            on_score(number, scored)

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────
    def _generate(self, indices: list[int], requests: list[Request], on_output: OnOutput) -> None:
        drafts: dict[int, list[Draft]] = {}
        flags: dict[int, tuple[str, ...]] = {}
        for index, request, pair in zip(indices, requests, self.encoder.prompts(requests), strict=True):
            if request.max_tokens < 1:
                nothing = ((),) * request.samples
                on_output(index, Output(texts=("",) * request.samples, text_logprobs=nothing, flags=pair.flags))
            else:
                try:
                    drafts[index] = start(index, self.encoder.fitted(request), pair.context, self.encoder)
                except ValueError as error:
                    on_output(index, Output(error=str(error)))
                flags[index] = pair.flags
        left = {index: len(row) for index, row in drafts.items()}

        def on_finished(draft: Draft) -> None:
            left[draft.index] -= 1
            if not left[draft.index]:
                on_output(draft.index, gather(draft.request, drafts[draft.index], flags[draft.index]))

        self._write([draft for row in drafts.values() for draft in row], on_finished)

    def write_ids(
        self, prompts: Sequence[Ids], requests: Sequence[Request], on_ids: Callable[[int, list[int]], None]
    ) -> None:
        """Write one text after each of ``prompts`` (token ids, not empty) as its request says: ``on_ids(index, ids)``.

        The request's own prompt serves as the seed of sampling only; ids of a text end before an end-of-text token, and
        with the token that completed a stop string.
        """
        if self.forward:
            self.forward.prefixes.clear()
        for begin in range(0, len(prompts), WINDOW_REQUESTS):
            window = range(begin, min(begin + WINDOW_REQUESTS, len(prompts)))
            drafts = [Draft(index, 0, requests[index], prompts[index]) for index in window]
            self._write(drafts, lambda draft: on_ids(draft.index, draft.ids))

    def _write(self, drafts: Sequence[Draft], on_finished: Callable[[Draft], None]) -> None:
        if self.forward:
            Writer(self.forward, self.encoder).write(drafts, on_finished)
            return
        plain.write_drafts(self.model, drafts, self.encoder, self.batch_tokens)
        for draft in drafts:
            self._plain_tokens += len(draft.prompt) + len(draft.logprobs) - 1
            self._plain_positions += len(draft.logprobs)
            on_finished(draft)

    def close(self) -> None:
        """Give back the memory of remembered prefixes and the model."""
        if self.forward:
            self.forward.prefixes.clear()
            self.forward.model = self.forward.base = self.forward.head = None
        self.model = self.forward = None


def measured_batch(model: Any) -> int:
    """Tokens of a pack: on a GPU as many as a third of its free memory holds, else what suits a processor's cache."""
    import torch

    if model.device.type != "cuda":
        return CPU_BATCH
    free, _ = torch.cuda.mem_get_info(model.device)
    config = model.config.get_text_config()
    wide = 4 * (getattr(config, "intermediate_size", None) or 4 * config.hidden_size) + 16 * config.hidden_size
    return int(min(MOST_BATCH, max(256, free // 3 // (wide * model.dtype.itemsize))))
