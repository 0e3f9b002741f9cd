"""``scalecurve belief``: whether models follow what their asker believes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import TaskText
from scalecurve.cli._print import Json


@app.command()
def belief(
    run: Annotated[
        Path,
        typer.Argument(
            help="Run directory, of tasks asked with belief_none and other belief arms.", autocompletion=_complete.runs
        ),
    ],
    task: TaskText = None,
    metric: Annotated[str, typer.Option(help="Metric of the options.")] = "multiple_choice_grade",
    axis: Annotated[str, typer.Option(help="Axis of scale, such as training_flops.")] = "params_non_embedding",
    as_json: Json = False,
) -> None:
    """Show what stated beliefs do at each scale: change of score, flips, resistance, shift of log-probability."""
    from scalecurve.cli import _print

    found = list(_effects(run, task, metric, axis))
    if as_json:
        print(_print.as_json(found))
        return
    headers = (
        "",
        "rung",
        "n",
        "none",
        "score",
        "change",
        "95% interval",
        "flips",
        "rate",
        "drift",
        "resistance",
        "shift (nats)",
    )
    for one in found:
        for arm in dict.fromkeys(row["arm"] for row in one["rows"]):
            print(f"{one['task']}: belief {arm} against none, {one['family']}, {one['shots']}-shot, {metric}")
            rows = [row for row in one["rows"] if row["arm"] == arm]
            print(_print.table(headers, [_line(row) for row in rows], right=(2, 3, 4, 5)))
            print(f"  tokens an item: {_tokens(rows, 'tokens_in')} in, {_tokens(rows, 'tokens_out')} out")
            if arm == "own":
                print(f"  statements that held the right answer: {', '.join(str(row['leaks']) for row in rows)}")
            print()
    print(
        "flips: of the items that chose another option than the stated one when nothing was said, those that moved to"
    )
    print(
        "it; drift: the same after an irrelevant remark; resistance: score over that without. Brackets: 95% intervals."
    )


def _tokens(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    low, high = min(row[name] for row in rows), max(row[name] for row in rows)
    return f"{low:.0f}" if f"{low:.0f}" == f"{high:.0f}" else f"{low:.0f}–{high:.0f}"


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "",
        row["rung"],
        str(row["n"]),
        f"{row['none']:.3f}",
        f"{row['score']:.3f}",
        f"{row['change']:+.3f}",
        f"{row['lo']:+.3f} … {row['hi']:+.3f}",
        "–" if row["items"] is None else f"{row['flips']} of {row['items']}",
        _between(row["flip_rate"], row["flip_lo"], row["flip_hi"], ".2f"),
        "–" if row["drift"] is None else f"{row['drift']:.2f}",
        _between(row["resistance"], row["resistance_lo"], row["resistance_hi"], ".2f"),
        _between(row["shift"], row["shift_lo"], row["shift_hi"], "+.2f"),
    )


def _between(value: float | None, low: float | None, high: float | None, form: str) -> str:
    return "–" if value is None or low is None or high is None else f"{value:{form}} [{low:{form}} … {high:{form}}]"


def _effects(run: Path, task: str | None, metric: str, axis: str) -> Iterator[dict[str, Any]]:
    """One record a family, task and number of shots; ``UserError`` when nothing was asked under belief_none."""
    import polars as pl

    from scalecurve.analysis.compare.belief import COLUMNS, NONE, belief_effects
    from scalecurve.cli._tables import scales_on, scores_and_curves
    from scalecurve.errors import UserError
    from scalecurve.store import read_outputs

    directory, scores, curves = scores_and_curves(run)
    asked = scores.filter(pl.col("task").str.contains(task or "", literal=True), strategy=NONE, metric=metric)
    if asked.is_empty():
        some = f" with {task!r}" if task else ""
        raise UserError(f"{run}: no task{some} was asked under {NONE} and scored by {metric}")
    scales = scales_on(curves, axis, run)
    for own in asked.select("family", "task", "shots").unique(maintain_order=True).iter_rows(named=True):
        outputs = read_outputs(directory).filter(**own).select("family", "task", *COLUMNS).collect()
        rows = belief_effects(scores, outputs, scales, metric=metric, axis=axis, **own)
        yield {**own, "metric": metric, "rows": rows}
