"""Worked examples from prompt files: read, given to tasks, and asked in studies."""

from pathlib import Path

import pytest

from scalecurve.errors import UserError
from scalecurve.pipeline import run_study
from scalecurve.store import read_outputs
from scalecurve.strategies import draw
from scalecurve.study.study import Study, parse_study
from scalecurve.tasks import load_tasks
from scalecurve.tasks.worked import read_worked, with_worked

PROMPTS = """Not to be trained on.
-----
Add the numbers.

Q: 1+1?
A: Let's think step by step.
1 and 1 make 2. The answer is not 3. So the answer is 2.

Q: A line
of two, 2+3?
A: 2+3=5. The answer is 5.
"""


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text(PROMPTS)
    return path


def test_instruction_and_examples(prompts: Path) -> None:
    instruction, worked = read_worked(prompts)
    assert instruction == "Add the numbers."
    assert [(e.input, e.targets) for e in worked] == [("1+1?", ("2",)), ("A line\nof two, 2+3?", ("5",))]
    assert worked[1].rationale == "2+3=5. The answer is 5."
    prompts.write_text(PROMPTS.partition("-----\n")[2].partition("\n\n")[2].replace("\n", "\r\n"))
    assert read_worked(prompts) == ("", worked)


def test_a_task_shows_them_in_its_own_rendering(prompts: Path) -> None:
    (task,) = load_tasks("lab:addition:1_digit")
    shown = with_worked(task, str(prompts))
    assert [shot.target for shot in draw(shown, 2, "fixed")[0].shots] == ["2", "5"]
    assert shown.rendering.task_prefix == "Add the numbers.\n\n"
    assert shown.fingerprint != task.fingerprint
    assert with_worked(task, str(prompts)).fingerprint == shown.fingerprint


def test_a_directory_has_one_file_a_task(prompts: Path) -> None:
    (task,) = load_tasks("lab:addition:1_digit")
    folder = prompts.parent
    prompts.rename(folder / "addition_1_digit.txt")
    assert len(with_worked(task, str(folder)).worked) == 2
    with pytest.raises(UserError, match=r"cot_prompts: .*rebus:title\.txt: no such file"):
        with_worked(load_tasks("lab:rebus:title")[0], str(folder))


def study_of(prompts: str, **changes: object) -> Study:
    values = {
        "name": "steps",
        "models": ["mock"],
        "tasks": ["lab:addition:1_digit"],
        "strategies": ["direct", "chain_of_thought"],
        "shots": [2],
        "limit": 3,
        "cot_prompts": prompts,
    }
    return parse_study(values | changes)


def test_a_study_shows_steps_where_steps_are_asked_for(prompts: Path, tmp_path: Path) -> None:
    study = study_of(str(prompts))
    assert study.shot_policy == "fixed"
    run, outcome = run_study(study, tmp_path / "run")
    assert outcome.complete
    asked = dict(read_outputs(run).select("strategy", "prompt").collect().iter_rows())
    assert "1 and 1 make 2" in asked["chain_of_thought"]
    assert "1 and 1 make 2" not in asked["direct"]
    assert "Q: 1+1?\nA: 2\n" in asked["direct"]
    _, again = run_study(study, tmp_path / "run")
    assert again.computed == 0
    prompts.write_text(PROMPTS.replace("make 2", "are 2"))
    _, edited = run_study(study, tmp_path / "run")
    assert edited.computed == 6


def test_errors(prompts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cot_prompts use fixed"):
        run_study(study_of(str(prompts), shot_policy="bigbench"), tmp_path / "run")
    with pytest.raises(UserError, match=r"tasks\[0\]: .*2 worked examples are too few for 3 shots"):
        run_study(study_of(str(prompts), shots=[3]), tmp_path / "run")
    prompts.write_text("Q: 1+1?\nA: It is 2.\n")
    with pytest.raises(UserError, match='worked example 1 does not end in "So the answer is …"'):
        run_study(study_of(str(prompts)), tmp_path / "run")
    prompts.write_text("Only words.")
    with pytest.raises(UserError, match="no worked example"):
        run_study(study_of(str(prompts)), tmp_path / "run")
    with pytest.raises(UserError, match="no such file; give a prompt file"):
        run_study(study_of(str(tmp_path / "none.txt")), tmp_path / "run")
    assert not (tmp_path / "run").exists()
