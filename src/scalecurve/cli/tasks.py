"""``scalecurve tasks``: what can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli import _complete
from scalecurve.cli._app import group
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    from scalecurve.types import Example, Task

tasks = group("tasks", "List tasks, or show one.")


@tasks.command("list")
def list_(
    source: Annotated[str | None, typer.Argument(help="lab, bigbench, inverse or emoji; all when not given.")] = None,
    keyword: Annotated[str | None, typer.Option(help="Only tasks with this keyword.")] = None,
    multiple_choice: Annotated[bool, typer.Option("--multiple-choice", help="Only tasks graded by options.")] = False,
    as_json: Json = False,
) -> None:
    """List the tasks that can be asked by name."""
    from scalecurve.cli import _print
    from scalecurve.tasks import list_tasks

    found = [
        listing
        for listing in list_tasks(source)
        if (keyword is None or keyword in listing.keywords) and (listing.multiple_choice or not multiple_choice)
    ]
    if as_json:
        print(_print.as_json(found))
        return
    rows = [
        (listing.ref, str(listing.n_examples or "–"), listing.preferred_metric, _shortened(listing.description, 60))
        for listing in found
    ]
    print(_print.table(("task", "examples", "metric", "what it asks"), rows, right=(1,), keep=(0,), spare=(2,)))


@tasks.command()
def show(
    ref: Annotated[
        str,
        typer.Argument(help="Task, such as lab:addition, or the path of a task.json.", autocompletion=_complete.tasks),
    ],
    shots: Annotated[int, typer.Option(help="Worked examples in the prompt shown.")] = 0,
    examples: Annotated[int, typer.Option(help="Prompts to show of each task.")] = 1,
    mode: Annotated[str, typer.Option(help="How defects of a task are treated.")] = "faithful",
    as_json: Json = False,
) -> None:
    """Show a task: what it is, how it is scored, and the prompts a model sees."""
    from scalecurve.cli import _print
    from scalecurve.tasks import load_tasks

    found = load_tasks(ref, mode=mode)
    if as_json:
        print(_print.as_json([_record(task, shots, examples) for task in found]))
        return
    for task in found:
        print(f"{task.name} · {len(task.examples)} examples · {task.source}")
        if task.description:
            print(f"  {task.description}")
        print(f"  metrics: {', '.join(task.metrics)} (preferred: {task.preferred_metric})")
        print(f"  chance {_print.number(task.chance)}, ceiling {_print.number(task.ceiling)}")
        if task.flags:
            print(f"  flags: {', '.join(task.flags)}")
        for prompt, answers in _prompts(task, shots, examples):
            print("  ┌─ prompt")
            print("\n".join(f"  │ {line}" for line in prompt.split("\n")))
            print(f"  └─ answer: {' / '.join(answers) or '–'}\n")


def _record(task: Task, shots: int, examples: int) -> dict[str, object]:
    prompts = [{"prompt": prompt, "answers": answers} for prompt, answers in _prompts(task, shots, examples)]
    names = ("name", "source", "description", "metrics", "preferred_metric", "chance", "ceiling", "flags")
    return {name: getattr(task, name) for name in names} | {"examples": len(task.examples), "prompts": prompts}


def _prompts(task: Task, shots: int, count: int) -> list[tuple[str, list[str]]]:
    """The first ``count`` prompts of ``task``, each with the answers that are right."""
    from scalecurve.strategies import build_prompt, draw

    drawn = draw(task, shots, "fixed", limit=count)
    return [(build_prompt(task, query.example, query.shots), _answers(query.example)) for query in drawn]


def _answers(example: Example) -> list[str]:
    best = max(example.option_scores, default=0)
    right = [option for option, score in zip(example.options, example.option_scores, strict=True) if score == best > 0]
    return right or list(example.targets)


def _shortened(text: str, width: int) -> str:
    first = " ".join(text.split())
    return first if len(first) <= width else first[: width - 1] + "…"
