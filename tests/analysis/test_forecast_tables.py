"""The tables of forecasts and backtests: their columns, which curves they leave out, how past forecasts are judged."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from scalecurve.analysis import backtest, curves_from_frame, forecast, summarise
from scalecurve.analysis.forecast.backtest import crps_quantiles, pit_histogram, trend
from scalecurve.analysis.forecast.forecast import COMBINED, COMPONENTS, Panel, predict
from scalecurve.analysis.forecast.past import PRIOR
from scalecurve.analysis.forecast.process import LEVELS
from scalecurve.errors import UserError

from .helpers import curve_of
from .test_forecast import frame_of
from .test_panels import FIVE, points

KEY = {"family": pl.String, "task": pl.String, "strategy": pl.String, "shots": pl.Int64, "metric": pl.String}


def test_columns_of_a_forecast():
    table = forecast(points(), [1e11])
    numbers = dict.fromkeys(("y", "weight", "sd", "lo80", "hi80", "lo95", "hi95"), pl.Float64)
    assert dict(table.schema) == KEY | {"axis": pl.String, "x": pl.Float64, "method": pl.String} | numbers
    assert set(table["axis"]) == {"params_non_embedding"}
    combined, others = table.filter(method=COMBINED), table.filter(pl.col("method") != COMBINED)
    assert combined["sd"].item() > 0
    assert others["sd"].is_null().all()
    assert combined["weight"].is_null().all()
    assert set(others.drop_nulls("weight")["method"]) == set(PRIOR) - {"two-step", COMPONENTS}


def test_what_cannot_be_foretold_is_said():
    message = "forecast: no curve has 4 scales below 1e+10, 1e+07 on params_non_embedding (known up to 1e+10); "
    message += "give a larger scale, or another --axis"
    with pytest.raises(UserError) as refused:
        forecast(points(), [1e10, 1e7])
    assert str(refused.value) == message
    assert set(forecast(points(), [1e10, 2e10])["x"]) == {2e10}
    with pytest.raises(UserError, match="backtest: no curve has 4 scales below a target on params_non_embedding"):
        backtest(points(x=FIVE[:4], y=(0.3, 0.4, 0.5, 0.6)))
    assert forecast(points(x=FIVE[:4], y=(0.3, 0.4, 0.5, 0.6)), [1e10]).height


def test_columns_of_a_backtest():
    table = backtest(points())
    texts = {"axis": pl.String, "rung": pl.String, "x": pl.Float64, "method": pl.String, "known": pl.Int64}
    numbers = dict.fromkeys(("predicted", "actual", "error", "sampling"), pl.Float64)
    words = dict.fromkeys(("distance", "trend", "shape"), pl.String)
    more = {"sd": pl.Float64, "inside80": pl.Boolean, "inside95": pl.Boolean, "crps": pl.Float64, "pit": pl.Float64}
    assert dict(table.schema) == KEY | texts | numbers | words | more
    row = table.filter(method=COMBINED).row(0, named=True)
    assert (row["rung"], row["x"], row["known"], row["actual"]) == ("r4", 1e10, 4, 0.7)
    assert (row["axis"], row["shape"]) == ("params_non_embedding", "smooth")
    assert row["error"] == pytest.approx(row["predicted"] - 0.7)
    assert (row["sampling"], row["distance"], row["trend"]) == (0.01, "4x to 16x", "rising")
    assert 0 < row["crps"] < 0.1
    assert 0 <= row["pit"] <= 1
    assert sum(pit_histogram(table)) == 1
    assert table.filter(method="last value")["predicted"].item() == 0.6
    assert table.filter(method="last value")["sd"].item() is None


def test_which_targets_are_foretold():
    curve = frame_of([curve_of(np.linspace(0.3, 0.7, 8), x=[10.0**k for k in range(4, 12)])])
    known = {name: set(backtest(curve, **own)["known"]) for name, own in (
        ("all", {}), ("last", {"holdouts": 1}), ("many", {"holdouts": 7}), ("two ahead", {"ahead": 100.0}),
        ("half ahead", {"ahead": 2.0}), ("one ahead", {"ahead": 10.0}), ("skipped", {"skip": 1}),
    )}  # fmt: skip
    assert known["all"] == {4, 5, 6, 7} == known["many"] == known["half ahead"] == known["one ahead"]
    assert known["last"] == {7}
    assert known["two ahead"] == {4, 5, 6} == known["skipped"]
    unbounded = curve.with_columns(task=pl.lit("u"), chance=pl.lit(None, pl.Float64), ceiling=pl.lit(None, pl.Float64))
    assert set(backtest(pl.concat([unbounded, curve]))["task"]) == {"t"}
    no_ceiling = curve.with_columns(ceiling=pl.lit(None, pl.Float64))
    assert backtest(no_ceiling).height


def test_the_past_of_a_backtest_is_on_smaller_targets_only():
    curve = curve_of([0.3, 0.31, 0.4, 0.38, 0.5, 0.48, 0.7, 0.66])
    row = backtest(frame_of([curve]), targets=["r6"]).filter(method=COMBINED).row(0, named=True)
    first = replace(curve, rungs=curve.rungs[:6], x=curve.x[:6], y=curve.y[:6], se=curve.se[:6], n=curve.n[:6])
    alone = predict(Panel([first]), first, curve.x[6])
    assert (row["predicted"], row["sd"]) == pytest.approx((alone.by_method[COMBINED], alone.sd))


def test_accuracy_in_points():
    base = {"family": "f", "task": "t", "strategy": "s", "shots": 0, "metric": "m", "known": 4, "sampling": 0.01}
    rows = [
        base | {"rung": rung, "method": method, "error": error, "inside80": inside, "inside95": True, "crps": crps}
        for method, errors in (("last value", (-0.1, -0.3)), ("combined", (0.1, -0.05)))
        for rung, error, inside, crps in zip(("a", "b"), errors, (True, False), (0.02, 0.04), strict=True)
    ]
    table = summarise(pl.DataFrame(rows)).rows_by_key("method", named=True, unique=True)
    best = table["combined"]
    assert (best["n"], best["mae"], best["bias"]) == (2, pytest.approx(7.5), pytest.approx(2.5))
    assert best["rmse"] == pytest.approx(100 * ((0.1**2 + 0.05**2) / 2) ** 0.5)
    assert best["skill"] == pytest.approx(1 - 0.15 / 0.4)
    assert (best["coverage80"], best["coverage95"], best["crps"]) == (0.5, 1, pytest.approx(3))
    assert best["floor"] == pytest.approx(100 * 0.01 * (2 / np.pi) ** 0.5)
    assert best["excess"] == pytest.approx(best["mae"] - best["floor"])
    assert table["last value"]["skill"] == 0
    assert table["last value"]["mae"] == pytest.approx(20)


@pytest.mark.parametrize("actual", [0.0, 0.7, -1.5])
def test_crps_of_quantiles_is_the_mean_distance_less_half_the_spread(actual):
    """E|X − a| − E|X − X'| / 2 of a normal forecast X."""
    from scipy.special import ndtri

    place = (np.arange(200_000) + 0.5) / 200_000
    x = ndtri(place)
    spread = 2 * (x * (2 * place - 1)).mean()  # E|X − X'| by order
    assert crps_quantiles(ndtri(LEVELS), actual) == pytest.approx(np.abs(x - actual).mean() - spread / 2, rel=0.05)


