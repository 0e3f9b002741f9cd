"""``scalecurve gaps``: what the traps of a run's tasks cost at each scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalecurve.cli._app import app

if TYPE_CHECKING:
    import polars as pl


@app.command()
def gaps(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    task: Annotated[str | None, typer.Option(help="Only tasks that contain this text.")] = None,
    metric: Annotated[str | None, typer.Option(help="This metric; each task's first one when not given.")] = None,
    axis: Annotated[str, typer.Option(help="Axis of scale, such as training_flops.")] = "params_non_embedding",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with every number.")] = False,
) -> None:
    """Compare tasks that hold a trap with their controls, item by item, at each scale."""
    from scalecurve.cli import _print

    found = list(_gaps(run, task, metric, axis))
    if as_json:
        print(_print.as_json(found))
        return
    for one in found:
        print(f"{one['task']} against {one['control_task']}")
        print(f"  {one['family']}, {one['strategy']} {one['shots']}-shot, {one['metric']}")
        headers = ("", "rung", "n", "control", "trap", "gap", "95% interval", "effect")
        print(_print.table(headers, [_line(row) for row in one["rungs"]], right=(2, 3, 4, 5)))
        if one["trend"]:
            slope, error = one["trend"]["slope"], one["trend"]["slope_se"]
            print(f"  the gap changes by {slope:+.3f} ± {error:.3f} a decade (p {one['trend']['p_slope']:.2g})")
        if one["shape"]:
            sure = "" if one["confidence"] is None else f" ({one['confidence']:.0%} of bootstrap copies)"
            print(f"  over scale the gap is {one['shape']}{sure}")
        print()
    print("An interval holds at all rungs of its table together. Below zero: the trap costs score.")


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    shown = (f"{row['control']:.3f}", f"{row['trap']:.3f}", f"{row['gap']:+.3f}")
    return ("", row["rung"], str(row["n"]), *shown, f"{row['lo']:+.3f} … {row['hi']:+.3f}", row["effect"])


def _gaps(run: Path, task: str | None, metric: str | None, axis: str) -> Iterator[dict[str, Any]]:
    """One record a task with a contrast and way of asking; ``UserError`` when the run has none."""
    import polars as pl

    from scalecurve.curves.gaps import PREFIX, gap_table
    from scalecurve.nouns import UserError
    from scalecurve.runs import open_run

    directory = open_run(run)
    manifest = directory.read_manifest()
    refs = {(record["source"], record["name"]): record["ref"] for record in manifest["tasks"]}
    pairs = [
        (record, refs[record["source"], record["contrast"]])
        for record in manifest["tasks"]
        if (record["source"], record.get("contrast")) in refs and (task is None or task in record["ref"])
    ]
    if not pairs:
        raise UserError(
            f"{run}: no task with its control{f' contains {task!r}' if task else ''}; ask both parts of a kind"
        )
    scores, curves = pl.read_parquet(directory.scores), pl.read_parquet(directory.curves)
    verdicts = pl.read_parquet(directory.verdicts)
    scales = (
        {rung: x for rung, x in curves.select("rung", axis).unique().iter_rows() if x} if axis in curves.columns else {}
    )
    if not scales:
        raise UserError(f"--axis: no rung of {run} has a value on {axis!r}")
    for record, control in pairs:
        measure = metric or record["metrics"][0]
        asked = scores.filter(pl.col("task") == record["ref"], pl.col("metric") == measure)
        if asked.is_empty():
            raise UserError(
                f"--metric: {record['ref']} was not scored by {measure!r}; it has {', '.join(record['metrics'])}"
            )
        for family, strategy, shots in (
            asked.select("family", "strategy", "shots").unique(maintain_order=True).iter_rows()
        ):
            arm = {"family": family, "strategy": strategy, "shots": shots}
            found = gap_table(scores, scales, record["ref"], control, metric=measure, axis=axis, **arm)
            own = {**arm, "task": record["ref"], "metric": PREFIX + measure}
            judged = verdicts.filter(*(pl.col(name) == value for name, value in own.items())).to_dicts()
            yield arm | {
                "task": record["ref"],
                "control_task": control,
                "metric": measure,
                "rungs": found.to_dicts(),
                "trend": _trend(curves.filter(*(pl.col(name) == value for name, value in own.items())), axis),
                "shape": judged[0]["shape"] if judged else "",
                "confidence": judged[0]["confidence"] if judged else None,
            }


def _trend(points: pl.DataFrame, axis: str) -> dict[str, float] | None:
    """The slope of the gap over scale, from three rungs on."""
    from scalecurve.curves import curves_from_frame, trend_test

    if points.height < 3:
        return None
    (curve,) = curves_from_frame(points, axis)
    return trend_test(curve) if len(curve.y) >= 3 else None
