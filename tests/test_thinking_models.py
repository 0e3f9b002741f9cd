"""Thinking models, end to end: what they think is kept apart and never graded, a cut answer is no silent zero."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytest.importorskip("openai")

from command_line import Call
from completions import CompletionsServer

from scalecurve.analysis.extraction import extraction_of
from scalecurve.errors import UserError
from scalecurve.pipeline import run_study
from scalecurve.report import write_report
from scalecurve.report.data import gather
from scalecurve.report.examples import examples_of
from scalecurve.report.safe import visible
from scalecurve.report.summary import sentences
from scalecurve.report.words import words
from scalecurve.store import RunDirectory
from scalecurve.store.parts import read_outputs
from scalecurve.study.study import parse_study

SUMS = {f"3 + {n}": str(3 + n) for n in (1, 2, 3, 4)}
FORMS = ("reasoning_content", "reasoning", "tags")
PLAIN = {"task_prefix": "", "input_prefix": "Q: ", "output_prefix": "?\nA: "}


@pytest.fixture
def server() -> Iterator[CompletionsServer]:
    made = CompletionsServer()
    yield made
    made.close()


def run_sums(server: CompletionsServer, folder: Path, *forms: str, **study: Any) -> Any:
    """A run over four sums, each asked of a thinking model of every form; its directory and outcome."""
    options = {"chat": True, **study.pop("options", {})}
    task = {
        "name": "sums",
        "description": "",
        "keywords": [],
        "metrics": ["exact_str_match"],
        "preferred_score": "exact_str_match",
        "examples": [{"input": text, "target": target} for text, target in SUMS.items()],
        "example_input_prefix": "Q: ",
        "example_output_prefix": "?\nA: ",
    }
    (folder / "sums.json").write_text(json.dumps(task))
    models = [
        {"name": name, "backend": "endpoint", "location": server.url, "params_total": 10**at, "options": options}
        for at, name in enumerate(forms, start=6)
    ]
    told = {"name": "sums", "models": models, "tasks": [str(folder / "sums.json")], "strategies": ["zero_shot_cot"]}
    study = {"metrics": ["exact_match"], **study}
    return run_study(parse_study({**told, **study}), folder / "run")


def answers_in(book: dict[str, Any], run: RunDirectory, rung: str) -> list[list[Any]]:
    """The answers of a model as the report's examples hold them, in the order of the questions' names."""
    found = gather([run.path])
    (place,) = [
        (family, at)
        for family, one in enumerate(found.families)
        for at, own in enumerate(one["rungs"])
        if own["name"] == rung
    ]
    (arm,) = [arm for arm in book["arms"] if arm["f"] == place[0] and any(arm["a"][place[1]])]
    order = sorted(range(len(book["q"])), key=lambda i: book["q"][i]["id"])
    return [arm["a"][place[1]][i] for i in order]


def point(run: RunDirectory, rung: str, metric: str = "exact_match") -> dict[str, Any]:
    return next(iter(pl.read_parquet(run.curves).filter(rung=rung, metric=metric).iter_rows(named=True)))


@pytest.mark.parametrize("strategy", ["direct", "chain_of_thought", "zero_shot_cot", "self_consistency"])
def test_thinking_is_kept_apart_counted_and_never_graded(
    server: CompletionsServer, tmp_path: Path, strategy: str
) -> None:
    settings = {"thinking_tokens": 200, "samples": 1, "step_tokens": 40}
    wide = {"strategies": [strategy], "settings": settings}
    run, outcome = run_sums(server, tmp_path, *FORMS, "inside", "plain", **wide)
    rows = read_outputs(run).collect()
    assert outcome.complete, outcome.first_error
    for form in (*FORMS, "inside"):
        own = rows.filter(rung=form)
        assert all("Hm." in text and "99" in text for text in own["thinking"])
        assert not any("Hm." in text or "think>" in text for text in own["text"])
        assert not any("99" in (response or "") for response in own["response"])
        assert (own["thinking_tokens"] > 0).all()
        assert (own["thinking_tokens"] < own["generated_tokens"]).all()
    counts = rows.filter(rung="reasoning_content")["thinking_tokens"].to_list()
    stages = 2 if strategy == "zero_shot_cot" else 1
    assert sorted(counts) == [20 * n * stages for n in (1, 2, 3, 4)]  # as the server told them
    assert rows.filter(rung="plain")["thinking_tokens"].sum() == 0
    assert outcome.thinking_tokens == rows["thinking_tokens"].sum() == run.read_manifest()["totals"]["thinking_tokens"]
    book = examples_of(gather([run.path]), str(rows["task"][0]))
    for form in (*FORMS, "inside"):  # the report shows it beside the answer
        assert [answer[7] for answer in answers_in(book, run, form)] == [
            visible(text) for text in rows.filter(rung=form).sort("example_id")["thinking"]
        ]
    assert all(len(answer) == 7 for answer in answers_in(book, run, "plain"))
    if strategy != "direct":  # which takes what the task's own rule takes
        right = {form: point(run, form)["y"] for form in (*FORMS, "inside", "plain")}
        assert set(right.values()) == {1.0}
        assert not any("stop" in body for body in server.told)  # it would end the thinking at its first blank line


def test_what_a_limit_cut_off_is_counted_and_bounded_everywhere(server: CompletionsServer, tmp_path: Path) -> None:
    # Room for 56 words: of 20 and 40 words of thinking an answer comes, 60 and 80 are cut off while it thinks.
    settings = {"step_tokens": 16, "thinking_tokens": 40}
    run, outcome = run_sums(server, tmp_path, *FORMS, strategies=["chain_of_thought"], settings=settings)
    rows = read_outputs(run).collect()
    assert rows.filter("censored")["example_id"].n_unique() == 2
    assert rows.filter("censored")["rung"].value_counts()["count"].to_list() == [2, 2, 2]
    assert rows.filter("censored")["response"].null_count() == 6
    assert (outcome.censored, outcome.unextracted, outcome.cut) == (6, 6, 6)
    assert run.read_manifest()["totals"]["censored"] == 6
    for form in FORMS:
        found = point(run, form)
        assert (found["y"], found["all_wrong"], found["all_right"], found["censored"]) == (0.5, 0.5, 1.0, 2)
        share = point(run, form, "extraction_rate")
        assert (share["y"], share["censored"], share["all_right"]) == (0.5, 0, 0.5)  # this much is known
    scores = pl.read_parquet(run.scores).filter(metric="exact_match")
    assert scores.filter("censored")["value"].to_list() == [0.0] * 6
    assert {cell.censored for cell in extraction_of(run)} == {2}
    assert "censored-answers" in pl.read_parquet(run.verdicts).filter(metric="exact_match")["flags"][0]


def test_commands_and_report_say_what_was_cut_off(server: CompletionsServer, tmp_path: Path, call: Call) -> None:
    settings = {"step_tokens": 16, "thinking_tokens": 40}
    run, _ = run_sums(server, tmp_path, *FORMS, strategies=["chain_of_thought"], settings=settings)

    def said(*command: str) -> str:
        return call(*command, run.path).out

    assert ".500 [0.50–1.00]" in said("curves").replace("0.500", ".500")
    (curve,) = json.loads(said("curves", "--json"))
    assert (curve["all_wrong"], curve["all_right"], curve["censored"]) == ([0.5] * 3, [1.0] * 3, [2] * 3)
    assert [cell["censored"] for cell in json.loads(said("scores", "extraction", "--json"))] == [2, 2, 2]
    contents = gather([run.path])
    drawn = next(curve for curve in contents.curves if curve["p"])
    assert (drawn["z"], drawn["w"], drawn["g"]) == (6, [0.5] * 3, [1.0] * 3)
    for lang, told in (("en", "A limit cut off 6 of them"), ("zh", "其中 6 段")):
        assert any(told in str(paragraph["parts"]) for paragraph in sentences(contents, words(lang), lang))
    assert write_report([run.path], tmp_path / "report.html").stat().st_size > 10_000


def test_thinking_is_turned_off_and_its_level_chosen(server: CompletionsServer, tmp_path: Path) -> None:
    off = {"options": {"enable_thinking": False}, "strategies": ["chain_of_thought"]}
    run, outcome = run_sums(server, tmp_path, "reasoning_content", **off)
    assert {body["chat_template_kwargs"]["enable_thinking"] for body in server.told} == {False}
    assert (outcome.thinking_tokens, outcome.censored, point(run, "reasoning_content")["y"]) == (0, 0, 1.0)
    (tmp_path / "low").mkdir()
    settings = {"thinking_tokens": 200, "effort": "low"}
    run, outcome = run_sums(
        server, tmp_path / "low", "reasoning_content", strategies=["chain_of_thought"], settings=settings
    )
    assert server.told[-1]["reasoning_effort"] == "low"
    assert outcome.thinking_tokens == 2 * (1 + 2 + 3 + 4)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"thinking_tokens": -1}, "settings.thinking_tokens: -1: give a whole number"),
        ({"thinking_tokens": "many"}, "settings.thinking_tokens: 'many'"),
        ({"effort": 3}, "settings.effort: 3: give a level"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_asked(
    server: CompletionsServer, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        run_sums(server, tmp_path, "tags", settings=settings)
    assert not server.told


def test_a_server_option_of_another_kind_is_told(server: CompletionsServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="enable_thinking must be like True, not 'no'"):
        run_sums(server, tmp_path, "tags", options={"enable_thinking": "no"})
    with pytest.raises(UserError, match="enable_thinking needs chat = true"):
        run_sums(server, tmp_path, "tags", options={"enable_thinking": True, "chat": False})
