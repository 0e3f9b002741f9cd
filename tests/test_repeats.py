"""Questions asked several times: pass@k, majority@k, errors that know the items were asked again, shared prefixes."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.analysis.repeats import majority, pass_at
from scalecurve.errors import UserError
from scalecurve.pipeline import run_study
from scalecurve.store import RunDirectory
from scalecurve.store.parts import read_outputs
from scalecurve.strategies.driver import ask
from scalecurve.strategies.manner import manner_of
from scalecurve.study.study import parse_study
from scalecurve.types import Request

pytest.importorskip("torch")

TASK, RUNG = "lab:reversal:short", "lab:lab-332k"


def run_of(folder: Path, **study: Any) -> tuple[RunDirectory, pl.DataFrame, pl.DataFrame]:
    told = {"name": "again", "models": [RUNG], "tasks": [TASK], "metrics": ["exact_match"], "limit": 40}
    run, outcome = run_study(parse_study({**told, **study}), folder)
    assert outcome.complete, outcome.first_error
    return run, pl.read_parquet(run.curves), pl.read_parquet(run.scores)


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, pl.DataFrame, pl.DataFrame]:
    return run_of(tmp_path_factory.mktemp("again") / "run", repeats=6, shots=[2], settings={"temperature": 1.0})


@pytest.mark.parametrize("right", [[0] * 5, [1, 0, 0, 0, 0], [1, 1, 0, 1, 0], [1] * 5])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_pass_at_k_is_the_mean_over_all_sets_of_k(right: list[int], k: int) -> None:
    sets = list(itertools.combinations(right, k))
    assert pass_at(k, len(right), sum(right)) == pytest.approx(sum(map(any, sets)) / len(sets))


def test_the_majority_is_the_commonest_answer_and_of_equals_the_first() -> None:
    assert majority([None, "a", "b", "b", None]) == 2
    assert majority(["b", "a"]) == 0
    assert majority([None, ""]) is None


def test_repeats_differ_in_their_samples_alone(again: tuple[RunDirectory, pl.DataFrame, pl.DataFrame]) -> None:
    run, _, _ = again
    rows = read_outputs(run).collect()
    assert sorted(rows["seed"].unique()) == [0, 1, 2, 3, 4, 5]
    assert rows.group_by("example_id").agg(pl.col("prompt").n_unique())["prompt"].max() == 1  # the same shots
    texts = rows.group_by("example_id").agg(pl.col("text").n_unique())["text"]
    assert texts.max() > 1
    assert run.read_manifest()["repeats"] == 6


def test_curves_of_their_own(again: tuple[RunDirectory, pl.DataFrame, pl.DataFrame]) -> None:
    run, curves, scores = again
    own = scores.filter(metric="exact_match")
    by_item = {key[0]: rows["value"].to_list() for key, rows in own.group_by("example_id")}
    points = {row["metric"]: row for row in curves.iter_rows(named=True)}
    assert {"pass@2", "pass@4", "pass@6", "majority@2", "majority@4", "majority@6"} <= set(points)
    for k in (2, 4, 6):
        wanted = [sum(map(any, itertools.combinations(values, k))) / math.comb(6, k) for values in by_item.values()]
        assert points[f"pass@{k}"]["y"] == pytest.approx(sum(wanted) / len(wanted))
        assert points[f"pass@{k}"]["n"] == len(by_item)
    assert points["pass@2"]["y"] <= points["pass@4"]["y"] <= points["pass@6"]["y"]
    said = read_outputs(run).collect().sort("seed")
    right = []
    for (item,), rows in said.group_by("example_id"):
        place = majority(rows["response"].to_list())
        right.append(0.0 if place is None else by_item[item][place])
    assert points["majority@6"]["y"] == pytest.approx(sum(right) / len(right))
    assert set(scores.filter(pl.col("metric").str.contains("@"))["seed"]) == {0}
    verdicts = pl.read_parquet(run.verdicts)
    assert "pass@6" in set(verdicts["metric"])


def test_the_error_of_a_mean_knows_that_items_were_asked_again(
    again: tuple[RunDirectory, pl.DataFrame, pl.DataFrame],
) -> None:
    _, curves, scores = again
    point = curves.filter(metric="exact_match").row(0, named=True)
    means = scores.filter(metric="exact_match").group_by("example_id").agg(pl.col("value").mean())["value"]
    spread = float(means.std()) / math.sqrt(len(means))
    floor = math.sqrt(max(point["y"] * (1 - point["y"]), 1 / 40) / (40 * 6))
    assert point["y"] == pytest.approx(float(means.mean()))
    assert point["se"] == pytest.approx(max(spread, floor))
    assert point["n"] == 40


def test_the_samples_of_a_question_share_its_prefix() -> None:
    from scalecurve.models import open_model, resolve_rung

    prompt = "one two three four five six seven eight nine ten " * 8

    def forwarded(repeats: int) -> int:
        model = open_model(resolve_rung(RUNG))
        manners = [manner_of({}, repeat) for repeat in range(repeats)]
        outputs = ask(model, [manner.of(Request(prompt, max_tokens=2)) for manner in manners], None)
        assert not any(output.error for output in outputs)
        return int(model.forwarded_tokens)

    once, often = forwarded(1), forwarded(8)
    assert often - once < 8 * 2 + 8  # what is written, not the prompt again


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ({"repeats": 2, "seeds": [0, 1]}, "give seed, not seeds"),
        ({"repeats": 2, "settings": {"temperature": 0}}, "settings.temperature: 0: repeats are sampled"),
        ({"repeats": 0}, "repeats"),
    ],
)
def test_what_cannot_be_repeated_is_told(tmp_path: Path, study: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        run_of(tmp_path / "run", **study)


def test_a_chain_that_votes_is_repeated_with_samples_of_its_own(tmp_path: Path) -> None:
    settings = {"samples": 2, "temperature": 1.0, "step_tokens": 8}
    asked = {"strategies": ["self_consistency"], "shots": [2], "limit": 6}
    run, curves, _ = run_of(tmp_path / "run", **asked, repeats=2, settings=settings)
    rows = read_outputs(run).collect()
    assert rows.group_by("example_id").agg(pl.col("samples").n_unique())["samples"].max() == 2
    assert {"pass@2", "majority@2"} <= set(curves["metric"])
