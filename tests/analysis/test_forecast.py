import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.analysis import backtest, breakthroughness, curves_from_frame, forecast, linearity, summarise
from scalecurve.analysis.forecast.components import principal_components
from scalecurve.analysis.forecast.forecast import Panel, predict
from scalecurve.analysis.forecast.methods import METHODS, Known
from scalecurve.errors import UserError

from .helpers import curve_of

_spec = importlib.util.spec_from_file_location(
    "published", Path(__file__).resolve().parents[2] / "benchmarks" / "published.py"
)
published = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(published)

# task, shots: first and last score, L, B, then errors for 12B in percentage points: last, line, last-3 line, logit line
PYTHIA = {
    ("lambada_openai", 0): (0.1915, 0.7097, 5.4434, 13.5533, -2.08, 8.07, 0.34, 6.75),
    ("arc_easy", 0): (0.3847, 0.7079, 6.3701, 6.2951, -2.19, 1.30, -0.19, 2.38),
    ("winogrande", 0): (0.4917, 0.6598, 5.6521, 5.7568, -2.92, -4.12, -1.05, 1.12),
    ("piqa", 0): (0.5979, 0.7628, 5.9008, 8.1892, -0.27, 1.86, 1.15, 2.60),
    ("sciq", 0): (0.6060, 0.9290, 5.1396, 11.1379, -1.80, 4.60, -0.33, 0.41),
    ("logiqa", 0): (0.2350, 0.2243, -2.3738, -3.4000, -0.92, -1.45, -1.26, 3.32),
    ("lambada_openai", 5): (0.1343, 0.6909, 5.6513, 9.7551, -2.76, 6.54, 0.38, 7.00),
    ("arc_easy", 5): (0.3834, 0.7155, 6.2455, 7.9697, -1.35, 3.56, 1.28, 4.37),
    ("winogrande", 5): (0.4988, 0.6661, 6.4171, 5.8889, -2.84, -3.67, -0.41, 2.11),
    ("piqa", 5): (0.5816, 0.7666, 6.0486, 7.7273, -0.87, 1.78, 0.08, 2.81),
    ("sciq", 5): (0.5980, 0.9550, 4.3503, 22.3125, -0.30, 4.50, 0.70, 1.61),
    ("logiqa", 5): (0.2504, 0.2442, 2.3225, 3.3333, 1.23, -1.39, 1.52, 1.33),
}
MAE = {0: (1.70, 3.57, 0.72, 2.76), 5: (1.56, 3.57, 0.73, 3.21)}
FOUR = ("last value", "line", "recent slope", "logit line")


@pytest.fixture(scope="module")
def pythia(shared):
    return published.pythia(shared / "data").filter(pl.col("task").is_in([task for task, _ in PYTHIA]))


def test_pythia_descriptors_and_forecast_errors(pythia):
    results = backtest(pythia, targets=["pythia-12b-deduped"])
    for curve in curves_from_frame(pythia):
        first, last, el, b, *errors = PYTHIA[curve.task, curve.shots]
        assert (curve.y[0], curve.y[-1]) == pytest.approx((first, last), abs=5e-5)
        assert linearity(curve.y) == pytest.approx(el, abs=1e-4)
        assert breakthroughness(curve.y) == pytest.approx(b, abs=1e-4)
        own = results.filter(pl.col("task") == curve.task, pl.col("shots") == curve.shots)
        found = dict(own.select("method", "error").iter_rows())
        assert [100 * found[name] for name in FOUR] == pytest.approx(errors, abs=5.1e-3)


def test_pythia_mean_errors(pythia):
    results = backtest(pythia, targets=["pythia-12b-deduped"])
    for shots, expected in MAE.items():
        table = summarise(results.filter(pl.col("shots") == shots))
        found = dict(table.select("method", "mae").iter_rows())
        assert [found[name] for name in FOUR] == pytest.approx(expected, abs=5.1e-3)
    assert dict(summarise(results).select("method", "mae").iter_rows())["combined"] < 1.227


def test_checkpoint_descriptors(shared):
    frame = pl.read_parquet(shared / "data" / "pythia_evals" / "pythia_v1_deduped.parquet").sort("step")
    golden = [
        ("lambada_openai", 0, "12b", 27, 9.725, 121.16),
        ("lambada_openai", 5, "70m", 15, -3.168, -7.54),
        ("piqa", 0, "12b", 27, 11.672, 65.43),
    ]
    for task, shots, size, steps, el, b in golden:
        own = frame.filter(task=task, shots=shots, model=f"pythia-{size}-deduped", metric="acc")
        assert own.height == steps
        assert linearity(own["value"]) == pytest.approx(el, abs=1e-3)
        assert breakthroughness(own["value"]) == pytest.approx(b, abs=1e-2)


def test_principal_components_of_public_models(shared):
    frame = pl.read_csv(shared / "data" / "obsscaling" / "base_llm_benchmark_eval.csv")
    rows = frame.select(frame.columns[5:]).drop_nulls().to_numpy()
    assert rows.shape == (124, 8)
    share = principal_components(rows, 3)[2]
    assert 100 * share == pytest.approx([84.3, 94.3, 97.4], abs=0.05)


def test_principal_components_where_nothing_varies():
    _, axes, share = principal_components(np.ones((4, 3)), 2)
    assert np.isfinite(axes).all()
    assert share.tolist() == [1.0, 1.0]


def known(y, chance=0.25, **changes):
    x = np.linspace(7, 10, len(y))
    return Known(x=x, y=np.array(y, float), se=np.full(len(y), 0.01), chance=chance, **changes)


