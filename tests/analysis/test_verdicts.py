import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.analysis import curves_from_frame, judge, judge_all
from scalecurve.errors import UserError

from .helpers import curve_of

GOLDEN = [
    (".25 .26 .24 .25 .27 .25", 0.25, 1000, "flat", "at-chance", ()),
    (".25 .25 .26 .25 .55 .75 .80 .82", 0.25, 1000, "emergent", "", ()),
    (".25 .26 .24 .25 .26 .24 .25 .75", 0.25, 1000, "late", "steep", ("largest-only",)),
    (".25 .26 .24 .25 .30 .36 .42 .48 .54 .60", 0.25, 1000, "late", "gradual", ()),
    (".25 .26 .24 .25 .33 .43 .54 .64", 0.25, 1000, "late", "", ()),  # 1.1 to 1.5 decades: neither for sure
    (".30 .37 .44 .51 .59 .66 .73 .80", 0.25, 1000, "smooth", "", ()),
    (".70 .65 .60 .54 .48 .42 .36 .30", 0.25, 1000, "inverse", "", ()),
    (".60 .45 .30 .28 .40 .60", 0.25, 1000, "U", "", ()),
    (".60 .50 .40 .30 .60", 0.25, 1000, "U", "", ("edge-driven",)),
    (".25 .45 .65 .45 .25", 0.25, 1000, "inverted-U", "", ()),
    (".96 .97 .98 .97 .98 .98", 0.25, 1000, "saturated", "", ()),
    (".25 .30 .40", 0.25, 1000, "too-few", "", ()),
    (".009 .005 .009 .017 .067 .795 .486 .446", 0.0, 2000, "emergent", "", ("outlier-driven",)),
    ("0 0 0 0 0 0 .002 .007", 0.0, 1000, "flat", "", None),
]


@pytest.mark.parametrize(("scores", "chance", "n", "shape", "sublabel", "flags"), GOLDEN)
def test_golden_verdicts(scores, chance, n, shape, sublabel, flags):
    verdict = judge(curve_of([float(v) for v in scores.split()], chance, n), replicates=400)
    assert verdict.shape == shape
    if shape != "flat" or sublabel:
        assert verdict.sublabel == sublabel
    if flags is not None:
        assert set(verdict.flags) - {"unpaired"} == set(flags)
    assert verdict.reasons


def test_emergence_says_where_and_on_how_many_floor_points():
    verdict = judge(curve_of([0.25, 0.25, 0.26, 0.25, 0.55, 0.75, 0.80, 0.82]))
    assert "first 4 of 8 scales are at chance" in " ".join(map(str, verdict.reasons))
    low, high = verdict.threshold_interval
    scales = np.logspace(6, 9, 8)
    assert scales[2] < low <= verdict.threshold <= high <= scales[4]
    assert verdict.confidence > 0.9
    assert verdict.width_interval[0] <= verdict.width <= verdict.width_interval[1] < 1.4


TRAPS = {
    "constant answer": ([0.365385] * 8, 0.5, 104, "flat", "constant-answer"),
    "identical answer at most scales": (
        [0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.31, 0.3],
        0.25,
        1000,
        "flat",
        "constant-answer",
    ),
    "structural zero": ([0.0] * 8, 0.0, 1000, "flat", "structural-zero"),
    "saturating": ([0.3, 0.9, 0.95, 0.96, 0.97, 0.97, 0.98, 0.98], 0.25, 1000, "saturated", ""),
    "concave": ([0.35, 0.55, 0.66, 0.73, 0.77, 0.80, 0.82, 0.83], 0.25, 1000, "smooth", ""),
    "one odd model in a flat family": ([0.25, 0.26, 0.25, 0.60, 0.24, 0.25], 0.25, 1000, "one-model", "outlier-driven"),
    "broken last model": ([0.0, 0.01, 0.05, 0.12, 0.286, 0.008], 0.0, 1003, "inverted-U", "edge-driven"),
    "starts below chance": ([0.10, 0.12, 0.14, 0.4, 0.7, 0.8], 0.25, 1000, "smooth", "below-chance-start"),
    "span of less than ten": ([0.1, 0.3, 0.5, 0.7], 0.0, 1000, "too-few", ""),
    "fifty items": ([0.25, 0.25, 0.25, 0.25, 0.9, 0.95, 0.9, 0.9], 0.25, 60, "inconclusive", ""),
}


