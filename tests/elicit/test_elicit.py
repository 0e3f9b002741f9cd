"""Elicitation: what is searched, what it may cost, that luck is no gain, and that a stop loses nothing finished."""

import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.elicit import SearchBudget, Space, default_space, elicit
from scalecurve.elicit.budget import Meter, OverBudget
from scalecurve.elicit.halving import best, first_items, sizes
from scalecurve.elicit.space import DEFAULT, candidates, template
from scalecurve.elicit.split import split
from scalecurve.errors import UserError
from scalecurve.models.mock import MockModel
from scalecurve.pipeline import run_study
from scalecurve.store import read_outputs
from scalecurve.strategies.prompt import parse_prompt
from scalecurve.study.plan import make_plan
from scalecurve.study.study import Study, load_study, parse_study
from scalecurve.tasks import load_tasks
from scalecurve.tasks.sources import LAB
from scalecurve.types import Example, Request, Rung, Task

SCRIPT = Path(sys.executable).with_name("scalecurve")
SMALL = replace(
    default_space(), templates={"own": {}, "Q/A": default_space().templates["Q/A"]}, shots=(0, 1), triggers=("First,",)
)


# ── Schedule ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_halving_ends_with_three() -> None:
    assert sizes(66) == [66, 33, 17, 9, 5, 3]
    assert sizes(2) == [2]
    assert first_items(512, 6, 1e9) == 16
    assert first_items(512, 6, 5.5) == 5
    assert first_items(30, 6, 1e9) == 8


@given(st.integers(1, 500))
def test_each_round_keeps_at_least_half(count: int) -> None:
    steps = sizes(count)
    assert all(after >= before / 2 for before, after in pairwise(steps))
    assert steps == sorted(set(steps), reverse=True)
    assert steps[-1] <= 3


def test_the_best_are_kept_and_the_default_always() -> None:
    ranking = {"default": (0.1, 0), "a": (0.5, 0), "b": (0.5, 1), "c": (0.2, 9)}
    assert best(ranking, 2, ["default"]) == ["default", "b"]
    assert best(ranking, 3, ["default"]) == ["default", "a", "b"]
    assert best(ranking, 1, []) == ["b"]


@settings(max_examples=40)
@given(st.integers(0, 50), st.integers(0, 5), st.integers(0, 9))
def test_shots_development_and_held_out_share_nothing(extra: int, shots: int, seed: int) -> None:
    inputs = [f"question {at % (30 + extra)}" for at in range(60 + extra)]
    task = Task("t", tuple(Example(str(at), text, (str(at % 3),)) for at, text in enumerate(inputs)), ("m",), "m")
    parts = split(task, shots, seed)
    used = [example.input for part in (parts.shots, parts.development, parts.held_out) for example in part]
    assert len(used) == len(set(used)) == len(set(inputs))
    assert len(parts.shots) == shots
    assert len({shot.targets for shot in parts.shots}) == min(shots, 3)
    assert parts == split(task, shots, seed)


def test_too_few_questions() -> None:
    task = Task("t", tuple(Example(str(at), str(at), ("x",)) for at in range(22)), ("m",), "m")
    with pytest.raises(UserError, match="task t: 19 questions besides the shots; a search needs at least 20"):
        split(task, 3, 0)


# ── What is tried ────────────────────────────────────────────────────────────────────────────────────────────
def test_candidates_of_a_choice_differ_and_begin_with_the_default() -> None:
    (task,) = load_tasks("lab:facts_choice")
    found = candidates(task, default_space(), task.examples[:3], choice=True)
    assert found[0] is DEFAULT
    names = [candidate.name for candidate in found]
    assert len(set(names)) == len(names) == 7 * 3 * 3 + 3  # the default is one of the templates' own
    assert len({candidate.prompt.digest for candidate in found}) == len(found)
    assert {candidate.prompt.options for candidate in found} == {"own", "listed", "hidden", "lettered"}
    assert [c.prompt.settings["trigger"] for c in found if c.prompt.strategy == "zero_shot_cot"] == list(
        default_space().triggers
    )


def test_candidates_of_a_text_find_answers_by_type_and_show_steps_where_there_are_any() -> None:
    (task,) = load_tasks("lab:addition:2_digits")
    found = candidates(task, default_space(), task.examples[:3], choice=False)
    assert {c.prompt.answer for c in found[1:] if c.prompt.strategy == "direct"} == {"typed"}
    assert [len(c.prompt.shots or ()) for c in found if c.prompt.strategy == "chain_of_thought"] == [1, 3]
    assert all(candidate.prompt.options == "own" for candidate in found)


def test_templates_of_ones_own() -> None:
    assert template(r"Q: {input}\nA: ") == {"input_prefix": "Q: ", "output_prefix": "\nA: ", "separator": "\n\n"}
    for wrong in ("no place", "{input} {input}"):
        with pytest.raises(UserError, match="where the question goes"):
            template(wrong)


