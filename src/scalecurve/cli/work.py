"""``scalecurve work``: one array task of a run that was submitted with ``--on slurm``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scalecurve.cli._app import app


@app.command(hidden=True)
def work(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    share: Annotated[int, typer.Argument(min=0, help="Number of the array task.")],
    retry_failed: Annotated[bool, typer.Option("--retry-failed")] = False,
    allow_code: Annotated[bool, typer.Option("--allow-code")] = False,
) -> None:
    """Compute one share of a submitted run; the batch scripts call this."""
    from scalecurve.cli._interrupt import prompt_interrupt

    with prompt_interrupt():
        from scalecurve.runner.model_run import model_runs
        from scalecurve.runner.slurm import do_share
        from scalecurve.store import RunDirectory
        from scalecurve.study.plan import make_plan
        from scalecurve.study.study import load_study

        directory = RunDirectory(run)
        plan = make_plan(load_study(directory.study), allow_code=allow_code)
        do_share(directory, model_runs(plan, directory, retry_failed=retry_failed), share)
