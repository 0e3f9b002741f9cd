"""From a reference after ``inverse:`` to tasks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.tasks.inverse.pairs import TrapItem, TrapKind, all_kinds, draw_pairs
from scalecurve.tasks.inverse.prize_file import CHOICE_METRICS, choice_task, load_prize_file
from scalecurve.tasks.reader import fingerprint
from scalecurve.tasks.registry import Listing, suggest, task_format
from scalecurve.types import Example, Task
from scalecurve.util.paths import absolute_path

SOURCE = "inverse"
PARTS = ("trap", "control")
DEFAULT_ITEMS = 300
MOST_ITEMS = 10_000
_FILE = re.compile(r"(.+\.(?:csv|jsonl))(?::(\w+))?", re.IGNORECASE)


def list_inverse() -> list[Listing]:
    """The leaves of every kind."""
    return [
        Listing(
            ref=f"{SOURCE}:{one.name}:{part}",
            name=f"{one.name}:{part}",
            source=SOURCE,
            description=_about(one, part),
            keywords=("inverse scaling",),
            metrics=CHOICE_METRICS,
            preferred_metric=CHOICE_METRICS[0],
            n_examples=DEFAULT_ITEMS,
            chance=0.5,
        )
        for one in all_kinds().values()
        for part in PARTS
    ]


@task_format(SOURCE, listing=list_inverse, tells_source=True, absolute=absolute_path)
def load_inverse(rest: str, *, mode: str = "faithful") -> tuple[Task, ...]:
    """The leaves that ``PATH.csv[:FORMAT]``, ``KIND[:trap|:control][:n=…][:seed=…]`` or ``all`` names."""
    file = _FILE.fullmatch(rest)
    if file:
        return load_prize_file(Path(file[1]).expanduser(), file[2] or "")
    name, *settings = rest.split(":")
    parts, n, seed = _settings(rest, settings)
    kinds = all_kinds()
    if name == "all":
        return tuple(leaf for one in kinds.values() for leaf in _leaves(one, parts, n, seed))
    if name not in kinds:
        hint = suggest(name, kinds) or f"; the kinds are {', '.join(kinds)}"
        raise UserError(f"task 'inverse:{rest}': no kind {name!r}{hint}, or give the path of a .csv or .jsonl file")
    return _leaves(kinds[name], parts, n, seed)


def _settings(rest: str, settings: Sequence[str]) -> tuple[Sequence[str], int, int]:
    """Which parts, how many items, which seed."""
    parts: Sequence[str] = PARTS
    numbers = {"n": DEFAULT_ITEMS, "seed": 0}
    for setting in settings:
        key, _, value = setting.partition("=")
        if setting in PARTS:
            parts = (setting,)
        elif key in numbers and value.isascii() and value.isdigit():
            numbers[key] = int(value)
        else:
            raise UserError(f"task 'inverse:{rest}': {setting!r} is not known; use trap, control, n=… or seed=…")
    if not 1 <= numbers["n"] <= MOST_ITEMS:
        raise UserError(f"task 'inverse:{rest}': n must be 1 to {MOST_ITEMS}")
    return parts, numbers["n"], numbers["seed"]


def _leaves(one: TrapKind, parts: Sequence[str], n: int, seed: int) -> tuple[Task, ...]:
    pairs = draw_pairs(one, n, seed)
    name = one.name + (f"-n{n}" if n != DEFAULT_ITEMS else "") + (f"-seed{seed}" if seed else "")
    leaves = []
    for part in parts:
        items = [pair.trap if part == "trap" else pair.control for pair in pairs]
        task = choice_task(f"{name}:{part}", [_example(str(at), item) for at, item in enumerate(items)])
        contrast = f"{name}:control" if part == "trap" else ""
        task = replace(task, parent=name, description=_about(one, part), contrast=contrast)
        leaves.append(replace(task, fingerprint=fingerprint(task)))
    return tuple(leaves)


def _example(name: str, item: TrapItem) -> Example:
    scores = tuple(float(at == item.answer) for at in range(len(item.classes)))
    return Example(name, item.prompt, (item.classes[item.answer],), item.classes, scores)


def _about(one: TrapKind, part: str) -> str:
    return one.about if part == "trap" else f"Control of {one.name}: {one.control}"
