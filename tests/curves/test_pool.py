import polars as pl
import pytest

from scalecurve.curves import curves_from_frame, pool_repeats, pool_subtasks
from scalecurve.nouns import UserError


def points(tasks, seeds=(0,), rungs=(0, 1, 2, 3)):
    return pl.DataFrame(
        [
            {"family": "f", "task": task, "strategy": "direct", "shots": 0, "metric": "exact_match", "rung": f"r{i}"}
            | {"seed": seed, "params_non_embedding": 10 ** (6 + i), "y": level + 0.1 * i + 0.02 * seed, "se": 0.03}
            | {"n": 100, "chance": chance, "ceiling": 1.0, "higher_is_better": True}
            for task, (level, chance) in tasks.items()
            for seed in seeds
            for i in rungs
        ]
    )


def test_repeats_share_items_but_not_their_own_scatter():
    pooled = pool_repeats(points({"t": (0.3, 0.25)}, seeds=(0, 1, 2)))
    assert pooled["y"].to_list() == pytest.approx([0.32, 0.42, 0.52, 0.62])
    assert pooled["se"][0] == pytest.approx((0.03**2 + 0.02**2 / 3) ** 0.5)
    assert pooled["n"][0] == 100
    single = pool_repeats(points({"t": (0.3, 0.25)}))
    assert single["se"][0] == pytest.approx(0.03)
    with pytest.raises(UserError, match="no column shot_set"):
        pool_repeats(points({"t": (0.3, 0.25)}), by=("shot_set",))


def test_container_is_the_mean_of_its_subtasks_where_all_are_there():
    table = points({"t:a": (0.2, 0.0), "t:b": (0.4, 0.5)}).filter(
        ~((pl.col("task") == "t:b") & (pl.col("rung") == "r3"))
    )
    pooled = pool_subtasks(table, {"t:a": "t", "t:b": "t"})
    (curve,) = curves_from_frame(pooled)
    assert (curve.family, curve.task) == ("f", "t")
    assert curve.y == pytest.approx((0.3, 0.4, 0.5))
    assert curve.se[0] == pytest.approx(0.03 / 2**0.5)
    assert (curve.n[0], curve.chance) == (200, 0.25)
    with pytest.raises(UserError, match="subtask of x"):
        pool_subtasks(table, {"x:a": "x"})


def test_columns_of_pooled_repeats_and_containers():
    table = points({"t:a": (0.2, 0.0), "t:b": (0.4, 0.5)}, seeds=(0, 1)).with_columns(preferred=pl.lit(True))
    pooled = pool_repeats(table)
    whole = ["family", "task", "strategy", "shots", "metric", "rung"]
    assert pooled.columns == [
        *whole, "y", "se", "n", "params_non_embedding", "chance", "ceiling", "higher_is_better", "preferred",
    ]  # fmt: skip
    first = pooled.row(0, named=True)
    assert (first["params_non_embedding"], first["chance"], first["higher_is_better"]) == (10**6, 0, True)
    assert pooled["task"].unique(maintain_order=True).to_list() == ["t:a", "t:b"]
    container = pool_subtasks(pooled, {"t:a": "t", "t:b": "t"})
    assert container.columns == [
        *whole, "y", "se", "n", "chance", "ceiling", "params_non_embedding", "higher_is_better", "preferred",
    ]  # fmt: skip
    assert container["rung"].to_list() == ["r0", "r1", "r2", "r3"]
    assert container["y"].to_list() == pytest.approx([0.31, 0.41, 0.51, 0.61])
    spread = 0.03**2 + 0.01**2 * 2 / 2
    assert container["se"][0] == pytest.approx((2 * spread) ** 0.5 / 2)
    assert container["n"].to_list() == [200] * 4
    assert container.row(0, named=True)["ceiling"] == 1


def test_only_the_named_subtasks_make_a_container_and_every_metric_its_own():
    table = points({"t:a": (0.2, 0.0), "t:b": (0.4, 0.5), "u": (0.9, 0.0)})
    other = table.filter(pl.col("task") == "t:a").with_columns(metric=pl.lit("acc"))
    pooled = pool_subtasks(pl.concat([table, other]), {"t:a": "t", "t:b": "t"})
    assert dict(pooled.group_by("metric").agg(pl.col("y").first()).iter_rows()) == {
        "exact_match": pytest.approx(0.3), "acc": pytest.approx(0.2),
    }  # fmt: skip
    hole = table.with_columns(y=pl.when((pl.col("task") != "t:b") | (pl.col("rung") != "r0")).then("y"))
    assert pool_subtasks(hole, {"t:a": "t", "t:b": "t"})["rung"].to_list() == ["r1", "r2", "r3"]
    with pytest.raises(UserError) as refused:
        pool_subtasks(table, {"y:a": "y", "x:a": "x", "x:b": "x"})
    assert str(refused.value) == "curves table: none of its tasks is a subtask of x, y"
    with pytest.raises(UserError) as refused:
        pool_repeats(table.drop("se"), by=("seed", "task"))
    assert str(refused.value) == "curves table: no column se; repeats are pooled over seed, task"
