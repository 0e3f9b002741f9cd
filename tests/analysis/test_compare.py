"""Two sides on the same questions: the test, the interval, their rates over many simulated pairs, and the command."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import Call

from scalecurve.analysis.compare.paired import (
    DETECTABLE,
    mcnemar,
    paired_difference,
    slope_over_scale,
    unpaired_difference,
)
from scalecurve.analysis.compare.sides import compare_sides, read_side
from scalecurve.analysis.stats.errors import benjamini_hochberg, holm
from scalecurve.errors import UserError


# ── The test ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (8, 2), (2, 8), (30, 30), (121, 59), (600, 500)])
def test_mcnemar_is_the_exact_binomial_test(counts: tuple[int, int]) -> None:
    from scipy.stats import binomtest

    expected = binomtest(counts[0], sum(counts), 0.5).pvalue if sum(counts) else 1.0
    assert mcnemar(*counts) == pytest.approx(expected, abs=1e-12)


def test_mcnemar_is_that_of_statsmodels() -> None:
    from statsmodels.stats import contingency_tables as tables

    rng = np.random.default_rng(0)
    for _ in range(500):
        wins, losses = (int(one) for one in rng.integers(0, 400, 2))
        table = [[100, wins], [losses, 50]]
        assert mcnemar(wins, losses) == pytest.approx(tables.mcnemar(table, exact=True).pvalue, abs=1e-12)


def test_numbers_worked_by_hand() -> None:
    a, b = np.array([1.0] * 8 + [0.0] * 2 + [1.0] * 5), np.array([0.0] * 8 + [1.0] * 2 + [1.0] * 5)
    found = paired_difference(a, b)
    assert (found.n, found.wins, found.losses, found.method) == (15, 8, 2, "mcnemar")
    assert found.p == pytest.approx(0.109375)
    assert found.difference == pytest.approx(6 / 15)
    up, down = 9 / 17, 3 / 17  # Bonett and Price: one more pair of either kind, two more pairs
    se = ((up + down - (up - down) ** 2) / 17) ** 0.5
    assert (found.low, found.high) == pytest.approx((up - down - 1.959964 * se, up - down + 1.959964 * se), abs=1e-5)
    assert found.detectable == pytest.approx(DETECTABLE * se)
    assert found.needed == 60


def test_repeats_of_a_question_count_as_one() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(50), rng.random(50)
    once = paired_difference(a, b, list(range(50)))
    five = paired_difference(np.repeat(a, 5), np.repeat(b, 5), list(np.repeat(np.arange(50), 5)))
    assert (five.difference, five.se, five.p, five.n) == pytest.approx((once.difference, once.se, once.p, 50))


def test_sides_that_are_equal_and_sides_of_one_question() -> None:
    same = paired_difference(np.full(20, 0.5), np.full(20, 0.5))
    assert (same.difference, same.p, same.low, same.high) == (0, 1, 0, 0)
    alone = paired_difference(np.array([1.0]), np.array([0.0]))
    assert (alone.p, alone.needed) == (1.0, None)


def test_unpaired() -> None:
    found = unpaired_difference(0.6, 0.5, 0.03, 0.04, 200)
    assert (found.difference, found.se) == pytest.approx((0.1, 0.05))
    assert found.p == pytest.approx(0.0455, abs=1e-4)
    assert found.wins is None


# ── Rates ────────────────────────────────────────────────────────────────────────────────────────────────────
def pairs(count: int, items: int, shift: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Right or wrong answers of two models to questions whose difficulty they share, and their true difference."""
    ease = rng.normal(0, 1.5, (200_000,))
    true = float((1 / (1 + np.exp(-ease - shift)) - 1 / (1 + np.exp(-ease))).mean())
    ease = rng.normal(0, 1.5, (count, items))
    a = rng.random((count, items)) < 1 / (1 + np.exp(-ease - shift))
    b = rng.random((count, items)) < 1 / (1 + np.exp(-ease))
    return a.astype(float), b.astype(float), true


@pytest.mark.parametrize(("items", "shift"), [(50, 0.0), (100, 0.5), (250, 0.2), (500, 1.0)])
def test_intervals_hold_the_truth_as_often_as_they_say(items: int, shift: float) -> None:
    a, b, true = pairs(2000, items, shift, np.random.default_rng(items))
    held = [found.low <= true <= found.high for x, y in zip(a, b, strict=True) for found in [paired_difference(x, y)]]
    assert 0.93 <= np.mean(held) <= 0.97


def test_intervals_of_graded_answers_with_repeats() -> None:
    rng = np.random.default_rng(5)
    held = []
    labels = np.repeat(np.arange(60), 3)
    for _ in range(2000):
        ease = np.repeat(rng.normal(0.05, 0.2, 60), 3)
        values = ease + rng.normal(0, 0.1, 180)
        found = paired_difference(values, np.zeros(180), labels)
        held.append(found.low <= 0.05 <= found.high)
    assert 0.93 <= np.mean(held) <= 0.97


def test_false_claims_stay_below_the_level() -> None:
    rng = np.random.default_rng(9)
    any_holm, share_bh = [], []
    for _ in range(200):  # twenty tasks, four of them with a true difference
        ps = []
        for task in range(20):
            a, b, _ = pairs_of(task < 4, rng)
            ps.append(paired_difference(a, b).p)
        adjusted, rate = holm(ps), benjamini_hochberg(ps)
        any_holm.append(bool((adjusted[4:] < 0.05).any()))
        found = int((rate < 0.05).sum())
        share_bh.append((rate[4:] < 0.05).sum() / found if found else 0.0)
    assert np.mean(any_holm) <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5
    assert np.mean(share_bh) <= 0.05 + 0.02


