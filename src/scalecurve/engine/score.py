"""Log-probabilities of many continuations from one trie: each token forwarded once, each position scored once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from scalecurve.engine.forward import Forward
from scalecurve.engine.trie import Ints, Trie, build_trie

Pair = tuple[tuple[int, ...], tuple[int, ...]]
Scored = tuple[float, bool]

MIN_SHARED = 16  # tokens a prefix must have, and prompts it must begin, to be remembered for what comes later
MIN_PROMPTS = 4
MOST_PREFIXES = 4  # remembered of one batch


def score_pairs(forward: Forward, pairs: Sequence[Pair], on_score: Callable[[int, Scored], None]) -> None:
    """Score each (context, continuation): summed log-probability in nats, and whether it is the greedy one.

    The last token of a continuation is never forwarded, and a position whose vocabulary several continuations ask
    about is scored once. ``on_score(index, scored)`` is called as packs are done; one device synchronisation a pack.
    """
    trie = build_trie([context + continuation[:-1] for context, continuation in pairs],
                      [len(context) - 1 for context, _ in pairs])  # fmt: skip
    owner = np.repeat(np.arange(len(pairs)), [len(continuation) for _, continuation in pairs])
    where = np.concatenate(trie.paths)
    token = np.concatenate([np.asarray(continuation, np.int64) for _, continuation in pairs])
    order = np.argsort(where, kind="stable")
    owner, where, token = owner[order], where[order], token[order]
    left = np.bincount(owner, minlength=len(pairs))
    sums, greedy = np.zeros(len(pairs)), np.ones(len(pairs), bool)

    def on_hidden(rows: Ints, hidden: Tensor, end: int) -> None:
        if not len(rows):
            return
        mine = slice(np.searchsorted(where, rows[0]), np.searchsorted(where, end))
        row = np.searchsorted(rows, where[mine])
        logprob, best = _ask(forward, hidden, row, token[mine])
        owners = owner[mine]
        np.add.at(sums, owners, logprob)
        np.logical_and.at(greedy, owners, best)
        np.subtract.at(left, owners, 1)
        touched = np.unique(owners)
        for index in touched[left[touched] == 0]:
            on_score(int(index), (float(sums[index]), bool(greedy[index])))

    shared = shared_prefixes(trie, np.asarray([path[0] for path in trie.paths]))
    forward.sweep(trie, np.unique(where), on_hidden, note=shared)


def _ask(forward: Forward, hidden: Tensor, row: Ints, token: Ints) -> tuple[np.ndarray, np.ndarray]:
    """Log-probability of ``token`` at each ``row`` of ``hidden`` (ascending), and whether it is the argmax."""
    out = torch.empty(2, len(row), dtype=torch.float64, device=hidden.device)

    def ask(part: slice) -> None:
        asks = slice(*np.searchsorted(row, [part.start, part.stop]))
        logprobs = torch.log_softmax(forward.logits(hidden[part]), dim=-1)  # one pass a row; logsumexp takes many
        best = logprobs.amax(dim=-1)
        at = rows[asks] - part.start
        picked = logprobs[at, tokens[asks]]
        out[0, asks] = picked.double()
        out[1, asks] = (picked == best[at]).double()

    tokens = torch.from_numpy(token).to(hidden.device)
    rows = torch.from_numpy(row).to(hidden.device)
    forward.in_slices(len(hidden), ask)
    values = out.cpu().numpy()
    return values[0], values[1] > 0


def shared_prefixes(trie: Trie, ends: Ints) -> list[int]:
    """The few indices where prefixes end that many distinct prompts share; ``ends``: where each prompt ends."""
    ends = np.unique(ends)
    count = np.searchsorted(ends, trie.end) - np.searchsorted(ends, np.arange(len(trie)))
    worth = np.where((count >= MIN_PROMPTS) & (trie.depth + 1 >= MIN_SHARED), (count - 1) * (trie.depth + 1), 0)
    found: list[int] = []
    while len(found) < MOST_PREFIXES and len(worth) and worth.max() > 0:
        best = int(worth.argmax())
        found.append(best)
        worth[trie.ancestors(best)] = 0
        worth[best : int(trie.end[best])] = 0
    return sorted(found)
