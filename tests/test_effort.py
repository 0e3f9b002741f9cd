"""Compute at answer time: budgets as ways of asking, and curves, verdicts and forecasts over tokens an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command_line import Call
from completions import CompletionsServer

from scalecurve.errors import UserError
from scalecurve.pipeline import run_study
from scalecurve.report.data import gather
from scalecurve.report.figures import plot
from scalecurve.report.summary import sentences
from scalecurve.report.words import words
from scalecurve.store import RunDirectory
from scalecurve.store.parts import read_outputs
from scalecurve.study.plan import make_plan
from scalecurve.study.study import load_study, parse_study

STUDY = Path(__file__).parents[1] / "studies" / "effort.toml"
MOCK = {"name": "m", "backend": "mock", "location": "m", "params_non_embedding": 1000}


def planned(**study: Any) -> Any:
    told = {"name": "e", "models": [MOCK], "tasks": ["lab:addition:1_digit"], "shots": [2], **study}
    return make_plan(parse_study(told))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Two models of the laboratory, three budgets of steps, and direct beside them."""
    pytest.importorskip("torch")
    study = {
        "name": "steps",
        "models": [{"ref": "lab", "rungs": ["lab-109k", "lab-332k"]}],
        "tasks": ["lab:addition:2_digits"],
        "strategies": ["direct", "chain_of_thought"],
        "metrics": ["exact_match"],
        "shots": [2],
        "shot_policy": "fixed",
        "limit": 24,
        "effort": {"step_tokens": [4, 12, 20, 28, 64, 128]},  # no sum takes 64 tokens
        "settings": {"answer_tokens": 6},
    }
    made, outcome = run_study(parse_study(study), tmp_path_factory.mktemp("effort") / "run")
    assert outcome.complete, outcome.first_error
    return made


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────
def test_each_budget_is_a_strategy_of_its_own_and_what_takes_none_is_asked_once() -> None:
    plan = planned(strategies=["direct", "chain_of_thought"], effort={"step_tokens": [8, 32]})
    names = [arm.strategy for arm in plan.tasks[0].arms]
    assert names == ["direct", "chain_of_thought@8", "chain_of_thought@32"]
    everyone = planned(strategies=["direct", "chain_of_thought"], effort={"thinking_tokens": [0, 64]})
    assert len(everyone.tasks[0].arms) == 4
    assert plan.ways["chain_of_thought@8"].settings == {"step_tokens": 8, "force_answer": True}


