"""What blind guessing earns and what is attainable, for a metric on a task."""

from __future__ import annotations

import math

from scalecurve.metrics.registry import aggregate, get_metric
from scalecurve.tasks.reader import blind_grade
from scalecurve.types import Answer, Task

_GRADES = frozenset({"multiple_choice_grade", "acc", "acc_norm", "acc_bytes"})
_UNIFORM = frozenset(
    "option_probability brier brier_score calibration_multiple_choice_brier_score classification_loss".split()
)


def bounds(task: Task, metric: str) -> tuple[float | None, float | None]:
    """Chance and ceiling of ``metric`` on the examples of ``task``; None where there is no such level.

    Chance of a grade is the mean over examples of Σ scores / options; of a probability, loss or Brier score, what
    equal probabilities earn; of a generated answer, the metric's lowest value; of a partial metric, its own. A
    lower-is-better metric has its best value, 0, as ceiling.
    """
    definition = get_metric(metric)
    if not definition.bounded:
        return None, None
    ceiling = definition.high if definition.higher_is_better else definition.low
    if definition.partial:
        return definition.chance, ceiling
    graded = tuple(example for example in task.examples if example.options)
    if metric == task.preferred_metric:
        return task.chance, task.ceiling if task.ceiling < 1.0 else ceiling
    if metric in _GRADES:
        open_ended = task.harness is not None and task.harness.output_type == "loglikelihood"
        return 0.0 if open_ended else blind_grade(graded), ceiling
    if metric in _UNIFORM and graded:
        even = [Answer(e.id, "", option_logprobs=(-math.log(len(e.options)),) * len(e.options)) for e in graded]
        return aggregate(task, metric, graded, even, replicates=2)[0], ceiling
    return (None if "options" in definition.needs else definition.low), ceiling
