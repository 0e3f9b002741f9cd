"""``scalecurve run``: run a study file, or one given by options."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import Models, StudyFile, Tasks
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    from scalecurve.execute import Outcome
    from scalecurve.runs import RunDirectory
    from scalecurve.study import Study

Out = Annotated[Path | None, typer.Option(help="Run directory; runs/<name> when not given.")]
Retry = Annotated[bool, typer.Option("--retry-failed", help="Ask again where an example got no answer.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Models run at the same time; small ones one a processor when not given.")
]
AllowCode = Annotated[bool, typer.Option("--allow-code", help="Run strategies that are Python code of your own.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


@app.command()
def run(
    study: StudyFile = None,
    model: Models = None,
    task: Tasks = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            help="How to ask: direct, few_shot, a prompt file, my.py:FUNCTION. Repeatable.",
            autocompletion=_complete.strategies,
        ),
    ] = None,
    shots: Annotated[list[int] | None, typer.Option(help="Worked examples in the prompt. Repeatable.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Metric. Repeatable.", autocompletion=_complete.metrics)
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Examples of each task.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seed of the draw of shots. Repeatable.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest generation.")] = None,
    mode: Annotated[str | None, typer.Option(help="How defects of a task are treated.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, float16 or bfloat16.")] = None,
    cache: Annotated[str | None, typer.Option(help="File of answers shared between runs; made where absent.")] = None,
    max_tokens_total: Annotated[int | None, typer.Option(help="Most tokens each served model may spend.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the study.")] = None,
    out: Out = None,
    retry_failed: Retry = False,
    workers: Workers = None,
    allow_code: AllowCode = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a study, or continue it where it stopped; prints the report's path."""
    given = {
        "name": name,
        "models": model,
        "tasks": task,
        "strategies": strategy,
        "shots": shots,
        "metrics": metric,
        "limit": limit,
        "seeds": seed,
        "max_tokens": max_tokens,
        "mode": mode,
        "device": device,
        "dtype": dtype,
        "cache": cache,
        "max_tokens_total": max_tokens_total,
    }
    asked = study_of(study, stated(given))
    execute_study(asked, out, retry_failed, workers, quiet, allow_code, as_json)


def stated(given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; 0 is one, an empty list (no option of its kind) is none."""
    return {field: value for field, value in given.items() if value is not None and value != []}


def study_of(path: Path | None, given: dict[str, Any]) -> Study:
    """The study in ``path`` with ``given`` in place of its own values, or ``given`` alone."""
    import re

    from scalecurve.nouns import UserError
    from scalecurve.study import load_study, parse_study

    if path:
        study = load_study(path)
        if not given:
            return study
        values = study.values()
        if "seeds" in given:
            values.pop("seed", None)
        return parse_study(values | given, source=f"{path} with options", base=Path())
    for option in ("model", "task"):
        if f"{option}s" not in given:
            raise UserError(f"run: nothing to run; give a study file, or --model and --task (--{option} is missing)")
    words = [Path(ref).stem if "/" in ref else ref for ref in (*given["models"][:1], *given["tasks"][:1])]
    given.setdefault("name", re.sub(r"[^A-Za-z0-9._+-]+", "-", "-".join(words)).strip("-._") or "study")
    return parse_study(given, source="options", base=Path())


def execute_study(
    study: Study,
    out: Path | None,
    retry_failed: bool,
    workers: int | None,
    quiet: bool,
    allow_code: bool = False,
    as_json: bool = False,
) -> None:
    """Run, print what came of it, and exit with 1 when something is missing."""
    from scalecurve.cli import _print
    from scalecurve.cli._interrupt import prompt_interrupt
    from scalecurve.cli._progress import progress

    with prompt_interrupt(), progress(quiet) as watcher:
        from scalecurve.pipeline import run_study

        directory, outcome = run_study(
            study, out, watcher=watcher, retry_failed=retry_failed, workers=workers, allow_code=allow_code
        )
    if as_json:
        print(_print.as_json(_record(directory, outcome)))
    else:
        _show(directory, outcome)
    if not outcome.complete:
        raise typer.Exit(1)


def _record(run: RunDirectory, outcome: Outcome) -> dict[str, Any]:
    """What ``--json`` prints: where the run is, whether it is whole, and the counts."""
    cells = [{"cell": cell, "reason": reason} for cell, reason in outcome.failed_cells]
    record = {"run": run.path, "report": run.report, "complete": outcome.complete}
    return record | asdict(outcome) | {"failed_cells": cells}


def _show(run: RunDirectory, outcome: Outcome) -> None:
    from scalecurve.cli._print import duration

    print(f"{outcome.cells} cells; {outcome.computed} answers computed in {duration(outcome.seconds)}")
    if outcome.unextracted:
        share = f"{outcome.unextracted} of {outcome.texts} generated texts ({outcome.unextracted / outcome.texts:.0%})"
        print(f"no answer was found in {share}; see `scalecurve scores extraction {run.path}`")
    if not outcome.complete:
        print(f"missing: {len(outcome.failed_cells)} cells failed, {outcome.failed_examples} examples have no answer")
        for key, reason in outcome.failed_cells[:5]:
            print(f"  {key}: {reason}")
        if not outcome.failed_cells:
            print(f"  first reason: {outcome.first_error}")
        print("  the same command tries failed cells again, and with --retry-failed failed examples too")
    print(f"report: {run.report}")
