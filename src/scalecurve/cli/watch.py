"""``scalecurve watch``: evaluate and judge a training run's checkpoints as they appear."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app

if TYPE_CHECKING:
    from scalecurve.watch import Alert, Look


@app.command()
def watch(
    folder: Annotated[Path, typer.Argument(help="Folder that training writes its checkpoints into.")],
    study: Annotated[
        Path,
        typer.Argument(help="Study file (TOML); its models are the checkpoints.", autocompletion=_complete.studies),
    ],
    out: Annotated[Path | None, typer.Option(help="Run directory; runs/<name> when not given.")] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the folder.")] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="Evaluate what is there and end, for cron.")] = False,
    until_step: Annotated[int | None, typer.Option(help="End when this step, or a later one, is evaluated.")] = None,
    on_alert: Annotated[str, typer.Option(help="Shell command to run on an alert, which is its JSON input.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Follow a training run: evaluate each checkpoint, judge anew, and tell what changed."""
    import time

    from scalecurve.cli._interrupt import prompt_interrupt
    from scalecurve.cli._progress import progress

    with prompt_interrupt():
        from scalecurve.watch import Watch

        following = Watch(folder, study, out)
        said: dict[str, str] = {}
        while True:
            with progress(quiet) as watcher:
                look = following.look(watcher, lambda alert: _alert(alert, on_alert))
            _tell(look, said)
            last = max((one.step for one in look.checkpoints if one.complete), default=-1)
            if once or (until_step is not None and last >= until_step):
                break
            time.sleep(interval)
    print(f"report: {following.run.report}" if following.run.report.exists() else "no complete checkpoint")
    if look.outcome is not None and not look.outcome.complete:
        raise typer.Exit(1)


def _tell(look: Look, said: dict[str, str]) -> None:
    """Say what a look came to, and of each checkpoint that is not complete what it lacks, once."""
    from scalecurve.cli._print import duration

    for one in look.checkpoints:
        if one.lacks and said.get(one.folder.name) != one.lacks.rstrip("0123456789 "):
            what = "is broken" if one.broken else "is not complete"
            print(f"{one.folder.name} {what}: {one.lacks}", flush=True)
        said[one.folder.name] = one.lacks.rstrip("0123456789 ")
    if look.outcome is not None:
        steps = [one.step for one in look.checkpoints if one.complete]
        took = duration(look.outcome.seconds)
        print(f"{len(steps)} checkpoints to step {steps[-1]}; {look.outcome.computed} answers in {took}", flush=True)
        for key, reason in look.outcome.failed_cells[:5]:
            print(f"  {key}: {reason}", flush=True)


def _alert(alert: Alert, command: str) -> None:
    """Print an alert and hand it to the user's command; a command that fails is told of, and watching goes on."""
    import json
    import subprocess
    import sys
    from dataclasses import asdict

    print(f"ALERT {alert.text()}", flush=True)
    if command:
        try:
            done = subprocess.run(command, shell=True, input=json.dumps(asdict(alert)), text=True, timeout=60)
            problem = f"ended with {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            problem = "took more than a minute"
        if problem:
            print(f"--on-alert: the command {problem}", file=sys.stderr, flush=True)
