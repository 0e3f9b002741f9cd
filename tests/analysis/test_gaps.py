"""The cost of a trap: paired differences, their curves and their table."""

import numpy as np
import polars as pl
import pytest

from scalecurve.analysis import gap_curves, gap_scores, gap_table, judge_all
from scalecurve.errors import UserError

SCALES = {f"r{i}": 10.0 ** (6 + i / 2) for i in range(7)}
N = 300


def scores(task: str, levels, metric="multiple_choice_grade", seed=1) -> pl.DataFrame:
    """Item scores of ``task`` at rising scales; items are hard or easy at every rung alike."""
    ease = np.random.default_rng(seed).uniform(size=N)
    frames = [
        pl.DataFrame({"example_id": [str(k) for k in range(N)], "value": (ease < level).astype(float)}).with_columns(
            family=pl.lit("f"), rung=pl.lit(rung), task=pl.lit(task), strategy=pl.lit("direct"),
            shots=pl.lit(0), seed=pl.lit(0), metric=pl.lit(metric),
        )
        for rung, level in zip(SCALES, levels, strict=True)
    ]  # fmt: skip
    return pl.concat(frames)


CURVES = pl.DataFrame(
    {"family": ["f"] * len(SCALES), "rung": list(SCALES), "params_non_embedding": list(SCALES.values())}
)
RISING, FALLING = [0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 0.95], [0.5, 0.5, 0.45, 0.4, 0.3, 0.2, 0.1]


def test_a_trap_that_bites_more_with_scale_is_an_inverse_curve() -> None:
    both = pl.concat([scores("trap", FALLING), scores("control", RISING)])
    graded = gap_scores(both, "trap", "control", "multiple_choice_grade")
    assert set(graded["metric"]) == {"gap:multiple_choice_grade"}
    assert set(graded["value"]) <= {-1.0, 0.0, 1.0}
    curves = gap_curves(graded, CURVES, "multiple_choice_grade")
    means = {
        (task, rung): both.filter(pl.col("task") == task, pl.col("rung") == rung)["value"].mean()
        for task in ("trap", "control")
        for rung in SCALES
    }
    found = dict(curves.select("rung", "y").iter_rows())
    assert found == pytest.approx({rung: means["trap", rung] - means["control", rung] for rung in SCALES})
    (verdict,) = judge_all(curves, graded, replicates=300).to_dicts()
    assert verdict["shape"] == "inverse"
    assert verdict["confidence"] > 0.9


def test_the_table_has_bands_and_names_the_harm() -> None:
    both = pl.concat([scores("trap", FALLING), scores("control", RISING)])
    table = gap_table(both, SCALES, "trap", "control", metric="multiple_choice_grade")
    assert table.columns == ["rung", "x", "n", "control", "trap", "gap", "lo", "hi", "effect"]
    assert table["n"].to_list() == [N] * 7
    assert table["gap"].to_list() == pytest.approx((table["trap"] - table["control"]).to_list())
    assert ((table["lo"] < table["gap"]) & (table["gap"] < table["hi"])).all()
    assert table["effect"].to_list()[0] == ""
    assert table["effect"].to_list()[-3:] == ["harm"] * 3
    loss = both.with_columns(metric=pl.lit("classification_loss"))
    swapped = gap_table(loss, SCALES, "control", "trap", metric="classification_loss")
    assert swapped["effect"].to_list()[-3:] == ["harm"] * 3  # a higher loss is worse


def test_pairs_of_prompts_shift_the_log_odds() -> None:
    rng = np.random.default_rng(3)
    before, after = scores("other", [0.5] * 7, "log_odds"), scores("prompt", [0.5] * 7, "log_odds")
    before = before.with_columns(value=pl.Series(rng.normal(0, 1, before.height)))
    moved = np.where(np.arange(before.height) % 2 == 0, 2.0, -1.0)
    after = after.with_columns(value=before["value"] + moved)
    graded = gap_scores(pl.concat([before, after]), "prompt", "other", "multiple_choice_grade")
    shift = graded.filter(pl.col("metric") == "log_odds_shift")["value"].to_list()
    assert shift == pytest.approx(moved.tolist())
    curves = gap_curves(graded, CURVES, "log_odds_shift")
    heads = curves.filter("preferred")
    assert set(heads["metric"]) == {"log_odds_shift"}
    assert heads["y"].to_list() == pytest.approx([0.5] * 7)
    absolute = curves.filter(pl.col("metric") == "absolute_log_odds_shift")
    assert absolute["y"].to_list() == pytest.approx([1.5] * 7)
    assert not absolute["higher_is_better"].any()
    assert curves["chance"].is_null().all()


def test_items_asked_on_one_side_only_do_not_count() -> None:
    trap, control = scores("trap", FALLING), scores("control", RISING)
    some = control.filter(pl.col("example_id").cast(int) < 10)
    graded = gap_scores(pl.concat([trap, some]), "trap", "control", "multiple_choice_grade")
    assert gap_curves(graded, CURVES, "")["n"].to_list() == [10] * 7
    with pytest.raises(UserError, match="no item scored"):
        gap_table(trap, SCALES, "trap", "control", metric="multiple_choice_grade")


