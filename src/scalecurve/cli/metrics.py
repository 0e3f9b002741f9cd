"""``scalecurve metrics``: what an answer can be scored by."""

from __future__ import annotations

from typing import Annotated

import typer

from scalecurve.cli._app import group
from scalecurve.cli._print import Json

metrics = group("metrics", "List the metrics that answers can be scored by.")


@metrics.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="Metric; all when not given.")] = None,
    as_json: Json = False,
) -> None:
    """List metrics: what each needs of an answer, its range, and which way is better."""
    from scalecurve.cli import _print
    from scalecurve.metrics.registry import all_metrics, get_metric

    found = [get_metric(name)] if name else list(all_metrics().values())
    if as_json:
        rows = [
            {
                "name": one.name,
                "needs": sorted(one.needs),
                "low": one.low,
                "high": one.high,
                "bounded": one.bounded,
                "higher_is_better": one.higher_is_better,
                "description": one.description,
            }
            for one in found
        ]
        print(_print.as_json(rows))
        return
    described = [
        (
            one.name,
            ", ".join(sorted(one.needs)),
            f"{one.low:g} to {one.high:g}" if one.bounded else "any",
            "higher" if one.higher_is_better else "lower",
            one.description,
        )
        for one in found
    ]
    print(_print.table(("metric", "needs", "range", "better", "what it is"), described, spare=(3, 2)))
