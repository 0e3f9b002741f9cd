"""``scalecurve curves``: a run's curves with their descriptors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve.cli._app import app
from scalecurve.cli._options import Axis, Metric, Run, TaskText
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.nouns import Curve


@app.command()
def curves(
    run: Run,
    task: TaskText = None,
    metric: Metric = None,
    axis: Axis = "params_non_embedding",
    as_json: Json = False,
) -> None:
    """Show scores by scale, with linearity L and breakthroughness B."""
    from dataclasses import asdict

    from scalecurve.cli import _print
    from scalecurve.curves import breakthroughness, curves_from_frame, linearity

    found = curves_from_frame(curve_frame(run, task, metric), axis=axis)
    described = []
    for curve in found:
        risen = [y if curve.higher_is_better else -y for y in curve.y]
        described.append((curve, linearity(risen), breakthroughness(risen)))
    if as_json:
        print(_print.as_json([asdict(curve) | {"linearity": el, "breakthroughness": b} for curve, el, b in described]))
        return
    for family in dict.fromkeys(curve.family for curve in found):
        of_family = [row for row in described if row[0].family == family]
        print(_family_table(family, of_family))
    print("L/(m-1): linearity over its bound, 1 = equal steps. B: breakthroughness. Both describe, neither detects.")


def curve_frame(run: Path, task: str | None = None, metric: str | None = None) -> pl.DataFrame:
    """The rows of curves.parquet asked for; ``UserError`` when there are none."""
    import polars as pl

    from scalecurve.nouns import UserError
    from scalecurve.runs import open_run

    directory = open_run(run)
    if not directory.curves.exists():
        raise UserError(f"{run}: no curves.parquet yet; finish the run, or rebuild it with `scalecurve rescore {run}`")
    frame = pl.read_parquet(directory.curves)
    chosen = frame.filter(pl.col("preferred") if metric is None else pl.col("metric") == metric)
    if metric is not None and chosen.is_empty():
        raise UserError(f"--metric: {metric!r} is not in {run}; it has {', '.join(sorted(frame['metric'].unique()))}")
    if task is not None:
        chosen = chosen.filter(pl.col("task").str.contains(task, literal=True))
        if chosen.is_empty():
            raise UserError(f"--task: nothing in {run} contains {task!r}; it has {', '.join(frame['task'].unique())}")
    return chosen


def _family_table(family: str, described: list[tuple[Curve, float, float]]) -> str:
    from scalecurve.cli._print import number, table

    rungs = list(dict.fromkeys(rung for curve, _, _ in described for rung in curve.rungs))
    headers = [family, "strategy", "metric", "chance", *rungs, "L/(m-1)", "B"]
    rows = []
    for curve, el, b in described:
        points = dict(zip(curve.rungs, curve.y, strict=True))
        steps = len(curve.y) - 1
        rows.append(
            [
                curve.task,
                f"{curve.strategy} {curve.shots}-shot",
                curve.metric,
                number(curve.chance, 2),
                *(number(points.get(rung)) for rung in rungs),
                number(el / steps if steps > 0 else None, 2),
                number(b, 1),
            ]
        )
    return table(headers, rows, right=range(3, len(headers))) + "\n"
