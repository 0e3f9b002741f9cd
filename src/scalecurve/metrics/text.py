"""Metrics of the generated response, and of the log-probability of the targets.

BIG-bench's keep its scale (BLEU, ROUGE and sequence_f1 are 0–100). Source: ``bigbench`` 1.0.0,
``api/task_metrics.py``, and the settings of ``t5.evaluation.metrics`` it calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from scalecurve.metrics.choice import absolute, log_sum
from scalecurve.metrics.registry import TARGETS, TEXT, Corpus, metric
from scalecurve.tasks.postprocess import case_insensitive_match, disregarding, exact_match
from scalecurve.tasks.postprocess import numeric_match as numbers_match
from scalecurve.types import Answer, Example, Task

NGRAMS = 4


# ── Matches ──────────────────────────────────────────────────────────────────────────────────────────────────
def _response(answer: Answer) -> str | None:
    """The response; "" where a text was generated but no answer found in it; None where none was generated."""
    return None if answer.text is None else answer.response or ""


def _exact(task: Task, example: Example, answer: Answer) -> float | None:
    """1 when the response is one of the targets, character for character."""
    response = _response(answer)
    if response is not None and task.harness and task.harness.ignore:
        told = disregarding(response, task.harness.ignore)
        return float(any(told == disregarding(target, task.harness.ignore) for target in example.targets))
    return None if response is None else float(exact_match(response, _targets(task, example)))


metric("exact_match", needs=TEXT, binary=True)(_exact)
metric("exact_str_match", needs=TEXT, binary=True)(_exact)


@metric("case_insensitive_str_match", needs=TEXT, binary=True)
def case_insensitive(task: Task, example: Example, answer: Answer) -> float | None:
    """1 when the response is one of the targets but for case and outer blanks."""
    response = _response(answer)
    return None if response is None else float(case_insensitive_match(response, example.targets))


@metric("numeric_match_with_0_1_relative_error", needs=TEXT, binary=True)
def numeric_match(task: Task, example: Example, answer: Answer) -> float | None:
    """1 when the response is a number within a tenth of the target."""
    response, repaired = _response(answer), "corrected:negative_targets" in task.flags
    return None if response is None else float(numbers_match(response, example.targets, repaired=repaired))


@metric("extraction_rate", needs=TEXT)
def extraction_rate(task: Task, example: Example, answer: Answer) -> float | None:
    """1 when an answer was found in the generated text."""
    return None if answer.text is None else float(bool(answer.response))


def _targets(task: Task, example: Example) -> tuple[str, ...]:
    """The targets; without outer blanks where the repaired post-processing strips the response."""
    if "corrected:structural_zeros" in task.flags:
        return tuple(target.strip() for target in example.targets)
    return example.targets


# ── Closeness ────────────────────────────────────────────────────────────────────────────────────────────────
@metric("edit_similarity", needs=TEXT)
def edit_similarity(task: Task, example: Example, answer: Answer) -> float | None:
    """1 − edit distance / length of the longer text, over characters without outer blanks; the best target counts."""
    from rapidfuzz.distance import Levenshtein

    response = _response(answer)
    if response is None:
        return None
    return max(Levenshtein.normalized_similarity(response.strip(), target.strip()) for target in example.targets)


@metric("bleu", 0.0, 100.0, needs=TEXT, corpus=True)
def bleu(task: Task, examples: Sequence[Example], answers: Sequence[Answer]) -> Corpus:
    """Corpus BLEU (sacrebleu, tokeniser intl, exponential smoothing), 0–100, against all targets."""
    import numpy as np
    from sacrebleu.metrics.bleu import BLEU

    scorer = BLEU(tokenize="intl", smooth_method="exp")
    rows = np.full((len(examples), 2 + 2 * NGRAMS), np.nan)
    for at, (example, answer) in enumerate(zip(examples, answers, strict=True)):
        response = _response(answer)
        if response is not None:
            one = scorer.corpus_score([response], [[target] for target in example.targets])
            rows[at] = one.sys_len, one.ref_len, *one.counts, *one.totals

    def combine(total: Any) -> float:
        counts, totals = [int(x) for x in total[2 : 2 + NGRAMS]], [int(x) for x in total[2 + NGRAMS :]]
        result = BLEU.compute_bleu(counts, totals, int(total[0]), int(total[1]), smooth_method="exp")
        return float(result.score)

    return Corpus(rows, combine)


def _rouge(kind: str) -> None:
    def rouge(task: Task, example: Example, answer: Answer) -> float | None:
        response = _response(answer)
        if response is None:
            return None
        spoken = _sentences(response)
        found = (_rouge_scorer(kind).score(_sentences(target), spoken)[kind] for target in example.targets)
        return 100.0 * max(float(one.fmeasure) for one in found)

    rouge.__doc__ = f"F measure of {kind} × 100 without stemming, against the best target."
    metric(kind, 0.0, 100.0, needs=TEXT)(rouge)


for _kind in ("rouge1", "rouge2", "rougeLsum"):
    _rouge(_kind)


@lru_cache(maxsize=3)
def _rouge_scorer(kind: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind])


def _sentences(text: str) -> str:
    return text.replace(" . ", " .\n")


@metric("sequence_f1", 0.0, 100.0, needs=TEXT)
def sequence_f1(task: Task, example: Example, answer: Answer) -> float | None:
    """Token accuracy × 100 against the first target, tokens split at spaces, the response padded with O."""
    response = _response(answer)
    if response is None:
        return None
    wanted, said = example.targets[0].split(" "), response.split(" ")
    said += ["O"] * (len(wanted) - len(said))
    return 100.0 * sum(a == b for a, b in zip(wanted, said, strict=False)) / len(wanted)


# ── Log-probability of the targets ───────────────────────────────────────────────────────────────────────────
def _log_probs(answer: Answer) -> list[float] | None:
    values = [float(value) for value in answer.target_logprobs]
    return None if not values or any(math.isnan(value) for value in values) else values


@metric("target_logprob", -10.0, 0.0, needs=TARGETS, bounded=False)
def target_logprob(task: Task, example: Example, answer: Answer) -> float | None:
    """Log-probability (nats, summed) of the option of highest score, else of the likeliest target."""
    values = absolute(example, answer)
    if values is not None:
        best = max(example.option_scores)
        worth = (value for value, s in zip(values.tolist(), example.option_scores, strict=True) if s == best)
        return max(float(value) for value in worth)
    found = _log_probs(answer)
    return None if found is None else max(found)


@metric("bits_per_byte", 0.0, math.inf, needs=TARGETS, higher_is_better=False, bounded=False)
def bits_per_byte(task: Task, example: Example, answer: Answer) -> float | None:
    """Bits for each byte (UTF-8) of the right answer: the likeliest of the best options, else of the targets.

    Another unit of ``target_logprob``, in which answers of any length and tokenizers of any kind compare
    (arXiv 2412.04403).
    """
    values = absolute(example, answer)
    if values is not None:
        best = max(example.option_scores)
        worth = [
            (float(v), o) for v, o, s in zip(values, example.options, example.option_scores, strict=True) if s == best
        ]
    else:
        worth = list(zip(_log_probs(answer) or (), example.targets, strict=False))
    if not worth:
        return None
    value, text = max(worth)
    size = len(text.encode())
    return -value / size / math.log(2) if size else None


@metric("log_likelihood", -10.0, 0.0, needs=TARGETS, bounded=False)
def log_likelihood(task: Task, example: Example, answer: Answer) -> float | None:
    """Log of the summed probability of all targets (nats)."""
    values = _log_probs(answer)
    return None if values is None else log_sum(values)


@metric("log_likelihood_per_word", -10.0, 0.0, needs=TARGETS, bounded=False)
def log_likelihood_per_word(task: Task, example: Example, answer: Answer) -> float | None:
    """Log-probability of the only target by its number of words; none in a leaf with several targets an example."""
    return _per(task, answer, len(example.targets[0].split()))


@metric("log_likelihood_per_char", -10.0, 0.0, needs=TARGETS, bounded=False)
def log_likelihood_per_char(task: Task, example: Example, answer: Answer) -> float | None:
    """Log-probability of the only target by its number of characters; none in a leaf with several an example."""
    return _per(task, answer, len(example.targets[0]))


def _per(task: Task, answer: Answer, units: int) -> float | None:
    values = _log_probs(answer)
    if values is None or not units or len(values) > 1:
        return None
    return values[0] / units
