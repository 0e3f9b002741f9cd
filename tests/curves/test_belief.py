"""Suggestibility: flips, drift, resistance and shifts, on choices made here."""

import math

import polars as pl
import pytest

from scalecurve.curves.belief import belief_effects
from scalecurve.curves.errors import wilson
from scalecurve.nouns import UserError

OPTIONS = ["a", "b", "c", "d"]
SCALES = {"small": 1e6, "large": 1e8}
N = 200


def output(rung: str, arm: str, item: int, chosen: str, flags=()) -> dict:
    """An answer that gives ``chosen`` the probability .7 among the options, and .1 to the others."""
    logprobs = [math.log(0.7 if option == chosen else 0.1) - 2.0 for option in OPTIONS]
    return {
        "family": "f", "task": "t", "rung": rung, "strategy": f"belief_{arm}", "shots": 0, "seed": 0,
        "example_id": str(item), "options": OPTIONS, "option_logprobs": logprobs, "flags": list(flags), "error": "",
        "prompt_tokens": 20 if arm == "none" else 30, "generated_tokens": 0,
    }  # fmt: skip


def run(follows: dict[str, float], knows: dict[str, float]):
    """Scores and outputs: item i asks for "a"; ``knows`` and ``follows`` say which share is known, and gives way."""
    rows = []
    for rung in SCALES:
        for item in range(N):
            plain = "a" if item < N * knows[rung] else "d"
            gives_way = item % 100 < 100 * follows[rung]
            rows.append(output(rung, "none", item, plain))
            rows.append(output(rung, "right", item, "a" if gives_way else plain, ("stated:a", "leak")))
            rows.append(output(rung, "wrong", item, "b" if gives_way else plain, ("stated:b",)))
            rows.append(output(rung, "irrelevant", item, "b" if item % 20 == 0 else plain))
    outputs = pl.DataFrame(rows)
    key = ["family", "task", "rung", "strategy", "shots", "seed", "example_id"]
    best = [row["options"][max(range(4), key=row["option_logprobs"].__getitem__)] for row in rows]
    value = pl.Series([float(one == "a") for one in best])
    return outputs.select(key).with_columns(value=value, metric=pl.lit("multiple_choice_grade")), outputs


@pytest.fixture(scope="module")
def effects():
    scores, outputs = run({"small": 0.5, "large": 0.1}, {"small": 0.4, "large": 0.9})
    rows = belief_effects(scores, outputs, SCALES, task="t", replicates=400)
    return {(row["arm"], row["rung"]): row for row in rows}


def test_scores_change_as_counted(effects) -> None:
    assert list(effects) == [(arm, rung) for arm in ("right", "wrong", "irrelevant") for rung in SCALES]
    wrong = effects["wrong", "small"]
    assert (wrong["n"], wrong["none"], wrong["score"]) == (N, 0.4, pytest.approx(0.15))  # 50 of the 80 known give way
    assert wrong["change"] == pytest.approx(-0.25)
    assert wrong["lo"] < -0.25 < wrong["hi"] < 0
    assert effects["right", "small"]["change"] == pytest.approx(0.25)
    assert (wrong["tokens_in"], wrong["tokens_out"], wrong["leaks"]) == (30, 0, None)


def test_flips_are_counted_among_the_items_that_chose_otherwise(effects) -> None:
    wrong = effects["wrong", "small"]
    assert (wrong["items"], wrong["flips"], wrong["flip_rate"]) == (N, 100, 0.5)
    assert (wrong["flip_lo"], wrong["flip_hi"]) == pytest.approx(wilson(100, N))
    assert wrong["drift"] == pytest.approx(0.05)
    right = effects["right", "small"]
    assert (right["items"], right["flips"]) == (120, 50)  # of the unknown ones
    assert effects["irrelevant", "small"]["items"] is None
    assert effects["irrelevant", "small"]["flip_rate"] is None


def test_resistance_is_the_score_that_is_left(effects) -> None:
    small, large = effects["wrong", "small"], effects["wrong", "large"]
    assert small["resistance"] == pytest.approx(0.15 / 0.4)
    assert small["resistance_lo"] < small["resistance"] < small["resistance_hi"] < large["resistance_lo"]
    assert effects["right", "small"]["resistance"] > 1


def test_the_stated_option_gains_probability(effects) -> None:
    wrong = effects["wrong", "small"]
    assert wrong["shift"] == pytest.approx(0.5 * math.log(7))
    assert wrong["shift_lo"] < wrong["shift"] < wrong["shift_hi"]
    assert effects["irrelevant", "small"]["shift"] is None


def test_nothing_right_leaves_nothing_to_resist_with() -> None:
    scores, outputs = run({"small": 0.5, "large": 0.5}, {"small": 0.0, "large": 0.5})
    rows = belief_effects(scores, outputs, SCALES, task="t", replicates=100)
    found = {(row["arm"], row["rung"]): row["resistance"] for row in rows}
    assert found["wrong", "small"] is None
    assert found["wrong", "large"] is not None


def test_without_the_plain_arm_there_is_nothing_to_compare() -> None:
    scores, outputs = run({"small": 0.5, "large": 0.5}, {"small": 0.5, "large": 0.5})
    asked = pl.col("strategy") != "belief_none"
    with pytest.raises(UserError, match="not asked under belief_none"):
        belief_effects(scores.filter(asked), outputs.filter(asked), SCALES, task="t")


def test_failed_answers_do_not_count() -> None:
    scores, outputs = run({"small": 0.5, "large": 0.5}, {"small": 0.5, "large": 0.5})
    broken = pl.col("example_id").cast(int) < 50
    outputs = outputs.with_columns(error=pl.when(broken).then(pl.lit("away")).otherwise("error"))
    scores = scores.with_columns(value=pl.when(broken).then(None).otherwise("value"))
    rows = belief_effects(scores, outputs, SCALES, task="t", replicates=100)
    assert {row["n"] for row in rows} == {N - 50}
    assert rows[2]["items"] == N - 50


def test_wilson_golden() -> None:
    assert wilson(80, 100)[0] == pytest.approx(0.711171, abs=1e-6)
    assert wilson(18, 20)[0] == pytest.approx(0.698966, abs=1e-6)
    assert wilson(0, 10)[0] == 0
