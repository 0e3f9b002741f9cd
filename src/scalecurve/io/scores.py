"""Imported scores: one a cell and metric, each once, and what items say of them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.analysis.derive import score_schema
from scalecurve.io import known
from scalecurve.io.answers import Answers, Items, mean
from scalecurve.io.conventions import PERPLEXITIES, higher_is_better, is_share
from scalecurve.io.groups import group_points
from scalecurve.io.shape import Evaluation, Point, Samples
from scalecurve.io.told import some
from scalecurve.store.parts import CELL_FIELDS
from scalecurve.types import Cell

if TYPE_CHECKING:
    import polars as pl

CLOSE = 1e-6  # relative; by which the mean of items may miss the published score it belongs to
NOTHING = 0.02  # of the ceiling: so little two models must reach for guessing to be told to earn nothing


class Scores:
    """The points of an import. ``notes`` says where items and points disagree."""

    def __init__(self, chance: Mapping[str, float] | None = None) -> None:
        self._chance = chance or {}
        self.points: dict[tuple[Cell, str], Point] = {}
        self.notes: list[str] = []
        self._from: dict[tuple[Cell, str], Path] = {}
        self._items: dict[tuple[Cell, str], tuple[list[str], array[float]]] = {}
        self._of: dict[str, dict[str, list[Point]]] = {}
        self._complete: set[Cell] = set()

    def add(self, cell: Cell, point: Point, path: Path) -> Path | None:
        """Keep a point; where its place is taken, keep what is there and give the file that it came from."""
        key = (cell, point.metric)
        if key in self.points:
            return self._from[key]
        self.points[key], self._from[key] = point, path
        return None

    def same(self, cell: Cell, point: Point) -> bool:
        """Whether the point that is there says the same."""
        there = self.points[cell, point.metric]
        return there.value == point.value and (there.se == point.se or None in (there.se, point.se))

    def copy_cell(self, cell: Cell, other: Cell) -> None:
        """Let the points of ``cell`` stand in ``other`` as well."""
        for (own, metric), point in list(self.points.items()):
            if own == cell and (other, metric) not in self.points:
                self.points[other, metric], self._from[other, metric] = point, self._from[own, metric]

    def add_items(self, cell: Cell, asked: Evaluation, items: Items, found: Samples) -> None:
        """Keep the items' scores, to be set against the points once all files are read."""
        self._complete |= {cell} if found.complete else set()
        for metric, values in items.columns():
            self._items[cell, metric] = items.ids, values
            if (cell, metric) not in self.points:
                better = found.better.get(metric, higher_is_better(metric))
                self.points.setdefault((cell, metric), Point(asked, metric, None, n=-1, higher_is_better=better))
                self._from[cell, metric] = found.path

    def _settle(self) -> None:
        """Points without a value of their own take the mean of their items; items that are not behind a point go.

        (Some metrics are no mean of their items: a perplexity's items are log-likelihoods.)
        """
        for key, (ids, values) in list(self._items.items()):
            point = self.points[key]
            y, se, n = mean(values)
            if point.n == -1:
                self.points[key] = replace(point, value=y, se=se, n=n)
            elif key[0] in self._complete:  # its items are what its scores were made of, by whatever rule
                self.points[key] = replace(point, n=point.n or n)
            elif y is None or point.value is None or abs(y - point.value) > CLOSE * max(1.0, abs(point.value)):
                del self._items[key]
                if y is not None and point.value is not None and is_share(point.metric):
                    self.notes.append(
                        f"{self._from[key]}: {point.metric} of {point.asked.label} is {point.value:.6g}, but its "
                        f"samples say {y:.6g}; the published score stands, without its items"
                    )
            else:
                self.points[key] = replace(point, se=se if point.se is None else point.se, n=point.n or n)
                if point.n is not None and point.n > len(ids):
                    self.notes.append(f"{point.asked.label}: {len(ids)} of {point.n} samples are there")
        counted: dict[str, int] = {}
        for (cell, metric), point in self.points.items():
            items = None if point.n or point.se is not None or point.counted else known.known(cell.task).items
            if items and point.value is not None and is_share(metric):
                counted[cell.task] = items
                self.points[cell, metric] = replace(point, n=items)
        if counted:
            self.notes.append(
                f"numbers of questions of {len(counted)} tasks are not stated and taken from the table of known tasks: "
                + ", ".join(f"{task} {items}" for task, items in list(counted.items())[:4])
                + (", …" if len(counted) > 4 else "")
            )
        grouped = group_points(self.points)
        for ref in dict.fromkeys(cell.task for cell, _ in grouped):
            self.notes.append(f"{ref} is made of the scores of its parts, weighted by their numbers of questions")
        for key, point in grouped.items():
            first = next(path for (cell, _), path in self._from.items() if cell.rung == key[0].rung)
            self.points[key], self._from[key] = point, first
        for (cell, metric), point in self.points.items():
            self._of.setdefault(cell.task, {}).setdefault(metric, []).append(point)

    def tables(self, answers: Answers) -> tuple[pl.DataFrame, pl.DataFrame | None]:
        """(points, items): the tables ``published/points.parquet`` and ``published/scores.parquet``; None: no items."""
        import polars as pl

        self._settle()
        schema = score_schema()
        cell_types = {name: schema[name] for name in CELL_FIELDS}
        bounds = {(ref, name): self.bounds_of(ref, name, answers) for ref, own in self._of.items() for name in own}
        cells, points = [cell for cell, _ in self.points], list(self.points.values())
        ends = [bounds[cell.task, metric] for cell, metric in self.points]
        columns: dict[str, list[Any]] = {name: [getattr(cell, name) for cell in cells] for name in CELL_FIELDS}
        columns |= {"metric": [metric for _, metric in self.points], "y": [point.value for point in points]}
        columns |= {"se": [point.se for point in points], "n": [point.n or 0 for point in points]}
        columns |= {"failed": [self._failed(cell, metric) for cell, metric in self.points]}
        columns |= {"chance": [chance for chance, _ in ends], "ceiling": [ceiling for _, ceiling in ends]}
        columns |= {"higher_is_better": [point.higher_is_better for point in points]}
        columns |= {"file": [path.name for path in map(self._from.__getitem__, self.points)]}
        types: dict[str, Any] = {**cell_types, "metric": pl.String(), "y": pl.Float64(), "se": pl.Float64()}
        types |= {"n": pl.Int64(), "failed": pl.Int64(), "chance": pl.Float64(), "ceiling": pl.Float64()}
        types |= {"higher_is_better": pl.Boolean(), "file": pl.String()}
        frames = [_frame(cell, metric, *items) for (cell, metric), items in self._items.items()]
        return pl.DataFrame(columns, schema=types), pl.concat(frames) if frames else None

    def _failed(self, cell: Cell, metric: str) -> int:
        """Items without a score: those that are NaN, and those a file counts but does not hold."""
        if (cell, metric) not in self._items:
            return 0
        ids, values = self._items[cell, metric]
        stated = self.points[cell, metric].n or 0
        return sum(map(isnan, values)) + max(0, stated - len(ids))

    def missing(self) -> list[str]:
        """One line a metric of a task that lacks scores: of whole models, or of items."""
        whole: dict[tuple[str, str], list[str]] = {}
        lines = []
        for (cell, metric), point in self.points.items():
            if point.value is None:
                whole.setdefault((cell.task, metric), []).append(cell.rung)
            elif (cell, metric) in self._items and (failed := self._failed(cell, metric)):
                ids, _ = self._items[cell, metric]
                lines.append(f"{cell.task} {metric} of {cell.rung}: {failed} of {len(ids)} items have no score")
        for (task, metric), rungs in whole.items():
            named = ", ".join(rungs[:4]) + (", …" if len(rungs) > 4 else "")
            lines.append(f"{task} {metric}: no finite score of {len(rungs)} models ({named})")
        return lines

    def metrics_of(self, ref: str) -> tuple[list[str], str]:
        """The published metrics of a task, and its headline one: what the source prefers, else acc, else the first."""
        names = list(self._of.get(ref, {}))
        stated = next((name for name in names if any(point.preferred for point in self._of[ref][name])), None)
        usual = ("acc", "accuracy", "exact_match", "exact_match,flexible-extract")
        return names, stated or next((name for name in usual if name in names), names[0] if names else "")

    def bounds_of(self, ref: str, metric: str, answers: Answers) -> tuple[float | None, float | None]:
        """Chance and ceiling of a published metric: stated, else of shares 1 (or 100), and the options' blind grade.

        A metric of no known name is a share where its values and stated errors say so. Chance is what the user says,
        else what the options of the answers say, else what is known of the task (see ``io.known``).
        """
        own = self._of.get(ref, {}).get(metric, [])
        chance = next((point.chance for point in own if point.chance is not None), None)
        ceiling = next((point.ceiling for point in own if point.ceiling is not None), None)
        highest = max((point.value for point in own if point.value is not None), default=0.0)
        if ceiling is None and (is_share(metric) or _like_a_share(metric, own)):
            ceiling = 1.0 if highest <= 1 else 100.0 if highest <= 100 else None
        said = self._said(ref)
        if said is not None and metric == self.metrics_of(ref)[1]:
            return said, ceiling
        chosen = "acc" in metric or ("exact_match" in metric and answers.are_letters(ref))
        if chance is None and ceiling == 1.0 and chosen:
            chance = answers.chance_of(ref)
        if chance is None and ceiling == 1.0:
            chance = known.chance_of(ref, "acc" if self._counts(ref, metric) else metric)
        if chance is None and ceiling and self._from_nothing(ref, metric, ceiling) and not answers.are_letters(ref):
            return 0.0, ceiling
        return chance, ceiling

    def _said(self, ref: str) -> float | None:
        """The level of guessing that the user states for a task, or for all."""
        return self._chance.get(ref, self._chance.get(ref.partition(":")[2], self._chance.get("")))

    def _from_nothing(self, ref: str, metric: str, ceiling: float) -> bool:
        """Whether two models earn next to nothing, so that nothing is what guessing earns, in a task of which nothing
        else is known: a letter that is not written earns less than guessing does."""
        if known.known(ref).chance is not None or known.is_generated(ref):
            return False
        own = [one for one in self._of.get(ref, {}).get(metric, []) if one.value is not None and one.higher_is_better]
        return sum(one.value <= NOTHING * ceiling for one in own if one.value is not None) > 1

    def guessing(self, answers: Answers) -> list[str]:
        """What the headline metrics' level of guessing was taken for where nobody states it: a line each way."""
        zero: list[str] = []
        unknown: dict[str, float] = {}
        for ref in self._of:
            metric = self.metrics_of(ref)[1]
            if self._said(ref) is None and all(one.chance is None for one in self._of[ref][metric]):
                chance, ceiling = self.bounds_of(ref, metric, answers)
                if ceiling and chance is None:
                    values = [one.value / ceiling for one in self._of[ref][metric] if one.value is not None]
                    unknown[ref.partition(":")[2] or ref] = known.likely_guess(values)
                elif ceiling and chance == 0 and self._from_nothing(ref, metric, ceiling):
                    zero.append(ref.partition(":")[2] or ref)
        lines = []
        if zero:
            lines.append(f"guessing is taken to earn 0 in {some(zero)}, as two models do (--chance {zero[0]}=0.25)")
        if unknown:
            first, level = next(iter(unknown.items()))
            lines.append(
                f"what guessing earns is not known of {some(unknown)}: no rise there is called emergent or late "
                f"(say it, as --chance {first}={level:g})"
            )
        return lines

    def without_errors(self) -> list[str]:
        """The line that says of which tasks' headline metrics nothing tells how much of a change is noise."""
        bare = []
        for ref in self._of:
            own = [one for one in self._of[ref][self.metrics_of(ref)[1]] if one.value is not None]
            if own and all(one.se is None and not one.n for one in own):
                bare.append(ref.partition(":")[2] or ref)
        if not bare:
            return []
        fix = f"give errors (45.2 ± 1.1 in a cell, or a column stderr, in a wide table {bare[0]}_stderr)"
        return [
            f"neither standard errors nor numbers of questions are known of {some(bare)}: no shape is judged there; "
            f"{fix}, or for shares of right answers a column n"
        ]

    def _counts(self, ref: str, metric: str) -> bool:
        """Whether a score without a metric's name is a share of right answers: of a known task, nowhere below guessing
        (as normalised scores are), nor beside a raw one."""
        own = self._of.get(ref, {})
        chance = known.known(ref).chance
        if chance is None or metric != ("raw" if "raw" in own else "score"):
            return False
        return all(0.8 * chance <= one.value <= 1 for one in own[metric] if one.value is not None)

    def items_of(self, ref: str, answers: Answers) -> int:
        """The number of items of a task: the most that a point states or a cell holds."""
        stated = (point.n or 0 for points in self._of.get(ref, {}).values() for point in points)
        return max(0, answers.count_of(ref), *stated)


