"""Aggregates and score files, against the specification's vectors."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from scalecurve.errors import UserError
from scalecurve.io.bigbench_files import (
    ModelData,
    ScoreFile,
    file_name,
    model_data,
    read_score_file,
    read_score_files,
    with_aggregates,
    write_score_file,
)
from scalecurve.metrics.benchmark import (
    AGGREGATE,
    aggregate_benchmark,
    aggregate_leaves,
    aggregate_tasks,
    by_keyword,
    leaf_score,
)
from scalecurve.tasks.task_score import TaskScore
from scalecurve.types import Example, Rung, Task

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
        (lambda d: d.pop("scores"), "scores: a score file of BIG-bench has"),
        (lambda d: d["task"].clear(), "task.task_name: must be text"),
        (lambda d: d["model"].pop("model_name"), "model.model_name: must be text"),
        (lambda d: d["model"].update(total_params="1b"), "model.total_params: must be a number"),
        (lambda d: d["model"].update(total_params=math.nan), r"model.total_params: must be a number from 0 to 2\^63"),
        (lambda d: d["model"].update(training_steps=-1), r"model.training_steps: must be a number from 0 to 2\^63"),
        (lambda d: d["scores"][0].update(number_of_shots=10**400), r"number_of_shots: must be 0 to 10000, or -1"),
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


def test_a_score_is_normalised_between_low_and_high() -> None:
    for value, low, high, normalised in (
        (0.5, 0.25, 1.0, 100 / 3), (0.0, 0.25, 1.0, -100 / 3), (3.0, 1.0, 2.0, 200.0), (1.0, 0.5, 0.5, None),
        (math.inf, 0.0, 1.0, None),
    ):  # fmt: skip
        found = TaskScore("t", 0, {"x": value}, "x", low, high).normalised
        assert found == (None if normalised is None else pytest.approx(normalised))


def test_scores_some_leaves_lack_are_means_over_those_that_have_them() -> None:
    leaves = [
        TaskScore("t:a", 2, {"x": 0.2, "y": 5.0}, "x", 0.0, 1.0),
        TaskScore("t:b", 2, {"x": 0.4}, "x", 0.0, 2.0),
        TaskScore("t:c", 2, {"y": 7.0}, "x", 0.0, 1.0),
    ]
    whole = aggregate_leaves("t", leaves)
    assert whole == TaskScore("t", 2, {"x": pytest.approx(0.3), "y": 6.0}, AGGREGATE, 0.0, 100.0)
    assert aggregate_leaves("t", leaves[:2]).scores[AGGREGATE] == pytest.approx((20 + 20) / 2)
    other = aggregate_leaves("t", [leaves[0]])  # a single leaf of another name
    assert (other.preferred, other.low, other.high) == (AGGREGATE, 0.0, 100.0)
    mixed = aggregate_leaves("t", [grade("t:a", 0.5, 0.2), leaves[0]])
    assert mixed.preferred == AGGREGATE


def test_tasks_and_shots_are_told_apart() -> None:
    found = aggregate_tasks([grade("a:x:y", 1.0, 0.5), grade("a", 0.6, 0.2), grade("a:x", 0.9, 0.5, 3)])
    assert set(found) == {("a", 0), ("a", 3)}
    assert found["a", 0].scores[GRADE] == 1.0  # its own row is the aggregate of before
    assert found["a", 3].shots == 3
    whole = aggregate_benchmark("all", 3, found, ["a", "b"])
    assert (whole.name, whole.shots, whole.score, whole.tasks, whole.missing) == (
        "all",
        3,
        pytest.approx(80),
        1,
        ("b",),
    )
    assert aggregate_benchmark("none", 3, found, ["b"]) == type(whole)("none", 3, None, 0, ("b",))
    words = by_keyword(3, found, {"a": ["z", "k"], "b": ["k"]})
    assert list(words) == ["k", "z"]
    assert (words["k"].name, words["k"].tasks, words["k"].missing, words["z"].missing) == ("k", 1, ("b",), ())


def test_the_range_of_a_corrected_grade_ends_at_its_ceiling() -> None:
    task = Task("t", (), (GRADE,), GRADE, chance=0.3, ceiling=0.6)
    assert (leaf_score(task, 1, {}).low, leaf_score(task, 1, {}).high) == (0.3, 0.6)
    bleurtless = Task("t", (), ("log_likelihood",), "log_likelihood", chance=0.3, ceiling=0.6)
    assert (leaf_score(bleurtless, 1, {}).low, leaf_score(bleurtless, 1, {}).high) == (-10, 0)


# ── Score files ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_score_file_has_the_fields_of_bigbench(tmp_path: Path) -> None:
    rung = Rung("m é/1", "gguf", "x", params_non_embedding=7, params_total=9, step=5)
    model = model_data("f", rung, "sampled")
    path = write_score_file(tmp_path / "new", ScoreFile("t", model, (TaskScore("t:a", 2, {"x": 0.5}, "x", 0.0, 1.0),)))
    assert path == tmp_path / "new" / "t" / "results" / "scores_f_m_é_1.json"
    assert json.loads(path.read_text("utf-8")) == {
        "scores": [
            {"score_dict": {"x": 0.5}, "preferred_score": "x", "number_of_shots": 2, "low_score": 0.0,
             "high_score": 1.0, "subtask_description": "t:a"},
        ],
        "task": {"task_name": "t"},
        "model": {"model_family": "f", "model_name": "m é/1", "total_params": 9, "non_embedding_params": 7,
                  "flop_matched_non_embedding_params": 7, "training_batch_size": None, "training_steps": 5,
                  "description": "m é/1 (gguf)", "decoding_params": {"method": "sampled"}, "additional_details": ""},
    }  # fmt: skip
    assert [one.name for one in path.parent.iterdir()] == [path.name]  # nothing half-written is left
    assert model_data("f", rung).decoding_params == {"method": "greedy"}
    assert write_score_file(tmp_path / "new", ScoreFile("t", model, ())) == path  # again: replaced
    assert read_score_file(path).scores == ()
    assert file_name("a b", "c:d..e", "full-log") == "full-log_a_b_c_d_e.json"


def test_score_files_lie_in_results_folders_or_side_by_side(tmp_path: Path) -> None:
    for task in ("u", "t"):
        write_score_file(tmp_path, ScoreFile(task, ModelData("f", "m"), (grade(task, 0.5, 0.25),)))
    assert [file.task for file in read_score_files(tmp_path)] == ["t", "u"]
    assert [file.task for file in read_score_files(tmp_path / "u" / "results")] == ["u"]
    with pytest.raises(UserError) as refused:
        read_score_files(tmp_path / "u")
    elsewhere = "results of other tools, and tables, are read by `scalecurve import auto`"
    assert str(refused.value) == f"{tmp_path / 'u'}: holds no <task>/results/scores_*.json; {elsewhere}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not a readable score file of BIG-bench ("),
        ("[1]", "scores: a score file of BIG-bench has scores (a list), task and model (objects); results"),
        ('{"scores": {}, "task": {}, "model": {}}', "scores: a score file of BIG-bench has scores (a list), task and"),
        ('{"scores": [], "task": [], "model": {}}', "scores: a score file of BIG-bench has scores (a list), task and"),
        ('{"scores": [], "task": {}, "model": []}', "scores: a score file of BIG-bench has scores (a list), task and"),
        ('{"scores": [], "task": {"task_name": "t"}, "model": {"model_name": "m"}}', "model.model_family: must be"),
        ('{"scores": [3], "task": {"task_name": "t"}, "model": {"model_family": "f", "model_name": "m"}}',
         "scores[0].score_dict: must map metrics to scores"),
    ],
)  # fmt: skip
def test_what_is_no_score_file(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "scores_x.json"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        read_score_file(path)
    assert str(refused.value).startswith(f"{path}: {problem}")
    with pytest.raises(UserError, match="not a readable score file"):
        read_score_file(tmp_path / "gone.json")


@pytest.mark.parametrize("field", ["total_params", "non_embedding_params", "flop_matched_non_embedding_params"])
def test_sizes_are_numbers_or_missing(tmp_path: Path, field: str) -> None:
    path = write_score_file(tmp_path, ScoreFile("t", ModelData("f", "m"), (grade("t", 0.5, 0.25),)))
    data = json.loads(path.read_text())
    for value in (1.5, 3, None):
        path.write_text(json.dumps(data | {"model": data["model"] | {field: value, "unknown": 1}}))
        assert getattr(read_score_file(path).model, field) == value
    path.write_text(json.dumps(data | {"model": data["model"] | {field: "1b"}}))
    with pytest.raises(UserError) as refused:
        read_score_file(path)
    assert str(refused.value) == f"{path}: model.{field}: must be a number"


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("preferred_score", 1, "must be text"),
        ("subtask_description", None, "must be text"),
        ("number_of_shots", 1.5, "must be a whole number"),
        ("low_score", "0", "must be a finite number"),
        ("high_score", None, "must be a finite number"),
    ],
)
def test_fields_of_a_score(tmp_path: Path, field: str, value: Any, problem: str) -> None:
    scores = (grade("t:a", 0.5, 0.25), grade("t:b", 0.5, 0.25))
    path = write_score_file(tmp_path, ScoreFile("t", ModelData("f", "m"), scores))
    data = json.loads(path.read_text())
    data["scores"][1][field] = value
    path.write_text(json.dumps(data))
    with pytest.raises(UserError) as refused:
        read_score_file(path)
    assert str(refused.value) == f"{path}: scores[1].{field}: {problem}"


def test_whole_numbers_are_read_as_scores(tmp_path: Path) -> None:
    path = write_score_file(tmp_path, ScoreFile("t", ModelData("f", "m"), (TaskScore("t", 0, {"x": 1}, "x", 0, 2),)))
    (found,) = read_score_file(path).scores
    assert (found.scores, found.low, found.high) == ({"x": 1.0}, 0.0, 2.0)
    assert isinstance(found.high, float)
    data = json.loads(path.read_text())
    data["scores"][0]["score_dict"] |= {"y": "0.5", "z": None}
    path.write_text(json.dumps(data))
    assert read_score_file(path).scores[0].scores == {"x": 1.0}


def test_shots_have_their_aggregates_after_the_leaves() -> None:
    leaves = [grade("t:a", 0.5, 0.25, 3), grade("t:a", 0.4, 0.25, 0), grade("t", 0.1, 0.25, 3)]
    found = with_aggregates("t", leaves)
    assert [(one.name, one.shots, AGGREGATE in one.scores) for one in found] == [
        ("t:a", 3, False), ("t:a", 0, False), ("t", 3, True), ("t", 0, True),
    ]  # fmt: skip
    assert found[2].scores[GRADE] == 0.5
