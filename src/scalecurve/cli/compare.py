"""``scalecurve compare``: is A better than B on the same questions?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import Metric, TaskText
from scalecurve.cli._print import Json


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A run, or a model, strategy or MODEL:STRATEGY of --run.")],
    b: Annotated[str, typer.Argument(help="What A is set against.")],
    run: Annotated[
        Path | None, typer.Option(help="Run that A and B are parts of.", autocompletion=_complete.runs)
    ] = None,
    task: TaskText = None,
    metric: Metric = None,
    adjust: Annotated[str, typer.Option(help="Over all rows: holm (no false claim), bh (false discoveries).")] = "holm",
    items: Annotated[bool, typer.Option("--items", help="Name the questions that only one of the two won.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page of it, with the questions won and lost.")] = None,
    lang: Annotated[str, typer.Option(help="Language of that page: en or zh.")] = "en",
    as_json: Json = False,
) -> None:
    """Compare two models, prompts, checkpoints or runs: paired differences, intervals, and what could be seen."""
    import re

    from scalecurve.analysis.compare.sides import compare_sides, over_scale, questions, read_side
    from scalecurve.cli import _print
    from scalecurve.cli._terminal import show

    one, other = read_side(a, run, task=task), read_side(b, run, task=task)
    found = compare_sides(one, other, metric=metric, adjust=adjust)
    rows = found.to_dicts()
    if items:
        rows = [row | questions_of for row in rows for questions_of in [_named(questions(one, other, row))]]
    ladder = over_scale(one, other, found)
    if html is not None:
        from scalecurve.report.comparison import write_comparison

        write_comparison(one, other, rows, ladder, adjust, html, lang)
    if as_json:
        print(_print.as_json({"a": a, "b": b, "adjust": adjust, "rows": rows, "over_scale": ladder}))
        return
    names = ("task", "metric", "asked", "model", "n", "A", "B", "A-B", "95%", "p", f"p {adjust}", "won", "lost",
             "seen from", "better")  # fmt: skip
    ways = _print.ways(row[name] for row in rows for name in ("strategy", "strategy_b"))
    lines = [dict(zip(names, _line(row, a, b, ways), strict=True)) for row in rows]
    single = {name for name in ("asked", "model") if len({line[name] for line in lines}) == 1}
    headers = [name for name in names if name not in single]
    spare = [headers.index(name) for name in ("p", "metric", "seen from", "n", "A", "B", "won", "lost")]
    right = [at for at, name in enumerate(headers) if name not in (*names[:4], "95%", "better")]
    text = _print.table(
        headers, [[line[name] for name in headers] for line in lines], right=right, spare=spare, keep=[len(headers) - 1]
    )
    print(f"A: {a}   B: {b}")
    better = {rf"(?m)(?<= ){re.escape(name)}$": style for name, style in ((a, "bold green"), (b, "bold magenta"))}
    show(text, better | {r"\A.*": "dim"})
    _say_how(rows)
    if len(ways) > 1 and (said := _print.said_ways(ways)):
        print(said.removesuffix("; "))
    if items:
        for row in rows:
            for kind, names in (("only A", row["won_items"]), ("only B", row["lost_items"])):
                some = ", ".join(names[:20])
                print(_print.wrapped(f"{row['task']}: {kind}: {some}{', …' if len(names) > 20 else ''}", indent=2))
    if ladder:
        print("\nOver the whole ladder")
        heads = ("task", "models", "A-B", "95%", "a decade", "p")
        print(_print.table(heads, [_over(row) for row in ladder], right=(1, 2, 4, 5)))
    if html is not None:
        print(f"page: {html}")


def _named(found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {"won_items": found["wins"], "lost_items": found["losses"]}


def _line(row: dict[str, Any], a: str, b: str, ways: dict[str, str]) -> list[str]:
    from scalecurve.cli._print import number

    better = {"A": a, "B": b}.get(row["better"], "")
    counts = ["–" if row[name] is None else str(row[name]) for name in ("wins", "losses")]
    span = f"{number(row['low'])} to {number(row['high'])}"
    asked = " / ".join(dict.fromkeys(ways[row[name]] for name in ("strategy", "strategy_b")))
    return [
        row["task"], row["metric"], f"{asked} {row['shots']}-shot", row["rung"], str(row["n"]), number(row["a"]),
        number(row["b"]), number(row["difference"]), span, _p(row["p"]), _p(row["p_adjusted"]), *counts,
        number(row["detectable"]), better,
    ]  # fmt: skip


def _p(value: float | None) -> str:
    from scalecurve.cli._print import number

    return "<.001" if value is not None and value < 0.001 else number(value)


def _over(row: dict[str, Any]) -> list[str]:
    from scalecurve.cli._print import number

    span = f"{number(row['low'])} to {number(row['high'])}"
    slope = f"{row['slope']:+.3f}"
    name = f"{row['task']} {row['metric']}"
    return [name, str(row["models"]), number(row["difference"]), span, slope, _p(row["slope_p"])]


def _say_how(rows: list[dict[str, Any]]) -> None:
    """What the columns mean for these rows, and what the lack of item scores costs."""
    from scalecurve.cli._print import wrapped

    paired = [row for row in rows if row["method"] != "unpaired"]
    print(
        wrapped(
            "seen from: the smallest true difference that would be seen 80 times in 100; "
            "to see half of it takes four times the items."
        )
    )
    if paired:
        gains = sorted(row["gain"] for row in paired if row["gain"])
        if gains:
            middle = gains[len(gains) // 2]
            said = f"On the same questions: unpaired, the errors would be {middle:.2f} times as large (median)."
            print(wrapped(said))
    if len(paired) < len(rows):
        said = (
            f"{len(rows) - len(paired)} rows without item scores are unpaired, as if other questions had been asked: "
            "models that agree on most questions need several times the items that way; import the answers too."
        )
        print(wrapped(said))
