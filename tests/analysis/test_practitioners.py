"""The curves of practice that verdicts are measured on: what each is labelled is what was drawn."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = str(Path(__file__).resolve().parents[2] / "benchmarks")


@pytest.fixture(scope="module")
def practice():
    sys.path.insert(0, BENCHMARKS)
    try:
        import practitioners
    finally:
        sys.path.remove(BENCHMARKS)
    return practitioners


def drawn(practice, kind, count=40, seed=5):
    rng = np.random.default_rng(seed)
    return [practice.case(rng, kind) for _ in range(count)]


def scores(case):
    return np.array(case.curve.y)


SHAPES = ("flat", "smooth", "late", "emergent", "inverse", "U", "inverted-U", "saturated", "one-model", "irregular")


def test_every_shape_and_the_ambiguous_are_drawn(practice):
    assert set(practice.KINDS) == {*SHAPES, "either"}
    for kind in SHAPES:
        assert {case.right for case in drawn(practice, kind, 10)} == {frozenset({kind})}
    assert all(len(case.right) >= 2 for case in drawn(practice, "either"))


@pytest.mark.parametrize("kind", ["late", "irregular", "either"])
def test_a_seed_gives_the_same_curves(practice, kind):
    one, two, other = (drawn(practice, kind, 5, seed) for seed in (1, 1, 2))
    assert [case.curve for case in one] == [case.curve for case in two]
    assert [case.right for case in one] == [case.right for case in two]
    assert [case.curve for case in one] != [case.curve for case in other]


def test_ladders_are_those_of_practice(practice):
    curves = [case.curve for kind in SHAPES for case in drawn(practice, kind, 20)]
    assert {len(curve.x) for curve in curves} == set(range(5, 13))
    for curve in curves:
        x = np.log10(curve.x)
        assert (np.diff(x) > 0).all()
        assert 1.2 <= np.ptp(x) <= 4.2
        assert min(curve.y) >= 0
        assert max(curve.y) <= 1
    assert {curve.n[0] for curve in curves} == set(practice.ITEMS)
    assert {curve.chance for curve in curves} == set(practice.CHANCES)


def test_items_are_those_of_the_curve(practice):
    cases = [case for case in drawn(practice, "smooth") if case.items is not None]
    assert cases
    for case in cases:
        assert case.items.shape == (case.curve.n[0], len(case.curve.x))
        assert case.items.mean(axis=0) == pytest.approx(scores(case))
        assert case.clusters is None or len(case.clusters) == case.curve.n[0]
    assert any(case.clusters for case in cases)


def test_items_of_unlike_difficulty_have_the_rates_asked_for(practice):
    asked = np.array([0.0, 0.05, 0.25, 0.5, 0.9])
    rng = np.random.default_rng(3)
    got = np.mean([practice.answered(rng, asked, 2000)[0].mean(axis=0) for _ in range(60)], axis=0)
    assert got == pytest.approx(asked, abs=0.01)


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("flat", lambda y, c: abs(y[0] - y[-1]) < 0.2),
        ("smooth", lambda y, c: y[-1] > y[0] and y[0] > c - 0.05),
        ("late", lambda y, c: abs(np.mean(y[:2]) - c) < 0.1 and y[-1] > c + 0.05),
        ("emergent", lambda y, c: abs(np.mean(y[:3]) - c) < 0.12 and np.mean(y[-2:]) > c + 0.1),
        ("inverse", lambda y, c: y[-1] < y[0]),
        ("U", lambda y, c: min(y[1:-1]) < min(y[0], y[-1])),
        ("inverted-U", lambda y, c: max(y[1:-1]) > max(y[0], y[-1])),
        ("saturated", lambda y, c: np.median(y) > 0.92),
        ("one-model", lambda y, c: abs(y - np.median(y)).max() > 0.08),
        ("irregular", lambda y, c: np.ptp(y) > 0.1),
    ],
)
def test_the_scores_show_what_the_label_says(practice, kind, holds):
    """In nine of ten: 50 questions and models that scatter hide it in some."""
    assert np.mean([holds(scores(case), case.curve.chance) for case in drawn(practice, kind, 100)]) >= 0.9


X = np.linspace(7, 10, 9)


@pytest.mark.parametrize(
    ("course", "right"),
    [
        (lambda t: 0 * t + 0.25, {"flat"}),
        (lambda t: 0.25 + 0.02 * (t - 7), set()),  # .06: neither flat nor a rise
        (lambda t: 0.4 + 0.1 * (t - 7), {"smooth"}),
        (lambda t: 0.4 + 0.3 * (t > 8.3), {"smooth"}),
        (lambda t: 0.25 + 0.5 * (t > 8.3), {"emergent"}),
        (lambda t: 0.25 + 0.5 * (t > 7.6), {"late"}),  # two models at chance
        (lambda t: 0.25 + 0.5 * (t > 7.2), set()),  # the first model alone
        (lambda t: 0.25 + 0.2 * (t - 7), {"smooth", "late"}),  # one model at chance
        (lambda t: 0.25 + 0.5 * (t > 9.8), set()),  # the last model alone
        (lambda t: 0.25 + 0.3 * np.maximum(t - 8, 0), {"late"}),  # 1.6 decades
        (lambda t: 0.25 + 0.5 * np.clip(t - 8.3, 0, 1), {"emergent", "late"}),  # .8 decades
        (lambda t: 0.1 + 0.2 * (t - 7), {"smooth", "late"}),  # from below chance
        (lambda t: 0.8 - 0.1 * (t - 7), {"inverse"}),
        (lambda t: 0.3 + 0.3 * np.abs(t - 8.5), {"U"}),
        (lambda t: 0.8 - 0.3 * np.abs(t - 8.5), {"inverted-U"}),
        (lambda t: np.minimum(0.6 + 0.4 * (t - 7), 0.97), {"saturated"}),
        (lambda t: 0.25 + 0.72 * (t > 8.3), {"emergent", "saturated"}),
    ],
)
def test_words_for_courses_that_can_be_told_by_hand(practice, course, right):
    assert practice.words(practice.Made(course), X, 0.25) == right


def test_words_look_past_the_odd_model(practice):
    def step(t):
        return 0.25 + 0.5 * (t > 8.3)

    assert practice.words(practice.Made(lambda t: 0 * t + 0.4, (3, 0.7)), X, 0.25) == {"one-model"}
    assert practice.words(practice.Made(step, (7, 0.3)), X, 0.25) == {"emergent"}
    table = np.array([0.3, 0.6, 0.3, 0.6, 0.3, 0.6, 0.3, 0.6, 0.3])
    assert practice.words(practice.Made(step, table=table), X, 0.25) == {"irregular"}
    assert practice.words(practice.Made(step, table=np.sort(table)), X, 0.25) == set()


def test_flat_rows_that_scatter_deserve_another_word(practice):
    even, one = np.full(6, 0.4), np.array([0.4, 0.4, 0.55, 0.4, 0.41, 0.4])
    flat = frozenset({"flat"})
    assert practice.widened(flat, even, 0.01) == {"flat"}
    assert practice.widened(flat, even, 0.04) == {"flat", "irregular"}
    assert practice.widened(flat, one, 0.01) == {"flat", "one-model"}
    assert practice.widened(frozenset({"late"}), one, 0.04) == {"late"}


def test_a_rise_begins_where_a_tenth_is_done_on_the_reported_axis(practice):
    sizes = practice.Ladder(X, X + 0.5)
    start, width = practice.begins(practice.Made(lambda t: 0.25 + 0.5 * np.clip(t - 8, 0, 1)), sizes)
    assert start == pytest.approx(8.6, abs=0.01)
    assert width == pytest.approx(0.8, abs=0.01)
