"""``scalecurve models``: who can be asked."""

from __future__ import annotations

from typing import Annotated

import typer

from scalecurve.cli._app import group
from scalecurve.cli._print import Json

models = group("models", "List the ladders of models that are known by name.")


@models.command("list")
def list_(
    ladder: Annotated[str | None, typer.Argument(help="Ladder by name or path; all when not given.")] = None,
    as_json: Json = False,
) -> None:
    """List ladders and their rungs with their scale."""
    from scalecurve.cli import _print
    from scalecurve.models import list_ladders, load_ladder

    found = [load_ladder(ref) for ref in ([ladder] if ladder else list_ladders())]
    if as_json:
        print(_print.as_json(found))
        return
    rows = [
        (
            each.family,
            rung.name,
            _print.amount(rung.params_non_embedding),
            _print.amount(rung.params_total),
            _print.amount(rung.training_tokens),
            _print.amount(rung.training_flops),
            _print.number(rung.loss),
            rung.backend,
        )
        for each in found
        for rung in each.rungs
    ]
    headers = ("family", "model", "non-embedding", "parameters", "tokens", "FLOPs", "loss", "backend")
    print(_print.table(headers, rows, right=(2, 3, 4, 5, 6), spare=(7, 6)))
