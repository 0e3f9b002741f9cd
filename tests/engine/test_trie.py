"""The trie holds every distinct token once, and a pack's pieces show each token exactly its ancestors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.engine.trie import build_trie, plan_tiles, tree_mask

sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=12)


def prefixes(lines: list[list[int]]) -> set[tuple[int, ...]]:
    return {tuple(line[: n + 1]) for line in lines for n in range(len(line))}


@given(sequences)
def test_every_distinct_prefix_is_one_token(lines: list[list[int]]) -> None:
    trie = build_trie(lines)
    assert len(trie) == len(prefixes(lines))
    assert {tuple(trie.lineage(i)) for i in range(len(trie))} == prefixes(lines)
    for line, path in zip(lines, trie.paths, strict=True):
        assert trie.tokens[path].tolist() == line
        assert trie.depth[path].tolist() == list(range(len(line)))


def test_the_cost_of_a_document() -> None:
    """The specification's example: a context of 100 tokens and options of 1, 2, 3 and 4 take 110, not 410."""
    context = list(range(100))
    options = [[200 + 10 * n + i for i in range(n)] for n in (1, 2, 3, 4)]
    assert sum(len(context + option) for option in options) == 410
    assert len(build_trie([context + option for option in options])) == 110


@settings(deadline=None)
@given(sequences, st.integers(1, 20), st.integers(1, 12), st.data())
def test_a_pack_shows_each_token_its_ancestors_once(
    lines: list[list[int]], tree_tokens: int, size: int, data: st.DataObject
) -> None:
    trie = build_trie(lines)
    low = data.draw(st.integers(0, len(trie) - 1))
    high = min(low + size, len(trie))
    end = np.minimum(trie.end[low:high], high) - low
    path = trie.ancestors(low)
    seen = np.zeros((high - low, len(trie)), int)
    met = np.zeros(high - low, bool)
    for tile in plan_tiles(trie.depth[low:high], end, tree_tokens):
        assert (met[tile.q0 : tile.q1] != tile.first).all(), "the first piece of a token has nothing to merge with"
        met[tile.q0 : tile.q1] = True
        keys = path[tile.k0 : tile.k1] if tile.on_path else np.arange(low + tile.k0, low + tile.k1)
        shape = (tile.q1 - tile.q0, tile.k1 - tile.k0)
        allowed = {
            "full": np.ones(shape, int),
            "causal": np.tri(*shape, dtype=int),
            "tree": tree_mask(end[tile.q0 : tile.q1] - tile.q0).astype(int),
        }[tile.kind]
        seen[tile.q0 : tile.q1, keys] += allowed
    for token in range(low, high):
        expected = np.zeros(len(trie), int)
        expected[[*trie.ancestors(token), token]] = 1
        assert seen[token - low].tolist() == expected.tolist()


def test_a_wide_trie_takes_few_pieces() -> None:
    shots = list(range(500))
    lines = [[*shots, 1000 + q, *range(40)] for q in range(64)]
    trie = build_trie(lines)
    tiles = plan_tiles(trie.depth, trie.end, 256)
    assert len(tiles) <= 2 + 64 * 41 // 200
    assert sum((p.q1 - p.q0) * (p.k1 - p.k0) for p in tiles) < 0.4 * len(trie) ** 2


@pytest.mark.parametrize("starts", [None, [1, 2]])
def test_paths_begin_where_asked(starts: list[int] | None) -> None:
    trie = build_trie([[5, 6], [5, 6, 7]], starts)
    assert [len(path) for path in trie.paths] == ([2, 3] if starts is None else [1, 1])
