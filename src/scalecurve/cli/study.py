"""``scalecurve study``: the study that comes with scalecurve, and the schema of study files."""

from __future__ import annotations

from typing import Annotated

import typer

from scalecurve.cli._app import group
from scalecurve.cli._print import Json
from scalecurve.cli.run import Out, Quiet, Retry, Workers, execute_study

study = group("study", "Run the embedded study of the laboratory's ladder, or print the schema of study files.")


@study.callback(invoke_without_command=True)
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
    execute_study(chosen, out, quiet, as_json, retry_failed=retry_failed, workers=workers)


@study.command()
def schema() -> None:
    """Print the JSON schema of study files, by which editors check and complete them."""
    from scalecurve.cli._print import as_json
    from scalecurve.study import study_schema

    print(as_json(study_schema()))
