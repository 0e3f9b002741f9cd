"""``scalecurve elicit``: which prompt draws an ability out, and how far the default one understated it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli._app import app
from scalecurve.cli._options import Models, StudyFile, Tasks
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    from scalecurve.elicit import Elicited, Gain, RungGain, Space, TaskGains

MINUTES = 10.0


@app.command()
def elicit(
    study: StudyFile = None,
    model: Models = None,
    task: Tasks = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens in all: prompts, options, texts.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help=f"Most minutes in all; {MINUTES:g} when neither is given.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="What to improve; each task's preferred metric.")] = None,
    shots: Annotated[list[int] | None, typer.Option(min=0, help="Numbers of shots to try. Repeatable.")] = None,
    template: Annotated[
        list[str] | None, typer.Option(help=r'Template to try, as "Question: {input}\nAnswer: ". Repeatable.')
    ] = None,
    trigger: Annotated[list[str] | None, typer.Option(help="Sentence that asks for steps, to try. Repeatable.")] = None,
    options: Annotated[list[str] | None, typer.Option(help="Option format to try: listed, hidden, lettered.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Tokens of written-out steps.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Examples of each task to use at all.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the split, the shots and the draw of prompts.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = None,
    out: Annotated[Path | None, typer.Option(help="Directory for the result; elicited/<name> when not given.")] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Search prompts on some questions, confirm them on others; prints what the default prompt understated."""
    import sys

    from scalecurve.cli import _print
    from scalecurve.cli._interrupt import prompt_interrupt
    from scalecurve.cli.run import stated, study_of

    given: dict[str, object] = {"models": model, "tasks": task, "limit": limit, "device": device}
    given |= {"metrics": [metric] if metric else None, "seeds": None if seed is None else [seed]}
    asked = study_of(study, stated(given))
    folder = out or Path("elicited") / asked.name
    with prompt_interrupt():
        from scalecurve.elicit import SearchBudget
        from scalecurve.elicit import elicit as search

        minutes = MINUTES if tokens is None and minutes is None else minutes
        found = search(
            asked,
            folder,
            budget=SearchBudget(tokens, None if minutes is None else minutes * 60),
            space=_space(shots, template, trigger, options, steps),
            say=(lambda text: None) if quiet else (lambda text: print(text, file=sys.stderr, flush=True)),
        )
    if as_json:
        print(_print.as_json(found.to_json()))
        return
    _show(found, folder)


def _space(
    shots: list[int] | None,
    templates: list[str] | None,
    triggers: list[str] | None,
    options: list[str] | None,
    steps: int | None,
) -> Space:
    from dataclasses import replace

    from scalecurve.elicit import default_space
    from scalecurve.elicit.space import template

    space = default_space()
    if shots:
        space = replace(space, shots=tuple(dict.fromkeys(shots)))
    if templates:
        space = replace(space, templates={"own": {}, **{repr(text): template(text) for text in templates}})
    if triggers:
        space = replace(space, triggers=tuple(triggers))
    if options:
        space = replace(space, options=tuple(options))
    return replace(space, steps=steps) if steps else space


def _show(found: Elicited, folder: Path) -> None:
    from scalecurve.cli._print import duration

    for task in found.tasks:
        print(_table(task))
        for rung in task.rungs:
            print(_sentence(rung))
        print()
    cost = found.cost
    print("Gains are on questions that no prompt was chosen on; intervals 95%.")
    print(
        f"cost: {cost['tokens']:,} tokens, {duration(cost['seconds'])} "
        f"({duration(cost['cpu_seconds'])} of processor time)"
    )
    print(f"result: {folder / 'elicit.json'}; prompts: {folder / 'prompts'}; to use them: {folder / 'study.toml'}")


def _table(task: TaskGains) -> str:
    from scalecurve.cli._print import number, table

    several = len(task.rungs) > 1
    headers = ["model", "questions", "default", "best", "gain", "interval"]
    headers += ["common", "gain", "interval"] * several
    rows = []
    for rung in task.rungs:
        row = [rung.rung, str(rung.n), number(rung.default), *_cells(rung.own)]
        rows.append(row + (_cells(rung.common) if several else []))
    chance = f", chance {number(task.chance)}" if task.chance is not None else ""
    head = f"{task.task}: {task.metric}{chance}; {task.candidates} prompts tried"
    return f"{head}\n{table(headers, rows, right=range(1, len(headers)))}"


def _cells(gain: Gain) -> list[str]:
    from scalecurve.cli._print import number

    if gain.gain is None:
        return [number(gain.score), "–", "–"]
    interval = f"{gain.lo:+.3f} … {gain.hi:+.3f}" + (f" ({gain.flag})" if gain.flag else "")
    return [number(gain.score), f"{gain.gain:+.3f}", interval]


def _sentence(rung: RungGain) -> str:
    gain = rung.own
    if gain.prompt == "default":
        return f"{rung.rung}: no prompt was better than the default where they were chosen."
    what = f"{rung.rung}: {gain.prompt}"
    if rung.understated and gain.gain is not None:
        return f"{what}: the default prompt understates it by {gain.gain:.3f}."
    if gain.flag:
        return f"{what}: a gain that answers which could not be read may explain."
    if gain.hi is not None and gain.hi < 0:
        return f"{what}: worse than the default on held-out questions; it won by luck."
    return f"{what}: not shown to be better than the default."
