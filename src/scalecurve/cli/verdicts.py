"""``scalecurve verdicts``: what a run's curves show, how surely, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from scalecurve.cli._app import app
from scalecurve.cli._options import Metric, Run, TaskText
from scalecurve.cli._print import Json


@app.command()
def verdicts(
    run: Run,
    task: TaskText = None,
    metric: Metric = None,
    axis: Annotated[str | None, typer.Option(help="Judge anew on this axis of scale.")] = None,
    as_json: Json = False,
) -> None:
    """Show the verdict on every curve: flat, smooth, emergent, inverse, …"""
    import polars as pl

    from scalecurve.cli import _print
    from scalecurve.cli.curves import curve_frame
    from scalecurve.runs import open_run

    directory = open_run(run)
    wanted = curve_frame(run, task, metric)
    key = ["family", "task", "strategy", "shots", "metric"]
    if axis:
        from scalecurve.curves import judge_all

        frame = judge_all(wanted, pl.read_parquet(directory.scores), axis=axis)
    else:
        frame = pl.read_parquet(directory.verdicts).join(wanted.select(key).unique(), on=key, how="semi")
    rows = frame.to_dicts()
    if as_json:
        print(_print.as_json(rows))
        return
    for shape in dict.fromkeys(row["shape"] for row in rows):
        group = [row for row in rows if row["shape"] == shape]
        print(f"{shape}: {len(group)}")
        print(_print.table(("", "", "sure", "from", "L/(m-1)", "B", "artefact", "flags"), [_line(r) for r in group]))
        print()


def _line(row: dict[str, object]) -> tuple[str, ...]:
    from scalecurve.cli._print import amount, number

    numbers = {name: value for name, value in row.items() if isinstance(value, int | float) or value is None}
    flags = row["flags"] if isinstance(row["flags"], list) else []
    sure = numbers["confidence"]
    return (
        f"  {row['task']}",
        f"{row['strategy']} {row['shots']}-shot{' · ' + str(row['sublabel']) if row['sublabel'] else ''}",
        "–" if sure is None else f"{sure:.0%}",
        amount(numbers["threshold"]),
        number(numbers["linearity_share"], 2),
        number(numbers["breakthroughness"], 1),
        str(row["artefact"]),
        ", ".join(flags),
    )
