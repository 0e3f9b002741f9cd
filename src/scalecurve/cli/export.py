"""``scalecurve export``: a run for other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from scalecurve.cli._app import app
from scalecurve.cli._options import Run

NAMES = "parquet, csv, lm-eval, bigbench, eee, eval-results, model-card, tensorboard, mlflow or wandb"


@app.command()
def export(
    format: Annotated[str, typer.Argument(help=f"{NAMES}.")],
    run: Run,
    out: Annotated[str, typer.Option(help="Folder to write; for mlflow also a server's address.")],
    strategy: Annotated[str, typer.Option(help="bigbench: the strategy whose scores to write (direct).")] = "",
    metric: Annotated[list[str] | None, typer.Option(help="model-card: this metric in place of the preferred.")] = None,
    axis: Annotated[str, typer.Option(help="Trackers: the axis of their steps, such as training_tokens.")] = "",
) -> None:
    """Write a run's answers, scores, curves and verdicts for other tools."""
    from scalecurve.io.exporters.export import Wanted
    from scalecurve.io.exporters.export import export as write
    from scalecurve.store import open_run

    written = write(open_run(run), format, out, Wanted(strategy, tuple(metric or ()), axis))
    print(f"{len(written)} written to {out}")