def test_equal_scores_leave_an_error_of_one_item() -> None:
    same = pl.concat([scores("trap", RISING), scores("control", RISING)])
    curves = gap_curves(gap_scores(same, "trap", "control", "multiple_choice_grade"), CURVES, "")
    assert curves["y"].to_list() == [0.0] * 7
    assert curves["se"].to_list() == pytest.approx([1 / N] * 7)


def test_gaps_by_hand() -> None:
    """Columns, the order of the items, and what else the scores hold."""
    key = {"family": "f", "rung": "r0", "strategy": "direct", "shots": 0, "seed": 0}
    values = {"trap": {"2": 0.0, "1": 1.0, "3": 1.0}, "control": {"1": 0.25, "2": 1.0}, "else": {"1": 9.0}}
    table = pl.DataFrame(
        [
            {"task": task, "metric": metric, "example_id": item, "value": value * sign} | key
            for task, items in values.items()
            for metric, sign in (("acc", 1.0), ("log_odds", -1.0), ("brier", 0.0))
            for item, value in items.items()
        ]
    )
    graded = gap_scores(table, "trap", "control", "acc")
    assert graded.columns == table.columns
    assert [tuple(row) for row in graded.select("metric", "example_id", "value", "task").iter_rows()] == [
        ("gap:acc", "2", -1.0, "trap"),
        ("gap:acc", "1", 0.75, "trap"),
        ("log_odds_shift", "2", 1.0, "trap"),
        ("log_odds_shift", "1", -0.75, "trap"),
        ("absolute_log_odds_shift", "2", 1.0, "trap"),
        ("absolute_log_odds_shift", "1", 0.75, "trap"),
    ]
    curves = gap_curves(graded, CURVES, "gap:acc")
    assert curves.select("metric", "y", "n").rows() == [
        ("gap:acc", -0.125, 2), ("log_odds_shift", 0.125, 2), ("absolute_log_odds_shift", 0.875, 2),
    ]  # fmt: skip
    assert curves["se"].to_list() == pytest.approx([1.75 / 2, 1.75 / 2, 0.5])  # of two, at least one in two
    assert curves["preferred"].to_list() == [True, False, False]
    assert curves["higher_is_better"].to_list() == [True, True, False]
    assert curves.schema["chance"] == curves.schema["ceiling"] == pl.Float64
    assert curves["ceiling"].is_null().all()
    loss = graded.filter(pl.col("metric") == "gap:acc").with_columns(metric=pl.lit("gap:brier"))
    assert gap_curves(loss, CURVES, "")["higher_is_better"].to_list() == [False]


def test_the_table_is_of_one_strategy_and_family_and_follows_its_axis() -> None:
    both = pl.concat([scores("trap", FALLING), scores("control", RISING)])
    plain = gap_table(both, SCALES, "trap", "control", metric="multiple_choice_grade")
    noise = both.with_columns(strategy=pl.lit("other"), value=1 - pl.col("value"))
    more = pl.concat([both, noise])
    assert gap_table(more, SCALES, "trap", "control", metric="multiple_choice_grade").equals(plain)
    turned = gap_table(more, SCALES, "trap", "control", metric="multiple_choice_grade", strategy="other")
    assert turned["gap"].to_list() == pytest.approx((-plain["gap"]).to_list())
    families = pl.concat([both, both.with_columns(family=pl.lit("g"))])
    with pytest.raises(UserError, match="several families"):
        gap_table(families, SCALES, "trap", "control", metric="multiple_choice_grade")
    assert gap_table(families, SCALES, "trap", "control", metric="multiple_choice_grade", family="g").equals(plain)
    losses = {rung: 5.0 - i / 10 for i, rung in enumerate(SCALES)}
    down = gap_table(both, losses, "trap", "control", metric="multiple_choice_grade", axis="loss")
    assert (down["rung"].to_list(), down["x"][0]) == (list(SCALES), 5.0)
    one, other = (gap_table(both, SCALES, "trap", "control", metric="multiple_choice_grade", seed=s) for s in (1, 2))
    assert one["lo"].to_list() != other["lo"].to_list()
    shots = both.with_columns(shots=pl.lit(3))
    assert gap_table(shots, SCALES, "trap", "control", metric="multiple_choice_grade", shots=3).equals(plain)


def test_lower_is_better_turns_both_harm_and_gain() -> None:
    both = pl.concat([scores("trap", FALLING), scores("control", RISING)]).with_columns(metric=pl.lit("brier"))
    assert gap_table(both, SCALES, "trap", "control", metric="brier")["effect"].to_list()[-3:] == ["gain"] * 3
    assert gap_table(both, SCALES, "control", "trap", metric="brier")["effect"].to_list()[-3:] == ["harm"] * 3
    unknown = both.with_columns(metric=pl.lit("of one's own"))
    assert gap_table(unknown, SCALES, "trap", "control", metric="of one's own")["effect"].to_list()[-1] == "harm"
