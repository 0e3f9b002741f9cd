"""Runs a trie through the model, pack by pack, and hands out hidden states where they are asked for."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from scalecurve.engine.attention import NAME, TREE_TOKENS, KVPath, PackPlan, attending, register
from scalecurve.engine.head import Head
from scalecurve.engine.padded import is_out_of_memory
from scalecurve.engine.trie import Ints, Trie, common_prefix

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger("scalecurve")

LOGITS_BYTES = {"cpu": 1 << 24, "cuda": 1 << 28}  # of one slice of logits: small enough to be reused, not returned
MOST_PREFIXES = 8

Result = TypeVar("Result")

OnHidden = Callable[[Ints, Tensor, int], None]
"""(asked indices of the trie, their hidden states (n, size), end): everything before index ``end`` is done."""

Keep = tuple[int, Callable[[KVPath], None]]
"""(depth, who): who gets the keys and values of a sequence, from ``depth`` on."""


class Forward:
    """A transformers causal model that takes packs.

    ``forwarded_tokens``: tokens that went through the layers. ``head_positions``: positions whose vocabulary was
    scored. ``batch_tokens``: tokens of a pack; it is halved whenever memory runs out, and stays so.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        batch_tokens: int,
        *,
        tree_tokens: int = TREE_TOKENS,
        prefix_bytes: int = 1 << 28,
        fused: bool = True,
    ) -> None:
        register()
        self.model = model
        self.base = model.base_model
        self.head = Head(model)
        self._kv_bytes = 0
        self.fused = fused
        self.batch_tokens = batch_tokens
        self.tree_tokens = tree_tokens
        self.prefixes = Prefixes(prefix_bytes)
        self.forwarded_tokens = 0
        self.head_positions = 0
        self._rest = model.config._attn_implementation

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    def __enter__(self) -> Forward:
        self.model.set_attn_implementation(NAME)
        return self

    def __exit__(self, *_: object) -> None:
        self.model.set_attn_implementation(self._rest)

    @torch.inference_mode()
    def sweep(
        self,
        trie: Trie,
        asked: Ints,
        on_hidden: OnHidden,
        keep: Mapping[int, Keep] | None = None,
        note: Sequence[int] = (),
        known: Sequence[tuple[Ints, KVPath]] = (),
    ) -> None:
        """Forward every token of ``trie`` once, but for prefixes that are still known from earlier sweeps.

        ``asked``: ascending indices whose hidden states go to ``on_hidden``, pack by pack. ``keep``: for some
        indices, who gets the keys and values of the sequence that ends there, from which token on. ``note``: indices
        whose sequences are remembered for later sweeps. ``known``: prefixes known besides the remembered ones.
        """
        keep = keep or {}
        wanted = sorted({*note, *keep})
        skip = self._known(trie, asked, wanted, known)
        at, path = 0, KVPath([], [])
        while at < len(trie):
            if at in skip:
                length, path = skip[at]
                at += length
                continue
            stop = min([at + self.batch_tokens, len(trie), *(begin for begin in skip if begin > at)])
            try:
                rows, hidden, told, after = self._pack(trie, at, stop, path, asked, keep, note, wanted)
            except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or stop - at <= 16:
                    raise
                self._shrink(stop - at)
                continue
            for tell in told:  # only now, when the pack is computed, does anybody hear of it
                tell()
            on_hidden(rows, hidden, stop)
            at, path = stop, after

    def _shrink(self, size: int) -> None:
        self.batch_tokens = max(16, size // 2)
        log.info("out of memory at %d tokens a pack; going on with %d", size, self.batch_tokens)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _pack(
        self,
        trie: Trie,
        low: int,
        high: int,
        path: KVPath,
        asked: Ints,
        keep: Mapping[int, Keep],
        note: Sequence[int],
        wanted: list[int],
    ) -> tuple[Ints, Tensor, list[Callable[[], None]], KVPath]:
        """Forward the tokens ``low:high`` after ``path``; nobody is told of it yet, so that it can be tried again.

        Returns the asked indices, their hidden states, who is to be told of keys and values, and the path of what
        comes next.
        """
        kept = wanted[bisect_left(wanted, low) : bisect_left(wanted, high)]
        more = high < len(trie) and trie.depth[high] > 0
        plan = PackPlan(
            trie.depth,
            trie.end,
            low,
            high,
            path,
            keep=bool(kept or more),
            tree_tokens=self.tree_tokens,
            fused=self.fused,
        )
        hidden = self.hidden(trie.tokens[low:high], trie.depth[low:high], plan)
        told: list[Callable[[], None]] = []
        for index in kept:
            since, give = (0, None) if index in note or index not in keep else keep[index]
            got = self._path_to(trie, index, low, plan, itself=True, since=since)
            if give:
                told.append(partial(give, got))
            elif index in keep:
                told.append(partial(keep[index][1], got.upto(len(got), keep[index][0])))
            if index in note:
                told.append(partial(self.prefixes.add, trie.lineage(index), got))
        rows = asked[np.searchsorted(asked, low) : np.searchsorted(asked, high)]
        after = self._path_to(trie, high, low, plan, itself=False) if more else KVPath([], [])
        return rows, hidden[torch.from_numpy(rows - low).to(self.device)], told, after

    def hidden(self, tokens: Ints, depth: Ints, plan: Any) -> Tensor:
        """Last hidden states (tokens, size) of tokens at positions ``depth``, attending by ``plan``."""
        ids = torch.from_numpy(tokens).to(self.device)[None]
        positions = torch.from_numpy(depth).to(self.device)[None]
        with attending(plan):
            out = self.base(input_ids=ids, position_ids=positions, use_cache=False)
        self.forwarded_tokens += len(tokens)
        hidden: Tensor = out.last_hidden_state[0]
        return hidden

    @staticmethod
    def _path_to(trie: Trie, index: int, low: int, plan: PackPlan, *, itself: bool, since: int = 0) -> KVPath:
        """Keys and values of the ancestors of a token (with ``itself``, of it too) from depth ``since`` on."""
        within = trie.ancestors(index, low)
        if itself:
            within = np.append(within, index)
        before = int(trie.depth[within[0]]) if len(within) else int(trie.depth[index])
        if not len(within):
            return plan.path.upto(before, since)
        return plan.take(within[max(0, since - before) :] - low, since, before)

    def _known(
        self, trie: Trie, asked: Ints, wanted: list[int], more: Sequence[tuple[Ints, KVPath]]
    ) -> dict[int, tuple[int, KVPath]]:
        """Stretches of the trie whose keys and values are known: start → (length, path to their end)."""
        known: dict[int, tuple[int, KVPath]] = {}
        for ids, path in [*self.prefixes.items(), *more]:
            line = _walk(trie, ids)
            stops = line[np.isin(line, asked) | np.isin(line, wanted)]
            if len(stops):  # what is asked for has to be computed
                line = line[line < stops[0]]
            if len(line):
                self.prefixes.touch(ids)
            breaks = np.flatnonzero(np.diff(line) != 1) + 1
            for run in np.split(line, breaks):
                if len(run) and known.get(int(run[0]), (0, path))[0] < len(run):
                    known[int(run[0])] = (len(run), path.upto(int(trie.depth[run[-1]]) + 1))
        return known

    def kv_bytes(self) -> int:
        """Bytes of the keys and values of one token."""
        if not self._kv_bytes:  # sizes may differ from layer to layer: one token tells
            one = np.zeros(1, np.int64)
            plan = PackPlan(one, one + 1, 0, 1, KVPath([], []), keep=True)
            before = self.forwarded_tokens
            self.hidden(one, one, plan)
            self.forwarded_tokens = before
            self._kv_bytes = KVPath(list(plan.keys.values()), list(plan.values.values())).nbytes
        return self._kv_bytes

    def logits(self, hidden: Tensor) -> Tensor:
        """float32 logits (n, vocabulary) of hidden states (n, size)."""
        self.head_positions += len(hidden)
        return self.head.logits(hidden)

    def in_slices(self, count: int, compute: Callable[[slice], Result]) -> list[tuple[slice, Result]]:
        """``compute`` for slices of ``count`` positions; a slice for which memory runs out is halved."""
        todo, done = self.slices(count)[::-1], []
        while todo:
            part = todo.pop()
            try:
                done.append((part, compute(part)))
            except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
                if part.stop - part.start == 1 or not is_out_of_memory(error):
                    raise
                middle = (part.start + part.stop) // 2
                todo += [slice(middle, part.stop), slice(part.start, middle)]
        return done

    def slices(self, count: int) -> list[slice]:
        """Slices of ``count`` positions whose logits stay within ``LOGITS_BYTES``."""
        limit = LOGITS_BYTES.get(self.device.type, 1 << 26)
        size = max(32, limit // (4 * self.head.vocabulary))
        return [slice(at, min(at + size, count)) for at in range(0, count, size)]


def _walk(trie: Trie, ids: Ints) -> Ints:
    """Indices of the trie along ``ids``, as far as they go."""
    line: list[int] = []
    at, stop = 0, len(trie)
    for token in ids:
        while at < stop and trie.tokens[at] != token:
            at = int(trie.end[at])
        if at >= stop:
            break
        line.append(at)
        at, stop = at + 1, int(trie.end[at])
    return np.asarray(line, dtype=np.int64)


class Prefixes:
    """Keys and values of prefixes that come again, the least recently used forgotten first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._kept: list[tuple[Ints, KVPath]] = []

    def items(self) -> list[tuple[Ints, KVPath]]:
        return list(self._kept)

    def get(self, ids: Ints) -> KVPath | None:
        """The keys and values of exactly these tokens, when they begin a remembered prefix."""
        for old, kept in self._kept:
            if common_prefix(old, ids) == len(ids):
                return kept.upto(len(ids))
        return None

    def add(self, ids: Ints, path: KVPath) -> None:
        """Remember a prefix; it takes the place of those that begin it."""
        self._kept = [(old, kept) for old, kept in self._kept if common_prefix(old, ids) < len(old)]
        self._kept.insert(0, (ids, path))
        while len(self._kept) > MOST_PREFIXES or sum(kept.nbytes for _, kept in self._kept) > self.max_bytes:
            self._kept.pop()

    def touch(self, ids: Ints) -> None:
        """A prefix was of use: it is forgotten last."""
        self._kept.sort(key=lambda kept: kept[0] is not ids)

    def clear(self) -> None:
        self._kept = []
