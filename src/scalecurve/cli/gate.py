"""``scalecurve gate``: what the answerability gate of a run is worth, and the thresholds to use it with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    from scalecurve.routing.answerability import GateReport


@app.command()
def gate(
    run: Annotated[
        Path, typer.Argument(help="Run directory of a study with the strategy gate.", autocompletion=_complete.runs)
    ],
    then: Annotated[str | None, typer.Option(help="Replay this strategy behind the gate.")] = None,
    task: Annotated[str, typer.Option(help="Only tasks that contain this text.")] = "",
    false_refusal: Annotated[
        float | None, typer.Option(help="Refuse at most this share of answerable questions (of the fitted half).")
    ] = None,
    thresholds: Annotated[bool, typer.Option("--thresholds", help="Print settings.gate_threshold as TOML.")] = False,
    as_json: Json = False,
) -> None:
    """Judge the answerability gate: ranking, refusals at held-out thresholds, and what is answered behind it."""
    from math import isnan

    from scalecurve.cli import _print
    from scalecurve.routing.answerability import fitted_thresholds, judge_gate
    from scalecurve.store import open_run

    if thresholds:
        import tomli_w

        fitted = fitted_thresholds(open_run(run), task=task, false_refusal=false_refusal)
        values = {rung: round(one.value, 4) for rung, one in fitted.items()}
        print(tomli_w.dumps({"settings": {"gate_threshold": values}}), end="")
        return
    reports = judge_gate(open_run(run), then, task=task, false_refusal=false_refusal)
    if as_json:
        print(_print.as_json(reports))
        return
    named = list(dict.fromkeys(name for report in reports for name in report.measures))
    alone = ["auroc", "twins", "false_refusal", "recall", "precision"]
    kinds = [name for name in named if name.startswith("twins ")]
    behind = [name for name in named if name not in (*alone, *kinds)]
    for title, names in (("the gate", alone), ("twins by kind", kinds), (f"{then} behind the gate", behind)):
        rows = [report for report in reports if any(not isnan(_value(report, name)) for name in names)]
        shown = [name for name in names if any(not isnan(_value(report, name)) for report in rows)]
        if rows:
            headers = ("task", "rung", "n", "threshold", *(name.split()[-1].replace("_", " ") for name in shown))
            print(f"{title}\n{_print.table(headers, [_line(one, shown) for one in rows], right=(2, 3))}\n")


def _value(report: GateReport, name: str) -> float:
    return report.measures[name].value if name in report.measures else float("nan")


def _line(report: GateReport, shown: list[str]) -> tuple[str, ...]:
    from math import isnan

    from scalecurve.cli._print import number

    cells = []
    for name in shown:
        one = report.measures.get(name)
        span = f" ({number(one.low, 2)}–{number(one.high, 2)})" if one and not isnan(one.low) else ""
        cells.append(f"{number(one.value if one else None, 2)}{span}")
    return report.task, report.rung, str(report.n), number(report.threshold.value, 2), *cells
