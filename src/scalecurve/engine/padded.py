"""The sure way: batches through the model's own forward pass.

It is the fallback for architectures that cannot take a pack, and what the engine is tested against.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from scalecurve.engine.rope import forget
from scalecurve.engine.sequence import Draft, choose
from scalecurve.engine.text import Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Scored = tuple[float, bool]
Ids = tuple[int, ...]
Row = tuple[Ids, list[tuple[int, Ids]]]
"""(tokens fed, [(number of the pair, its continuation)]), of which some continuations end before the row does."""

PAST = ("past_key_values", "cache_params", "state")  # what models call the state that they carry along
WAYS = ("left", "equal", "alone", "again")
"""How texts are written: padded on the left; prompts of one length together; each alone; all computed anew a token."""


# ── Scoring ──────────────────────────────────────────────────────────────────────────────────────────────────
def score_pairs(
    model: PreTrainedModel, pairs: Sequence[tuple[Ids, Ids]], batch_tokens: int, *, equal: bool = False
) -> list[Scored]:
    """Summed log-probability (nats, float32) of each continuation after its context, and whether it is greedy.

    A sequence that several pairs ask about, or that begins another, is fed once. Sequences are padded on the right,
    longest first, at most ``batch_tokens`` positions in a batch; a batch that does not fit in memory is halved.
    ``equal``: only sequences of one length together, shortest first.
    """
    results: list[Scored] = [(0.0, False)] * len(pairs)
    rows = distinct_rows(pairs, merge=not equal)
    start = 0
    while start < len(rows):
        size = max(1, batch_tokens // len(rows[start][0]))
        batch = [row for row in rows[start : start + size] if not equal or len(row[0]) == len(rows[start][0])]
        for i, scored in _halving(model, batch):
            results[i] = scored
        start += len(batch)
    return results


def distinct_rows(pairs: Sequence[tuple[Ids, Ids]], *, merge: bool = True) -> list[Row]:
    """What has to be fed, longest first; with ``merge``, what begins another sequence is read off from that one."""
    by_ids: dict[Ids, list[tuple[int, int, Ids]]] = defaultdict(list)
    for number, (context, continuation) in enumerate(pairs):
        fed = (*context, *continuation)[:-1]
        by_ids[fed].append((number, len(fed), continuation))
    rows: list[tuple[Ids, list[tuple[int, int, Ids]]]] = []
    for fed in sorted(by_ids, reverse=True):  # what begins another comes right after it
        if merge and rows and rows[-1][0][: len(fed)] == fed:
            rows[-1][1].extend(by_ids[fed])
        else:
            rows.append((fed, by_ids[fed]))
    rows.sort(key=lambda row: -len(row[0]) if merge else len(row[0]))
    return [(fed, [(number, _packed(end, continuation)) for number, end, continuation in asks]) for fed, asks in rows]


def _packed(end: int, continuation: Ids) -> Ids:
    """Where a continuation's last token is asked for, then the continuation."""
    return (end, *continuation)


def fed_tokens(pairs: Sequence[tuple[Ids, Ids]], *, merge: bool = True) -> tuple[int, int]:
    """(tokens forwarded, positions whose vocabulary is scored) of ``score_pairs``."""
    rows = distinct_rows(pairs, merge=merge)
    asked = sum(len({at for _, ask in asks for at in range(ask[0] - len(ask) + 1, ask[0])}) for _, asks in rows)
    return sum(len(fed) for fed, _ in rows), asked


def _halving(model: PreTrainedModel, rows: list[Row]) -> list[tuple[int, Scored]]:
    try:
        return _score_batch(model, rows)
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        if len(rows) == 1 or not is_out_of_memory(error):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(rows) // 2
    return _halving(model, rows[:middle]) + _halving(model, rows[middle:])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device."""
    text = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text


@torch.inference_mode()
def _score_batch(model: PreTrainedModel, rows: list[Row]) -> list[tuple[int, Scored]]:
    width = max(len(fed) for fed, _ in rows)
    ids = torch.tensor([[*fed, *[0] * (width - len(fed))] for fed, _ in rows], device=model.device)
    mask = torch.tensor([[1] * len(fed) + [0] * (width - len(fed)) for fed, _ in rows], device=model.device)
    first = min(ask[0] - len(ask) + 1 for _, asks in rows for _, ask in asks)
    keep = {"logits_to_keep": width - first} if takes(model, "logits_to_keep") else {}
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False, **keep).logits
    first = width - logits.shape[1]  # of a model that keeps all, 0
    return [
        pair
        for row, (_, asks) in enumerate(rows)
        for pair in read_off(logits[row], first, asks)
    ]  # fmt: skip


def read_off(logits: Tensor, first: int, asks: Sequence[tuple[int, Ids]]) -> list[tuple[int, Scored]]:
    """Scores from one row's logits (positions, vocabulary), whose first position is number ``first`` of the row."""
    spots = sorted({at for _, ask in asks for at in range(ask[0] - len(ask) + 1, ask[0])})
    place = {at: n for n, at in enumerate(spots)}
    logprobs = torch.log_softmax(logits[[at - first for at in spots]].float(), dim=-1)
    best = logprobs.argmax(dim=-1).tolist()
    where = [(place[at], token) for _, ask in asks for at, token in zip(_spots(ask), ask[1:], strict=True)]
    values = iter(logprobs[[at for at, _ in where], [token for _, token in where]].double().tolist())
    found = []
    for number, ask in asks:
        total, greedy = 0.0, True
        for at, token in zip(_spots(ask), ask[1:], strict=True):
            total += next(values)
            greedy = greedy and best[place[at]] == token
        found.append((number, (total, greedy)))
    return found


