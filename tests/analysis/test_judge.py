"""Judging one curve and a table of curves: units, levels, labels, confidence and columns."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from scalecurve.analysis import judge, judge_all
from scalecurve.analysis.verdicts.artefact import examine
from scalecurve.analysis.verdicts.evidence import prepare
from scalecurve.analysis.verdicts.judge import consider, discovery_level, look
from scalecurve.analysis.verdicts.reasons import say
from scalecurve.analysis.verdicts.table import verdict_schema

from .helpers import curve_of
from .test_verdicts import frame, item_scores

STEP = [0.25, 0.25, 0.26, 0.25, 0.55, 0.75, 0.80, 0.82]


# ── Units ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("changes", "unit", "chance", "ceiling"),
    [
        ({}, 1.0, 0.25, 1.0),
        ({"ceiling": 0.0, "higher_is_better": False}, -1.0, -0.25, 0.0),
        ({"ceiling": 100.0}, 0.01, 0.0025, 1.0),
        ({"ceiling": -4.0, "higher_is_better": False}, -0.25, -0.0625, 1.0),
        ({"ceiling": None}, 1.0, 0.25, None),
        ({"ceiling": 0.6}, 1.0, 0.25, 0.6),
    ],
)
def test_scores_are_brought_to_one_scale(changes, unit, chance, ceiling):
    evidence = prepare(curve_of([0.2, 0.3], x=[1e6, 1e8], **changes))
    assert evidence.unit == unit
    assert evidence.y.tolist() == [0.2 * unit, 0.3 * unit]
    assert evidence.errors() == pytest.approx(np.array(curve_of([0.2, 0.3]).se) * abs(unit))
    assert (evidence.chance, evidence.ceiling, evidence.x.tolist()) == (chance, ceiling, [6, 8])


def test_smallest_changes_and_unbounded_scores():
    assert prepare(curve_of([0.2, 0.3])).delta == 0.05
    assert prepare(curve_of([0.2, 0.3], None, ceiling=1.0)).delta == 0.05
    unbounded = prepare(curve_of([-200.0, -300.0], None, se=(1.0, 1.0)))
    assert unbounded.delta == 0
    assert np.ptp(unbounded.y) == pytest.approx(0.5)
    assert prepare(curve_of([2.0, 3.0], None, se=(0.01, 0.01))).y == pytest.approx(
        prepare(curve_of([0.2, 0.3], None, se=(0.001, 0.001))).y
    )


def test_passages_and_stated_errors_widen_the_errors():
    items = np.repeat((np.random.default_rng(0).random((40, 5)) < 0.4).astype(float), 10, axis=0)
    curve = curve_of(items.mean(axis=0), n=400)
    plain, whole = prepare(curve, items), prepare(curve, items, np.repeat(np.arange(40), 10).tolist())
    assert whole.errors() == pytest.approx(plain.errors() * 10**0.5, rel=0.03)
    stated = prepare(replace(curve, se=(0.1,) * 5), items)
    assert stated.errors() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("p", "level"),
    [
        ([], 0.05),
        ([np.nan, np.nan], 0.05),
        ([0.001, 0.5], 0.025),
        ([0.001, 0.002, 0.9, 0.8], 0.025),
        ([0.6, 0.5], 0.025),
        ([0.6, np.nan, 0.5], 0.025),
        ([0.001], 0.05),
        ([0.05, 0.9], 0.025),
        ([0.001, 0.002, 0.003], 0.05),
    ],
)
def test_the_level_of_many_curves_is_that_of_benjamini_and_hochberg(p, level):
    assert discovery_level(p) == pytest.approx(level)


# ── Labels ───────────────────────────────────────────────────────────────────────────────────────────────────
def said(y, chance=0.25, n=1000, x=None, **changes):
    return judge(curve_of(y, chance, n, x, **changes), replicates=0)


def test_a_change_that_is_no_discovery_is_open():
    y = [0.40, 0.41, 0.42, 0.44, 0.45, 0.47]
    p = judge(curve_of(y), replicates=0).p_flat
    assert 1e-6 < p < 0.05
    assert judge(curve_of(y), replicates=0).shape == "smooth"
    strict = judge(curve_of(y), replicates=0, flat_level=p / 2)
    assert (strict.shape, strict.sublabel) == ("inconclusive", "smooth")
    assert "is no discovery" in " ".join(map(str, strict.reasons))


@pytest.mark.parametrize(
    ("y", "chance", "shape", "label"),
    [
        ([0.25, 0.26, 0.24, 0.25], 0.25, "flat", "at-chance"),
        ([0.40, 0.41, 0.40, 0.40], 0.25, "flat", ""),
        ([0.25, 0.25, 0.25, 0.295], 0.25, "flat", ""),
        ([0.25, 0.25, 0.25, 0.7], 0.25, "late", "steep"),
        ([0.35, 0.55, 0.66, 0.73, 0.77, 0.80, 0.82, 0.83], 0.25, "smooth", "concave"),
        ([0.30, 0.37, 0.44, 0.51, 0.59, 0.66, 0.73, 0.80], 0.25, "smooth", ""),
        ([0.30, 0.31, 0.34, 0.39, 0.46, 0.55, 0.66, 0.79], 0.25, "smooth", ""),  # convex
        ([0.8, 0.55, 0.35, 0.3], 0.25, "inverse", ""),
    ],
)
def test_labels(y, chance, shape, label):
    verdict = said(y, chance)
    assert (verdict.shape, verdict.sublabel) == (shape, label)
    assert (verdict.threshold is not None) is (shape == "late")
    assert verdict.artefact == ("untested" if shape == "late" else "")
    assert verdict.stability is None


@pytest.mark.parametrize(
    ("first", "chance", "n", "flagged"),
    [
        (0.10, 0.25, 1000, True),
        (0.24, 0.25, 100_000, False),  # .02 below is nothing
        (0.22, 0.25, 100_000, True),
        (0.22, 0.25, 1000, False),  # within three standard errors
        (0.30, 0.25, 1000, False),
        (0.0, 0.0, 1000, False),
    ],
)
def test_a_start_below_chance_is_flagged_of_curves_that_rise(first, chance, n, flagged):
    assert ("below-chance-start" in said([first, 0.4, 0.6, 0.8], chance, n).flags) is flagged
    assert "below-chance-start" not in said([0.10, 0.11, 0.10, 0.10], chance, n).flags


def test_flags_of_the_curve_come_first_and_once():
    flat = judge(curve_of([0.3] * 5, flags=("missing-points",)), replicates=20)
    assert flat.flags == ("missing-points", "constant-answer", "constant", "unpaired")
    assert said([0.3] * 5, flags=("constant",)).flags == ("constant", "constant-answer")
    assert said([0.3]).flags == ()
    assert said([0.3, 0.3]).flags == ("constant-answer", "constant")


@pytest.mark.parametrize(
    ("x", "axis", "enough"),
    [
        ([1e6, 2e6, 5e6, 1e7], "params_total", True),  # a factor of ten
        ([1e6, 2e6, 5e6, 9e6], "params_total", False),
        ([1e6, 2e6, 5e6, 9e6], "training_tokens", False),
        ([1e6, 2e6, 5e6, 9e6], "training_flops", False),
        ([1e6, 2e6, 5e6, 9e6], "step", True),
        ([1e6, 2e6, 2e6, 1e7], "params_total", False),  # three distinct scales
    ],
)
def test_how_many_scales_are_needed(x, axis, enough):
    verdict = said([0.3, 0.4, 0.5, 0.6], x=x, axis=axis)
    assert (verdict.shape != "too-few") is enough
    assert verdict.linearity is not None
    assert verdict.artefact == ""


def test_a_zero_error_is_not_known():
    assert said([0.3, 0.4, 0.5, 0.6], None, se=(0.01, 0.01, 0.01, 0.0)).shape == "inconclusive"


def test_how_many_items_make_an_emergence():
    jump = [0.25, 0.25, 0.25, 0.25, 0.9, 0.95, 0.9, 0.9]
    assert said(jump, n=100).shape == "emergent"
    few = said(jump, n=99)
    assert (few.shape, few.sublabel, few.artefact) == ("inconclusive", "emergent", "untested")
    assert "99 items are too few to call a rise emergent (at least 100)." in map(str, few.reasons)
    assert said([0.3, 0.45, 0.6, 0.75, 0.9], n=99).shape == "smooth"


def test_the_outlier_is_told():
    odd = curve_of([0.25, 0.26, 0.25, 0.60, 0.24, 0.25])
    assert consider(look(odd), replicates=0).outlier == 3
    assert consider(look(curve_of(STEP)), replicates=0).outlier == -1
    said = judge(odd, replicates=0)
    assert said.shape == "one-model"
    assert str(said.reasons[0]).startswith("r3 scores 0.6, +0.3")
    assert "one-model-or" not in [reason.code for reason in said.reasons]


def test_two_models_that_may_be_the_odd_one_are_both_told():
    said = judge(curve_of([0, 0, 0, 0, 0.7, 0.17, 0.8], 0.0, 198, np.logspace(3.6, 6.5, 7)), replicates=0)
    assert [reason.code for reason in said.reasons][:2] == ["one-model", "one-model-or"]
    assert str(said.reasons[0]).startswith("r4 scores 0.7, ")
    assert str(said.reasons[1]).startswith("Leaving out r5 (0.17) instead explains the other models about as well")


@pytest.mark.parametrize(
    ("y", "shape"),
    [
        ([0.25, 0.25, 0.80, 0.25, 0.25, 0.80, 0.80, 0.80], "inconclusive"),  # it has the ability before the others
        ([0.25, 0.25, 0.25, 0.80, 0.80, 0.25, 0.80, 0.80], "inconclusive"),  # it lacks it after them
        ([0.25, 0.25, 0.25, 0.25, 0.95, 0.65, 0.65, 0.65], "emergent"),  # odd, but on its own side of the jump
        ([0.25, 0.02, 0.25, 0.25, 0.80, 0.80, 0.80, 0.80], "emergent"),
    ],
)
def test_a_model_on_the_other_side_of_a_jump_may_be_a_lottery(y, shape):
    verdict = said(y, n=2000)
    assert verdict.shape == shape
    assert "outlier-driven" in verdict.flags
    told = "rather a lottery between models than a rise" in " ".join(map(str, verdict.reasons))
    assert told is (shape == "inconclusive")
    assert (verdict.confidence < 0.5) is told


# ── Confidence and thresholds ────────────────────────────────────────────────────────────────────────────────
def test_stability_is_the_share_of_copies_of_the_same_shape():
    curve = curve_of([0.25, 0.26, 0.25, 0.25, 0.33, 0.39], n=400)
    verdict = judge(curve, replicates=200, seed=3)
    assert 0.1 < verdict.stability <= 1
    assert f"With questions drawn anew the shape stays in {verdict.stability:.0%}" in str(verdict.reasons[-1])
    assert judge(curve, replicates=200, seed=3) == verdict
    assert judge(curve, replicates=200, seed=4).confidence == verdict.confidence, "confidence is no share of copies"


def test_scatter_of_models_lowers_confidence_not_stability():
    """Five thousand items leave no doubt about these models; about the next ones there is."""
    y = [0.40, 0.44, 0.37, 0.45, 0.41, 0.36, 0.43, 0.42]
    verdict = judge(curve_of(y, n=5000), replicates=100)
    assert verdict.shape in ("flat", "inconclusive", "irregular")
    assert verdict.shape == "flat" or verdict.confidence < 0.9
    assert verdict.scatter > 0.015


def test_items_are_drawn_for_all_scales_together():
    rng = np.random.default_rng(1)
    ease = rng.uniform(size=(300, 1))
    items = (ease < np.array(STEP)).astype(float)
    curve = curve_of(items.mean(axis=0), n=300)
    paired, alone = judge(curve, items, replicates=300), judge(curve, replicates=300)
    assert "unpaired" not in paired.flags
    assert "unpaired" in alone.flags
    assert paired.shape == "emergent"
    labels = (4 * ease[:, 0]).astype(int).tolist()  # passages of easy and of hard items
    assert judge(curve, items, clusters=labels, replicates=300).stability < paired.stability


def test_a_threshold_has_an_interval_in_the_units_of_its_axis():
    curve = curve_of(STEP)
    verdict = judge(curve, replicates=200)
    low, high = verdict.threshold_interval
    assert curve.x[2] < low <= verdict.threshold <= high < curve.x[5]
    loss = replace(curve, axis="loss", x=(4.0, 3.6, 3.2, 2.9, 2.6, 2.3, 2.0, 1.8))
    low, high = judge(loss, replicates=200).threshold_interval
    assert 2.3 < low <= judge(loss, replicates=0).threshold <= high < 3.2
    assert judge(loss, replicates=0).width is None


def test_the_onset_is_sought_without_the_outlier():
    y = [0.009, 0.005, 0.009, 0.017, 0.067, 0.795, 0.486, 0.446]
    found = judge(curve_of(y, 0.0, 2000), replicates=200)
    without = judge(curve_of(y[:5] + y[6:], 0.0, 2000, x=np.delete(np.logspace(6, 9, 8), 5)), replicates=200)
    assert found.threshold == pytest.approx(without.threshold, rel=0.1)
    assert found.threshold_interval == pytest.approx(without.threshold_interval, rel=0.2)


def test_scores_out_of_a_hundred_get_the_confidence_of_scores_out_of_one():
    curve = curve_of(STEP)
    bleu = replace(curve, y=tuple(100 * v for v in STEP), se=tuple(100 * s for s in curve.se), chance=25, ceiling=100)
    items = np.repeat((np.arange(100)[:, None] < 100 * np.array(STEP)).astype(float), 10, axis=0)
    one, hundred = judge(curve, items, replicates=100), judge(bleu, 100 * items, replicates=100)
    assert (one.shape, one.confidence) == (hundred.shape, pytest.approx(hundred.confidence))
    assert one.threshold == pytest.approx(hundred.threshold)


# ── A table of curves ────────────────────────────────────────────────────────────────────────────────────────
def test_columns_of_verdicts():
    table = judge_all(frame({"a/t": STEP, "a/few": [0.2, 0.3, 0.4]}), replicates=50)
    assert dict(table.schema) == verdict_schema()
    texts, numbers = ("axis", "shape", "sublabel"), ("confidence", "threshold", "threshold_lo", "threshold_hi")
    rest = ("artefact", "flags", "linearity", "breakthroughness", "linearity_share", "p_linearity")
    more = ("stability", "width", "width_lo", "width_hi", "scatter", "bound")
    last = ("p_breakthroughness", "p_flat", "p_flat_adjusted", "reasons")
    assert table.columns == ["family", "task", "strategy", "shots", "metric", *texts, *numbers, *more, *rest, *last]
    row = table.row(0, named=True)
    assert row["linearity_share"] == pytest.approx(row["linearity"] / 7)
    assert (row["axis"], row["artefact"], row["flags"]) == ("params_non_embedding", "untested", ["unpaired"])
    assert row["threshold_lo"] < row["threshold"] < row["threshold_hi"]
    assert row["confidence"] > 0.8
    assert all(say(reason) != reason for reason in row["reasons"])
    few = table.row(1, named=True)
    assert few["shape"] == "too-few"
    assert [few[name] for name in ("p_linearity", "p_breakthroughness", "p_flat", "threshold_lo")] == [None] * 4
    assert few["linearity_share"] == pytest.approx(1)
    assert few["p_flat_adjusted"] is not None


def test_what_is_not_defined_is_null():
    table = judge_all(frame({"a/t": [0.3] * 6, "a/one": [0.3]}), replicates=0)
    still, one = table.iter_rows(named=True)
    undefined = ("linearity", "breakthroughness", "linearity_share", "p_linearity", "p_breakthroughness")
    assert [still[name] for name in undefined] == [None] * 5
    assert still["p_flat"] == pytest.approx(1)
    assert [one[name] for name in (*undefined, "p_flat", "p_flat_adjusted")] == [None] * 7
    unknown = judge_all(frame({"a/t": STEP}).with_columns(se=None, n=0, chance=None, ceiling=None), replicates=0)
    assert unknown["p_flat_adjusted"].item() is None


def test_seeds_of_one_item_are_one_item():
    right = [(np.arange(200) < 200 * level).astype(float) for level in (0.3, 0.4, 0.5, 0.6, 0.7)]
    curves = frame({"a/t": [column.mean() for column in right]}).with_columns(n=pl.lit(200), se=pl.lit(0.03))
    once = item_scores(right, cluster=lambda k: k // 2)
    twice = pl.concat([once, once.with_columns(seed=pl.lit(1, pl.Int64))])
    assert judge_all(curves, twice, replicates=100).equals(judge_all(curves, once, replicates=100))


def test_seeds_of_the_bootstrap_and_of_the_noise_and_scores_without_a_seed():
    table = frame({"a/t": [0.25, 0.31, 0.24, 0.33, 0.26, 0.34]})
    one, again, other = (judge_all(table, replicates=100, seed=seed) for seed in (1, 1, 2))
    assert one.equals(again)
    assert one["p_linearity"].item() != other["p_linearity"].item()
    right = [(np.arange(200) < 200 * level).astype(float) for level in (0.25, 0.31, 0.24, 0.33, 0.26, 0.34)]
    scores = item_scores(right)
    assert judge_all(table, scores.drop("seed"), replicates=50).equals(judge_all(table, scores, replicates=50))


def test_scores_of_some_rungs_only_cannot_be_paired():
    right = [(np.arange(200) < 200 * level).astype(float) for level in (0.3, 0.4, 0.5, 0.6, 0.7)]
    curves = frame({"a/t": [column.mean() for column in right]}).with_columns(n=pl.lit(200), se=pl.lit(0.03))
    scores = item_scores(right)
    value = pl.when(pl.col("rung") != "r2").then("value")
    for partial in (scores.filter(pl.col("rung") != "r2"), scores.with_columns(value=value), scores.clear()):
        assert "unpaired" in judge_all(curves, partial, replicates=50)["flags"].item()
    assert "unpaired" not in judge_all(curves, scores, replicates=50)["flags"].item()


def test_clusters_are_kept_when_the_rungs_have_other_items():
    right = [np.repeat((np.arange(5) < 5 * p).astype(float), 60) for p in (0.2, 0.4, 0.4, 0.6, 0.8)]
    curves = frame({"a/t": [column.mean() for column in right]}).with_columns(n=pl.lit(300), se=pl.lit(0.027))
    scores = item_scores(right, cluster=lambda k: k // 60)
    one_less = scores.filter(~((pl.col("rung") == "r0") & (pl.col("example_id") == "0")))
    whole, less = (judge_all(curves, each, replicates=0)["p_flat"].item() for each in (scores, one_less))
    assert less == pytest.approx(whole, rel=0.5)
    assert less > 10 * judge_all(curves, item_scores(right), replicates=0)["p_flat"].item()


def test_companions_are_examined_with_their_own_items_and_the_outlier_left_out():
    odd = [0.25, 0.25, 0.60, 0.25, 0.55, 0.75, 0.80, 0.82]
    table = frame({"a/t": odd})
    other = table.with_columns(
        metric=pl.lit("log_odds"), y=pl.Series([-3.0, -3.01, 9.0, -3.0, -1.8, -1.2, -1.0, -0.9]),
        se=pl.lit(0.02), chance=pl.lit(None, pl.Float64), ceiling=pl.lit(None, pl.Float64),
    )  # fmt: skip
    both = pl.concat([table, other, other.with_columns(metric=pl.lit("option_probability"))])
    verdict = judge_all(both, replicates=100).filter(metric="exact_match").row(0, named=True)
    assert (verdict["shape"], verdict["sublabel"], verdict["artefact"]) == ("inconclusive", "emergent", "metric-robust")
    apart = other.with_columns(task=pl.lit("other"))
    assert judge_all(pl.concat([table, apart]), replicates=0)["artefact"][0] == "untested"
    climbs = other.with_columns(y=pl.Series(np.linspace(-4, -1, 8)))
    steady = pl.concat([climbs, climbs.with_columns(metric=pl.lit("option_probability"))])
    noisy = np.random.default_rng(0).normal(0, 40, (300, 8)) + np.linspace(-4, -1, 8)
    scores = item_scores(noisy.T).with_columns(metric=pl.lit("log_odds"))
    for own, status in ((None, "metric-artefact"), (scores, "undetermined")):
        found = judge_all(pl.concat([table, steady]), own, replicates=100)
        assert found.filter(metric="exact_match")["artefact"].item() == status
    assert examine(curve_of(odd), curve_of(np.linspace(-4, -1, 8), None, se=(0.02,) * 8), None, 2).climbs


def test_a_steep_rise_that_is_not_over_is_never_called_gradual():
    sizes = [70e6, 160e6, 410e6, 1e9, 1.4e9, 2.8e9, 6.9e9, 12e9]
    verdict = judge(curve_of([0.25, 0.251, 0.249, 0.25, 0.252, 0.251, 0.5, 0.8], 0.25, 10042, sizes), replicates=0)
    assert (verdict.shape, verdict.sublabel) == ("late", "steep")
    assert "two that have done half of the rise to call it emergent" in " ".join(map(str, verdict.reasons))


def test_a_rise_from_a_floor_above_chance_is_smooth():
    floor = [0.30, 0.30, 0.305, 0.30, 0.31, 0.30]
    assert judge(curve_of([*floor, 0.45, 0.52, 0.57, 0.62], 0.30, 10000), replicates=0).threshold is not None
    above = judge(curve_of([*floor, 0.45, 0.52, 0.57, 0.62], 0.25, 10000), replicates=0)
    assert above.shape == "smooth"
    assert above.threshold is None


def test_a_floor_below_chance_is_told_with_its_level():
    verdict = judge(curve_of([0.206, 0.221, 0.222, 0.215, 0.25, 0.38], 0.25, 1000), replicates=0)
    told = " ".join(map(str, verdict.reasons))
    assert verdict.shape == "late"
    assert "The first 4 of 6 scales lie on a floor of about 0.22; chance is 0.25." in told


def test_of_four_models_none_is_left_out():
    verdict = judge(curve_of([0.0, 0.0, 0.27, 0.134], 0.0, 1000), replicates=0)
    assert "outlier-driven" not in verdict.flags


def test_what_rests_on_the_largest_model_alone_is_never_firm():
    last = judge(curve_of([0.509, 0.505, 0.516, 0.509, 0.38], 0.25, 5000), replicates=0)
    assert (last.shape, "largest-only" in last.flags) == ("inverse", True)
    assert last.confidence <= 0.85
    climbs = judge(curve_of([0.258, 0.265, 0.281, 0.303, 0.341], 0.0, 3018), replicates=0)
    assert "largest-only" not in climbs.flags, "each model is above the one before"
