"""Verdicts and backtests on published results of real model families, as Markdown tables.

python benchmarks/published_curves.py DATA

DATA is the folder with pythia_evals, gadre_scaling, olmo_ladder and obsscaling. The study of these verdicts, with
intervals, is studies/how_often; the table of OLMo 13B stands in docs/studies/published_curves.md.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from published import OLMO_ITEMS, SETS

from scalecurve.analysis import backtest, forecast, judge_all, summarise

SCORES = ("acc", "accuracy", "score", "exact_match")
SIX = ("lambada_openai", "arc_easy", "winogrande", "piqa", "sciq", "logiqa")
SHAPES = (
    "flat",
    "smooth",
    "late",
    "emergent",
    "inverse",
    "U",
    "inverted-U",
    "irregular",
    "one-model",
    "saturated",
    "inconclusive",
    "too-few",
)
OLMO_TASKS = ("mmlu_avg_test", "hellaswag_val", "arc_challenge_test", "arc_easy_test", "piqa_val", "csqa_val")
OLMO_TASKS += ("socialiqa_val", "openbookqa_test")
MMLU = {"stem": 0.215, "humanities": 0.335, "social_sciences": 0.219, "other": 0.231}  # the authors' weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    frames = {name: read(data) for name, read in SETS.items()}
    verdicts = {name: judge_all(frame).filter(pl.col("metric").is_in(SCORES)) for name, frame in frames.items()}
    print_counts(verdicts)
    print_notable(verdicts)
    print_b_against_verdicts(verdicts)
    print_backtests(frames)
    print_olmo_target(data)


def header(*columns: str) -> None:
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")


def print_counts(verdicts: dict[str, pl.DataFrame]) -> None:
    print("\n### Shapes\n\n| set | curves | " + " | ".join(SHAPES) + " |\n|---|---|" + "---|" * len(SHAPES))
    for name, table in verdicts.items():
        counts = Counter(table["shape"])
        print(f"| {name} | {table.height} | " + " | ".join(str(counts[shape] or "·") for shape in SHAPES) + " |")


def print_notable(verdicts: dict[str, pl.DataFrame]) -> None:
    print("\n### Curves that are neither flat, smooth, saturated nor in doubt, or rest on an outlier\n")
    header("set", "family", "task", "shots", "verdict", "sure", "threshold (parameters)", "flags")
    usual = ["flat", "smooth", "saturated", "inconclusive", "too-few"]
    for name, table in verdicts.items():
        flagged = pl.col("flags").list.contains("outlier-driven") & (pl.col("shape") != "inconclusive")
        for row in table.filter(~pl.col("shape").is_in(usual) | flagged).iter_rows(named=True):
            place = ""
            if row["threshold"]:
                place = f"{row['threshold']:.2g} ({row['threshold_lo']:.2g} to {row['threshold_hi']:.2g})"
            verdict = row["shape"] + (f", {row['sublabel']}" if row["sublabel"] else "")
            flags = ", ".join(flag for flag in row["flags"] if flag != "unpaired")
            sure = f"{row['confidence']:.0%}"
            own = f"{row['family']} | {row['task']} | {row['shots']}"
            print(f"| {name} | {own} | {verdict} | {sure} | {place} | {flags} |")


def print_b_against_verdicts(verdicts: dict[str, pl.DataFrame]) -> None:
    """How many curves a cut-off on B would have called breakthroughs, by verdict."""
    print("\n### What B above 10 would have called a breakthrough\n")
    header("set", "B > 10", "of these: by verdict")
    for name, table in verdicts.items():
        high = table.filter(pl.col("breakthroughness") > 10)
        shapes = ", ".join(f"{shape} {count}" for shape, count in Counter(high["shape"]).most_common())
        print(f"| {name} | {high.height} | {shapes} |")


def print_backtests(frames: dict[str, pl.DataFrame]) -> None:
    results = {name: backtest(frame).filter(pl.col("metric").is_in(SCORES)) for name, frame in frames.items()}
    held = frames["Pythia"].filter(pl.col("task").is_in(SIX))
    results["Pythia 12B, 12 curves"] = backtest(held, targets=["pythia-12b-deduped"])
    print("\n### Mean absolute error of forecasts, percentage points\n")
    methods = [
        "combined",
        "recent slope",
        "last value",
        "sigmoids",
        "components",
        "two-step",
        "power law",
        "broken line",
    ]
    methods += ["line", "Theil-Sen", "logit line", "mean"]
    print("| set | targets | " + " | ".join(methods) + " |\n|---|---|" + "---|" * len(methods))
    for name, table in results.items():
        found = {row["method"]: row for row in summarise(table).iter_rows(named=True)}
        cells = [
            f"{found[m]['mae']:.2f}" if m in found and found[m]["n"] == found["combined"]["n"] else "" for m in methods
        ]
        print(f"| {name} | {found['combined']['n']} | " + " | ".join(cells) + " |")
    print(
        "\n### The combination\n\n| set | RMSE | bias | skill | in 80% | in 95% | CRPS |\n|---|---|---|---|---|---|---|"
    )
    for name, table in results.items():
        row = next(row for row in summarise(table).iter_rows(named=True) if row["method"] == "combined")
        print(
            f"| {name} | {row['rmse']:.2f} | {row['bias']:+.2f} | {row['skill']:.2f} | {row['coverage80']:.0%} | "
            f"{row['coverage95']:.0%} | {row['crps']:.2f} |"
        )
    print("\n### By the verdict on the known points (combined / recent slope / last value)\n")
    header("set", "shape", "targets", "MAE")
    for name, table in results.items():
        by = {}
        for row in summarise(table, ["shape"]).iter_rows(named=True):
            by.setdefault(row["shape"], {})[row["method"]] = row
        for shape, found in by.items():
            maes = " / ".join(f"{found[m]['mae']:.2f}" for m in ("combined", "recent slope", "last value"))
            print(f"| {name} | {shape} | {found['combined']['n']} | {maes} |")


@dataclass(frozen=True)
class OlmoTarget:
    """Forecasts of the 13B model of 5T tokens over compute, and what it scored."""

    forecasts: pl.DataFrame  # of accuracy: a row a task and method
    actual: dict[str, float]  # task → mean of its last five checkpoints, as its authors take it
    flops: float
    known_flops: float  # of the largest run it is foretold from


def olmo_target(data: Path) -> OlmoTarget:
    """The 13B model of 5T tokens from the 16 runs of its authors' ladder, over compute."""
    runs = pl.read_parquet(data / "olmo_ladder" / "ladder_runs.parquet")
    ladder = runs.filter(
        pl.col("role") == "ladder", ~pl.col("is_rerun"), pl.col("size") != "3B", pl.col("chinchilla_multiple") >= 1
    )
    ladder = ladder.sort("tokens").group_by("run").last()
    target = runs.filter(pl.col("run") == "peteish13_eval_final").sort("tokens").tail(5)
    flops = target["tokens"].max() * target["flops_per_token"][0]
    rows = []
    for task in OLMO_TASKS:
        for metric, folder, ending in (("acc", "downstream", "len_norm"), ("bpb", "downstream_bpb", "bpb")):
            for row in ladder.iter_rows(named=True):
                rows.append(
                    {"family": "olmo", "task": task, "strategy": "direct", "shots": 5, "metric": metric}
                    | {"rung": row["run"], "training_flops": row["tokens"] * row["flops_per_token"]}
                    | {"y": olmo_value(row, task, folder, ending), "se": None if metric == "acc" else 0.01}
                    | {"n": olmo_items(task)}
                    | {"chance": None if metric != "acc" else 0.2 if task == "csqa_val" else 0.25}
                    | {"ceiling": 1.0 if metric == "acc" else None, "higher_is_better": metric == "acc"}
                )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    found = forecast(frame, [flops], axis="training_flops").filter(pl.col("metric") == "acc")
    actual = {
        task: sum(olmo_value(row, task, "downstream", "len_norm") for row in target.iter_rows(named=True)) / 5
        for task in OLMO_TASKS
    }
    return OlmoTarget(found, actual, flops, frame["training_flops"].max())


