"""Successive halving (Karnin et al. 2013; Jamieson and Talwalkar 2016, arXiv 1502.07943): the schedule and the ranking.

Every round asks the candidates that are left twice as many questions as they had, and keeps the better half, so that
each round costs about the same and most questions go to the best.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

FINALISTS = 3
LEAST_ITEMS = 8


def sizes(candidates: int) -> list[int]:
    """How many candidates each round asks: halved, rounded up, down to three."""
    counts = [candidates]
    while counts[-1] > FINALISTS:
        counts.append(max(FINALISTS, math.ceil(counts[-1] / 2)))
    return counts


def first_items(pool: int, rounds: int, affordable: float) -> int:
    """Questions of the first round: as many as can be doubled in every later round, or can be paid for; at least 8."""
    doubled = max(LEAST_ITEMS, pool >> max(rounds - 1, 0))
    return int(min(doubled, pool, max(affordable, 0)))


def best(ranking: Mapping[str, tuple[float, ...]], count: int, always: Sequence[str]) -> list[str]:
    """The ``count`` of greatest rank, in the order given; those of ``always`` are among them."""
    order = sorted(ranking, key=ranking.__getitem__, reverse=True)  # stable: of equals the earlier
    kept = [name for name in order if name in always]
    kept += [name for name in order if name not in kept][: max(0, count - len(kept))]
    return [name for name in ranking if name in kept]
