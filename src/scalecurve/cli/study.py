"""``scalecurve study``: the study that comes with scalecurve, of the ladder of models that comes with it."""

from __future__ import annotations

from typing import Annotated

import typer

from scalecurve.cli._app import app
from scalecurve.cli._print import Json
from scalecurve.cli.run import Out, Quiet, Retry, Workers, execute_study


@app.command()
def study(
    out: Out = None,
    limit: Annotated[int | None, typer.Option(help="Examples of each task; fewer is faster and less sure.")] = None,
    retry_failed: Retry = False,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run the embedded study of the laboratory's ladder; prints the report's path."""
    from importlib.resources import files
    from pathlib import Path

    from scalecurve.cli.run import study_of

    path = Path(str(files("scalecurve.lab").joinpath("study.toml")))
    chosen = study_of(path, {"limit": limit} if limit else {})
    execute_study(chosen, out, quiet, as_json, retry_failed=retry_failed, workers=workers)
