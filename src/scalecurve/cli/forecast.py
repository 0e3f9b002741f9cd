"""``scalecurve forecast``: what the next sizes will score, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalecurve.cli._app import app
from scalecurve.cli._options import Axis, Family, Metric, Run, TaskText
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    import polars as pl


@app.command()
def forecast(
    run: Run,
    to: Annotated[
        list[str] | None, typer.Option(help="Scale to predict, such as 70B or 1e24; may be repeated.")
    ] = None,
    task: TaskText = None,
    metric: Metric = None,
    family: Family = None,
    axis: Axis = None,
    methods: Annotated[bool, typer.Option("--methods", help="Show every method, not only their combination.")] = False,
    settle: Annotated[
        bool, typer.Option("--settle", help="Show what would halve each interval: more items, or one more size.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Predict the scores of larger models, with 80% and 95% intervals.

    With --axis ability: the scores that models miss, from those that nearly all models have.
    """
    import polars as pl

    from scalecurve.cli import _print
    from scalecurve.cli.curves import curve_frame
    from scalecurve.errors import UserError
    from scalecurve.store import open_run, read_table

    wanted = curve_frame(run, task, metric, family)
    key = ["family", "task", "strategy", "shots", "metric"]
    everything = read_table(open_run(run).curves)  # companions of a curve help to predict it
    if axis == "ability":
        if to:
            raise UserError("--to: --axis ability predicts missing scores of the models that are there; leave it out")
        _print_abilities(everything, wanted, as_json)
        return
    if not to:
        raise UserError("--to is missing; give the scale to predict, such as --to 70B")
    scales = [scale(text) for text in to]
    own = everything.join(wanted.select("family").unique(), on="family", how="semi", maintain_order="left")
    found = pl.concat(_predicted(own, scales, axis))
    found = found.join(wanted.select(key).unique(), on=key, how="semi", maintain_order="left")
    if settle:
        _print_settling(own, found, scales, as_json)
        return
    if as_json:
        print(_print.as_json(found.to_dicts()))
        return
    several = found["family"].n_unique() > 1
    shown = found if methods else found.filter(pl.col("method") == "combined")
    headers = ("task", "strategy", "metric", "at", "method", "score", "80%", "95%", "weight")
    kept = None if methods else -1  # only the members of the combination have a weight
    named = _print.ways(shown["strategy"])
    rows = [_line(row, several, named)[:kept] for row in shown.iter_rows(named=True)]
    print(_print.table(headers[:kept], rows, right=(3, 5), spare=(2, 7) if methods else (2, 4, 7)))
    if said := _print.said_ways(named).removesuffix("; "):
        print(said)
    print(f"Over {', '.join(found['axis'].unique(maintain_order=True))}.")


def _predicted(frame: pl.DataFrame, scales: list[float], axis: str | None) -> list[pl.DataFrame]:
    """The forecasts, every family on its axis; ``UserError`` where none can be made.

    A scale is no number of tokens for an answer, so that what models reach with those waits to be asked for by --axis.
    """
    from scalecurve import analysis
    from scalecurve.errors import UserError
    from scalecurve.schema import ANSWER_TOKENS

    found, problems = [], []
    parts = analysis.by_axis(frame, axis)
    if len(parts) > 1:
        parts.pop(ANSWER_TOKENS, None)
    for own, rows in parts.items():
        try:
            found.append(analysis.forecast(rows, scales, axis=own))
        except UserError as problem:
            problems.append(str(problem))
    if not found:
        raise UserError("; ".join(dict.fromkeys(problems)))
    return found


def scale(text: str) -> float:
    """A scale as written by people: ``70B``, ``410M``, ``1.5e24``, ``12000``. ``UserError`` for anything else.

    >>> scale("70B"), scale("1.5e24")
    (70000000000.0, 1.5e+24)
    """
    from math import isfinite

    from scalecurve.errors import UserError

    units = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
    unit = units.get(text[-1:].lower(), 1.0)
    try:
        value = float(text if unit == 1.0 else text[:-1]) * unit
    except ValueError:
        value = float("nan")
    if not isfinite(value) or value <= 0:
        raise UserError(f"--to: {text!r} is no scale; write it like 70B, 410M or 1e24")
    return value


