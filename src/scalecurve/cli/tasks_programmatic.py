"""``scalecurve tasks program``: BIG-bench's programmatic tasks, run apart and only on request."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli._print import Json
from scalecurve.cli.tasks import tasks

if TYPE_CHECKING:
    from scalecurve.models import Model
    from scalecurve.tasks.programmatic import ProgramOutcome
    from scalecurve.tasks.task_score import TaskScore
    from scalecurve.types import Output, Request


@tasks.command()
def program(
    names: Annotated[list[str] | None, typer.Argument(help="Programmatic tasks; none: list them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    model: Annotated[str, typer.Option(help="The model to ask, as for `run`.")] = "mock",
    allow_code: Annotated[bool, typer.Option("--allow-code", help="Run the code of the tasks' authors.")] = False,
    max_examples: Annotated[int, typer.Option(min=1, help="Examples a task may draw.")] = 100,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds a task may take.")] = 600.0,
    memory: Annotated[float, typer.Option(min=0.5, help="GiB a task may use.")] = 4.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens of one generation.")] = 64,
    out: Annotated[Path | None, typer.Option(help="Write score files into this directory.")] = None,
    as_json: Json = False,
) -> None:
    """Run programmatic BIG-bench tasks, each in a process without network, with limits of time and memory."""
    from scalecurve.cli import _print
    from scalecurve.models import open_model, resolve_rung
    from scalecurve.tasks.programmatic import ProgramLimits, program_names, run_program

    wanted = program_names() if every else names or []
    if not wanted:
        known = program_names()
        print(_print.as_json([{"task": name} for name in known]) if as_json else "\n".join(known))
        return
    limits = ProgramLimits(seconds=timeout, memory=int(memory * 2**30), max_tokens=max_tokens)
    rung = resolve_rung(model)
    opened = open_model(rung) if allow_code else None
    outcomes: list[ProgramOutcome] = []
    for name in wanted:
        found = run_program(
            name,
            lambda requests: _answer(opened, requests),
            allow_code=allow_code,
            max_examples=max_examples,
            limits=limits,
            model={"model_family": rung.backend, "model_name": rung.name},
        )
        outcomes.append(found)
        print(f"{name}: {found.reason or f'{len(found.scores)} scores'} ({found.seconds:.0f} s)", file=sys.stderr)
        if out is not None and found.scores:
            _write(out, found, model)
    failed = sum(not found.scores for found in outcomes)
    if as_json:
        print(_print.as_json(outcomes))
    else:
        rows = [row for found in outcomes for row in _rows(found)]
        print(_print.table(("task", "part", "metric", "score", "low", "high"), rows, right=(3, 4, 5)))
        print(f"{len(wanted) - failed} of {len(wanted)} tasks have scores")
    if failed:
        raise typer.Exit(1)


def _answer(model: Model | None, requests: Sequence[Request]) -> list[Output]:
    if model is None:
        return []
    found: dict[int, Output] = {}
    model.run(requests, found.__setitem__)
    return [found[at] for at in range(len(requests))]


def _rows(found: ProgramOutcome) -> list[tuple[str, ...]]:
    from scalecurve.cli._print import number

    if not found.scores:
        return [(found.task, found.reason[:60], "–", "–", "–", "–")]
    return [
        (found.task, s.name[:40], s.preferred, number(s.scores.get(s.preferred)), number(s.low), number(s.high))
        for s in found.scores
    ]


def _write(out: Path, found: ProgramOutcome, model: str) -> None:
    from scalecurve.io.bigbench_files import ScoreFile, model_data, with_aggregates, write_score_file
    from scalecurve.models import resolve_rung

    rung = resolve_rung(model)
    parts = _distinct(found.scores)
    scores = ScoreFile(found.task, model_data(rung.backend, rung), with_aggregates(found.task, parts))
    print(write_score_file(out, scores), file=sys.stderr)


def _distinct(parts: Sequence[TaskScore]) -> list[TaskScore]:
    """Parts that share a name and a number of shots get "trial_0", "trial_1", … appended, as in the reference."""
    from dataclasses import replace

    keys = [(part.name, part.shots) for part in parts]
    return [
        replace(part, name=f"{part.name}trial_{keys[:at].count(keys[at])}") if keys.count(keys[at]) > 1 else part
        for at, part in enumerate(parts)
    ]
