"""Metrics without a value on a whole task are said with the reason, by the command that ran it and as JSON."""

import json
from pathlib import Path

import pytest
from command_line import Call

from scalecurve import load_study, run_study
from scalecurve.analysis.valueless import valueless
from scalecurve.store import RunDirectory

MODEL = '[[models]]\nname = "mock-1"\nbackend = "mock"\nlocation = "mock"\nparams_non_embedding = 1000\n'


def written(folder: Path, strategy: str, metrics: list[str], limit: int = 3) -> Path:
    """A study of one mock model and one task."""
    path = folder / "study.toml"
    asked = (
        f'tasks = ["lab:facts_choice"]\nstrategies = ["{strategy}"]\nmetrics = {json.dumps(metrics)}\nlimit = {limit}\n'
    )
    path.write_text(asked + MODEL)
    return path


def run_of(folder: Path, strategy: str, metrics: list[str], limit: int = 3) -> RunDirectory:
    return run_study(load_study(written(folder, strategy, metrics, limit)), folder / "run")[0]


def test_one_line_names_task_metrics_and_reason(tmp_path: Path, call: Call) -> None:
    study = written(tmp_path, "direct", ["multiple_choice_grade", "gate_auroc", "false_refusal_rate"])
    said = call("run", study, "--out", tmp_path / "run", "--quiet")
    line = (
        "no value of gate_auroc, false_refusal_rate on lab:facts_choice: it is about some questions or strategies "
        "only, and none of those was asked (strategies: direct)"
    )
    assert [one for one in said.out.splitlines() if one.startswith("no value")] == [line]
    told = json.loads(call("run", study, "--out", tmp_path / "run", "--quiet", "--json").out)
    assert [one["metrics"] for one in told["valueless"]] == [["gate_auroc", "false_refusal_rate"]]
    again = call("rescore", tmp_path / "run", "--metric", "twin_accuracy").out.splitlines()
    assert again[0] == line.replace("false_refusal_rate", "false_refusal_rate, twin_accuracy")
    assert again[1].startswith("report: ")
    assert len(again) == 2


@pytest.mark.parametrize(
    ("strategy", "metric", "limit", "reason"),
    [
        ("direct", "wrong_logprob", 1, "a single example has no standard error; raise limit"),
        ("gate", "exact_str_match", 3, "no text was generated (strategies: gate)"),
        ("direct", "relative_error", 3, "none of 3 answers gives a finite number. What it is: |estimate − true|"),
    ],
)
def test_the_reason_is_what_the_answers_lack(
    strategy: str, metric: str, limit: int, reason: str, tmp_path: Path
) -> None:
    found = valueless(run_of(tmp_path, strategy, [metric], limit))
    (own,) = [one for one in found if metric in one.metrics]
    assert own.reason.startswith(reason)


def test_a_metric_that_has_values_is_not_said(tmp_path: Path) -> None:
    assert valueless(run_of(tmp_path, "direct", ["multiple_choice_grade", "brier"])) == []
