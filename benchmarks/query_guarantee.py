"""The promise of ``recall`` and ``precision`` over simulated tables, and what it costs.

    python benchmarks/query_guarantee.py [tables of each kind, 1000] [rows of each, 2000] [KIND …]

For each kind (``tests/query/test_cascade.py`` makes them): in how many tables recall or precision fell below .9 (δ .2,
so that each may in a tenth), and the share asked of the large rung, beside the least that anyone could ask who knew
every label beforehand and still decided by two thresholds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Print the table of docs/query.md."""
    from scalecurve.query.answers.cascade import Targets, run_cascade
    from tests.query.test_cascade import KINDS, table

    given = sys.argv[1:]
    tables, rows = (int(each) for each in (*given[:2], *("1000", "2000")[len(given) :]))
    targets = Targets(0.9, 0.9, 0.2)
    print("| table | recall missed | precision missed | lowest recall | asked of the large rung | least possible |")
    print("|---|---|---|---|---|---|")
    for kind in given[2:] or KINDS:
        missed_recall = missed_precision = 0
        lowest, asked, least = 1.0, [], []
        for seed in range(tables):
            scores, truth = table(kind, seed, rows)
            done = run_cascade(scores, _oracle(truth), targets, seed=seed + 1000)
            hits = sum(a and b for a, b in zip(done.labels, truth, strict=True))
            missed_recall += hits < targets.recall * sum(truth)
            missed_precision += hits < targets.precision * sum(done.labels)
            lowest = min(lowest, hits / max(1, sum(truth)))
            asked.append(done.oracle_calls / rows)
            if seed < 20:
                least.append(_least(np.asarray(scores), np.asarray(truth), targets.recall, targets.precision))
        print(
            f"| {kind} | {missed_recall} of {tables} | {missed_precision} of {tables} | {lowest:.3f} "
            f"| {np.mean(asked):.1%} | {np.mean(least):.1%} |",
            flush=True,
        )


def _oracle(truth: Sequence[bool]) -> Callable[[Sequence[int]], list[bool]]:
    return lambda items: [truth[i] for i in items]


def _least(scores: np.ndarray, truth: np.ndarray, recall: float, precision: float) -> float:
    """The least share between two thresholds that meet both targets."""
    truth = truth[np.argsort(scores)]
    n, yes = len(truth), int(truth.sum())
    below = np.concatenate([[0], np.cumsum(truth)])
    step, best = max(1, n // 200), 1.0
    for low in range(0, n, step):
        if below[low] > (1 - recall) * yes:
            break
        for high in range(low, n + 1, step):
            wrong = (n - high) - (yes - below[high])
            if wrong <= (1 - precision) * (yes - below[low] + wrong):
                best = min(best, (high - low) / n)
                break
    return best


if __name__ == "__main__":
    main()
