"""``scalecurve backtest``: how good forecasts of the sizes already known would have been."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import Axis
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    import polars as pl

CHOICES = ("distance", "trend", "known", "shape", "task", "family", "rung", "metric", "strategy")


@app.command()
def backtest(
    run: Annotated[
        Path, typer.Argument(help="Run directory, or a curves table (Parquet).", autocompletion=_complete.runs)
    ],
    by: Annotated[
        list[str] | None,
        typer.Option(help="Break down by distance, trend, known, shape, task, family or rung; repeatable."),
    ] = None,
    axis: Axis = None,
    ahead: Annotated[float, typer.Option(help="Use only models this many times smaller than the target.")] = 1.0,
    skip: Annotated[int, typer.Option(min=0, help="Leave out so many sizes just below the target.")] = 0,
    holdouts: Annotated[int | None, typer.Option(help="Predict only the largest so many sizes of a curve.")] = None,
    as_json: Json = False,
) -> None:
    """Predict every known size from the smaller ones, and compare."""
    import polars as pl

    from scalecurve import analysis
    from scalecurve.cli import _print
    from scalecurve.errors import UserError

    frame = curves_table(run)
    groups = by or []
    for name in groups:
        if name not in CHOICES:
            raise UserError(f"--by: {name!r} is not one of {', '.join(CHOICES)}")
    found, problems = [], []
    for own, part in analysis.by_axis(frame, axis).items():
        try:
            found.append(analysis.backtest(part, axis=own, ahead=ahead, skip=skip, holdouts=holdouts))
        except UserError as problem:
            problems.append(str(problem))
    if not found:
        raise UserError("; ".join(dict.fromkeys(problems)))
    results = pl.concat(found)
    table = analysis.summarise(results, groups)
    if as_json:
        print(_print.as_json(table.to_dicts()))
        return
    headers = (*groups, "method", "targets", "MAE", "floor", "excess", "bias", "skill", "in 80%", "in 95%", "CRPS")
    rows = [_line(row, groups) for row in table.iter_rows(named=True)]
    print(_print.table(headers, rows, right=range(len(groups) + 1, len(headers))))
    print("In percentage points. Floor: the MAE that item sampling alone would show; excess: MAE - floor.")
    print("Skill: 1 - MAE / MAE of the last value. Bias: predicted - actual.")
    counts = analysis.pit_histogram(results)
    print(f"Targets by tenth of their forecast (even where intervals are honest): {' '.join(map(str, counts))}")


def curves_table(run: Path) -> pl.DataFrame:
    """The curves of a run, or of a Parquet file. ``UserError`` when it is neither."""
    import polars as pl

    from scalecurve.errors import UserError
    from scalecurve.store import open_run

    path = run if run.is_file() else open_run(run).curves
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a curves table ({reason}); give a finished run or a Parquet file") from None


def _line(row: dict[str, Any], groups: list[str]) -> tuple[str, ...]:
    from scalecurve.cli._print import number

    def share(name: str) -> str:
        return "" if row[name] is None else f"{row[name]:.0%}"

    return (
        *(str(row[name]) for name in groups), row["method"], str(row["n"]), number(row["mae"], 2),
        number(row["floor"], 2), number(row["excess"], 2), number(row["bias"], 2), number(row["skill"], 2),
        share("coverage80"), share("coverage95"), "" if row["crps"] is None else number(row["crps"], 2),
    )  # fmt: skip
