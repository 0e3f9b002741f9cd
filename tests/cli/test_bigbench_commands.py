"""The commands around BIG-bench: what they print, and what they refuse in one line."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bigbench_files import unpack

from scalecurve.cli import main
from scalecurve.tasks.bigbench import VARIABLE

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Call the command in this process, with a cache directory of its own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["scalecurve", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return unpack(tmp_path / "benchmark_tasks")


def test_install_list_check_verify(call: Call, source: Path) -> None:
    code, out, _ = call("tasks", "install", "bigbench", "--from", source)
    assert (code, out.startswith("BIG-bench: 11 leaves in 12 files")) == (0, True)
    _, out, _ = call("tasks", "list", "bigbench", "--multiple-choice", "--json")
    assert {record["ref"] for record in json.loads(out)} == {
        f"bigbench:{name}" for name in ("emoji_movie", "date_understanding", "known_unknowns", "identify_odd_metaphor")
    }
    _, out, _ = call("tasks", "list", "bigbench", "--keyword", "no such keyword", "--json")
    assert json.loads(out) == []
    code, out, _ = call("tasks", "check", "bigbench", "--sample", 2)
    assert code == 0
    assert ["leaves", "11"] in [line.split() for line in out.splitlines()]
    assert ["failures", "0"] in [line.split() for line in out.splitlines()]
    code, out, _ = call("tasks", "install", "bigbench", "--verify")
    assert (code, "as installed" in out) == (0, True)
    (source.parent / "cache" / "benchmark_tasks" / "tense" / "task.json").write_text("{")
    code, out, _ = call("tasks", "install", "bigbench", "--verify")
    assert (code, "1 files differ, first tense/task.json" in out) == (1, True)
    code, out, err = call("tasks", "check", "bigbench")
    assert (code, "tense/task.json: line 1" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tasks", "check", "bigbench"), "run: scalecurve tasks install bigbench"),
        (("tasks", "install", "bbh"), "unknown source 'bbh'; use bigbench"),
        (("tasks", "install", "bigbench", "--from", "/no/such"), "no such file or directory"),
        (("tasks", "install", "bigbench", "--verify"), "is not installed"),
        (("tasks", "program", "taboo", "--allow-code"), "is not installed"),
        (("scores", "human"), "is not installed"),
        (("scores", "import", "/no/such", "out"), "holds no"),
        (("scores", "export", "/no/such", "out"), "no such run directory"),
        (("scores", "benchmark", "/no/such"), "no such run directory"),
    ],
)
def test_refusals_are_one_line_with_exit_code_2(call: Call, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_programs_need_consent_and_give_score_files(call: Call, source: Path, tmp_path: Path) -> None:
    (source / "tiny").mkdir()
    (source / "tiny" / "task.py").write_text(
        "from bigbench.api import task\n"
        "class T(task.Task):\n"
        "    def get_task_details(self): return None\n"
        "    def evaluate_model(self, model, max_examples=-1, random_seed=0):\n"
        "        one = task.ScoreData({'x': len(model.generate_text('a', 5))}, 'x', 0, 0, 1, 'p')\n"
        "        return [one, task.ScoreData({'x': 1}, 'x', 0, 0, 1, 'p')]\n"
    )
    call("tasks", "install", "bigbench", "--from", source)
    assert call("tasks", "program")[1] == "tiny\n"
    code, _, err = call("tasks", "program", "tiny")
    assert (code, "add --allow-code" in err) == (2, True)
    code, out, _ = call("tasks", "program", "--all", "--allow-code", "--out", tmp_path / "scores")
    assert (code, "1 of 1 tasks have scores" in out) == (0, True)
    (path,) = (tmp_path / "scores").rglob("scores_*.json")
    names = [record["subtask_description"] for record in json.loads(path.read_text())["scores"]]
    assert names == ["ptrial_0", "ptrial_1", "tiny"]
