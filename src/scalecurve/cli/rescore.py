"""``scalecurve rescore``: scores, curves, verdicts and report anew from stored outputs."""

from __future__ import annotations

from typing import Annotated

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import Run


@app.command()
def rescore(
    run: Run,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Also score with this metric. Repeatable.", autocompletion=_complete.metrics),
    ] = None,
) -> None:
    """Rebuild scores, curves, verdicts and report from a run's outputs, without a model."""
    from scalecurve.analysis.valueless import valueless
    from scalecurve.pipeline import rescore

    directory = rescore(run, metric or ())
    for one in valueless(directory, metric or ()):
        print(one)
    print(f"report: {directory.report}")
