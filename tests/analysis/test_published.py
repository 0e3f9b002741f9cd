"""Verdicts on published results, with the traps of the data."""

import polars as pl
import pytest

from scalecurve.analysis import judge_all

from .test_forecast import published


@pytest.fixture(scope="module")
def pythia(shared):
    return judge_all(published.pythia(shared / "data"), replicates=300)


@pytest.fixture(scope="module")
def observational(shared):
    return judge_all(published.observational(shared / "data"), replicates=300)


def one(table, **own):
    (row,) = table.filter(**own).iter_rows(named=True)
    return row


def test_no_gradual_task_of_pythia_is_emergent(pythia):
    assert "emergent" not in pythia["shape"].to_list()
    saturating = one(pythia, task="sciq", shots=5)
    assert saturating["breakthroughness"] > 22
    assert saturating["shape"] == "smooth"
    assert one(pythia, task="lambada_openai", shots=0)["shape"] == "smooth"


def test_constant_answers_are_flat_and_said_to_be_constant(pythia):
    wsc = one(pythia, task="wsc", shots=5)
    assert wsc["shape"] == "flat"
    assert {"constant-answer", "constant"} <= set(wsc["flags"])
    assert wsc["linearity"] is None
    assert wsc["breakthroughness"] is None


def test_few_subjects_of_a_test_near_chance_are_anything_but_flat(pythia):
    mmlu = pythia.filter(pl.col("task").str.starts_with("hendrycks"))
    assert mmlu.height == 114
    assert mmlu["shape"].is_in(["flat", "inconclusive"]).mean() > 0.85
    assert not mmlu["shape"].is_in(["emergent", "late", "inverse"]).any()
    named = mmlu.filter(~pl.col("shape").is_in(["flat", "inconclusive"]))
    assert (named["p_flat_adjusted"] < 0.05).all(), "virology climbs from .22 to .39 in order, and order counts"


def test_one_odd_model_neither_makes_nor_hides_an_ability(observational):
    addition = one(observational, family="Pythia", task="2-digit addition")
    assert (addition["shape"], addition["artefact"]) == ("emergent", "untested")
    assert "outlier-driven" in addition["flags"]
    assert "2.8b" in addition["reasons"][0]


def test_broken_evaluations_are_missing_not_zero(observational, shared):
    frame = published.observational(shared / "data")
    ipa = frame.filter(pl.col("task") == "ipa_transliterate")
    assert not {"Qwen/Qwen1.5-72B", "Qwen/Qwen-72B"} & set(ipa["rung"])
    rare = one(observational, family="OPT", task="ipa_transliterate")
    assert rare["shape"] == "flat"
    assert rare["breakthroughness"] > 1e6 or rare["breakthroughness"] == float("inf")


def test_mastery_is_not_a_breakthrough(observational):
    assert one(observational, family="Qwen1.5", task="3-digit addition")["shape"] == "saturated"


def test_the_authors_target_of_olmo_is_the_mean_of_its_last_rows(shared):
    runs = pl.read_parquet(shared / "data" / "olmo_ladder" / "ladder_runs.parquet")
    last = runs.filter(pl.col("run") == "peteish13_eval_final").sort("tokens").tail(5)
    weights = {"stem": 0.215, "humanities": 0.335, "social_sciences": 0.219, "other": 0.231}
    mmlu = sum(w * last[f"eval/downstream/mmlu_{part}_test_rc_5shot_len_norm"].mean() for part, w in weights.items())
    stored = pl.read_csv(shared / "data" / "olmo_ladder" / "authors_results" / "chained_main.csv")
    actual = dict(stored.select("Task", "Actual").iter_rows())
    assert mmlu == pytest.approx(actual["mmlu_avg_test_5shot"], abs=1e-12)
    arc = last["eval/downstream/arc_challenge_test_rc_5shot_len_norm"].mean()
    assert arc == pytest.approx(actual["arc_challenge_test_5shot"], abs=1e-12)
    assert (round(mmlu, 4), round(arc, 4)) == (0.5161, 0.6381)


def test_tables_of_other_sources_are_complete(shared):
    gadre, olmo = published.gadre(shared / "data"), published.olmo(shared / "data")
    assert gadre.group_by("family").agg(pl.col("rung").n_unique())["rung"].to_list() == [6, 6, 6]
    assert gadre["loss"].is_not_null().all()
    assert gadre["chance"].is_between(0, 1).all()
    assert olmo.group_by("family", "task", "metric").len()["len"].unique().to_list() == [5]
    assert not olmo["rung"].str.contains("rerun").any()
    assert olmo["training_flops"].min() > 1e18, "tokens times FLOPs of a token are more than 64 bits hold"
