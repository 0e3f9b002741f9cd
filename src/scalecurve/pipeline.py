"""The whole flow in one call: a study runs to a report, and what follows from outputs is rebuilt without a model."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.nouns import UserError
from scalecurve.runs import RunDirectory, derive, open_run
from scalecurve.runs.atomic import write_bytes, write_parquet
from scalecurve.runs.mirror import mirrored
from scalecurve.study import Study, load_study

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.adaptive import Goal
    from scalecurve.execute import Outcome, Watcher


def run_study(
    study: Study,
    out: str | Path | None = None,
    *,
    watcher: Watcher | None = None,
    retry_failed: bool = False,
    workers: int | None = 1,
    on: str = "",
    jobs: int | None = None,
    sbatch: str = "",
    mirror: str = "",
    until: Goal | None = None,
) -> tuple[RunDirectory, Outcome]:
    """Run ``study`` in ``out`` (default ``runs/<name>``), or continue it there, and write scores, curves and report.

    Parts that are finished are kept; see ``scalecurve.execute`` (``retry_failed``, ``workers``) and
    ``scalecurve.distribute`` (``on`` other machines, ``jobs``, ``sbatch``). ``mirror``: a URL of fsspec that the run
    is begun from, where something is there, and copied to as it grows. ``until``: ask only until every verdict is
    decided (``scalecurve.adaptive``), the examples in random order. Raises ``UserError`` before anything is written
    when the study names something unknown, when the directory holds another study, or when it is in use.
    """
    from scalecurve.distribute import executor_of
    from scalecurve.execute import execute, on_this_machine
    from scalecurve.plan import make_plan

    executor = executor_of(on, jobs=jobs, sbatch=shlex.split(sbatch)) or on_this_machine(workers)
    if until:
        from scalecurve.adaptive import until_decided
        from scalecurve.adaptive.campaign import PART

        if on == "slurm":
            raise UserError("--until: goes in rounds, each of which would queue; use --on ray or this machine")
        executor = until_decided(executor, until)
        study = study.model_copy(update={"order": "random", "part_size": study.part_size or PART})
    plan = make_plan(study)
    run = RunDirectory(Path(out) if out else Path("runs") / study.name)
    if run.path.exists() and not run.path.is_dir():
        raise UserError(f"{run.path}: is a file; give a directory with --out")
    note = watcher.note if watcher else None
    with run.lock(), mirrored(run, mirror, note):
        _keep_study(run, study)
        if not until:
            run.until.unlink(missing_ok=True)
        outcome = execute(plan, run, watcher, retry_failed=retry_failed, executor=executor)
        _derive_all(run, (), note)
    return run, outcome


def rescore(path: str | Path, metrics: Iterable[str] = (), note: Callable[[str], None] | None = None) -> RunDirectory:
    """Rebuild scores, curves, verdicts and report of a run from its outputs. ``metrics`` are scored besides its own."""
    from scalecurve.metrics import METRICS
    from scalecurve.plan import check_names

    run = open_run(path)
    metrics = tuple(metrics)
    check_names("--metric", metrics, list(METRICS))
    with run.lock():
        _derive_all(run, metrics, note)
    return run


def _derive_all(run: RunDirectory, metrics: tuple[str, ...], note: Callable[[str], None] | None) -> None:
    from scalecurve.adaptive.settle import settle

    if note:
        note("scoring")
    derive(run, metrics)
    _grade_probes(run)
    if note:
        note("judging the curves")
    judge_run(run)
    settle(run)
    if note:
        note("writing the report")
    from scalecurve.report import write_report

    write_report([run.path], run.report)


def _grade_probes(run: RunDirectory) -> None:
    """Add the scores and curves of the partial abilities that the run's tasks declare."""
    import polars as pl

    from scalecurve.curves.probes import probe_curves, probe_scores, read_probes
    from scalecurve.runs import read_outputs

    declared = {record["ref"]: read_probes(record["probes"]) for record in run.read_manifest()["tasks"]}
    for ref, probes in declared.items():
        if not probes:
            continue
        scores, curves = pl.read_parquet(run.scores), pl.read_parquet(run.curves)
        answered = read_outputs(run).filter(pl.col("task") == ref).collect()
        graded = probe_scores(answered, probes)
        added = probe_curves(graded, curves, probes).select(curves.columns).cast(curves.schema)
        write_parquet(run.scores, pl.concat([scores, graded.select(scores.columns).cast(scores.schema)]))
        write_parquet(run.curves, pl.concat([curves, added]))


def judge_run(run: RunDirectory) -> None:
    """Write verdicts.parquet from curves.parquet and scores.parquet, on the first axis that any rung has a value on."""
    import polars as pl

    from scalecurve.curves import AXES, judge_all
    from scalecurve.curves.table import verdict_schema

    curves = pl.read_parquet(run.curves)
    axis = next((name for name in AXES if curves[name].count()), None)
    verdicts = (
        judge_all(curves, pl.read_parquet(run.scores), axis=axis) if axis else pl.DataFrame(schema=verdict_schema())
    )
    write_parquet(run.verdicts, _with_structural_zeros(verdicts, run.read_manifest()["tasks"]))


def _with_structural_zeros(verdicts: pl.DataFrame, records: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Flag the curves of match metrics on tasks where some right answers cannot match (see ``tasks.repairs``)."""
    import polars as pl

    odd = [record["ref"] for record in records if "structural_zeros" in record["flags"]]
    repaired = [record["ref"] for record in records if "corrected:structural_zeros" in record["flags"]]
    here = pl.col("task").is_in([ref for ref in odd if ref not in repaired]) & pl.col("metric").str.contains("match")
    flagged = pl.col("flags").list.concat(pl.lit(["unmatchable-answers"], dtype=pl.List(pl.String())))
    return verdicts.with_columns(pl.when(here).then(flagged).otherwise(pl.col("flags")).alias("flags"))


def _keep_study(run: RunDirectory, study: Study) -> None:
    """Write study.toml, or check that the directory's own asks the same."""
    if not run.study.exists():
        if run.manifest.exists() or run.outputs.exists():
            raise UserError(f"{run.path}: holds outputs but no study.toml; give an empty directory with --out")
        write_bytes(run.study, study.to_toml().encode())
        return
    before = load_study(run.study)
    if not study.same_questions(before):
        changed = [name for name in type(study).model_fields if getattr(study, name) != getattr(before, name)]
        raise UserError(
            f"{run.study}: holds a study that differs in {', '.join(changed)}; give another directory with --out"
        )