def print_olmo_target(data: Path) -> None:
    found = olmo_target(data)
    stored = {}
    for name in ("chained_main", "chained_flops_main"):
        table = pl.read_csv(data / "olmo_ladder" / "authors_results" / f"{name}.csv")
        stored[name] = dict(zip(table[table.columns[0]], table["Pred"], strict=True))
    print(f"\n### OLMo 13B, {found.flops:.2g} FLOPs, from 16 ladder runs of at most {found.known_flops:.2g}\n")
    header("task", "actual", "combined", "two-step", "recent slope", "authors, N and D", "authors, FLOPs")
    errors: dict[str, list[float]] = {}
    for task, actual in found.actual.items():
        own = dict(found.forecasts.filter(pl.col("task") == task).select("method", "y").iter_rows())
        predicted = [own["combined"], own["two-step"], own["recent slope"]]
        predicted += [
            table[next(k for k in table if k.startswith(task.split("_test")[0].split("_val")[0]))]
            for table in stored.values()
        ]
        for i, value in enumerate(predicted):
            errors.setdefault(str(i), []).append(abs(value - actual))
        print(f"| {task} | {actual:.4f} | " + " | ".join(f"{value:.4f}" for value in predicted) + " |")
    means = " | ".join(f"{100 * sum(e) / len(e):.2f}" for e in errors.values())
    print(f"| mean absolute error, points | | {means} |")


def olmo_items(task: str) -> int:
    return 14042 if task.startswith("mmlu") else OLMO_ITEMS[task]


def olmo_value(row: dict[str, float], task: str, folder: str, ending: str) -> float:
    if task == "mmlu_avg_test":
        return sum(w * row[f"eval/{folder}/mmlu_{part}_test_rc_5shot_{ending}"] for part, w in MMLU.items())
    return row[f"eval/{folder}/{task}_rc_5shot_{ending}"]


if __name__ == "__main__":
    main()
