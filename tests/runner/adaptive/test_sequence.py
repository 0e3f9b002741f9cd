"""Intervals that hold at every moment: coverage under constant peeking, and what they become."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.runner.adaptive.confidence_sequence import interval


def escapes(population: np.ndarray, alpha: float, seed: int) -> bool:
    """Whether the interval loses the mean at any moment of one random order."""
    order = np.random.default_rng(seed).permutation(population)
    for n in range(1, len(order) + 1, 3):
        low, high = interval(order[:n], len(order), alpha)
        if not low - 1e-9 <= population.mean() <= high + 1e-9:
            return True
    return False


@pytest.mark.parametrize(
    "population",
    [
        np.repeat([0.0, 1.0], [40, 20]),
        np.repeat([0.0, 1.0], [58, 2]),
        np.random.default_rng(3).beta(2, 5, 60),
        np.full(60, 0.3),
    ],
    ids=["third", "rare", "graded", "constant"],
)
def test_looking_all_the_time_does_not_lose_the_mean(population: np.ndarray) -> None:
    lost = sum(escapes(population, 0.1, seed) for seed in range(60))
    assert lost <= 6 + 6, "10% of 60, and more than two standard errors"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_an_interval_lies_within_what_is_possible(scores: list[float], more: int) -> None:
    low, high = interval(np.array(scores), len(scores) + more)
    total = len(scores) + more
    assert low <= high
    assert low >= sum(scores) / total - 1e-9
    assert high <= (sum(scores) + more) / total + 1e-9


def test_when_everything_was_asked_the_mean_is_known() -> None:
    scores = np.array([0.0, 1.0, 1.0, 0.5])
    assert interval(scores, 4) == (0.625, 0.625)
    assert interval(np.empty(0), 10) == (0.0, 1.0)


@pytest.mark.parametrize(("total", "n"), [(1000, 999), (14042, 14025), (20000, 19990), (20000, 19950)])
def test_with_few_left_the_mean_between_two_candidates_is_kept(total: int, n: int) -> None:
    """What is possible is narrower than the grid of candidates: the interval was the mean of those asked, a point."""
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(np.repeat([0.0, 1.0], [total - total // 3, total // 3]))
        low, high = interval(order[:n], total)
        assert low <= order.mean() <= high
        assert high - low <= (total - n) / total + 1e-9


def test_more_examples_make_it_narrower() -> None:
    order = np.random.default_rng(0).permutation(np.repeat([0.0, 1.0], [700, 300]))
    widths = [high - low for low, high in (interval(order[:n], 1000) for n in (25, 100, 400, 900))]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] < 0.7
    assert widths[2] < 0.18
