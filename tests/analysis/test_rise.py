"""Where a rise begins, and turns between level ends: what lies between two models cannot be told apart."""

import numpy as np
import pytest

from scalecurve.analysis import judge

from .helpers import curve_of

X = np.linspace(6, 9, 10)


def place(y, n=4000):
    verdict = judge(curve_of(y, 0.2, n), replicates=0)
    return verdict.shape, np.log10(verdict.threshold_interval)


@pytest.mark.parametrize("share", [0.03, 0.25, 0.5, 0.7])
def test_a_step_may_have_begun_anywhere_between_two_models(share):
    """The interval has most of the gap (a wider step begins early in it), and little beyond it."""
    shape, (low, high) = place([0.2] * 5 + [0.6] * 5)
    assert shape == "emergent"
    assert low <= X[4] + share * (X[5] - X[4]) <= high
    assert X[4] - 0.1 < low
    assert high < X[5] + 0.1


@pytest.mark.parametrize("height", [0.35, 0.45])
def test_the_first_of_two_stages_may_have_begun_anywhere_between_two_models(height):
    """Two steps far apart: not the middle of the gap alone."""
    shape, (low, high) = place([0.2] * 3 + [height] * 5 + [0.7] * 2)
    assert shape == "late"
    assert low < X[2] + 0.1 * (X[3] - X[2])
    assert high > X[2] + 0.9 * (X[3] - X[2])
    assert X[2] - 0.1 < low
    assert high < X[3] + 0.1


@pytest.mark.parametrize(("sign", "shape"), [(1, "inverted-U"), (-1, "U")])
def test_a_turn_between_level_ends_is_a_turn(sign, shape):
    """A dip that begins late and is over early; neither irregular nor several odd models."""
    change = np.array([0, 0, 0, 0.08, 0.22, 0.25, 0.2, 0.07, 0, 0])
    verdict = judge(curve_of(0.5 + sign * change, n=2000), replicates=0)
    assert verdict.shape == shape
    assert verdict.confidence > 0.9


def test_one_odd_model_is_no_turn():
    change = np.array([0, 0, 0, 0, 0.25, 0, 0, 0, 0, 0])
    assert judge(curve_of(0.5 - change, n=2000), replicates=0).shape == "one-model"
