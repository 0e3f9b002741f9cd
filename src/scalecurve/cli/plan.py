"""``scalecurve plan``: what a study will take, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli._app import app
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    from scalecurve.cost import StudyEstimate


@app.command()
def plan(
    study: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    limit: Annotated[int | None, typer.Option(help="Examples of each task, in place of the study's.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Models run at the same time.")] = None,
    pilot: Annotated[float, typer.Option(min=0, help="Seconds to try the models; 0: count only, tell no time.")] = 30.0,
    prices: Annotated[Path | None, typer.Option(help="Prices (TOML) by the hour or by the token.")] = None,
    allow_code: Annotated[bool, typer.Option("--allow-code", help="As for run.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Json = False,
) -> None:
    """Count a study's requests, tokens and FLOPs, and estimate hours and cost. Writes nothing."""
    import sys

    from scalecurve.cli import _print
    from scalecurve.cli.run import stated, study_of
    from scalecurve.cost import estimate, load_prices
    from scalecurve.runner.local import default_workers
    from scalecurve.study.plan import make_plan

    chosen = load_prices(prices) if prices else ()
    made = make_plan(study_of(study, stated({"limit": limit})), allow_code=allow_code)
    at_a_time = workers or default_workers(rung for _, rung in made.rungs())

    def note(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    found = estimate(made, chosen, pilot_seconds=pilot, workers=at_a_time, note=note)
    if as_json:
        from dataclasses import asdict

        print(_print.as_json(asdict(found)))
        return
    print(_table(found, [price.name for price in chosen]))
    print(_summary(found, pilot))


def _table(found: StudyEstimate, executors: list[str]) -> str:
    from scalecurve.cli import _print

    headers = ("model", "cells", "requests", "sent", "read", "written", "FLOPs", "time", "", *executors)
    rows = [
        (
            rung.rung,
            str(rung.cells),
            _print.amount(rung.tally.requests),
            _print.amount(rung.tally.sent),
            _print.amount(rung.tally.read),
            _print.amount(rung.tally.written),
            "–" if rung.flops is None else f"{rung.flops:.2g}",
            "–" if rung.seconds is None else _print.duration(rung.seconds),
            rung.rate,
            *(_print.number(rung.costs[name], 2) for name in executors),
        )
        for rung in found.rungs
    ]
    return _print.table(headers, rows, right=(1, 2, 3, 4, 5, 6, 7, *range(9, 9 + len(executors))))


def _summary(found: StudyEstimate, pilot: float) -> str:
    from scalecurve.cli import _print

    lines = []
    if found.seconds is not None:
        beside = f", {found.workers} models at a time" if found.workers > 1 else ""
        lines.append(f"answering takes about {_print.duration(found.seconds)}{beside}; scoring and report come on top")
    elif pilot <= 0:
        lines.append("texts are counted as long as they may become; a pilot (--pilot 30) measures lengths and time")
    for name in found.rungs[0].costs:
        total = found.total(name)
        lines.append(f"{name}: {_print.number(total, 2)}" if total is not None else f"{name}: cannot be told")
    if not found.exact:
        lines.append("tokens of large tasks are estimated from their first questions")
    lines.append("sent: tokens as a server bills them; read: after sharing prompts' beginnings; written: generated")
    return "\n".join(lines)
