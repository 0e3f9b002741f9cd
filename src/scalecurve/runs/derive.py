"""From outputs to scores.parquet and curves.parquet: pure functions of what is on disk, so that no model is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scalecurve import metrics as metrics_room
from scalecurve.nouns import Answer, Cell, Example, Task
from scalecurve.runs.atomic import write_parquet
from scalecurve.runs.directory import RunDirectory
from scalecurve.runs.manifest import task_of
from scalecurve.runs.parts import CELL_FIELDS, read_cell

if TYPE_CHECKING:
    import polars as pl

AXES = ("params_non_embedding", "params_total", "training_flops", "training_tokens", "step", "loss")
CURVE_KEY = ("family", "task", "strategy", "shots", "metric", "rung")


@dataclass(frozen=True, slots=True)
class _Point:
    """One cell under one metric: the score, its standard error, items scored and items without a score."""

    cell: Cell
    metric: str
    y: float | None
    se: float | None
    n: int
    failed: int
    chance: float | None
    ceiling: float | None


def derive(
    run: RunDirectory, extra_metrics: Iterable[str] = (), on_cell: Callable[[int, int], None] | None = None
) -> None:
    """Write scores.parquet and curves.parquet from the outputs named in the manifest.

    ``extra_metrics`` are scored beside those the study asked for (where the outputs hold what they need).
    ``on_cell(done, total)`` hears of the progress.
    """
    import polars as pl

    manifest = run.read_manifest()
    records = {record["ref"]: record for record in manifest["tasks"]}
    scores: list[pl.DataFrame] = []
    points: list[_Point] = []
    bounds: dict[tuple[Any, ...], tuple[float | None, float | None]] = {}
    for done, record in enumerate(manifest["cells"], start=1):
        cell = Cell(**{name: record[name] for name in CELL_FIELDS})
        rows = read_cell(run, cell, {int(index): key for index, key in record["parts"].items()})
        task = task_of(records[cell.task], (example for example, _ in rows))
        holding = frozenset[str]().union(*(metrics_room.held(example, answer) for example, answer in rows))
        errors = sum(bool(answer.error) for _, answer in rows) + record["examples"] - len(rows)
        for metric in dict.fromkeys([*records[cell.task]["metrics"], *extra_metrics]):
            definition = metrics_room.METRICS[metric]
            values, (y, se, n) = _score(task, metric, rows)
            if not n and not errors and (definition.partial or not definition.needs <= holding):
                continue  # not what this strategy gives: nothing is missing
            scores.append(_score_frame(cell, metric, rows, values))
            questions = (cell.task, cell.shots, cell.seed, len(rows), metric)
            if questions not in bounds:
                bounds[questions] = metrics_room.bounds(task, metric)
            failed = errors if definition.partial else record["examples"] - n
            points.append(_Point(cell, metric, _finite(y), _finite(se), n, failed, *bounds[questions]))
        if on_cell:
            on_cell(done, len(manifest["cells"]))
    preferred = {ref: _preferred(record) for ref, record in records.items()}
    write_parquet(run.scores, pl.concat(scores) if scores else pl.DataFrame(schema=score_schema()))
    write_parquet(run.curves, _curve_frame(points, manifest["rungs"], preferred))


def _preferred(record: Mapping[str, Any]) -> str:
    """The task's preferred metric where the study asked for it, else the first it asked for."""
    wanted, asked = str(record["preferred_metric"]), list(record["metrics"])
    return wanted if wanted in asked or not asked else str(asked[0])


def _score(
    task: Task, metric: str, rows: Sequence[tuple[Example, Answer]]
) -> tuple[list[float | None], tuple[float | None, float | None, int]]:
    """The value of each example, and the task's value, its standard error and the number of examples behind it."""
    values = [metrics_room.score(task, example, answer, metric) for example, answer in rows]
    if metrics_room.METRICS[metric].corpus:
        examples, answers = [example for example, _ in rows], [answer for _, answer in rows]
        return values, metrics_room.aggregate(task, metric, examples, answers)
    return values, metrics_room.summary(metric, values)


def _score_frame(
    cell: Cell, metric: str, rows: Sequence[tuple[Example, Answer]], values: Sequence[float | None]
) -> pl.DataFrame:
    import polars as pl

    schema = score_schema()
    frame = pl.DataFrame(
        {"example_id": [example.id for example, _ in rows], "value": values},
        schema={"example_id": schema["example_id"], "value": schema["value"]},
    )
    own = {name: getattr(cell, name) for name in CELL_FIELDS} | {"metric": metric}
    lits = [pl.lit(value, dtype=schema[name]).alias(name) for name, value in own.items()]
    return frame.with_columns(lits).select(list(schema))


def score_schema() -> dict[str, Any]:
    import polars as pl

    types = {"shots": pl.Int64(), "seed": pl.Int64(), "value": pl.Float64()}
    return {name: types.get(name, pl.String()) for name in (*CELL_FIELDS, "example_id", "metric", "value")}


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _curve_frame(
    points: Sequence[_Point], rungs: Sequence[Mapping[str, Any]], preferred: Mapping[str, str]
) -> pl.DataFrame:
    """One row a rung of a curve. Seeds are averaged, their errors by root mean square (they share the items)."""
    import polars as pl

    scale = {(rung["family"], rung["name"]): rung for rung in rungs}
    groups: dict[tuple[Any, ...], list[_Point]] = {}
    for point in points:
        cell = point.cell
        key = (cell.family, cell.task, cell.strategy, cell.shots, point.metric, cell.rung)
        groups.setdefault(key, []).append(point)
    rows = []
    for key, group in groups.items():
        known = [point for point in group if point.y is not None and point.se is not None]
        rung, definition = scale[key[0], key[5]], metrics_room.METRICS[group[0].metric]
        rows.append(
            dict(zip(CURVE_KEY, key, strict=True))
            | {axis: rung[axis] for axis in AXES}
            | {
                "y": math.fsum(p.y for p in known if p.y is not None) / len(known) if known else None,
                "se": math.sqrt(math.fsum(p.se**2 for p in known if p.se is not None) / len(known)) if known else None,
                "n": min((point.n for point in known), default=0),
                "failed": sum(point.failed for point in group),
                "chance": group[0].chance,
                "ceiling": group[0].ceiling,
                "higher_is_better": definition.higher_is_better,
                "preferred": group[0].metric == preferred[key[1]],
            }
        )
    return pl.DataFrame(rows, schema=curve_schema(), orient="row")


def curve_schema() -> dict[str, Any]:
    import polars as pl

    whole = dict.fromkeys(
        ("shots", "params_non_embedding", "params_total", "training_tokens", "step", "n", "failed"), pl.Int64()
    )
    flags = dict.fromkeys(("higher_is_better", "preferred"), pl.Boolean())
    text = dict.fromkeys(("family", "task", "strategy", "metric", "rung"), pl.String())
    names = (*CURVE_KEY, *AXES, "y", "se", "n", "failed", "chance", "ceiling", "higher_is_better", "preferred")
    types = {**whole, **flags, **text}
    return {name: types.get(name, pl.Float64()) for name in names}
