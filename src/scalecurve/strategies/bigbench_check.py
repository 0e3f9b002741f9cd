"""Loads every leaf of BIG-bench and builds requests for a sample of each, to show that all of them can be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from scalecurve.errors import UserError
from scalecurve.strategies.render import build_prompt
from scalecurve.strategies.shots import draw
from scalecurve.tasks.bigbench import index, load_leaf, tasks_dir
from scalecurve.types import Request


@dataclass(slots=True)
class Checked:
    """Counts over the leaves that were read, and a line for each that failed."""

    leaves: int = 0
    examples: int = 0
    distinct: int = 0
    prompts: int = 0
    characters: int = 0
    flags: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def check_bigbench(
    *,
    mode: str = "faithful",
    sample: int = 5,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Checked:
    """Read all leaves in ``mode`` and build the requests of ``sample`` examples of each, with 0 and 3 shots."""
    checked, leaves = Checked(), index()
    for at, leaf in enumerate(leaves):
        try:
            _check_leaf(checked, leaf["file"], leaf["parent"], mode, sample)
            checked.examples += leaf["n_raw"]
        except UserError as error:
            checked.failures.append(str(error))
        progress("check", at + 1, len(leaves))
    return checked


def _check_leaf(checked: Checked, file: str, parent: str, mode: str, sample: int) -> None:
    task = load_leaf(tasks_dir() / file, parent, mode)
    for k in (0, 3):
        for query in draw(task, k, "bigbench", limit=min(sample, len(task.examples))):
            prompt = build_prompt(task, query.example, query.shots)
            request = Request(prompt, options=query.example.options or query.example.targets)
            if not request.options:
                raise UserError(f"{task.name}: example {query.example.id}: nothing to ask")
            checked.prompts += 1
            checked.characters += len(prompt)
    checked.leaves += 1
    checked.distinct += len(task.examples)
    for flag in task.flags:
        checked.flags[flag] = checked.flags.get(flag, 0) + 1
