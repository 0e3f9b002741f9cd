"""``scalecurve serve``: an OpenAI-compatible endpoint in front of a Thinker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import Device, Dtype

if TYPE_CHECKING:
    from scalecurve.nouns import Rung


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

    from scalecurve.nouns import UserError
    from scalecurve.thinking import Thinker, threshold

    if controller is not None and below is not None:
        raise UserError("serve: give --controller or --below, not both")
    if not thinker and (controller is not None or below is not None):
        raise UserError("serve: --plain thinks never; leave out --controller and --below")
    try:
        from scalecurve.serving import Limits
        from scalecurve.serving.server import serve as answer
    except ImportError as error:
        raise UserError(f"serve: needs {error.name}; pip install 'scalecurve[serve]'") from None
    limits = Limits(concurrent, max_body, max_tokens, timeout)
    decides = controller if below is None else threshold(below)
    own = Thinker(_rungs(model), decides, gate=gate, slow=slow, abstain_below=abstain_below, device=device, dtype=dtype)
    answer(own, host=host, port=port, limits=limits, key=os.environ.get("SCALECURVE_API_KEY", ""))
    sys.stdout.flush()
    os._exit(0)  # the desk may be deep in a model, which nothing but this interrupts


def _rungs(names: list[str]) -> list[Rung]:
    """The rungs that are meant: a ladder stands for all of its own."""
    from scalecurve.models import load_ladder, resolve_rung
    from scalecurve.models.ladders import is_ladder

    found: list[Rung] = []
    for name in names:
        found += load_ladder(name).rungs if is_ladder(name) else [resolve_rung(name)]
    return found
