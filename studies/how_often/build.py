"""How often is anything emergent? The whole study: tables, figures and pages from public scores.

python studies/how_often/build.py DATA [--out docs/studies] [--pages]

DATA is the folder with pythia_evals, gadre_scaling, olmo_ladder, obsscaling and gemstones. The tables land in
OUT/how_often/*.csv, the figures beside them, the pages in OUT/how_often.md and OUT/how_often.zh.md. ``--pages`` writes
the pages again from the tables that are there. Nothing is drawn at random without a fixed seed: twice is bit-equal.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import coverage
import curves
import figures
import measure
import page
import polars as pl

HERE = Path(__file__).resolve().parent
DIGITS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "docs" / "studies")
    parser.add_argument("--pages", action="store_true", help="only the pages, from the tables that are there")
    options = parser.parse_args()
    if not options.pages:
        frame = curves.at_sizes(options.data)
        build(frame, curves.in_training(options.data), curves.on_loss(options.data), options.out)
    page.write(options.out)


def build(frame: pl.DataFrame, training: Mapping[str, pl.DataFrame], loss: pl.DataFrame, out: Path) -> None:
    """The tables and figures of the curves given."""
    folder = out / "how_often"
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as second:  # forecasts take as long as all the rest
        foretold = second.submit(measure.forecasts, frame)
        tables = tables_of(frame, training, loss) | {"forecasts": foretold.result()}
    tables["coverage"] = coverage.coverage(tables)
    for name, table in tables.items():
        rounded = table.with_columns(pl.col(pl.Float64).round_sig_figs(DIGITS))
        rounded.write_csv(folder / f"{name}.csv")
        print(f"{name}: {table.height} rows", flush=True)
    figures.draw(tables["examples"], folder)


def tables_of(frame: pl.DataFrame, training: Mapping[str, pl.DataFrame], loss: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Every table but the forecasts and what is measured on them."""
    judged = measure.verdicts(frame)
    return {
        "verdicts": judged,
        "planted": measure.planted(frame, judged),
        "axes": measure.on_other_axes(frame, judged),
        "loss": measure.verdicts(loss, axis="loss"),
        "training": pl.concat(
            [measure.verdicts(own, axis=axis) for axis, own in training.items()], how="vertical_relaxed"
        ),
        "examples": measure.examples(frame, page.shown(judged)),
    }


if __name__ == "__main__":
    main()
