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
    width: Annotated[str | None, typer.Option(help="Printed width, such as 3.3in, 84mm or 238pt.")] = None,
    font_size: Annotated[float | None, typer.Option(help="Printed size of the letters, in points.")] = None,
    caption: Annotated[bool, typer.Option("--caption", help="Write a caption as text beside the figure.")] = False,
) -> None:
    """Draw a task's curves, or a classic figure, as svg, pdf or png; prints the file's path."""
    import re

    from scalecurve.errors import UserError
    from scalecurve.report.figures import FORMATS, save
    from scalecurve.report.figures import plot as draw
    from scalecurve.report.printed import caption_of, printed_width

    if format not in FORMATS:
        raise UserError(f"--format: {format!r} is not known; choose {', '.join(FORMATS)}")
    chart = draw([run, *(also or [])], task, preset=preset, axis=axis, metric=metric, lang=lang)
    name = re.sub(r"[^\w.-]+", "_", "-".join(part for part in (preset, task) if part))
    inches = printed_width(width) if width is not None else None
    if font_size is not None and not 4 <= font_size <= 72:
        raise UserError(f"--font-size: {font_size:g} is not between 4 and 72 points")
    path = save(chart, out or Path(f"{name}.{format}"), width=inches, font_size=font_size)
    print(path)
    if caption:
        beside = path.with_suffix(".txt")
        beside.write_text(caption_of(chart, lang) + "\n", encoding="utf-8")
        print(beside)
