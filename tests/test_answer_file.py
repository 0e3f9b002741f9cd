"""Answers shared between runs: what one study asked, another does not ask again."""

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from scalecurve.models.mock import MockModel
from scalecurve.pipeline import run_study
from scalecurve.study.study import parse_study
from scalecurve.types import Output, Request


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prompts that reach the model itself, as they come."""
    prompts: list[str] = []
    real = MockModel.run

    def run(self: MockModel, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        prompts.extend(request.prompt for request in requests)
        real(self, requests, on_output)

    monkeypatch.setattr(MockModel, "run", run)
    return prompts


def values(cache: Path, **changes: object) -> dict[str, object]:
    models = [{"name": "small", "backend": "mock", "location": "mock"}]
    return {"name": "t", "models": models, "tasks": ["lab:facts_choice"], "limit": 12, "cache": str(cache)} | changes


def test_more_metrics_tasks_and_models_ask_only_what_is_new(tmp_path: Path, asked: list[str]) -> None:
    cache = tmp_path / "answers.sqlite"
    first, _ = run_study(parse_study(values(cache)), tmp_path / "first")
    known = len(asked)
    assert known >= 12
    again, _ = run_study(parse_study(values(cache, metrics=["brier"])), tmp_path / "metric")
    assert len(asked) == known
    more = ["lab:facts_choice", "lab:answerability"]
    run_study(parse_study(values(cache, tasks=more)), tmp_path / "task")
    added = len(asked) - known
    assert added > 0
    models = [{"name": name, "backend": "mock", "location": name} for name in ("mock", "other")]
    run_study(parse_study(values(cache, models=models)), tmp_path / "model")
    assert len(asked) == 2 * known + added  # another model's answers are never taken
    one, two = (pl.read_parquet(run.scores).filter(pl.col("metric") == "brier") for run in (first, again))
    assert one["value"].to_list() == two["value"].to_list()


def test_an_answer_file_may_be_named_later_for_the_same_run(tmp_path: Path, asked: list[str]) -> None:
    cache = tmp_path / "answers.sqlite"
    run_study(parse_study(values(cache)), tmp_path / "run")
    other = values(tmp_path / "other.sqlite")
    _, outcome = run_study(parse_study(other), tmp_path / "run")
    assert outcome.computed == 0


def test_a_budget_reaches_served_models_only() -> None:
    from scalecurve.study.plan import make_plan

    served = {"name": "far", "backend": "endpoint", "location": "http://127.0.0.1:9/v1"}
    near = {"name": "near", "backend": "mock", "location": "mock"}
    given = {"name": "t", "models": [served, near], "tasks": ["lab:facts_choice"], "max_tokens_total": 500}
    rungs = make_plan(parse_study(given)).ladders[0].rungs
    assert {rung.name: dict(rung.options) for rung in rungs} == {"far": {"max_tokens_total": 500}, "near": {}}
