"""Forecasts of published results beside the plain rules, as Markdown tables.

python benchmarks/forecast_published.py DATA [SET ...]

One and two sizes ahead, and at least four times ahead: mean absolute error of the combination, the last value, the
recent slope (the plain last three points) and the line, the floor that item sampling alone would show, and what the
intervals hold. "worst" is the combination's error over that of the best plain rule: the best one is picked with
hindsight, set by set, which no forecaster can do. The second table says what hindsight would gain: the one rule of all
that was best over the whole set, and the best one of each task; the set ``olmo-13b`` is OLMo's 13B model over compute.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import pi, sqrt
from pathlib import Path

import numpy as np
import polars as pl
from published import gadre, gemstones, observational, olmo, pythia, pythia_plain
from published_curves import olmo_items, olmo_target

from scalecurve.analysis import backtest, pit_histogram, summarise
from scalecurve.analysis.forecast.forecast import COMBINED
from scalecurve.analysis.forecast.methods import METHODS, Known
from scalecurve.analysis.forecast.methods import method as enter
from scalecurve.errors import UserError

SCORES = ("acc", "accuracy", "score", "exact_match")
SIX = ("lambada_openai", "arc_easy", "winogrande", "piqa", "sciq", "logiqa")
SETS: dict[str, tuple[Callable[[Path], pl.DataFrame], str]] = {
    "pythia": (pythia, "params_non_embedding"),
    "pythia-plain": (pythia_plain, "params_non_embedding"),
    "pythia-24": (
        lambda data: pl.concat([pythia(data), pythia_plain(data)], how="diagonal_relaxed").filter(
            pl.col("task").is_in(SIX)
        ),
        "params_non_embedding",
    ),
    "gadre": (gadre, "params_non_embedding"),
    "olmo": (olmo, "params_non_embedding"),
    "observational": (observational, "params_non_embedding"),
    "gemstones": (gemstones, "params_non_embedding"),
    "gemstones-steps": (lambda data: gemstones(data, final=False), "step"),
}
OLMO_13B = "olmo-13b"
PLAIN = ("last value", "last three", "line")
ASKED = {"1 ahead": {}, "2 ahead": {"skip": 1}, "4x ahead": {"ahead": 4.0}}


@enter("last three")
def last_three(known: Known, x: float) -> float | None:
    """The literature's rule, without our minimum span."""
    if np.ptp(known.x[-3:]) == 0:
        return float(known.y[-1])
    slope, level = np.polyfit(known.x[-3:], known.y[-3:], 1)
    return float(np.clip(level + slope * x, known.low, known.high))


def main() -> None:
    data, *names = sys.argv[1:]
    tables, foretold = [], []
    print(
        "| set | asked | n | combined | last value | last three | line | worst | floor | process | bias | 80% | 95% |"
    )
    print("|---" * 13 + "|")
    for name in names or [*SETS, OLMO_13B]:
        if name == OLMO_13B:
            foretold.append(hindsight(name, "177x compute", olmo_13b(Path(data))))
            continue
        read, axis = SETS[name]
        frame = read(Path(data)).filter(pl.col("metric").is_in([*SCORES, "bpb", "soft_log"]))
        held = 3 if name == "gemstones-steps" else 1 if name == "pythia-24" else None
        for asked, options in ASKED.items():
            try:
                results = backtest(frame, axis=axis, holdouts=held, **options).filter(pl.col("metric").is_in(SCORES))
            except UserError:  # too few sizes to leave out any
                continue
            tables.append(results.with_columns(set=pl.lit(name), asked=pl.lit(asked)))
            print(line(name, asked, results), flush=True)
            foretold.append(hindsight(name, asked, results))
    print("\n| set | asked | n | combined | best rule, whole set | by the other tasks | best rule, each task | floor |")
    print("|---" * 8 + "|")
    print("\n".join(foretold), flush=True)
    if not tables:
        return
    everything = pl.concat(tables)
    for by in ("known", "trend", "distance"):
        print(
            f"\n| asked | {by} | n | combined | last | last three | line | worst | floor | process | bias | 80% | 95% |"
        )
        print("|---" * 13 + "|")
        for (asked, group), rows in everything.group_by("asked", by, maintain_order=True):
            print(line(str(asked), str(group), rows))
    for asked in ASKED:
        print(f"\nPIT, tenths, {asked}: {pit_histogram(everything.filter(pl.col('asked') == asked))}")


def olmo_13b(data: Path) -> pl.DataFrame:
    """Errors of every rule on OLMo's 13B model, 177 times the compute of the ladder it is foretold from."""
    found = olmo_target(data)
    errors = {task: sqrt(y * (1 - y) / olmo_items(task)) for task, y in found.actual.items()}
    told = found.forecasts.select("task", "method", "y")
    return told.with_columns(
        error=pl.col("y") - pl.col("task").replace_strict(found.actual, return_dtype=pl.Float64),
        sampling=pl.col("task").replace_strict(errors, return_dtype=pl.Float64),
    )


def hindsight(name: str, asked: str, results: pl.DataFrame) -> str:
    """What the rules that foretell all targets would have, were the best one known: of the whole set, of each task.

    Between the two: each task by the rule that was best over the set's other tasks, as far as a choice can be learnt.
    """
    kept = results.filter(pl.len().over("method") == pl.len().over("method").max())
    kept = kept.with_columns(error=100 * pl.col("error").abs())
    combined, rules = kept.filter(pl.col("method") == COMBINED), kept.filter(pl.col("method") != COMBINED)
    whole = rules.group_by("method").agg(pl.col("error").mean()).sort("error", "method").row(0)
    table = rules.group_by("task", "method").agg(pl.col("error").sum()).pivot("method", index="task").sort("task")
    errors = table.drop("task").to_numpy()  # tasks × rules
    others = (errors.sum(axis=0) - errors).argmin(axis=1)
    learnt, best = errors[np.arange(len(errors)), others].sum(), errors.min(axis=1).sum()
    means = f"{combined['error'].mean():.2f} | {whole[1]:.2f} ({whole[0]}) | {learnt / combined.height:.2f}"
    floor = 100 * sqrt(2 / pi) * combined["sampling"].mean()
    return f"| {name} | {asked} | {combined.height} | {means} | {best / combined.height:.2f} | {floor:.2f} |"


def line(name: str, asked: str, results: pl.DataFrame) -> str:
    found = {row["method"]: row for row in summarise(results).iter_rows(named=True)}
    best = found["combined"]
    plain = [found[method]["mae"] for method in PLAIN]
    cells = [best["mae"], *plain, best["mae"] / min(plain), best["floor"], found["process"]["mae"], best["bias"]]
    held = f"{best['coverage80']:.0%} | {best['coverage95']:.0%}"
    return f"| {name} | {asked} | {best['n']} | " + " | ".join(f"{cell:.2f}" for cell in cells) + f" | {held} |"


if __name__ == "__main__":
    assert METHODS
    main()
