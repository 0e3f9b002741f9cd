"""``scalecurve forecast``: what the next sizes will score, with intervals."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scalecurve.cli._app import app
from scalecurve.cli._options import Axis, Metric, Run, TaskText
from scalecurve.cli._print import Json


@app.command()
def forecast(
    run: Run,
    to: Annotated[list[str], typer.Option(help="Scale to foretell, such as 70B or 1e24; may be repeated.")],
    task: TaskText = None,
    metric: Metric = None,
    axis: Axis = "params_non_embedding",
    methods: Annotated[bool, typer.Option("--methods", help="Show every method, not only their combination.")] = False,
    as_json: Json = False,
) -> None:
    """Foretell the scores of larger models, with 80% and 95% intervals."""
    import polars as pl

    from scalecurve import curves as curves_room
    from scalecurve.cli import _print
    from scalecurve.cli.curves import curve_frame
    from scalecurve.runs import open_run

    wanted = curve_frame(run, task, metric)
    key = ["family", "task", "strategy", "shots", "metric"]
    everything = pl.read_parquet(open_run(run).curves)  # companions of a curve help to foretell it
    found = curves_room.forecast(everything, [scale(text) for text in to], axis=axis)
    found = found.join(wanted.select(key).unique(), on=key, how="semi", maintain_order="left")
    if as_json:
        print(_print.as_json(found.to_dicts()))
        return
    shown = found if methods else found.filter(pl.col("method") == "combined")
    headers = ("task", "strategy", "metric", "at", "method", "score", "80%", "95%", "weight")
    kept = None if methods else -1  # only the members of the combination have a weight
    print(_print.table(headers[:kept], [_line(row)[:kept] for row in shown.iter_rows(named=True)], right=(3, 5)))


def scale(text: str) -> float:
    """A scale as written by people: ``70B``, ``410M``, ``1.5e24``, ``12000``. ``UserError`` for anything else.

    >>> scale("70B"), scale("1.5e24")
    (70000000000.0, 1.5e+24)
    """
    from math import isfinite

    from scalecurve.nouns import UserError

    units = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
    unit = units.get(text[-1:].lower(), 1.0)
    try:
        value = float(text if unit == 1.0 else text[:-1]) * unit
    except ValueError:
        value = float("nan")
    if not isfinite(value) or value <= 0:
        raise UserError(f"--to: {text!r} is no scale; write it like 70B, 410M or 1e24")
    return value


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    from scalecurve.cli._print import amount, number

    def span(level: int) -> str:
        return "" if row[f"lo{level}"] is None else f"{number(row[f'lo{level}'])} to {number(row[f'hi{level}'])}"

    strategy, weight = f"{row['strategy']} {row['shots']}-shot", row["weight"]
    return (
        row["task"], strategy, row["metric"], amount(row["x"]), row["method"], number(row["y"]), span(80), span(95),
        "" if weight is None else f"{weight:.0%}",
    )  # fmt: skip
