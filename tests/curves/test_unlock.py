import numpy as np
import polars as pl
import pytest

from scalecurve.curves import extraction_explains, simultaneous, unlock
from scalecurve.nouns import UserError

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


def test_unread_answers_can_explain_an_uplift():
    assert extraction_explains(0.2, base_unparsed=0.5, base_score=0.2)
    assert not extraction_explains(0.2, base_unparsed=0.05, base_score=0.2)
    assert not extraction_explains(-0.1, base_unparsed=0.5, base_score=0.2)


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
