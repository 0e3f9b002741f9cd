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
    into: Annotated[Path, typer.Option("--into", help="Run directory to make.")],
    columns: Annotated[str | None, typer.Option("--map", help="A table's columns: model=Model,score=acc, …")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Family file to find models in. Repeatable.")] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="A task that is another, asked otherwise: TASK=OTHER:STRATEGY. Repeatable.")
    ] = None,
    shots: Annotated[int | None, typer.Option(help="Shots of results that do not say.")] = None,
) -> None:
    """Make a run of finished evaluations, to judge, forecast and report without running a model."""
    import sys

    from scalecurve.exchange import lines_to_add
    from scalecurve.exchange.tidy_run import is_tidy_run, read_tidy_run
    from scalecurve.pipeline import import_run
    from scalecurve.runs import RunDirectory

    if len(paths) == 1 and source in ("auto", "scalecurve") and is_tidy_run(paths[0]):
        read_tidy_run(paths[0], RunDirectory(into))
        print(f"imported into {into}; next: scalecurve report {into}")
        return
    done = import_run(
        paths, into, source, columns=_columns(columns), shots=shots, arms=arm or (), families=family or ()
    )
    for line in (*done.notes[:SHOWN], *done.missing[:SHOWN]):
        print(line, file=sys.stderr)
    for kind, lines in (("notes", done.notes), ("missing scores", done.missing)):
        if len(lines) > SHOWN:
            print(f"… and {len(lines) - SHOWN} more {kind}", file=sys.stderr)
    if done.unmatched:
        print(
            f"{len(done.unmatched)} models are in no family file; to place them on a scale write one, fill in the "
            "sizes, and import again with --family FILE:",
            file=sys.stderr,
        )
        print('family = "…"', *lines_to_add(done.unmatched[:SHOWN]), sep="\n", file=sys.stderr)
        if len(done.unmatched) > SHOWN:
            print(f"# … and {len(done.unmatched) - SHOWN} more", file=sys.stderr)
    print(
        f"{done.scores} scores and {done.answers} answers of {done.files} files imported into {into}; "
        f"next: scalecurve report {into}"
    )
    if done.missing:
        raise typer.Exit(1)


def _columns(text: str | None) -> dict[str, str]:
    """``model=Model,score=acc`` as a dictionary; a backslash before a comma makes it part of a name."""
    import re

    from scalecurve.nouns import UserError

    found: dict[str, str] = {}
    for pair in re.split(r"(?<!\\),", text) if text else []:
        name, equals, column = pair.replace("\\,", ",").partition("=")
        if not equals or not name.strip() or not column.strip():
            raise UserError(f"--map: {pair!r} is no column; write it like model=Model,score=acc")
        found[name.strip()] = column.strip()
    return found
