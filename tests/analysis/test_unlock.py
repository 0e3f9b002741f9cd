import numpy as np
import polars as pl
import pytest

from scalecurve.analysis import simultaneous, unlock
from scalecurve.errors import UserError

SCALES = {f"r{i}": 10.0 ** (6 + i / 2) for i in range(6)}


def scores(direct, chain, items=400, seed=1):
    """Item scores of two strategies; easy items are easy for both, as in reality."""
    ease = np.random.default_rng(seed).uniform(size=items)
    noise = np.random.default_rng(seed + 1)
    rows = []
    for strategy, levels in (("direct", direct), ("chain_of_thought", chain)):
        for rung, level in zip(SCALES, levels, strict=True):
            right = 0.8 * ease + 0.2 * noise.uniform(size=items) > 1 - level
            rows.append(
                pl.DataFrame({"example_id": [str(k) for k in range(items)], "value": right.astype(float)}).with_columns(
                    family=pl.lit("f"), rung=pl.lit(rung), task=pl.lit("t"), strategy=pl.lit(strategy),
                    shots=pl.lit(3), seed=pl.lit(0), metric=pl.lit("exact_match"),
                )
            )  # fmt: skip
    return pl.concat(rows)


ARMS = {"arm": ("chain_of_thought", 3), "base": ("direct", 3), "task": "t", "metric": "exact_match"}


def test_unlock_scale_is_where_the_uplift_leaves_zero_for_good():
    table = unlock(scores([0.3] * 6, [0.15, 0.3, 0.3, 0.5, 0.6, 0.7]), SCALES, **ARMS)
    assert table["effect"].to_list() == ["harm", "", "", "gain", "gain", "gain"]
    assert table["unlocked"].to_list() == [False, False, False, True, True, True]
    assert table["unlock_x"][0] == SCALES["r3"]
    assert table["unlock_from"][0] == SCALES["r2"]
    assert table["unlock_share"][0] > 0.9
    assert ((table["lo"] <= table["uplift"]) & (table["uplift"] <= table["hi"])).all()


def test_a_gain_that_is_lost_again_is_no_unlock():
    table = unlock(scores([0.3] * 6, [0.3, 0.6, 0.6, 0.6, 0.6, 0.3]), SCALES, **ARMS)
    assert table["unlock_x"].is_null().all()
    assert not table["unlocked"].any()


def test_bands_hold_at_all_scales_together():
    """Six scales without any effect: some band leaves zero in about 5 of 100 studies, not in 26."""
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(200):
        found = simultaneous(rng.integers(-1, 2, (300, 6)).astype(float), replicates=300)
        wrong += bool(((found["lo"] > 0) | (found["hi"] < 0)).any())
    assert wrong <= 20


def test_arms_without_common_items_are_an_error():
    with pytest.raises(UserError, match="no item scored"):
        unlock(scores([0.3] * 6, [0.3] * 6), SCALES, **(ARMS | {"arm": ("other", 0)}))


def test_an_uplift_of_unread_answers_alone_is_flagged():
    """Half of the direct answers cannot be read and count as wrong; those that can be are as good as the chains."""
    table = scores([1.0] * 6, [1.0] * 6)
    unread = (pl.col("strategy") == "direct") & (pl.col("example_id").cast(pl.Int64) % 2 == 0)
    value = pl.when(unread).then(0.0).otherwise(pl.col("value"))
    found = table.with_columns(value=pl.when(unread).then(0.0).otherwise(1.0), metric=pl.lit("extraction_rate"))
    judged = unlock(pl.concat([table.with_columns(value=value), found]), SCALES, **ARMS)
    assert set(judged["effect"]) == {"gain"}
    assert set(judged["flag"]) == {"extraction"}
    assert set(judged["n_parsed"]) == {200}
    assert set(judged["uplift_parsed"]) == {0.0}


def test_an_uplift_of_read_answers_is_not_flagged():
    table = scores([0.3] * 6, [0.15, 0.3, 0.3, 0.5, 0.6, 0.7])
    every = table.with_columns(value=pl.lit(1.0), metric=pl.lit("extraction_rate"))
    judged, plain = unlock(pl.concat([table, every]), SCALES, **ARMS), unlock(table, SCALES, **ARMS)
    assert judged["uplift_parsed"].to_list() == judged["uplift"].to_list() == plain["uplift"].to_list()
    assert judged["lo_parsed"].to_list() == judged["lo"].to_list()
    assert set(judged["flag"]) == {""}
    assert plain["n_parsed"].is_null().all()


