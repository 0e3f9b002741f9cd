"""What the verdict on all examples will be: known at the end, calibrated before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scalecurve.analysis import judge
from scalecurve.runner.adaptive.allocation import OpenCurve, next_round
from scalecurve.runner.adaptive.predictive import complete, predicted_verdict
from scalecurve.types import Curve

X = tuple(float(10**k) for k in range(3, 10))
SHAPES = {
    "flat": [0.3] * 7,
    "smooth": [0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85],
    "emergent": [0.0, 0.0, 0.0, 0.0, 0.7, 0.8, 0.85],
    "saturated": [0.97] * 7,
}


def curve(chance: float = 0.0) -> Curve:
    zeros = (0.0,) * len(X)
    return Curve("f", "t", "direct", 0, "m", "params_non_embedding", ("r",) * 7, X, zeros, zeros, (0,) * 7, chance)


def items(means: list[float], total: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((total, len(means))) < np.array(means)).astype(float)


def full_verdict(scores: np.ndarray) -> str:
    y = scores.mean(axis=0)
    se = np.sqrt(np.maximum(y * (1 - y), 1 / len(scores)) / len(scores))
    whole = replace(curve(), y=tuple(y), se=tuple(se), n=(len(scores),) * 7)
    return judge(whole, scores, replicates=300).shape


@pytest.mark.parametrize("shape", SHAPES)
def test_clear_curves_are_foreseen_from_a_part(shape: str) -> None:
    scores = items(SHAPES[shape], 1000, 6)
    assert full_verdict(scores) == shape
    found = predicted_verdict(curve(), [scores[:300, rung] for rung in range(7)], 1000)
    assert (found.shape, found.probability > 0.9) == (shape, True)


def test_with_every_example_the_predicted_verdict_is_the_verdict() -> None:
    for seed, means in enumerate(SHAPES.values()):
        scores = items(means, 400, seed)
        found = predicted_verdict(curve(), list(scores.T), 400)
        assert (found.shape, found.probability) == (full_verdict(scores), 1.0)


def test_completed_sets_hold_what_was_seen_and_scatter_as_much_as_is_open() -> None:
    rng = np.random.default_rng(5)
    scores = items(SHAPES["smooth"], 200, 2)
    seen = [scores[:n, rung] for rung, n in enumerate((10, 20, 50, 100, 150, 199, 200))]
    done = complete(seen, 200, 4000, rng)
    for rung, own in enumerate(seen):
        assert done[:, rung].min() >= own.sum() / 200 - 1e-9
        assert done[:, rung].max() <= (own.sum() + 200 - len(own)) / 200 + 1e-9
    spread = done.std(axis=0)
    assert spread[6] == pytest.approx(0, abs=1e-9)
    assert spread[0] > spread[2] > spread[4] > spread[5]


def test_the_posterior_covers_the_mean_of_all_examples() -> None:
    """Drawn from the prior's own kind of ladder, 90% intervals hold nine times of ten."""
    rng = np.random.default_rng(11)
    held = []
    for _ in range(60):
        means = np.repeat(rng.beta(0.5, 0.5, 3), (3, 2, 2))
        scores = (rng.random((200, 7)) < means).astype(float)
        done = complete([scores[:40, rung] for rung in range(7)], 200, 400, rng)
        low, high = np.quantile(done, [0.05, 0.95], axis=0)
        truth = scores.mean(axis=0)
        held += list((low - 1e-9 <= truth) & (truth <= high + 1e-9))
    assert 0.84 <= np.mean(held) <= 1.0


def test_graded_scores_are_completed_too() -> None:
    rng = np.random.default_rng(3)
    scores = rng.beta(20, 20, (300, 7))
    done = complete([scores[:60, rung] for rung in range(7)], 300, 500, rng)
    assert done.mean(axis=0) == pytest.approx(scores.mean(axis=0), abs=0.03)
    assert done.std() < 0.02, "scores that hardly differ leave little doubt"


def test_too_few_scales_are_decided_at_once() -> None:
    short = replace(curve(), rungs=("a", "b"), x=X[:2], y=(0, 0), se=(1, 1), n=(0, 0))
    found = predicted_verdict(short, [np.ones(5), np.zeros(5)], 100)
    assert (found.shape, found.probability) == ("too-few", 1.0)


# ── Where examples go ────────────────────────────────────────────────────────────────────────────────────────
def state(means: list[float], total: int, n: int, seed: int = 0) -> OpenCurve:
    scores = items(means, total, seed)
    return OpenCurve(curve(), total, 25, np.ones(7), [scores[:n, rung] for rung in range(7)])


def test_nothing_more_is_wanted_of_a_decided_curve() -> None:
    clear, doubtful = state(SHAPES["saturated"], 1000, 200), state([0.2] * 6 + [0.3], 1000, 50)
    wanted = next_round([clear, doubtful], 0.95)
    assert clear.decided is not None
    assert list(wanted[0]) == [200] * 7
    assert doubtful.decided is None
    assert wanted[1].sum() > 7 * 50
    assert all(examples % 25 == 0 for examples in wanted[1])


def test_examples_go_to_the_rung_that_keeps_the_verdict_open() -> None:
    """Whether the last rung stands out is the only question; the others were asked in full."""
    scores = items([0.2] * 6 + [0.31], 1000, 3)
    seen = [scores[:900, rung] for rung in range(6)] + [scores[:50, 6]]
    open_ = OpenCurve(curve(), 1000, 25, np.ones(7), seen)
    (wanted,) = next_round([open_], 0.95)
    assert open_.decided is None
    assert list(wanted[:6]) == [900] * 6
    assert wanted[6] > 50


def test_examples_that_could_not_be_scored_count_as_asked() -> None:
    """A part of 25 of which 20 were scored is no reason to ask for those 25 again, and so for nothing."""
    lost = state([0.2] * 6 + [0.3], 100, 20)
    lost.lost = np.full(7, 5)
    (wanted,) = next_round([lost], 0.99)
    assert lost.decided is None
    assert wanted.max() > 25
    assert wanted.min() >= 25
    lost.lost = np.full(7, 80)
    assert lost.whole, "everything was asked"


def test_cheap_rungs_are_preferred() -> None:
    dear = state([0.2] * 6 + [0.26], 1000, 100)
    dear.costs = np.array([1.0] * 6 + [50.0])
    (wanted,) = next_round([dear], 0.99)
    assert wanted[6] == 100
    assert wanted[:6].max() > 100
