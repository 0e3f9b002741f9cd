"""The registry of metrics: what each is called, needs and ranges over, and how one is applied.

A metric of single examples is ``f(task, example, answer) -> float | None`` (None: cannot be computed). A corpus metric
is ``f(task, examples, answers) -> Corpus``: a row of sufficient statistics an example, and how a sum of rows becomes a
value. Sums are all a bootstrap over examples needs.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.types import Answer, Example, Task
from scalecurve.util.registry import only_one

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float64]

OPTIONS, TARGETS, TEXT = frozenset({"options"}), frozenset({"targets"}), frozenset({"text"})


@dataclass(frozen=True, slots=True)
class Corpus:
    """Statistics of shape (examples, d), a row of NaN where an example lacks the answer, and value of a summed row.

    ``clusters`` labels examples that a bootstrap must draw together (None: each is drawn alone).
    """

    rows: Rows
    combine: Callable[[Rows], float]
    clusters: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """``low`` and ``high`` are BIG-bench's range for normalisation; not ``bounded``: values may lie outside.

    ``binary`` marks metrics that are 0 or 1 for nearly every example, whose standard error needs a floor.
    ``partial`` marks metrics that are about some examples, or some strategies, only: where there is no value, none is
    missing. ``chance`` of a partial metric is what blind guessing earns on any task (None: no such level).
    ``unavailable`` says what the metric lacks on this machine ("" for nothing).
    """

    name: str
    low: float
    high: float
    higher_is_better: bool
    needs: frozenset[str]
    function: Callable[..., Any]
    corpus: bool = False
    bounded: bool = True
    binary: bool = False
    description: str = ""
    unavailable: Callable[[], str] = lambda: ""
    partial: bool = False
    chance: float | None = None


_METRICS: dict[str, Metric] = {}


def metric(
    name: str,
    low: float = 0.0,
    high: float = 1.0,
    *,
    needs: frozenset[str],
    higher_is_better: bool = True,
    corpus: bool = False,
    bounded: bool = True,
    binary: bool = False,
    unavailable: Callable[[], str] = lambda: "",
    partial: bool = False,
    chance: float | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the metric ``name``; its docstring's first line describes the metric."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        only_one("metric", name, _METRICS[name].function if name in _METRICS else None, function)
        described = (function.__doc__ or "").strip().splitlines()[:1]
        own = (higher_is_better, needs, function, corpus, bounded, binary, "".join(described), unavailable)
        _METRICS[name] = Metric(name, low, high, *own, partial, chance)
        return function

    return register


@cache
def all_metrics() -> dict[str, Metric]:
    """Every metric that can be computed on this machine, by name, in alphabetical order."""
    _import_all()
    return {name: one for name, one in sorted(_METRICS.items()) if not one.unavailable()}


def _import_all() -> None:
    package = import_module(__package__ or "scalecurve.metrics")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")


def get_metric(name: str) -> Metric:
    """The metric ``name``; ``UserError`` with the nearest names when there is none, or with what it lacks."""
    metrics = all_metrics()
    if name not in metrics:
        if refusal(name):
            raise UserError(f"metrics: {name} {refusal(name)}")
        near = difflib.get_close_matches(name, metrics, n=3)
        use = f"use {' or '.join(near)}; " if near else ""
        raise UserError(f"metrics: unknown metric {name!r}; {use}`scalecurve metrics list` shows all")
    return metrics[name]


def refusal(name: str) -> str:
    """What the metric ``name`` lacks to be computed on this machine; "" for nothing, or for an unknown name."""
    all_metrics()
    return _METRICS[name].unavailable() if name in _METRICS else ""


def held(example: Example, answer: Answer) -> frozenset[str]:
    """What an answer holds of "options", "targets" and "text": what a metric needs of it."""
    scored = bool(answer.option_logprobs) and answer.options in ((), example.options)
    parts = {"options": scored, "targets": scored or bool(answer.target_logprobs), "text": answer.text is not None}
    return frozenset(name for name, there in parts.items() if there)


def needed(metrics: Sequence[str]) -> frozenset[str]:
    """What must be asked of the model for these metrics: a subset of "options", "targets", "text"."""
    return frozenset().union(*(get_metric(name).needs for name in metrics))


def score(task: Task, example: Example, answer: Answer, metric: str) -> float | None:
    """The value of ``metric`` for one example, None when it cannot be computed (an error, nothing asked, not finite).

    For a corpus metric it is the value of this example alone; the task's value is not the mean of those.
    """
    if answer.error:
        return None
    definition = get_metric(metric)
    if definition.corpus:
        corpus: Corpus = definition.function(task, (example,), (answer,))
        value = corpus.combine(corpus.rows[0]) if math.isfinite(corpus.rows.sum()) else None
    else:
        value = definition.function(task, example, answer)
    return None if value is None or not math.isfinite(value) else float(value)


def aggregate(
    task: Task, metric: str, examples: Sequence[Example], answers: Sequence[Answer], *, replicates: int = 200
) -> tuple[float | None, float | None, int]:
    """The task's value, its standard error, and the number of examples it rests on; (None, None, 0) without any.

    Means have the sample standard error, for 0/1 metrics at least √(max(y(1−y), 1/n)/n). Corpus metrics have that of a
    bootstrap over examples.
    """
    if get_metric(metric).corpus:
        return _aggregate_corpus(get_metric(metric), task, examples, answers, replicates)
    scores = [score(task, example, answer, metric) for example, answer in zip(examples, answers, strict=True)]
    return summary(metric, scores)


def summary(metric: str, scores: Sequence[float | None]) -> tuple[float | None, float | None, int]:
    """``aggregate`` of a metric of single examples from their scores, None left out."""
    return mean_and_error([value for value in scores if value is not None], binary=get_metric(metric).binary)


def mean_and_error(values: Sequence[float], *, binary: bool) -> tuple[float | None, float | None, int]:
    """(mean, its sample standard error, number); of ``binary`` values the error has the floor of ``aggregate``."""
    n = len(values)
    if not n:
        return None, None, 0
    y = math.fsum(values) / n
    se = math.sqrt(math.fsum((value - y) ** 2 for value in values) / (n - 1) / n) if n > 1 else None
    if binary:
        se = max(se or 0.0, math.sqrt(max(y * (1 - y), 1 / n) / n))
    return y, se, n


def _aggregate_corpus(
    definition: Metric, task: Task, examples: Sequence[Example], answers: Sequence[Answer], replicates: int
) -> tuple[float | None, float | None, int]:
    import numpy as np

    kept = [(e, a) for e, a in zip(examples, answers, strict=True) if not a.error]
    if not kept:
        return None, None, 0
    corpus: Corpus = definition.function(task, [e for e, _ in kept], [a for _, a in kept])
    use = np.isfinite(corpus.rows).all(axis=1)
    rows = corpus.rows[use]
    n = len(rows)
    if not n:
        return None, None, 0
    y = corpus.combine(rows.sum(axis=0))
    if not math.isfinite(y):
        return None, None, 0
    if corpus.clusters is not None:
        rows = _summed(rows, np.asarray(corpus.clusters)[use])
    drawn = len(rows)
    draws = np.random.default_rng(0).multinomial(drawn, np.full(drawn, 1 / drawn), size=replicates)
    values = np.array([corpus.combine(counts @ rows) for counts in draws])
    values = values[np.isfinite(values)]
    return float(y), float(values.std(ddof=1)) if drawn > 1 and len(values) > 1 else None, n


def _summed(rows: Rows, labels: NDArray[np.str_]) -> Rows:
    """The sums of the rows of each label."""
    import numpy as np

    names, place = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(names), rows.shape[1]))
    np.add.at(sums, place, rows)
    return sums
