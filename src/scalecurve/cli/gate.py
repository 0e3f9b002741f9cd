"""``scalecurve gate``: what the answerability gate of a run is worth, and the thresholds to use it with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli._app import app

if TYPE_CHECKING:
    from scalecurve.thinking.answerability import GateReport


@app.command()
def gate(
    run: Annotated[Path, typer.Argument(help="Run directory of a study with the strategy gate.")],
    then: Annotated[str | None, typer.Option(help="Replay this strategy behind the gate.")] = None,
    task: Annotated[str, typer.Option(help="Only tasks that contain this text.")] = "",
    false_refusal: Annotated[
        float | None, typer.Option(help="Refuse at most this share of answerable questions (of the fitted half).")
    ] = None,
    thresholds: Annotated[bool, typer.Option("--thresholds", help="Print settings.gate_threshold as TOML.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Judge the answerability gate: ranking, refusals at held-out thresholds, and what is answered behind it."""
    from dataclasses import asdict
    from math import isnan

    from scalecurve.cli import _print
    from scalecurve.runs import open_run
    from scalecurve.thinking.answerability import fitted_thresholds, judge_gate

    if thresholds:
        import tomli_w

        fitted = fitted_thresholds(open_run(run), task=task, false_refusal=false_refusal)
        values = {rung: round(one.value, 4) for rung, one in fitted.items()}
        print(tomli_w.dumps({"settings": {"gate_threshold": values}}), end="")
        return
    reports = judge_gate(open_run(run), then, task=task, false_refusal=false_refusal)
    if as_json:
        print(_print.as_json([asdict(report) for report in reports]))
        return
    gate_alone = ("auroc", "twins", "false_refusal", "recall", "precision")
    behind = [name for name in reports[0].measures if name not in gate_alone]
    for title, names in (("the gate", gate_alone), (f"{then} behind it", behind)):
        shown = [name for name in names if not all(isnan(report.measures[name].value) for report in reports)]
        if shown:
            headers = ("task", "rung", "n", "threshold", *(name.replace("_", " ") for name in shown))
            lines = [_line(report, shown) for report in reports]
            print(f"{title}\n{_print.table(headers, lines, right=(2, 3))}\n")


def _line(report: GateReport, shown: list[str]) -> tuple[str, ...]:
    from math import isnan

    from scalecurve.cli._print import number

    cells = []
    for name in shown:
        one = report.measures[name]
        span = f" ({number(one.low, 2)}–{number(one.high, 2)})" if not isnan(one.low) else ""
        cells.append(f"{number(one.value, 2)}{span}")
    return report.task, report.rung, str(report.n), number(report.threshold.value, 2), *cells
