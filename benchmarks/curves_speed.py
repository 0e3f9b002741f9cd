"""How long the full battery takes: verdict, threshold interval, 100 copies and companions of many curves.

python benchmarks/curves_speed.py [curves]

1,000 curves of 8 scales × 1,000 items by default: half are exact match, half the target log-probability beside it.
Bar: 20 s on 2 cores, the tables already in memory.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import polars as pl

from scalecurve.analysis import judge_all

BAR_SECONDS = 20
SCALES, ITEMS, SHAPES = 8, 1000, 6


def tables(tasks: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(curves, scores) of simulated tasks: flat, line, step, hinge, inverse and p^T in turn."""
    rng = np.random.default_rng(0)
    u = np.linspace(0, 1, SCALES)
    truths = [
        0.25 + 0 * u,
        0.25 + 0.5 * u,
        0.25 + 0.5 / (1 + np.exp(-36 * (u - 0.5))),
        0.25 + np.maximum(u - 0.5, 0),
        0.7 - 0.4 * u,
        np.exp(10 * (-0.7 + 0.65 * u)),
    ]
    item_ids = pl.Series("example_id", [f"item-{k}" for k in range(ITEMS)])
    scores, points = [], []
    for task in range(tasks):
        p = truths[task % SHAPES]
        hardness = rng.normal(0, 1, (ITEMS, 1))
        right = (rng.uniform(size=(ITEMS, SCALES)) < p).astype(float)
        logprob = 4 * u - 6 + hardness + rng.normal(0, 0.3, (ITEMS, SCALES))
        for metric, values in (("exact_match", right), ("target_logprob", logprob)):
            chance = (0.0 if task % SHAPES == 5 else 0.25) if metric == "exact_match" else None
            for i in range(SCALES):
                own = {"family": "f", "rung": f"r{i}", "task": f"task-{task}", "strategy": "direct", "shots": 0}
                own |= {"metric": metric}
                column = pl.DataFrame({"example_id": item_ids, "value": values[:, i]})
                scores.append(column.with_columns(**{k: pl.lit(v) for k, v in own.items()}, seed=pl.lit(0)))
                se = values[:, i].std(ddof=1) / ITEMS**0.5
                bounds = {"chance": chance, "ceiling": None if chance is None else 1.0, "higher_is_better": True}
                y = {"params_non_embedding": 10 ** (7 + 3 * u[i]), "y": values[:, i].mean(), "se": se, "n": ITEMS}
                points.append(own | y | bounds)
    return pl.DataFrame(points, infer_schema_length=None), pl.concat(scores)


def main() -> None:
    curves, scores = tables((int(sys.argv[1]) if len(sys.argv) > 1 else 1000) // 2)
    began, worked = time.perf_counter(), time.process_time()
    verdicts = judge_all(curves, scores)
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    print(f"{verdicts.height:,} curves of {SCALES} scales x {ITEMS:,} items, 100 copies: {seconds:.1f} s")
    print(f"processor time {worked:.1f} s")
    print(f"bar {BAR_SECONDS} s: {'met' if seconds <= BAR_SECONDS else 'MISSED'}")
    counts = verdicts.group_by("metric", "shape", "artefact").len().sort("metric", "len", descending=[False, True])
    for row in counts.iter_rows():
        print("  ", *row)


if __name__ == "__main__":
    main()