@pytest.mark.parametrize("name", TRAPS)
def test_traps(name):
    y, chance, n, shape, flag = TRAPS[name]
    x = [1e8, 2e8, 4e8, 9e8] if name == "span of less than ten" else None
    verdict = judge(curve_of(y, chance, n, x), replicates=300)
    assert verdict.shape == shape
    assert not flag or flag in verdict.flags


def test_lower_is_better_and_unbounded_metrics_get_shapes_only():
    loss = curve_of([3.0, 2.9, 2.5, 2.0, 1.2, 0.4], None, se=(0.02,) * 6, higher_is_better=False)
    verdict = judge(loss)
    assert verdict.shape == "smooth"
    assert verdict.threshold is None
    assert judge(curve_of([-3.0, -2.5, -2.0, -1.0], None, se=(0.02,) * 4, higher_is_better=False)).shape == "inverse"


def test_bounded_scores_that_fall_with_skill_are_judged_like_others():
    brier = [0.75, 0.75, 0.74, 0.75, 0.35, 0.2, 0.1, 0.1]
    curve = curve_of(brier, 0.75, ceiling=0.0, se=(0.01,) * 8, higher_is_better=False)
    verdict = judge(curve)
    assert verdict.shape == "emergent"
    assert "Goes from 0.75 to 0.1" in " ".join(map(str, verdict.reasons))
    bleu = curve_of([0.2, 0.6, 0.4, 0.5, 30, 45, 60, 70], 0.0, ceiling=100.0, se=(0.2,) * 8)
    assert judge(bleu).shape == "late", "it rises in a straight line once it has begun"


def test_loss_as_axis_runs_from_high_to_low():
    y = [0.25, 0.25, 0.26, 0.25, 0.55, 0.75, 0.80, 0.82]
    losses = [4.0, 3.6, 3.2, 2.9, 2.6, 2.3, 2.0, 1.8]
    table = frame({"a/t": y}).with_columns(loss=pl.Series(losses)).sample(fraction=1, shuffle=True, seed=1)
    (curve,) = curves_from_frame(table, axis="loss")
    assert curve.y == tuple(y)
    row = judge_all(table, axis="loss", replicates=200).row(0, named=True)
    assert row["shape"] == "emergent"
    assert 2.3 < row["threshold_lo"] <= row["threshold"] <= row["threshold_hi"] < 3.2


