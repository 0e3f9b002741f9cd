import numpy as np
import polars as pl
import pytest

from scalecurve.analysis import (
    artefact_check,
    breakthroughness,
    decomposition,
    judge,
    judge_all,
    linearity,
)

from .helpers import curve_of

TOKENS = 10
LOG_P = np.array([-0.7 + 0.65 * i / 7 for i in range(8)])


def test_exact_match_as_a_power_golden():
    exact = np.exp(TOKENS * LOG_P)
    assert exact == pytest.approx([0.0009, 0.0023, 0.0058, 0.0148, 0.0374, 0.0947, 0.2397, 0.6065], abs=5e-5)
    assert (linearity(LOG_P), breakthroughness(LOG_P)) == pytest.approx((7, 7))
    assert linearity(exact) == pytest.approx(4.012, abs=1e-3)
    assert breakthroughness(exact) == pytest.approx(26.761, abs=1e-3)
    edit = -TOKENS * (1 - np.exp(LOG_P))
    assert linearity(edit) == pytest.approx(6.883, abs=1e-3)
    assert breakthroughness(edit) == pytest.approx(7.121, abs=1e-3)


def companion(y, metric, se=0.02, **changes):
    return curve_of(y, None, se=(se,) * len(y), metric=metric, **changes)


def test_power_of_steady_tokens_is_an_artefact_of_the_metric():
    curve = curve_of(np.exp(TOKENS * LOG_P), 0.0)
    verdict = judge(curve, replicates=200)
    assert verdict.shape == "late", "the rise has no jump"
    assert verdict.artefact == "untested"
    logprob = companion(TOKENS * LOG_P, "target_logprob", 0.1)
    edit = companion(TOKENS * (1 - np.exp(LOG_P)), "edit_distance", 0.05, higher_is_better=False)
    assert artefact_check(curve, verdict, [logprob, edit]).artefact == "metric-artefact"
    alone = artefact_check(curve, verdict, [logprob])
    assert alone.artefact == "undetermined"
    assert "one-companion" in alone.flags


STEP = [0.25, 0.25, 0.26, 0.25, 0.55, 0.75, 0.80, 0.82]


def test_jump_of_every_companion_is_robust_and_disagreement_is_undetermined():
    curve = curve_of(STEP)
    verdict = judge(curve, replicates=200)
    jumps = [companion([-3.0, -3.01, -2.99, -3.0, -1.8, -1.2, -1.0, -0.9], m) for m in ("log_odds", "brier")]
    climbs = [companion(np.linspace(-4, -1, 8), m) for m in ("log_odds", "brier")]
    assert artefact_check(curve, verdict, jumps).artefact == "metric-robust"
    assert artefact_check(curve, verdict, climbs).artefact == "metric-artefact"
    assert artefact_check(curve, verdict, [jumps[0], climbs[1]]).artefact == "undetermined"
    assert artefact_check(curve, verdict, []).artefact == "untested"


@pytest.mark.parametrize("metric", ["soft", "soft_log"])
def test_probability_among_the_options_counts_where_there_are_options(metric):
    curve = curve_of(STEP)
    verdict = judge(curve, replicates=200)
    climbs = [companion(np.linspace(-4, -1, 8), name) for name in (metric, "log_odds")]
    assert artefact_check(curve, verdict, climbs).artefact == "metric-artefact"
    fluent = artefact_check(curve, verdict, [companion(np.linspace(-4, -1, 8), "bits_per_byte"), climbs[1]])
    assert fluent.artefact == "undetermined"


def test_curves_without_a_jump_have_no_status():
    curve = curve_of([0.3, 0.37, 0.44, 0.51, 0.59, 0.66])
    assert artefact_check(curve, judge(curve), [companion(np.linspace(-4, -1, 6), "target_logprob")]).artefact == ""


def run_of(tokens_right):
    """Tables of a run in which item k of rung i has tokens_right[i][k] of ten tokens right."""
    rows, points = [], []
    for i, right in enumerate(tokens_right):
        share = right / TOKENS
        logs = 3 * share + np.random.default_rng(i).normal(0, 0.5, len(share))
        values = {"exact_match": (right == TOKENS).astype(float), "edit_similarity": share, "target_logprob": logs}
        for metric, value in values.items():
            key = {"family": "f", "task": "t", "strategy": "direct", "shots": 0, "metric": metric, "rung": f"r{i}"}
            rows += [key | {"seed": 0, "example_id": str(k), "value": float(v)} for k, v in enumerate(value)]
            points.append(
                key
                | {"params_non_embedding": 10.0 ** (6 + 3 * i / 7), "y": value.mean(), "n": len(value)}
                | {"se": value.std(ddof=1) / len(value) ** 0.5, "chance": 0.0, "ceiling": 1.0, "higher_is_better": True}
            )
    return pl.DataFrame(points), pl.DataFrame(rows)


def test_judging_a_run_pairs_companions_with_their_curve():
    rng = np.random.default_rng(2)
    curves, scores = run_of([rng.binomial(TOKENS, p, 1000) for p in np.exp(LOG_P)])
    table = judge_all(curves, scores, replicates=200)
    exact = table.filter(pl.col("metric") == "exact_match").row(0, named=True)
    assert (exact["shape"], exact["artefact"]) == ("late", "metric-artefact")
    assert table.filter(pl.col("metric") == "edit_similarity")["artefact"].item() == ""


def test_the_same_measure_in_another_unit_is_no_further_witness():
    rng = np.random.default_rng(2)
    curves, scores = run_of([rng.binomial(TOKENS, p, 200) for p in np.exp(LOG_P)])
    kept = pl.col("metric") != "edit_similarity"  # with one companion left, a second one would decide
    curves, scores = curves.filter(kept), scores.filter(kept)

    def bits(table, *values):
        own = pl.col("metric") == "target_logprob"
        return table.filter(own).with_columns(metric=pl.lit("bits_per_byte"), **{v: -pl.col(v) for v in values})

    more = bits(curves, "y").with_columns(higher_is_better=pl.lit(False))
    before = judge_all(curves, scores, replicates=20)
    after = judge_all(pl.concat([curves, more]), pl.concat([scores, bits(scores, "value")]), replicates=20)
    assert after.filter(pl.col("metric") != "bits_per_byte").equals(before)
    assert "one-companion" in after.row(0, named=True)["flags"]
    assert after.filter(metric="bits_per_byte").height == 1


def test_decomposition_is_ready_for_a_chart():
    curve = curve_of(STEP)
    scores = pl.DataFrame(
        {"family": "f", "task": "t", "strategy": "direct", "shots": 0, "metric": "target_logprob", "rung": rung}
        | {"example_id": item, "value": float(np.log(p))}
        for rung, p in zip(curve.rungs, STEP, strict=True)
        for item in ("a", "b")
    )
    loss = companion(np.linspace(4, 1, 8), "loss", higher_is_better=False)
    table = decomposition(curve, [loss], scores)
    assert table["role"].unique(maintain_order=True).to_list() == ["score", "companion", "account"]
    assert table.filter(pl.col("role") == "account")["y"].to_list() == pytest.approx(STEP)
    shares = table.filter(pl.col("metric") == "loss")["share"]
    assert (shares[0], shares[-1]) == (0, 1)
