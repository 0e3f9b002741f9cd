"""The common shape of results measured elsewhere, and the registry of the formats they come in.

A format is one module of ``scalecurve.exchange.readers`` with one function decorated ``@reader(name, role)``. It turns
files into ``Point`` (a score of a task, with its error where stated) and ``Samples`` (the answers behind scores).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal

from scalecurve.nouns import Answer, Example

if TYPE_CHECKING:
    from scalecurve.exchange.sources import Source

STRATEGY = "published"
AXES = ("params_non_embedding", "params_total", "training_flops", "training_tokens", "step", "loss")
LOWER_IS_BETTER = frozenset(
    "ppl perplexity word_perplexity byte_perplexity token_perplexity bits_per_byte bpb brier brier_score loss "
    "cross_entropy ce_loss wer cer ter mae mse rmse ece calibration_error toxicity toxic_frac".split()
)
SHARES = frozenset(
    "acc accuracy acc_norm acc_bytes acc_mutual_info em exact_match quasi_exact_match prefix_exact_match f1 f1_score "
    "pass@1 pass@10 pass@100 pct_stereotype mcc1 mc1 mc2 acc_raw acc_per_char acc_per_token acc_per_byte acc_uncond "
    "humaneval_pass@1 match includes".split()
)
"""Metrics that are shares of items by definition: 0–1, or 0–100 where a file writes percent."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model in the source's words: a Hub id, path or name, its branch or step, and what the source says of its size.

    ``family`` is given only where the source itself groups models into families.
    """

    name: str
    revision: str = ""
    family: str = ""
    params_non_embedding: int | None = None
    params_total: int | None = None
    training_flops: float | None = None
    training_tokens: int | None = None
    step: int | None = None
    loss: float | None = None

    @property
    def label(self) -> str:
        return self.name + (f"@{self.revision}" if self.revision else "")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of which model. ``version`` names the task's version and prompts, "" where unknown."""

    model: Model
    task: str
    shots: int
    version: str = ""
    seed: int = 0
    strategy: str = STRATEGY

    @property
    def label(self) -> str:
        return f"{self.task} of {self.model.label} at {self.shots} shots"


@dataclass(frozen=True, slots=True)
class Point:
    """One metric of one task of one model. ``value`` is None where the source has no finite number for it.

    ``se`` and ``n`` (items) are None where the source does not tell them. ``preferred``: the task's headline metric.
    """

    asked: Asked
    metric: str
    value: float | None
    se: float | None = None
    n: int | None = None
    higher_is_better: bool = True
    chance: float | None = None
    ceiling: float | None = None
    preferred: bool = False


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
    """The answers of one model to one task, read as they are needed. ``better`` says which way a metric counts."""

    asked: Asked
    path: Path
    rows: Iterable[Sample]
    better: Mapping[str, bool] = field(default_factory=dict)


Found = Point | Samples
Role = Literal["head", "part", ""]


@dataclass(frozen=True, slots=True)
class Reader:
    """A format. ``role`` of a file: "head" (``read`` begins there), "part" (read along with a head), "" (not ours)."""

    name: str
    role: Callable[[Source], Role]
    read: Callable[[Source], Iterable[Found]]
    last: bool = False


_READERS: dict[str, Reader] = {}


def reader(
    name: str, role: Callable[[Source], Role], *, last: bool = False
) -> Callable[[Callable[[Source], Iterable[Found]]], Reader]:
    """Register the decorated function as the reader of a format; ``last``: asked only when no other knows the file."""

    def register(read: Callable[[Source], Iterable[Found]]) -> Reader:
        _READERS[name] = Reader(name, role, read, last)
        return _READERS[name]

    return register


def all_readers() -> dict[str, Reader]:
    """Every format by name, those that know any table last."""
    package = import_module("scalecurve.exchange.readers")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return {one.name: one for one in sorted(_READERS.values(), key=lambda one: (one.last, one.name))}


def finite(value: Any) -> float | None:
    """A finite number, or None for anything else ("N/A", NaN, missing)."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number of more than 308 digits
        return None


def item_score(value: Any) -> float | None:
    """An item's score: ``finite``, and booleans as 0 and 1."""
    return float(value) if isinstance(value, bool) else finite(value)


def higher_is_better(metric: str) -> bool:
    """Which way a metric counts, by its name (what stands before a comma)."""
    return metric.partition(",")[0].lower() not in LOWER_IS_BETTER


def is_share(metric: str) -> bool:
    """Whether a metric is a share of items by definition, by its name."""
    return metric.partition(",")[0].lower() in SHARES


def safe_name(name: str) -> str:
    """lm-evaluation-harness's rule for folders, and ours for samples; a NUL, which no name can hold, goes too."""
    return re.sub(r"[\"<>:/|\\?*\[\]\0]+", "__", name)


def words(text: str) -> int:
    """The length of a text whose tokens were not counted."""
    return len(text.split())
