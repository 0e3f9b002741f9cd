"""What token sequences share: a prefix tree laid out flat, depth first, and cut into packs.

In depth-first order the subtree of a token is a contiguous range, so the whole tree is three arrays: the tokens, their
depth, and where their subtree ends. Token j is an ancestor of token i (or i itself) exactly when j ≤ i < end[j].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trie:
    """Distinct tokens of a set of sequences, depth first. ``end``: where the subtree of each token ends.

    ``paths``: for each sequence as given, the index of each of its tokens from ``starts`` on (all of it by default).
    """

    tokens: Ints
    depth: Ints
    end: Ints
    paths: tuple[Ints, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    def ancestors(self, index: int, low: int = 0) -> Ints:
        """Indices from ``low`` on of the ancestors of a token, in order of depth."""
        return low + np.flatnonzero(self.end[low:index] > index)

    def lineage(self, index: int) -> Ints:
        """The token ids of the sequence that ends in a token."""
        line: Ints = self.tokens[np.append(self.ancestors(index), index)]
        return line


def build_trie(sequences: Sequence[Sequence[int] | Ints], starts: Sequence[int] | None = None) -> Trie:
    """The trie of ``sequences`` (none of them empty); ``starts`` says from which position on each path is kept."""
    arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
    keys = [array.astype(">u4").tobytes() for array in arrays]  # bytes sort as their token ids do, only faster
    order = sorted(range(len(arrays)), key=keys.__getitem__)
    limit = sum(map(len, arrays))
    tokens = np.empty(limit, np.int64)
    depth = np.empty(limit, np.int64)
    end = np.empty(limit, np.int64)
    path = np.empty(max(map(len, arrays), default=0), np.int64)
    paths: list[Ints] = [path] * len(arrays)
    size = 0
    before = np.empty(0, np.int64)
    for at in order:
        now = arrays[at]
        shared = common_prefix(before, now)
        end[path[shared : len(before)]] = size
        fresh = len(now) - shared
        tokens[size : size + fresh] = now[shared:]
        depth[size : size + fresh] = np.arange(shared, len(now))
        path[shared : len(now)] = np.arange(size, size + fresh)
        paths[at] = path[(starts[at] if starts else 0) : len(now)].copy()
        size += fresh
        before = now
    end[path[: len(before)]] = size
    return Trie(tokens[:size].copy(), depth[:size].copy(), end[:size].copy(), tuple(paths))


def common_prefix(a: Ints, b: Ints) -> int:
    """How many leading tokens two sequences share."""
    length = min(len(a), len(b))
    different = np.flatnonzero(a[:length] != b[:length])
    return int(different[0]) if len(different) else length


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of a pack's attention: tokens ``q0:q1`` look at keys ``k0:k1``, of the pack or of the path before it.

    ``kind``: ``full`` (all keys), ``causal`` (the same range, each token what comes before it) or ``tree`` (the same
    range, each token its ancestors). ``first``: no earlier tile has these queries, so there is nothing to merge with.
    """

    q0: int
    q1: int
    k0: int
    k1: int
    kind: str
    on_path: bool
    first: bool


def plan_tiles(depth: Ints, end: Ints, tree_tokens: int) -> list[Tile]:
    """How the tokens of a pack attend: a few large pieces instead of one mask over everything.

    ``depth`` and ``end`` describe the pack (``end`` counted from its start). Subtrees of up to ``tree_tokens``
    tokens are taken together under a tree mask; a longer stretch without branches is causal in itself and wholly
    visible to its descendants.
    """
    tiles: list[Tile] = []
    size, at = len(depth), 0
    while at < size:
        stop = int(end[at])
        while stop < size and depth[stop] == depth[at]:
            stop = int(end[stop])
        if depth[at] > 0:
            tiles.append(Tile(at, stop, 0, int(depth[at]), "full", on_path=True, first=True))
        _cover(at, stop, end, tree_tokens, tiles, first=depth[at] == 0)
        at = stop
    return tiles


def _cover(low: int, high: int, end: Ints, tree_tokens: int, tiles: list[Tile], *, first: bool) -> None:
    todo = [(low, high, first)]
    while todo:
        at, high, first = todo.pop()
        while at < high:
            stop = int(end[at])
            if stop - at <= tree_tokens:
                while stop < high and int(end[stop]) - at <= tree_tokens:
                    stop = int(end[stop])
                chain = bool((end[at:stop] == stop).all())
                tiles.append(Tile(at, stop, at, stop, "causal" if chain else "tree", on_path=False, first=first))
            else:
                branches = np.flatnonzero(end[at:stop] != stop)
                fork = at + int(branches[0]) if len(branches) else stop
                tiles.append(Tile(at, fork, at, fork, "causal", on_path=False, first=first))
                if fork < stop:
                    tiles.append(Tile(fork, stop, at, fork, "full", on_path=False, first=first))
                    todo.append((fork, stop, False))
            at = stop


def tree_mask(end: Ints) -> NDArray[np.bool_]:
    """(n, n): whether token i (row) may see token j (column): j is its ancestor or itself. ``end`` from the start."""
    index = np.arange(len(end))
    return np.asarray((index[None, :] <= index[:, None]) & (index[:, None] < end[None, :]))
