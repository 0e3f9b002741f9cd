"""Choosing a rung by the lower bound of its measured ability."""

import pytest

from scalecurve.errors import UserError
from scalecurve.query.rungs.ladder import Ability, choose, wilson_lower


@pytest.mark.parametrize(("correct", "n", "low"), [(80, 100, 0.711171), (18, 20, 0.698966), (0, 10, 0.0), (0, 0, 0.0)])
def test_wilson(correct: int, n: int, low: float) -> None:
    assert wilson_lower(correct, n) == pytest.approx(low, abs=5e-7)


SMALL = Ability("small", "direct", 18, 20, 0.5, cost=1)
MIDDLE = Ability("middle", "direct", 80, 100, 0.5, cost=3)
LARGE = Ability("large", "direct", 99, 100, 0.5, cost=9)


def test_cheapest_that_is_sure() -> None:
    ladder = [LARGE, MIDDLE, SMALL]
    assert choose(ladder, 0.69) == SMALL
    assert choose(ladder, 0.70) == MIDDLE, "18 of 20 looks better than 80 of 100 but is less sure"
    assert choose(ladder, 0.72) == LARGE
    with pytest.raises(UserError, match="no rung passes"):
        choose(ladder, 0.99)


def test_must_beat_chance() -> None:
    with pytest.raises(UserError, match="no rung passes"):
        choose([Ability("small", "direct", 55, 100, 0.5, 1)], 0.3)


@pytest.mark.parametrize(
    ("uplift_low", "wanted"), [(None, "direct"), (-0.01, "direct"), (0.0, "direct"), (0.02, "cot")]
)
def test_thinking_needs_a_sure_uplift(uplift_low: float | None, wanted: str) -> None:
    cot = Ability("small", "cot", 95, 100, 0.5, cost=2, uplift_low=uplift_low)
    assert choose([MIDDLE, cot], 0.7).strategy == wanted
