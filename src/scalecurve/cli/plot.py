"""``scalecurve plot``: figures for papers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import Run


@app.command()
def plot(
    run: Run,
    task: Annotated[str | None, typer.Argument(help="Task, its name, or part of it; presets need none.")] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option("--with", help="Another run, drawn in the same figure.", autocompletion=_complete.runs),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="A classic figure: abilities, metrics, logprobs, chain-of-thought or inverse."),
    ] = None,
    format: Annotated[str, typer.Option(help="svg, pdf or png.")] = "svg",
    out: Annotated[Path | None, typer.Option(help="File to write; its ending decides the format.")] = None,
    metric: Annotated[str | None, typer.Option(help="This metric; the task's preferred one when not given.")] = None,
    axis: Annotated[str | None, typer.Option(help="Axis of scale, such as training_flops.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the words: en or zh.")] = "en",
) -> None:
    """Draw a task's curves, or a classic figure, as svg, pdf or png; prints the file's path."""
    import re

    from scalecurve.nouns import UserError
    from scalecurve.report.figures import FORMATS, save
    from scalecurve.report.figures import plot as draw

    if format not in FORMATS:
        raise UserError(f"--format: {format!r} is not known; choose {', '.join(FORMATS)}")
    chart = draw([run, *(also or [])], task, preset=preset, axis=axis, metric=metric, lang=lang)
    name = re.sub(r"[^\w.-]+", "_", "-".join(part for part in (preset, task) if part))
    print(save(chart, out or Path(f"{name}.{format}")))
