"""Cascade thresholds: the published vectors, and the promise over simulated tables."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from scalecurve.query.answers import betting
from scalecurve.query.answers.betting import Bound
from scalecurve.query.answers.cascade import Targets, Thresholds, run_cascade


@pytest.mark.parametrize(("size", "errors", "rate"), [(400, 40, 0.1), (400, 40, 0.02), (50, 1, 0.5), (1000, 0, 0.01)])
def test_a_bound_is_passed_at_any_time_in_at_most_alpha_of_runs(size: int, errors: int, rate: float) -> None:
    """Whatever rate was guessed, and looked at after every batch."""
    passed = 0
    for seed in range(400):
        bad = np.random.default_rng(seed).permutation(size) < errors
        bound = Bound(size, rate, 0.1)
        for begin in range(0, size, 20):
            some = bad[begin : begin + 20]
            bound.add(len(some), int(some.sum()))
            if bound.most < errors:
                passed += 1
                break
        assert bound.most >= bound.found
    assert passed <= 40 + 2 * 6  # a tenth, and two standard errors


def test_a_bound_comes_down_to_what_is_there() -> None:
    bound = Bound(300, 0.05, 0.1)
    bound.add(300, 7)
    assert bound.most == 7
    tight, loose = Bound(1000, 0.05, 0.1), Bound(1000, 0.05, 0.01)
    for each in (tight, loose):
        each.add(100, 3)
    assert 3 < tight.most < loose.most < 300


def test_doctests() -> None:
    import doctest

    assert doctest.testmod(betting).failed == 0


def test_nothing_passes_then_the_oracle_labels_everything() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(1000) < 0.01).tolist()
    done = run_cascade(rng.random(1000).tolist(), lambda items: [truth[i] for i in items], Targets(0.9, 0.9))
    assert (done.labels, done.oracle_calls) == (tuple(truth), 1000)
    assert done.thresholds == Thresholds()


def test_small_and_empty_tables_are_the_oracles() -> None:
    asked: list[Sequence[int]] = []

    def oracle(items: Sequence[int]) -> list[bool]:
        asked.append(items)
        return [True for _ in items]

    assert run_cascade([], oracle, Targets(0.9, 0.9)).labels == ()
    assert run_cascade([0.1, 0.2], oracle, Targets(0.9, 0.9)).labels == (True, True)
    assert asked == [[0, 1]]


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_refused(score: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        run_cascade([0.5, score], lambda items: [True for _ in items], Targets(0.9, 0.9))


def table(kind: str, seed: int, n: int = 2000) -> tuple[list[float], list[bool]]:
    """Proxy scores and oracle labels: calibrated; drifting (the proxy worsens along the table); sorted by score; or of
    a join, of whose pairs few match and whose scores are no probabilities.
    """
    rng = np.random.default_rng(seed)
    if kind == "join":
        match = rng.random(n) < 0.03
        alike = np.where(match, rng.beta(6, 4, n), rng.beta(2, 8, n))
        return alike.tolist(), match.tolist()
    score = rng.beta(0.6, 0.9, n)
    if kind == "sorted":
        score = np.sort(score)[::-1]
    sharp = np.linspace(1.0, 0.3, n) if kind == "drifting" else np.ones(n)
    return score.tolist(), (rng.random(n) < sharp * score + (1 - sharp) * 0.4).tolist()


KINDS = ("calibrated", "drifting", "sorted", "join")
TABLES = 100  # benchmarks/query_guarantee.py does 1,000


@pytest.mark.parametrize("kind", KINDS)
def test_the_promise_over_many_tables(kind: str) -> None:
    targets, missed_recall, missed_precision, saved = Targets(0.9, 0.9, 0.2), 0, 0, 0
    for seed in range(TABLES):
        scores, truth = table(kind, seed)
        asked: list[int] = []

        def oracle(items: Sequence[int], truth: list[bool] = truth, asked: list[int] = asked) -> list[bool]:
            asked.extend(items)
            return [truth[i] for i in items]

        done = run_cascade(scores, oracle, targets, seed=seed + 1000)
        assert len(asked) == len(set(asked)) == done.oracle_calls
        hits = sum(a and b for a, b in zip(done.labels, truth, strict=True))
        missed_recall += hits < targets.recall * sum(truth)
        missed_precision += hits < targets.precision * sum(done.labels)
        saved += done.oracle_calls < len(scores)
    assert missed_recall <= TABLES * targets.delta / 2
    assert missed_precision <= TABLES * targets.delta / 2
    assert saved == TABLES, "a cascade that always asks the oracle promises nothing"
