from dataclasses import replace

import numpy as np
import pytest

from scalecurve.analysis.stats.bootstrap import paired, unpaired, weights

from .helpers import curve_of

NAN = np.nan


def test_weights_count_what_is_drawn_and_come_back_the_same():
    counts = weights(40, 200, 3).copy()
    assert (counts.shape, counts.dtype) == ((200, 40), np.float32)
    assert (counts.sum(axis=1) == 40).all()
    assert counts.mean(axis=0) == pytest.approx(1, abs=0.35)
    weights.cache_clear()
    assert (weights(40, 200, 3) == counts).all()
    assert (weights(40, 200, 4) != counts).any()


def test_every_column_is_drawn_with_the_same_items():
    values = np.random.default_rng(0).uniform(size=(30, 3))
    assert paired(values, 50, 1) == pytest.approx(weights(30, 50, 1) @ values / 30, rel=1e-5)
    assert paired(values, 50, 1).dtype == np.float64
    twice = paired(np.column_stack([values, values]), 50, 1)
    assert (twice[:, :3] == twice[:, 3:]).all()


def test_a_missing_value_is_neither_zero_nor_an_item():
    values = np.array([[0.2, NAN], [0.4, 0.7], [0.6, NAN], [0.8, NAN]])
    copies = paired(values, 100, 0)
    assert copies[:, 0] == pytest.approx(weights(4, 100, 0) @ values[:, 0] / 4)
    assert copies[:, 1] == pytest.approx(0.7)  # drawn or not: without it, the column's mean
    two = paired(np.array([[0.2], [0.8], [NAN], [NAN], [NAN], [NAN]]), 400, 0)[:, 0]
    drawn = weights(6, 400, 0)[:, :2]
    neither = drawn.sum(axis=1) == 0
    assert neither.any()
    assert two[neither] == pytest.approx(0.5)
    assert two[~neither] == pytest.approx((drawn @ [0.2, 0.8])[~neither] / drawn.sum(axis=1)[~neither])


def test_clusters_of_any_size_are_drawn_whole():
    values, labels = np.array([[0.0], [0.0], [0.0], [1.0]]), ["long", "long", "long", "short"]
    drawn = weights(2, 300, 5)
    expected = drawn[:, 1] / (3 * drawn[:, 0] + drawn[:, 1])
    assert paired(values, 300, 5, labels)[:, 0] == pytest.approx(expected)
    assert set(expected) == {0.0, 0.25, 1.0}


@pytest.mark.parametrize("y", [[0.0, 0.3, 1.0], [0.5, 0.5, 0.5]])
def test_proportions_are_drawn_as_proportions(y):
    copies = unpaired(curve_of(y, n=40), 500, 0)
    assert copies * 40 == pytest.approx(np.round(copies * 40))
    assert (copies >= 0).all()
    assert copies.mean(axis=0) == pytest.approx(y, abs=0.03)
    assert copies.std(axis=0) == pytest.approx(np.sqrt(np.array(y) * (1 - np.array(y)) / 40), abs=0.01)
    assert unpaired(curve_of(y, n=40), 500, 0).tolist() == copies.tolist()


def spread(y, factor):
    return tuple(factor * max(v * (1 - v), 1 / 40) ** 0.5 / 40**0.5 for v in y)


Y = (0.2, 0.5, 0.9)


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        ({"se": spread(Y, 1.15)}, True),
        ({"se": spread(Y, 0.85)}, True),
        ({"se": spread(Y, 1.25)}, False),
        ({"se": spread(Y, 0.75)}, False),
        ({"se": (*spread(Y, 1.0)[:2], 0.2)}, False),
        ({"n": (40, 40, 0)}, False),
        ({"y": (0.2, 0.5, 1.01)}, False),
        ({"y": (-0.01, 0.5, 0.9)}, False),
    ],
)
def test_what_is_no_proportion_is_drawn_from_a_normal(changes, whole):
    curve = replace(curve_of(Y, n=40), **changes)
    with np.errstate(divide="ignore", invalid="ignore"):
        copies = unpaired(curve, 2000, 1)
    assert bool((np.abs(copies * 40 - np.round(copies * 40)) < 1e-9).all()) is whole
    assert copies.mean(axis=0) == pytest.approx(curve.y, abs=0.02)
    if not whole:
        assert copies.std(axis=0) == pytest.approx(curve.se, rel=0.1)


def test_one_item_is_a_proportion_too():
    assert set(unpaired(curve_of([0.0, 1.0], n=1), 50, 0).ravel().tolist()) == {0.0, 1.0}