def test_an_effect_with_nothing_read_under_both_is_flagged():
    table = scores([0.1] * 6, [0.6] * 6)
    none = table.with_columns(value=(pl.col("strategy") != "direct").cast(pl.Float64), metric=pl.lit("extraction_rate"))
    judged = unlock(pl.concat([table, none]), SCALES, **ARMS)
    assert set(judged["flag"]) == {"extraction"}
    assert judged["uplift_parsed"].is_null().all()


def table_of(values, rungs=("r0",), **own):
    """Scores with ``values[strategy][rung][item]``; None for an answer without a score."""
    key = {"family": "f", "task": "t", "shots": 3, "seed": 0, "metric": "exact_match"} | own
    return pl.DataFrame(
        [
            key | {"strategy": strategy, "rung": rung, "example_id": str(k), "value": value}
            for strategy, columns in values.items()
            for rung, column in zip(rungs, columns, strict=True)
            for k, value in enumerate(column)
        ],
        schema_overrides={"value": pl.Float64},
    )


def test_every_column_by_hand():
    direct, chain = [[0, 0, 1, 1, None]], [[1, 0, 1, 1, 1]]
    row = unlock(table_of({"direct": direct, "chain_of_thought": chain}), SCALES, **ARMS, replicates=100).to_dicts()[0]
    reach = 1.96 * 0.25  # the standard error of (1, 0, 0, 0), which is also the least of four items
    assert (row["rung"], row["x"], row["n"], row["base"], row["arm"]) == ("r0", 1e6, 4, 0.5, 0.75)
    assert row["uplift"] == pytest.approx(0.25)
    assert row["hi"] - row["uplift"] == pytest.approx(row["uplift"] - row["lo"])
    assert row["hi"] - row["uplift"] >= reach - 1e-12
    assert (row["effect"], row["unlocked"], row["unlock_x"], row["unlock_from"]) == ("", False, None, None)
    assert row["unlock_share"] > 0.8
    assert (row["n_parsed"], row["uplift_parsed"], row["lo_parsed"], row["hi_parsed"], row["flag"]) == (*[None] * 4, "")


def test_bands_by_hand():
    differences = np.array([[1.0, np.nan], [0.0, 1.0], [0.0, -1.0], [0.0, 0.0], [1.0, 1.0]])
    found = simultaneous(differences, replicates=500, seed=2)
    mean = np.array([0.4, 0.25])
    se = np.array([(1.2 / 4 / 5) ** 0.5, (2.75 / 3 / 4) ** 0.5])
    copies = found["copies"]
    largest = np.abs((copies - mean) / se).max(axis=1)
    reach = max(np.quantile(largest, 0.95), 1.96) * se
    assert copies.shape == (500, 2)
    assert found["mean"] == pytest.approx(mean)
    assert found["reach"] == pytest.approx(reach)
    assert found["lo"] == pytest.approx(mean - reach)
    assert found["hi"] == pytest.approx(mean + reach)
    again, other = (simultaneous(differences, seed, 500)["copies"] for seed in (2, 3))
    assert (again == copies).all()
    assert (other != copies).any()
    assert simultaneous(differences)["copies"].shape == (2000, 2)


def test_no_change_and_a_single_item_are_still_in_doubt():
    assert simultaneous(np.zeros((50, 1)), replicates=50)["reach"] == pytest.approx(1.96 / 50)
    assert simultaneous(np.ones((1, 1)), replicates=50)["lo"] == pytest.approx(1 - 1.96)


def test_rungs_without_a_scale_or_without_common_items_are_left_out():
    values = {"direct": [[0.0] * 9] * 3, "chain_of_thought": [[1.0] * 9, [None] * 9, [1.0] * 9]}
    table = table_of(values, ("r1", "r0", "other"))
    assert unlock(table, SCALES, **ARMS)["rung"].to_list() == ["r1"]
    assert unlock(table, {"r1": 1e9, "r0": 1e6, "other": 1e3}, **ARMS)["rung"].to_list() == ["other", "r1"]
    losses = unlock(table, {"r1": 2.0, "r0": 3.0, "other": 4.0}, **ARMS, axis="loss")
    assert losses["rung"].to_list() == ["other", "r1"]  # a lower loss is a larger scale


