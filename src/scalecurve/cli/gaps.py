"""``scalecurve gaps``: what the traps of a run's tasks cost at each scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalecurve.cli._app import app
from scalecurve.cli._options import Run, TaskText
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    import polars as pl


@app.command()
def gaps(
    run: Run,
    task: TaskText = None,
    metric: Annotated[str | None, typer.Option(help="This metric; each task's first one when not given.")] = None,
    axis: Annotated[str, typer.Option(help="Axis of scale, such as training_flops.")] = "params_non_embedding",
    as_json: Json = False,
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
        if one["shape"] not in ("", "too-few"):
            sure = "" if one["confidence"] is None else f" ({one['confidence']:.0%} of bootstrap copies)"
            print(f"  over scale the gap is {one['shape']}{sure}")
        print()
    print("An interval holds at all rungs of its table together. Below zero: the trap costs score.")
    print("control ≈ chance: without the trap the model cannot do it either, so there the gap says little.")


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    shown = (f"{row['control']:.3f}", f"{row['trap']:.3f}", f"{row['gap']:+.3f}")
    effect = [row["effect"], "" if row["control_above_chance"] in (True, None) else "control ≈ chance"]
    between = f"{row['lo']:+.3f} … {row['hi']:+.3f}"
    return ("", row["rung"], str(row["n"]), *shown, between, ", ".join(filter(None, effect)))


def _gaps(run: Path, task: str | None, metric: str | None, axis: str) -> Iterator[dict[str, Any]]:
    """One record a task with its control and way of asking; ``UserError`` when the run has none."""

    from scalecurve.analysis.compare.gaps import LOG_ODDS, PREFIX, SHIFT, gap_table
    from scalecurve.cli._tables import scales_on, scores_and_curves
    from scalecurve.errors import UserError
    from scalecurve.store import read_table

    directory, scores, curves = scores_and_curves(run)
    pairs = _pairs(directory.read_manifest()["tasks"], task)
    if not pairs:
        some = f" contains {task!r}" if task else ""
        raise UserError(f"{run}: no task with its control{some}; ask both parts of a kind")
    scales, verdicts = scales_on(curves, axis, run), read_table(directory.verdicts)
    for record, control in pairs:
        measure = metric or record["metrics"][0]
        asked = scores.filter(task=record["ref"], metric=measure)
        if asked.is_empty():
            has = ", ".join(record["metrics"])
            raise UserError(f"--metric: {record['ref']} was not scored by {measure!r}; it has {has}")
        curve = {"task": record["ref"], "metric": SHIFT if measure == LOG_ODDS else PREFIX + measure}
        for arm in asked.select("family", "strategy", "shots").unique(maintain_order=True).iter_rows(named=True):
            found = gap_table(scores, scales, record["ref"], control, metric=measure, axis=axis, **arm)
            judged = verdicts.filter(**arm, **curve).select("shape", "confidence").to_dicts()
            yield {
                "task": record["ref"],
                "control_task": control,
                "metric": measure,
                **arm,
                "rungs": _with_chance(found.to_dicts(), curves.filter(**arm, task=control, metric=measure)),
                "trend": _trend(curves.filter(**arm, **curve), axis),
                **(judged[0] if judged else {"shape": "", "confidence": None}),
            }


def _pairs(records: Sequence[Mapping[str, Any]], task: str | None) -> list[tuple[Mapping[str, Any], str]]:
    """(record of a task with a trap, its control's ref), of those whose ref contains ``task``."""
    refs = {(record.get("source"), record.get("name")): record["ref"] for record in records}
    named = [record for record in records if record.get("contrast") and (task or "") in record["ref"]]
    found = [(record, refs.get((record.get("source"), record["contrast"]))) for record in named]
    return [(record, control) for record, control in found if control is not None]


def _with_chance(rows: Sequence[dict[str, Any]], control: pl.DataFrame) -> list[dict[str, Any]]:
    """``rows`` with ``control_above_chance``: whether the control is, by two standard errors; None where unknown."""
    points = {row["rung"]: row for row in control.iter_rows(named=True)}

    def above(rung: str) -> bool | None:
        point = points.get(rung)
        if point is None or point["chance"] is None or point["y"] is None:
            return None
        distance = point["y"] - point["chance"] if point["higher_is_better"] else point["chance"] - point["y"]
        return bool(distance > 2 * (point["se"] or 0.0))

    return [row | {"control_above_chance": above(row["rung"])} for row in rows]


def _trend(points: pl.DataFrame, axis: str) -> dict[str, float] | None:
    """The slope of the gap over scale, from three rungs on."""
    from scalecurve.analysis import curves_from_frame, trend_test

    if points.height < 3:
        return None
    (curve,) = curves_from_frame(points, axis)
    return trend_test(curve) if len(curve.y) >= 3 else None
