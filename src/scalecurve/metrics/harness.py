"""lm-evaluation-harness's metrics of log-probabilities, on its own tasks and on any with options.

Source: lm_eval 0.4.13, ``api/task.py`` and ``api/metrics.py``; their behaviour, not their code. Unlike BIG-bench's, the
first of equally likely options counts as chosen. Lengths are of the option without the delimiter before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scalecurve.metrics.choice import absolute, brier
from scalecurve.metrics.registry import OPTIONS, Corpus, metric
from scalecurve.types import Answer, Example, Task


@metric("acc", needs=OPTIONS, binary=True)
def acc(task: Task, example: Example, answer: Answer) -> float | None:
    """1 when the option of highest log-probability is right; of a single target, when greedy decoding writes it."""
    if task.harness and task.harness.output_type == "loglikelihood":
        return float(answer.option_greedy[0]) if answer.option_greedy else None
    return _grade(task, example, answer, lambda text: 1)


@metric("acc_norm", needs=OPTIONS, binary=True)
def acc_norm(task: Task, example: Example, answer: Answer) -> float | None:
    """1 when the option of highest log-probability by its number of characters is right."""
    return _grade(task, example, answer, len)


@metric("acc_bytes", needs=OPTIONS, binary=True)
def acc_bytes(task: Task, example: Example, answer: Answer) -> float | None:
    """1 when the option of highest log-probability by its number of UTF-8 bytes is right."""
    return _grade(task, example, answer, lambda text: len(text.encode("utf-8", "surrogatepass")))


@metric("brier_score", 0.0, 2.0, needs=OPTIONS, higher_is_better=False)
def brier_score(task: Task, example: Example, answer: Answer) -> float | None:
    """Σ (p − onehot)² over options."""
    value: float | None = brier(task, example, answer)
    return value


@metric("perplexity", 1.0, math.inf, needs=OPTIONS, higher_is_better=False, corpus=True, bounded=False)
def perplexity(task: Task, examples: Sequence[Example], answers: Sequence[Answer]) -> Corpus:
    """exp of minus the mean log-probability of the target: by target, not by token."""
    import numpy as np

    rows = np.full((len(examples), 2), np.nan)
    for at, (example, answer) in enumerate(zip(examples, answers, strict=True)):
        values = absolute(example, answer)
        if values is not None:
            rows[at] = float(values[int(np.argmax(example.option_scores))]), 1.0
    return Corpus(rows, lambda total: math.exp(min(700.0, -float(total[0] / total[1]))) if total[1] else math.nan)


def _grade(task: Task, example: Example, answer: Answer, size: Callable[[str], int]) -> float | None:
    """What the option of highest log-probability by its ``size`` is worth, the first of equals."""
    values = absolute(example, answer)
    if values is None:
        return None
    before = task.harness.target_delimiter if task.harness else ""
    sizes = [size(option.removeprefix(before)) for option in example.options]
    by_size = [value / length if length else -math.inf for value, length in zip(values.tolist(), sizes, strict=True)]
    return example.option_scores[by_size.index(max(by_size))]