def test_an_uplift_everywhere_is_unlocked_at_the_smallest_scale():
    table = unlock(scores([0.1] * 6, [0.7] * 6), SCALES, **ARMS)
    assert table["unlock_x"].unique().to_list() == [1e6]
    assert table["unlock_from"].is_null().all()
    assert table["unlocked"].all()
    assert table["unlock_share"].unique().item() > 0.9


def test_families_are_told_apart_and_must_be_named():
    one = scores([0.1] * 6, [0.7] * 6)
    both = pl.concat([one, one.with_columns(family=pl.lit("g"), value=1 - pl.col("value"))])
    with pytest.raises(UserError, match=r"unlock: t has several families \((f, g|g, f)\); name one"):
        unlock(both, SCALES, **ARMS)
    assert unlock(both, SCALES, **ARMS, family="f").equals(unlock(one, SCALES, **ARMS))
    with pytest.raises(
        UserError, match=r"t has no item scored by exact_match under both other 0-shot and direct 3-shot"
    ):
        unlock(one, SCALES, **(ARMS | {"arm": ("other", 0)}))


def test_seeds_are_averaged_and_other_shots_metrics_and_tasks_ignored():
    once = table_of({"direct": [[0, 0, 1, 1]], "chain_of_thought": [[1, 1, 1, 1]]})
    noise = [table_of({"direct": [[1] * 4], "chain_of_thought": [[0] * 4]}, **own) for own in (
        {"shots": 0}, {"metric": "brier"}, {"task": "u"},
    )]  # fmt: skip
    again = table_of({"direct": [[1, 1, 1, 1]], "chain_of_thought": [[1, 1, 1, 1]]}, seed=1)
    assert unlock(pl.concat([once, *noise]), SCALES, **ARMS).equals(unlock(once, SCALES, **ARMS))
    assert unlock(pl.concat([once, again]), SCALES, **ARMS)["base"].item() == 0.75


def test_what_was_read_under_both_arms_in_every_seed():
    plain = table_of({"direct": [[0, 0, 1, 1]], "chain_of_thought": [[1, 0, 1, 1]]})
    read = table_of({"direct": [[1, 1, 0, 1]], "chain_of_thought": [[1, 0, 1, 1]]}, metric="extraction_rate")
    row = unlock(pl.concat([plain, read]), SCALES, **ARMS).to_dicts()[0]
    assert (row["n_parsed"], row["uplift_parsed"]) == (2, 0.5)  # items 0 and 3
    unread_once = read.with_columns(seed=pl.lit(1, pl.Int64), value=pl.lit(0.0))
    row = unlock(pl.concat([plain, read, unread_once]), SCALES, **ARMS).to_dicts()[0]
    assert (row["n_parsed"], row["uplift_parsed"], row["lo_parsed"], row["hi_parsed"]) == (0, None, None, None)
    elsewhere = read.with_columns(task=pl.lit("u"))
    assert unlock(pl.concat([plain, elsewhere]), SCALES, **ARMS)["n_parsed"].to_list() == [None]
    one_arm = read.filter(pl.col("strategy") == "direct")
    assert unlock(pl.concat([plain, one_arm]), SCALES, **ARMS)["n_parsed"].to_list() == [None]


@pytest.mark.parametrize("turn", [False, True])
def test_gains_and_harms_of_unread_answers_alone(turn):
    """Two rungs: the effect is there among the read answers of the second only."""
    direct, chain = [[0.0] * 60 + [1.0] * 60, [0.0] * 120], [[1.0] * 120, [1.0] * 120]
    if turn:
        direct, chain = chain, direct
    plain = table_of({"direct": direct, "chain_of_thought": chain}, ("r0", "r1"))
    shares = [[0.0] * 60 + [1.0] * 60, [1.0] * 120]
    read = table_of({"direct": shares, "chain_of_thought": shares}, ("r0", "r1"), metric="extraction_rate")
    table = unlock(pl.concat([plain, read]), SCALES, **ARMS)
    assert table["effect"].to_list() == ["harm" if turn else "gain"] * 2
    assert table["flag"].to_list() == ["extraction", ""]
    assert table["n_parsed"].to_list() == [60, 120]
    assert table["lo_parsed"][0] < 0 < table["hi_parsed"][0]
