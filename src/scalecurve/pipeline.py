"""The whole flow in one call: a study runs to a report, and what follows from outputs is rebuilt without a model."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    from scalecurve.exchange import Imported
    from scalecurve.execute import Outcome, Watcher
    from scalecurve.plan import Plan
    from scalecurve.rung_run import Executor


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
    allow_code: bool = False,
) -> tuple[RunDirectory, Outcome]:
    """Run ``study`` in ``out`` (default ``runs/<name>``), or continue it there, and write scores, curves and report.

    Parts that are finished are kept; see ``scalecurve.execute`` (``retry_failed``, ``workers``) and
    ``scalecurve.distribute`` (``on`` other machines, ``jobs``, ``sbatch``). ``mirror``: a URL of fsspec that the run
    is begun from, where something is there, and copied to as it grows. ``until``: ask only until every verdict is
    decided (``scalecurve.adaptive``), the examples in random order. Strategies that are code of the user's own run only
    with ``allow_code``. Raises ``UserError`` before anything is written when the study names something unknown, when
    the directory holds another study, or when it is in use.
    """
    from scalecurve.distribute import executor_of
    from scalecurve.execute import on_this_machine
    from scalecurve.plan import make_plan

    executor = executor_of(on, jobs=jobs, sbatch=shlex.split(sbatch)) or on_this_machine(workers)
    if until:
        from scalecurve.adaptive import until_decided
        from scalecurve.adaptive.campaign import PART

        if on == "slurm":
            raise UserError("--until: goes in rounds, each of which would queue; use --on ray or this machine")
        executor = until_decided(executor, until)
        study = study.model_copy(update={"order": "random", "part_size": study.part_size or PART})
    plan = make_plan(study, allow_code=allow_code)
    return run_plan(plan, out, watcher=watcher, retry_failed=retry_failed, executor=executor, mirror=mirror)


def run_plan(
    plan: Plan,
    out: str | Path | None = None,
    *,
    watcher: Watcher | None = None,
    retry_failed: bool = False,
    executor: Executor | None = None,
    mirror: str = "",
) -> tuple[RunDirectory, Outcome]:
    """``run_study`` of a study that is planned already; ``executor`` as for ``scalecurve.execute.execute``."""
    from scalecurve.execute import execute

    study = plan.study
    run = RunDirectory(Path(out) if out else Path("runs") / study.name)
    if run.path.exists() and not run.path.is_dir():
        raise UserError(f"{run.path}: is a file; give a directory with --out")
    note = watcher.note if watcher else None
    with run.lock(), mirrored(run, mirror, note):
        _keep_study(run, study)
        run.until.unlink(missing_ok=True)  # of an earlier campaign; this one, if it is one, writes its own
        outcome = execute(plan, run, watcher, retry_failed=retry_failed, executor=executor)
        _derive_all(run, (), note)
    return run, outcome


def import_run(
    paths: Sequence[str | Path],
    into: str | Path,
    source: str = "auto",
    *,
    columns: Mapping[str, str] | None = None,
    shots: int | None = None,
    arms: Sequence[str] = (),
    families: Sequence[str] = (),
) -> Imported:
    """Make the run directory ``into`` of other harnesses' results, judged; see ``scalecurve.exchange.import_files``."""
    from scalecurve.exchange import import_files

    files = [Path(path) for path in paths]
    return import_files(
        files,
        RunDirectory(Path(into)),
        source,
        columns=columns,
        shots=shots,
        arms=arms,
        families=families,
        finish=judge_run,
    )


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
    _grade_gaps(run)
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
        answered = read_outputs(run, ref).collect()
        graded = probe_scores(answered, probes)
        _add(run, scores, curves, graded, probe_curves(graded, curves, probes))


def _grade_gaps(run: RunDirectory) -> None:
    """Add the differences between tasks with a trap and their controls, where both were asked."""
    import polars as pl

    from scalecurve.curves.gaps import gap_curves, gap_scores

    records = run.read_manifest()["tasks"]
    refs = {(record["source"], record["name"]): record["ref"] for record in records}
    paired = [
        (one, refs[one["source"], one["contrast"]]) for one in records if (one["source"], one.get("contrast")) in refs
    ]
    if not paired:
        return
    scores, curves = pl.read_parquet(run.scores), pl.read_parquet(run.curves)
    graded = [gap_scores(scores, one["ref"], control, one["metrics"][0]) for one, control in paired]
    added = [gap_curves(own, curves, one["preferred_metric"]) for own, (one, _) in zip(graded, paired, strict=True)]
    gaps = pl.concat(added)
    headed = gaps.filter("preferred")["task"].unique().to_list()  # a shift that heads its task heads it alone
    curves = curves.with_columns(pl.col("preferred") & ~pl.col("task").is_in(headed))
    _add(run, scores, curves, pl.concat(graded), gaps)


def _add(
    run: RunDirectory, scores: pl.DataFrame, curves: pl.DataFrame, graded: pl.DataFrame, added: pl.DataFrame
) -> None:
    """Append item scores and curves to the run's tables."""
    import polars as pl

    more = added.select(curves.columns).cast(curves.schema)
    write_parquet(run.scores, pl.concat([scores, graded.select(scores.columns).cast(scores.schema)]))
    write_parquet(run.curves, pl.concat([curves, more]))


def judge_run(run: RunDirectory) -> None:
    """Write verdicts.parquet from curves.parquet and scores.parquet, each family on its ``curves.axis_of``."""
    import polars as pl

    verdicts = judge_tables(pl.read_parquet(run.curves), pl.read_parquet(run.scores))
    write_parquet(run.verdicts, _with_structural_zeros(verdicts, run.read_manifest()["tasks"]))


def judge_tables(curves: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """The verdicts on a curves table; families that are judged on one axis are judged together."""
    import polars as pl

    from scalecurve.curves import axis_of, judge_all
    from scalecurve.curves.table import verdict_schema

    axes: dict[str, list[str]] = {}
    for (family,), rows in curves.group_by("family", maintain_order=True):
        axis = axis_of(rows)
        if axis:
            axes.setdefault(axis, []).append(str(family))
    of_axis = {axis: curves.filter(pl.col("family").is_in(families)) for axis, families in axes.items()}
    found = [judge_all(rows, scores, axis=axis) for axis, rows in of_axis.items()]
    return pl.concat(found) if found else pl.DataFrame(schema=verdict_schema())


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