def _line(row: dict[str, Any], several: bool, named: dict[str, str]) -> tuple[str, ...]:
    from scalecurve.cli._print import amount, number

    strategy, weight = f"{named[row['strategy']]} {row['shots']}-shot", row["weight"]
    task = row["task"] + (f" · {row['family']}" if several else "")
    return (
        task, strategy, row["metric"], amount(row["x"]), row["method"], number(row["y"]), _span(row, 80),
        _span(row, 95), "" if weight is None else f"{weight:.0%}",
    )  # fmt: skip


def _span(row: dict[str, Any], level: int) -> str:
    from scalecurve.cli._print import number

    return "" if row[f"lo{level}"] is None else f"{number(row[f'lo{level}'])} to {number(row[f'hi{level}'])}"


def _print_abilities(everything: pl.DataFrame, wanted: pl.DataFrame, as_json: bool) -> None:
    """The scores that models miss; a family may lack all of a task that others have."""
    from scalecurve import analysis
    from scalecurve.cli import _print

    key = ["task", "strategy", "shots", "metric"]
    found = analysis.by_ability(everything)
    found = found.join(wanted.select(key).unique(), on=key, how="semi", maintain_order="left")
    if as_json:
        print(_print.as_json(found.to_dicts()))
        return
    headers = ("family", "model", "task", "strategy", "metric", "ability", "score", "80%", "95%")
    rows = [
        (
            row["family"], row["rung"], row["task"], f"{row['strategy']} {row['shots']}-shot", row["metric"],
            _print.number(row["x"], 2), _print.number(row["y"]), _span(row, 80), _span(row, 95),
        )
        for row in found.iter_rows(named=True)
    ]  # fmt: skip
    print(_print.table(headers, rows, right=(5, 6), spare=(4, 0, 8, 5)))


def _print_settling(everything: pl.DataFrame, found: pl.DataFrame, to: list[float], as_json: bool) -> None:
    """What would halve each interval: more items, or one more size."""
    from dataclasses import asdict

    from scalecurve.analysis.forecast.forecast import Past, panels
    from scalecurve.analysis.forecast.panel import curve_key, enough
    from scalecurve.analysis.forecast.settle import settle
    from scalecurve.cli._print import amount, table, wrapped
    from scalecurve.cli._print import as_json as text_of

    chosen = set(found.select("family", "task", "strategy", "shots", "metric", "axis").iter_rows())
    each = [
        settle(panel, curve, x, past)
        for axis in found["axis"].unique(maintain_order=True)
        for panel, past in ((panel, Past(panel)) for panel in panels(everything, axis))
        for curve in panel.curves
        for x in to
        if (*curve_key(curve), axis) in chosen and x > curve.x[-1] and enough(panel.known(curve, x))
    ]
    if as_json:
        print(text_of([asdict(one) for one in each]))
        return
    rows = []
    for one in each:
        items = f"{one.items * one.n:,}" if one.items else f"16x leave {one.items_width:.0%}"
        size = amount(one.size), f"{one.size_width:.0%}", f"{one.size / one.curve.x[-1]:.1f}x"
        strategy = f"{one.curve.strategy} {one.curve.shots}-shot"
        rows.append((one.curve.task, strategy, amount(one.x), f"{one.n:,}", items, *size))
    headers = ("task", "strategy", "at", "items", "items to halve", "one more size", "leaves", "of largest")
    print(table(headers, rows, right=range(2, 8), spare=(3, 7)))
    print(
        wrapped(
            "Leaves: share of the 80% interval that stays once that size is measured. "
            "Of largest: beside the largest known."
        )
    )
