"""``scalecurve curves``: a run's curves with their descriptors."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve.cli._app import app
from scalecurve.cli._options import Axis, Family, Metric, Run, TaskText
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.types import Curve

NAME = 18  # columns of a terminal that names of tasks keep before models are left out


@app.command()
def curves(
    run: Run,
    task: TaskText = None,
    metric: Metric = None,
    family: Family = None,
    axis: Axis = None,
    as_json: Json = False,
) -> None:
    """Show scores by scale, with linearity L and breakthroughness B."""
    from dataclasses import asdict

    from scalecurve.analysis import breakthroughness, by_axis, curves_from_frame, linearity
    from scalecurve.cli import _print
    from scalecurve.cli._terminal import show

    frame = curve_frame(run, task, metric, family)
    found = [curve for own, rows in by_axis(frame, axis).items() for curve in curves_from_frame(rows, axis=own)]
    described = []
    for curve in found:
        risen = [y if curve.higher_is_better else -y for y in curve.y]
        described.append((curve, linearity(risen), breakthroughness(risen)))
    if as_json:
        print(_print.as_json([asdict(curve) | {"linearity": el, "breakthroughness": b} for curve, el, b in described]))
        return
    for name in dict.fromkeys(curve.family for curve in found):
        of_family = [row for row in described if row[0].family == name]
        show(_family_table(name, of_family), {r"\A.*": "dim", "[▁-█]+": "cyan"})
    if any(curve.censored for curve in found):
        wrong, right = "the score with all of those wrong", "with all of them right"
        said = f"[a–b], or ~ where room is short: a limit cut off answers; {wrong}, and {right} (--json has both)."
        print(_print.wrapped(said))
    said = _print.said_ways(_print.ways(curve.strategy for curve in found))
    print(_print.wrapped(f"{said}curve: from chance to the best possible, the smallest model first."))
    print(
        _print.wrapped(
            "L/(m-1): linearity over its bound, 1 = equal steps. B: breakthroughness. Both describe, neither detects."
        )
    )


def _shown(at: int, curve: Curve, short: bool) -> str:
    """A point's score, and where a limit cut off answers, its bounds, or ``short`` a mark."""
    from scalecurve.cli._print import number

    cut = curve.censored and curve.censored[at]
    if short:
        return f"{number(curve.y[at], 2)}{'~' if cut else ''}"
    if not cut:
        return number(curve.y[at])
    return f"{number(curve.y[at])} [{number(curve.all_wrong[at], 2)}–{number(curve.all_right[at], 2)}]"


def curve_frame(
    run: Path, task: str | None = None, metric: str | None = None, family: str | None = None
) -> pl.DataFrame:
    """The rows of curves.parquet asked for; ``UserError`` when there are none."""
    import polars as pl

    from scalecurve.errors import UserError
    from scalecurve.store import open_run, read_table

    directory = open_run(run)
    if not directory.curves.exists():
        raise UserError(f"{run}: no curves.parquet yet; finish the run, or rebuild it with `scalecurve rescore {run}`")
    frame = read_table(directory.curves)
    chosen = frame.filter(pl.col("preferred") if metric is None else pl.col("metric") == metric)
    if metric is not None and chosen.is_empty():
        raise UserError(f"--metric: {metric!r} is not in {run}; it has {', '.join(sorted(frame['metric'].unique()))}")
    if family is not None:
        chosen = chosen.filter(pl.col("family") == family)
        if chosen.is_empty():
            raise UserError(
                f"--family: {family!r} is not in {run}; it has {', '.join(frame['family'].unique().sort())}"
            )
    if task is not None:
        chosen = chosen.filter(pl.col("task").str.contains(task, literal=True))
        if chosen.is_empty():
            raise UserError(f"--task: nothing in {run} contains {task!r}; it has {', '.join(frame['task'].unique())}")
    return chosen


def _family_table(family: str, described: list[tuple[Curve, float, float]]) -> str:
    from scalecurve.cli._print import number, table, ways
    from scalecurve.cli._terminal import room, spark

    named = ways(curve.strategy for curve, _, _ in described)
    asked = [f"{named[curve.strategy]} {curve.shots}-shot" for curve, _, _ in described]
    sparks = [spark(curve.y, curve.chance, curve.ceiling) for curve, _, _ in described]
    beside = NAME + max(map(len, asked)) + max(map(len, sparks)) + 6
    scores, width = _scores(described, short=False), room()
    if width is None or beside + sum(2 + max(map(len, [rung, *own])) for rung, own in scores.items()) <= width:
        columns = list(scores.items())
    else:
        columns = _fitted(_scores(described, short=True), width - beside)
    headers = [family, "asked", "curve", *(head for head, _ in columns), "chance", "metric", "L/(m-1)", "B"]
    rows = []
    for at, (curve, el, b) in enumerate(described):
        steps = len(curve.y) - 1
        rows.append(
            [
                curve.task,
                asked[at],
                sparks[at],
                *(column[at] for _, column in columns),
                number(curve.chance, 2),
                curve.metric,
                number(el / steps if steps > 0 else None, 2),
                number(b, 1),
            ]
        )
    last = 3 + len(columns)
    right = [*range(3, last + 1), last + 2, last + 3]
    return table(headers, rows, right=right, keep=(1, 2), spare=(last + 3, last + 2, last + 1, last), note=False) + "\n"


def _scores(described: list[tuple[Curve, float, float]], *, short: bool) -> dict[str, list[str]]:
    """What stands in the column of each model, a curve a row."""
    longest_first = sorted(described, key=lambda one: -len(one[0].rungs))  # a short curve's gaps say nothing of order
    rungs = list(dict.fromkeys(rung for curve, _, _ in longest_first for rung in curve.rungs))
    rows = [{rung: _shown(at, curve, short) for at, rung in enumerate(curve.rungs)} for curve, _, _ in described]
    return {rung: [row.get(rung, "–") for row in rows] for rung in rungs}


def _fitted(scores: dict[str, list[str]], width: int) -> list[tuple[str, list[str]]]:
    """The scores of the models in one column of ``width``, with what their names have in common left out.

    Where they do not fit, models from the middle are left out, and so many are said: the curve has them all.
    """
    names = list(scores)
    shared = zip(*names, strict=False)
    common = "".join(letters[0] for letters in takewhile(lambda letters: len(set(letters)) == 1, shared))
    cut = max((common.rfind(mark) + 1 for mark in "-_/ "), default=0) if len(names) > 1 else 0
    wide = {name: max(len(name[cut:]), *map(len, column)) for name, column in scores.items()}
    first, last = len(names), 0  # shown are the first ones and the last ones
    while first + last > 2 and sum(wide[name] + 1 for name in (*names[:first], *names[len(names) - last :])) > width:
        kept = first + last - 1
        first, last = (kept + 1) // 2, kept // 2
    left = len(names) - first - last

    def line(of: dict[str, str]) -> str:
        shown = [of[name].rjust(wide[name]) for name in names]
        middle = [f"…{left}…" if of is heads else "·".center(len(f"…{left}…"))] if left else []
        return " ".join([*shown[:first], *middle, *shown[len(names) - last :]])

    heads = {name: name[cut:] for name in names}
    rows = range(len(next(iter(scores.values()))))
    return [(line(heads), [line({name: scores[name][at] for name in names}) for at in rows])]
