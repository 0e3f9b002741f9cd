"""Metrics of scored options: which is best, how sure the model is, and how well that fits.

Log-probabilities are summed over the tokens of an option, in nats, and normalised over the options by log-sum-exp; no
length normalisation. Source of the BIG-bench metrics: ``bigbench`` 1.0.0, ``api/task_metrics.py``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from scalecurve.metrics.registry import OPTIONS, Corpus, metric
from scalecurve.types import Answer, Example, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

BINS = 15
NEAR_TIE = 1e-6


# ── Log-probabilities of the options ─────────────────────────────────────────────────────────────────────────
def absolute(example: Example, answer: Answer) -> Array | None:
    """Log-probabilities in the order of the example's options; None when any is missing or NaN, or all are −∞.

    None too when other options than the example's were scored, such as the verdicts of a gate.
    """
    if not example.options or len(answer.option_logprobs) != len(example.options):
        return None
    if answer.options and answer.options != example.options:
        return None
    return _arrays(answer.option_logprobs)[0]


@lru_cache(maxsize=4096)
def _arrays(logprobs: tuple[float, ...]) -> tuple[Array | None, Array | None]:
    """The log-probabilities and the probabilities of options, read-only; several metrics ask for them in turn."""
    import numpy as np

    values = np.asarray(logprobs, dtype=np.float64)
    if np.isnan(values).any() or not np.isfinite(values).any() or np.isposinf(values).any():
        return None, None
    shifted = np.exp(values - values.max())
    shares: Array = shifted / shifted.sum()
    values.flags.writeable = shares.flags.writeable = False
    return values, shares


def normalised(values: Array) -> Array:
    """Log-probabilities given that one of the options is the answer."""
    from scipy.special import logsumexp

    out: Array = values - logsumexp(values)
    return out


def probabilities(example: Example, answer: Answer) -> Array | None:
    """Probability of each option among the options."""
    return None if absolute(example, answer) is None else _arrays(answer.option_logprobs)[1]


def tie_rule(values: Sequence[float]) -> int:
    """The index of the greatest value. Among equals a hash decides, so that position earns nothing.

    SHA-256 of the float64 little-endian bytes of all values, as an integer, modulo the number of maxima.
    """
    import numpy as np

    array = np.asarray(values, dtype="<f8")
    maxima = np.flatnonzero(array == array.max())
    return int(maxima[int(hashlib.sha256(array.tobytes()).hexdigest(), 16) % len(maxima)])


def chosen(example: Example, answer: Answer) -> int | None:
    """The index of the option the model prefers; None when options were not scored."""
    values = absolute(example, answer)
    if values is None:
        return None
    best = int(values.argmax())
    if (values > values[best] - NEAR_TIE).sum() == 1:  # then normalising cannot make a tie
        return best
    return tie_rule(normalised(values).tolist())


def _shares(example: Example) -> Array:
    """Option scores as shares of their sum; zeros when the sum is zero."""
    import numpy as np

    scores = np.asarray(example.option_scores, dtype=np.float64)
    total = scores.sum()
    return scores / total if total else scores


def _correct(example: Example) -> list[bool]:
    """Which options are the best there are."""
    best = max(example.option_scores)
    return [score == best for score in example.option_scores]


# ── Metrics of single examples ───────────────────────────────────────────────────────────────────────────────
@metric("multiple_choice_grade", needs=OPTIONS, binary=True)
def multiple_choice_grade(task: Task, example: Example, answer: Answer) -> float | None:
    """What the option of highest log-probability is worth."""
    at = chosen(example, answer)
    return None if at is None else example.option_scores[at]


@metric("option_probability", needs=OPTIONS)
def option_probability(task: Task, example: Example, answer: Answer) -> float | None:
    """Probability of the correct options among the options."""
    p = probabilities(example, answer)
    return None if p is None else min(1.0, float(p[_correct(example)].sum()))


@metric("correct_logprob", -10.0, 0.0, needs=OPTIONS, bounded=False)
def correct_logprob(task: Task, example: Example, answer: Answer) -> float | None:
    """Log of the summed probability of the correct options, absolute (nats)."""
    values = absolute(example, answer)
    return None if values is None else log_sum(values[_correct(example)].tolist())


@metric("wrong_logprob", -10.0, 0.0, needs=OPTIONS, bounded=False, higher_is_better=False)
def wrong_logprob(task: Task, example: Example, answer: Answer) -> float | None:
    """Log of the summed probability of the wrong options, absolute (nats); none where every option is correct."""
    values = absolute(example, answer)
    wrong = [not correct for correct in _correct(example)] if values is not None else []
    return log_sum(values[wrong].tolist()) if values is not None and any(wrong) else None


@metric("brier", 0.0, 2.0, needs=OPTIONS, higher_is_better=False)
def brier(task: Task, example: Example, answer: Answer) -> float | None:
    """Brier's score: Σ (p − t)² over options, t the option scores as shares of their sum."""
    p = probabilities(example, answer)
    return None if p is None else float(((p - _shares(example)) ** 2).sum())


