"""From tables of points and of item scores to curves."""

import math

import polars as pl
import pytest

from scalecurve.analysis import AXES, axis_of, curves_from_frame
from scalecurve.analysis.gather import coordinate, curve_points, from_coordinate
from scalecurve.errors import UserError
from scalecurve.types import Curve

KEY = {"family": "f", "task": "t", "strategy": "direct", "shots": 2, "metric": "acc"}


def table(*rows, **own):
    """Points (rung, scale, score) and what else is told of them all."""
    return pl.DataFrame(
        [KEY | {"rung": rung, "params_total": x, "y": y} | own for rung, x, y in rows],
        schema_overrides={"params_total": pl.Float64, "y": pl.Float64},
        infer_schema_length=None,
    )


THREE = (("c", 1e8, 0.7), ("a", 1e6, 0.3), ("b", 1e7, 0.5))


def test_a_curve_has_all_its_table_says():
    own = {"se": 0.02, "n": 50, "chance": 0.25, "ceiling": 1.0, "higher_is_better": False, "failed": 0}
    (curve,) = curves_from_frame(table(*THREE, **own), "params_total")
    assert curve == Curve(
        **KEY, axis="params_total", rungs=("a", "b", "c"), x=(1e6, 1e7, 1e8), y=(0.3, 0.5, 0.7), se=(0.02,) * 3,
        n=(50,) * 3, chance=0.25, ceiling=1.0, higher_is_better=False,
    )  # fmt: skip


def test_what_a_table_leaves_out():
    (curve,) = curves_from_frame(table(*THREE), "params_total")
    assert (curve.n, curve.chance, curve.ceiling, curve.higher_is_better, curve.flags) == (
        (0,) * 3,
        None,
        None,
        True,
        (),
    )
    assert all(math.isnan(se) for se in curve.se)


@pytest.mark.parametrize(
    ("own", "se"),
    [
        ({"n": 100, "chance": 0.25, "ceiling": 1.0}, 0.05),
        ({"n": 100, "chance": 0.25}, 0.05),
        ({"n": 100, "ceiling": 1.0}, 0.05),
        ({"n": 100, "ceiling": 0.5}, 0.05),
        ({"n": 100, "chance": 0.0, "ceiling": 100.0}, None),  # a score of 0.5 in 100: not that of a proportion
        ({"n": 100}, None),
        ({"n": 100, "se": 0.001, "chance": 0.25}, 0.01),
        ({"n": 100, "se": 0.001}, 0.001),
    ],
)
def test_an_error_that_is_not_stated_is_that_of_a_proportion_if_it_is_one(own, se):
    (curve,) = curves_from_frame(table(("a", 1e6, 0.5), **own), "params_total")
    assert curve.se[0] == pytest.approx(math.nan if se is None else se, nan_ok=True)


@pytest.mark.parametrize(
    ("row", "flags"),
    [
        (("d", 1e9, None), ("missing-points",)),
        (("d", 1e9, math.nan), ("missing-points",)),
        (("d", 1e9, math.inf), ("missing-points",)),
        (("d", None, 0.9), ("missing-scale",)),
        (("d", 0.0, 0.9), ("missing-scale",)),
        (("d", -1.0, 0.9), ("missing-scale",)),
        (("d", math.inf, 0.9), ("missing-scale",)),
        (("d", None, None), ("missing-points",)),
    ],
)
def test_points_that_cannot_be_placed_are_dropped_and_flagged(row, flags):
    (curve,) = curves_from_frame(table(*THREE, row), "params_total")
    assert (curve.rungs, curve.flags) == (("a", "b", "c"), flags)


def test_points_are_dropped_and_flagged_for_each_reason():
    rows = [table(*THREE, failed=0), table(("d", 1e9, 0.8), failed=3), table(("e", None, 0.8), failed=0)]
    (curve,) = curves_from_frame(pl.concat([*rows, table(("g", 1e10, None), failed=0)]), "params_total")
    assert (curve.rungs, curve.flags) == (("a", "b", "c", "d"), ("missing-points", "missing-scale", "failed-items"))


def test_losses_may_be_anything_and_run_downwards():
    rows = table(*THREE).with_columns(loss=pl.Series([0.0, 2.0, -1.0]))
    (curve,) = curves_from_frame(rows, "loss")
    assert curve.x == (2.0, 0.0, -1.0)
    assert (coordinate("loss", 2.0), from_coordinate("loss", -2.0)) == (-2, 2)
    assert (coordinate("step", 1000), from_coordinate("step", 3.0)) == (3, 1000)


def test_tables_that_will_not_do_are_named():
    for column, said in (
        ("rung", "curves table: no column rung; it needs family, task, strategy, shots, metric, rung, y"),
        ("family", "curves table: no column family; it needs family, task, strategy, shots, metric, rung, y"),
    ):
        with pytest.raises(UserError) as refused:
            curves_from_frame(table(*THREE).drop(column, "y"), "params_total")
        assert str(refused.value) == said
    with pytest.raises(UserError) as refused:
        curves_from_frame(table(*THREE).with_columns(step=pl.lit(None)), "step")
    assert str(refused.value) == "axis 'step': no point has it; this table has params_total"
    with pytest.raises(UserError, match="this table has no axis of scale"):
        curves_from_frame(table(*THREE).drop("params_total"))


def test_points_of_item_scores():
    items = [("a", "0", 0, 1.0), ("a", "0", 1, 0.0), ("a", "1", 0, 1.0), ("a", "1", 1, 1.0), ("a", "2", 0, None),
             ("b", "0", 0, 0.5)]  # fmt: skip
    scores = pl.DataFrame(
        [KEY | {"rung": rung, "example_id": k, "seed": seed, "value": value} for rung, k, seed, value in items]
    )
    curves = pl.concat([table(*THREE), table(("a", 5e5, 0.1)).with_columns(task=pl.lit("u"))])
    points = curve_points(scores, curves)
    assert points.columns == [*KEY, "rung", "y", "se", "n", "failed", "params_total"]
    first, second = points.iter_rows(named=True)
    assert (first["rung"], first["y"], first["n"], first["failed"], first["params_total"]) == ("a", 0.75, 2, 1, 1e6)
    assert first["se"] == pytest.approx(0.125**0.5 / 2**0.5)
    assert (second["rung"], second["y"], second["n"], second["se"]) == ("b", 0.5, 1, None)
    assert points.schema["n"] == points.schema["failed"] == pl.Int64
    unknown = curve_points(scores.with_columns(rung=pl.lit("z")), curves)
    assert unknown["params_total"].to_list() == [None]


def test_the_axis_on_which_models_differ():
    same = table(("a", 1e6, 0.3), ("b", 1e6, 0.5)).with_columns(step=pl.Series([100, 200]))
    assert axis_of(same) == "step"
    assert axis_of(same.with_columns(step=pl.lit(7))) == "params_total"
    assert axis_of(same.with_columns(params_total=pl.Series([1e6, None]))) == "step"
    assert axis_of(table(*THREE).with_columns(step=pl.Series([1, 2, 3]))) == "params_total"
    assert axis_of(same.drop("params_total", "step")) is None
    assert axis_of(same.with_columns(params_total=None, step=None)) is None
    assert axis_of(same.drop("step").with_columns(epoch=pl.Series([0.5, 2.0]))) == "epoch"
    assert AXES[:4] == ("params_non_embedding", "params_total", "training_flops", "training_tokens")
    assert AXES[4:] == ("step", "epoch", "loss")
