"""The examples as figures: imported as a user would, drawn by ``scalecurve plot``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

import scalecurve
from scalecurve.io.sources import Said
from scalecurve.report.figures import plot, save

KINDS = ("emergent", "index", "inverse", "one-model")
LANGUAGES = {"en": "", "zh": ".zh"}


def draw(examples: pl.DataFrame, folder: Path) -> None:
    """One SVG a kind of example and language, a panel an example."""
    with tempfile.TemporaryDirectory() as place:
        for kind in KINDS:
            own = examples.filter(pl.col("kind") == kind)
            if own.is_empty():
                continue
            source = Path(place) / f"{kind}.csv"
            table(own).write_csv(source)
            run = Path(place) / kind
            scalecurve.import_run([source], run, "table", said=Said(shots=0))
            for language, ending in LANGUAGES.items():
                save(plot([run], kind, lang=language), folder / f"{kind}{ending}.svg")


def table(points: pl.DataFrame) -> pl.DataFrame:
    """The points as a table to import: one task an example, named by its place, task and family."""
    name = pl.format("{} {} · {}, {}", "kind", "place", "task", "family")
    place = pl.int_range(1, pl.len() + 1).over("kind", "place")
    model = pl.format("{} {}", "family", place).str.replace_all("/", "-")  # short, and no name that a family file knows
    return points.select(
        model=model, family=pl.lit("published"), params=pl.col("params").round().cast(pl.Int64), task=name,
        metric=pl.col("metric"), score=pl.col("y"), stderr=pl.col("se"), n=pl.col("n"), chance=pl.col("chance"),
    )  # fmt: skip
