"""``scalecurve think``: asking, fitting, evaluating, as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scalecurve.pipeline import run_study
from scalecurve.study.study import parse_study

SCALECURVE = Path(sys.executable).with_name("scalecurve")


def think(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCALECURVE, "think", *map(str, words)], capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small rungs, both ways, on three tasks; with the questions that have no answer."""
    tasks = [
        {"ref": "lab:answerability", "strategies": ["gate"], "shots": [0], "metrics": ["gate_auroc"]},
        {"ref": "lab:two_hop_facts"},
    ]
    models = [{"ref": "lab", "rungs": ["lab-36k", "lab-109k"]}]
    study = {"name": "both", "models": models, "tasks": tasks, "limit": 60, "shots": [2], "shot_policy": "fixed"}
    study |= {"strategies": ["direct", "chain_of_thought"], "metrics": ["exact_match"]}
    study |= {"settings": {"gate_dismissal": "unknown"}}
    folder = tmp_path_factory.mktemp("think")
    done, outcome = run_study(parse_study(study), folder / "run")
    assert outcome.complete
    return done.path


@pytest.mark.slow
def test_fit_then_ask(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "controller.json"
    fitted = think("fit", run, "--out", file, "--kind", "learned", "--larger", "lab-109k")
    assert fitted.returncode == 0, fitted.stderr
    assert "lab-36k" in fitted.stdout
    asked = think("In which country was Nobody Atall born?", "--model", "lab:lab-36k", "--model", "lab:lab-109k",
                  "--controller", file, "--task", "lab:two_hop_facts", "--shots", 2, "--json")  # fmt: skip
    assert asked.returncode in (0, 1)
    trace = json.loads(asked.stdout)
    assert trace["steps"][0]["stage"] == "gate"
    assert trace["generated_tokens"] == sum(step["generated_tokens"] for step in trace["steps"])
    told = think("What is 1+1?", "--model", "lab:lab-36k", "--controller", file, "--no-gate")
    assert "settle" in told.stderr
    assert "tokens written" in told.stderr
    assert told.stdout.count("\n") <= 1


@pytest.mark.slow
def test_evaluate(run: Path, tmp_path: Path) -> None:
    shown = think("evaluate", run, "--chart", tmp_path / "front.svg")
    assert shown.returncode == 0, shown.stderr
    for way in ("learned, thrifty", "always fast", "always slow", "task router", "oracle", "lab-109k at equal work"):
        assert way in shown.stdout
    assert (tmp_path / "front.svg").read_text().startswith("<svg")
    reports = json.loads(think("evaluate", run, "--rung", "lab-36k", "--json").stdout)
    assert [report["rung"] for report in reports] == ["lab-36k"]
    found = {one["name"]: one for one in reports[0]["outcomes"]}
    assert found["oracle"]["accuracy"]["value"] >= max(one["accuracy"]["value"] for name, one in found.items()
                                                       if not name.startswith(("always lab", "lab")))  # fmt: skip
    assert found["always slow"]["share"]["value"] == pytest.approx(1)
    (mixed,) = (one for name, one in found.items() if name.startswith("lab-109k at equal work"))
    assert mixed["work"]["value"] <= found["learned, thrifty"]["work"]["value"] * 1.001


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["What?", "--model", "nobody"], "unknown model"),
        (["What?", "--model", "mock", "--below", "2"], "is not a confidence"),
        (["What?", "--model", "mock", "--below", "0.5", "--controller", "x"], "not both"),
        (["What?", "--model", "mock", "--controller", "x.json"], "x.json: no such file"),
        (["What?", "--model", "mock", "--shots", "2"], "give --task too"),
        (["What?", "--model", "mock", "--task", "lab:addition"], "name one"),
        (["evaluate", "nowhere"], "no such run directory"),
        (["fit", "nowhere"], "no such run directory"),
    ],
)
def test_errors_are_one_line(words: list[str], said: str) -> None:
    done = think(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_answer_is_exit_code_1() -> None:
    done = think("zz", "--model", "mock")
    assert (done.returncode, done.stdout) == (1, "")
    assert "unparsable" in done.stderr