def test_the_trend_of_what_is_known():
    assert trend(curve_of([0.3, 0.35, 0.4, 0.5, 0.6, 0.7])) == "rising"
    assert trend(curve_of([0.7, 0.6, 0.5, 0.4, 0.3, 0.3])) == "falling"
    assert trend(curve_of([0.5, 0.51, 0.5, 0.49, 0.5, 0.5])) == "flat"
    assert trend(curve_of([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], higher_is_better=False)) == "rising"


def test_models_of_one_size_cannot_be_told_apart_by_it():
    same = points(x=[8.5e7] * 5).with_columns(training_tokens=pl.Series([1e9, 2e9, 4e9, 8e9, 16e9]))
    for call in (lambda: forecast(same, [1e10]), lambda: backtest(same)):
        with pytest.raises(
            UserError, match=r"all models have params_non_embedding 85,000,000, .*--axis training_tokens"
        ):
            call()
    assert forecast(same, [1e11], axis="training_tokens").height


def test_checkpoints_of_one_size_come_in_the_order_of_training():
    rows = points(x=[8.5e7] * 5).with_columns(step=pl.Series([1000, 103000, 13000, 143000, 3000]))
    (curve,) = curves_from_frame(rows)
    assert curve.rungs == ("r0", "r4", "r2", "r1", "r3")


def test_models_of_nearly_one_size_make_no_slope_to_carry_on():
    """Three models within four per cent of each other: their differences, carried on a decade, would be anything."""
    x = [1e7, 2e7, 5e7, 1e8, 2e8, 4e8, 1.0e9, 1.02e9, 1.04e9]
    y = [0.30, 0.33, 0.37, 0.40, 0.43, 0.46, 0.50, 0.485, 0.515]
    curve = curve_of(y, x=x)
    found = predict(Panel([curve]), curve, 1e10)
    assert found.by_method["recent slope"] == pytest.approx(0.6, abs=0.03)
    assert found.by_method[COMBINED] == pytest.approx(0.6, abs=0.05)


def test_curves_come_from_their_table():
    (curve,) = curves_from_frame(points())
    assert (curve.n, curve.chance, curve.higher_is_better) == ((1000,) * 5, 0.25, True)
