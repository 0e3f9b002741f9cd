"""BIG-bench's aggregates: leaves to tasks, tasks to the benchmark, to BIG-bench Lite, and to keywords.

Each leaf has a preferred metric with a low and a high score; its normalised score is 100 (preferred − low) / (high −
low), not clipped. A task's is the mean over its leaves, a benchmark's the mean over tasks. Source: ``bigbench`` 1.0.0,
``api/results.py``; arXiv 2206.04615, section 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scalecurve.metrics.registry import get_metric
from scalecurve.tasks.task_score import TaskScore
from scalecurve.types import Task

AGGREGATE = "normalized_aggregate_score"


def leaf_score(task: Task, shots: int, scores: Mapping[str, float | None]) -> TaskScore:
    """A leaf's scores with the range of its preferred metric; scores that are None are left out.

    Low is the chance level for multiple_choice_grade; high is 1 there, or in corrected mode the ceiling.
    """
    metric = get_metric(task.preferred_metric)
    graded = task.preferred_metric == "multiple_choice_grade"
    known = {name: float(value) for name, value in scores.items() if value is not None}
    low, high = (task.chance, task.ceiling) if graded else (metric.low, metric.high)
    return TaskScore(task.name, shots, known, task.preferred_metric, low, high)


def aggregate_leaves(name: str, leaves: Sequence[TaskScore]) -> TaskScore:
    """The task ``name`` from its leaves at one number of shots.

    Every metric is the unweighted mean over the leaves that have it. Preferred is multiple_choice_grade where all
    leaves prefer it, a single leaf's own, and else the normalised aggregate. A row of the aggregate itself among
    several leaves is left out. ``normalized_aggregate_score`` is missing when a leaf's preferred score is.
    """
    leaves = [leaf for leaf in leaves if leaf.name != name] or leaves
    metrics = dict.fromkeys(metric for leaf in leaves for metric in leaf.scores if metric != AGGREGATE)
    scores = {metric: _mean([leaf.scores[metric] for leaf in leaves if metric in leaf.scores]) for metric in metrics}
    parts = [leaf.normalised for leaf in leaves]
    whole = [part for part in parts if part is not None]
    if len(whole) == len(parts):
        scores[AGGREGATE] = _mean(whole)
    preferred, low, high = AGGREGATE, 0.0, 100.0
    if all(leaf.preferred == "multiple_choice_grade" for leaf in leaves):
        preferred, low, high = "multiple_choice_grade", _mean([leaf.low for leaf in leaves]), 1.0
    elif len(leaves) == 1 and leaves[0].name == name:
        preferred, low, high = leaves[0].preferred, leaves[0].low, leaves[0].high
    return TaskScore(name, leaves[0].shots, scores, preferred, low, high)


def aggregate_tasks(leaves: Iterable[TaskScore]) -> dict[tuple[str, int], TaskScore]:
    """(task, shots) → the task's score, from leaves named "task" or "task:subtask"."""
    groups: dict[tuple[str, int], list[TaskScore]] = {}
    for leaf in leaves:
        groups.setdefault((leaf.name.partition(":")[0], leaf.shots), []).append(leaf)
    return {key: aggregate_leaves(key[0], group) for key, group in groups.items()}


@dataclass(frozen=True, slots=True)
class BenchmarkScore:
    """The mean normalised score over tasks, how many tasks it rests on, and which are missing."""

    name: str
    shots: int
    score: float | None
    tasks: int
    missing: tuple[str, ...] = ()


def aggregate_benchmark(
    name: str, shots: int, tasks: Mapping[tuple[str, int], TaskScore], wanted: Iterable[str]
) -> BenchmarkScore:
    """The benchmark ``name`` made of the tasks ``wanted``; those without a score are named, never counted as zero."""
    found: list[float] = []
    missing: list[str] = []
    for task in wanted:
        score = tasks.get((task, shots))
        value = score.scores.get(AGGREGATE) if score else None
        if value is None:
            missing.append(task)
        else:
            found.append(value)
    return BenchmarkScore(name, shots, _mean(found) if found else None, len(found), tuple(missing))


def by_keyword(
    shots: int, tasks: Mapping[tuple[str, int], TaskScore], keywords: Mapping[str, Iterable[str]]
) -> dict[str, BenchmarkScore]:
    """Keyword → the mean normalised score of the tasks that carry it. ``keywords`` maps each task to its keywords."""
    members: dict[str, list[str]] = {}
    for task, own in keywords.items():
        for keyword in own:
            members.setdefault(keyword, []).append(task)
    return {word: aggregate_benchmark(word, shots, tasks, names) for word, names in sorted(members.items())}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
