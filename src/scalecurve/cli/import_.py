"""``scalecurve import``: results of other harnesses as a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scalecurve.cli._app import app

SHOWN = 20  # models no family file knows, and notes


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(help="Format: lm-eval, scalecurve (an export), …, or auto.")],
    paths: Annotated[list[Path], typer.Argument(help="Result files, or folders of them.")],
    into: Annotated[Path, typer.Option("--into", "--out", help="Run directory to make.")],
    columns: Annotated[str | None, typer.Option("--map", help="A table's columns: model=Model,score=acc, …")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Family file to find models in. Repeatable.")] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="A task that is another, asked otherwise: TASK=OTHER:STRATEGY. Repeatable.")
    ] = None,
    shots: Annotated[int | None, typer.Option(help="Shots of results that do not say.")] = None,
    model: Annotated[str, typer.Option(help="Model of results that name none.")] = "",
    chance: Annotated[
        list[str] | None, typer.Option(help="Score of blind guessing: TASK=0.25, or 0.25 for all. Repeatable.")
    ] = None,
    percent: Annotated[list[str] | None, typer.Option(help="Task or column written in percent. Repeatable.")] = None,
    fraction: Annotated[list[str] | None, typer.Option(help="Task or column written as fractions.")] = None,
    size: Annotated[
        list[str] | None, typer.Option(help="Parameters of a model that no family file knows: MODEL=1.3B. Repeatable.")
    ] = None,
    keep: Annotated[str, typer.Option(help="Of several results of one kind keep the newest, or the oldest.")] = "",
) -> None:
    """Make a run of finished evaluations, to judge, forecast and report without running a model."""
    import shlex
    import sys

    from scalecurve.io import import_run, lines_to_add
    from scalecurve.io.families import unmatched_name
    from scalecurve.io.sources import Said
    from scalecurve.io.tidy_run import is_tidy_run, read_tidy_run
    from scalecurve.store import RunDirectory

    if len(paths) == 1 and source in ("auto", "scalecurve") and is_tidy_run(paths[0]):
        read_tidy_run(paths[0], RunDirectory(into))
        print(f"imported into {into}; next: scalecurve report {into}")
        return
    percents, fractions = frozenset(percent or ()), frozenset(fraction or ())
    said = Said(_columns(columns), shots, model, _chances(chance), percents, fractions, _sizes(size))
    done = import_run(paths, into, source, arms=arm or (), families=family or (), said=said, keep=keep)
    for line in (*done.notes[:SHOWN], *done.missing[:SHOWN]):
        print(line, file=sys.stderr)
    for kind, lines in (("notes", done.notes), ("missing scores", done.missing)):
        if len(lines) > SHOWN:
            print(f"… and {len(lines) - SHOWN} more {kind}", file=sys.stderr)
    if done.unsized:
        print(
            f"{len(done.unsized)} models are in no family file, and nothing tells their sizes; say them (--size "
            f"{shlex.quote(unmatched_name(done.unsized[0]))}=7B …), or write a family file, fill in the sizes, and "
            "import again with --family FILE:",
            file=sys.stderr,
        )
        print('family = "mine"', *lines_to_add(done.unsized[:SHOWN]), sep="\n", file=sys.stderr)
        if len(done.unsized) > SHOWN:
            print(f"# … and {len(done.unsized) - SHOWN} more", file=sys.stderr)
    if done.left_out:
        print(f"left out: {'; '.join(done.left_out)}", file=sys.stderr)
    print(f"understood: {done.understood}", file=sys.stderr)
    print(
        f"{done.scores} scores and {done.answers} answers of {done.files} files imported into {into}; "
        f"next: scalecurve report {into}"
    )
    if done.missing:
        raise typer.Exit(1)


def _columns(text: str | None) -> dict[str, str]:
    """``model=Model,score=acc`` as a dictionary; a backslash before a comma makes it part of a name."""
    import re

    from scalecurve.errors import UserError

    found: dict[str, str] = {}
    for pair in re.split(r"(?<!\\),", text) if text else []:
        name, equals, column = pair.replace("\\,", ",").partition("=")
        if not equals or not name.strip() or not column.strip():
            raise UserError(f"--map: {pair!r} is no column; write it like model=Model,score=acc")
        found[name.strip()] = column.strip()
    return found


def _chances(given: list[str] | None) -> dict[str, float]:
    """``piqa=0.5`` as a dictionary; a number alone stands for every task ("")."""
    from scalecurve.errors import UserError

    found: dict[str, float] = {}
    for text in given or ():
        task, _, value = text.rpartition("=")
        try:
            found[task.strip()] = float(value)
        except ValueError:
            raise UserError(f"--chance: {text!r} is no chance level; write it like piqa=0.5") from None
    return found


def _sizes(given: list[str] | None) -> dict[str, int]:
    """``mymodel=1.3B`` as a dictionary of parameters."""
    from scalecurve.errors import UserError
    from scalecurve.io.cells import amount

    found: dict[str, int] = {}
    for text in given or ():
        model, _, value = text.rpartition("=")
        size = amount(value)
        if not model.strip() or size is None or not 1 <= size < 1e18:
            raise UserError(f"--size: {text!r} is no size; write it like mymodel-base=1.3B")
        found[model.strip()] = round(size)
    return found
