"""Ways of asking that once told an answer, lost a question or misread a reply: one test each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.pipeline import run_study
from scalecurve.store.parts import read_outputs
from scalecurve.strategies import draw
from scalecurve.study.plan import make_plan
from scalecurve.study.study import parse_study
from scalecurve.tasks import load_tasks
from scalecurve.types import Task

HEAD = {"description": "d", "keywords": [], "metrics": ["exact_str_match"], "preferred_score": "exact_str_match"}


def written(folder: Path, examples: list[dict[str, Any]], **more: Any) -> Path:
    path = folder / "own.json"
    path.write_text(json.dumps({"name": "own", **HEAD, "examples": examples, **more}))
    return path


def own(folder: Path, examples: list[dict[str, Any]], **more: Any) -> Task:
    (task,) = load_tasks(str(written(folder, examples, **more)))
    return task


def asked(folder: Path, path: Path, answers: dict[str, str], **study: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The outputs and curves of a mock that knows ``answers``."""
    model = {"name": "m", "backend": "mock", "location": "mock", "params_non_embedding": 1000}
    model["options"] = {"ability": 1.0, "answers": answers}
    told = {"name": "s", "models": [model], "tasks": [str(path)], **study}
    run, outcome = run_study(parse_study(told), folder / "run")
    assert outcome.complete, outcome.first_error
    return read_outputs(run).collect(), pl.read_parquet(run.curves)


# ── What a prompt tells ──────────────────────────────────────────────────────────────────────────────────────
def test_the_second_prompt_says_the_letters_that_are_listed_whatever_is_right(tmp_path: Path) -> None:
    listed = "(A) a (B) b (C) c (D) d"
    examples = [{"input": f"Question {n}? {listed}", "target": f"({'DCBA'[n % 4]})"} for n in range(12)]
    rows, _ = asked(tmp_path, written(tmp_path, examples), {}, strategies=["zero_shot_cot"])
    ranges = {re.search(r"among (\w) through (\w)", text)[0] for text in rows["text"]}
    assert ranges == {"among A through D"}


def test_the_second_prompt_is_the_published_one(tmp_path: Path) -> None:
    rows, _ = asked(
        tmp_path, written(tmp_path, [{"input": "1+1?", "target": "2"}]), {"1+1?": "Two."}, strategies=["zero_shot_cot"]
    )
    assert rows["prompt"][0] == "\nQ: 1+1?\nA: Let's think step by step."
    assert rows["text"][0] == "Two. \nTherefore, the answer (arabic numerals) isTwo."  # blank, line break, trigger


# ── Which questions ──────────────────────────────────────────────────────────────────────────────────────────
def test_repeated_questions_of_a_task_of_ones_own_are_asked(tmp_path: Path) -> None:
    same = {"input": "a", "target": "1", "id": "x"}
    task = own(tmp_path, [same, same, {"input": "b", "target": "2", "id": "y"}, same])
    assert [example.id for example in task.examples] == ["x", "x#2", "y", "x#3"]
    assert task.flags == ("repeats_kept",)
    canary = own(tmp_path, [same, same], canary="BIG-BENCH CANARY")
    assert (len(canary.examples), canary.flags) == (1, ("duplicates_dropped",))  # as the benchmark has it


@pytest.mark.parametrize("policy", ["bigbench", "fixed", "balanced"])
def test_shots_never_show_the_question_of_a_task_of_ones_own(tmp_path: Path, policy: str) -> None:
    examples = [
        {"input": f"q{n % 5}", "target": str(n), "note": n} for n in range(20)
    ]  # each four times, answered anew
    for seed in range(5):
        queries = draw(own(tmp_path, examples), 3, policy, seed=seed)
        assert queries
        for query in queries:
            assert query.example.input not in {shot.example.input for shot in query.shots}


def test_a_draw_that_shows_the_question_is_flagged(tmp_path: Path) -> None:
    docs = [{"q": f"Question number {n}?", "a": f"ans{n}"} for n in range(6)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, docs)))
    (tmp_path / "t.yaml").write_text(
        "task: leak\ndataset_path: json\ndataset_kwargs: {data_files: {test: data.jsonl}}\ntest_split: test\n"
        'output_type: generate_until\ndoc_to_text: "Q: {{q}}\\nA:"\ndoc_to_target: "{{a}}"\n'
        'generation_kwargs: {until: ["\\n"], do_sample: false, max_gen_toks: 8}\n'
        "metric_list:\n  - metric: exact_match\n"
    )
    model = {"name": "m", "backend": "mock", "location": "mock", "params_non_embedding": 1000}
    study = {"name": "s", "models": [model], "tasks": [f"lm-eval:{tmp_path / 't.yaml'}"]}
    (with_shots,) = make_plan(parse_study(study | {"shots": [3]})).tasks
    (without,) = make_plan(parse_study(study | {"shots": [0]})).tasks
    own_shown = [
        query.example.input.strip() in {shot.example.input.strip() for shot in query.shots}
        for queries in with_shots.queries.values()
        for query in queries
    ]
    assert any(own_shown)  # the harness's own draw, kept as it is
    assert with_shots.task.flags == ("question_among_shots",)
    assert without.task.flags == ()


# ── What a reply says ────────────────────────────────────────────────────────────────────────────────────────
SAID = {
    "What is 3+4?": ("3+4=7. So the answer is **7**.", "7"),
    "What is 500+500?": ("Adding gives a thousand. So the answer is 1,000.", "1000"),
    "What is 2-9?": ("Take nine. So the answer is −7.", "-7"),
    "What is 1/2?": ("Halve it. So the answer is .5", "0.5"),
}
CHOSEN = {
    "Q1": ("So the answer is **(B)**. Note that A is a common error.", "(B)"),
    "Q2": ("So the answer is B. (A) would be wrong.", "(B)"),
    "Q3": ("Answer: B", "(B)"),
    "Q4": ("<think>So the answer is (A)?</think> No: it is (B).", "(B)"),
}


@pytest.mark.parametrize(("said", "options"), [(SAID, ""), (CHOSEN, " (A) Rome (B) Paris (C) Bonn")])
def test_every_strategy_reads_a_reply_by_the_same_rules(
    tmp_path: Path, said: dict[str, tuple[str, str]], options: str
) -> None:
    examples = [{"input": text + options, "target": target} for text, (_, target) in said.items()]
    answers = {text: reply for text, (reply, _) in said.items()}
    names = ["chain_of_thought", "self_consistency", "zero_shot_cot"]
    rows, curves = asked(tmp_path, written(tmp_path, examples), answers, strategies=names, settings={"samples": 3})
    for name in names:
        assert rows.filter(strategy=name)["response"].to_list() == [target for _, target in said.values()]
        graded = curves.filter(strategy=name, metric="exact_str_match")
        assert graded["y"].to_list() == [1.0]
