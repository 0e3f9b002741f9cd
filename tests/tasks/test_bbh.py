"""BIG-Bench Hard: its files, its prompts, and its scoring, against stored outputs of a real model."""

import json
from pathlib import Path

import pytest

from scalecurve.errors import UserError
from scalecurve.metrics import score
from scalecurve.strategies import FewShotExample, Question, draw, get_strategy
from scalecurve.strategies.typed import respond, type_of
from scalecurve.tasks import load_tasks
from scalecurve.tasks.postprocess import postprocess
from scalecurve.types import Answer

STORED = "few_shot_template_0-255000"
CHANCE = {"boolean_expressions": 0.5, "date_understanding": 0.172, "geometric_shapes": 0.098, "snarks": 0.503}


@pytest.fixture(scope="module")
def bbh(shared: Path) -> Path:
    return shared / "data" / "bbh"


def outputs(bbh: Path, kind: str, name: str) -> list[dict[str, str]]:
    stored = json.loads((bbh / "codex-outputs" / kind / f"{name}_{STORED}.json").read_text())["outputs"]
    return [record for record in stored if isinstance(record, dict)]


def test_all_27_files(bbh: Path) -> None:
    tasks = load_tasks(f"bbh:{bbh}")
    assert (len(tasks), sum(len(task.examples) for task in tasks)) == (27, 6511)
    assert all(len(task.worked) == 3 for task in tasks)
    assert {task.name for task in tasks if task.flags} == {"movie_recommendation", "ruin_names"}
    assert len({task.parent or task.name for task in tasks}) == 23
    for task in tasks:
        if task.name in CHANCE:
            assert task.chance == pytest.approx(CHANCE[task.name], abs=6e-4)
        assert "canary" not in task.rendering.task_prefix.lower()


@pytest.mark.parametrize(
    ("name", "kind", "strategy"),
    [
        ("date_understanding", "cot", "chain_of_thought"),  # the direct prompt had another option in its third shot
        ("boolean_expressions", "cot", "chain_of_thought"),
        ("boolean_expressions", "direct", "direct"),
        ("dyck_languages", "direct", "direct"),
        ("navigate", "direct", "direct"),
    ],
)
def test_prompts_are_those_the_paper_sent(bbh: Path, name: str, kind: str, strategy: str) -> None:
    (task,) = load_tasks(f"bbh:{bbh}/{name}")
    for query, record in zip(draw(task, 3, "fixed"), outputs(bbh, kind, name), strict=True):
        asking = get_strategy(strategy)(Question(task, query, frozenset({"text"})))
        assert next(asking)[0].prompt.rstrip(" ") == record["input"]


@pytest.mark.parametrize("name", ["date_understanding", "navigate", "multistep_arithmetic_two", "formal_fallacies"])
def test_scores_are_those_the_paper_counted(bbh: Path, name: str) -> None:
    (task,) = load_tasks(f"bbh:{bbh}/{name}")
    for kind in ("direct", "cot"):
        metrics = (bbh / "codex-outputs" / kind / f"{name}_{STORED}_eval_metrics.jsonl").read_text()
        right = 0.0
        for query, record in zip(draw(task, 0, "fixed"), outputs(bbh, kind, name), strict=True):
            text = record["prediction"]
            question = Question(task, query, frozenset({"text"}))
            chain = respond(question, text, type_of(question), few_shot=True)
            response = postprocess(text, task.postprocess) if kind == "direct" else chain
            value = score(task, query.example, Answer("", "", text=text, response=response), "exact_match")
            right += value or 0.0
        assert 100 * right / len(task.examples) == pytest.approx(json.loads(metrics)["accuracy"], abs=0.05)


def test_the_three_worked_examples_are_the_shots(bbh: Path) -> None:
    (task,) = load_tasks(f"bbh:{bbh}/snarks")
    (query, *_) = draw(task, 3, "fixed", limit=2)
    assert [shot.target for shot in query.shots] == ["(A)", "(B)", "(A)"]
    assert isinstance(query, FewShotExample)


def test_unknown_names(bbh: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean snarks"):
        load_tasks(f"bbh:{bbh}/snark")
    with pytest.raises(UserError, match="give bbh:DIRECTORY/NAME"):
        load_tasks(f"bbh:{tmp_path}/x/y")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "t.json").write_text('{"examples": [{"input": "a"}]}')
    with pytest.raises(UserError, match=r"t\.json: line 1: examples\[0\]\.target: an example needs input and target"):
        load_tasks(f"bbh:{tmp_path}/t")


def test_the_published_checkout_opens_by_its_folder_a_name_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "bbh").mkdir()
    (tmp_path / "cot-prompts").mkdir()
    (tmp_path / "bbh" / "navigate.json").write_text(
        json.dumps(
            {"canary": "c", "examples": [{"input": "Left?", "target": "Yes"}, {"input": "Right?", "target": "No"}]}
        )
    )
    (tmp_path / "cot-prompts" / "navigate.txt").write_text(
        "canary\n-----\nGo.\n\nQ: Up?\nA: Let's think step by step.\nUp it is. So the answer is Yes.\n"
    )
    for ref in ("", "/navigate", "/bbh/navigate", "/bbh/navigate.json"):
        (task,) = load_tasks(f"bbh:{tmp_path}{ref}")
        assert (task.name, len(task.examples), len(task.worked)) == ("navigate", 2, 1)
    with pytest.raises(UserError, match=r"no such task in .*bbh; did you mean"):
        load_tasks(f"bbh:{tmp_path}/navigat")
