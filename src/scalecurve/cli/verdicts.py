"""``scalecurve verdicts``: what a run's curves show, how surely, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from scalecurve.cli._app import app
from scalecurve.cli._options import Family, Metric, Run, TaskText
from scalecurve.cli._print import Json
from scalecurve.types import Artefact, Shape

if TYPE_CHECKING:
    import polars as pl

# The order is that of the output: what changes with scale first, what says little last.
LEGEND: dict[str, str] = {
    Shape.EMERGENT: "at chance, then an abrupt rise",
    Shape.LATE: "at chance, then a rise that is gradual, or steep with too few models below or above it to tell",
    Artefact.METRIC_ARTEFACT: "the score jumps, finer scores of the same answers rise all along",
    Shape.INVERSE: "falls",
    Shape.U: "falls, then rises",
    Shape.INVERTED_U: "rises, then falls",
    Shape.ONE_MODEL: "flat but for one model",
    Shape.SMOOTH: "rises, not from chance",
    Shape.IRREGULAR: "models differ by more than any course explains",
    Shape.SATURATED: "most models at the ceiling",
    Shape.FLAT: "no change, or less than ± what is printed",
    Shape.INCONCLUSIVE: "no shape is likely enough; the likeliest stands beside it",
    Shape.TOO_FEW: "too few models, or too close",
}
COLOURS: dict[str, str] = {
    Shape.EMERGENT: "bold bright_red",
    Shape.LATE: "bold yellow",
    Artefact.METRIC_ARTEFACT: "bold magenta",
    Shape.INVERSE: "bold magenta",
    Shape.SMOOTH: "bold green",
    Shape.ONE_MODEL: "bold cyan",
    Shape.SATURATED: "bold blue",
}
NOTE = (
    "sure: how probable the shape is (firm from 90 %, likely from 60 %, else open); rises: where the rise begins, "
    "95 %, and ±: how large a change there may be; width: decades from a tenth to nine tenths of it. "
    "--why prints the reasons."
)


@app.command()
def verdicts(
    run: Run,
    task: TaskText = None,
    metric: Metric = None,
    family: Family = None,
    axis: Annotated[str | None, typer.Option(help="Judge anew on this axis of scale.")] = None,
    why: Annotated[bool, typer.Option("--why", help="Print the reasons under each verdict.")] = False,
    as_json: Json = False,
) -> None:
    """Show the verdict on every curve: flat, smooth, late, emergent, inverse, …"""
    import sys

    from scalecurve.analysis import by_axis
    from scalecurve.cli import _print
    from scalecurve.cli.curves import curve_frame
    from scalecurve.errors import UserError
    from scalecurve.store import open_run, read_table

    directory = open_run(run)
    wanted = curve_frame(run, task, metric, family)
    key = ["family", "task", "strategy", "shots", "metric"]
    if axis:
        from scalecurve.analysis import judge_all

        # All are judged, then some shown: the corrections for many curves must not depend on what is asked for.
        frame = judge_all(read_table(directory.curves), read_table(directory.scores), axis=axis)
    else:
        frame = read_table(directory.verdicts)
    frame = frame.join(wanted.select(key).unique(), on=key, how="semi")
    if frame.is_empty():
        try:
            by_axis(wanted)
        except UserError as problem:  # no curve is no mistake of who asks: it is said, and the answer is empty
            print(f"scalecurve: {problem}", file=sys.stderr)
    rows = frame.to_dicts()
    if as_json:
        print(_print.as_json([row | {"reasons": _sentences(row)} for row in rows]))
        return
    _show(rows, _sparks(wanted, axis), why)


def _show(rows: list[dict[str, Any]], sparks: dict[tuple[Any, ...], str], why: bool) -> None:
    import re

    from scalecurve.cli import _print
    from scalecurve.cli._terminal import show

    several = len({row["family"] for row in rows}) > 1
    ways = _print.ways({row["strategy"] for row in rows})
    for family in dict.fromkeys(row["family"] for row in rows):
        print(_print.counted(sum(row["family"] == family for row in rows), "curve", f"{family}: "))
    rank = {group: at for at, group in enumerate(LEGEND)}
    rows = sorted(rows, key=lambda row: rank.get(group_of(row), len(rank)))
    head = ("", "asked", "curve", "sure", "rises", "artefact", "flags", "width", "L/(m-1)", "B")
    lines = [_line(row, sparks.get(_key(row), ""), several, ways) for row in rows]
    text = _print.table(head, lines, spare=(9, 8, 7, 6, 5), keep=(2, 3), note=False)
    title, *laid = text.split("\n")
    for group in dict.fromkeys(group_of(row) for row in rows):
        of_group = [at for at, row in enumerate(rows) if group_of(row) == group]
        colour = COLOURS.get(group, "bold")
        print()
        said = _print.wrapped(f"{group} ({len(of_group)}): {LEGEND[group]}", indent=2)
        show(said, {rf"\A{re.escape(group)}": colour})
        if of_group[0] == 0:
            show(title, {".*": "dim"})
        for at in of_group:
            show(laid[at], {"[▁-█]+": colour.removeprefix("bold "), r"\bopen \d+%": "dim"})
            if why:
                print(_why(rows[at]))
    if rows:
        print()
        print(_print.wrapped(_print.said_ways(ways) + NOTE))
        if flags := _said_flags(rows):
            print(_print.wrapped(f"flags: {flags}."))


def _said_flags(rows: list[dict[str, Any]]) -> str:
    """What the flags that stand in the table mean, in the report's words."""
    from scalecurve.report.words import words

    said = words("en")
    flags = sorted({flag for row in rows for flag in row["flags"] or []})
    return "; ".join(f"{flag}: {said[flag]}" for flag in flags if flag in said)


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["family"], row["task"], row["strategy"], row["shots"], row["metric"])


