"""Prefixes shared by models that cannot take a pack: a shared stretch is run once, its state copied to what follows.

What a model carries from token to token (the state of Mamba, RWKV and their kin, the keys and values of attention that
is not transformers' common one) is copied, row by row, to all sequences that go on from there.
"""

from __future__ import annotations

import copy
import math
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from scalecurve.engine.padded import Row, Scored, carried, distinct_rows, is_out_of_memory, read_off, takes
from scalecurve.engine.sequence import Draft, choose
from scalecurve.engine.stretches import MIN_SAVED, Ids, Node, align, fed, tree, worth
from scalecurve.engine.text import Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Past = dict[str, Any]
Gap = Callable[[list[float]], float]

STEP_ROWS = 128  # sequences that go on together by single tokens
WAYS = ("chunk", "step")
"""How a model goes on from a state: by many tokens at once; by one at a time, where many make it forget its state."""
STATE_BYTES = {"cpu": 1 << 28, "cuda": 1 << 31}  # of the copies that are computed together


# ── States ───────────────────────────────────────────────────────────────────────────────────────────────────
def picked(value: object, rows: Tensor, count: int) -> Any:
    """A copy of a state of ``count`` sequences, with those of ``rows``, in their order; its parts are not shared."""
    if isinstance(value, Tensor):
        batched = value.ndim > 1 and value.shape[0] == count
        return value.index_select(0, rows.to(value.device)) if batched else value.clone()
    if isinstance(value, dict):
        return type(value)((key, picked(one, rows, count)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return type(value)(picked(one, rows, count) for one in value)
    if _is_state(value):
        twin = copy.copy(value)
        for name, one in vars(value).items():
            setattr(twin, name, picked(one, rows, count))
        return twin
    return value


def state_bytes(value: object) -> int:
    """Bytes of all tensors of a state."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(map(state_bytes, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(state_bytes, value))
    return sum(map(state_bytes, vars(value).values())) if _is_state(value) else 0


def _is_state(value: object) -> bool:
    """Whether a value is one of transformers' caches or a layer of one."""
    from transformers.cache_utils import Cache, CacheLayerMixin, LinearAttentionCacheLayerMixin

    return isinstance(value, Cache | CacheLayerMixin | LinearAttentionCacheLayerMixin) or (
        type(value).__module__.startswith("transformers.models.")
        and not isinstance(value, torch.nn.Module | types.FunctionType | type)
        and "Cache" in type(value).__name__
    )


# ── The walk ─────────────────────────────────────────────────────────────────────────────────────────────────
Job = tuple[int, Node]
"""(which sequence of the state a node follows, the node)."""

OnLeaves = Callable[[Past, list[Node]], None]
"""(the state before them, or none; sequences that end): what is to be computed of them."""


@dataclass(frozen=True, slots=True)
class BranchWalk:
    """Computes the states that nodes share, once each, and gives ``on_leaves`` copies of them, batch by batch.

    ``way``: one of ``WAYS``. ``equal``: the sequences given together have one length. ``ahead``: tokens by which their
    states will still grow. A batch that does not fit in memory is halved.
    """

    model: PreTrainedModel
    batch_tokens: int
    on_leaves: OnLeaves
    way: str = "chunk"
    equal: bool = False
    ahead: int = 0

    @torch.inference_mode()
    def over(self, nodes: Sequence[Node]) -> None:
        self._descend({}, 1, 0, [(0, node) for node in nodes])

    def _descend(self, past: Past, count: int, depth: int, jobs: list[Job]) -> None:
        """What comes after ``past``, the state of ``count`` sequences of ``depth`` tokens."""
        limit = STATE_BYTES.get(self.model.device.type, 1 << 28)
        most = max(1, limit * max(1, depth) // (max(1, state_bytes(past) // count) * (max(1, depth) + self.ahead)))

        def copied(batch: list[Job]) -> Past:
            rows = torch.tensor([row for row, _ in batch], device=self.model.device)
            return {name: picked(state, rows, count) for name, state in past.items()}

        def end(batch: list[Job]) -> None:
            self.on_leaves(copied(batch), [node for _, node in batch])

        stepped = self.way == "step" and bool(past)
        for batch in self._batches([job for job in jobs if not job[1].children], most, self.equal, stepped):
            halving(batch, end)
        for batch in self._batches([job for job in jobs if job[1].children], most, not stepped, stepped):
            grown: list[tuple[list[Node], Past]] = []

            def grow(batch: list[Job], grown: list[tuple[list[Node], Past]] = grown) -> None:
                grown.extend(list(self._grown(copied(batch), depth, [node for _, node in batch])))

            halving(batch, grow)
            while grown:  # each state is given back as soon as what follows it is done
                nodes, state = grown.pop(0)
                under = [(row, child) for row, node in enumerate(nodes) for child in node.children]
                self._descend(state, len(nodes), depth + len(nodes[0].tokens), under)

    def _grown(self, past: Past, depth: int, nodes: list[Node]) -> Iterator[tuple[list[Node], Past]]:
        """The states after nodes: those of one length together."""
        rows = padded_rows([node.tokens for node in nodes], self.model.device)
        for at, out in feed(self.model, Fed(rows, past, depth), self.way, keep=1):
            done = [n for n, node in enumerate(nodes) if len(node.tokens) == at]
            if len(done) == len(nodes):
                yield nodes, carried(out)
            elif done:
                which = torch.tensor(done, device=self.model.device)
                state = {name: picked(one, which, len(nodes)) for name, one in carried(out).items()}
                yield [nodes[n] for n in done], state

    def _batches(self, jobs: list[Job], most: int, equal: bool, stepped: bool) -> Iterator[list[Job]]:
        jobs = sorted(jobs, key=lambda job: -len(job[1].tokens))
        while jobs:
            fit = STEP_ROWS if stepped else max(1, self.batch_tokens // len(jobs[0][1].tokens))
            size = min(most, STEP_ROWS, fit)
            batch = [job for job in jobs[:size] if not equal or len(job[1].tokens) == len(jobs[0][1].tokens)]
            yield batch
            jobs = jobs[len(batch) :]


@dataclass(frozen=True, slots=True)
class Fed:
    """Tokens ``ids`` (rows, tokens) that follow the state ``past`` of ``depth`` tokens."""

    ids: Tensor
    past: Past
    depth: int


def feed(model: PreTrainedModel, fed: Fed, way: str, keep: int) -> Iterator[tuple[int, Any]]:
    """(how many of the tokens are fed, the model's output): all at once, or with ``step`` one by one.

    Of what is fed at once, logits are there for the last ``keep`` tokens at least.
    """
    width, past = fed.ids.shape[1], fed.past
    few = {"logits_to_keep": keep} if takes(model, "logits_to_keep") else {}
    size = 1 if way == "step" and past else width
    for at in range(0, width, size):
        said = {"input_ids": fed.ids[:, at : at + size], "use_cache": True, **past, **(few if size > 1 else {})}
        if past and takes(model, "position_ids"):  # some count from 0 again
            positions = torch.arange(fed.depth + at, fed.depth + at + size, device=model.device)
            said["position_ids"] = positions.expand(len(fed.ids), -1)
        out = model(**said)
        if at + size < width:
            past = carried(out)
        yield at + size, out


def padded_rows(rows: Sequence[Ids], device: torch.device) -> Tensor:
    """The rows as one tensor, padded on the right, where a causal model does not see it."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)


def halving(batch: list[Job], compute: Callable[[list[Job]], None]) -> None:
    """``compute`` of a batch, or of its halves where memory runs out."""
    try:
        compute(batch)
        return
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        if len(batch) == 1 or not is_out_of_memory(error):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(batch) // 2
    halving(batch[:middle], compute)
    halving(batch[middle:], compute)


# ── Scoring ──────────────────────────────────────────────────────────────────────────────────────────────────
def score_pairs(
    model: PreTrainedModel, pairs: Sequence[tuple[Ids, Ids]], batch_tokens: int, way: str, min_saved: int = MIN_SAVED
) -> tuple[list[Scored], int]:
    """What ``padded.score_pairs`` gives, and how many tokens went through the layers."""
    rows = distinct_rows(pairs)
    limits = [min(ask[0] - len(ask) + 1 for _, ask in asks) for _, asks in rows]
    nodes = tree([ids for ids, _ in rows], limits, min_saved, stepped=way == "step")
    if way == "chunk":
        align(nodes, worth(model))
    results: list[Scored] = [(0.0, False)] * len(pairs)

    def score(past: Past, leaves: list[Node]) -> None:
        for number, scored in _score(model, past, leaves, [rows[leaf.number] for leaf in leaves], way):
            results[number] = scored

    BranchWalk(model, batch_tokens, score, way).over(nodes)
    return results, fed(nodes)


def _score(
    model: PreTrainedModel, past: Past, leaves: list[Node], rows: list[Row], way: str
) -> list[tuple[int, Scored]]:
    ids = padded_rows([leaf.tokens for leaf in leaves], model.device)
    begins = [len(whole) - len(leaf.tokens) for (whole, _), leaf in zip(rows, leaves, strict=True)]
    first = min(ask[0] - len(ask) + 1 - begin for begin, (_, asks) in zip(begins, rows, strict=True) for _, ask in asks)
    tables = [
        out.logits[:, -min(out.logits.shape[1], at - first) :]
        for at, out in feed(model, Fed(ids, past, begins[0]), way, ids.shape[1] - first)
        if at > first
    ]
    logits = torch.cat(tables, dim=1)
    return [
        pair
        for at, (begin, (_, asks)) in enumerate(zip(begins, rows, strict=True))
        for pair in read_off(logits[at], begin + first, asks)
    ]


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────
def forest(model: PreTrainedModel, drafts: Sequence[Draft], way: str) -> list[Node]:
    """What the prompts of drafts share; the last token of each is always its own."""
    rows = [draft.tokens for draft in drafts]
    nodes = tree(rows, [len(row) - 1 for row in rows], stepped=way == "step")
    if way == "chunk":
        align(nodes, worth(model))
    return nodes


def write_drafts(
    model: PreTrainedModel,
    drafts: Sequence[Draft],
    nodes: Sequence[Node],
    encoder: Encoder,
    batch_tokens: int,
    way: str,
) -> None:
    """Finish every draft; ``nodes``: their ``forest``."""
    lengths = [len(draft.tokens) for draft in drafts]

    def write(past: Past, leaves: list[Node]) -> None:
        open_ = [row for row, leaf in enumerate(leaves) if not drafts[leaf.number].finished]
        rows = [drafts[leaves[row].number].tokens for row in open_]
        begin = lengths[leaves[0].number] - len(leaves[0].tokens)
        past = _some(past, open_, len(leaves), model.device)
        ids = padded_rows([row[begin:] for row in rows], model.device)
        _go_on(model, [drafts[leaves[row].number] for row in open_], Fed(ids, past, begin), encoder, way)

    ahead = max(draft.request.limit for draft in drafts)
    BranchWalk(model, batch_tokens, write, way, equal=True, ahead=ahead).over(nodes)


def _go_on(model: PreTrainedModel, drafts: list[Draft], fed: Fed, encoder: Encoder, way: str) -> None:
    """Write until all of ``drafts`` are finished; who is finished leaves."""
    while drafts:
        *_, (_, out) = feed(model, fed, way, keep=1)
        tokens, logprobs = choose(drafts, out.logits[:, -1].float())
        for draft, token, logprob in zip(drafts, tokens, logprobs, strict=True):
            draft.extend(token, logprob, encoder)
        rows = [row for row, draft in enumerate(drafts) if not draft.finished]
        past = _some(carried(out), rows, len(drafts), model.device)
        drafts = [drafts[row] for row in rows]
        ids = torch.tensor([[tokens[row]] for row in rows], device=model.device)
        fed = Fed(ids, past, fed.depth + fed.ids.shape[1])


def _some(past: Past, rows: list[int], count: int, device: torch.device) -> Past:
    """The state of ``rows`` of ``count`` sequences."""
    if len(rows) == count:
        return past
    return {name: picked(one, torch.tensor(rows, device=device), count) for name, one in past.items()} if rows else {}


# ── Which models ─────────────────────────────────────────────────────────────────────────────────────────────
def how(model: PreTrainedModel, judged: Sequence[tuple[Sequence[tuple[Ids, Ids]], Gap]], most: float) -> str:
    """Which of ``WAYS`` a model goes on by from a copied state, or "" for none.

    ``judged``: pairs, and how far log-probabilities of them are from those of the model's own forward pass; at most
    ``most`` is near enough. Some forget their state when many tokens come at once, which weights may hide: a way has
    also to be about as near as the nearest.
    """
    gaps = {}
    for way in WAYS:
        try:
            gaps[way] = max(
                gap([logprob for logprob, _ in score_pairs(model, pairs, 64, way, 4)[0]]) for pairs, gap in judged
            )
        except Exception:  # whatever an architecture does with a state it is given, the next way is tried
            gaps[way] = math.inf
    near = max(most / 10, 3 * min(gaps.values()))
    return next((way for way in WAYS if gaps[way] <= min(near, most)), "")
