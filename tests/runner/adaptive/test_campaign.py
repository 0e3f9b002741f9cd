"""``--until decided`` on real runs: fewer answers, the verdict of the full run, nothing biased by stopping."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from scalecurve.analysis.verdicts.reasons import say
from scalecurve.cli.run import goal_of
from scalecurve.errors import UserError
from scalecurve.metrics import score
from scalecurve.pipeline import rescore, run_study
from scalecurve.runner.adaptive import Goal
from scalecurve.runner.adaptive.verdicts import read_until
from scalecurve.store import RunDirectory
from scalecurve.study.plan import make_plan
from scalecurve.study.study import Study, parse_study
from scalecurve.types import Answer, Example, Task


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """Two hundred sums, of which the mock models are told some of the answers."""
    path = tmp_path / "sums" / "task.json"
    path.parent.mkdir()
    examples = [
        {"input": f"({a} plus {b})", "target_scores": {str(a + b): 1, str(a + b + 1): 0, str(a * b + 70): 0}}
        for a in range(20)
        for b in range(20)
    ][:200]
    path.write_text(
        json.dumps(
            {
                "name": "sums",
                "description": "Adds small numbers, asked for a test of the run.",
                "keywords": ["arithmetic", "testing", "numbers"],
                "metrics": ["multiple_choice_grade"],
                "preferred_score": "multiple_choice_grade",
                "examples": examples,
            }
        )
    )
    return path


def study(task: Path, **changes: object) -> Study:
    """A ladder whose abilities rise from a third, chance, to nearly all."""
    known = {f"({a} plus {b})": str(a + b) for a in range(20) for b in range(20)}
    models = [
        {
            "name": f"m{size}",
            "backend": "mock",
            "location": str(size),
            "params_non_embedding": 10**size,
            "options": {"ability": ability, "answers": known},
        }
        for size, ability in ((4, 0.0), (5, 0.2), (6, 0.5), (7, 0.7), (8, 0.97))
    ]
    return parse_study({"name": "sums", "models": models, "tasks": [str(task)]} | changes)


def parts(run: RunDirectory) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in run.outputs.rglob("part-*.parquet")}


def test_it_stops_early_with_the_verdict_of_the_full_run(task: Path, tmp_path: Path) -> None:
    early, outcome = run_study(study(task), tmp_path / "early", until=Goal(0.9))
    whole, everything = run_study(study(task), tmp_path / "whole")
    assert outcome.complete
    assert outcome.computed < everything.computed / 2
    verdicts = [
        pl.read_parquet(run.verdicts).filter(pl.col("metric") == "multiple_choice_grade") for run in (early, whole)
    ]
    assert verdicts[0]["shape"].to_list() == verdicts[1]["shape"].to_list() == ["smooth"]
    assert "stopped-early" in verdicts[0]["flags"][0]
    assert "of 200 examples a model" in say(verdicts[0]["reasons"][0][-1])

    told = read_until(early)
    (curve,) = told["curves"]
    assert (curve["shape"], curve["total"]) == ("smooth", 200)
    assert curve["probability"] >= 0.9
    full = dict(pl.read_parquet(whole.curves).filter(pl.col("preferred")).select("rung", "y").iter_rows())
    points = dict(pl.read_parquet(early.curves).filter(pl.col("preferred")).select("rung", "y").iter_rows())
    for rung in curve["rungs"]:
        assert rung["low"] <= full[rung["rung"]] <= rung["high"]
        assert rung["mean"] == pytest.approx(points[rung["rung"]])
    cells = early.read_manifest()["cells"]
    assert [cell["examples"] for cell in cells] == [rung["asked"] for rung in curve["rungs"]]
    assert {cell["status"] for cell in cells} == {"done"}


def test_answers_that_cannot_be_scored_do_not_end_it(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score_of_some(task: Task, example: Example, answer: Answer, metric: str) -> float | None:
        return None if int(example.id) % 4 == 0 else score(task, example, answer, metric)

    monkeypatch.setattr("scalecurve.runner.adaptive.rounds.score", score_of_some)
    monkeypatch.setattr("scalecurve.runner.adaptive.rounds.LARGE_GROWTH", 0.1)  # a part at a time
    run, _ = run_study(study(task), tmp_path / "run", until=Goal(0.999999))
    (curve,) = read_until(run)["curves"]
    assert curve["shape"] or curve["whole"], [rung["asked"] for rung in curve["rungs"]]
    (verdict,) = pl.read_parquet(run.verdicts).filter(pl.col("metric") == "multiple_choice_grade").to_dicts()
    assert "undecided" not in verdict["flags"]


def test_again_it_computes_nothing_and_rescore_keeps_what_was_decided(task: Path, tmp_path: Path) -> None:
    run, _ = run_study(study(task), tmp_path / "run", until=Goal(0.9))
    before, verdicts = parts(run), run.verdicts.read_bytes()
    _, outcome = run_study(study(task), run.path, until=Goal(0.9))
    assert outcome.computed == 0
    assert parts(run) == before
    rescore(run.path)
    assert run.verdicts.read_bytes() == verdicts


def test_a_stopped_run_goes_on_to_every_example(task: Path, tmp_path: Path) -> None:
    run, first = run_study(study(task), tmp_path / "run", until=Goal(0.9))
    kept = parts(run)
    whole = study(task, order="random", part_size=25)
    _, rest = run_study(whole, run.path)
    assert first.computed + rest.computed == 5 * 200
    assert {path: parts(run)[path] for path in kept} == kept
    assert not run.until.exists()
    clean, _ = run_study(whole, tmp_path / "clean")
    assert run.verdicts.read_bytes() == clean.verdicts.read_bytes()


def test_a_budget_ends_it_and_says_what_is_open(task: Path, tmp_path: Path) -> None:
    run, _ = run_study(study(task), tmp_path / "run", until=Goal(0.999, budget=1))
    told = read_until(run)
    assert [rung["asked"] for rung in told["curves"][0]["rungs"]] == [25] * 5
    assert told["curves"][0]["shape"] is None
    (verdict,) = pl.read_parquet(run.verdicts).filter(pl.col("metric") == "multiple_choice_grade").to_dicts()
    assert "undecided" in verdict["flags"]


def test_the_order_is_random_the_same_for_all_and_not_that_of_the_file(task: Path) -> None:
    plan = make_plan(study(task, order="random", shots=[0, 2], shot_policy="fixed"))
    first, second = ([query.example.id for query in queries] for queries in plan.tasks[0].queries.values())
    in_file = [query.example.id for query in next(iter(make_plan(study(task)).tasks[0].queries.values()))]
    assert first != in_file
    assert sorted(first) == sorted(in_file)
    shown = set(second)
    assert [name for name in first if name in shown] == second
    other = make_plan(study(task, order="random", seed=7))
    assert [query.example.id for query in next(iter(other.tasks[0].queries.values()))] != first


def test_wrong_goals_are_refused() -> None:
    assert goal_of("", 0.95, None) is None
    assert goal_of("decided", 0.9, 10) == Goal(0.9, 10)
    for given, said in (
        (("soon", 0.95, None), "--until: unknown 'soon'"),
        (("", 0.95, 10), "--budget and --confidence are for --until decided"),
        (("decided", 1.5, None), "--confidence: 1.5 is not between"),
    ):
        with pytest.raises(UserError, match=said):
            goal_of(*given)


def test_slurm_is_refused(task: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--until: goes in rounds"):
        run_study(study(task), tmp_path / "run", until=Goal(), on="slurm")
    assert not (tmp_path / "run").exists()
