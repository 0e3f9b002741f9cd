"""Forecasts of published results beside the plain rules, as Markdown tables.

python benchmarks/forecast_published.py DATA [SET ...]

One and two sizes ahead, and at least four times ahead: mean absolute error of the combination, the last value, the
recent slope (the plain last three points) and the line, the floor that item sampling alone would show, and what the
intervals hold. "worst" is the combination's error over that of the best plain rule: the best one is picked with
hindsight, set by set, which no forecaster can do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from published import gadre, gemstones, observational, olmo, pythia, pythia_plain

from scalecurve.analysis import backtest, pit_histogram, summarise
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
    tables = []
    print(
        "| set | asked | n | combined | last value | last three | line | worst | floor | process | bias | 80% | 95% |"
    )
    print("|---" * 13 + "|")
    for name in names or SETS:
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
