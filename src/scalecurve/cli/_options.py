"""Arguments and options that several commands have, each with what the shell completes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scalecurve.cli import _complete

Run = Annotated[Path, typer.Argument(help="Run directory.", autocompletion=_complete.runs)]
Runs = Annotated[
    list[Path], typer.Argument(help="Run directories; several are shown together.", autocompletion=_complete.runs)
]
StudyFile = Annotated[
    Path | None,
    typer.Argument(help="Study file (TOML); options replace what it says.", autocompletion=_complete.studies),
]
Models = Annotated[
    list[str] | None,
    typer.Option(help="Ladder or model: name, path or hub id. Repeatable.", autocompletion=_complete.models),
]
Tasks = Annotated[
    list[str] | None,
    typer.Option(help="Task, such as lab:addition. Repeatable.", autocompletion=_complete.tasks),
]
TaskText = Annotated[str | None, typer.Option(help="Only tasks that contain this text.")]
Metric = Annotated[
    str | None,
    typer.Option(help="This metric; each task's preferred one when not given.", autocompletion=_complete.metrics),
]
Axis = Annotated[
    str | None,
    typer.Option(help="Axis of scale, such as training_flops; by itself the first on which a family's models differ."),
]
Family = Annotated[str | None, typer.Option(help="Only this family of models.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")]
Dtype = Annotated[str, typer.Option(help="float32, float16 or bfloat16.")]
