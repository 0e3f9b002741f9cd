"""What a forecast may know, what drives a curve, and how members are weighed: on cases worked out by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from scalecurve.curves import backtest, curves_from_frame, forecast, summarise
from scalecurve.curves.backtest import crps_normal
from scalecurve.curves.forecast import (
    COMBINED,
    COMPONENTS,
    PRIOR_MSE,
    PRIOR_STRENGTH,
    WIDTH,
    Forecast,
    Panel,
    Past,
    components,
    panels,
    predict,
)
from scalecurve.curves.methods import MODEL_NOISE, recent_slope, sigmoid_average
from scalecurve.nouns import UserError

from .helpers import curve_of
from .test_forecast import family, frame_of

FIVE = [1e6, 1e7, 1e8, 1e9, 1e10]


def points(task="t", y=(0.3, 0.4, 0.5, 0.6, 0.7), metric="exact_match", chance=0.25, x=FIVE, name="f", **more):
    """Rows of a curves table."""
    own = {"family": name, "task": task, "strategy": "direct", "shots": 0, "metric": metric, "se": 0.01, "n": 1000}
    own |= {"chance": chance, "ceiling": None if chance is None else 1.0, "higher_is_better": True} | more
    return pl.DataFrame(
        [
            own | {"rung": f"r{i}", "params_non_embedding": at, "y": value}
            for i, (at, value) in enumerate(zip(x, y, strict=True))
        ],
        schema_overrides={"chance": pl.Float64, "ceiling": pl.Float64},
    )


# ── What is known ────────────────────────────────────────────────────────────────────────────────────────────
def test_only_smaller_scales_are_known():
    curve = curve_of([0.3, 0.4, 0.5, 0.6, 0.7], x=FIVE)
    known = Panel([curve]).known(curve, 1e9)
    assert known.x.tolist() == [6, 7, 8]
    assert known.y.tolist() == [0.3, 0.4, 0.5]
    assert known.se.tolist() == list(curve.se[:3])
    assert (known.chance, known.low, known.high, known.drivers) == (0.25, 0, 1, None)


def test_curves_where_lower_is_better_are_turned():
    brier = curve_of([1.6, 1.2, 0.8], 1.5, x=FIVE[:3], ceiling=0.0, higher_is_better=False)
    known = Panel([brier]).known(brier, 1e9)
    assert known.y.tolist() == [-1.6, -1.2, -0.8]
    assert (known.chance, known.low, known.high) == (-1.5, -1, 0)
    loss = curve_of([3.0, 2.0, 1.0], None, x=FIVE[:3], higher_is_better=False)
    known = Panel([loss]).known(loss, 1e9)
    assert (known.chance, known.low, known.high) == (None, -np.inf, np.inf)
    bleu = curve_of([3.0, 20.0, 40.0], 0.0, x=FIVE[:3], ceiling=100.0)
    assert Panel([bleu]).known(bleu, 1e9).high == 100


def test_a_scale_of_losses_runs_downwards():
    curve = curve_of([0.3, 0.4, 0.5], x=[4.0, 3.0, 2.5], axis="loss")
    assert Panel([curve]).known(curve, 2.5).x.tolist() == [-4, -3]


# ── Drivers ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_companions_and_losses_of_the_same_outputs_drive_a_curve():
    table = pl.concat(
        [
            points(),
            points(metric="brier", y=(0.9, 0.8, 0.7, 0.6, 0.5), higher_is_better=False),
            points(metric="target_logprob", y=(-5, -4, -3, -2, -1), chance=None),
            points(metric="acc"),  # not a companion
            points(task="other", metric="bleu"),  # of other outputs
        ],
        how="vertical_relaxed",
    ).with_columns(
        loss=pl.when(pl.col("rung") != "r1").then(pl.col("params_non_embedding").log10() * -1 + 10),
    )
    (panel,) = panels(table, "params_non_embedding")
    by_metric = {(curve.task, curve.metric): curve for curve in panel.curves}
    key = ("f", "t", "direct", 0)
    rungs = [f"r{i}" for i in range(5)]
    losses = {"r0": -4, "r2": -2, "r3": -1, "r4": 0}
    assert panel.drivers[*key, "exact_match"] == {
        "brier": dict(zip(rungs, (-0.9, -0.8, -0.7, -0.6, -0.5), strict=True)),
        "target_logprob": dict(zip(rungs, (-5, -4, -3, -2, -1), strict=True)),
        "loss": pytest.approx(losses),
    }
    assert set(panel.drivers[*key, "brier"]) == {"loss"}  # companions drive no companion
    known = panel.known(by_metric["t", "exact_match"], 1e9)
    assert known.drivers[:2].tolist() == [[-0.9, -0.8, -0.7], [-5, -4, -3]]
    assert known.drivers[2] == pytest.approx([-4, np.nan, -2], nan_ok=True)
    (by_loss,) = panels(table, "loss")
    assert set(by_loss.drivers[*key, "exact_match"]) == {"brier", "target_logprob"}


def test_a_driver_makes_the_two_step_forecast():
    steady = points(y=[0.25 + 0.7 / (1 + np.exp(-v)) for v in (-4, -2, 0, 2, 4)]).with_columns(
        loss=pl.Series([4.0, 3.5, 3.0, 2.5, 2.0])
    )
    found = forecast(steady, [1e11])
    assert "two-step" in found["method"].to_list()
    assert "two-step" not in forecast(steady.drop("loss"), [1e11])["method"].to_list()


def test_families_learn_from_each_other_but_stay_apart():
    first, second = panels(pl.concat([points(), points(name="g")]), "params_non_embedding")
    assert [c.family for c in first.curves] == [c.family for c in second.others] == ["f"]
    assert [c.family for c in second.curves] == [c.family for c in first.others] == ["g"]


# ── Components ───────────────────────────────────────────────────────────────────────────────────────────────
LOADS, BASES = (0.5, -0.4, 0.3, 0.2), (0.2, 0.8, 0.3, 0.4)


def linear(skills, x=FIVE, name="f", count=4, **changes):
    """Tasks whose score is a base plus a load times the model's one skill."""
    return [
        curve_of([base + load * s for s in skills], task=f"t{i}", family=name, x=x, **changes)
        for i, (load, base) in enumerate(list(zip(LOADS, BASES, strict=True))[:count])
    ]


