"""Does `scalecurve lab train` give the weights that ship? Rungs trained anew are put through the embedded study.

    scalecurve lab train --out FOLDER --rung lab-3k --rung lab-12k --rung lab-36k
    python benchmarks/lab_retrained.py FOLDER [--limit N] [--out RUNS]

By rung: whether the weights are the same bits, and the validation loss of both. By rung and ability: the score of the
weights that ship and of those trained anew on the same items, and their difference beside its paired standard error; a
difference of more than two of those is marked. Ends with an error where more are marked than one in ten.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import polars as pl

from scalecurve.pipeline import run_study
from scalecurve.study.study import parse_study

ITEM = ["rung", "task", "strategy", "shots", "example_id"]


def scored(name: str, models: list[str], limit: int, folder: Path) -> pl.DataFrame:
    """Every item's headline score in the embedded study of ``models``."""
    study = tomllib.loads(files("scalecurve.lab").joinpath("study.toml").read_text(encoding="utf-8"))
    run, _ = run_study(parse_study(study | {"models": models, "limit": limit, "name": name}), folder / name)
    headlines = pl.read_parquet(run.curves).filter("preferred").select("task", "metric").unique()
    return pl.read_parquet(run.scores).join(headlines, on=["task", "metric"]).select(*ITEM, "value")


def compared(shipped: pl.DataFrame, anew: pl.DataFrame) -> pl.DataFrame:
    """One row a rung and ability: both scores, the difference and its paired standard error, over the same items."""
    both = shipped.join(anew, on=ITEM, suffix="_anew").with_columns(more=pl.col("value_anew") - pl.col("value"))
    return (
        both.group_by(ITEM[:-1])
        .agg(
            pl.len().alias("n"),
            pl.col("value").mean().alias("shipped"),
            pl.col("value_anew").mean().alias("anew"),
            pl.col("more").mean().alias("difference"),
            (pl.col("more").std() / pl.len().sqrt()).alias("error"),
        )
        .with_columns(beyond=pl.col("difference").abs() > 2 * pl.col("error"))
        .sort(ITEM[:-1])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("runs/lab_retrained"))
    options = parser.parse_args()
    own = Path(str(files("scalecurve.lab").joinpath("weights")))
    rungs = [rung["name"] for rung in tomllib.loads((options.weights / "ladder.toml").read_text())["rung"]]
    for name in rungs:
        weights = [(folder / name / "model.safetensors").read_bytes() for folder in (own, options.weights)]
        cards = [json.loads((folder / name / "card.json").read_bytes()) for folder in (own, options.weights)]
        losses = " and ".join(str(card["validation_loss"]) for card in cards)
        print(f"{name}: {'the same bits' if weights[0] == weights[1] else 'other bits'}; validation loss {losses}")
    shipped = scored("shipped", [f"lab:{name}" for name in rungs], options.limit, options.out)
    anew = scored("anew", [str(options.weights / "ladder.toml")], options.limit, options.out)
    table = compared(shipped, anew)
    print("\n| rung | ability | asked | items | shipped | anew | difference | error | beyond 2 |\n" + "|---" * 9 + "|")
    for row in table.iter_rows(named=True):
        print(
            f"| {row['rung']} | {row['task'].removeprefix('lab:')} | {row['strategy']}, {row['shots']} shots "
            f"| {row['n']} | {row['shipped']:.3f} | {row['anew']:.3f} | {row['difference']:+.3f} | {row['error']:.3f} "
            f"| {'!' if row['beyond'] else ''} |"
        )
    beyond = int(table["beyond"].sum())
    print(f"\n{beyond} of {len(table)} differences are beyond two errors; by chance about one in twenty would be")
    sys.exit(beyond > len(table) / 10)


if __name__ == "__main__":
    main()
