"""Arguments and options that several commands share, each said in one way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AXIS = "params_non_embedding"

RunPath = Annotated[Path, typer.Argument(help="Run directory.")]
OnlyTasks = Annotated[str | None, typer.Option("--task", help="Only tasks that contain this text.")]
Axis = Annotated[str, typer.Option(help="Axis of scale, such as training_flops.")]