def _spots(ask: Ids) -> range:
    return range(ask[0] - len(ask) + 1, ask[0])


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────
@torch.inference_mode()
def write_drafts(
    model: PreTrainedModel, drafts: Sequence[Draft], encoder: Encoder, batch_tokens: int, way: str = "left"
) -> None:
    """Finish every draft, in batches, by one of ``WAYS``; a batch that does not fit in memory is halved."""
    order = sorted(drafts, key=lambda draft: -len(draft.tokens))
    while order:
        width = len(order[0].tokens) + order[0].request.limit
        size = max(1, batch_tokens // width)
        size = 1 if way == "alone" else size
        batch = [d for d in order[:size] if way == "left" or len(d.tokens) == len(order[0].tokens)]
        try:
            _write_batch(model, batch, encoder, way)
        except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
            if len(batch) == 1 or not is_out_of_memory(error):
                raise
            batch_tokens = width * (len(batch) // 2)
        order = sorted((d for d in order if not d.finished), key=lambda draft: -len(draft.tokens))


def _write_batch(model: PreTrainedModel, drafts: list[Draft], encoder: Encoder, way: str) -> None:
    """Write until all of ``drafts`` are finished; what they have so far is right whenever it stops."""
    width = max(len(draft.tokens) for draft in drafts)
    pads = [width - len(draft.tokens) for draft in drafts]
    ids = torch.tensor(
        [[0] * pad + list(draft.tokens) for pad, draft in zip(pads, drafts, strict=True)], device=model.device
    )
    mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in pads], device=model.device)
    past: dict[str, object] = {}
    fed = ids
    if way == "again":
        forget(model)
    while not all(draft.finished for draft in drafts):
        out = model(**arguments(model, fed, mask if any(pads) else None, past, way != "again"))
        if way != "again":
            past = carried(out)
        tokens, logprobs = choose(drafts, out.logits[:, -1].float())
        for draft, token, logprob in zip(drafts, tokens, logprobs, strict=True):
            if not draft.finished:
                draft.extend(token, logprob, encoder)
        new = torch.tensor(tokens, device=model.device)[:, None]
        ids, mask = torch.cat([ids, new], dim=1), torch.cat([mask, mask.new_ones(len(drafts), 1)], dim=1)
        fed = ids if way == "again" else new


def arguments(
    model: PreTrainedModel, ids: Tensor, mask: Tensor | None, past: dict[str, Any], use_cache: bool
) -> dict[str, Any]:
    """What a model is called with to go on from ``past``; ``mask`` covers everything from the beginning."""
    said: dict[str, object] = {"input_ids": ids, "use_cache": use_cache, **past}
    if mask is not None:
        said["attention_mask"] = mask
        if takes(model, "position_ids"):
            said["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    return said


def carried(out: Any) -> dict[str, Any]:
    """The state that a model's output carries, under the name by which the model takes it again.

    ``LookupError`` where it carries none.
    """
    for name in PAST:
        if getattr(out, name, None) is not None:
            return {name: getattr(out, name)}
    raise LookupError(f"{type(out).__name__} carries no state")


def way_to_write(model: PreTrainedModel, encoder: Encoder) -> str:
    """The fastest of ``WAYS`` that gives, for prompts of unequal length, what the last gives."""
    vocabulary = model.config.get_text_config().vocab_size
    lengths = [min(length, max(1, encoder.max_length - 4)) for length in (23, 41, 23)]
    prompts = [tuple((7919 * i + 31 + 57 * n) % vocabulary for i in range(length)) for n, length in enumerate(lengths)]
    expected = _trial(model, encoder, prompts, "again")
    for way in WAYS[:-1]:
        try:
            found = _trial(model, encoder, prompts, way)
        except Exception:  # whatever an architecture does with a way that is not its own, the next is tried
            continue
        gaps = [abs(a - b) for one, other in zip(found, expected, strict=True) for a, b in zip(one, other, strict=True)]
        if max(gaps) <= (1e-3 if model.dtype == torch.float32 else 0.1):
            return way
    return WAYS[-1]


@torch.inference_mode()
def _trial(model: PreTrainedModel, encoder: Encoder, prompts: Sequence[Ids], way: str) -> list[list[float]]:
    """Log-probabilities along three given tokens after each prompt."""
    steps = 4
    batches = [[p for p in prompts if len(p) == n] for n in {*map(len, prompts)}]
    batches = {"left": [list(prompts)], "alone": [[prompt] for prompt in prompts]}.get(way, batches)
    found: dict[Ids, list[float]] = {}
    for batch in batches:
        width = max(map(len, batch))
        ids = torch.tensor([[0] * (width - len(p)) + list(p) for p in batch], device=model.device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in batch], device=model.device)
        past: dict[str, object] = {}
        fed = ids
        rows: list[list[float]] = [[] for _ in batch]
        for step in range(steps):
            padded = mask if len({*map(len, batch)}) > 1 else None
            out = model(**arguments(model, fed, padded, past, way != "again"))
            past = {} if way == "again" else carried(out)
            token = 5 + 3 * step
            for row, logprob in zip(rows, out.logits[:, -1].float().log_softmax(-1)[:, token].tolist(), strict=True):
                row.append(logprob)
            new = torch.full((len(batch), 1), token, device=model.device)
            ids, mask = torch.cat([ids, new], dim=1), torch.cat([mask, mask.new_ones(len(batch), 1)], dim=1)
            fed = ids if way == "again" else new
        found |= dict(zip(batch, rows, strict=True))
    return [found[prompt] for prompt in prompts]


def takes(model: PreTrainedModel, name: str) -> bool:
    """Whether the model's forward pass has a parameter of that ``name``."""
    return name in inspect.signature(model.forward).parameters