# ── What it may cost ─────────────────────────────────────────────────────────────────────────────────────────
def test_the_meter_counts_and_refuses_what_could_be_too_much() -> None:
    model = MockModel(Rung("mock", "mock", "mock"))
    meter = Meter(model, 30)
    seen: list[int] = []
    meter.run([Request("a b c", options=("x", "y z"))], lambda at, output: seen.append(at))
    assert meter.tokens == 3 + 3
    with pytest.raises(OverBudget):
        meter.run([Request("a b c", max_tokens=40)], lambda at, output: seen.append(at))
    assert (seen, meter.tokens) == ([0], 6)


def study_of(*tasks: str, models: Any = None, **more: Any) -> Study:
    return parse_study({"name": "t", "models": models or ["mock"], "tasks": list(tasks), **more})


@pytest.mark.parametrize("tokens", [3_000, 8_000, 40_000, 200_000])
def test_a_budget_of_tokens_is_kept_and_used(tmp_path: Path, tokens: int) -> None:
    found = elicit(study_of("lab:facts_choice"), tmp_path, budget=SearchBudget(tokens), space=SMALL)
    assert found.cost["tokens"] <= tokens
    rounds = [json.loads(path.read_text()) for path in (tmp_path / "rounds").iterdir()]
    assert sum(batch["tokens"] for batch in rounds) == found.cost["tokens"]
    n, most = found.tasks[0].rungs[0].n, len(split(load_tasks("lab:facts_choice")[0], 1, 0).held_out)
    assert 0 < n <= most
    assert n == most or found.cost["tokens"] > 0.6 * tokens


def test_a_budget_that_is_too_small_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the budget leaves about 120 tokens to choose with, and two prompts need \d+"):
        elicit(study_of("lab:facts_choice"), tmp_path / "out", budget=SearchBudget(200), space=SMALL)
    assert not (tmp_path / "out").exists()


