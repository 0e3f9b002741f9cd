"""The order of predicates."""

from scalecurve.query.executor.predicates import rank


def test_cost_for_each_row_removed() -> None:
    assert round(rank(1, 0.9), 6) == 10
    assert round(rank(3, 0.5), 6) == 6
    assert rank(1, 1.0) == float("inf")
