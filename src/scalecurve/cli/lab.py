"""``scalecurve lab``: the ladder of models that comes with scalecurve, made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scalecurve.cli._app import group

lab = group("lab", "Train the laboratory's ladder of models.")


@lab.command()
def train(
    out: Annotated[Path, typer.Option(help="Where the weights go, one directory a model.")] = Path("lab-weights"),
    work: Annotated[Path, typer.Option(help="Where corpus and unfinished state are kept.")] = Path("lab-work"),
    rung: Annotated[
        list[str] | None, typer.Option(help="Only this model, or it with another seed: lab-1m-seed1. Repeatable.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps; the recipe's when not given.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
) -> None:
    """Train the ladder from its seeds; started again, it goes on where it stopped."""
    from scalecurve.lab import recipe
    from scalecurve.lab.train import train

    train(out, work, tuple(rung or ()), steps or recipe.STEPS, device, threads)
    print(f"weights: {out}")
