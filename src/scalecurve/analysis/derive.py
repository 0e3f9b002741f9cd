"""From outputs to scores.parquet and curves.parquet: pure functions of what is on disk, so that no model is needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve import metrics as metrics_room
from scalecurve.analysis.compare.gaps import gap_curves, gap_scores
from scalecurve.analysis.effort import with_effort
from scalecurve.analysis.probes import probe_curves, probe_scores, read_probes
from scalecurve.analysis.repeats import binary_metric, clustered, repeat_curves, repeat_scores
from scalecurve.schema import AXES, BOUNDS, CURVE_AXES, POINT_KEY
from scalecurve.store.atomic import write_parquet
from scalecurve.store.directory import RunDirectory
from scalecurve.store.manifest import task_of
from scalecurve.store.parts import CELL_FIELDS, cell_of, read_cell, read_outputs
from scalecurve.store.tables import reading
from scalecurve.types import Answer, Cell, Example, Task

if TYPE_CHECKING:
    import polars as pl


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
    censored: int = 0
    all_wrong: float | None = None
    all_right: float | None = None


def derive(run: RunDirectory, extra_metrics: Iterable[str] = ()) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Write scores.parquet and curves.parquet from the outputs named in the manifest, and what was published.

    Both hold the partial abilities (probes) that tasks declare and the gaps between traps and their controls too, are
    written once, and are returned as (scores, curves).

    ``extra_metrics`` are scored beside those the study asked for (where the outputs hold what they need).
    Scores that came with imported results stand as they came.
    """
    import polars as pl

    manifest = run.read_manifest()
    records = {record["ref"]: record for record in manifest["tasks"]}
    points = _published(run)
    stated = {(point.cell, point.metric) for point in points}
    scores = [_read_published(run.published_scores)] if run.published_scores.exists() else []
    bounds: dict[tuple[Any, ...], tuple[float | None, float | None]] = {}
    for record in manifest["cells"]:
        cell, hashes = cell_of(record), record.get("hashes")
        asked = dict.fromkeys([*records[cell.task]["metrics"], *extra_metrics])
        metrics = [name for name in asked if name in metrics_room.METRICS and (cell, name) not in stated]
        parts = ({int(index): key} for index, key in sorted(record["parts"].items(), key=lambda part: int(part[0])))
        measured = _measure(records[cell.task], metrics, (read_cell(run, cell, part, hashes) for part in parts))
        errors = measured.errors + record["examples"] - len(measured.ids)
        for metric, (values, (y, se, n)) in measured.results.items():
            definition = metrics_room.METRICS[metric]
            if not n and not errors and (definition.partial or not definition.needs <= measured.holding):
                continue  # not what this strategy gives: nothing is missing
            scores.append(_score_frame(cell, metric, measured.ids, values, measured.lost(metric)))
            questions = (cell.task, cell.shots, cell.seed, len(measured.ids), metric)
            if questions not in bounds:
                bounds[questions] = metrics_room.bounds(measured.task, metric)
            up, failed = definition.higher_is_better, errors if definition.partial else record["examples"] - n
            value = None if se is None else _finite(y)  # without an error a score says too little
            point = _Point(cell, metric, value, _finite(se), n, failed, *bounds[questions], up)
            points.append(_between_bounds(point, values, measured.lost(metric)))
    there = {(cell.task, metric): None for cell, metric in ((point.cell, point.metric) for point in points)}
    preferred = {
        ref: _preferred(record, [name for task, name in there if task == ref]) for ref, record in records.items()
    }
    tables = pl.concat(scores, how="diagonal") if scores else pl.DataFrame(schema=score_schema())
    if "censored" not in tables.columns:  # scores by item that came without answers
        tables = tables.with_columns(censored=pl.lit(False))
    tables = tables.with_columns(pl.col("censored").fill_null(False)).select(list(score_schema()))
    curves = _curve_frame(points, manifest["rungs"], preferred)
    if manifest.get("repeats", 1) > 1:
        tables, curves = _with_repeats(run, manifest, tables, curves)
    tables, curves = _with_probes(run, manifest["tasks"], tables, curves)
    tables, curves = _with_gaps(manifest["tasks"], tables, curves)
    tables, curves = with_effort(manifest, tables, curves)
    write_parquet(run.scores, tables)
    write_parquet(run.curves, curves)
    return tables, curves


