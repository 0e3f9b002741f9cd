import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.analysis import benjamini_hochberg, chance_level, flatness, holm, standard_error
from scalecurve.analysis.stats.errors import wilson


def test_standard_error_of_proportions():
    assert standard_error(0.0, 100) == pytest.approx(0.01)
    assert standard_error(0.5, 100) == pytest.approx(0.05)
    assert standard_error(0.5, 100, stated=0.07) == 0.07
    assert standard_error(1.0, 100, stated=0.0) == pytest.approx(0.01)
    assert math.isnan(standard_error(-3.2, 0, bounded=False))
    assert standard_error(-3.2, 50, stated=0.2, bounded=False) == 0.2


def test_chance_of_mixed_options():
    assert chance_level([(1, 0, 0, 0), (1, 0)]) == pytest.approx(0.375)
    assert chance_level([(0.5, 1, 0)]) == pytest.approx(0.5)


def test_flatness_golden():
    y = [0.25, 0.26, 0.24, 0.25, 0.27, 0.25]
    statistic, p = flatness(y, [standard_error(v, 1000) for v in y])
    assert statistic == pytest.approx(2.7911, abs=1e-4)
    assert p == pytest.approx(0.7322, abs=1e-4)


def test_benjamini_hochberg_golden():
    assert benjamini_hochberg([0.01, 0.02, 0.03, 0.2, 0.5]) == pytest.approx([0.05, 0.05, 0.05, 0.25, 0.5])
    assert benjamini_hochberg([0.5, math.nan, 0.01])[[0, 2]] == pytest.approx([0.5, 0.02])
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_corrections_never_lower_a_p_value_and_keep_order(p):
    raw = np.array(p)
    for adjusted in (benjamini_hochberg(raw), holm(raw)):
        assert ((adjusted >= raw - 1e-12) & (adjusted <= 1)).all()
        assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= -1e-12).all()
    assert (benjamini_hochberg(raw) <= holm(raw) + 1e-12).all()


@pytest.mark.parametrize(
    ("y", "n", "stated", "bounded", "se"),
    [
        (0.5, 100, 0.001, True, 0.01),  # n items resolve no better
        (0.5, 1, None, True, 1.0),
        (0.5, 1, 0.3, True, 1.0),
        (0.5, 100, 0.0, True, 0.05),
        (0.5, 100, math.nan, True, 0.05),
        (0.5, 0, 0.2, True, 0.2),  # no items told
        (0.5, 0, None, True, math.nan),
        (-3.0, 50, 0.0, False, math.nan),
        (-3.0, 50, math.inf, False, math.nan),
        (-3.0, 50, 0.001, False, 0.001),
    ],
)
def test_what_is_known_of_an_error(y, n, stated, bounded, se):
    assert standard_error(y, n, stated, bounded=bounded) == pytest.approx(se, nan_ok=True)


def test_wilson_at_the_ends():
    assert wilson(0, 1) == pytest.approx((0, 0.793451), abs=1e-6)
    assert wilson(1, 1) == pytest.approx((0.206549, 1), abs=1e-6)
    assert wilson(10, 10)[1] == 1
    assert wilson(0, 10)[0] == 0
    assert wilson(80, 100)[1] == pytest.approx(0.866633, abs=1e-6)
    for successes, n in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match=f"not {successes}, {n}"):
            wilson(successes, n)


def test_what_is_not_known_stays_unknown_and_counts_for_nothing():
    for adjust in (benjamini_hochberg, holm):
        with_hole = adjust([0.04, math.nan, 0.01])
        assert math.isnan(with_hole[1])
        assert with_hole[[0, 2]] == pytest.approx(adjust([0.04, 0.01]))


def test_equal_p_values_are_adjusted_alike():
    assert holm([0.01, 0.01, 0.01]) == pytest.approx([0.03] * 3)
    assert benjamini_hochberg([0.01, 0.01, 0.04]) == pytest.approx([0.015, 0.015, 0.04])
