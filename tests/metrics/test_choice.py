"""Scored options at their edges: what is missing, what is tied, bins, labels and lengths."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.metrics import aggregate, score
from scalecurve.metrics.choice import absolute, chosen, normalised, probabilities, tie_rule
from scalecurve.types import Answer, Example, Harness, Task

TASK = Task("t", (), ("acc",), "acc")
INF, NAN = math.inf, math.nan


def graded(*scores: float, options: str = "abcdefgh") -> Example:
    return Example("e", "x", ("a",), tuple(options[: len(scores)]), scores)


def scored(*logprobs: float, **more: object) -> Answer:
    return Answer("e", "", option_logprobs=logprobs, **more)


def chances(*p: float) -> Answer:
    return scored(*(math.log(v) if v else -INF for v in p))


# ── What there is of log-probabilities ───────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("answer", "there"),
    [
        (scored(-1.0, -2.0), True),
        (scored(-1.0, -INF), True),
        (scored(-1.0), False),
        (scored(-1.0, -2.0, -3.0), False),
        (scored(-1.0, NAN), False),
        (scored(-1.0, INF), False),
        (scored(-INF, -INF), False),
        (scored(-1.0, -2.0, options=("a", "b")), True),
        (scored(-1.0, -2.0, options=("b", "a")), False),
        (Answer("e", ""), False),
    ],
)
def test_log_probabilities_are_there_or_not(answer: Answer, there: bool) -> None:
    example = graded(1, 0)
    assert (absolute(example, answer) is not None) is there
    assert (probabilities(example, answer) is not None) is there
    assert (chosen(example, answer) is not None) is there
    assert absolute(Example("e", "x", ("a",)), Answer("e", "")) is None


def test_shared_arrays_cannot_be_written_to() -> None:
    for array in (absolute(graded(1, 0), scored(-1.0, -2.0)), probabilities(graded(1, 0), scored(-1.0, -2.0))):
        assert array is not None
        assert array.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


@settings(deadline=None)
@given(st.lists(st.floats(-800, 0), min_size=2, max_size=6))
def test_probabilities_add_up_to_one(logprobs: list[float]) -> None:
    p = probabilities(graded(*([1.0] * len(logprobs))), scored(*logprobs))
    assert p is not None
    assert p.sum() == pytest.approx(1)
    assert np.exp(normalised(np.array(logprobs))) == pytest.approx(p)


def test_near_ties_are_ties_only_after_normalising() -> None:
    even = graded(1, 0)
    for tied in ((-1.0, -1.0), (-2.0, -2.0), (-5.0, -5.0)):
        assert chosen(even, scored(*tied)) == tie_rule(normalised(np.array(tied)).tolist())
    assert chosen(even, scored(-1.0, -1.0 - 1e-7)) == 0
    assert chosen(even, scored(-1.0 - 1e-7, -1.0)) == 1
    assert chosen(graded(0, 1, 0), scored(-3.0, -1.0, -2.0)) == 1


# ── Examples ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_several_right_options_count_together() -> None:
    example, answer = graded(1, 0, 1), chances(0.2, 0.3, 0.1)
    assert score(TASK, example, answer, "option_probability") == pytest.approx(0.5)
    assert score(TASK, example, answer, "correct_logprob") == pytest.approx(math.log(0.3))
    assert score(TASK, example, answer, "wrong_logprob") == pytest.approx(math.log(0.3))
    assert score(TASK, example, answer, "weighted_probabilities") == pytest.approx(0.3)
    assert score(TASK, example, answer, "weighted_log_probabilities") == pytest.approx(math.log(0.2) + math.log(0.1))
    assert score(TASK, example, answer, "target_logprob") == pytest.approx(math.log(0.2))
    assert score(TASK, graded(1, 1), chances(0.4, 0.6), "option_probability") == 1


def test_scores_between_nothing_and_all() -> None:
    example, answer = graded(0.2, 0.6), chances(0.5, 0.5)
    assert score(TASK, example, answer, "brier") == pytest.approx(2 * 0.25**2)
    assert score(TASK, example, answer, "weighted_probabilities") == pytest.approx(0.4)
    assert score(TASK, example, answer, "option_probability") == pytest.approx(0.5)  # of the best
    nothing = graded(0, 0)
    assert score(TASK, nothing, answer, "brier") == pytest.approx(0.5)
    assert score(TASK, nothing, chances(0.25, 0.75), "multiple_choice_grade") == 0


def test_an_impossible_option_that_is_worth_nothing_does_no_harm() -> None:
    assert score(TASK, graded(1, 0), chances(0.5, 0), "weighted_log_probabilities") == pytest.approx(math.log(0.5))
    assert score(TASK, graded(1, 0), chances(0, 0.5), "weighted_log_probabilities") is None
    assert score(TASK, graded(1, 0), chances(0.5, 0), "wrong_logprob") is None


# ── Leaves ───────────────────────────────────────────────────────────────────────────────────────────────────
def binned(p: list[float], right: list[bool]) -> float:
    """Fifteen equal bins of the highest probability; the last holds 1."""
    total = 0.0
    for j in range(15):
        members = [k for k, v in enumerate(p) if j / 15 <= v < (j + 1) / 15 or (j == 14 and v == 1)]
        total += abs(sum(right[k] - p[k] for k in members))
    return total / len(p)


def test_calibration_is_over_fifteen_bins() -> None:
    rng = np.random.default_rng(0)
    p = [*(0.5 + rng.integers(0, 500, 40) / 1000), 1.0, 8 / 15, 9 / 15]
    right = [bool(v < 0.2) for v in rng.uniform(size=len(p))]
    examples = [graded(1, 0) if yes else graded(0, 1) for yes in right]
    answers = [chances(v, 1 - v) for v in p]
    found, se, n = aggregate(TASK, "expected_calibration_error", examples, answers)
    exact = [float(probabilities(e, a).max()) for e, a in zip(examples, answers, strict=True)]
    assert (found, n) == (pytest.approx(binned(exact, right)), len(p))
    assert se is not None
    assert se > 0


@pytest.mark.parametrize(
    ("examples", "answers", "error"),
    [
        ([graded(1, 0)] * 2, [chances(0.9, 0.1), chances(0.1, 0.9)], 0.4),  # one bin: .9 against half right
        ([graded(1, 0)] * 2, [chances(0.9, 0.1), chances(0.4, 0.6)], 0.35),  # two bins: .1 and .6
        ([graded(1, 0, 0)], [chances(0.2, 0.4, 0.4)], 0.4),
        ([graded(1, 1)], [chances(0.3, 0.7)], 0.7),  # right is the first of the best
        ([graded(1, 0)], [chances(1.0, 0.0)], 0.0),
    ],
)
def test_calibration_by_hand(examples: list[Example], answers: list[Answer], error: float) -> None:
    assert aggregate(TASK, "expected_calibration_error", examples, answers)[0] == pytest.approx(error)


def test_the_brier_score_of_a_leaf_weighs_options_not_examples() -> None:
    name = "calibration_multiple_choice_brier_score"
    examples, answers = [graded(1, 0), graded(0, 1, 1, 0)], [chances(0.6, 0.4), chances(0.1, 0.2, 0.3, 0.4)]
    first = 2 * 0.4**2
    second = 0.1**2 + (0.5 * 0.8**2 + 0.5 * 0.2**2) + (0.5 * 0.7**2 + 0.5 * 0.3**2) + 0.4**2
    assert aggregate(TASK, name, examples, answers)[0] == pytest.approx((first + second) / 6)


def test_f1_over_the_labels_that_occur() -> None:
    told = [graded(1, 0, 0, options="abc"), graded(0, 1, 0, options="bca"), graded(0, 0, 1, options="cab")]
    answers = [chances(0.8, 0.1, 0.1), chances(0.6, 0.3, 0.1), chances(0.1, 0.7, 0.2)]
    # right: a, c, b; said: a, b, a. F1 of a: 2·1/(1 + 2), of b and c: 0
    assert aggregate(TASK, "macro_f1", told, answers)[0] == pytest.approx((2 / 3) / 3)
    assert aggregate(TASK, "macro_f1", told[:1], answers[:1])[0] == 1
    several, none, half = graded(1, 1), graded(0, 0), graded(0.5, 0.5)
    for unfit in (several, none, half):
        assert aggregate(TASK, "macro_f1", [unfit, told[0]], [chances(0.8, 0.2), answers[0]])[2] == 1


# ── The harness's ────────────────────────────────────────────────────────────────────────────────────────────
def test_accuracy_by_length() -> None:
    example = Example("e", "x", ("a",), (" é", " ab", " abcd"), (1.0, 0.0, 0.0))
    per_char = {"acc": 0, "acc_norm": 0, "acc_bytes": 0}
    answer = scored(-3.0, -2.9, -7.0)
    # by characters with the blank: −1.5, −.97, −1.4; by bytes: −1, −.97, −1.4
    assert {name: score(TASK, example, answer, name) for name in per_char} == per_char
    delimited = Task("t", (), ("acc",), "acc", harness=Harness("multiple_choice", " "))
    close = scored(-1.9, -3.9, -7.7)
    # without the blank: by characters −1.9, −1.95, −1.925; by bytes −.95, −1.95, −1.925
    assert score(delimited, example, close, "acc_norm") == 1
    closer = scored(-3.7, -3.9, -7.8)
    # by characters −3.7, −1.95, −1.95 (the first of equals); by bytes −1.85, −1.95, −1.95
    assert score(delimited, example, closer, "acc_norm") == 0
    assert score(delimited, example, closer, "acc_bytes") == 1
    assert score(delimited, example, closer, "acc") == 1


def test_the_first_of_equals_is_chosen_and_an_empty_option_never() -> None:
    assert score(TASK, graded(1, 0), scored(-1.0, -1.0), "acc") == 1
    assert score(TASK, graded(0, 1), scored(-1.0, -1.0), "acc") == 0
    empty = Example("e", "x", ("a",), ("", "abc"), (1.0, 0.0))
    assert score(TASK, empty, scored(-0.1, -9.0), "acc") == 1
    assert score(TASK, empty, scored(-0.1, -9.0), "acc_norm") == 0
    assert score(TASK, empty, Answer("e", ""), "acc_norm") is None


def test_accuracy_of_a_single_target_is_greedy() -> None:
    cloze = Task("t", (), ("acc",), "acc", harness=Harness("loglikelihood"))
    example = Example("e", "x", ("a",), ("a",), (1.0,))
    for greedy, value in (((True,), 1), ((False,), 0), ((), None)):
        assert score(cloze, example, scored(-1.0, option_greedy=greedy), "acc") == value
    choice = Task("t", (), ("acc",), "acc", harness=Harness("multiple_choice"))
    assert score(choice, example, scored(-1.0, option_greedy=(False,)), "acc") == 1


def test_perplexity_is_by_target() -> None:
    examples = [graded(1.0), graded(0, 1)]
    answers = [scored(-1.0), scored(-9.0, -2.0)]
    value, _, n = aggregate(TASK, "perplexity", examples, answers)
    assert (value, n) == (pytest.approx(math.exp(1.5)), 2)
    assert aggregate(TASK, "perplexity", examples[:1], [scored(-1e5)])[0] == pytest.approx(math.exp(700))
    assert aggregate(TASK, "perplexity", examples[:1], [scored(-600.0)])[0] == pytest.approx(math.exp(600))
    assert aggregate(TASK, "perplexity", examples, [answers[0], Answer("e", "")])[2] == 1


def test_the_harness_brier_is_the_same() -> None:
    assert score(TASK, graded(1, 0), chances(0.7, 0.3), "brier_score") == pytest.approx(2 * 0.09)
