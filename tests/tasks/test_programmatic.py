"""Programmatic tasks: the API they see, and that a process cannot get out, run on, or grow."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from bigbench_files import share, unpack

from scalecurve.errors import UserError
from scalecurve.tasks.bigbench import VARIABLE
from scalecurve.tasks.bigbench_install import install
from scalecurve.tasks.programmatic import ProgramLimits, ProgramOutcome, program_names, run_program
from scalecurve.types import Output, Request

Run = Callable[..., ProgramOutcome]
HEAD = """
import bigbench.api.task as task
from bigbench.api import model as model_api
import numpy as np

class T(task.Task):
    def get_task_details(self):
        return task.TaskMetadata("t", "d", ["k"], 1, 1)

    def evaluate_model(self, model, max_examples=-1, random_seed=0):
        assert isinstance(model, model_api.Model)
"""
SCORE = '        return task.ScoreData({"x": x, "nan": float("nan")}, "x", 0, 0.0, 1.0, "part")\n'
BODIES = {
    "talks": """
        from bigbench.models.model_utils import postprocess_output
        assert postprocess_output("a. b", 0, ".", None) == "a."
        text = model.generate_text("one", max_length=2, stop_string=None)
        texts = model.generate_text(["one", "two"], 10, None, output_regex="o.")
        free = model.cond_log_prob("p", ["a", "b"], absolute_normalization=True)
        bound = model.cond_log_prob(["p", "q"], [["a", "b"], ["c"]])
        assert text == "sa" and texts == ["o:", ""], (text, texts)
        assert abs(sum(np.exp(bound[0])) - 1) < 1e-12 and bound[1] == [0.0]
        assert abs((free[0] - free[1]) - (bound[0][0] - bound[0][1])) < 1e-12
        print("printed", max_examples, random_seed)
        x = np.float64(max_examples)
""",
    "dials_out": """
        import socket
        socket.create_connection(("127.0.0.1", 9), timeout=2)
        x = 1
""",
    "spends": """
        import os
        x = float("HOME" in os.environ and "SECRET_KEY" not in os.environ and os.getcwd() == os.environ["HOME"])
""",
    "sleeps": """
        import time
        time.sleep(60)
        x = 1
""",
    "grows": """
        x = len(bytearray(3 * 2**30))
""",
    "dies": """
        import os
        os._exit(3)
""",
    "chats": """
        while True:
            model.generate_text(["a"] * 10, 1, None)
""",
}


def answer(requests: Sequence[Request]) -> list[Output]:
    return [
        Output(logprobs=tuple(-10 * share(r.prompt + o) for o in r.options))
        if r.options
        else Output(texts=(f"said {'o: ' if r.prompt == 'one' else ''}",))
        for r in requests
    ]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("programs") / "benchmark_tasks"
    unpack(root)
    for name, body in BODIES.items():
        (root / name).mkdir()
        (root / name / "task.py").write_text(HEAD + body + ("" if "while True" in body else SCORE))
    (root / "two").mkdir()
    (root / "two" / "task.py").write_text(HEAD + BODIES["talks"] + SCORE + "\nclass U(T):\n    pass\n")
    return root


@pytest.fixture
def run(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("SECRET_KEY", "x")
    install(source)

    def go(name: str, seconds: float = 30.0, memory: int = 2**31, requests: int = 100) -> ProgramOutcome:
        limits = ProgramLimits(seconds, memory, requests=requests)
        return run_program(name, answer, allow_code=True, max_examples=7, seed=5, limits=limits)

    return go


def test_a_task_sees_the_api_and_its_scores_come_back(run: Run) -> None:
    found = run("talks")
    assert found.reason == "", found.log
    (score,) = found.scores
    assert (score.name, score.preferred, score.shots, score.low, score.high) == ("part", "x", 0, 0.0, 1.0)
    assert score.scores == {"x": 7.0}  # NaN is left out
    assert "printed 7 5" in found.log
    assert found.requests == 6
    assert program_names() == sorted([*BODIES, "two"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dials_out", "no network|unreachable"),
        ("grows", "MemoryError"),
        ("dies", "exit code 3"),
        ("chats", "asked more than 100 prompts"),
        ("two", "the module has 2 tasks"),
    ],
)
def test_what_a_task_must_not_do_ends_it(run: Run, name: str, reason: str) -> None:
    found = run(name)
    assert found.scores == ()
    assert any(part in found.reason for part in reason.split("|")), found.reason
    assert "\n" not in found.reason.strip()


def test_a_task_that_takes_too_long_is_stopped(run: Run) -> None:
    found = run("sleeps", seconds=2.0)
    assert found.reason == "stopped after 2 s"
    assert found.seconds < 10


def test_a_task_gets_no_secrets_and_a_folder_of_its_own(run: Run) -> None:
    assert run("spends").scores[0].scores["x"] == 1.0


def test_nothing_runs_without_consent(run: Run) -> None:
    with pytest.raises(UserError, match="add --allow-code"):
        run_program("talks", answer)
    with pytest.raises(UserError, match="did you mean talks"):
        run_program("talk", answer, allow_code=True)
