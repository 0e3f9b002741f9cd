"""What a forecast may know, what drives a curve, and how members are weighed: on cases worked out by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from scalecurve.analysis import forecast
from scalecurve.analysis.forecast.components import components
from scalecurve.analysis.forecast.forecast import COMBINED, COMPONENTS, Forecast, Panel, Past, panels, predict
from scalecurve.analysis.forecast.past import PRIOR, PRIOR_STRENGTH, Errors, past_targets, prior
from scalecurve.analysis.forecast.process import LEVELS, process

from .helpers import curve_of
from .test_forecast import family

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
    assert (known.chance, known.low, known.high) == (-1.5, -1.6, 0)
    loss = curve_of([3.0, 2.0, 1.0], None, x=FIVE[:3], higher_is_better=False)
    known = Panel([loss]).known(loss, 1e9)
    assert (known.chance, known.low, known.high) == (None, -np.inf, 0)
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
def test_weights_add_up_and_make_the_combination():
    (panel,) = panels(family(3), "params_non_embedding")
    curve = panel.curves[0]
    found = predict(panel, curve, 3e9)
    assert sum(found.weights.values()) == pytest.approx(1)
    combined = sum(found.weights[name] * found.by_method[name] for name in found.weights)
    assert found.by_method[COMBINED] == pytest.approx(combined)
    again = predict(panel, curve, 3e9, Past(panel))
    assert found.by_method == again.by_method


def test_an_error_tells_by_how_much_of_it_is_not_sampling_noise():
    def errors(square, noise, distance=0.3, count=1000, share=1.0):
        one = np.ones(count)
        return Errors(square * one, noise * one, distance * one, share * one)

    expected = 0.01 * np.ones(1000)
    assert errors(0.01, 0.0).ratio(expected, 0.3) == pytest.approx(1)
    assert errors(0.03, 0.01).ratio(expected, 0.3) == pytest.approx(2, rel=0.1)
    assert errors(0.05, 0.05).ratio(expected, 0.3) < 0.5  # nothing beyond the noise
    assert errors(1.02, 1.0).ratio(expected, 0.3) == pytest.approx(1, abs=0.05)  # which tells next to nothing
    far, near = (errors(0.04, 0.0, distance, 20) for distance in (3.0, 0.3))
    assert 1 < far.ratio(expected[:20], 0.3) < near.ratio(expected[:20], 0.3) < 4
    shared = errors(0.04, 0.0, count=1000, share=0.01)  # a thousand tasks of one model tell no more than ten
    assert shared.ratio(expected, 0.3) == pytest.approx((PRIOR_STRENGTH + 10 * 4) / (PRIOR_STRENGTH + 10))


def test_priors_grow_with_the_distance():
    for name in PRIOR:
        assert prior(name, 0.02) < prior(name, 0.3) < prior(name, 1.0) < prior(name, 2.0)


def test_far_ahead_a_companion_is_expected_to_tell_more_than_scores():
    others = [name for name in PRIOR if name != "two-step"]
    near, far = (min(prior(name, ahead) for name in others) / prior("two-step", ahead) for ahead in (0.3, 2.2))
    assert far > 1.5 * near


def test_a_method_that_failed_this_family_counts_less():
    t = np.arange(8)
    levelling = [curve_of(0.8 - 0.5 * np.exp(-0.5 * t), n=20_000, task=f"t{i}") for i in range(3)]
    rising = [curve_of(0.3 + 0.009 * t**2, n=20_000, task=f"t{i}") for i in range(3)]  # no power law levels off so
    one, other = (predict(Panel(each), each[0], 3e9).weights["power law"] for each in (rising, levelling))
    assert one < other


def test_intervals_hold_the_sampling_error_whatever_the_past_says():
    """However good past forecasts were, a target of 50 items scatters by its sampling error ..."""
    rng = np.random.default_rng(0)
    curves = [curve_of(rng.binomial(50, np.linspace(0.4, 0.5, 8)) / 50, n=50, task=f"t{i}") for i in range(12)]
    found = predict(Panel(curves), curves[0], 3e9)
    assert found.sd > 0.8 * curves[0].se[-1]


def test_models_that_answer_the_same_items_share_their_luck():
    """... of which the part that all models have in common only shifts the curve."""
    rng = np.random.default_rng(0)
    shift = rng.normal(0, 0.07, 12)
    curves = [curve_of(np.linspace(0.4, 0.5, 8) + d, n=50, task=f"t{i}") for i, d in enumerate(shift)]
    found = predict(Panel(curves), curves[0], 3e9)
    assert found.sd < 0.8 * curves[0].se[-1]


def test_few_right_answers_scatter_as_few_do():
    """Fifty of a hundred scatter by five points, two of a hundred by less than one and a half."""
    middle, end = (curve_of([y] * 8, 0.0, n=100) for y in (0.5, 0.02))
    assert 0.1 < predict(Panel([end]), end, 3e9).sd / predict(Panel([middle]), middle, 3e9).sd < 0.5
    falling = curve_of([0.5, 0.43, 0.36, 0.29, 0.22, 0.15, 0.08], 0.0, n=100)
    low, high = predict(Panel([falling]), falling, 1.2e9).interval(80)
    assert 0 <= low < high < 0.2


def test_the_past_is_asked_at_the_distance_that_is_asked():
    """What tells how far to trust a forecast a decade ahead are not the neighbours of nearly one size."""
    clusters = np.repeat([6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0], 3) + np.tile([0.0, 0.02, 0.04], 7)
    near, far = past_targets(clusters, 0.45), past_targets(clusters, 1.45)
    assert near[:3] == [(6, 8), (6, 11), (6, 17)]  # one, two and four sizes ahead
    assert far[:4] == [(6, 8), (6, 11), (6, 14), (6, 17)]
    assert [target for cut, target in near if cut == 18] == [20]
    assert past_targets(np.arange(5.0), 1.0) == [(4, 4)]
    assert past_targets(np.arange(4.0), 1.0) == past_targets(np.zeros(9), 1.0) == past_targets(np.zeros(0), 1.0) == []


def test_intervals_widen_with_the_distance_and_with_past_surprises():
    (panel,) = panels(family(8), "params_non_embedding")
    past = Past(panel)
    for curve in panel.curves:
        assert predict(panel, curve, 1e11, past).sd > predict(panel, curve, 2e9, past).sd
    rng = np.random.default_rng(1)
    wild = [curve_of(np.clip(0.5 + rng.normal(0, 0.1, 8), 0, 1), n=20_000, task=f"t{i}") for i in range(6)]
    tame = [curve_of(np.clip(0.5 + rng.normal(0, 0.004, 8), 0, 1), n=20_000, task=f"t{i}") for i in range(6)]
    wide, narrow = (predict(Panel(each), each[0], 2e9).sd for each in (wild, tame))
    assert wide > 5 * narrow


def test_unbounded_scores_are_forecast_in_their_own_unit():
    wide = curve_of([-500, -400, -310, -200, -90], None, x=FIVE, se=(0.01,) * 5)
    thin = replace(wide, y=tuple(v / 100 for v in wide.y), se=(0.0001,) * 5)
    one, hundredth = predict(Panel([wide]), wide, 1e11), predict(Panel([thin]), thin, 1e11)
    assert one.sd == pytest.approx(100 * hundredth.sd)
    assert one.by_method[COMBINED] == pytest.approx(100 * hundredth.by_method[COMBINED])
    still = curve_of([3.0] * 5, None, x=FIVE, se=(0.01,) * 5)
    assert predict(Panel([still]), still, 1e11).sd > 0


@pytest.mark.parametrize(
    ("metric", "y", "better", "low", "high"),
    [
        ("perplexity", [900, 90, 20, 6, 2.2], False, 1.0, np.inf),
        ("word_perplexity", [5, 3, 2, 1.5, 1.2], False, 1.0, np.inf),
        ("prompt_level_strict_acc", [0.2, 0.35, 0.5, 0.7, 0.93], True, 0.0, 1.0),
        ("extractive_match", [0.2, 0.35, 0.5, 0.7, 0.93], True, 0.0, 1.0),
        ("bits_per_byte", [1.4, 1.0, 0.7, 0.4, 0.1], False, 0.0, np.inf),
        ("target_logprob", [-40, -20, -9, -3, -0.5], True, -np.inf, 0.0),
    ],
)
def test_one_sided_and_unlisted_metrics_keep_their_bounds(metric, y, better, low, high):
    curve = curve_of(y, None, x=FIVE, se=(0.01,) * 5, metric=metric, higher_is_better=better)
    for x in (2e10, 1e12, 1e14):
        found = predict(Panel([curve]), curve, x)
        values = [*found.by_method.values(), *found.interval(80), *found.interval(95)]
        assert low <= min(values) <= max(values) <= high
        assert found.interval(95)[0] <= found.interval(80)[0] <= found.interval(80)[1] <= found.interval(95)[1]


def test_intervals_come_from_the_quantiles():
    curve = curve_of([0.3, 0.4], x=FIVE[:2])
    found = Forecast(curve, 1e9, {COMBINED: 0.5}, 0.1, {}, LEVELS.copy())
    assert found.interval(80) == pytest.approx((0.1, 0.9))
    assert found.interval(95) == pytest.approx((0.025, 0.975))
    assert found.below(0.3) == pytest.approx(0.3)
    assert (found.below(-1), found.below(2)) == (0, 1)
    ends = replace(found, quantiles=np.where(LEVELS > 0.6, 1.0, LEVELS))
    assert ends.below(1.0) == pytest.approx((LEVELS[LEVELS > 0.6][0] + LEVELS[-1]) / 2)  # on the bound


# ── The process ──────────────────────────────────────────────────────────────────────────────────────────────
def process_of(curves, x=1e11):
    known = [Panel(curves).known(curve, x) for curve in curves]
    return process(known, np.log10(x))


def test_the_process_carries_a_steady_rise_on_and_ends_a_fall():
    rise = [curve_of([0.3, 0.4, 0.5, 0.6, 0.7], x=FIVE, task=f"t{i}", n=20_000) for i in range(8)]
    assert process_of(rise)[0].moments()[0] == pytest.approx(0.78, abs=0.04)
    fall = curve_of([0.7, 0.68, 0.66, 0.62, 0.58], x=FIVE, n=1000)
    assert process_of([fall])[0].moments()[0] > 0.54  # a plain line says .54 and below


def test_what_other_tasks_do_tells_how_far_a_point_is_to_be_trusted():
    odd = curve_of([0.5, 0.5, 0.5, 0.5, 0.6], x=FIVE, n=20_000)
    rng = np.random.default_rng(0)
    noisy = [curve_of(0.5 + rng.normal(0, 0.05, 5), x=FIVE, task=f"n{i}", n=20_000) for i in range(20)]
    calm = [curve_of(np.linspace(0.3, 0.6, 5), x=FIVE, task=f"c{i}", n=20_000) for i in range(20)]
    among_noisy, among_calm = (process_of([odd, *others])[0].moments()[0] for others in (noisy, calm))
    assert among_noisy < among_calm


def test_scores_leave_chance_faster_and_faster():
    """.35, .38, .44, .54 of four options: what lies above chance is carried on, not the line through the points."""
    rise = 0.25 + 0.75 * np.sin(0.35 + 0.1 * np.arange(5)) ** 2
    curves = [curve_of(rise, 0.25, x=FIVE, task=f"t{i}", n=20_000) for i in range(8)]
    truth = 0.25 + 0.75 * np.sin(0.85) ** 2
    above, line = process_of(curves)[0].moments()[0], 2 * rise[-1] - rise[-2]
    assert abs(above - truth) < 0.5 * abs(line - truth) + 0.01


def test_measured_scores_scatter_below_chance():
    """A score at chance is below it as often as above: an interval that began at chance would miss half of them."""
    rng = np.random.default_rng(0)
    curves = [curve_of(rng.binomial(100, 0.25, 5) / 100, 0.25, x=FIVE, task=f"t{i}", n=100) for i in range(12)]
    tenth = [float(np.interp(0.1, LEVELS, mixture.quantiles())) for mixture in process_of(curves)]
    assert np.mean(tenth) < 0.225


def test_a_floor_below_chance_stays_where_it_is():
    """Seven models at .215 where chance is said to be .25: the next one is there too."""
    rng = np.random.default_rng(0)
    curves = [curve_of(0.215 + rng.normal(0, 0.006, 7), x=np.logspace(7, 10, 7), task=f"t{i}", n=650) for i in range(3)]
    for mixture in process_of(curves):
        assert mixture.moments()[0] == pytest.approx(0.217, abs=0.01)


def test_quantiles_of_the_process_lie_within_bounds_and_agree_with_its_moments():
    for curve in (curve_of([0.3, 0.4, 0.5, 0.6, 0.7], x=FIVE), curve_of([0.9, 0.95, 0.97, 0.99, 1.0], x=FIVE)):
        (mixture,) = process_of([curve], 3e10)
        q = mixture.quantiles()
        assert (np.diff(q) >= -1e-9).all()
        assert abs(float(np.interp(0.5, LEVELS, q)) - mixture.moments()[0]) < 0.03