def pairs_of(differs: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    ease = rng.normal(0, 1.5, 200)
    a = rng.random(200) < 1 / (1 + np.exp(-ease - (1.0 if differs else 0.0)))
    b = rng.random(200) < 1 / (1 + np.exp(-ease))
    return a.astype(float), b.astype(float), 0.0


def test_slope_over_scale() -> None:
    rng = np.random.default_rng(2)
    x = np.array([6.0, 7.0, 8.0, 9.0])
    matrix = 0.1 * (x - x.mean()) + rng.normal(0, 0.5, (400, 1)) + rng.normal(0, 0.1, (400, 4))
    slope, se, p = slope_over_scale(matrix, x)
    assert slope == pytest.approx(0.1, abs=4 * se)
    assert se < 0.01  # what an item has at every scale alike cancels
    assert p < 1e-6


# ── The command ──────────────────────────────────────────────────────────────────────────────────────────────
def make_run(folder: Path, call: Call, *, seed: int = 0, strategies: tuple[str, ...] = ("direct", "steps")) -> Path:
    """A run of four sizes, two strategies and two tasks, imported from a table of items."""
    rng = np.random.default_rng(seed)
    rows = []
    for task in ("sums", "words"):
        ease = rng.normal(0, 1.5, 120)
        for at, size in enumerate(("70m", "160m", "410m", "1b")):
            for strategy in strategies:
                skill = at * 0.7 + (1.2 * at if strategy == "steps" and task == "sums" else 0.0)
                right = rng.random(120) < 1 / (1 + np.exp(-ease - skill + 1))
                rows += [
                    {"model": f"EleutherAI/pythia-{size}", "task": task, "strategy": strategy, "item": f"q{item}",
                     "metric": "acc", "score": float(one), "shots": 0}
                    for item, one in enumerate(right)
                ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows).write_parquet(folder / "items.parquet")
    said = call("import", "auto", str(folder / "items.parquet"), "--into", str(folder / "run"))
    assert said.code == 0, said.err
    return folder / "run"


def test_models_prompts_and_the_ladder(tmp_path: Path, call: Call) -> None:
    run = str(make_run(tmp_path, call))
    said = call("compare", "pythia-1b", "pythia-70m", "--run", run, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert {(row["task"], row["strategy"]) for row in found["rows"]} == {
        (task, way) for task in ("sums", "words") for way in ("direct", "steps")
    }  # fmt: skip
    assert all(row["n"] == 120 and row["method"] == "mcnemar" for row in found["rows"])
    said = call("compare", "steps", "direct", "--run", run, "--json")
    found = json.loads(said.out)
    assert len(found["rows"]) == 8
    by = {(row["task"], row["rung"]): row for row in found["rows"]}
    assert by["sums", "pythia-1b"]["better"] == "A"
    assert not any(row["better"] for (task, _), row in by.items() if task == "words")
    ladder = {row["task"]: row for row in found["over_scale"]}
    assert ladder["sums"]["models"] == 4
    assert ladder["sums"]["slope"] > 3 * ladder["sums"]["slope_se"]
    assert abs(ladder["words"]["slope"]) < 3 * ladder["words"]["slope_se"]
    text = call("compare", "pythia-1b:direct", "pythia-70m:direct", "--run", run, "--items").out
    assert "seen from" in text
    assert "only A: q" in text
    assert "unpaired, the errors would be" in text


def test_two_runs_and_runs_without_items(tmp_path: Path, call: Call) -> None:
    one, other = (make_run(tmp_path / name, call, seed=at) for at, name in enumerate("ab"))
    found = json.loads(call("compare", str(one), str(other), "--json").out)
    assert {row["method"] for row in found["rows"]} == {"mcnemar"}
    assert len(found["rows"]) == 16
    table = tmp_path / "points.csv"
    table.write_text("model,task,acc,n\nEleutherAI/pythia-70m,t,0.5,400\nEleutherAI/pythia-160m,t,0.6,400\n")
    call("import", "auto", str(table), "--into", str(tmp_path / "c"))
    said = call("compare", f"{tmp_path / 'c'}:pythia-160m", f"{tmp_path / 'c'}:pythia-70m")
    assert said.code == 0, said.err
    assert "1 rows without item scores are unpaired" in said.out
    (row,) = compare_sides(*(read_side(f"pythia-{size}", tmp_path / "c") for size in ("160m", "70m"))).to_dicts()
    assert row["difference"] == pytest.approx(0.1)
    assert row["se"] == pytest.approx((0.25 / 400 + 0.24 / 400) ** 0.5)


def test_what_is_not_there_is_said(tmp_path: Path, call: Call) -> None:
    run = make_run(tmp_path, call)
    with pytest.raises(UserError, match=r"pythia-9b: is neither a model nor a strategy .* it has pythia-70m"):
        read_side("pythia-9b", run)
    with pytest.raises(UserError, match="name a run"):
        read_side("pythia-1b")
    for arguments in (
        ("compare", "pythia-1b", "pythia-70m"),
        ("compare", "pythia-1b", "pythia-70m", "--run", str(run), "--adjust", "none"),
        ("compare", "pythia-1b", "pythia-70m", "--run", str(run), "--metric", "bleu"),
        ("compare", "pythia-1b", "pythia-70m", "--run", str(run), "--task", "chess"),
    ):
        said = call(*arguments)
        assert (said.code, said.err.count("\n")) == (2, 1), said.err