def _like_a_share(metric: str, points: list[Point]) -> bool:
    """Whether scores of a metric of no known name behave as shares: all on 0–1, with a share's error or name-free.

    √(p(1 − p)/n) is the error of a share; a mean of other values on 0–1 has a smaller one.
    """
    values = [point.value for point in points if point.value is not None]
    up = all(point.higher_is_better for point in points)
    if len(values) < 2 or not up or not all(0 <= value <= 1 for value in values):
        return False
    if PERPLEXITIES.search(metric.lower()) or not higher_is_better(metric):
        return False
    stated = [(p.value * (1 - p.value) / p.n) ** 0.5 / p.se for p in points if p.value is not None and p.n and p.se]
    return not stated or all(ratio > 0.9 for ratio in stated)


def _frame(cell: Cell, metric: str, ids: list[str], values: array[float]) -> pl.DataFrame:
    import numpy as np
    import polars as pl

    schema = score_schema()
    own = {name: getattr(cell, name) for name in CELL_FIELDS} | {"metric": metric}
    frame = pl.DataFrame({"example_id": ids, "value": np.asarray(values)}, schema_overrides={"example_id": pl.String()})
    lits = [pl.lit(value, dtype=schema[name]).alias(name) for name, value in own.items()]
    told = [name for name in schema if name != "censored"]  # of results from elsewhere nobody says what was cut off
    return frame.with_columns(*lits, pl.col("value").fill_nan(None)).select(told)
