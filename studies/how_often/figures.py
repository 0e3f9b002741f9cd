"""The examples as figures: imported as a user would, drawn as by ``scalecurve plot``, with the odd models marked."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

import scalecurve
from scalecurve.io.sources import Said
from scalecurve.report.data import gather
from scalecurve.report.figures import Chosen, Figure, save

KINDS = ("emergent", "index", "inverse", "one-model")
LANGUAGES = {"en": "", "zh": ".zh"}
MARKED = {"en": "odd: {name}", "zh": "异常：{name}"}
APART = {"en": "differs most: {name}", "zh": "相差最大：{name}"}  # where the verdict, one model, names none
SIZES = {"en": "Parameters", "zh": "参数量"}  # all where the source gives them, else those without embeddings
LONGEST = 24  # letters of a model's name beside its point


class Marked(Figure):
    """A figure whose hollow points are those that the study's verdicts name, not those of five curves by themselves."""

    odd: Mapping[str, str]  # what is said of a model, by its name in the figure

    def _left_out(self, curve: Mapping[str, Any], points: Chosen) -> Chosen:
        middle = len(points) / 2
        return [
            point | {"label": self.odd[point["rung"]]} | ({"align": "right", "dx": -7} if at >= middle else {})
            for at, point in enumerate(points)
            if point["rung"] in self.odd
        ]


def draw(examples: pl.DataFrame, folder: Path) -> None:
    """One SVG a kind of example and language, a panel an example."""
    with tempfile.TemporaryDirectory() as place:
        for kind in KINDS:
            own = examples.filter(pl.col("kind") == kind)
            if own.is_empty():
                continue
            source = Path(place) / f"{kind}.csv"
            points = table(own)
            points.write_csv(source)
            run = Path(place) / kind
            scalecurve.import_run([source], run, "table", said=Said(shots=0))
            names = zip(own["rung"], points["params"], points["model"], own["odd"], own["shape"], strict=True)
            odd = {
                model: (APART if shape == "one-model" else MARKED, _short(rung, params))
                for rung, params, model, marked, shape in names
                if marked
            }
            for language, ending in LANGUAGES.items():
                save(_figure(run, kind, language, odd), folder / f"{kind}{ending}.svg")


def _figure(run: Path, kind: str, language: str, odd: Mapping[str, tuple[Mapping[str, str], str]]) -> Any:
    figure = Marked(gather([run]), kind, "params_total", language, 420)
    figure.odd = {model: words[language].format(name=name) for model, (words, name) in odd.items()}
    figure.said = {**figure.said, figure.axis: SIZES[language]}
    panels = []
    for task in figure.tasks:
        curves = figure.curves(task=task)
        panels.append(figure.panel(curves, figure.name(task), figure.metric(curves[0]["m"])))
    return panels[0] if len(panels) == 1 else figure.grid(panels, 2)


def _short(rung: str, params: int) -> str:
    """A model's name, or its size where the source names it by all its settings."""
    name = rung.rsplit("/", 1)[-1]
    return name if len(name) <= LONGEST else f"{params / 1e6:.0f}M"


def table(points: pl.DataFrame) -> pl.DataFrame:
    """The points as a table to import: one task an example, named by its place, task and family."""
    name = pl.format("{} {} · {}, {}", "kind", "place", "task", "family")
    place = pl.int_range(1, pl.len() + 1).over("kind", "place")
    model = pl.format("{} {} {}", "family", "place", place).str.replace_all("/", "-")  # no name a family file knows
    return points.select(
        model=model, family=pl.lit("published"), params=pl.col("params").round().cast(pl.Int64), task=name,
        metric=pl.col("metric"), score=pl.col("y"), stderr=pl.col("se"), n=pl.col("n"), chance=pl.col("chance"),
    )  # fmt: skip
