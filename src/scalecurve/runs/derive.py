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
    higher_is_better: bool


def derive(
    run: RunDirectory, extra_metrics: Iterable[str] = (), on_cell: Callable[[int, int], None] | None = None
) -> None:
    """Write scores.parquet and curves.parquet from the outputs named in the manifest, and what was published.

    ``extra_metrics`` are scored beside those the study asked for (where the outputs hold what they need).
    ``on_cell(done, total)`` hears of the progress. Scores that came with imported results stand as they came.
    """
    import polars as pl

    manifest = run.read_manifest()
    records = {record["ref"]: record for record in manifest["tasks"]}
    points = _published(run)
    stated = {(point.cell, point.metric) for point in points}
    scores = [pl.read_parquet(run.published_scores)] if run.published_scores.exists() else []
    bounds: dict[tuple[Any, ...], tuple[float | None, float | None]] = {}
    for done, record in enumerate(manifest["cells"], start=1):
        cell = Cell(**{name: record[name] for name in CELL_FIELDS})
        asked = dict.fromkeys([*records[cell.task]["metrics"], *extra_metrics])
        metrics = [name for name in asked if name in metrics_room.METRICS and (cell, name) not in stated]
        parts = ({int(index): key} for index, key in sorted(record["parts"].items(), key=lambda part: int(part[0])))
        measured = _measure(records[cell.task], metrics, (read_cell(run, cell, part) for part in parts))
        errors = measured.errors + record["examples"] - len(measured.ids)
        for metric, (values, (y, se, n)) in measured.results.items():
            definition = metrics_room.METRICS[metric]
            if not n and not errors and (definition.partial or not definition.needs <= measured.holding):
                continue  # not what this strategy gives: nothing is missing
            scores.append(_score_frame(cell, metric, measured.ids, values))
            questions = (cell.task, cell.shots, cell.seed, len(measured.ids), metric)
            if questions not in bounds:
                bounds[questions] = metrics_room.bounds(measured.task, metric)
            up, failed = definition.higher_is_better, errors if definition.partial else record["examples"] - n
            value = None if se is None else _finite(y)  # without an error a score says too little
            points.append(_Point(cell, metric, value, _finite(se), n, failed, *bounds[questions], up))
        if on_cell:
            on_cell(done, len(manifest["cells"]))
    preferred = {ref: _preferred(record) for ref, record in records.items()}
    write_parquet(run.scores, pl.concat(scores) if scores else pl.DataFrame(schema=score_schema()))
    write_parquet(run.curves, _curve_frame(points, manifest["rungs"], preferred))


def _preferred(record: Mapping[str, Any]) -> str:
    """The task's preferred metric where the study asked for it, else the first it asked for."""
    wanted, asked = str(record["preferred_metric"]), list(record["metrics"])
    return wanted if wanted in asked or not asked else str(asked[0])


def _published(run: RunDirectory) -> list[_Point]:
    import polars as pl

    if not run.published_points.exists():
        return []
    rows = pl.read_parquet(run.published_points).iter_rows(named=True)
    known = ("metric", "y", "se", "n", "failed", "chance", "ceiling", "higher_is_better")
    return [_Point(Cell(**{name: row[name] for name in CELL_FIELDS}), *(row[name] for name in known)) for row in rows]


@dataclass(frozen=True, slots=True)
class _Measured:
    """One cell: its example ids, by metric the examples' values and the task's (value, error, examples), the task.

    The task's examples hold what bounds depend on, no texts. ``holding``: what its answers offer to metrics;
    ``errors``: how many of them are none.
    """

    ids: list[str]
    results: dict[str, tuple[list[float | None], tuple[float | None, float | None, int]]]
    task: Task
    holding: frozenset[str]
    errors: int


def _measure(
    record: Mapping[str, Any], metrics: Sequence[str], parts: Iterable[Sequence[tuple[Example, Answer]]]
) -> _Measured:
    """Score a cell part by part: texts are held for one part only, unless a corpus metric needs them together."""
    together = any(metrics_room.METRICS[metric].corpus for metric in metrics)
    blank: dict[int, tuple[str, ...]] = {}
    shared: dict[tuple[float, ...], tuple[float, ...]] = {}
    ids: list[str] = []
    slim: list[Example] = []
    kept: list[tuple[Example, Answer]] = []
    holding: set[str] = set()
    errors = 0
    values: dict[str, list[float | None]] = {metric: [] for metric in metrics}
    for rows in parts:
        task = task_of(record, (example for example, _ in rows))
        for metric in metrics:
            values[metric] += [metrics_room.score(task, example, answer, metric) for example, answer in rows]
        for example, answer in rows:
            ids.append(example.id)
            holding |= metrics_room.held(example, answer)
            errors += bool(answer.error)
            options = blank.setdefault(len(example.options), ("",) * len(example.options))
            worth = shared.setdefault(example.option_scores, example.option_scores)
            slim.append(Example(example.id, "", options=options, option_scores=worth))
        kept += rows if together else []
    task = task_of(record, (example for example, _ in kept) if together else slim)
    results = {}
    for metric in metrics:
        if metrics_room.METRICS[metric].corpus:
            examples, answers = [example for example, _ in kept], [answer for _, answer in kept]
            whole = metrics_room.aggregate(task, metric, examples, answers)
        else:
            whole = metrics_room.summary(metric, values[metric])
        results[metric] = values[metric], whole
    return _Measured(ids, results, task, frozenset(holding), errors)


def _score_frame(cell: Cell, metric: str, ids: Sequence[str], values: Sequence[float | None]) -> pl.DataFrame:
    import polars as pl

    schema = score_schema()
    frame = pl.DataFrame(
        {"example_id": ids, "value": values},
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


def _root_mean_square(errors: Sequence[float | None]) -> float | None:
    """Of standard errors of the same items; None where one of them is not known, or there are none."""
    known = [se for se in errors if se is not None]
    if not known or len(known) < len(errors):
        return None
    return known[0] if len(known) == 1 else math.sqrt(math.fsum(se**2 for se in known) / len(known))


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
        known = [point for point in group if point.y is not None]
        rung = scale[key[0], key[5]]
        rows.append(
            dict(zip(CURVE_KEY, key, strict=True))
            | {axis: rung[axis] for axis in AXES}
            | {
                "y": math.fsum(p.y for p in known if p.y is not None) / len(known) if known else None,
                "se": _root_mean_square([point.se for point in known]),
                "n": min((point.n for point in known), default=0),
                "failed": sum(point.failed for point in group),
                "chance": group[0].chance,
                "ceiling": group[0].ceiling,
                "higher_is_better": group[0].higher_is_better,
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
