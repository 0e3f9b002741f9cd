"""Writing texts: prompts are computed once, a prefix that prompts share is kept once, finished texts leave the batch.

Each text in the making has a slot with the keys and values of its own tokens. What its prompt shares with others
(shots, or the whole prompt of several samples) is not copied: a step attends to it for all of them in one call.
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from scalecurve.engine.attention import KVPath, LayerSpec, additive, merge_state, piece
from scalecurve.engine.forward import Forward
from scalecurve.engine.padded import is_out_of_memory
from scalecurve.engine.sequence import Draft, choose
from scalecurve.engine.text import Encoder
from scalecurve.engine.trie import Ints, build_trie

log = logging.getLogger("scalecurve")

SLOTS = 128
SLOT_BYTES = 1 << 30
GROW = 32  # tokens by which all slots grow when one is full
MIN_SHARED = 32


Tokens = tuple[int, ...]


@dataclass(slots=True)
class Slot:
    """A draft, the number of the shared prefix it stands on, and how many tokens of its own are in its slot."""

    draft: Draft
    prefix: int
    length: int


class Writer:
    """Finishes drafts in a batch that others join as soon as there is room."""

    def __init__(self, forward: Forward, encoder: Encoder, slots: int | None = None) -> None:
        self.forward = forward
        self.encoder = encoder
        self.most = slots or SLOTS
        self.slots: list[Slot] = []
        self.prefixes: dict[int, KVPath] = {}
        self.numbers: dict[Tokens, int] = {}
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []

    @torch.inference_mode()
    def write(self, drafts: Sequence[Draft], on_finished: Callable[[Draft], None]) -> None:
        """Finish every draft; ``on_finished`` is called for each, in the order they are done."""
        waiting = by_prefix(drafts)
        longest = max((len(d.prompt) - len(p) + d.request.limit for d, p in waiting), default=1)
        self.most = min(self.most, max(8, SLOT_BYTES // (longest * self.forward.kv_bytes())))
        while waiting or self.slots:
            room = self.most - len(self.slots)
            if waiting and (not self.slots or room >= max(1, self.most // 4)):
                joining, waiting = waiting[:room], waiting[room:]
                there = len(self.slots)
                try:
                    self._admit(joining)
                except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
                    if there + len(joining) == 1 or not is_out_of_memory(error):
                        raise
                    back = [draft for draft, _ in joining if not draft.finished]
                    for draft in (draft for draft, _ in joining if draft.finished):
                        on_finished(draft)
                    del self.slots[there:]
                    self.most = max(1, (there + len(joining)) // 2)
                    waiting = by_prefix([*back, *(draft for draft, _ in waiting)])
            else:
                try:
                    self._step()
                except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
                    if len(self.slots) == 1 or not is_out_of_memory(error):
                        raise
                    waiting = by_prefix([*self._evict(), *(draft for draft, _ in waiting)])
            self._leave(on_finished)

    # ── Joining ─────────────────────────────────────────────────────────────────────────────────────────────
    def _admit(self, joining: Sequence[tuple[Draft, Tokens]]) -> None:
        """Compute the sequences of ``joining``, give each a slot and its next token."""
        self._share(list(dict.fromkeys(prefix for _, prefix in joining if prefix)))
        first = len(self.slots)
        rows: dict[Tokens, list[int]] = defaultdict(list)
        for row, (draft, prefix) in enumerate(joining, first):
            rows[draft.tokens].append(row)
            own = len(draft.tokens) - len(prefix)
            self.slots.append(Slot(draft, self.numbers.get(prefix, -1), own))
        self._reserve(max(slot.length for slot in self.slots) + 1)
        trie = build_trie(list(rows), [len(tokens) - 1 for tokens in rows])
        at = {int(path[0]): rows[tokens] for tokens, path in zip(rows, trie.paths, strict=True)}

        def keep(index: int) -> tuple[int, Callable[[KVPath], None]]:
            depth = int(trie.depth[index]) + 1

            def fill(path: KVPath) -> None:
                for row in at[index]:
                    self._fill(row, path.upto(len(path), len(path) - self.slots[row].length))

            return depth - max(self.slots[row].length for row in at[index]), fill

        def on_hidden(indices: Ints, hidden: Tensor, end: int) -> None:
            each = [(row, place) for place, index in enumerate(indices) for row in at[int(index)]]
            if each:
                places = torch.tensor([place for _, place in each], device=hidden.device)
                drafts = [self.slots[row].draft for row, _ in each]
                self._extend(drafts, self._choose(drafts, hidden[places]))

        known = [(np.asarray(prefix, np.int64), self.prefixes[n]) for prefix, n in self.numbers.items()]
        asked = np.asarray(sorted(at), np.int64)
        self.forward.sweep(trie, asked, on_hidden, keep={index: keep(index) for index in at}, known=known)

    def _share(self, prefixes: Sequence[Tokens]) -> None:
        """Compute the shared prefixes that are not there yet."""
        new = [prefix for prefix in prefixes if prefix not in self.numbers]
        if not new:
            return
        missing = []
        for prefix in new:
            number = self.numbers[prefix] = max(self.numbers.values(), default=0) + 1
            found = self.forward.prefixes.get(np.asarray(prefix, np.int64))
            if found is None:
                missing.append(prefix)
            else:
                self.prefixes[number] = found
        if missing:
            trie = build_trie(missing, [len(prefix) - 1 for prefix in missing])
            keep = {
                int(path[0]): (0, partial(self.prefixes.__setitem__, self.numbers[prefix]))
                for prefix, path in zip(missing, trie.paths, strict=True)
            }
            self.forward.sweep(trie, np.empty(0, np.int64), lambda *_: None, keep=keep, note=sorted(keep))

    def _evict(self) -> list[Draft]:
        """Send half of the drafts back to wait, to be computed again later, and give their memory back."""
        self.most = len(self.slots) // 2
        log.info("out of memory with %d texts at once; going on with %d", len(self.slots), self.most)
        back = [slot.draft for slot in self.slots[self.most :]]
        del self.slots[self.most :]
        for side in (self.keys, self.values):
            side[:] = [layer[: self.most].clone() for layer in side]
        if self.forward.device.type == "cuda":
            torch.cuda.empty_cache()
        return back

    def _reserve(self, tokens: int) -> None:
        """Room for every slot and for ``tokens`` of its own; what has left since the last time keeps none."""
        there = (*self.keys, *self.values)
        if there and all(old.shape[0] >= len(self.slots) and old.shape[2] >= tokens for old in there):
            return
        rows, width = self.room = (len(self.slots), -(-tokens // GROW) * GROW)
        for side in (self.keys, self.values):
            for layer, old in enumerate(side):
                kept = old[:rows, :, :width]
                new = old.new_zeros(rows, old.shape[1], width, old.shape[3])
                new[: kept.shape[0], :, : kept.shape[2]] = kept
                side[layer] = new

    def _fill(self, row: int, path: KVPath) -> None:
        if not self.keys:
            rows, width = self.room
            for side, source in ((self.keys, path.keys), (self.values, path.values)):
                side += [layer.new_zeros(rows, layer.shape[0], width, layer.shape[2]) for layer in source]
        for side, source in ((self.keys, path.keys), (self.values, path.values)):
            for layer, tensor in zip(side, source, strict=True):
                layer[row, :, : tensor.shape[1]] = tensor

    # ── One step ────────────────────────────────────────────────────────────────────────────────────────────
    def _step(self) -> None:
        """One more token for every draft in the batch."""
        self._reserve(max(slot.length for slot in self.slots) + 1)
        plan = StepPlan(self)
        tokens = np.asarray([slot.draft.ids[-1] for slot in self.slots], np.int64)
        hidden = self.forward.hidden(tokens, plan.positions, plan)
        chosen = self._choose([slot.draft for slot in self.slots], hidden)
        for slot in self.slots:  # only now: when memory runs out above, the step has not begun
            slot.length += 1
        self._extend([slot.draft for slot in self.slots], chosen)

    def _choose(self, drafts: list[Draft], hidden: Tensor) -> list[tuple[int, float]]:
        """The next token of each draft and its log-probability; no draft is changed."""
        parts = self.forward.in_slices(
            len(drafts), lambda part: choose(drafts[part], self.forward.logits(hidden[part]))
        )
        return [pair for _, (tokens, logprobs) in parts for pair in zip(tokens, logprobs, strict=True)]

    def _extend(self, drafts: list[Draft], chosen: list[tuple[int, float]]) -> None:
        for draft, (token, logprob) in zip(drafts, chosen, strict=True):
            draft.extend(token, logprob, self.encoder)

    def _leave(self, on_finished: Callable[[Draft], None]) -> None:
        """Take finished drafts out of the batch; the last slot moves into the gap."""
        for row in reversed(range(len(self.slots))):
            if self.slots[row].draft.finished:
                on_finished(self.slots[row].draft)
                last = self.slots.pop()
                if row < len(self.slots):
                    self.slots[row] = last
                    for side in (*self.keys, *self.values):
                        side[row, :, : last.length] = side[len(self.slots), :, : last.length]
        used = {slot.prefix for slot in self.slots}
        self.numbers = {tokens: number for tokens, number in self.numbers.items() if number in used}
        self.prefixes = {number: path for number, path in self.prefixes.items() if number in used}
        if not self.slots:
            self.keys, self.values = [], []


def by_prefix(drafts: Sequence[Draft]) -> list[tuple[Draft, Tokens]]:
    """Each draft with the beginning that it shares with others to the greatest gain; those of one beginning together.

    The gain of a beginning is its tokens times the further drafts that need not keep it. The last token of a draft
    is never shared, as its successor is still to be found.
    """
    count: dict[Tokens, int] = defaultdict(int)
    for draft in drafts:
        count[draft.tokens[:-1]] += 1
    lines = [line for line in count if line]
    prefix: dict[Tokens, Tokens] = defaultdict(tuple)
    if lines:
        trie = build_trie(lines)
        ends = np.zeros(len(trie) + 1, np.int64)
        for line, path in zip(lines, trie.paths, strict=True):
            ends[path[-1] + 1] += count[line]
        before = np.cumsum(ends)
        under = before[trie.end] - before[np.arange(len(trie))]
        for line, path in zip(lines, trie.paths, strict=True):
            gain = (under[path] - 1) * (trie.depth[path] + 1)
            best = int(gain.argmax())
            if gain[best] > 0 and best + 1 >= MIN_SHARED:
                prefix[line] = line[: best + 1]
    pairs = [(draft, prefix[draft.tokens[:-1]]) for draft in drafts]
    return sorted(pairs, key=lambda pair: (pair[1], pair[0].tokens))


class StepPlan:
    """Attention of one new token in each slot: to the shared prefix of its group, and to its slot."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.fused = writer.forward.fused
        device = writer.forward.device
        self.own = np.asarray([slot.length for slot in writer.slots], np.int64)
        names = np.asarray([slot.prefix for slot in writer.slots], np.int64)
        shared = {name: len(path) for name, path in writer.prefixes.items()}
        self.base = np.asarray([shared.get(int(name), 0) for name in names], np.int64)
        self.positions = self.base + self.own
        self.rows = torch.arange(len(self.own), device=device)
        self.at = torch.from_numpy(self.own).to(device)
        self.width = int(self.own.max()) + 1
        self.groups = [
            (path, torch.from_numpy(np.flatnonzero(names == name)).to(device))
            for name, path in writer.prefixes.items()
            if (names == name).any()
        ]
        self._masks: dict[int, Tensor] = {}

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, spec: LayerSpec) -> tuple[Tensor, Tensor]:
        """(slots, heads, value size) and log-sum-exps (slots, heads): its own tokens, then its group's prefix."""
        keys, values = self.writer.keys[layer], self.writer.values[layer]
        keys[self.rows, :, self.at] = k.transpose(0, 1)
        values[self.rows, :, self.at] = v.transpose(0, 1)
        count, groups = q.shape[1], k.shape[0]
        heads = q.shape[0] // groups
        own = q.transpose(0, 1).reshape(count, groups, heads, -1)  # the heads of a group are queries of one key head
        out, lse = piece(
            own,
            keys[:count, :, : self.width],
            values[:count, :, : self.width],
            spec,
            self._own_mask(spec.window, heads, q),
            causal=False,
        )
        out = out.contiguous()
        by_group = q.view(groups, heads, count, -1)
        for path, rows in self.groups:
            key_mask = self._prefix_mask(spec.window, rows, len(path), q)
            if key_mask is not None and bool(torch.isinf(key_mask).all()):
                continue
            everyone = len(rows) == count
            asked = by_group if everyone else by_group[:, :, rows]
            got, got_lse = piece(
                asked, path.keys[layer][:, None], path.values[layer][:, None], spec, key_mask, causal=False
            )
            if key_mask is not None:
                fully_masked = torch.isinf(key_mask).all(dim=-1)
                got, got_lse = got.masked_fill(fully_masked[:, None], 0.0), got_lse.masked_fill(fully_masked, -math.inf)
            got, got_lse = got.permute(2, 0, 1, 3), got_lse.permute(2, 0, 1)
            if everyone:
                merge_state(out, lse, got, got_lse)
            else:
                part, part_lse = out[rows], lse[rows]
                merge_state(part, part_lse, got, got_lse)
                out[rows], lse[rows] = part, part_lse
        return out.flatten(1, 2), lse.flatten(1, 2)

    def _own_mask(self, window: int, heads: int, q: Tensor) -> Tensor:
        if window not in self._masks:
            index = np.arange(self.width)[None, :]
            allowed = index <= self.own[:, None]
            if window:
                allowed &= self.own[:, None] - index < window
            mask = additive(torch.from_numpy(allowed).to(q.device), q.dtype)
            self._masks[window] = mask[:, None, None].expand(-1, -1, heads, -1)
        return self._masks[window]

    def _prefix_mask(self, window: int, rows: Tensor, length: int, q: Tensor) -> Tensor | None:
        positions = self.positions[rows.cpu().numpy()]
        if not window or int(positions.max()) < window:
            return None
        allowed = positions[:, None] - np.arange(length)[None, :] < window
        return None if allowed.all() else additive(torch.from_numpy(allowed).to(q.device), q.dtype)
