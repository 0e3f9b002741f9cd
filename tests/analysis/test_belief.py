"""Suggestibility: flips, drift, resistance and shifts, on choices made here."""

import math

import polars as pl
import pytest

from scalecurve.analysis.compare.belief import belief_effects
from scalecurve.analysis.stats.errors import wilson
from scalecurve.errors import UserError

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


# ── One rung by hand ─────────────────────────────────────────────────────────────────────────────────────────
def answers(arm: str, *items: tuple, rung="small", **changes) -> list[dict]:
    """Outputs of ``arm``: (chosen option, flags) an item."""
    return [output(rung, arm, k, chosen, flags) | changes for k, (chosen, *flags) in enumerate(items)]


def effects_of(*outputs: list[dict], scales=SCALES, **options) -> list[dict]:
    table = pl.DataFrame([row for rows in outputs for row in rows])
    key = ["family", "task", "rung", "strategy", "shots", "seed", "example_id"]
    best = [None if row["error"] else max(zip(row["option_logprobs"], OPTIONS, strict=True))[1] for row in
            table.iter_rows(named=True)]  # fmt: skip
    value = pl.Series([None if one is None else float(one == "a") for one in best], dtype=pl.Float64)
    scores = table.select(key).with_columns(value=value, metric=pl.lit("multiple_choice_grade"))
    other = scores.with_columns(metric=pl.lit("brier"), value=pl.lit(0.3))
    return belief_effects(pl.concat([scores, other]), table, scales, task="t", replicates=100, **options)


def test_every_number_of_a_row() -> None:
    (row,) = effects_of(
        answers("none", ("a",), ("b",), ("d",), ("a",)),
        answers("wrong", ("b", "stated:b"), ("b", "stated:b"), ("b", "x", "stated:b"), ("a", "stated:b")),
    )
    assert {name: row[name] for name in ("arm", "rung", "x", "n", "none", "score", "change", "items", "flips")} == {
        "arm": "wrong", "rung": "small", "x": 1e6, "n": 4, "none": 0.5, "score": 0.25, "change": -0.25, "items": 3,
        "flips": 2,
    }  # fmt: skip
    assert (row["flip_rate"], row["drift"], row["leaks"]) == (pytest.approx(2 / 3), None, None)
    assert (row["tokens_in"], row["tokens_out"]) == (30, 0)
    assert row["resistance"] == 0.5
    assert 0 <= row["resistance_lo"] <= 0.5 <= row["resistance_hi"] <= 1
    assert row["shift"] == pytest.approx((2 * math.log(7) + 0 + 0) / 4)


def test_leaks_of_the_models_own_statements_are_counted() -> None:
    none = answers("none", ("a",), ("b",), ("d",))
    own = answers("own", ("a", "stated:a", "leak"), ("b", "stated:b"), ("a", "stated:a", "leak"))
    other = answers("own", ("a", "stated:a", "leak"), ("b",), ("d",), rung="large")
    rows = effects_of(none, own, answers("none", ("a",), ("b",), ("d",), rung="large"), other)
    assert [(row["arm"], row["rung"], row["leaks"]) for row in rows] == [("own", "small", 2), ("own", "large", 1)]
    assert [row["items"] for row in rows] == [1, 0]
    assert (rows[1]["flips"], rows[1]["flip_rate"], rows[1]["flip_lo"]) == (0, None, None)


def test_families_are_told_apart() -> None:
    mine = [answers("none", ("a",), ("b",)), answers("wrong", ("b", "stated:b"), ("b", "stated:b"))]
    others = [[row | {"family": "g"} for row in answers(arm, ("d",), ("d",))] for arm in ("none", "wrong")]
    assert effects_of(*mine, *others, family="f") == effects_of(*mine)
    tasks = [[row | {"task": "u"} for row in answers(arm, ("d",), ("d",))] for arm in ("none", "wrong")]
    assert effects_of(*mine, *others, *tasks, family="f") == effects_of(*mine)
    with pytest.raises(UserError, match="several families"):
        effects_of(*mine, *others)
    elsewhere = [[row | {"shots": 2} for row in answers("none", ("a",), ("b",))]]
    assert effects_of(*mine, *elsewhere) == effects_of(*mine)


def test_rungs_follow_their_axis() -> None:
    both = [answers(arm, ("a",), ("b",), rung=rung) for arm in ("none", "irrelevant") for rung in SCALES]
    assert [row["rung"] for row in effects_of(*both)] == ["small", "large"]
    losses = {"small": 2.0, "large": 3.0}
    assert [row["rung"] for row in effects_of(*both, scales=losses, axis="loss")] == ["large", "small"]


def test_a_rung_without_shifts_leaves_the_band_undefined() -> None:
    none = [answers("none", ("a",), ("b",), rung=rung) for rung in SCALES]
    small = answers("wrong", ("b", "stated:b"), ("b", "stated:b"))
    large = answers("wrong", ("b",), ("b",), rung="large")
    assert [row["shift"] for row in effects_of(*none, small, large)] == [None, None]
    foreign = answers("wrong", ("b", "stated:z"), ("b", "stated:b"), rung="large")
    rows = effects_of(*none, small, foreign)
    assert [row["shift"] for row in rows] == pytest.approx([math.log(7) / 2, 0])  # an option there never was
    assert [row["items"] for row in rows] == [1, 1]


def test_answers_that_say_nothing_do_not_count() -> None:
    """Scored they may be, but nothing was chosen: all options impossible, or none scored."""
    none = answers("none", ("a",), ("b",), ("d",), ("d",))
    wrong = answers("wrong", ("b", "stated:b"), ("b", "stated:b"), ("b", "stated:b"), ("b", "stated:b"))
    wrong[0]["option_logprobs"] = [-math.inf] * 4
    none[2]["option_logprobs"] = []
    table = pl.DataFrame(none + wrong)
    key = ["family", "task", "rung", "strategy", "shots", "seed", "example_id"]
    scores = table.select(key).with_columns(value=pl.lit(0.5), metric=pl.lit("multiple_choice_grade"))
    (row,) = belief_effects(scores, table, SCALES, task="t", replicates=50)
    assert (row["n"], row["items"], row["flips"]) == (4, 1, 1)
    assert row["shift"] == pytest.approx((0 + math.log(7)) / 2)


def test_the_same_seed_gives_the_same_intervals() -> None:
    scores, outputs = run({"small": 0.5, "large": 0.1}, {"small": 0.4, "large": 0.9})
    one, again, other = (
        belief_effects(scores, outputs, SCALES, task="t", replicates=60, seed=seed)[2] for seed in (1, 1, 2)
    )
    assert one == again
    for name in ("lo", "resistance_lo", "shift_lo"):
        assert one[name] != other[name]
