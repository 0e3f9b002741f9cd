"""``scalecurve report``: the HTML report of one run or of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scalecurve.cli._app import app
from scalecurve.cli._options import Runs


@app.command()
def report(
    runs: Runs,
    out: Annotated[
        Path | None, typer.Option(help="File to write; RUN/report.html of the first when not given.")
    ] = None,
    lang: Annotated[str, typer.Option(help="Language of the report's words.")] = "en",
) -> None:
    """Write the self-contained HTML report of one or more runs; prints its path."""
    from scalecurve.report import write_report
    from scalecurve.store import open_run

    directories = [open_run(run) for run in runs]
    print(write_report([run.path for run in directories], out or directories[0].report, lang=lang))
