"""``scalecurve study``: the study that comes with scalecurve, and the schema of study files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli._app import group
from scalecurve.cli._print import Json
from scalecurve.cli.run import Out, Quiet, Retry, Workers, execute_study

if TYPE_CHECKING:
    from scalecurve.store import RunDirectory
    from scalecurve.study.study import Study

study = group("study", "Run the embedded study of the laboratory's ladder, or print the schema of study files.")


@study.callback(invoke_without_command=True, no_args_is_help=False)  # without an argument it runs, unlike other groups
def run(
    context: typer.Context,
    out: Out = None,
    limit: Annotated[int | None, typer.Option(help="Examples of each task; fewer is faster and less sure.")] = None,
    retry_failed: Retry = False,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run the embedded study of the laboratory's ladder; prints the report's path."""
    if context.invoked_subcommand is not None:
        return
    from importlib.resources import files
    from pathlib import Path

    from scalecurve.cli.run import stated, study_of

    path = Path(str(files("scalecurve.lab").joinpath("study.toml")))
    chosen = study_of(path, stated({"limit": limit}))
    if not quiet:
        print(_begins(chosen), file=sys.stderr, flush=True)
    execute_study(chosen, out, quiet, as_json, closing, retry_failed=retry_failed, workers=workers)


def _begins(study: Study) -> str:
    """What is about to happen: models open after some ten seconds, and nobody should wonder so long."""
    from scalecurve.models import load_ladder

    rungs = load_ladder("lab").rungs
    first, *_, last = sorted(rungs, key=lambda rung: rung.params_non_embedding or 0)
    return (
        f"{len(rungs)} small language models, {first.name} to {last.name}, are asked up to {study.limit} questions of "
        "each task; about two minutes, the report is written at the end"
    )


def closing(run: RunDirectory) -> tuple[str, str, str]:
    """What was found, where the report is, and a command to go on with, as it can be typed here."""
    import shutil
    from pathlib import Path
    from shlex import quote

    said = Path(sys.argv[0])
    command = "scalecurve" if shutil.which("scalecurve") or said.name != "scalecurve" else quote(str(said))
    return (
        _found(run),
        f"report: {run.report}",
        f"next: {command} view {quote(str(run.path))}   (or: verdicts, curves, plot)",
    )


def _found(run: RunDirectory) -> str:
    """How many curves have which shape, and where written-out steps lift the largest model most."""
    from collections import Counter

    from scalecurve.report.notebook import load_run

    views = load_run(run.path).curves()
    curves = [view.curve for view in views]
    shapes = Counter(view.verdict.shape for view in views if view.verdict is not None)
    counts = ", ".join(f"{count} {shape}" for shape, count in shapes.most_common())
    line = f"found: {len(curves)} curves of {len({curve.task for curve in curves})} tasks: {counts}"
    arms = {(curve.task, curve.strategy): curve for curve in curves}
    lifts = [
        (with_steps.y[-1] - arms[task, "direct"].y[-1], task)
        for (task, strategy), with_steps in arms.items()
        if strategy == "chain_of_thought" and (task, "direct") in arms
    ]
    gain, task = max(lifts, default=(0.0, ""))
    if not gain > 0:
        return line
    alone, steps = arms[task, "direct"], arms[task, "chain_of_thought"]
    return f"{line}; written-out steps lift {steps.rungs[-1]} from {alone.y[-1]:.2f} to {steps.y[-1]:.2f} on {task}"


@study.command()
def schema() -> None:
    """Print the JSON schema of study files, by which editors check and complete them."""
    from scalecurve.cli._print import as_json
    from scalecurve.study.study import study_schema

    print(as_json(study_schema()))
