"""``scalecurve serve``: an OpenAI-compatible endpoint in front of a Thinker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import Device, Dtype

if TYPE_CHECKING:
    from scalecurve.types import Rung


@app.command()
def serve(
    model: Annotated[
        list[str],
        typer.Option(help="Ladder or model; a request names one of them. Repeatable.", autocompletion=_complete.models),
    ],
    thinker: Annotated[bool, typer.Option("--thinker/--plain", help="With two systems, or fast answers only.")] = True,
    controller: Annotated[Path | None, typer.Option(help="What decides: a file of `scalecurve think fit`.")] = None,
    below: Annotated[float | None, typer.Option(help="Or: think slowly below this confidence (0-1).")] = None,
    gate: Annotated[bool, typer.Option(help="Refuse what the controller's gate holds unanswerable.")] = True,
    abstain_below: Annotated[float | None, typer.Option(help="Withhold answers less sure than this (0-1).")] = None,
    slow: Annotated[str, typer.Option(help="Strategy of slow answers; the controller's when not given.")] = "",
    ability: Annotated[
        list[str] | None,
        typer.Option(help="A measured task: model auto:TASK is the cheapest that is good enough at it. Repeatable."),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(help="Run directory that abilities are read from. Repeatable.", autocompletion=_complete.runs),
    ] = None,
    min_accuracy: Annotated[float, typer.Option(min=0.0, max=1.0, help="What is good enough (0-1), surely.")] = 0.8,
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine need a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8000,
    concurrent: Annotated[int, typer.Option(help="Requests under way; more get 429.")] = 64,
    max_body: Annotated[int, typer.Option(help="Bytes of a request; more get 413.")] = 1_000_000,
    max_tokens: Annotated[int, typer.Option(help="Longest text a request may ask for.")] = 512,
    timeout: Annotated[float, typer.Option(help="Seconds until a request gets 504.")] = 120.0,
    device: Device = "auto",
    dtype: Dtype = "float32",
) -> None:
    """Answer OpenAI's clients at /v1. A key in SCALECURVE_API_KEY is asked for; Ctrl-C stops within two seconds."""
    import os
    import sys

    from scalecurve.errors import UserError
    from scalecurve.routing import Thinker, threshold

    if controller is not None and below is not None:
        raise UserError("serve: give --controller or --below, not both")
    if not thinker and (controller is not None or below is not None):
        raise UserError("serve: --plain thinks never; leave out --controller and --below")
    try:
        from scalecurve.serving import ServingLimits
        from scalecurve.serving.server import serve as answer
    except ImportError as error:
        raise UserError(f"serve: needs {error.name}; pip install 'scalecurve[serve]'") from None
    limits = ServingLimits(concurrent, max_body, max_tokens, timeout)
    decides = controller if below is None else threshold(below)
    rungs = _rungs(model)
    aliases = _good_enough(rungs, ability or (), run or (), min_accuracy)
    own = Thinker(rungs, decides, gate=gate, slow=slow, abstain_below=abstain_below, device=device, dtype=dtype)
    key = os.environ.get("SCALECURVE_API_KEY", "")
    answer(own, host=host, port=port, limits=limits, key=key, aliases=aliases)
    sys.stdout.flush()
    os._exit(0)  # the batcher may be deep in a model, which nothing but this interrupts


def _rungs(names: list[str]) -> list[Rung]:
    """The rungs that are meant: a ladder stands for all of its own."""
    from scalecurve.models import load_ladder, resolve_rung
    from scalecurve.models.ladders import is_ladder

    found: list[Rung] = []
    for name in names:
        found += load_ladder(name).rungs if is_ladder(name) else [resolve_rung(name)]
    return found


def _good_enough(
    rungs: Sequence[Rung], abilities: Sequence[str], runs: Sequence[Path], min_accuracy: float
) -> dict[str, str]:
    """``auto:TASK`` → the cheapest rung whose accuracy without shots is surely ``min_accuracy``; ``auto`` too if there
    is one ability. ``UserError`` where none is, or where nothing is measured."""
    import sys

    from scalecurve.errors import UserError
    from scalecurve.query.rungs.abilities import abilities_of, measured, tasks_measured
    from scalecurve.query.rungs.ladder import choose, wilson_lower
    from scalecurve.store import RunDirectory

    if bool(abilities) != bool(runs):
        raise UserError("serve: --ability says at which task a model must be good enough, --run where that is measured")
    if not abilities:
        return {}
    table = abilities_of([RunDirectory(path) for path in runs])
    found: dict[str, str] = {}
    for ability in abilities:
        known = [
            each
            for family in table["family"].unique().sort()
            for each in measured(table, ability, family, [rung.name for rung in rungs])
            if each.strategy == "direct"
        ]
        if not known:
            raise UserError(
                f"--ability {ability}: not measured of these models without shots; "
                f"measured: {', '.join(tasks_measured(table)[:8]) or 'nothing'}"
            )
        try:
            best = choose(known, min_accuracy)
        except UserError:
            best = max(known, key=lambda each: wilson_lower(each.correct, each.n))
            surely = wilson_lower(best.correct, best.n)
            raise UserError(
                f"--ability {ability}: no model is surely right in {min_accuracy:.0%}; the best, {best.rung}, was "
                f"right in {best.correct} of {best.n}, surely {surely:.0%}; lower --min-accuracy"
            ) from None
        lower = wilson_lower(best.correct, best.n)
        print(f"auto:{ability}: {best.rung}, right in {best.correct} of {best.n}, surely {lower:.0%}", file=sys.stderr)
        found[f"auto:{ability}"] = best.rung
    return found | ({"auto": next(iter(found.values()))} if len(found) == 1 else {})
