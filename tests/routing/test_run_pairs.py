"""Pairs of a run directory: both arms of the same items, with their confidence and tokens."""

import json
import math
from pathlib import Path

import pytest

from scalecurve.errors import UserError
from scalecurve.pipeline import run_study
from scalecurve.routing import read_run_pairs
from scalecurve.store import RunDirectory, read_outputs
from scalecurve.study.study import parse_study


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("pairs")
    examples = [{"input": f"{i}+{i}", "target_scores": {str(2 * i): 1, str(2 * i + 1): 0}} for i in range(12)]
    task = {"name": "sums", "description": "Sums.", "keywords": [], "metrics": ["multiple_choice_grade"]}
    (folder / "task.json").write_text(json.dumps(task | {"examples": examples}))
    models = [{"name": "small", "backend": "mock", "location": "mock"}]
    study = {"name": "pairs", "models": models, "tasks": [str(folder / "task.json")], "shots": [0, 1]}
    done, _ = run_study(parse_study(study | {"strategies": ["direct", "chain_of_thought"]}), folder / "run")
    return done


def test_pairs_of_a_run(run: RunDirectory) -> None:
    pairs = read_run_pairs(run, "small", metric="multiple_choice_grade", fast="direct", slow="direct")
    assert len(pairs) == 2 * 12
    assert (pairs.fast == pairs.slow).all()
    rows = read_outputs(run).sort("shots", "seed", "example_id").collect()
    stored = rows.filter(rows["strategy"] == "direct").rows(named=True)
    expected = [math.exp(max(r["option_logprobs"])) / math.fsum(map(math.exp, r["option_logprobs"])) for r in stored]
    assert list(pairs.signals.confidence) == pytest.approx(expected)
    assert list(pairs.fast_cost) == [row["generated_tokens"] for row in stored]


def test_errors_name_what_is_missing(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'huge' has no item scored under both direct and self_consistency"):
        read_run_pairs(run, "huge", slow="self_consistency")


def test_the_two_arms_are_not_mixed_up(run: RunDirectory) -> None:
    import polars as pl

    pairs = read_run_pairs(run, "small", metric="multiple_choice_grade")
    scores = pl.read_parquet(run.scores).filter(metric="multiple_choice_grade").drop_nulls("value")
    outputs = read_outputs(run).collect()
    for strategy, right, tokens in (
        ("direct", pairs.fast, pairs.fast_cost),
        ("chain_of_thought", pairs.slow, pairs.slow_cost),
    ):
        assert right.sum() == scores.filter(strategy=strategy)["value"].sum()
        assert tokens.sum() == outputs.filter(strategy=strategy)["generated_tokens"].sum()
    assert pairs.fast_cost.sum() < pairs.slow_cost.sum()


def test_a_question_asked_under_several_seeds_is_one_item(run: RunDirectory, tmp_path: Path) -> None:
    """Else the same question could be fitted on in one half and judged on in the other."""
    models = [{"name": "small", "backend": "mock", "location": "mock"}]
    study = {"name": "pairs", "models": models, "tasks": [str(run.path.parent / "task.json")], "seeds": [2, 0, 1]}
    done, _ = run_study(parse_study(study | {"strategies": ["direct", "chain_of_thought"]}), tmp_path / "run")
    pairs = read_run_pairs(done, "small", metric="multiple_choice_grade")
    assert len(pairs) == 12
    assert {str(name).split("|")[3] for name in pairs.item} == {"0"}
