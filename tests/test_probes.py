"""Partial abilities that a task file declares: graded on the same answers, each with a curve and a verdict."""

import json
from pathlib import Path

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.pipeline import rescore, run_study
from scalecurve.study.study import Study, parse_study
from scalecurve.tasks import load_tasks

TASK = {
    "name": "sums",
    "description": "Adds small numbers.",
    "keywords": ["arithmetic"],
    "metrics": ["exact_str_match"],
    "preferred_score": "exact_str_match",
    "examples": [{"input": f"{a} + {b}", "target": str(a + b)} for a in range(5) for b in range(4)],
}


def written(tmp_path: Path, probes: object) -> Path:
    path = tmp_path / "sums" / "task.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(TASK | {"probes": probes}))
    return path


def study_of(task: Path) -> Study:
    sizes = {"small": 1_000, "large": 100_000}
    mock = {"backend": "mock", "location": "mock"}
    models = [{"name": name, "params_non_embedding": size, **mock} for name, size in sizes.items()]
    return parse_study({"name": "test", "models": models, "tasks": [str(task)], "shots": [0]})


def test_declared_probes_get_scores_curves_and_verdicts(tmp_path: Path) -> None:
    task = written(tmp_path, {"says something": r"\w", "an idea": {"pattern": "idea", "chance": 0.5}})
    run, _ = run_study(study_of(task), tmp_path / "run")
    outputs = pl.read_parquet(list(run.outputs.rglob("*.parquet")))
    said = outputs["response"].fill_null("").str.contains("idea").sum()
    scores = pl.read_parquet(run.scores)
    assert 0 < said < outputs.height
    assert scores.filter(pl.col("metric") == "probe:an idea")["value"].sum() == said
    curves = pl.read_parquet(run.curves).filter(pl.col("metric") == "probe:an idea")
    assert curves["chance"].to_list() == [0.5, 0.5]
    assert curves["n"].to_list() == [20, 20]
    assert "probe:says something" in pl.read_parquet(run.verdicts)["metric"].to_list()
    before = run.scores.read_bytes(), run.curves.read_bytes()
    rescore(run.path)
    assert (run.scores.read_bytes(), run.curves.read_bytes()) == before


def test_probes_do_not_change_what_is_asked(tmp_path: Path) -> None:
    (plain,) = load_tasks(str(written(tmp_path, {})))
    (probed,) = load_tasks(str(written(tmp_path, {"number": r"\d"})))
    assert plain.fingerprint == probed.fingerprint


@pytest.mark.parametrize("wrong", [["a"], {"x": "("}, {"x": {"chance": 2, "pattern": "a"}}])
def test_a_wrong_probe_names_the_file_and_the_field(tmp_path: Path, wrong: object) -> None:
    path = written(tmp_path, wrong)
    with pytest.raises(UserError, match=rf"(?s){path}.*probes"):
        load_tasks(str(path))


def test_a_probe_that_names_a_subtask_nobody_asks_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    task = written(tmp_path, {"half": {"subtask": "sums:half"}})
    with pytest.raises(
        UserError, match=r"probes\.half: subtask 'sums:half' is not among the study's tasks; ask it too"
    ):
        run_study(study_of(task), tmp_path / "run")
    assert not (tmp_path / "run").exists()
