"""Is a tournament worth its calls? The best k of n texts, by ratings and by comparisons, over simulated tables.

    python benchmarks/query_topk.py [tables, 400]

A text has a worth (standard normal). A rating is that worth plus noise, to a whole number of five where it is written
and not read off the probabilities. A comparison of two texts says the better one with the probability that their
difference plus noise keeps its sign. The noise of a rating is ``noise``; that of a comparison is what two ratings'
difference has (``alike``), or half of it (``sharper``), as where a judge sees small differences best side by side.
Ways: rate all (``ORDER BY ai_rate``); quickselect around random pivots, as LOTUS's ``sem_topk``; knock-out rounds, then
again among those who lost to a winner; rate all, then compare every pair of the best 2k. Found: the share of the true
best k. Texts read: a comparison reads two.
"""

from __future__ import annotations

import sys

import numpy as np


class Judge:
    """Compares by worth and noise, the same answer for the same pair; counts the pairs."""

    def __init__(self, worth: np.ndarray, noise: float, random: np.random.Generator) -> None:
        self.worth, self.noise, self.random = worth, noise, random
        self.known: dict[tuple[int, int], bool] = {}

    def better(self, a: int, b: int) -> bool:
        low, high = min(a, b), max(a, b)
        if (low, high) not in self.known:
            difference = self.worth[low] - self.worth[high] + self.random.normal(0, self.noise)
            self.known[low, high] = bool(difference > 0)
        return self.known[low, high] == (a == low)


def rated(scores: np.ndarray, k: int) -> set[int]:
    return set(np.argsort(-scores, kind="stable")[:k].tolist())


def quickselect(judge: Judge, items: list[int], k: int) -> set[int]:
    if k <= 0 or len(items) <= k:
        return set(items[: max(k, 0)])
    pivot = items[int(judge.random.integers(len(items)))]
    above = [each for each in items if each != pivot and judge.better(each, pivot)]
    below = [each for each in items if each != pivot and each not in set(above)]
    if len(above) >= k:
        return quickselect(judge, above, k)
    return {*above, pivot} | quickselect(judge, below, k - len(above) - 1)


def knock_out(judge: Judge, items: list[int], k: int) -> set[int]:
    found: list[int] = []
    left = list(items)
    while len(found) < k and left:
        field = left
        while len(field) > 1:  # answers are kept, so that only the rounds of a winner's rivals are new
            pairs = zip(field[::2], field[1::2], strict=False)
            field = [a if judge.better(a, b) else b for a, b in pairs] + field[len(field) - len(field) % 2 :]
        found.append(field[0])
        left = [each for each in left if each != field[0]]
    return set(found)


def finalists(judge: Judge, scores: np.ndarray, k: int) -> set[int]:
    best = sorted(rated(scores, 2 * k))
    wins = {a: sum(judge.better(a, b) for b in best if b != a) for a in best}
    return set(sorted(best, key=lambda each: (-wins[each], -scores[each]))[:k])


def chosen(way: str, judge: Judge, scores: np.ndarray, k: int) -> set[int]:
    """The best k as ``way`` finds them."""
    everyone = list(range(len(scores)))
    if way == "quickselect":
        return quickselect(judge, everyone, k)
    if way == "knock-out":
        return knock_out(judge, everyone, k)
    if way == PAIRED:
        return finalists(judge, scores, k)
    return rated(np.clip(np.round(scores), -2, 2) if way == WRITTEN else scores, k)


WRITTEN, PAIRED = "ratings, written", "ratings, then the best 2k in pairs"
WAYS = ("ratings, expected", WRITTEN, "quickselect", "knock-out", PAIRED)


def measured(way: str, n: int, k: int, noise: float, seed: int) -> list[float]:
    """Share found, calls and texts read: with comparisons alike, then with sharper ones."""
    random = np.random.default_rng(seed)
    worth = random.normal(size=n)
    scores = worth + random.normal(0, noise, n)
    rates = n if way.startswith("ratings") else 0
    row = []
    for share in (np.sqrt(2), np.sqrt(2) / 2):
        judge = Judge(worth, noise * share, np.random.default_rng(seed + 10_000))
        found = len(chosen(way, judge, scores, k) & rated(worth, k)) / k
        row += [found, rates + len(judge.known), rates + 2 * len(judge.known)]
    return row


def main() -> None:
    """Print the table of docs/query.md."""
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print("| n, k | noise | way | calls | texts read | found, alike | found, sharper |\n|---|---|---|---|---|---|---|")
    for n, k in ((100, 5), (300, 10)):
        for noise in (0.3, 1.0):
            for way in WAYS:
                rows = [measured(way, n, k, noise, seed) for seed in range(tables)]
                alike, calls, read, sharper, *_ = np.mean(rows, axis=0)
                print(f"| {n}, {k} | {noise} | {way} | {calls:.0f} | {read:.0f} | {alike:.2f} | {sharper:.2f} |")


if __name__ == "__main__":
    main()
