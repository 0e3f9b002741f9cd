"""Methods of forecasting, one by one, on curves whose continuation is known."""

import numpy as np
import pytest

from scalecurve.analysis.forecast.methods import METHODS, Known, sizes_of


def known(y, chance=0.25, **changes):
    return Known(np.arange(len(y), dtype=float), np.array(y, float), np.full(len(y), 0.01), chance, **changes)


@pytest.mark.parametrize(
    ("name", "y", "ahead"),
    [
        ("last value", [0.3, 0.5, 0.4], 0.4),
        ("mean", [0.3, 0.5, 0.4], 0.4),
        ("line", [0.2, 0.4, 0.3, 0.5], 0.55),
        ("line", [0.1, 0.4, 0.7, 0.9], 1.0),
        ("line", [0.9, 0.5, 0.2, 0.1], 0.0),
        ("line", [0.3], 0.3),
        ("recent slope", [0.9, 0.1, 0.2, 0.3], 0.4),
        ("Theil-Sen", [0.1, 0.2, 0.9, 0.4, 0.5], 0.6),
        ("logit line", [0.25 + 0.75 / (1 + np.exp(-v)) for v in (-1, 0, 1)], 0.25 + 0.75 / (1 + np.exp(-2.0))),
        ("logit line", [0.1, 0.25, 1.0], None),  # clipped to .01 and .99 of what is above chance
    ],
)
def test_methods_by_hand(name, y, ahead):
    if ahead is None:
        odds = np.log(0.99 / 0.01)
        ahead = 0.25 + 0.75 / (1 + np.exp(-(-odds / 3 + odds * 2)))
    assert METHODS[name](known(y), float(len(y))) == pytest.approx(ahead)


def test_methods_that_need_more_points_or_other_scores_do_not_apply():
    assert METHODS["power law"](known([0.1, 0.2, 0.3]), 3.0) is None
    assert METHODS["power law"](known([0.1, 0.2, 0.3, 0.4]), 4.0) is not None
    assert METHODS["broken line"](known([0.1] * 5), 5.0) is None
    assert METHODS["sigmoids"](known([0.1, 0.2]), 2.0) is None
    assert METHODS["sigmoids"](known([0.1, 0.2, 0.3]), 3.0) is not None
    logit = METHODS["logit line"]
    assert logit(known([0.5, 0.6], None), 2.0) is None
    assert logit(known([0.5, 0.6], 1.0), 2.0) is None
    assert logit(known([0.5, 0.6], -0.5), 2.0) is None
    assert logit(known([0.5, 0.6], high=100.0), 2.0) is None
    assert logit(known([0.5, 0.6], 0.0), 2.0) is not None
    two = METHODS["two-step"]
    assert two(known([0.1, 0.2, 0.3], drivers=np.array([[1.0, 2, 3]])), 3.0) is None
    rising, driver = [0.3, 0.4, 0.5, 0.6], np.array([1.0, 2, 3, 4])
    alone = two(known(rising, drivers=driver[None]), 4.0)
    useless = np.array([[1.0, np.nan, 3, 4], [2.0, 2, 2, 2]])
    assert two(known(rising, drivers=useless), 4.0) is None
    assert two(known(rising, drivers=np.vstack([useless, driver])), 4.0) == alone


def test_points_at_one_scale_make_no_slope():
    same = Known(np.array([2.0, 2.0, 2.0]), np.array([0.2, 0.3, 0.6]), np.full(3, 0.01), 0.25)
    assert METHODS["line"](same, 3.0) == 0.6
    assert METHODS["Theil-Sen"](same, 3.0) == pytest.approx(0.3)


def test_a_broken_line_goes_on_as_its_second_piece():
    y = [0.25, 0.25, 0.25, 0.25, 0.35, 0.45, 0.55]
    assert METHODS["broken line"](known(y), 7.0) == pytest.approx(0.65, abs=0.02)


def test_a_power_law_levels_off_at_its_offset():
    y = 0.8 - 0.5 * np.exp(-0.7 * np.arange(7))
    ahead = 0.8 - 0.5 * np.exp(-0.7 * 8)
    assert METHODS["power law"](known(y), 8.0) == pytest.approx(ahead, abs=0.005)
    falling = known(-y, None, low=-np.inf, high=np.inf)
    assert METHODS["power law"](falling, 8.0) == pytest.approx(-ahead, abs=0.01)


def test_sure_points_count_more():
    y = np.array([0.3, 0.4, 0.5, 0.6, 0.3])
    trust, doubt = (Known(np.arange(5.0), y, np.array([0.01] * 4 + [last]), 0.25) for last in (0.01, 0.5))
    assert METHODS["sigmoids"](doubt, 5.0) > METHODS["sigmoids"](trust, 5.0) + 0.1
    unknown, none = (Known(np.arange(5.0), y, np.array([0.01] * 4 + [last]), 0.25) for last in (np.nan, 0.0))
    assert METHODS["sigmoids"](unknown, 5.0) == METHODS["sigmoids"](none, 5.0)  # the scatter of models alone


def test_models_of_nearly_one_size_are_one_size():
    x = np.log10([1e7, 1.1e7, 1.2e7, 1.3e7, 4e7, 1e8, 1.25e8, 1.27e8])
    assert sizes_of(x).tolist() == [0, 0, 0, 1, 2, 3, 3, 4]
    assert sizes_of(np.array([7.0])).tolist() == [0]


def test_the_recent_slope_is_that_of_the_last_three_sizes():
    """Three models of each of four sizes: the slope is that of the nine of the last three."""
    x = np.repeat([7.0, 7.5, 8.0, 8.5], 3) + np.tile([0.0, 0.02, 0.04], 4)
    y = np.repeat([0.1, 0.3, 0.4, 0.5], 3) + np.tile([0.02, -0.04, 0.02], 4)
    slope, level = np.polyfit(x[3:], y[3:], 1)
    ahead = METHODS["recent slope"](Known(x, y, np.full(12, 0.01), 0.0), 8.7)
    assert ahead == pytest.approx(level + slope * 8.7)
