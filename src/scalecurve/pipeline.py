"""The whole flow in one call: a study runs to a report, and what follows from outputs is rebuilt without a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve.analysis.derive import derive
from scalecurve.errors import UserError
from scalecurve.store import RunDirectory, open_run
from scalecurve.store.atomic import write_parquet
from scalecurve.store.mirror import mirrored
from scalecurve.study.study import Study

if TYPE_CHECKING:
    from scalecurve.runner.adaptive import Goal
    from scalecurve.runner.execute import Outcome, Watcher
    from scalecurve.runner.model_run import Executor
    from scalecurve.study.plan import Plan


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

    Parts that are finished are kept; see ``scalecurve.runner.execute`` (``retry_failed``) and
    ``scalecurve.runner.executors`` (``on`` other machines, ``workers``, ``jobs``, ``sbatch``). ``mirror``: a URL of
    fsspec that the run is begun from, where something is there, and copied to as it grows. ``until``: ask only until
    every verdict is decided (``scalecurve.runner.adaptive``), the examples in random order. Strategies that are code of
    the user's own run only with ``allow_code``. Raises ``UserError`` before anything is written when the study names
    something unknown, when the directory holds another study, or when it is in use.
    """
    from scalecurve.runner.adaptive import in_rounds
    from scalecurve.runner.executors import executor_of
    from scalecurve.study.plan import make_plan

    executor = executor_of(on, workers=workers, jobs=jobs, sbatch=sbatch, until=until)
    plan = make_plan(in_rounds(study) if until else study, allow_code=allow_code)
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
    """``run_study`` of a study that is planned already; ``executor`` as for ``scalecurve.runner.execute.execute``."""
    from scalecurve.runner.execute import execute

    run = RunDirectory(Path(out) if out else Path("runs") / plan.study.name)
    if run.path.exists() and not run.path.is_dir():
        raise UserError(f"{run.path}: is a file; give a directory with --out")
    note = watcher.note if watcher else None
    with run.lock(), mirrored(run, mirror, note):
        run.keep_study(plan.study)
        run.until.unlink(missing_ok=True)  # of an earlier campaign; this one, if it is one, writes its own
        outcome = execute(plan, run, watcher, retry_failed=retry_failed, executor=executor)
        ungraded = _graded(plan, run, note)
        _derive_judge_report(run, (), note)
    if ungraded:
        raise ungraded
    return run, outcome


def _graded(plan: Plan, run: RunDirectory, note: Callable[[str], None] | None) -> UserError | None:
    """Have lm-evaluation-harness grade what it built; what is wrong where it cannot, for the end of the run."""
    from scalecurve.analysis.built import grade_built

    if not any(task.task.harness and task.task.harness.built for task in plan.tasks):
        return None
    if note:
        note("lm-evaluation-harness grades")
    try:
        grade_built(run)
    except UserError as error:
        return UserError(f"{error}; the answers are kept, and the same command grades them again")
    return None


def rescore(path: str | Path, metrics: Iterable[str] = (), note: Callable[[str], None] | None = None) -> RunDirectory:
    """Rebuild scores, curves, verdicts and report of a run from its outputs. ``metrics`` are scored besides its own."""
    from scalecurve.metrics import METRICS
    from scalecurve.study.checks import check_names

    run = open_run(path)
    metrics = tuple(metrics)
    check_names("--metric", metrics, list(METRICS))
    with run.lock():
        _derive_judge_report(run, metrics, note)
    return run


def _derive_judge_report(run: RunDirectory, metrics: tuple[str, ...], note: Callable[[str], None] | None) -> None:
    """Scores, curves, verdicts and report from the outputs; every table is written once."""
    from scalecurve.analysis.verdicts.run import judge_tables
    from scalecurve.report import write_report
    from scalecurve.runner.adaptive import settled

    say = note or (lambda _: None)
    say("scoring")
    scores, curves = derive(run, metrics)
    say("judging the curves")
    verdicts = judge_tables(curves, scores, run.read_manifest()["tasks"])
    write_parquet(run.verdicts, settled(run, verdicts))
    say("writing the report")
    write_report([run.path], run.report)
