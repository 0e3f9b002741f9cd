"""``scalecurve query``: ask models as one asks a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    from scalecurve.query.session import Result


@app.command()
def query(
    statements: Annotated[
        list[str] | None, typer.Argument(help="Statements, several separated by ';'. None: the interactive shell.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Model or ladder asked where a query names none.", autocompletion=_complete.models)
    ] = "",
    attach: Annotated[
        list[str] | None,
        typer.Option(
            help="name=path of a CSV, Parquet, JSON, DuckDB or SQLite file, or a data set's folder. Repeatable."
        ),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(help="Run directory to query and to choose by. Repeatable.", autocompletion=_complete.runs),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the plan; ask nothing.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Rows as CSV.")] = False,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(help="Write the last rows to a .csv, .json or .parquet file.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="File of kept answers; default: in the user's cache folder.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no answers.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    timeout: Annotated[float, typer.Option(help="Most seconds of one statement, models not counted.")] = 60.0,
    memory: Annotated[str, typer.Option(help="Memory of the process SQL runs in.")] = "2GB",
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress and no summary.")] = False,
) -> None:
    """Ask models with SQL: ai_filter, ai_classify, ai_extract, ai_score, ai_ask, ai_complete, model('…').table."""
    import sys

    from scalecurve.cli._interrupt import prompt_interrupt
    from scalecurve.models.fingerprint import cache_folder
    from scalecurve.query.executor.attach import attachments
    from scalecurve.query.executor.run import Limits
    from scalecurve.query.session import Session
    from scalecurve.query.sql.parse import split

    text = " ; ".join(statements or ())
    if not text and not sys.stdin.isatty():
        text = sys.stdin.read()
    kept = None if no_cache else cache or cache_folder() / "answers.sqlite"
    results = []
    with _progress(quiet) as progress:
        session = Session(
            model, attach=attachments(attach or ()), runs=run or (), cache=kept, device=device, memory=memory,
            limits=Limits(seconds=timeout), progress=progress,
        )  # fmt: skip
        try:
            if not text:
                _shell(session)
                return
            with prompt_interrupt():
                for statement in split(text):
                    result = session.run(("EXPLAIN " if explain and _selects(statement) else "") + statement)
                    results.append(result)
                    if out is None:
                        _print(result, as_csv, as_json)
                    if result.summary and not quiet:
                        print(result.summary, file=sys.stderr)
        finally:
            session.close()
    if out is not None:
        _write(results, out)
    if any(step.statuses["error"] for result in results for step in result.steps):
        raise typer.Exit(1)


def _selects(statement: str) -> bool:
    return not statement.lstrip().lower().startswith(("create", "explain"))


def _shell(session: Any) -> None:
    import sys

    from scalecurve.cli._plain import console
    from scalecurve.query.shell import run_shell

    run_shell(session, console(sys.stdout))


def _print(result: Result, as_csv: bool, as_json: bool) -> None:
    import sys

    from scalecurve.cli._plain import console, plain_json
    from scalecurve.query import show

    if result.table is None:
        return
    if as_json:
        print(plain_json(show.as_json(result)), flush=True)
    elif as_csv:
        print(show.as_csv(result), end="", flush=True)
    else:  # a file or pipe gets whole lines, whatever the width of a terminal that is not there
        how: dict[str, object] = {} if sys.stdout.isatty() else {"width": 10_000, "no_color": True}
        show.show(result, console(sys.stdout, **how))


def _write(results: list[Result], out: Path) -> None:
    from scalecurve.errors import UserError
    from scalecurve.query import show

    tables = [result for result in results if result.table is not None]
    if not tables:
        raise UserError(f"{out}: no statement has rows to write")
    show.write(tables[-1], out)


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    """A function that shows how far a model has come, on a terminal only."""
    import sys

    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from scalecurve.cli._plain import console, plain

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console(sys.stderr), transient=True)
    task = bar.add_task("", total=None, visible=False)

    def show(what: str, done: int, total: int) -> None:
        if not bar.live.is_started:
            bar.start()
        bar.update(task, description=plain(what)[:60], completed=done, total=total, visible=done < total)

    try:
        yield show
    finally:
        bar.stop()