def test_one_skill_of_all_tasks_is_carried_on():
    curves = linear([0.1, 0.2, 0.3, 0.4, 0.5])
    for curve, base, load in zip(curves, BASES, LOADS, strict=True):
        assert components(Panel(curves), curve, 1e11, 1) == pytest.approx(base + load * 0.6)
        assert components(Panel(curves), curve, 1e10, 1) == pytest.approx(base + load * 0.5)  # from the first four
    assert predict(Panel(curves), curves[0], 1e11).by_method[COMPONENTS] == pytest.approx(0.5)


def test_components_follow_the_last_three_models():
    curves = linear([0.1, 0.1, 0.3, 0.4, 0.5])
    assert components(Panel(curves), curves[0], 1e11, 1) == pytest.approx(0.2 + 0.5 * 0.6)


def test_components_of_losses_are_those_of_scores_turned():
    curves = linear([0.1, 0.2, 0.3, 0.4, 0.5], ceiling=0.0, higher_is_better=False)
    assert components(Panel(curves), curves[0], 1e11, 1) == pytest.approx(-(0.2 + 0.5 * 0.6))


def test_components_on_a_scale_of_losses_are_those_of_lower_losses():
    losses = [5.0, 4.0, 3.0, 2.0, 1.0]
    own = linear([0.1, 0.2, 0.3, 0.4, 0.5], x=losses, axis="loss")
    assert components(Panel(own), own[0], 0.5, 1) == pytest.approx(0.2 + 0.5 * 0.55)
    others = linear([0.0, 0.3, 0.6, 0.2, 0.9], x=losses, name="g", axis="loss")
    twisted = [replace(c, y=(*c.y[:3], *(1 - v for v in c.y[3:]))) for c in others]  # below a loss of 2.5 only
    assert components(Panel(own, {}, twisted), own[0], 2.0, 1) is None  # three models of its own
    four = [replace(c, x=(6.0, *c.x[1:])) for c in linear([0.1, 0.2, 0.3, 0.4, 0.5], x=losses, axis="loss")]
    alone = components(Panel(four), four[0], 1.5, 1)
    some = [replace(c, x=(9.0, 8.0, 7.0, 1.4, 1.2)) for c in twisted]
    assert components(Panel(four, {}, some), four[0], 1.5, 1) == pytest.approx(alone, abs=1e-6)