def test_a_limit_of_time_ends_the_search(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give more tokens or minutes"):
        elicit(study_of("lab:facts_choice"), tmp_path / "none", budget=SearchBudget(None, 1e-6), space=SMALL)
    found = elicit(
        study_of("lab:facts_choice", limit=60), tmp_path / "ample", budget=SearchBudget(None, 3600), space=SMALL
    )
    assert found.tasks[0].rungs[0].n == 30


# ── What it finds ────────────────────────────────────────────────────────────────────────────────────────────
def sums(folder: Path) -> Path:
    """A task of 120 sums whose answers are numbers."""
    path = folder / "sums" / "task.json"
    path.parent.mkdir()
    examples = [{"input": f"{a} + {b} =", "target": str(a + b)} for a in range(12) for b in range(10)]
    head = {"name": "sums", "description": "Adds.", "keywords": ["a"], "metrics": ["exact_str_match"]}
    path.write_text(json.dumps({**head, "examples": examples}))
    return path


def knowing(name: str, form: str, size: int) -> dict[str, Any]:
    """A model that knows every sum, if it is asked in this form, and none in any other."""
    answers = {form.format(f"{a} + {b} ="): f"I say {a + b}." for a in range(12) for b in range(10)}
    options = {"ability": 1.0, "answers": answers}
    return {"name": name, "backend": "mock", "location": name, "params_non_embedding": size, "options": options}


def test_a_prompt_that_draws_an_ability_out_is_found_and_confirmed(tmp_path: Path) -> None:
    models = [knowing("one", "\n\nQuestion: {}\nAnswer: ", 10), knowing("two", "\n\nQuestion: {}\nAnswer: ", 10**6)]
    space = replace(default_space(), shots=(0,))
    found = elicit(study_of(str(sums(tmp_path)), models=models), tmp_path / "out", space=space)
    (task,) = found.tasks
    for rung in task.rungs:
        assert (rung.default, rung.n) == (0.0, 60)
        assert rung.own.prompt == rung.common.prompt == "instruction template, 0 shots"
        assert (rung.own.score, rung.own.gain, rung.own.flag) == (1.0, 1.0, "")
        assert rung.own.lo is not None
        assert rung.own.lo > 0.9
        assert rung.understated


def test_each_model_has_its_own_prompt_and_the_best_for_all_is_one_of_them(tmp_path: Path) -> None:
    models = [knowing("one", "Q: {}\nA: ", 10), knowing("two", "Question: {}\nAnswer: ", 10**6)]
    models += [{**models[1], "name": "three", "params_non_embedding": 10**9}]
    space = replace(default_space(), shots=(0,), triggers=("First,",))
    found = elicit(study_of(str(sums(tmp_path)), models=models), tmp_path / "out", space=space)
    one, two, three = found.tasks[0].rungs
    assert one.own.prompt == "Q/A template, 0 shots" or one.own.score == 1.0
    assert two.own.score == three.own.score == three.common.score == two.common.score == 1.0
    assert "Answer" in two.common.prompt or "instruction" in two.common.prompt
    written = sorted(path.name for path in (tmp_path / "out" / "prompts").iterdir())
    assert written == ["sums-common.toml", "sums-one.toml", "sums-three.toml", "sums-two.toml"]


def riddles(folder: Path, seed: int) -> Path:
    """A task of 120 questions of four options, to which the mock model's answers have nothing to do."""
    path = folder / f"riddles{seed}" / "task.json"
    path.parent.mkdir()
    scores = {option: int(option == "north") for option in ("north", "east", "south", "west")}
    examples = [{"input": f"riddle {seed} {at}", "target_scores": scores} for at in range(120)]
    head = {"name": "riddles", "description": "Asks.", "keywords": ["a"], "metrics": ["multiple_choice_grade"]}
    path.write_text(json.dumps({**head, "preferred_score": "multiple_choice_grade", "examples": examples}))
    return path


def test_luck_is_no_gain(tmp_path: Path) -> None:
    """Models that guess: winners look better where they were chosen, and are not on held-out questions."""
    looked, held, wrong = [], [], 0
    for seed in range(20):
        rung = elicit(study_of(str(riddles(tmp_path, seed))), tmp_path / f"out{seed}", space=SMALL).tasks[0].rungs[0]
        assert rung.own.gain is not None
        assert rung.own.chosen_score is not None
        looked.append(rung.own.chosen_score)
        held.append(rung.own.gain)
        wrong += rung.understated
    assert np.mean(looked) > 0.25 + 0.05
    assert abs(np.mean(held)) < 0.04  # two standard errors of 20 differences over 60 questions
    assert wrong <= 3


def test_equal_seeds_give_equal_results(tmp_path: Path) -> None:
    one, two, other = (
        elicit(study_of("lab:facts_choice", seed=seed), tmp_path / name, budget=SearchBudget(30_000), space=SMALL)
        for name, seed in (("one", 3), ("two", 3), ("other", 4))
    )
    assert one.tasks == two.tasks
    assert one.tasks != other.tasks


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of the command line on the smallest real models."""
    out = tmp_path_factory.mktemp("elicit") / "out"
    task = json.loads((LAB / "facts_choice" / "task.json").read_text())
    (out.parent / "facts.json").write_text(json.dumps(task | {"examples": task["examples"][:60]}))
    study = out.parent / "two.toml"
    study.write_text('tasks = ["facts.json"]\n[[models]]\nref = "lab"\nrungs = ["lab-3k", "lab-12k"]\n')
    command = [SCRIPT, "elicit", study, "--tokens", "60000", "--shots", "0", "--steps", "8"]
    done = subprocess.run([*command, "--out", out], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (out / "said.txt").write_text(done.stdout)
    return out


def test_the_table_claims_held_out_gains_only(finished: Path) -> None:
    said = (finished / "said.txt").read_text()
    result = json.loads((finished / "elicit.json").read_text())
    assert result["cost"]["tokens"] <= 60_000
    for rung in result["tasks"][0]["rungs"]:
        line = next(line for line in said.splitlines() if line.startswith(f"{rung['rung']} "))
        numbers = re.findall(r"[-+]?\d+\.\d+", line)
        assert numbers[0] == f"{rung['default']:.3f}"
        assert numbers[1] == f"{rung['own']['score']:.3f}"
        assert numbers[2] == f"{rung['own']['gain']:+.3f}"
        assert rung["own"]["score"] - rung["default"] == pytest.approx(rung["own"]["gain"])


def test_the_found_prompt_runs_in_a_study_that_leaves_out_what_it_was_chosen_on(finished: Path, tmp_path: Path) -> None:
    run, outcome = run_study(load_study(finished / "study.toml"), tmp_path / "run")
    assert outcome.complete
    path = finished / "prompts" / "facts_choice-common.toml"
    prompt = parse_prompt(path.read_text(), str(path))
    asked = read_outputs(run).filter(pl.col("strategy") == path.name).collect()
    assert prompt.chosen_on
    assert not set(asked["example_id"]) & set(prompt.chosen_on)
    result = json.loads((finished / "elicit.json").read_text())["tasks"][0]["rungs"][0]
    held_out = split(load_tasks(str(finished.parent / "facts.json"))[0], 0, 0).held_out
    scores = pl.read_parquet(run.scores).filter(
        pl.col("strategy") == path.name, pl.col("rung") == result["rung"], pl.col("metric") == "multiple_choice_grade"
    )
    of_held_out = scores.filter(pl.col("example_id").is_in([item.id for item in held_out[: result["n"]]]))
    assert of_held_out["value"].mean() == pytest.approx(result["common"]["score"])


def test_the_study_that_is_written_names_each_part_of_a_reference(tmp_path: Path) -> None:
    """Parts that have no reference of their own are asked together, each prompt leaving out what it was chosen on."""
    for name in ("north", "south"):
        folder = tmp_path / "both" / name
        folder.mkdir(parents=True)
        whole = json.loads(riddles(tmp_path, len(name) + ord(name[0])).read_text())
        (folder / "task.json").write_text(json.dumps(whole | {"name": name}))
    head = {"name": "both", "description": "Asks.", "keywords": ["a"], "metrics": ["multiple_choice_grade"]}
    (tmp_path / "both" / "task.json").write_text(json.dumps(head))
    for tasks, refs in (
        (
            ["twins:40:all:3"],
            {f"twins:40:{kind}:3" for kind in ("deleted", "nonce", "impossible_unit", "false_premise")},
        ),
        ([str(tmp_path / "both")], {str(tmp_path / "both")}),
        (["lab:rebus", str(tmp_path / "both" / "north")], {f"lab:rebus:{leaf}" for leaf in ("title", "is_film")}),
    ):
        asked = parse_study({"name": "s", "models": ["mock"], "tasks": tasks, "limit": 60, "mode": "corrected"})
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        elicit(asked, out, space=SMALL)
        again = load_study(out / "study.toml")
        assert again.mode == "corrected"
        assert {task.ref for task in make_plan(again).tasks} == {task.ref for task in make_plan(asked).tasks}
        assert refs <= {entry.ref for entry in again.tasks}, again.tasks


def test_another_search_does_not_overwrite_a_result(finished: Path) -> None:
    command = [SCRIPT, "elicit", "--model", "mock", "--task", "lab:facts_choice", "--tokens", "9000", "--out", finished]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.fullmatch(r"scalecurve: .*elicit\.json: holds a search that differs in models, .*--out\n", done.stderr)


class Stop(Exception):
    """Stands for a process that ends here."""


def test_a_stopped_search_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    study, budget = study_of("lab:facts_choice", models=["lab:lab-3k"], limit=80), 100_000
    whole = elicit(study, tmp_path / "whole", budget=SearchBudget(budget), space=SMALL)

    def stop_at_round_3(text: str) -> None:
        if "round 3" in text:
            raise Stop

    with pytest.raises(Stop):
        elicit(study, tmp_path / "cut", budget=SearchBudget(budget), space=SMALL, say=stop_at_round_3)
    assert not (tmp_path / "cut" / "elicit.json").exists()
    finished = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cut" / "rounds").iterdir()}
    assert len(finished) > 2  # two rounds, and what the prompts cost
    again = elicit(study, tmp_path / "cut", budget=SearchBudget(budget), space=SMALL)
    assert again.tasks == whole.tasks
    assert again.cost["tokens"] == whole.cost["tokens"]
    assert {name: (tmp_path / "cut" / "rounds" / name).stat().st_mtime_ns for name in finished} == finished
    for path in (tmp_path / "whole" / "prompts").iterdir():
        assert (tmp_path / "cut" / "prompts" / path.name).read_text() == path.read_text()


def test_errors_of_the_command_line(tmp_path: Path) -> None:
    asked = [SCRIPT, "elicit", "--model", "mock", "--task"]
    for arguments, said in (
        (["lab:facts_choice", "--tokens", "200"], "the budget leaves about 120 tokens"),
        (["lab:facts_choice", "--options", "bold"], "--options: unknown 'bold'; use own, listed"),
        (["lab:facts_choice", "--template", "x"], "--template: 'x': say once, with {input}"),
        (["lab:facts_choice", "--metric", "macro_f1"], "macro_f1 has no score of single answers"),
        (["lab:facts_choise"], "did you mean facts_choice"),
        (["lab:facts_choice", "--minutes", "0"], "--minutes: must be above 0"),
    ):
        command = [*asked, *arguments, "--quiet", "--out", tmp_path / "o"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert said in done.stderr
    assert not (tmp_path / "o").exists()


def test_the_space_can_be_written_down() -> None:
    assert json.loads(json.dumps(asdict(default_space())))["steps"] == default_space().steps
    assert isinstance(default_space(), Space)


def test_a_study_for_running_serves_a_search_too(tmp_path: Path) -> None:
    entry = {"ref": str(sums(tmp_path)), "strategies": ["few_shot", "my.py:own"], "shots": [2]}
    study = parse_study({"name": "t", "models": ["mock"], "tasks": [entry]})
    found = elicit(study, tmp_path / "out", budget=SearchBudget(20_000), space=replace(SMALL, shots=(0,)))
    assert [task.task for task in found.tasks] == ["sums"]
