"""Runs and BIG-bench's score files: ours written for submission, published ones brought in to plot beside ours.

Also the benchmark's aggregates of a run: tasks, BIG-bench Lite, keywords.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve._version import __version__
from scalecurve.analysis.derive import curve_schema
from scalecurve.errors import UserError
from scalecurve.io.bigbench_files import ModelData, ScoreFile, model_data, with_aggregates, write_score_file
from scalecurve.metrics import METRICS
from scalecurve.metrics.benchmark import (
    BenchmarkScore,
    aggregate_benchmark,
    aggregate_tasks,
    by_keyword,
    leaf_score,
)
from scalecurve.schema import AXES, POINT_KEY
from scalecurve.store.atomic import write_parquet
from scalecurve.store.directory import RunDirectory
from scalecurve.store.manifest import environment, task_of
from scalecurve.store.parts import CELL_FIELDS
from scalecurve.store.tables import read_table
from scalecurve.tasks.bigbench import LITE
from scalecurve.tasks.repairs import GENERATIVE
from scalecurve.tasks.task_score import TaskScore
from scalecurve.types import Postprocess, Rendering, Rung, Task

if TYPE_CHECKING:
    import polars as pl

SOURCE = "bigbench:"
_OTHERS = {
    "multiple_choice_grade",
    "calibration_multiple_choice_brier_score",
    "expected_calibration_error",
    "weighted_probabilities",
    "weighted_log_probabilities",
    "macro_f1",
    "log_likelihood",
    "log_likelihood_per_word",
    "log_likelihood_per_char",
}
REFERENCE_METRICS = (GENERATIVE - {"exact_match"}) | _OTHERS


# ── Out ──────────────────────────────────────────────────────────────────────────────────────────────────────
def leaf_scores(run: RunDirectory, strategy: str = "direct") -> dict[tuple[str, str], list[TaskScore]]:
    """(family, rung) → the BIG-bench leaves of the run under ``strategy``, each at each number of shots."""
    import polars as pl

    if not run.curves.exists():
        raise UserError(f"{run.path}: has no curves.parquet; run: scalecurve rescore {run.path}")
    records = {record["ref"]: record for record in run.read_manifest()["tasks"]}
    chosen = pl.col("task").str.starts_with(SOURCE) & (pl.col("strategy") == strategy) & pl.col("y").is_not_null()
    values: dict[tuple[str, str, str, int], dict[str, float | None]] = {}
    for row in read_table(run.curves).filter(chosen).iter_rows(named=True):
        if row["metric"] in REFERENCE_METRICS:
            values.setdefault((row["family"], row["rung"], row["task"], row["shots"]), {})[row["metric"]] = row["y"]
    found: dict[tuple[str, str], list[TaskScore]] = {}
    for (family, rung, ref, shots), scores in values.items():
        found.setdefault((family, rung), []).append(leaf_score(task_of(records[ref]), shots, scores))
    if not found:
        raise UserError(f"{run.path}: has no scores of bigbench: tasks under the strategy {strategy}")
    return found


def export_score_files(run: RunDirectory, folder: Path, strategy: str = "direct") -> list[Path]:
    """Write ``<folder>/<task>/results/scores_<family>_<rung>.json`` for each BIG-bench task and rung of the run."""
    found, paths = leaf_scores(run, strategy), []
    rungs = {(record["family"], record["name"]): record for record in run.read_manifest()["rungs"]}
    for (family, name), leaves in found.items():
        record = rungs[family, name]
        model = model_data(family, Rung(**{field: record[field] for field in Rung.__dataclass_fields__}))
        for task in dict.fromkeys(leaf.name.partition(":")[0] for leaf in leaves):
            own = [leaf for leaf in leaves if leaf.name.partition(":")[0] == task]
            paths.append(write_score_file(folder, ScoreFile(task, model, with_aggregates(task, own))))
    return paths


def benchmark_scores(run: RunDirectory, strategy: str = "direct") -> dict[tuple[str, str, int], list[BenchmarkScore]]:
    """(family, rung, shots) → all tasks of the run, BIG-bench Lite, and every keyword: mean normalised scores."""
    keywords: dict[str, set[str]] = {}
    for record in run.read_manifest()["tasks"]:
        if record["ref"].startswith(SOURCE):
            keywords.setdefault(record["name"].partition(":")[0], set()).update(record["keywords"])
    found = {}
    for (family, rung), leaves in leaf_scores(run, strategy).items():
        tasks = aggregate_tasks(leaves)
        for shots in sorted({leaf.shots for leaf in leaves}):
            whole = aggregate_benchmark("all tasks of the run", shots, tasks, keywords)
            lite = aggregate_benchmark("BIG-bench Lite", shots, tasks, LITE)
            words = by_keyword(shots, tasks, keywords).values()
            found[family, rung, shots] = [whole, lite, *words]
    return found


# ── In ───────────────────────────────────────────────────────────────────────────────────────────────────────
def import_score_files(files: Sequence[ScoreFile], run: RunDirectory) -> None:
    """Make a run directory of published scores: its curves and manifest, without outputs. Values keep their scale."""
    import polars as pl

    if run.manifest.exists():
        raise UserError(f"{run.path}: is a run already; give another directory")
    with run.lock():
        rungs = list({(f.model.model_family, f.model.model_name): f.model for f in files}.values())
        tasks = {score.name: score for f in files for score in f.scores}
        rows = [row for f in files for score in f.scores for row in _rows(f.model, score)]
        if not rows:
            raise UserError(f"{run.path}: the score files hold no finite score")
        run.write_manifest(
            {
                "scalecurve": __version__,
                "study": "score files of BIG-bench",
                "environment": environment(),
                "rungs": [{"family": m.model_family, **asdict(_rung(m)), "fingerprint": ""} for m in rungs],
                "tasks": [_task_record(name, score) for name, score in tasks.items()],
                "cells": [],
                "totals": {"cells": 0, "failed_cells": 0},
            }
        )
        frame = pl.DataFrame(rows, schema=curve_schema(), orient="row")
        write_parquet(run.published_points, _points(frame))
        write_parquet(run.curves, frame)


def _points(curves: pl.DataFrame) -> pl.DataFrame:
    """The published scores behind curves, from which they are made again without the files."""
    import polars as pl

    known = ("y", "se", "n", "failed", "chance", "ceiling", "higher_is_better")
    return curves.with_columns(seed=pl.lit(0, pl.Int64)).select(*CELL_FIELDS, "metric", *known)


def _rung(model: ModelData) -> Rung:
    size = model.flop_matched_non_embedding_params or model.non_embedding_params
    return Rung(
        name=model.model_name,
        backend="published",
        location="score file",
        params_non_embedding=None if size is None else int(size),
        params_total=None if model.total_params is None else int(model.total_params),
        step=model.training_steps or None,
        notes=(model.description,) if model.description else (),
    )


def _rows(model: ModelData, score: TaskScore) -> Iterable[dict[str, object]]:
    rung = _rung(model)
    for metric, value in score.scores.items():
        known = METRICS.get(metric)
        key = (model.model_family, SOURCE + score.name, "published", score.shots, metric, rung.name)
        preferred = metric == score.preferred
        yield {
            **dict(zip(POINT_KEY, key, strict=True)),
            **{axis: getattr(rung, axis) for axis in AXES},
            "y": value,
            "se": None,
            "n": 0,
            "failed": 0,
            "chance": score.low if preferred else None,
            "ceiling": score.high if preferred else None,
            "higher_is_better": known.higher_is_better if known else True,
            "preferred": preferred,
            "censored": 0,
            "all_wrong": value,
            "all_right": value,
        }


def _task_record(name: str, score: TaskScore) -> Mapping[str, object]:
    preferred = score.preferred
    task = Task(name, (), tuple(score.scores), preferred, chance=score.low, ceiling=score.high, source="bigbench")
    record = asdict(task) | {"rendering": asdict(Rendering()), "postprocess": asdict(Postprocess())}
    kept = {key: value for key, value in record.items() if key not in ("examples", "worked")}
    return {"ref": SOURCE + name, **kept, "n_examples": 0, "parent": name.partition(":")[0] if ":" in name else ""}