def test_components_need_four_tasks_and_four_models_of_a_bounded_metric():
    curves = linear([0.1, 0.2, 0.3, 0.4, 0.5])
    assert components(Panel(curves[:3]), curves[0], 1e11) is None
    assert components(Panel(curves), curves[0], 1e9) is None  # three models below
    unbounded = [replace(c, chance=None, ceiling=None) for c in curves]
    assert components(Panel(unbounded), unbounded[0], 1e11) is None
    other_metric = [replace(c, metric="acc") for c in curves[:1]]
    assert components(Panel([*other_metric, *curves[1:]]), curves[1], 1e11) is None
    short = replace(curves[3], rungs=("r0", "r1", "r2"), x=curves[3].x[:3], y=curves[3].y[:3])
    assert components(Panel([*curves[:3], short]), curves[0], 1e11) is None


def test_models_of_other_families_tell_which_tasks_move_together():
    """In this family only one skill moves; that a second task moves with it alone is seen in others."""
    own = linear([0.30, 0.31, 0.30, 0.31, 0.32])
    alone = components(Panel(own), own[0], 1e11, 1)
    others = linear([0.0, 0.2, 0.4, 0.6, 0.8], name="g")
    helped = components(Panel(own, {}, others), own[0], 1e11, 1)
    assert helped == pytest.approx(alone)  # the same loads, seen better
    twisted = [replace(c, y=tuple(reversed(c.y)) if c.task == "t0" else c.y) for c in others]
    assert components(Panel(own, {}, twisted), own[0], 1e11, 1) != pytest.approx(alone, abs=1e-4)
    for useless in (
        twisted[:3],  # lacks a task
        [replace(c, x=tuple(100 * FIVE[-1] * v for v in (1, 2, 3, 4, 5))) for c in twisted],  # larger models
        [replace(c, rungs=tuple(f"{c.task}-{r}" for r in c.rungs)) for c in twisted],  # no model has all tasks
    ):
        assert components(Panel(own, {}, useless), own[0], 1e11, 1) == pytest.approx(alone)


# ── Weights and widths ───────────────────────────────────────────────────────────────────────────────────────
def test_weights_are_inverse_squared_errors_of_the_simulations_and_of_the_past():
    curves = family(3)
    (panel,) = panels(curves, "params_non_embedding")
    curve = panel.curves[0]
    found, memory = predict(panel, curve, 3e9), Past(panel).up_to(curve.x[-1])
    inverse = {}
    for name in found.weights:
        total, count = memory.squares[name]
        assert count == (6 if name == "broken line" else 12)  # which needs six points
        inverse[name] = (PRIOR_STRENGTH + count) / (PRIOR_STRENGTH * PRIOR_MSE[name] + total)
    assert found.weights == pytest.approx({name: value / sum(inverse.values()) for name, value in inverse.items()})
    combined = sum(found.weights[name] * found.by_method[name] for name in found.weights)
    assert found.by_method[COMBINED] == pytest.approx(combined)
    assert found == predict(panel, curve, 3e9, Past(panel))


