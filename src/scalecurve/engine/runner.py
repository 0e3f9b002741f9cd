"""Drives one model: many requests in, outputs as they are done, in windows of bounded memory."""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from scalecurve.engine import branches, stretches
from scalecurve.engine import padded as plain
from scalecurve.engine.batching import WINDOW_REQUESTS, windows
from scalecurve.engine.forward import Forward
from scalecurve.engine.generate import Writer
from scalecurve.engine.inner import carry_inner_state
from scalecurve.engine.onednn import use_onednn
from scalecurve.engine.recurrence import resume
from scalecurve.engine.rope import border, forget
from scalecurve.engine.score import Scored, score_pairs
from scalecurve.engine.selftest import DIFFER, how_to_branch, why_not
from scalecurve.engine.sequence import Draft, gather, start
from scalecurve.engine.text import Encoder, Ids, scored_output
from scalecurve.types import Output, Request

if TYPE_CHECKING:
    from transformers import PreTrainedModel

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

    def __init__(
        self, model: PreTrainedModel, encoder: Encoder, *, batch_tokens: int | None = None, plain: bool = False
    ) -> None:
        self.model = model
        self.encoder = encoder
        self.batch_tokens = batch_tokens or measured_batch(model)
        use_onednn(model)
        carry_inner_state(model)
        resume(model)
        fused = True
        self.border = border(model, encoder.max_length)
        self.fallback = "it was told to" if plain else why_not(model, encoder.max_length)
        if self.fallback.startswith(DIFFER) and model.device.type == "cuda":
            # plain matrix products in place of the fused kernel, for this model, before giving up packs
            fused = bool(why_not(model, encoder.max_length, fused=False))
            self.fallback = self.fallback if fused else ""
        self.plain = plain
        self.forward = None if self.fallback else Forward(model, self.batch_tokens, fused=fused).__enter__()
        self.branch = how_to_branch(model, encoder.max_length) if self.fallback and not plain else ""
        if self.branch:
            log.info("%s: prefixes are shared by copied states, not in packs: %s", type(model).__name__, self.fallback)
        elif self.fallback and not plain:
            log.warning("plain batching for %s: %s", type(model).__name__, self.fallback)
        self._plain_tokens = self._plain_positions = 0
        self._way = ""  # how padded texts are written, found out when the first is asked for
        generation = getattr(model, "generation_config", None)
        ends = getattr(generation, "eos_token_id", None)
        encoder.ends |= frozenset([ends] if isinstance(ends, int) else ends or ())

    @property
    def way(self) -> str:
        """How requests are computed: in ``packs`` or ``branches``, which share prefixes, or ``padded`` without that."""
        return "packs" if self.forward else "branches" if self.branch else "padded"

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
        near = [n for n, key in enumerate(keys) if not self._beyond(len(key[0]) + len(key[1]) - 1)]
        beyond = sorted(set(range(len(keys))) - set(near))
        if self.forward and near:
            score_pairs(self.forward, [keys[n] for n in near], lambda at, scored: on_score(near[at], scored))
        elif self.branch and near:
            self._score_branches([keys[n] for n in near], near, on_score)
        for numbers in ([] if self.forward or self.branch else near, beyond):
            if numbers:
                self._score_padded([keys[n] for n in numbers], numbers, on_score)

    def _beyond(self, length: int) -> bool:
        """Whether a sequence is so long that its positions are turned otherwise."""
        return self.border is not None and length > self.border.length

    def _score_branches(
        self, keys: Sequence[IdPair], numbers: Sequence[int], on_score: Callable[[int, Scored], None]
    ) -> None:
        with self._padded():
            scores, fed = branches.score_pairs(self.model, keys, self.batch_tokens, self.branch)
        self._plain_tokens += fed
        self._plain_positions += plain.fed_tokens(keys)[1]
        for number, scored in zip(numbers, scores, strict=True):
            on_score(number, scored)

    def _score_padded(
        self, keys: Sequence[IdPair], numbers: Sequence[int], on_score: Callable[[int, Scored], None]
    ) -> None:
        equal = self.border is not None and self.border.every_length
        with self._padded():
            scores = plain.score_pairs(self.model, keys, self.batch_tokens, equal=equal)
        fed, asked = plain.fed_tokens(keys, merge=not equal)
        self._plain_tokens += fed
        self._plain_positions += asked
        for number, scored in zip(numbers, scores, strict=True):
            on_score(number, scored)

    @contextlib.contextmanager
    def _padded(self) -> Iterator[None]:
        """Within it, the model attends in its own way, and knows nothing of what it was given before."""
        if self.forward:
            self.forward.__exit__()
        try:
            if self.border is not None:
                forget(self.model)
            yield
        finally:
            if self.forward:
                self.forward.__enter__()

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────
    def _generate(self, indices: list[int], requests: list[Request], on_output: OnOutput) -> None:
        drafts: dict[int, list[Draft]] = {}
        flags: dict[int, tuple[str, ...]] = {}
        for index, request, pair in zip(indices, requests, self.encoder.prompts(requests), strict=True):
            if request.limit < 1:
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
        near = [d for d in drafts if not self._beyond(len(d.prompt) + d.request.limit)]
        beyond = [d for d in drafts if self._beyond(len(d.prompt) + d.request.limit)]
        if self.forward and near:
            Writer(self.forward, self.encoder).write(near, on_finished)
        elif near:
            self._way = self._way or plain.way_to_write(self.model, self.encoder)
            nodes = branches.forest(self.model, near, self.branch) if self.branch and self._way != "again" else []
            if nodes and 2 * stretches.fed(nodes) < sum(len(draft.prompt) for draft in near):
                self._write_branches(near, nodes, on_finished)
                return
            self._write_padded(near, self._way, on_finished)
        if beyond:
            self._write_padded(beyond, "again", on_finished)

    def _write_padded(self, drafts: Sequence[Draft], way: str, on_finished: Callable[[Draft], None]) -> None:
        with self._padded():
            plain.write_drafts(self.model, drafts, self.encoder, self.batch_tokens, way)
        for draft in drafts:
            self._plain_tokens += len(draft.prompt) + len(draft.logprobs) - 1
            self._plain_positions += len(draft.logprobs)
            on_finished(draft)

    def _write_branches(
        self, drafts: Sequence[Draft], nodes: list[stretches.Node], on_finished: Callable[[Draft], None]
    ) -> None:
        self._plain_tokens += stretches.fed(nodes)
        with self._padded():
            branches.write_drafts(self.model, drafts, nodes, self.encoder, self.batch_tokens, self.branch)
        for draft in drafts:
            self._plain_tokens += len(draft.logprobs) - 1
            self._plain_positions += len(draft.logprobs)
            on_finished(draft)

    def close(self) -> None:
        """Give back the memory of remembered prefixes and the model."""
        if self.forward:
            self.forward.prefixes.clear()
            self.forward.model = self.forward.base = self.forward.head.model = None
            self.forward.head.layers = []
        self.model = self.forward = None


def measured_batch(model: PreTrainedModel) -> int:
    """Tokens of a pack: on a GPU as many as a third of its free memory holds, else what suits a processor's cache."""
    import torch

    if model.device.type != "cuda":
        return CPU_BATCH
    free, _ = torch.cuda.mem_get_info(model.device)
    config = model.config.get_text_config()
    wide = 4 * (getattr(config, "intermediate_size", None) or 4 * config.hidden_size) + 16 * config.hidden_size
    return int(min(MOST_BATCH, max(256, free // 3 // (wide * model.dtype.itemsize))))
