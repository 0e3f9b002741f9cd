"""``scalecurve import``: results of other harnesses as a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scalecurve.cli._app import app


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(help="lm-eval, scalecurve (an exported run), or auto to recognise it.")],
    paths: Annotated[list[Path], typer.Argument(help="Result files, or folders of them.")],
    into: Annotated[Path, typer.Option("--into", help="Run directory to make.")],
) -> None:
    """Make a run of finished evaluations, to judge, forecast and report without running a model."""
    import sys

    from scalecurve.exchange import import_files
    from scalecurve.exchange.tidy_run import is_tidy_run, read_tidy_run
    from scalecurve.pipeline import judge_run
    from scalecurve.runs import RunDirectory

    run = RunDirectory(into)
    if len(paths) == 1 and source in ("auto", "scalecurve") and is_tidy_run(paths[0]):
        read_tidy_run(paths[0], run)
        print(f"imported into {into}; next: scalecurve report {into}")
        return
    unmatched = import_files(paths, run, source)
    judge_run(run)
    for model in unmatched:
        name = model.rpartition("/")[2]
        print(
            f"{model}: in no family file; add its size to one: "
            f'[[rung]] name = "{name}" backend = "transformers" location = "{model}" params_non_embedding = …',
            file=sys.stderr,
        )
    print(f"imported into {into}; next: scalecurve report {into}")