def test_past_errors_are_those_of_forecasts_from_smaller_models():
    y = [0.3, 0.35, 0.42, 0.5, 0.58, 0.7]
    curve = curve_of(y, x=[10.0**k for k in range(5, 11)])
    past = Past(Panel([curve]))
    assert past.up_to(1e8).squares == {}
    for x, count in ((1e9, 1), (1e10, 2), (1e11, 2)):
        memory = past.up_to(x)
        errors = [recent_slope(Panel([curve]).known(curve, curve.x[i]), 5.0 + i) - y[i] for i in (4, 5)[:count]]
        assert memory.squares["recent slope"] == (pytest.approx(sum(e**2 for e in errors)), count)
    loss = replace(curve, y=tuple(1 - v for v in y), chance=0.75, ceiling=0.0, higher_is_better=False)
    turned = Past(Panel([loss])).up_to(1e10).squares["recent slope"]
    assert turned == (pytest.approx(past.up_to(1e10).squares["recent slope"][0]), 2)


def test_unbounded_curves_teach_nothing_and_hide_nothing():
    curve = curve_of([0.3, 0.35, 0.42, 0.5, 0.58, 0.7], x=[10.0**k for k in range(5, 11)])
    unbounded = replace(curve, task="u", chance=None, ceiling=None)
    assert Past(Panel([unbounded, curve])).up_to(1e11) == Past(Panel([curve])).up_to(1e11)
    one_sided = replace(curve, ceiling=None)
    assert Past(Panel([one_sided])).up_to(1e11).squares
    assert forecast(frame_of([curve]).with_columns(chance=None, ceiling=None), [1e11]).height


def test_intervals_widen_with_past_surprises():
    """By the root of the mean squared surprise, each at most sixteen, twenty surprises of one taken for granted."""
    smooth = curve_of(np.linspace(0.3, 0.6, 6), x=[10.0**k for k in range(5, 11)])
    wild = curve_of([0.5] * 9 + [1.0], n=1_000_000, x=[10.0**k for k in range(1, 11)])  # six targets, one surprise
    assert Past(Panel([smooth])).up_to(1e8).width == pytest.approx(WIDTH)
    assert Past(Panel([smooth])).up_to(1e10).width < WIDTH
    assert Past(Panel([wild])).up_to(1e10).width == pytest.approx(WIDTH * ((20 + 16) / 26) ** 0.5)


def test_doubt_adds_up_what_is_not_known():
    curve = curve_of([0.3, 0.4, 0.5, 0.6, 0.7], x=FIVE)
    panel = Panel([curve])
    found, known = predict(panel, curve, 1e11), panel.known(curve, 1e11)
    fit = sigmoid_average(known, 11.0)[1]
    apart = sum(w * (found.by_method[m] - found.by_method[COMBINED]) ** 2 for m, w in found.weights.items())
    width = Past(panel).up_to(1e10).width
    assert found.sd == pytest.approx(width * (curve.se[-1] ** 2 + MODEL_NOISE**2 + fit**2 + apart) ** 0.5)
    unsure = replace(curve, se=(*curve.se[:-1], float("nan")))
    known = Panel([unsure]).known(unsure, 1e11)
    fit = sigmoid_average(known, 11.0)[1]
    found, width = predict(Panel([unsure]), unsure, 1e11), Past(Panel([unsure])).up_to(1e10).width
    apart = sum(w * (found.by_method[m] - found.by_method[COMBINED]) ** 2 for m, w in found.weights.items())
    assert found.sd == pytest.approx(width * (MODEL_NOISE**2 + fit**2 + apart) ** 0.5)


def test_the_scatter_of_models_is_in_the_units_of_an_unbounded_metric():
    wide = curve_of([-500, -400, -310, -200, -90], None, x=FIVE, se=(0.01,) * 5)
    thin = replace(wide, y=tuple(v / 100 for v in wide.y), se=(0.0001,) * 5)
    one, hundredth = predict(Panel([wide]), wide, 1e11), predict(Panel([thin]), thin, 1e11)
    assert one.sd == pytest.approx(100 * hundredth.sd)
    still = curve_of([3.0] * 5, None, x=FIVE, se=(0.01,) * 5)
    assert predict(Panel([still]), still, 1e11).sd >= WIDTH * MODEL_NOISE


