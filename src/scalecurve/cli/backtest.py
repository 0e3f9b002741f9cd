"""``scalecurve backtest``: how good forecasts of the sizes already known would have been."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import Axis
from scalecurve.cli._print import Json


@app.command()
def backtest(
    run: Annotated[
        Path, typer.Argument(help="Run directory, or a curves table (Parquet).", autocompletion=_complete.runs)
    ],
    by: Annotated[list[str] | None, typer.Option(help="Break down by shape, task, family or rung; repeatable.")] = None,
    axis: Axis = "params_non_embedding",
    ahead: Annotated[float, typer.Option(help="Use only models this many times smaller than the target.")] = 1.0,
    holdouts: Annotated[int | None, typer.Option(help="Foretell only the largest so many sizes of a curve.")] = None,
    as_json: Json = False,
) -> None:
    """Foretell every known size from the smaller ones, and compare."""
    import polars as pl

    from scalecurve import curves as curves_room
    from scalecurve.cli import _print
    from scalecurve.nouns import UserError
    from scalecurve.runs import open_run

    path = run if run.is_file() else open_run(run).curves
    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a curves table ({reason}); give a finished run or a Parquet file") from None
    groups = by or []
    choices = ("shape", "task", "family", "rung", "metric", "strategy")
    for name in groups:
        if name not in choices:
            raise UserError(f"--by: {name!r} is not one of {', '.join(choices)}")
    results = curves_room.backtest(frame, axis=axis, ahead=ahead, holdouts=holdouts)
    table = curves_room.summarise(results, groups)
    if as_json:
        print(_print.as_json(table.to_dicts()))
        return
    headers = (*groups, "method", "targets", "MAE", "RMSE", "bias", "skill", "in 80%", "in 95%", "CRPS")
    rows = [_line(row, groups) for row in table.iter_rows(named=True)]
    print(_print.table(headers, rows, right=range(len(groups) + 1, len(headers))))
    print("In percentage points. Skill: 1 - MAE / MAE of the last value. Bias: predicted - actual.")


def _line(row: dict[str, Any], groups: list[str]) -> tuple[str, ...]:
    from scalecurve.cli._print import number

    def share(name: str) -> str:
        return "" if row[name] is None else f"{row[name]:.0%}"

    return (
        *(str(row[name]) for name in groups), row["method"], str(row["n"]), number(row["mae"], 2),
        number(row["rmse"], 2), number(row["bias"], 2), number(row["skill"], 2), share("coverage80"),
        share("coverage95"), "" if row["crps"] is None else number(row["crps"], 2),
    )  # fmt: skip