@pytest.mark.parametrize("name", ["line", "recent slope", "Theil-Sen", "broken line", "sigmoids", "power law"])
def test_methods_carry_a_line_on(name):
    """Sigmoids and power laws bend a little, as they should: a score cannot rise forever."""
    ahead = METHODS[name](known(np.linspace(0.3, 0.6, 8)), 10 + 3 / 7)
    assert ahead == pytest.approx(0.6 + 0.3 / 7, abs=1e-6 if name in ("line", "recent slope", "Theil-Sen") else 0.02)


def test_s_curves_see_the_plateau_that_lines_overshoot():
    place = np.linspace(-4, 3, 8)
    truth = 0.25 + 0.7 / (1 + np.exp(-place))
    ahead = 0.25 + 0.7 / (1 + np.exp(-4.0))
    assert METHODS["sigmoids"](known(truth), 10 + 3 / 7) == pytest.approx(ahead, abs=0.03)
    assert METHODS["line"](known(truth), 10 + 3 / 7) > ahead + 0.03


def test_two_step_uses_the_companion():
    loss = 3 - 0.25 * np.arange(8)  # steady in scale; the score is an S-curve of it
    y = 0.25 + 0.75 / (1 + np.exp(3 * (loss - 1.4)))
    truth = 0.25 + 0.75 / (1 + np.exp(3 * (1.0 - 1.4)))
    assert METHODS["two-step"](known(y), 10.4) is None
    assert METHODS["two-step"](known(y, drivers=-loss[None]), 10 + 3 / 7) == pytest.approx(truth, abs=0.05)


def frame_of(curves):
    rows = [
        {"family": curve.family, "task": curve.task, "strategy": "direct", "shots": 0, "metric": curve.metric}
        | {"rung": rung, "params_non_embedding": x, "y": y, "se": se, "n": 1000, "chance": 0.25, "ceiling": 1.0}
        | {"higher_is_better": True}
        for curve in curves
        for rung, x, y, se in zip(curve.rungs, curve.x, curve.y, curve.se, strict=True)
    ]
    return pl.DataFrame(rows)


def family(count, seed=3):
    rng = np.random.default_rng(seed)
    curves = []
    for i in range(count):
        place = np.linspace(-rng.uniform(1, 5), rng.uniform(0, 4), 8)
        p = 0.25 + rng.uniform(0.2, 0.75) / (1 + np.exp(-place))
        curves.append(curve_of(rng.binomial(1000, p) / 1000, task=f"t{i}"))
    return frame_of(curves)


def test_forecast_table():
    table = forecast(family(5), [3e9, 1e10])
    combined = table.filter(pl.col("method") == "combined")
    assert combined.height == 10
    near, far = (combined.filter(pl.col("x") == x) for x in (3e9, 1e10))
    assert (far["sd"] >= near["sd"]).all()
    for row in combined.iter_rows(named=True):
        assert 0 <= row["lo95"] <= row["lo80"] <= row["y"] <= row["hi80"] <= row["hi95"] <= 1
    members = table.filter(pl.col("weight").is_not_null()).group_by("task", "x").agg(pl.col("weight").sum())
    assert members["weight"].to_list() == pytest.approx([1] * 10)
    with pytest.raises(UserError, match="larger scale"):
        forecast(family(2), [1e7])


def test_backtest_uses_nothing_of_the_target_or_beyond():
    table = family(6)
    before = backtest(table, targets=["r5"])
    changed = table.with_columns(y=pl.when(pl.col("rung").is_in(["r5", "r6", "r7"])).then(0.5).otherwise(pl.col("y")))
    after = backtest(changed, targets=["r5"])
    assert after["predicted"].to_list() == pytest.approx(before["predicted"].to_list())
    assert (after["known"] == 5).all()
    gap = backtest(table, targets=["r7"], ahead=10)
    assert (gap["known"] == 5).all()


def test_combination_is_better_than_the_last_value_and_honest_about_doubt():
    results = backtest(family(30))
    row = summarise(results).filter(pl.col("method") == "combined").row(0, named=True)
    assert row["n"] == 120
    assert row["skill"] > 0.3
    assert 0.7 <= row["coverage80"] <= 0.95
    assert 0.88 <= row["coverage95"] <= 1
    assert 0 < row["crps"] < row["mae"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=5, max_size=9))
def test_forecasts_stay_within_the_bounds(counts):
    curve = curve_of([k / 100 for k in counts], n=100)
    found = predict(Panel([curve]), curve, 5e9)
    assert all(-1e-9 <= value <= 1 + 1e-9 for value in found.by_method.values())
    assert found.sd > 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=5, max_size=9))
def test_an_interval_holds_the_forecast_and_is_no_narrower_than_the_questions_allow(counts):
    curve = curve_of([k / 100 for k in counts], chance=0.0, n=100)
    found = predict(Panel([curve]), curve, 5e9)
    y = found.by_method["combined"]
    for level, z in ((80, 1.2816), (95, 1.96)):
        low, high = found.interval(level)
        assert 0 <= low <= y <= high <= 1
        # of a score of 0 or of all right, what so many questions leave open
        assert high - low >= z**2 / (100 + z**2) - 1e-4 or min(y, 1 - y) * 100 >= 3


def test_an_interval_at_nothing_right_is_not_of_no_width():
    curve = curve_of([0.0] * 7, chance=0.0, n=198)
    low, high = predict(Panel([curve]), curve, 5e9).interval(80)
    assert low == 0
    assert 0.008 <= high < 0.03