def frame(curves):
    rows = []
    for name, y in curves.items():
        for i, value in enumerate(y):
            rows.append(
                {"family": name.split("/")[0], "task": name.split("/")[1], "strategy": "direct", "shots": 0}
                | {
                    "metric": "exact_match",
                    "rung": f"r{i}",
                    "params_non_embedding": 10 ** (6 + i // 2) * (1 + 2 * (i % 2)),
                }
                | {"training_flops": None, "step": i + 1, "y": value, "se": 0.0137, "n": 1000, "failed": 0}
                | {"chance": 0.25, "ceiling": 1.0, "higher_is_better": True, "preferred": True}
            )
    return pl.DataFrame(rows, schema_overrides={"training_flops": pl.Float64})


def test_curves_never_merge_families_and_drop_what_is_missing():
    table = frame({"a/t": [0.2, None, 0.4, math.nan, 0.6, 0.7], "b/t": [0.3, 0.31, 0.32, 0.33, 0.34, 0.35]})
    first, second = curves_from_frame(table.sample(fraction=1, shuffle=True, seed=1).sort("family"))
    assert (first.family, second.family) == ("a", "b")
    assert first.y == (0.2, 0.4, 0.6, 0.7)
    assert first.flags == ("missing-points",)
    assert list(second.x) == sorted(second.x)


def test_unknown_axis_is_named_with_those_there_are():
    with pytest.raises(UserError, match=r"training_flops.*params_non_embedding, step"):
        curves_from_frame(frame({"a/t": [0.1, 0.2]}), axis="training_flops")


def test_judging_together_controls_false_discoveries():
    rng = np.random.default_rng(5)
    curves = {f"a/noise{i}": rng.binomial(1000, 0.25, 8) / 1000 for i in range(60)}
    curves["a/real"] = [0.25, 0.26, 0.25, 0.24, 0.7, 0.74, 0.75, 0.76]
    table = judge_all(frame(curves), replicates=200)
    assert table.filter(pl.col("task") == "real")["shape"].item() == "emergent"
    noise = table.filter(pl.col("task") != "real")
    assert (noise["shape"] == "flat").all()
    assert (noise["p_flat_adjusted"] >= noise["p_flat"]).all()


def test_paired_bootstrap_sees_what_items_share():
    """Items answered alike by every model: no change between scales is in doubt, though every score is."""
    ability = np.linspace(0, 1, 300)
    right = [(ability > 1 - level).astype(float) for level in (0.40, 0.42, 0.47, 0.51, 0.55)]
    curves = frame({"a/t": [column.mean() for column in right]}).with_columns(n=pl.lit(300), se=pl.lit(0.01))
    scores = pl.DataFrame(
        [
            {"family": "a", "task": "t", "strategy": "direct", "shots": 0, "metric": "exact_match", "seed": 0}
            | {"rung": f"r{i}", "example_id": str(k), "value": value}
            for i, column in enumerate(right)
            for k, value in enumerate(column)
        ]
    )
    paired = judge_all(curves, scores, replicates=300)
    assert "unpaired" not in paired["flags"].item()
    assert "unpaired" in judge_all(curves, replicates=300)["flags"].item()
    assert paired["confidence"].item() > 0.9


def item_scores(right, **more):
    own = {"family": "a", "task": "t", "strategy": "direct", "shots": 0, "metric": "exact_match", "seed": 0}
    return pl.DataFrame(
        [
            own | {"rung": f"r{i}", "example_id": str(k), "value": value} | {name: f(k) for name, f in more.items()}
            for i, column in enumerate(right)
            for k, value in enumerate(column)
        ]
    )


def test_items_in_another_order_or_missing_do_not_matter():
    rng = np.random.default_rng(3)
    right = [(rng.uniform(size=300) < p).astype(float) for p in (0.25, 0.35, 0.45, 0.55, 0.65)]
    curves = frame({"a/t": [column.mean() for column in right]}).with_columns(n=pl.lit(300), se=pl.lit(0.027))
    scores = item_scores(right)
    plain = judge_all(curves, scores, replicates=200).row(0, named=True)
    shuffled = judge_all(curves, scores.sample(fraction=1, shuffle=True, seed=2), replicates=200).row(0, named=True)
    holes = scores.with_columns(value=pl.when(pl.col("example_id") != "7").then("value"))
    dropped = judge_all(curves, holes.drop_nulls("value").vstack(scores[:1]), replicates=200).row(0, named=True)
    for other in (shuffled, dropped, judge_all(curves, holes, replicates=200).row(0, named=True)):
        assert "unpaired" not in other["flags"]
        assert other["shape"] == plain["shape"]
        assert other["confidence"] == pytest.approx(plain["confidence"], abs=0.05)


def test_clusters_that_share_an_answer_are_drawn_whole():
    """Three hundred items from five passages know no more than five items."""
    rng = np.random.default_rng(1)
    passages = [(rng.uniform(size=5) < p).astype(float) for p in (0.2, 0.4, 0.4, 0.6, 0.8)]
    right = [np.repeat(column, 60) for column in passages]
    curves = frame({"a/t": [column.mean() for column in right]}).with_columns(n=pl.lit(300), se=pl.lit(0.027))
    alone = judge_all(curves, item_scores(right), replicates=300)["stability"].item()
    clustered = judge_all(curves, item_scores(right, cluster=lambda k: k // 60), replicates=300)
    assert clustered["stability"].item() < min(alone, 0.8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 200), min_size=4, max_size=9), st.sampled_from([0.0, 0.25, 0.5]))
def test_every_curve_gets_a_verdict_and_mirrored_curves_mirrored_ones(counts, chance):
    y = [k / 200 for k in counts]
    shape = judge(curve_of(y, None, 200, ceiling=None), replicates=0).shape
    mirrored = judge(curve_of([1 - v for v in y], None, 200, ceiling=None), replicates=0).shape
    pairs = {"smooth": "inverse", "inverse": "smooth", "U": "inverted-U", "inverted-U": "U"}
    if "U" not in shape and "U" not in mirrored:
        assert mirrored == pairs.get(shape, shape)
    assert judge(curve_of(y, chance, 200), replicates=50).shape
