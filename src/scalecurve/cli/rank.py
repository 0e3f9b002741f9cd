"""``scalecurve rank``: which of several recipes will be the best at a size that nobody has trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import Axis, TaskText
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    import polars as pl


@app.command()
def rank(
    run: Annotated[
        Path, typer.Argument(help="Run directory, or a curves table (Parquet).", autocompletion=_complete.runs)
    ],
    to: Annotated[str, typer.Option(help="The size to decide for, such as 70B or 1e24.")],
    recipe: Annotated[list[str] | None, typer.Option(help="Family to compare; all when not given. Repeatable.")] = None,
    task: TaskText = None,
    axis: Axis = None,
    check: Annotated[
        bool, typer.Option("--check", help="Also decide the known sizes from models a tenth as large, and compare.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare families (recipes) trained small: how likely each is the better one at a larger size."""
    import polars as pl

    from scalecurve import analysis
    from scalecurve.cli import _print
    from scalecurve.cli.backtest import curves_table
    from scalecurve.cli.forecast import scale
    from scalecurve.errors import UserError

    frame = curves_table(run)
    if "preferred" in frame.columns:
        frame = frame.filter(pl.col("preferred"))
    if task is not None:
        frame = frame.filter(pl.col("task").str.contains(task, literal=True))
        if frame.is_empty():
            raise UserError(f"--task: nothing in {run} contains {task!r}")
    axis = axis or analysis.axis_of(frame) or "params_non_embedding"
    found = analysis.rank(frame, scale(to), recipes=recipe, axis=axis)
    checked = analysis.decisions(frame, recipes=recipe, axis=axis) if check else None
    if as_json:
        print(_print.as_json(found.to_dicts()))
        return
    overall = pl.col("task") == "overall"
    shown = pl.concat([found.filter(overall), found.filter(~overall)])
    headers = ("first", "second", "task", "strategy", "at", "difference", "80%", "first is better")
    print(_print.table(headers, [_line(row) for row in shown.iter_rows(named=True)], right=(4, 5, 7)))
    print("Difference: score of the first less that of the second, turned so that more is better.")
    if checked is not None:
        print(_summary(checked))


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    from scalecurve.cli._print import amount

    strategy = f"{row['strategy']} {row['shots']}-shot" if row["strategy"] else ""
    span = f"{row['lo80']:+.3f} to {row['hi80']:+.3f}"
    return (
        row["first"], row["second"], row["task"], strategy, amount(row["x"]), f"{row['difference']:+.3f}", span,
        f"{row['probability']:.0%}",
    )  # fmt: skip


def _summary(checked: pl.DataFrame) -> str:
    import polars as pl

    lines = []
    overall = pl.col("task") == "overall"
    for name, rows in (
        ("over all tasks", checked.filter(overall)),
        ("single tasks", checked.filter(~overall)),
        ("single tasks that differ by 2 s.e.", checked.filter(~overall, pl.col("clear"))),
    ):
        if rows.height:
            right, held = sum(rows["right"]) / rows.height, sum(rows["inside80"]) / rows.height
            lines.append(f"{name}: {right:.0%} of {rows.height} decisions right; 80% intervals held {held:.0%}")
    return "From models a tenth as large:\n" + "\n".join(lines)