def _with_repeats(
    run: RunDirectory, manifest: Mapping[str, Any], scores: pl.DataFrame, curves: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables with pass@k and majority@k, and with means whose errors know that items were asked again."""
    repeats, metrics = manifest["repeats"], {one["ref"]: binary_metric(one) for one in manifest["tasks"]}
    metrics = {ref: name for ref, name in metrics.items() if name}
    curves = clustered(curves, scores, repeats)
    columns = [*CELL_FIELDS, "example_id", "response"]
    graded = repeat_scores(scores, read_outputs(run).select(columns).collect(), metrics, repeats)
    return _added(scores, curves, graded, repeat_curves(graded, curves, metrics))


def _with_probes(
    run: RunDirectory, records: Sequence[Mapping[str, Any]], scores: pl.DataFrame, curves: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables with the scores and curves of the partial abilities that the run's tasks declare."""
    for record in records:
        probes = read_probes(record["probes"])
        if probes:
            graded = probe_scores(read_outputs(run, record["ref"]).collect(), probes)
            scores, curves = _added(scores, curves, graded, probe_curves(graded, curves, probes))
    return scores, curves


def _with_gaps(
    records: Sequence[Mapping[str, Any]], scores: pl.DataFrame, curves: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables with the differences between tasks with a trap and their controls, where both were asked."""
    import polars as pl

    refs = {(record["source"], record["name"]): record["ref"] for record in records}
    paired = [
        (one, refs[one["source"], one["contrast"]]) for one in records if (one["source"], one.get("contrast")) in refs
    ]
    if not paired:
        return scores, curves
    graded = [gap_scores(scores, one["ref"], control, one["metrics"][0]) for one, control in paired]
    gaps = pl.concat(
        [gap_curves(own, curves, one["preferred_metric"]) for own, (one, _) in zip(graded, paired, strict=True)]
    )
    headed = gaps.filter("preferred")["task"].unique().to_list()  # a shift that heads its task heads it alone
    curves = curves.with_columns(pl.col("preferred") & ~pl.col("task").is_in(headed))
    return _added(scores, curves, pl.concat(graded), gaps)


def _added(
    scores: pl.DataFrame, curves: pl.DataFrame, graded: pl.DataFrame, points: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    if "censored" not in graded.columns:
        graded = graded.with_columns(censored=pl.lit(False))
    lacking = [pl.lit(None).alias(name) for name in BOUNDS if name not in points.columns]
    return (
        pl.concat([scores, graded.select(scores.columns).cast(scores.schema)]),
        pl.concat([curves, points.with_columns(lacking).select(curves.columns).cast(curves.schema)]),
    )


def _preferred(record: Mapping[str, Any], there: Sequence[str]) -> str:
    """The task's preferred metric where the study asked for it, else the first it asked for.

    What lm-evaluation-harness graded has the metrics that are ``there``, which nobody asks for by name.
    """
    wanted, asked = str(record["preferred_metric"]), list(record["metrics"])
    if (record.get("harness") or {}).get("built"):
        return wanted if wanted in there or not there else there[0]
    return wanted if wanted in asked or not asked else str(asked[0])


def _published(run: RunDirectory) -> list[_Point]:
    if not run.published_points.exists():
        return []
    frame = _read_published(run.published_points)
    known = ("metric", "y", "se", "n", "failed", "chance", "ceiling", "higher_is_better")
    cells = map(Cell, *(frame[name].to_list() for name in CELL_FIELDS))
    return list(map(_Point, cells, *(frame[name].to_list() for name in known)))


def _read_published(path: Path) -> pl.DataFrame:
    import polars as pl

    with reading(path, "import the results again"):
        return pl.read_parquet(path)


def _between_bounds(point: _Point, values: Sequence[float | None], lost: Sequence[bool]) -> _Point:
    """``point`` with what it would be were all answers that a limit cut off wrong, and were they all right.

    Corpus metrics, whose value is no mean, have the count alone.
    """
    count = sum(value is not None and gone for value, gone in zip(values, lost, strict=True))
    definition = metrics_room.METRICS[point.metric]
    if not count or point.y is None or definition.corpus:
        return replace(point, censored=count)
    known = [(value, gone) for value, gone in zip(values, lost, strict=True) if value is not None]
    low, high = definition.low, definition.high
    worst, best = (low, high) if definition.higher_is_better else (high, low)
    wrong, right = (
        math.fsum(extreme if gone else value for value, gone in known) / len(known) for extreme in (worst, best)
    )
    return replace(point, censored=count, all_wrong=wrong, all_right=right)


@dataclass(frozen=True, slots=True)
class _Measured:
    """One cell: its example ids, by metric the examples' values and the task's (value, error, examples), the task.

    The task's examples hold what bounds depend on, no texts. ``holding``: what its answers offer to metrics;
    ``errors``: how many of them are none; ``censored``: whether a limit cut off each answer before it was one.
    """

    ids: list[str]
    results: dict[str, tuple[list[float | None], tuple[float | None, float | None, int]]]
    task: Task
    holding: frozenset[str]
    errors: int
    censored: list[bool]

    def lost(self, metric: str) -> list[bool]:
        """Which examples ``metric`` cannot know the value of, as it grades the text. How many were found, it knows."""
        grades = metrics_room.METRICS[metric].needs == {"text"} and metric != "extraction_rate"
        return self.censored if grades else [False] * len(self.ids)


def _measure(
    record: Mapping[str, object], metrics: Sequence[str], parts: Iterable[Sequence[tuple[Example, Answer]]]
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
    censored: list[bool] = []
    values: dict[str, list[float | None]] = {metric: [] for metric in metrics}
    for rows in parts:
        task = task_of(record, (example for example, _ in rows))
        for metric in metrics:
            values[metric] += [metrics_room.score(task, example, answer, metric) for example, answer in rows]
        for example, answer in rows:
            ids.append(example.id)
            holding |= metrics_room.held(example, answer)
            errors += bool(answer.error)
            censored.append(answer.censored)
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
    return _Measured(ids, results, task, frozenset(holding), errors, censored)


def _score_frame(
    cell: Cell, metric: str, ids: Sequence[str], values: Sequence[float | None], lost: Sequence[bool]
) -> pl.DataFrame:
    import polars as pl

    own = {name: [getattr(cell, name)] * len(ids) for name in CELL_FIELDS}  # thousands of these: no lazy frame for each
    columns = own | {"example_id": ids, "metric": [metric] * len(ids), "value": values, "censored": lost}
    return pl.DataFrame(columns, schema=score_schema())


def score_schema() -> dict[str, Any]:
    """The columns of scores.parquet and their types: one row an example of a cell under a metric."""
    import polars as pl

    types = {"shots": pl.Int64(), "seed": pl.Int64(), "value": pl.Float64(), "censored": pl.Boolean()}
    names = (*CELL_FIELDS, "example_id", "metric", "value", "censored")
    return {name: types.get(name, pl.String()) for name in names}


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _root_mean_square(errors: Sequence[float | None]) -> float | None:
    """Of standard errors of the same items; None where one of them is not known, or there are none."""
    known = [se for se in errors if se is not None]
    if not known or len(known) < len(errors):
        return None
    return known[0] if len(known) == 1 else math.sqrt(math.fsum(se**2 for se in known) / len(known))


def _curve_frame(
    points: Sequence[_Point], rungs: Sequence[Mapping[str, object]], preferred: Mapping[str, str]
) -> pl.DataFrame:
    """One row a rung of a curve. Seeds are averaged, their errors by root mean square (they share the items)."""
    import polars as pl

    scale = {(rung["family"], rung["name"]): rung for rung in rungs}
    groups: dict[tuple[Any, ...], list[_Point]] = {}
    for point in points:
        cell = point.cell
        key = (cell.family, cell.task, cell.strategy, cell.shots, point.metric, cell.rung)
        groups.setdefault(key, []).append(point)
    # Manifests of older versions know no epoch. Without a budget there are no answer tokens.
    scales = {key: (*(rung.get(axis) for axis in AXES), None) for key, rung in scale.items()}
    rows = [
        (*key, *scales[key[0], key[5]], *_averaged(group), key[4] == preferred[key[1]], *_censored(group))
        for key, group in groups.items()
    ]
    schema = curve_schema()
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pl.DataFrame(dict(zip(schema, map(list, columns), strict=True)), schema=schema)


def _averaged(group: Sequence[_Point]) -> tuple[object, ...]:
    """y, se, n, failed, chance, ceiling and direction of the points of one rung under several seeds."""
    first = group[0]
    ends = first.chance, first.ceiling, first.higher_is_better
    if len(group) == 1:
        known = first.y is not None
        return first.y, first.se if known else None, first.n if known else 0, first.failed, *ends
    scored = [point for point in group if point.y is not None]
    y = math.fsum(point.y for point in scored if point.y is not None) / len(scored) if scored else None
    n = min((point.n for point in scored), default=0)
    return y, _root_mean_square([point.se for point in scored]), n, sum(point.failed for point in group), *ends


def _censored(group: Sequence[_Point]) -> tuple[int, float | None, float | None]:
    """How many answers a limit cut off, and the score were all of them wrong, and all right."""
    known = [point for point in group if point.y is not None]
    return (
        sum(point.censored for point in group),
        _bound([point.all_wrong if point.censored else point.y for point in known]),
        _bound([point.all_right if point.censored else point.y for point in known]),
    )


def _bound(values: Sequence[float | None]) -> float | None:
    """The mean over seeds of what censored answers may make of a score; None where that is not known."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def curve_schema() -> dict[str, Any]:
    """The columns of curves.parquet and their types: one row a rung of a curve, seeds averaged."""
    import polars as pl

    whole = dict.fromkeys(
        ("shots", "params_non_embedding", "params_total", "training_tokens", "step", "n", "failed", "censored"),
        pl.Int64(),
    )
    flags = dict.fromkeys(("higher_is_better", "preferred"), pl.Boolean())
    text = dict.fromkeys(("family", "task", "strategy", "metric", "rung"), pl.String())
    names = (
        *POINT_KEY,
        *CURVE_AXES,
        "y",
        "se",
        "n",
        "failed",
        "chance",
        "ceiling",
        "higher_is_better",
        "preferred",
        *BOUNDS,
    )
    types = {**whole, **flags, **text}
    return {name: types.get(name, pl.Float64()) for name in names}