@pytest.mark.parametrize(
    ("effort", "said"),
    [
        ({}, "give one of step_tokens, thinking_tokens, samples, effort"),
        ({"step_tokens": [8, 16], "samples": [1, 2]}, "give one of"),
        ({"step_tokens": [8]}, "at least two different values"),
        ({"step_tokens": [8, 8]}, "at least two different values"),
        ({"step_tokens": [16, 8]}, "ascending"),
        ({"step_tokens": [0, 8]}, "greater than or equal to 1"),
        ({"steps": [1, 2]}, "steps"),
        ({"samples": [1, 2]}, "effort: no strategy takes samples; add one of self_consistency"),
    ],
)
def test_what_is_no_effort_is_told(effort: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        planned(strategies=["direct"], effort=effort)


def test_the_study_that_comes_along_is_one() -> None:
    study = load_study(STUDY)
    assert study.effort is not None
    assert len(next(iter(study.effort.values().values()))) >= 5


# ── What comes of it ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_chain_that_is_cut_is_asked_for_its_answer(run: RunDirectory) -> None:
    rows = read_outputs(run, "lab:addition:2_digits").collect().filter(strategy="chain_of_thought@4", rung="lab-332k")
    assert (rows["cut"] >= 1).any()
    assert rows["text"].str.contains("So the answer is").any()
    assert rows["censored"].sum() < rows.height / 2  # most of what was cut has an answer now
    assert (rows["generated_tokens"] <= 4 + 6).all()


def test_the_budgets_of_a_model_are_a_curve_over_the_tokens_it_spent(run: RunDirectory) -> None:
    curves = pl.read_parquet(run.curves)
    own = curves.filter(family="lab:lab-332k", metric="exact_match").sort("answer_tokens")
    assert own["rung"].to_list() == [f"step_tokens={budget}" for budget in (4, 12, 20, 28, 64)]
    assert set(own["strategy"]) == {"chain_of_thought"}
    outputs = read_outputs(run).collect().filter(rung="lab-332k")
    for budget, tokens, score in own.select("rung", "answer_tokens", "y").iter_rows():
        rows = outputs.filter(strategy=f"chain_of_thought@{budget.partition('=')[2]}")
        assert tokens == pytest.approx(rows["generated_tokens"].mean())
        same = curves.filter(family="lab", rung="lab-332k", strategy=rows["strategy"][0], metric="exact_match")
        assert score == same["y"].item()  # over sizes the same point, on the other axis
    assert own["answer_tokens"].is_sorted()
    sizes = curves.filter(family="lab", metric="exact_match")
    assert sizes["answer_tokens"].null_count() == sizes.height
    scores = pl.read_parquet(run.scores).filter(family="lab:lab-332k", metric="exact_match")
    assert scores.group_by("rung").len()["len"].to_list() == [24] * 5


def test_verdicts_forecasts_and_commands_on_that_axis(run: RunDirectory, call: Call) -> None:
    verdicts = pl.read_parquet(run.verdicts).filter(pl.col("family").str.starts_with("lab:"))
    assert set(verdicts["axis"]) == {"answer_tokens"}
    said = call("forecast", run.path, "--to", "256", "--axis", "answer_tokens", "--family", "lab:lab-332k", "--json")
    assert said.code == 0, said.err
    predicted = json.loads(said.out)
    assert {row["axis"] for row in predicted} == {"answer_tokens"}
    shown = call("curves", run.path, "--axis", "answer_tokens", "--json")
    assert {"lab:lab-109k", "lab:lab-332k"} <= {curve["family"] for curve in json.loads(shown.out) if curve["x"]}


def test_both_axes_are_drawn(run: RunDirectory) -> None:
    over_tokens = plot([run.path], "lab:addition:2_digits", axis="answer_tokens").to_dict()
    text = json.dumps(over_tokens)
    assert "lab:lab-332k" in text
    assert "lab:lab-109k" in text  # every size of model over the tokens it spent, in one chart
    assert "chain_of_thought@" in json.dumps(plot([run.path], "lab:addition:2_digits").to_dict())
    told = str(sentences(gather([run.path]), words("en"), "en"))
    assert "2 models of 1 family" in told  # budgets are no models


# ── Samples and levels ───────────────────────────────────────────────────────────────────────────────────────
def test_samples_are_an_axis_too(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    study = {
        "name": "samples",
        "models": [{"ref": "lab", "rungs": ["lab-332k"]}],
        "tasks": ["lab:reversal:short"],
        "metrics": ["exact_match"],
        "shots": [2],
        "limit": 16,
        "repeats": 4,
        "settings": {"temperature": 1.0},
    }
    made, _ = run_study(parse_study(study), tmp_path / "run")
    curves = pl.read_parquet(made.curves)
    own = curves.filter(family="lab:lab-332k", metric="pass").sort("answer_tokens")
    assert own["rung"].to_list() == ["samples=1", "samples=2", "samples=4"]
    first, second, last = own["answer_tokens"].to_list()
    assert (second / first, last / first) == (pytest.approx(2), pytest.approx(4))
    assert own["y"].is_sorted()
    assert curves.filter(family="lab:lab-332k", metric="majority").height == 3


def test_levels_of_reasoning_reach_the_server(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    server = CompletionsServer()
    examples = [{"input": f"3 + {n}", "target": str(3 + n)} for n in (1, 2)]
    head = {"name": "sums", "description": "", "keywords": [], "metrics": ["exact_str_match"]}
    form = {"example_input_prefix": "Q: ", "example_output_prefix": "?\nA: "}
    (tmp_path / "sums.json").write_text(json.dumps({**head, **form, "examples": examples}))
    model = {"name": "reasoning_content", "backend": "endpoint", "location": server.url, "options": {"chat": True}}
    study = {
        "name": "levels",
        "models": [model | {"params_total": 1000}],
        "tasks": [str(tmp_path / "sums.json")],
        "strategies": ["chain_of_thought"],
        "metrics": ["exact_match"],
        "effort": {"effort": ["low", "high"]},
        "settings": {"thinking_tokens": 200},
    }
    try:
        made, outcome = run_study(parse_study(study), tmp_path / "run")
    finally:
        server.close()
    assert outcome.complete, outcome.first_error
    assert {body["reasoning_effort"] for body in server.told} == {"low", "high"}
    own = pl.read_parquet(made.curves).filter(family="levels:reasoning_content", metric="exact_match")
    assert own.sort("answer_tokens")["rung"].to_list() == ["effort=low", "effort=high"]
