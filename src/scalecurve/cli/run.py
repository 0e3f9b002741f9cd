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
    from collections.abc import Callable

    from scalecurve.runner.adaptive import Goal
    from scalecurve.runner.execute import Outcome
    from scalecurve.store import RunDirectory
    from scalecurve.study.study import Study

Out = Annotated[Path | None, typer.Option(help="Run directory; runs/<name> when not given.")]
Retry = Annotated[bool, typer.Option("--retry-failed", help="Ask again where an example got no answer.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Models run at the same time; small ones one a processor when not given.")
]
On = Annotated[str, typer.Option(help="Where: ray, ray://HOST:PORT or slurm; this machine when not given.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Slurm array tasks in all; one a model when not given.")]
Sbatch = Annotated[str, typer.Option(help='Options for sbatch, such as "--partition=gpu --time=2:00:00".')]
Mirror = Annotated[str, typer.Option(help="Also keep the run under this URL, such as s3://bucket/run (fsspec).")]
Until = Annotated[str, typer.Option(help="decided: ask only until every verdict is settled.")]
Confidence = Annotated[float, typer.Option(help="Of --until: share of verdicts that stay when the rest is asked.")]
Budget = Annotated[int | None, typer.Option(min=1, help="Of --until: most tokens, in and out, of all models.")]
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
    repeats: Annotated[int | None, typer.Option(min=1, help="Times each question is asked, sampled.")] = None,
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
    on: On = "",
    jobs: Jobs = None,
    sbatch: Sbatch = "",
    mirror: Mirror = "",
    until: Until = "",
    confidence: Confidence = 0.95,
    budget: Budget = None,
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
        "repeats": repeats,
        "max_tokens": max_tokens,
        "mode": mode,
        "device": device,
        "dtype": dtype,
        "cache": cache,
        "max_tokens_total": max_tokens_total,
    }
    asked = study_of(study, stated(given))
    where: dict[str, Any] = {"workers": workers, "on": on, "jobs": jobs, "sbatch": sbatch, "mirror": mirror}
    goal = goal_of(until, confidence, budget)
    execute_study(asked, out, quiet, as_json, retry_failed=retry_failed, until=goal, allow_code=allow_code, **where)


def stated(given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; 0 is one, an empty list (no option of its kind) is none."""
    return {field: value for field, value in given.items() if value is not None and value != []}


def study_of(path: Path | None, given: dict[str, Any]) -> Study:
    """The study in ``path`` with ``given`` in place of its own values, or ``given`` alone."""
    import re

    from scalecurve.errors import UserError
    from scalecurve.study.study import load_study, parse_study

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


def goal_of(until: str, confidence: float, budget: int | None) -> Goal | None:
    """What --until, --confidence and --budget ask for; None for every example."""
    from scalecurve.errors import UserError

    if until not in ("", "decided"):
        raise UserError(f"--until: unknown {until!r}; use decided, or leave it out to ask every example")
    if not until and (budget or confidence != 0.95):
        raise UserError("--budget and --confidence are for --until decided; leave them out or add it")
    if not until:
        return None
    if not 0.5 <= confidence < 1:
        raise UserError(f"--confidence: {confidence} is not between 0.5 and 1; the usual value is 0.95")
    from scalecurve.runner.adaptive import Goal

    return Goal(confidence, budget)


def execute_study(
    study: Study,
    out: Path | None,
    quiet: bool,
    as_json: bool,
    closing: Callable[[RunDirectory], tuple[str, ...]] | None = None,
    **how: Any,
) -> None:
    """Run (``how`` goes to ``run_study``), print what came of it, and exit with 1 when something is missing.

    The last line is the report's path, or else what ``closing`` says of the run, a line each.
    """
    from scalecurve.cli import _print
    from scalecurve.cli._interrupt import prompt_interrupt
    from scalecurve.cli._progress import progress

    with prompt_interrupt(), progress(quiet) as watcher:
        from scalecurve.pipeline import run_study

        directory, outcome = run_study(study, out, watcher=watcher, **how)
    if as_json:
        print(_print.as_json(_record(directory, outcome)))
    else:
        _show(directory, outcome)
        for line in closing(directory) if closing else (f"report: {directory.report}",):
            print(line)
    if not outcome.complete:
        raise typer.Exit(1)


def _record(run: RunDirectory, outcome: Outcome) -> dict[str, object]:
    """What ``--json`` prints: where the run is, whether it is whole, the counts, and what ``--until`` came to."""
    from scalecurve.analysis.valueless import valueless
    from scalecurve.runner.adaptive.verdicts import read_until

    cells = [{"cell": cell, "reason": reason} for cell, reason in outcome.failed_cells]
    record = {"run": run.path, "report": run.report, "complete": outcome.complete}
    without = [asdict(one) for one in valueless(run)]
    return record | asdict(outcome) | {"failed_cells": cells, "valueless": without, "until": read_until(run) or None}


def _show(run: RunDirectory, outcome: Outcome) -> None:
    from scalecurve.analysis.valueless import valueless
    from scalecurve.cli._print import duration

    print(f"{outcome.cells} cells; {outcome.computed} answers computed in {duration(outcome.seconds)}")
    for rung in run.read_manifest()["rungs"]:
        if rung.get("unshared"):
            print(f"slow: {rung['name']} computes shared prefixes anew for each question: {rung['unshared']}")
    if run.until.exists():
        print(_decided(run))
    if outcome.unextracted:
        share = f"{outcome.unextracted} of {outcome.texts} generated texts ({outcome.unextracted / outcome.texts:.0%})"
        print(f"no answer was found in {share}; see `scalecurve scores extraction {run.path}`")
    if outcome.cut:
        print(_cut(outcome))
    for one in valueless(run):
        print(one)
    if not outcome.complete:
        print(f"missing: {len(outcome.failed_cells)} cells failed, {outcome.failed_examples} examples have no answer")
        for key, reason in outcome.failed_cells[:5]:
            print(f"  {key}: {reason}")
        if not outcome.failed_cells:
            print(f"  first reason: {outcome.first_error}")
        print("  the same command tries failed cells again, and with --retry-failed failed examples too")


def _cut(outcome: Outcome) -> str:
    """What limits cut off, in one line."""
    said = f"{outcome.cut} texts were cut at their limit of tokens"
    if not outcome.censored:
        return f"{said}; every answer among them was found"
    return (
        f"{said}, {outcome.censored} before they said an answer; curves give the score with those wrong, and right "
        "(settings: max_tokens, step_tokens, answer_tokens, thinking_tokens raise the limits)"
    )


def _decided(run: RunDirectory) -> str:
    """What asking until decided came to, in one line."""
    from scalecurve.cli._print import amount
    from scalecurve.runner.adaptive.verdicts import read_until

    told = read_until(run)
    curves = told["curves"]
    decided = sum(curve["shape"] is not None for curve in curves)
    whole = sum(curve["whole"] and curve["shape"] is None for curve in curves)
    share = told["tokens"] / max(1, told["tokens_of_all"])
    return (
        f"{decided} of {len(curves)} verdicts decided early, {whole} after every example, "
        f"{len(curves) - decided - whole} open; {amount(told['tokens'])} tokens, {share:.0%} of asking everything"
    )
