"""The Inverse Scaling Prize's metrics (McKenzie et al. 2023, arXiv 2306.09479), over options, completions and numbers.

The plain functions take log-probabilities (summed over the tokens of a class, in nats); the registered metrics apply
them to answers. A class of several right options counts as their sum.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from scalecurve.metrics.choice import absolute, correct_logprob, log_sum, wrong_logprob
from scalecurve.metrics.registry import OPTIONS, TARGETS, TEXT, metric
from scalecurve.metrics.text import target_logprob
from scalecurve.types import Answer, Example, Task


# ── From log-probabilities ───────────────────────────────────────────────────────────────────────────────────
def classification_loss(class_logprobs: Sequence[float], answer: int) -> float:
    """−log p(correct class), the log-probabilities (summed, nats) normalised over the classes."""
    return log_sum(class_logprobs) - class_logprobs[answer]


def log_odds(class_logprobs: Sequence[float], answer: int) -> float:
    """log p(correct) − log p(wrong) of two classes."""
    if len(class_logprobs) != 2:
        raise ValueError(f"log-odds need two classes, not {len(class_logprobs)}")
    return class_logprobs[answer] - class_logprobs[1 - answer]


def log_odds_shift(prompt: Sequence[float], other_prompt: Sequence[float], answer: int) -> float:
    """How far a changed prompt moves the log-odds of the first class; negated when the answer is the second.

    Both arguments are the two classes' log-probabilities, under the prompt and under the other prompt (the form of the
    pipeline before the Prize). Its absolute value is the metric absolute_logodds.
    """
    shift = log_odds(prompt, 0) - log_odds(other_prompt, 0)
    return -shift if answer == 1 else shift


def sequence_loss(completion_logprob: float) -> float:
    """−log p(completion)."""
    return -completion_logprob


# ── Of answers ───────────────────────────────────────────────────────────────────────────────────────────────
@metric("classification_loss", 0.0, math.inf, needs=OPTIONS, higher_is_better=False)
def _classification_loss(task: Task, example: Example, answer: Answer) -> float | None:
    """−log of the probability of the right options among the options (nats)."""
    values, right = absolute(example, answer), correct_logprob(task, example, answer)
    return None if values is None or right is None else log_sum(values.tolist()) - right


@metric("log_odds", -math.inf, math.inf, needs=OPTIONS, bounded=False)
def _log_odds(task: Task, example: Example, answer: Answer) -> float | None:
    """Log-probability of the right options minus that of the wrong ones (nats)."""
    right, wrong = correct_logprob(task, example, answer), wrong_logprob(task, example, answer)
    return None if right is None or wrong is None else right - wrong


@metric("class_coverage", needs=OPTIONS)
def class_coverage(task: Task, example: Example, answer: Answer) -> float | None:
    """Probability that the model writes any of the options at all; low values make the others mean little."""
    values = absolute(example, answer)
    return None if values is None else min(1.0, math.exp(log_sum(values.tolist())))


@metric("sequence_loss", 0.0, math.inf, needs=TARGETS, bounded=False, higher_is_better=False)
def _sequence_loss(task: Task, example: Example, answer: Answer) -> float | None:
    """−log-probability of the completion (nats, summed)."""
    value = target_logprob(task, example, answer)
    return None if value is None else sequence_loss(value)


# ── Of numbers ───────────────────────────────────────────────────────────────────────────────────────────────
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@metric("relative_error", 0.0, math.inf, needs=TEXT, bounded=False, higher_is_better=False)
def relative_error(task: Task, example: Example, answer: Answer) -> float | None:
    """|estimate − true| / |true| (divided by 1 when the true answer is 0); none without a number in the response."""
    estimate, true = _number(answer.response), _number(example.targets[0])
    return None if estimate is None or true is None else abs(estimate - true) / (abs(true) or 1.0)


@metric("anchor_pull", -math.inf, math.inf, needs=TEXT, bounded=False, higher_is_better=False)
def anchor_pull(task: Task, example: Example, answer: Answer) -> float | None:
    """How far the estimate lies from the true answer towards the anchor: 0 at the truth, 1 at the anchor."""
    estimate, true = _number(answer.response), _number(example.targets[0])
    anchor = _number(str(example.metadata.get("anchor", "")))
    if estimate is None or true is None or anchor is None or anchor == true:
        return None
    return (estimate - true) / (anchor - true)


def _number(text: str | None) -> float | None:
    found = _NUMBER.search(text or "")
    return float(found.group().replace(",", "")) if found else None
