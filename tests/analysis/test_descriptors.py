import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scalecurve.analysis import breakthroughness, linearity, noise_null, noise_p_values

INF, NAN = math.inf, math.nan
GOLDEN = [
    (np.linspace(0.1, 0.8, 8), 7, 7, 1),
    (np.linspace(0.8, 0.1, 8), -7, -7, -1),
    (np.linspace(0, 1, 12), 11, 11, 1),
    ([0, 0, 0, 0, 1, 1, 1, 1], 2.6458, INF, 0.3780),
    ([0] * 6 + [1] * 6, 3.3166, INF, 0.3015),
    ([0.5] * 5, NAN, NAN, NAN),
    ([1, 0.5, 0, 0.5, 1], -2, -2, -0.5),
    ([0, 0.5, 1, 0.5, 0], 2, 2, 0.5),
    ([0, 0.1, 0.3, 0.6, 1], 3.6515, 3.9223, 0.9129),
    ([0, 0, 0, 0, 0.25, 0.5, 0.75, 1], 5.2915, 4, 0.7559),
    ([0.3, 0.9, 0.95, 0.96, 0.97, 0.97, 0.98, 0.98], 2.9869, 68, 0.4267),
    ([0.2, 0.4], 1, 1, 1),
    ([0.4, 0.2], -1, -1, -1),
]


@pytest.mark.parametrize(("y", "el", "b", "share"), GOLDEN)
def test_golden_values(y, el, b, share):
    assert linearity(y) == pytest.approx(el, abs=1e-4, nan_ok=True)
    assert breakthroughness(y) == pytest.approx(b, abs=1e-4, nan_ok=True)
    assert linearity(y) / (len(y) - 1) == pytest.approx(share, abs=1e-4, nan_ok=True)


def test_factor_rescales_linearity_only():
    assert linearity(np.linspace(0, 1, 12), f=2) == pytest.approx(5.5)
    assert linearity([0] * 6 + [1] * 6, f=2) == pytest.approx(1.6583, abs=1e-4)


def test_missing_and_degenerate_points():
    assert linearity([0.1, None, 0.2, math.nan, 0.3]) == pytest.approx(2)
    assert math.isnan(linearity([0.4]))
    assert math.isnan(breakthroughness([]))
    assert linearity([0.5] * 4, zero_on_constant=True) == 0 == breakthroughness([0.5] * 4, zero_on_constant=True)


SCORES = st.lists(st.integers(0, 1000).map(lambda k: k / 1000), min_size=2, max_size=14)


@given(SCORES, st.floats(0.1, 10), st.floats(-5, 5))
def test_invariant_under_positive_affine_maps_and_bounded(y, scale, shift):
    assume(min(y) < max(y))
    el = linearity(y)
    assert abs(el) <= len(y) - 1 + 1e-9
    assert linearity([shift + scale * v for v in y]) == pytest.approx(el, rel=1e-5)
    if math.isfinite(breakthroughness(y)):
        assert breakthroughness([scale * v for v in y]) == pytest.approx(breakthroughness(y), rel=1e-5)


def test_noise_alone_reaches_high_breakthroughness():
    """The specification's figures for eight points of chance: median 2.86, 95th percentile 6.20; twelve points: 6.2."""
    _, eight = noise_null(8, 20_000)
    assert np.median(eight) == pytest.approx(2.86, abs=0.1)
    assert np.quantile(eight, 0.95) == pytest.approx(6.2, abs=0.3)
    _, twelve = noise_null(12, 20_000)
    assert np.quantile(twelve, 0.95) == pytest.approx(6.2, abs=0.3)


def test_noise_p_values_tell_a_ramp_from_noise():
    p_l, _ = noise_p_values(np.linspace(0.2, 0.8, 8), [0.01] * 8)
    assert p_l < 0.01
    rng = np.random.default_rng(0)
    p = [noise_p_values(rng.normal(0.25, 0.014, 8), [0.014] * 8)[1] for _ in range(400)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.04)
    assert all(math.isnan(value) for value in noise_p_values([0.5] * 5, [0.01] * 5))


def test_p_values_count_the_curve_itself_and_never_reach_zero():
    p_l, p_b = noise_p_values(np.linspace(0, 1, 12), [0.01] * 12)
    assert p_l == 1 / 2001  # noise never climbs in equal steps
    assert noise_p_values([0, 0, 0, 0, 1, 1, 1, 1], [0.01] * 8)[1] == 1 / 2001  # B is infinite
    assert noise_p_values([0.2, 0.4], [0.01] * 2) == (1, 1)  # any two points have |L| = |B| = 1
    assert all(math.isnan(value) for value in noise_p_values([0.2], [0.01]))
    assert p_b > p_l


def test_p_values_know_which_points_are_sure():
    y, se = [0.25, 0.25, 0.26, 0.25, 0.45], [0.01, 0.01, 0.01, 0.01, 0.2]
    noise = np.random.default_rng(7).standard_normal((4000, 5))
    for errors in (se, [0.01] * 5, [0.0] * 5):  # errors of nothing are taken as equal
        scale = np.array(errors if max(errors) else [1.0] * 5)
        reach = np.abs([(linearity(row), breakthroughness(row)) for row in noise * scale])
        expected = (reach >= np.abs([linearity(y), breakthroughness(y)])).mean(axis=0)
        assert noise_p_values(y, errors) == pytest.approx(expected, abs=0.025)


def test_a_null_is_drawn_anew_for_another_seed_and_the_same_for_the_same():
    assert len(noise_null(6)[0]) == 2000
    assert len(noise_null(6, 50)[1]) == 50
    one, again, other = (noise_null(6, 60, seed)[0].tolist() for seed in (1, 1, 2))
    assert one == again != other


def test_no_warning_is_given_of_an_infinite_breakthrough():
    with np.errstate(divide="raise"):
        assert breakthroughness([0, 0, 0, 0, 1]) == INF