@metric("weighted_probabilities", -1.0, 1.0, needs=OPTIONS)
def weighted_probabilities(task: Task, example: Example, answer: Answer) -> float | None:
    """Σ score · absolute probability over options."""
    import numpy as np

    values = absolute(example, answer)
    return None if values is None else float((np.asarray(example.option_scores) * np.exp(values)).sum())


@metric("weighted_log_probabilities", -10.0, 0.0, needs=OPTIONS, bounded=False)
def weighted_log_probabilities(task: Task, example: Example, answer: Answer) -> float | None:
    """Σ score · absolute log-probability over options."""
    import numpy as np

    values = absolute(example, answer)
    if values is None:
        return None
    scores = np.asarray(example.option_scores)
    return float((scores[scores != 0] * values[scores != 0]).sum())


def log_sum(values: Sequence[float]) -> float:
    """log Σ exp; −∞ of nothing but −∞. ``ValueError`` without a value."""
    top = max(values)
    return top if math.isinf(top) else top + math.log(math.fsum(math.exp(value - top) for value in values))


# ── Metrics of the whole leaf ────────────────────────────────────────────────────────────────────────────────
@metric("calibration_multiple_choice_brier_score", needs=OPTIONS, higher_is_better=False, corpus=True)
def calibration_brier(task: Task, examples: Sequence[Example], answers: Sequence[Answer]) -> Corpus:
    """BIG-bench's Brier score: Σ t(p−1)² + (1−t)p² over all options of all examples, by their number."""
    import numpy as np

    rows = np.full((len(examples), 2), np.nan)
    for at, (example, answer) in enumerate(zip(examples, answers, strict=True)):
        p = probabilities(example, answer)
        if p is not None:
            t = _shares(example)
            rows[at] = (t * (p - 1) ** 2 + (1 - t) * p**2).sum(), len(p)
    return Corpus(rows, lambda total: float(total[0] / total[1]) if total[1] else math.nan)


@metric("expected_calibration_error", needs=OPTIONS, higher_is_better=False, corpus=True)
def expected_calibration_error(task: Task, examples: Sequence[Example], answers: Sequence[Answer]) -> Corpus:
    """Mean distance of confidence and accuracy over 15 bins of the highest probability."""
    import numpy as np

    rows = np.full((len(examples), 3 * BINS), np.nan)
    for at, (example, answer) in enumerate(zip(examples, answers, strict=True)):
        p = probabilities(example, answer)
        if p is not None:
            right = int(np.argmax(_shares(example))) == int(np.argmax(p))
            bin_ = next((j for j in range(BINS - 1) if p.max() < float((j + 1) / BINS)), BINS - 1)
            rows[at] = 0.0
            rows[at, bin_::BINS] = 1.0, float(right), p.max()

    def combine(total: Array) -> float:
        count, accuracy, confidence = total.reshape(3, BINS)
        return float(np.abs(accuracy - confidence).sum() / count.sum()) if count.sum() else math.nan

    return Corpus(rows, combine)


@metric("macro_f1", needs=OPTIONS, corpus=True)
def macro_f1(task: Task, examples: Sequence[Example], answers: Sequence[Answer]) -> Corpus:
    """F1 averaged over the option texts that are right or chosen; needs exactly one right option an example."""
    import numpy as np

    labels = {option: at for at, option in enumerate(sorted({o for example in examples for o in example.options}))}
    k = len(labels)
    rows = np.full((len(examples), 3 * k), np.nan)
    for at, (example, answer) in enumerate(zip(examples, answers, strict=True)):
        pick = chosen(example, answer)
        if pick is not None and sorted(example.option_scores)[-1] == sum(example.option_scores) == 1:
            right = labels[example.options[example.option_scores.index(1)]]
            said = labels[example.options[pick]]
            rows[at] = 0.0
            rows[at, right] += 1
            rows[at, k + said] += 1
            rows[at, 2 * k + right] += float(right == said)

    def combine(total: Array) -> float:
        true, said, both = total.reshape(3, k)
        present = true + said > 0
        return float((2 * both[present] / (true + said)[present]).mean()) if present.any() else math.nan

    return Corpus(rows, combine)
