"""The common shape of results measured elsewhere, and the registry of the formats they come in.

A format is one module of ``scalecurve.io.importers`` with one function decorated ``@reader(name, role)``. It turns
files into ``Point`` (a score of a task, with its error where stated) and ``Samples`` (the answers behind scores).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Literal

from scalecurve.types import Answer, Example
from scalecurve.util.registry import only_one

if TYPE_CHECKING:
    from scalecurve.io.sources import SourceFile

STRATEGY = "published"


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A model in the source's words: a Hub id, path or name, its branch or step, and what the source says of its size.

    ``family`` is given only where the source itself groups models into families. ``variant`` is what was put upon the
    weights, so that they are another model (an adapter, a quantisation): ``peft=NAME``, ``load_in_4bit=True``.
    """

    name: str
    revision: str = ""
    family: str = ""
    variant: str = ""
    params_non_embedding: int | None = None
    params_total: int | None = None
    training_flops: float | None = None
    training_tokens: int | None = None
    step: int | None = None
    epoch: float | None = None
    loss: float | None = None

    @property
    def label(self) -> str:
        name = self.name + (f"@{self.revision}" if self.revision else "")
        return f"{name}+{self.variant}" if self.variant else name


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was asked of which model. ``version`` is the task's, "" where unknown.

    ``prompts`` are what the source says of the prompts, field by field, of which all models' must be the same, and
    ``setting`` what may differ but is told (the harness's version, a chat template); both as (field, value). ``group``
    is the name of the group that the source says the task is part of.
    """

    model: SourceModel
    task: str
    shots: int
    version: str = ""
    seed: int = 0
    strategy: str = STRATEGY
    prompts: tuple[tuple[str, str], ...] = ()
    setting: tuple[tuple[str, str], ...] = ()
    group: str = ""

    @property
    def label(self) -> str:
        return f"{self.task} of {self.model.label} at {self.shots} shots"


@dataclass(frozen=True, slots=True)
class Point:
    """One metric of one task of one model. ``value`` is None where the source has no finite number for it.

    ``se`` and ``n`` (items) are None where the source does not tell them. ``preferred``: the task's headline metric.
    ``counted``: only part of the task's questions was asked, so that ``n`` cannot be known from elsewhere.
    """

    asked: Evaluation
    metric: str
    value: float | None
    se: float | None = None
    n: int | None = None
    higher_is_better: bool = True
    chance: float | None = None
    ceiling: float | None = None
    preferred: bool = False
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One answered question with the source's own scores of it (None: not finite). ``example.id`` joins models.

    ``same`` is a fingerprint of the question where the source has one: equal ids must have equal ones. ``again``: the
    question was answered before in this file and only the scores are new (another filter of the same answer).
    """

    example: Example
    answer: Answer
    scores: Mapping[str, float | None] = field(default_factory=dict)
    same: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Samples:
    """The answers of one model to one task, read as they are needed. ``better`` says which way a metric counts.

    ``complete``: the source holds every score there is to be; none is computed from the answers besides.
    """

    asked: Evaluation
    path: Path
    rows: Iterable[Sample]
    better: Mapping[str, bool] = field(default_factory=dict)
    complete: bool = False


Found = Point | Samples
Role = Literal["head", "part", ""]


@dataclass(frozen=True, slots=True)
class Reader:
    """A format. ``role`` of a file: "head" (``read`` begins there), "part" (read along with a head), "" (not ours)."""

    name: str
    role: Callable[[SourceFile], Role]
    read: Callable[[SourceFile], Iterable[Found]]
    last: bool = False


_READERS: dict[str, Reader] = {}


def reader(
    name: str, role: Callable[[SourceFile], Role], *, last: bool = False
) -> Callable[[Callable[[SourceFile], Iterable[Found]]], Reader]:
    """Register the decorated function as the reader of a format; ``last``: asked only when no other knows the file."""

    def register(read: Callable[[SourceFile], Iterable[Found]]) -> Reader:
        only_one("format of results", name, _READERS[name].read if name in _READERS else None, read)
        _READERS[name] = Reader(name, role, read, last)
        return _READERS[name]

    return register


def all_readers() -> dict[str, Reader]:
    """Every format by name, those that know any table last."""
    package = import_module("scalecurve.io.importers")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return {one.name: one for one in sorted(_READERS.values(), key=lambda one: (one.last, one.name))}
