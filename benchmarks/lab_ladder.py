"""What the laboratory's ladder can do, and what of it is luck: the embedded study on every seed's ladder.

    python benchmarks/lab_ladder.py [--limit N] [--out FOLDER]

Every ability by rung, with its verdict; where some rung solves half, also the largest fall from a rung to any larger
one, rungs with several seeds averaged over them (above .10 it is marked: there bigger would be worse by the recipe and
not by the ability). Then the verdicts counted, and those of every seed's ladder side by side.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import polars as pl

from scalecurve.models import list_ladders, load_ladder
from scalecurve.pipeline import run_study
from scalecurve.study.study import parse_study

SOLVED, FALL = 0.5, 0.10
ROW = ["task", "strategy", "shots"]


def evaluated(family: str, folder: Path, limit: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The headline curves (one row a model) and their verdicts of the embedded study for ``family``."""
    study = tomllib.loads(files("scalecurve.lab").joinpath("study.toml").read_text(encoding="utf-8"))
    run, _ = run_study(parse_study(study | {"models": [family], "limit": limit, "name": family}), folder / family)
    curves = pl.read_parquet(run.curves).filter("preferred").with_columns(seeds=pl.lit(family))
    verdicts = pl.read_parquet(run.verdicts).join(curves.select(*ROW, "metric").unique(), on=[*ROW, "metric"])
    return curves, verdicts.with_columns(seeds=pl.lit(family))


def averaged(curves: pl.DataFrame, rungs: list[str]) -> pl.DataFrame:
    """One row an ability, one column a rung: scores, each repeated rung the mean of its seeds."""
    plain = curves.with_columns(rung=pl.col("rung").str.replace(r"-seed\d+$", "")).unique([*ROW, "rung", "seeds"])
    table = plain.group_by(*ROW, "rung").agg(pl.col("y").mean()).pivot("rung", index=ROW, values="y")
    return table.select(*ROW, *rungs).sort(ROW)


def asked(strategy: object, shots: object) -> str:
    """How it was put, in words."""
    how = "with steps" if strategy == "chain_of_thought" else str(strategy)
    return f"{how}, {shots} shots" if shots else how


def largest_fall(scores: Sequence[float]) -> float:
    """How far below the best smaller rung a larger one comes, at most."""
    best, fall = float("-inf"), 0.0
    for score in scores:
        best = max(best, score)
        fall = max(fall, best - score)
    return fall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("runs/lab_ladder"))
    options = parser.parse_args()
    families = [name for name in ("lab", "lab-seed1", "lab-seed2") if name in list_ladders()]
    both = [evaluated(family, options.out, options.limit) for family in families]
    curves, verdicts = (pl.concat(tables) for tables in zip(*both, strict=True))
    rungs = [rung.name for rung in load_ladder("lab").rungs]
    means = {tuple(row[:3]): row[3:] for row in averaged(curves, rungs).iter_rows()}
    here = verdicts.filter(seeds=families[0]).sort(ROW)
    marked = 0
    print("| ability | asked | chance | " + " | ".join(name.removeprefix("lab-") for name in rungs), end="")
    print(" | fall | verdict | sure |\n" + "|---" * (len(rungs) + 6) + "|")
    for row in here.iter_rows(named=True):
        at = {name: row[name] for name in ROW}
        points = curves.filter(pl.col("seeds") == families[0], *(pl.col(name) == value for name, value in at.items()))
        scores = dict(points.select("rung", "y").iter_rows())
        mean = means[tuple(at.values())]
        fall = largest_fall(mean) if max(mean) >= SOLVED else None
        marked += fall is not None and fall > FALL
        told = "" if fall is None else f"{fall:.2f}{' !' if fall > FALL else ''}"
        chance = points["chance"].first()
        cells = [row["task"].removeprefix("lab:"), asked(row["strategy"], row["shots"])]
        cells += ["" if chance is None else f"{chance:.2f}", *(f"{scores[name]:.2f}" for name in rungs), told]
        shape = row["shape"] + (f" ({row['sublabel']})" if row["sublabel"] else "")
        robust = f", {row['artefact']}" if row["artefact"].startswith("metric") else ""
        print("| " + " | ".join([*cells, shape + robust, f"{row['confidence'] or 0:.0%}"]) + " |")
    print(f"\nfalls above {FALL:.2f}: {marked}")
    for label in ("shape", "artefact"):
        counted = Counter(verdicts.filter(seeds=families[0])[label].to_list())
        print(f"{label}: " + ", ".join(f"{name} {count}" for name, count in counted.most_common()))
    print("\n| ability | asked | " + " | ".join(families) + " |\n" + "|---" * (len(families) + 2) + "|")
    for (task, strategy, shots), group in verdicts.sort(ROW).group_by(ROW, maintain_order=True):
        told = {row["seeds"]: f"{row['shape']} {row['confidence'] or 0:.2f}" for row in group.iter_rows(named=True)}
        print(
            f"| {str(task).removeprefix('lab:')} | {asked(strategy, shots)} | "
            + " | ".join(told.get(name, "–") for name in families)
            + " |"
        )
    sys.exit(marked > 0)


if __name__ == "__main__":
    main()
