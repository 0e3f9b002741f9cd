"""Which recipe wins, what a model would score elsewhere, and what would settle a forecast: on made-up families."""

import json

import numpy as np
import polars as pl
import pytest
from command_line import call_main

from scalecurve.analysis import by_ability, decisions, rank
from scalecurve.analysis.forecast.forecast import Panel
from scalecurve.analysis.forecast.settle import settle
from scalecurve.errors import UserError

from .helpers import curve_of
from .test_forecast import published
from .test_panels import points

SIZES = [1e6, 4e6, 1.6e7, 6.4e7, 2.6e8, 1e9]


def recipes(gap, tasks=12, seed=0, n=2000):
    """Two families on the same tasks, the second better by ``gap`` at every size, each task with its own gap."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(tasks):
        base, own = np.linspace(0.3, 0.7, len(SIZES)), gap + rng.normal(0, 0.01)
        for name, shift in (("a", 0.0), ("b", own)):
            y = rng.binomial(n, base + shift) / n
            parts.append(points(f"t{i}", y, x=SIZES, name=name, n=n, se=0.01))
    return pl.concat(parts)


def test_a_better_recipe_is_told_with_its_probability():
    table = rank(recipes(0.04), 1e10)
    overall = table.filter(task="overall").row(0, named=True)
    assert (overall["first"], overall["second"]) == ("a", "b")
    assert overall["difference"] == pytest.approx(-0.04, abs=0.015)
    assert overall["probability"] < 0.05
    assert overall["lo95"] < overall["lo80"] < overall["difference"] < overall["hi80"] < overall["hi95"]
    single = table.filter(pl.col("task") != "overall")
    assert single.height == 12
    assert (single["probability"] < 0.5).all()
    assert (single["sd"] > overall["sd"]).mean() > 0.5


def test_recipes_that_do_not_differ_are_left_in_doubt():
    table = rank(recipes(0.0, seed=3), 1e10)
    overall = table.filter(task="overall").row(0, named=True)
    assert 0.1 < overall["probability"] < 0.9
    assert overall["lo80"] < 0 < overall["hi80"]


def test_where_lower_is_better_the_lower_recipe_wins():
    table = recipes(0.04).with_columns(y=1 - pl.col("y"), higher_is_better=False, ceiling=0.0, chance=0.75)
    assert rank(table, 1e10).filter(task="overall")["probability"].item() < 0.05


def test_known_sizes_are_decided_from_models_a_tenth_as_large():
    table = decisions(recipes(0.06))
    assert set(table["x"].round(1)) == {7.8, 8.4, 9.0}
    assert table["right"].mean() > 0.9
    assert table.filter(pl.col("x") > 8.9)["known"].max() == 4  # of six sizes those at most a tenth of the last
    hidden = recipes(0.06).with_columns(
        y=pl.when(pl.col("params_non_embedding") > 1e8).then(1 - pl.col("y")).otherwise(pl.col("y"))
    )
    same = pl.col("x") > 8.9  # what is decided knows nothing of what came
    assert decisions(hidden).filter(same)["difference"].to_list() == table.filter(same)["difference"].to_list()


def test_intervals_of_differences_hold():
    rows = pl.concat([decisions(recipes(0.02, seed=seed)) for seed in range(6)])
    assert 0.7 <= rows["inside80"].mean() <= 0.95
    assert rows["inside95"].mean() >= 0.9


def test_what_cannot_be_ranked_is_said():
    with pytest.raises(UserError, match="no two families share 2 sizes"):
        rank(points(), 1e12)
    with pytest.raises(UserError, match="--recipe: no family 'c'; there are a, b"):
        rank(recipes(0.0), 1e10, recipes=["a", "c"])
    apart = pl.concat([points(), points(name="g", x=[2e6, 2e7, 2e8, 2e9, 2e10])])
    with pytest.raises(UserError, match="no two families share"):
        rank(apart, 1e12)


def test_the_command_shows_a_table_and_checks_itself(tmp_path, capsys):
    path = tmp_path / "curves.parquet"
    recipes(0.05).write_parquet(path)
    assert call_main("rank", path, "--to", "10B", "--check") == 0
    out = capsys.readouterr().out
    assert "overall" in out
    assert "From models a tenth as large:" in out
    assert call_main("rank", path, "--to", "10B", "--task", "t1", "--json") == 0
    assert {row["task"] for row in json.loads(capsys.readouterr().out)} == {"t1", "t10", "t11", "overall"}
    assert call_main("rank", path, "--to", "10B", "--task", "nothing") == 2


# ── The ability axis ─────────────────────────────────────────────────────────────────────────────────────────
def models(count=40, seed=0):
    """Models of eight families with two abilities, five standard tasks, and one that only the weaker half was asked."""
    rng = np.random.default_rng(seed)
    strength = np.sort(rng.normal(0, 1.2, count))
    rows = []
    for i, ability in enumerate(strength):
        other = rng.normal(0, 0.3)
        own = {"family": f"f{i % 8}", "rung": f"m{i}", "strategy": "direct", "shots": 0, "metric": "acc", "n": 2000}
        for task in range(6):
            hard = 0.5 * task - 1.5
            p = 1 / (1 + np.exp(-(1.3 * ability + (0.5 if task % 2 else -0.5) * other - hard)))
            row = own | {"task": f"s{task}" if task < 5 else "late", "y": rng.binomial(2000, p) / 2000}
            row |= {"chance": 0.0, "ceiling": 1.0, "truth": p}
            rows.append(row)
    return pl.DataFrame(rows), strength


def test_a_task_that_the_ablest_were_not_asked_is_told_from_the_others():
    table, strength = models()
    able = [f"m{i}" for i in range(20, 40)]
    hidden = table.filter((pl.col("task") != "late") | ~pl.col("rung").is_in(able))
    found = by_ability(hidden).join(table.filter(task="late").select("rung", "truth"), on="rung")
    assert found.height == 20
    error = (found["y"] - found["truth"]).abs().mean()
    assert error < 0.07
    guess = (
        (table.filter(pl.col("task") == "late", ~pl.col("rung").is_in(able))["y"].max() - found["truth"]).abs().mean()
    )
    assert error < guess / 3
    assert (found["lo95"] <= found["lo80"]).all()
    assert found["lo95"].min() >= 0
    assert found["hi95"].max() <= 1
    order = found.sort("x")["rung"].str.slice(1).cast(pl.Int64).to_list()
    assert np.corrcoef(order, range(20))[0, 1] > 0.9  # abler models lie further along
    assert len(strength) == 40


def test_a_missing_standard_score_is_no_hindrance():
    table, _ = models()
    hidden = table.filter(~((pl.col("task") == "s2") & pl.col("rung").is_in(["m3", "m30"])))
    hidden = hidden.filter((pl.col("task") != "late") | (pl.col("rung") != "m30"))
    found = by_ability(hidden)
    assert set(found.select("rung", "task").rows()) == {("m3", "s2"), ("m30", "s2"), ("m30", "late")}
    truth = found.join(table.select("rung", "task", "truth"), on=["rung", "task"])
    assert (truth["y"] - truth["truth"]).abs().max() < 0.1
    standard = by_ability(
        table.filter((pl.col("task") != "late") | (pl.col("rung") != "m30")), ["s0", "s1", "s2", "s3"]
    )
    assert set(standard.filter(task="late")["rung"]) == {"m30"}


def test_what_the_ability_axis_needs_is_said():
    table, _ = models()
    with pytest.raises(UserError, match="needs 3 tasks that nearly all models have; here 2"):
        by_ability(table.filter(pl.col("task").is_in(["s0", "s1"])))
    with pytest.raises(UserError, match="no score is missing"):
        by_ability(table)


def test_public_models_on_tasks_they_were_not_asked(shared):
    known, withheld = published.observational_models(shared / "data")
    found = by_ability(known.drop("flops"))
    both = found.join(withheld.select("rung", "task", actual="y"), on=["rung", "task"])
    assert both.height > 150
    assert 100 * (both["y"] - both["actual"]).abs().mean() <= 4.5


# ── What would settle it ─────────────────────────────────────────────────────────────────────────────────────
def test_few_items_call_for_items_and_a_far_target_for_a_size():
    rng = np.random.default_rng(0)
    noisy = [
        curve_of(rng.binomial(40, 0.5, 8) / 40, n=40, task=f"t{i}", x=[10 ** (6 + k / 2) for k in range(8)])
        for i in range(12)
    ]
    found = settle(Panel(noisy), noisy[0], 5e9)
    assert found.items_width < 0.8
    assert found.items_width < found.size_width
    clear = [
        curve_of(rng.binomial(50_000, np.linspace(0.3, 0.6, 8)) / 50_000, n=50_000, task=f"t{i}") for i in range(4)
    ]
    far = settle(Panel(clear), clear[0], 1e12)
    assert far.items is None
    assert far.items_width > 0.9
    assert 1e9 < far.size < 1e12
    assert far.size_width < 0.8
