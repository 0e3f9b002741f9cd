"""Aggregates and score files, against the specification's vectors."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from scalecurve.metrics.benchmark import (
    AGGREGATE,
    TaskScore,
    aggregate_benchmark,
    aggregate_leaves,
    aggregate_tasks,
    by_keyword,
    leaf_score,
)
from scalecurve.metrics.score_files import (
    ModelData,
    ScoreFile,
    file_name,
    model_data,
    read_score_file,
    read_score_files,
    with_aggregates,
    write_score_file,
)
from scalecurve.nouns import Example, Rung, Task, UserError

GRADE = "multiple_choice_grade"


def grade(name: str, value: float, low: float, shots: int = 0) -> TaskScore:
    return TaskScore(name, shots, {GRADE: value}, GRADE, low, 1.0)


def test_grades_aggregate_to_their_mean() -> None:
    whole = aggregate_leaves("t", [grade("t:a", 0.5, 0.25), grade("t:b", 0.2, 0.5)])
    assert whole.scores[GRADE] == pytest.approx(0.35)
    assert whole.scores[AGGREGATE] == pytest.approx(-13.3333, abs=1e-4)
    assert (whole.preferred, whole.low, whole.high) == (GRADE, 0.375, 1.0)


def test_mixed_metrics_aggregate_normalised() -> None:
    leaves = [grade("t:a", 0.5, 0.25), TaskScore("t:b", 0, {"bleu": 30.0}, "bleu", 0.0, 100.0)]
    whole = aggregate_leaves("t", leaves)
    assert whole.scores[AGGREGATE] == pytest.approx(31.6667, abs=1e-4)
    assert (whole.preferred, whole.low, whole.high) == (AGGREGATE, 0.0, 100.0)
    assert (whole.scores[GRADE], whole.scores["bleu"]) == (0.5, 30.0)
    again = aggregate_leaves("t", [*leaves, whole])
    assert again == whole  # the aggregate is never averaged with its subtasks


def test_a_single_leaf_keeps_its_preferred_metric() -> None:
    whole = aggregate_leaves("t", [TaskScore("t", 0, {"bleu": 30.0}, "bleu", 0.0, 100.0)])
    assert (whole.preferred, whole.low, whole.high, whole.scores[AGGREGATE]) == ("bleu", 0.0, 100.0, 30.0)


def test_benchmarks_name_what_is_missing_and_never_count_it_as_zero() -> None:
    tasks = aggregate_tasks([grade("a:x", 1.0, 0.5), grade("a:y", 0.5, 0.5), grade("b", math.nan, 0.5)])
    whole = aggregate_benchmark("all", 0, tasks, ["a", "b", "c"])
    assert (whole.score, whole.tasks, whole.missing) == (50.0, 1, ("b", "c"))
    words = by_keyword(0, tasks, {"a": ["arithmetic", "logic"], "b": ["logic"]})
    assert (words["arithmetic"].score, words["logic"].missing) == (50.0, ("b",))
    assert aggregate_benchmark("none", 3, tasks, ["a"]).score is None


def test_leaves_that_all_have_the_task_s_name_are_its_leaves() -> None:
    whole = aggregate_leaves("t", [grade("t", 0.5, 0.0), grade("t", 0.25, 0.0)])
    assert whole.scores[GRADE] == 0.375
    assert whole.normalised == 37.5


def test_a_leaf_has_the_range_of_its_preferred_metric() -> None:
    examples = (Example("0", "x", ("a",), ("a", "b"), (1.0, 0.0)),)
    choice = Task("t", examples, (GRADE,), GRADE, chance=0.5)
    assert leaf_score(choice, 3, {GRADE: 0.75, "bleu": None}) == TaskScore("t", 3, {GRADE: 0.75}, GRADE, 0.5, 1.0)
    assert leaf_score(choice, 3, {GRADE: 0.75}).normalised == 50.0
    text = Task("t", examples, ("rougeLsum",), "rougeLsum")
    assert leaf_score(text, 0, {}).normalised is None
    assert leaf_score(text, 0, {"rougeLsum": 20.0}).normalised == 20.0


def test_file_names() -> None:
    assert file_name("BIG-G T=0", "1b") == "scores_BIG-G_T=0_1b.json"


def test_score_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    rung = Rung("lab/1", "transformers", "x", params_non_embedding=1000, params_total=2000)
    scores = with_aggregates("t", [grade("t:a", 0.5, 0.25), grade("t:b", 0.2, 0.5), grade("t:a", 0.6, 0.25, 3)])
    assert [(score.name, score.shots) for score in scores] == [("t:a", 0), ("t:b", 0), ("t:a", 3), ("t", 0), ("t", 3)]
    written = ScoreFile("t", model_data("lab", rung), scores)
    path = write_score_file(tmp_path, written)
    assert path == tmp_path / "t" / "results" / "scores_lab_lab_1.json"
    assert read_score_files(tmp_path) == [written]
    record = json.loads(path.read_text())["scores"][0]
    assert record["subtask_description"] == "t:a"
    assert (record["number_of_shots"], record["low_score"], record["preferred_score"]) == (0, 0.25, GRADE)
    single = with_aggregates("t", [grade("t", 0.5, 0.25)])
    assert [(score.name, AGGREGATE in score.scores) for score in single] == [("t", True)]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d.pop("scores"), "scores: a score file has"),
        (lambda d: d["task"].clear(), "task.task_name: must be text"),
        (lambda d: d["model"].pop("model_name"), "model.model_name: must be text"),
        (lambda d: d["model"].update(total_params="1b"), "model.total_params: must be a number"),
        (lambda d: d["scores"][0].update(score_dict=3), r"scores\[0\].score_dict: must map"),
        (lambda d: d["scores"][0].update(low_score=None), r"scores\[0\].low_score: must be a finite number"),
        (lambda d: d["scores"][0].update(low_score=math.nan), r"scores\[0\].low_score: must be a finite number"),
        (lambda d: d["scores"][0].update(number_of_shots="0"), r"scores\[0\].number_of_shots: must be a whole number"),
    ],
)
def test_a_bad_score_file_is_named_with_its_field(tmp_path: Path, change: Any, problem: str) -> None:
    path = write_score_file(tmp_path, ScoreFile("t", ModelData("f", "m"), (grade("t", 0.5, 0.25),)))
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match=problem) as caught:
        read_score_file(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_non_finite_scores_are_left_out(tmp_path: Path) -> None:
    scores = TaskScore("t", -1, {GRADE: 0.5, "bleu": math.nan, "x": math.inf, "y": 10**400}, GRADE, 0.0, 1.0)
    path = write_score_file(tmp_path, ScoreFile("t", ModelData("f", "m"), (scores,)))
    assert read_score_file(path).scores[0].scores == {GRADE: 0.5}
    with pytest.raises(UserError, match="holds no"):
        read_score_files(tmp_path / "t")
