"""How much asking until every verdict is decided saves, and how often it ends with the verdict of asking everything.

    python benchmarks/until_decided.py RUN [--seeds 20] [--confidence .95] [--items 1000 [--resample]] [--part 25]

Replays a finished run: nothing is asked of a model. For each seed the examples of every task are put in another random
order; ``--until decided`` then goes its way on the stored scores. Printed: tokens and FLOPs of asking everything over
those it asked, the share of curves that end with the full run's verdict, the same by verdict, and how far the means at
the stop lie from those of all examples. ``--items N`` makes tasks of N right-or-wrong items with the run's accuracies,
another draw for each seed, and judges all of them for comparison.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from scalecurve.analysis import curves_from_frame, judge
from scalecurve.analysis.stats.errors import flatness
from scalecurve.analysis.verdicts.judge import discovery_level
from scalecurve.analysis.verdicts.table import item_tables
from scalecurve.runner.adaptive.allocation import OpenCurve, next_round
from scalecurve.store import open_run, read_outputs
from scalecurve.types import Curve

Floats = np.ndarray


@dataclass(frozen=True)
class Full:
    """A curve with all its scores (items, rungs) on 0–1, tokens of each answer, and the verdict on all of them."""

    curve: Curve
    scores: Floats
    tokens: Floats
    flops: Floats  # (rungs,) of one token
    shape: str


def load(path: Path) -> list[Full]:
    run = open_run(path)
    frame = pl.read_parquet(run.curves).filter(pl.col("preferred"))
    tables = item_tables(pl.read_parquet(run.scores))
    spent: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    keys = ("family", "task", "strategy", "shots", "rung")
    for *key, example, prompt, written in (
        read_outputs(run).select(*keys, "example_id", "prompt_tokens", "generated_tokens").collect().iter_rows()
    ):
        spent[tuple(key)][example] = prompt + written
    verdicts = pl.read_parquet(run.verdicts)
    shapes = {tuple(row[:5]): row[5] for row in verdicts.select(*keys[:4], "metric", "shape").iter_rows()}
    found = []
    for curve in curves_from_frame(frame):
        own = (curve.family, curve.task, curve.strategy, curve.shots)
        by_rung = tables[*own, curve.metric]
        ids = by_rung[curve.rungs[0]]["example_id"].to_list()
        columns = [dict(zip(by_rung[r]["example_id"], by_rung[r]["value"], strict=True)) for r in curve.rungs]
        scores = np.array([[column[example] for column in columns] for example in ids], float)
        tokens = np.array([[spent[*own, rung][example] for rung in curve.rungs] for example in ids], float)
        found.append(Full(curve, scores, tokens, 2 * np.array(curve.x), shapes[*own, curve.metric]))
    return found


def simulated(full: list[Full], items: int, seed: int) -> list[Full]:
    """Curves of ``items`` right-or-wrong items with the accuracies of ``full``, and the verdicts on all of them.

    A curve that is flat there gets its mean accuracy at every rung: the scatter of its points is that of few items.
    """
    rng = np.random.default_rng((seed, items))
    made = []
    for each in full:
        means = each.scores.mean(axis=0)
        if each.shape == "flat":
            means[:] = means.mean()
        scores = (rng.random((items, len(means))) < means).astype(float)
        y = scores.mean(axis=0)
        se = np.sqrt(np.maximum(y * (1 - y), 1 / items) / items)
        curve = replace(each.curve, y=tuple(y), se=tuple(se), n=(items,) * len(y))
        tokens = np.broadcast_to(each.tokens.mean(axis=0), scores.shape)
        made.append(Full(curve, scores, tokens, each.flops, ""))
    level = discovery_level([flatness(each.curve.y, each.curve.se)[1] for each in made])
    return [replace(each, shape=judge(each.curve, each.scores, flat_level=level).shape) for each in made]


@dataclass
class Replayed:
    """What one replay came to."""

    tokens: float
    all_tokens: float
    flops: float
    all_flops: float
    outcomes: list[tuple[str, str, bool]]  # (full verdict, verdict at the stop, everything was asked)
    errors: list[float]  # mean at the stop less mean of all, a rung of a curve each
    asked: Floats  # share of examples asked, by place on the ladder
    rounds: int
    per: list[float]  # share of examples asked, a curve each


def replay(full: list[Full], seed: int, confidence: float, part: int) -> Replayed:
    rng = np.random.default_rng((seed, 1))
    orders = {task: rng.permutation(len(f.scores)) for f in full for task in [f.curve.task]}
    states = []
    for each in full:
        order = orders[each.curve.task][: len(each.scores)]
        costs = each.tokens.mean(axis=0)
        states.append((each, OpenCurve(each.curve, len(each.scores), part, costs, [np.empty(0)] * len(costs)), order))
    rounds = 0
    while True:
        wanted = next_round([state for _, state, _ in states], confidence, seed)
        moved = False
        for (each, state, order), target in zip(states, wanted, strict=True):
            moved |= bool((target > state.asked).any())
            state.seen = [each.scores[order[:n], rung] for rung, n in enumerate(target)]
        rounds += 1
        if not moved:
            break
    found = Replayed(0, 0, 0, 0, [], [], np.zeros(len(states[0][1].seen)), rounds, [])
    for each, state, order in states:
        for rung, n in enumerate(state.asked):
            used, every = each.tokens[order[:n], rung].sum(), each.tokens[:, rung].sum()
            found.tokens += used
            found.all_tokens += every
            found.flops += used * each.flops[rung]
            found.all_flops += every * each.flops[rung]
            found.errors.append(float(state.seen[rung].mean() - each.scores[:, rung].mean()))
        found.per.append(float(np.mean(state.asked / state.total)))
        found.asked += state.asked / state.total / len(states)
        shape = state.decided.shape if state.decided else each.shape
        found.outcomes.append((each.shape, shape, state.decided is None))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--items", type=int)
    parser.add_argument("--part", type=int, default=25)
    given = parser.parse_args()
    full = load(given.run)
    every: list[Replayed] = []
    for seed in range(given.seeds):
        began = time.perf_counter()
        own = simulated(full, given.items, seed) if given.items else full
        one = replay(own, seed, given.confidence, given.part)
        every.append(one)
        right = np.mean([a == b for a, b, _ in one.outcomes])
        print(
            f"seed {seed}: {one.all_tokens / one.tokens:.2f}x tokens, {one.all_flops / one.flops:.2f}x FLOPs, "
            f"{right:.0%} of verdicts, {one.rounds} rounds, {time.perf_counter() - began:.0f} s",
            flush=True,
        )
    print(f"tokens: {sum(r.all_tokens for r in every) / sum(r.tokens for r in every):.2f}x fewer")
    print(f"FLOPs: {sum(r.all_flops for r in every) / sum(r.flops for r in every):.2f}x fewer")
    outcomes = [outcome for one in every for outcome in one.outcomes]
    print(f"same verdict: {np.mean([a == b for a, b, _ in outcomes]):.1%} of {len(outcomes)}")
    stopped = [(a, b) for a, b, whole in outcomes if not whole]
    same = np.mean([a == b for a, b in stopped])
    print(f"stopped early: {len(stopped) / len(outcomes):.0%}, of those {same:.1%} the same")
    by_shape: dict[str, Counter[str]] = defaultdict(Counter)
    for a, b, _ in outcomes:
        by_shape[a][b] += 1
    for shape, ends in sorted(by_shape.items()):
        print(f"  {shape}: {dict(ends.most_common())}")
    errors = np.array([one.errors for one in every])  # of one seed they go together: the curves share their order
    bias, se = errors.mean(), errors.mean(axis=1).std(ddof=1) / np.sqrt(len(errors))
    print(f"means at the stop: bias {bias:+.4f} (s.e. over seeds {se:.4f}), rms {np.sqrt((errors**2).mean()):.4f}")
    shares = np.mean([one.asked for one in every], axis=0)
    print("share asked, smallest rung first: " + " ".join(f"{share:.2f}" for share in shares))


if __name__ == "__main__":
    main()
