"""How alike two texts are by their letters: a proxy that costs nothing, for joins without a smaller rung.

A guarantee holds whatever the proxy; a bad one only saves less.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

LETTERS = 3


def likeness(pairs: Sequence[Sequence[str]]) -> list[float]:
    """The cosine (0–1) of the counts of three-letter pieces of each pair's first two texts.

    >>> likeness([("the film", "The Film"), ("abc", "xyz")])
    [1.0, 0.0]
    """
    known: dict[str, tuple[Counter[str], float]] = {}

    def pieces(text: str) -> tuple[Counter[str], float]:
        if text not in known:
            padded = f" {' '.join(text.lower().split())} "
            counts = Counter(padded[at : at + LETTERS] for at in range(max(1, len(padded) - LETTERS + 1)))
            known[text] = counts, math.sqrt(sum(n * n for n in counts.values()))
        return known[text]

    found = []
    for one, other in ((pair[0], pair[1]) for pair in pairs):
        (left, size), (right, length) = pieces(one), pieces(other)
        small, large = (left, right) if len(left) < len(right) else (right, left)
        dot = sum(n * large[piece] for piece, n in small.items())
        found.append(min(1.0, round(dot / (size * length), 12)))
    return found