def test_intervals_end_at_the_bounds():
    curve = curve_of([0.3, 0.4], x=FIVE[:2])
    found = Forecast(curve, 1e9, {COMBINED: 0.9}, 0.1, {})
    assert found.interval(80) == pytest.approx((0.9 - 0.12816, 1.0))
    assert replace(found, by_method={COMBINED: 0.1}).interval(95) == pytest.approx((0.0, 0.1 + 0.196))
    unbounded = replace(found, curve=replace(curve, chance=None, ceiling=None))
    assert unbounded.interval(95) == pytest.approx((0.9 - 0.196, 0.9 + 0.196))


# ── Tables ───────────────────────────────────────────────────────────────────────────────────────────────────
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
    assert set(others.drop_nulls("weight")["method"]) == set(PRIOR_MSE) - {"broken line", "two-step", COMPONENTS}


def test_what_cannot_be_foretold_is_said():
    message = "forecast: no curve has 4 scales below 1e+10, 1e+07 on params_non_embedding; give a larger scale"
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
    numbers = dict.fromkeys(("predicted", "actual", "error"), pl.Float64)
    more = {"sd": pl.Float64, "inside80": pl.Boolean, "inside95": pl.Boolean, "crps": pl.Float64}
    assert dict(table.schema) == KEY | texts | numbers | {"shape": pl.String} | more
    row = table.filter(method=COMBINED).row(0, named=True)
    assert (row["rung"], row["x"], row["known"], row["actual"]) == ("r4", 1e10, 4, 0.7)
    assert (row["axis"], row["shape"]) == ("params_non_embedding", "smooth")
    assert row["error"] == pytest.approx(row["predicted"] - 0.7)
    assert row["crps"] == pytest.approx(crps_normal(row["predicted"], row["sd"], 0.7))
    assert table.filter(method="last value")["predicted"].item() == 0.6
    assert table.filter(method="last value")["sd"].item() is None


def test_which_targets_are_foretold():
    curve = frame_of([curve_of(np.linspace(0.3, 0.7, 8), x=[10.0**k for k in range(4, 12)])])
    known = {name: set(backtest(curve, **own)["known"]) for name, own in (
        ("all", {}), ("last", {"holdouts": 1}), ("many", {"holdouts": 7}), ("two ahead", {"ahead": 100.0}),
        ("half ahead", {"ahead": 2.0}), ("one ahead", {"ahead": 10.0}),
    )}  # fmt: skip
    assert known["all"] == {4, 5, 6, 7} == known["many"] == known["half ahead"] == known["one ahead"]
    assert known["last"] == {7}
    assert known["two ahead"] == {4, 5, 6}
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
    base = {"family": "f", "task": "t", "strategy": "s", "shots": 0, "metric": "m", "known": 4}
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
    assert table["last value"]["skill"] == 0
    assert table["last value"]["mae"] == pytest.approx(20)


@pytest.mark.parametrize(("sd", "actual"), [(1.0, 0.0), (1.0, 1.5), (0.5, -2.0)])
def test_crps_is_the_mean_distance_less_half_the_spread(sd, actual):
    """E|X − a| − E|X − X'| / 2 of the forecast X."""
    place = (np.arange(200_000) + 0.5) / 200_000
    from scipy.special import ndtri

    x = sd * ndtri(place)
    spread = 2 * (x * (2 * place - 1)).mean()  # E|X − X'| by order
    assert crps_normal(0.0, sd, actual) == pytest.approx(np.abs(x - actual).mean() - spread / 2, abs=1e-4)
    assert crps_normal(3.0, sd, actual + 3) == pytest.approx(crps_normal(0.0, sd, actual))


def test_curves_come_from_their_table():
    (curve,) = curves_from_frame(points())
    assert (curve.n, curve.chance, curve.higher_is_better) == ((1000,) * 5, 0.25, True)
