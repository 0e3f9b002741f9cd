"""Formats of tasks by the name that a reference begins with (``lab:addition``), and what they have in common.

A format is a module of this package with a function that ``@task_format("name")`` registers; it is found where it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol

from scalecurve.errors import UserError
from scalecurve.types import Task
from scalecurve.util.registry import only_one
from scalecurve.util.text import did_you_mean


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of a leaf without loading it. ``chance`` is None where that takes loading."""

    ref: str
    name: str
    source: str
    description: str = ""
    keywords: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    preferred_metric: str = ""
    n_examples: int = 0
    chance: float | None = None
    flags: tuple[str, ...] = ()

    @property
    def multiple_choice(self) -> bool:
        return "multiple_choice_grade" in self.metrics


class Load(Protocol):
    """From what stands behind the name in a reference to the leaves; ``UserError`` names what is wrong."""

    def __call__(self, rest: str, /, *, mode: str) -> tuple[Task, ...]: ...


@dataclass(frozen=True, slots=True)
class TaskFormat:
    """``load``: see ``Load``. ``listing``: the leaves there are (None: they cannot be listed), ``ready`` whether they
    are on this machine. ``tells_source``: cells name the leaves with their source. ``absolute``: (what stands behind
    the name, folder) → the same with its path made absolute. ``leaf``: (a reference of several leaves, one of them) →
    the reference of that one (None: by its name). ``with_code``: ``load`` where the user allows code (None: the same).
    """

    name: str
    load: Load
    listing: Callable[[], list[Listing]] | None = None
    ready: Callable[[], bool] = lambda: True
    tells_source: bool = False
    absolute: Callable[[str, Path], str] = lambda rest, base: rest
    leaf: Callable[[str, Task], str] | None = None
    with_code: Load | None = None


_FORMATS: dict[str, TaskFormat] = {}


def task_format(
    name: str,
    *,
    listing: Callable[[], list[Listing]] | None = None,
    ready: Callable[[], bool] = lambda: True,
    tells_source: bool = False,
    absolute: Callable[[str, Path], str] = lambda rest, base: rest,
    leaf: Callable[[str, Task], str] | None = None,
    with_code: Load | None = None,
) -> Callable[[Load], Load]:
    """Register a function as the ``load`` of a format; the rest is as ``TaskFormat`` says."""

    def register(load: Load) -> Load:
        only_one("format of tasks", name, _FORMATS[name].load if name in _FORMATS else None, load)
        _FORMATS[name] = TaskFormat(name, load, listing, ready, tells_source, absolute, leaf, with_code)
        return load

    return register


def formats() -> dict[str, TaskFormat]:
    """Every format by name, the laboratory's first."""
    _load_all()
    return dict(sorted(_FORMATS.items(), key=lambda item: (item[0] != "lab", item[0])))


def find_format(name: str) -> TaskFormat | None:
    """The format of that name, if there is one."""
    if name not in _FORMATS:
        _load_all()
    return _FORMATS.get(name)


@cache
def _load_all() -> None:
    package = __name__.rpartition(".")[0]
    for module in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")


def leaf_name(task: Task) -> str:
    """A leaf's own name, without its container's."""
    return task.name.removeprefix(f"{task.parent}:")


def suggest(name: str, names: Iterable[str]) -> str:
    """ ", did you mean …" with the names nearest to ``name``, or "" where none is near."""
    found = did_you_mean(name, names, n=3)
    return f"; {found}" if found else ""


def pick_subtask(tasks: Sequence[Task], ref: str, subtask: str) -> tuple[Task, ...]:
    """The leaf of ``tasks`` whose own name is ``subtask`` ("" for all of them)."""
    if not subtask:
        return tuple(tasks)
    names = {task.name.removeprefix(f"{task.parent}:"): task for task in tasks if task.parent}
    if subtask not in names:
        hint = suggest(subtask, names) or (f"; it has {', '.join(sorted(names))}" if names else "; it has none")
        raise UserError(f"task {ref!r}: no subtask {subtask!r}{hint}")
    return (names[subtask],)
