"""``scalecurve scores``: BIG-bench's score files and aggregates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scalecurve.cli._app import group
from scalecurve.cli._options import Run
from scalecurve.cli._print import Json

scores = group("scores", "BIG-bench's score files and aggregates.")


@scores.command("export")
def export(
    run: Run,
    out: Annotated[Path, typer.Argument(help="Directory to write <task>/results/scores_….json into.")],
    strategy: Annotated[str, typer.Option(help="The strategy whose scores to write.")] = "direct",
) -> None:
    """Write a run's BIG-bench scores as the reference's score files."""
    from scalecurve.io.bigbench_scores import export_score_files
    from scalecurve.store import open_run

    paths = export_score_files(open_run(run), out, strategy)
    print(f"{len(paths)} score files in {out}")


@scores.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Directory with <task>/results/scores_*.json, or one score file.")],
    out: Annotated[Path, typer.Argument(help="Run directory to make.")],
) -> None:
    """Make a run directory of published score files, to plot beside other runs."""
    from scalecurve.io.bigbench_files import read_score_file, read_score_files
    from scalecurve.io.bigbench_scores import import_score_files
    from scalecurve.store import RunDirectory

    files = [read_score_file(folder)] if folder.is_file() else read_score_files(folder)
    import_score_files(files, RunDirectory(out))
    print(f"{len(files)} score files in {out}")


@scores.command()
def benchmark(
    run: Run,
    strategy: Annotated[str, typer.Option(help="The strategy whose scores to take.")] = "direct",
    keywords: Annotated[bool, typer.Option("--keywords", help="Every keyword too.")] = False,
    as_json: Json = False,
) -> None:
    """Mean normalised preferred scores (0: low, 100: high) over the run's BIG-bench tasks and BIG-bench Lite."""
    from scalecurve.cli import _print
    from scalecurve.io.bigbench_scores import benchmark_scores
    from scalecurve.store import open_run

    found = benchmark_scores(open_run(run), strategy)
    shown = [
        (family, rung, one) for (family, rung, _), scores in found.items() for one in scores[: None if keywords else 2]
    ]
    if as_json:
        names = ("name", "shots", "score", "tasks", "missing")
        own = [
            {"family": family, "rung": rung} | {name: getattr(one, name) for name in names}
            for family, rung, one in shown
        ]
        print(_print.as_json(own))
        return
    rows = [
        (family, rung, str(one.shots), one.name, _print.number(one.score), str(one.tasks), str(len(one.missing)))
        for family, rung, one in shown
    ]
    print(_print.table(("family", "rung", "shots", "over", "score", "tasks", "missing"), rows, right=(2, 4, 5, 6)))


@scores.command()
def extraction(
    run: Run,
    every: Annotated[bool, typer.Option("--all", help="Cells where every answer was found, too.")] = False,
    as_json: Json = False,
) -> None:
    """In how many generated texts no answer was found, and how many were cut short, cell by cell."""
    from scalecurve.analysis.extraction import extraction_of
    from scalecurve.cli import _print
    from scalecurve.store import open_run

    found = [cell for cell in extraction_of(open_run(run)) if every or cell.unextracted or cell.unfinished]
    if as_json:
        print(_print.as_json(found))
        return
    named = _print.ways(cell.strategy for cell in found)
    rows = [
        (
            cell.task,
            f"{named[cell.strategy]} {cell.shots}-shot",
            cell.rung,
            str(cell.texts),
            str(cell.unextracted),
            f"{cell.unextracted / cell.texts:.1%}",
            f"{cell.unfinished / cell.texts:.1%}",
            str(cell.censored),
        )
        for cell in found
    ]
    print(
        _print.table(
            ("task", "strategy", "model", "texts", "no answer", "share", "cut short", "cut off"),
            rows,
            right=(3, 4, 5, 6, 7),
            spare=(6, 5),
        )
    )
    for line in (
        "An answer that was not found counts as wrong. Cut short: a text reached its limit of tokens.",
        "Cut off: it did so before it said an answer; `curves` gives the score with all of those wrong, and right.",
        _print.said_ways(named).removesuffix("; "),
    ):
        if line:
            print(_print.wrapped(line))


@scores.command()
def human(
    task: Annotated[str, typer.Argument(help="BIG-bench task; all of them when not given.")] = "", as_json: Json = False
) -> None:
    """Show what people scored on BIG-bench tasks: the average and the best rater."""
    from scalecurve.cli import _print
    from scalecurve.errors import UserError
    from scalecurve.tasks.human import human_baselines
    from scalecurve.tasks.registry import suggest

    found = human_baselines()
    if task and task not in found:
        raise UserError(f"no human baseline of {task!r}{suggest(task, found)}")
    rows = [
        (name, metric, one.average.get(metric), one.best.get(metric))
        for name, one in found.items()
        for metric in sorted({*one.average, *one.best})
        if not task or name == task
    ]
    if as_json:
        print(_print.as_json([dict(zip(("task", "metric", "average", "best"), row, strict=True)) for row in rows]))
        return
    shown = [(name, metric, _print.number(average), _print.number(best)) for name, metric, average, best in rows]
    print(_print.table(("task", "metric", "average rater", "best rater"), shown, right=(2, 3)))
