import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, kendalltau, norm

from scalecurve.analysis import classification_loss, log_odds, log_odds_shift, sequence_loss, trend_test

from .helpers import curve_of


def test_prize_metrics_golden():
    assert classification_loss([-2.0, -3.0], 0) == pytest.approx(0.313262, abs=1e-6)
    assert log_odds([-2.0, -3.0], 0) == pytest.approx(1)
    assert log_odds([-2.0, -3.0], 1) == pytest.approx(-1)
    assert sequence_loss(-4.5) == 4.5
    assert log_odds_shift([-1.0, -3.0], [-2.0, -3.0], 0) == pytest.approx(1)
    assert log_odds_shift([-1.0, -3.0], [-2.0, -3.0], 1) == pytest.approx(-1)
    with pytest.raises(ValueError, match="two classes"):
        log_odds([-1.0, -2.0, -3.0], 0)


@given(st.lists(st.floats(-50, 0), min_size=2, max_size=5), st.floats(-20, 20))
def test_losses_are_probabilities_of_classes_whatever_the_common_factor(logprobs, shift):
    total = sum(np.exp(-classification_loss(logprobs, i)) for i in range(len(logprobs)))
    assert total == pytest.approx(1)
    moved = [value + shift for value in logprobs]
    assert classification_loss(moved, 0) == pytest.approx(classification_loss(logprobs, 0), abs=1e-9)


def test_trend_against_scale():
    falling = trend_test(curve_of([0.70, 0.65, 0.60, 0.54, 0.48, 0.42, 0.36, 0.30]))
    assert falling["slope"] == pytest.approx(-0.13, abs=0.01)  # a decade
    assert falling["tau"] == -1
    assert falling["p_tau"] < 0.001
    assert falling["p_slope"] < 1e-6
    loss = curve_of([0.3, 0.5, 0.6, 0.7, 0.8], None, se=(0.01,) * 5, higher_is_better=False)
    assert trend_test(loss)["tau"] == -1
    assert trend_test(loss)["p_tau"] == pytest.approx(2 / 120)


def test_trend_of_noise_is_rarely_significant():
    rng = np.random.default_rng(0)
    p = [trend_test(curve_of(rng.binomial(1000, 0.25, 6) / 1000))["p_tau"] for _ in range(200)]
    assert np.mean(np.array(p) < 0.05) < 0.1


def test_every_number_of_a_trend_by_hand():
    y, se = np.array([0.5, 0.4, 0.45, 0.2]), np.array([0.01, 0.02, 0.01, 0.04])
    found = trend_test(curve_of(y, x=[1e6, 1e7, 1e8, 1e10], se=tuple(se.tolist())))
    design = np.column_stack([np.ones(4), [6, 7, 8, 10]]) / se[:, None]
    beta, (left,), *_ = np.linalg.lstsq(design, y / se, rcond=None)
    assert left / 2 > 1  # the points scatter by more than their errors
    se_slope = (np.linalg.inv(design.T @ design)[1, 1] * left / 2) ** 0.5
    assert found["slope"] == pytest.approx(beta[1])
    assert found["slope_se"] == pytest.approx(se_slope)
    assert found["z"] == pytest.approx(beta[1] / se_slope)
    assert found["p_slope"] == pytest.approx(2 * norm.cdf(-abs(found["z"])))
    assert found["tau"] == pytest.approx((1 - 5) / 6)
    # of the 24 orders, those with at least five pairs of six in one direction: 1 + 3, twice
    assert found["p_tau"] == pytest.approx(8 / 24)
    assert found["p_flat"] == pytest.approx(chi2.sf(((y - np.average(y, weights=se**-2)) ** 2 / se**2).sum(), 3))
    turned = trend_test(curve_of(1 - y, x=[1e6, 1e7, 1e8, 1e10], se=tuple(se.tolist()), higher_is_better=False))
    assert turned == pytest.approx(found)


def test_points_that_scatter_less_than_their_errors_do_not_make_the_slope_surer():
    calm = trend_test(curve_of([0.3, 0.4, 0.5], x=[1e6, 1e7, 1e8], se=(0.1,) * 3))
    assert calm["slope_se"] == pytest.approx(0.1 / 2**0.5)
    two = trend_test(curve_of([0.3, 0.5], x=[1e6, 1e7], se=(0.1,) * 2))
    assert (two["slope"], two["slope_se"]) == pytest.approx((0.2, 0.1 * 2**0.5))
    assert two["p_tau"] == 1


def test_many_points_are_permuted_at_random_and_the_same_way_again():
    y = [0.30, 0.34, 0.31, 0.36, 0.35, 0.40, 0.37, 0.41]
    found = trend_test(curve_of(y), draws=4000)
    assert found["p_tau"] == pytest.approx(kendalltau(range(8), y, method="exact").pvalue, abs=0.005)
    assert found["tau"] == pytest.approx(kendalltau(range(8), y).statistic)
    assert trend_test(curve_of(y), draws=4000) == found
    weak = [0.30, 0.34, 0.29, 0.36, 0.28, 0.37, 0.31, 0.33]
    exact = kendalltau(range(8), weak, method="exact").pvalue
    assert trend_test(curve_of(weak), draws=20_000)["p_tau"] == pytest.approx(exact, abs=0.012)
    assert trend_test(curve_of(y), draws=4000, seed=1)["p_tau"] != found["p_tau"]
    assert trend_test(curve_of(range(8), se=(0.01,) * 8), draws=9)["p_tau"] >= 1 / 10  # the order seen counts too
    assert trend_test(curve_of(y))["p_tau"] * 20_001 == pytest.approx(round(trend_test(curve_of(y))["p_tau"] * 20_001))
    assert trend_test(curve_of(y[:7]))["p_tau"] == pytest.approx(kendalltau(range(7), y[:7], method="exact").pvalue)
