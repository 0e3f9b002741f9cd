"""The Inverse Scaling Prize's metrics of answers, against values worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.metrics import METRICS, bounds, score
from scalecurve.types import Answer, Example, Task

TASK = Task("t", (), ("multiple_choice_grade",), "multiple_choice_grade")
PAIR = Example("e", "x", (" a",), (" a", " b"), (1.0, 0.0))


def scored(*logprobs: float) -> Answer:
    return Answer("e", "", option_logprobs=logprobs)


def test_golden_values() -> None:
    """Sums −2 (correct) and −3: loss .313262, log-odds 1."""
    answer = scored(-2.0, -3.0)
    assert score(TASK, PAIR, answer, "classification_loss") == pytest.approx(0.313262, abs=1e-6)
    assert score(TASK, PAIR, answer, "log_odds") == pytest.approx(1.0)
    assert score(TASK, PAIR, answer, "class_coverage") == pytest.approx(math.exp(-2) + math.exp(-3))
    completion = Example("e", "x", (" and so on",))
    assert score(TASK, completion, Answer("e", "", target_logprobs=(-4.5,)), "sequence_loss") == 4.5


def test_right_options_count_together() -> None:
    three = Example("e", "x", (" a",), (" a", " b", " c"), (1.0, 1.0, 0.0))
    answer = scored(math.log(0.2), math.log(0.3), math.log(0.1))
    assert score(TASK, three, answer, "classification_loss") == pytest.approx(-math.log(0.5 / 0.6))
    assert score(TASK, three, answer, "log_odds") == pytest.approx(math.log(5))


def test_what_cannot_be_computed_is_no_zero() -> None:
    for metric in ("classification_loss", "log_odds", "class_coverage"):
        assert score(TASK, PAIR, Answer("e", ""), metric) is None
        assert score(TASK, PAIR, Answer("e", "", error="away"), metric) is None
    assert score(TASK, PAIR, scored(-math.inf, -1.0), "classification_loss") is None
    assert score(TASK, PAIR, scored(-1.0, -math.inf), "classification_loss") == 0


def test_guessing_earns_the_logarithm_of_the_number_of_classes() -> None:
    four = Example("f", "x", (" a",), (" a", " b", " c", " d"), (1.0, 0.0, 0.0, 0.0))
    chance, best = bounds(Task("t", (PAIR, four), TASK.metrics, TASK.preferred_metric), "classification_loss")
    assert (chance, best) == (pytest.approx((math.log(2) + math.log(4)) / 2), 0.0)
    assert not METRICS["classification_loss"].higher_is_better
    assert bounds(TASK, "log_odds") == (None, None)


@given(st.lists(st.floats(-50, 0), min_size=2, max_size=2), st.floats(-20, 20))
def test_a_common_factor_moves_neither_loss_nor_odds(logprobs: list[float], shift: float) -> None:
    moved = [value + shift for value in logprobs]
    for metric in ("classification_loss", "log_odds"):
        before, after = (score(TASK, PAIR, scored(*values), metric) for values in (logprobs, moved))
        assert after == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize(
    ("said", "error", "pull"),
    [("2350", 0, 0), ("1,175", 0.5, 1), ("about 1762.5 miles", 0.25, 0.5), ("3525", 0.5, -1), ("many", None, None)],
)
def test_numbers_against_truth_and_anchor(said: str, error: float | None, pull: float | None) -> None:
    example = Example("e", "x", ("2350",), metadata={"anchor": "1175"})
    answer = Answer("e", "", text=said, response=said)
    assert score(TASK, example, answer, "relative_error") == error
    assert score(TASK, example, answer, "anchor_pull") == pull
    unanchored = Example("e", "x", ("2350",), metadata={"anchor": "2350"})
    assert score(TASK, unanchored, answer, "anchor_pull") is None