def _sparks(wanted: pl.DataFrame, axis: str | None) -> dict[tuple[object, ...], str]:
    """The scores of each curve as bars between chance and the best possible, by family, task, way and metric."""
    from dataclasses import asdict

    from scalecurve.analysis import by_axis, curves_from_frame
    from scalecurve.cli._terminal import spark
    from scalecurve.errors import UserError

    try:
        frames = by_axis(wanted, axis)
    except UserError:  # it has been said
        return {}
    found = [curve for own, rows in frames.items() for curve in curves_from_frame(rows, axis=own)]
    return {_key(asdict(curve)): spark(curve.y, curve.chance, curve.ceiling) for curve in found}


def group_of(row: dict[str, Any]) -> str:
    """The shape; a jump of the score without a jump of the ability stands in a group of its own."""
    jumps = {Shape.EMERGENT, Shape.LATE} & {row["shape"]}
    return Artefact.METRIC_ARTEFACT if jumps and row["artefact"] == Artefact.METRIC_ARTEFACT else str(row["shape"])


def _sentences(row: dict[str, Any]) -> list[str]:
    from scalecurve.analysis.verdicts.reasons import say

    return [say(reason) for reason in row["reasons"] or []]


def _why(row: dict[str, Any]) -> str:
    from scalecurve.cli._print import wrapped

    return "\n".join(wrapped(f"      {sentence}", indent=6) for sentence in _sentences(row))


def _line(row: dict[str, Any], bars: str, several: bool, ways: dict[str, str]) -> tuple[str, ...]:
    from scalecurve.analysis.verdicts.judge import word
    from scalecurve.cli._print import amount, number

    sure, bound = row["confidence"], row.get("bound")
    span = f"{amount(row['threshold_lo'])}–{amount(row['threshold_hi'])}" if row["threshold_lo"] is not None else ""
    change = f"±{bound:.2g}" if row["shape"] == Shape.FLAT and bound else ""
    width = row.get("width")
    return (
        f"  {row['task']}{' · ' + str(row['family']) if several else ''}",
        f"{ways[row['strategy']]} {row['shots']}-shot",
        bars,
        "–" if sure is None else f"{word(row['shape'], sure)} {sure:.0%}",
        ", ".join(filter(None, (span, change, row["sublabel"]))) or "–",
        str(row["artefact"]),
        ", ".join(row["flags"] or []),
        f"{width:.1f} ({row['width_lo']:.1f}–{row['width_hi']:.1f})" if width is not None else "–",
        number(row["linearity_share"], 2),
        number(row["breakthroughness"], 1),
    )
