"""The command line: what is printed where, and the exit codes."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from command_line import Call

import scalecurve
from scalecurve import open_run
from scalecurve.cli._print import amount, as_json, duration, number, table
from scalecurve.cli.study import closing

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of four mock models and two small tasks of the laboratory."""
    path = tmp_path_factory.mktemp("study") / "small.toml"
    models = "".join(
        f'[[models]]\nname = "mock-{size}"\nbackend = "mock"\nlocation = "mock"\nparams_non_embedding = {size}\n'
        for size in (10**3, 10**4, 10**5, 10**6)
    )
    path.write_text(
        'tasks = ["lab:rebus:title", "lab:addition:1_digit"]\nstrategies = ["direct", "chain_of_thought"]\n'
        f"limit = 10\n{models}"
    )
    return path


@pytest.fixture(scope="module")
def run(study: Path) -> Path:
    """The directory of a finished run of that study."""
    out = study.parent / "run"
    done = subprocess.run(
        [Path(sys.executable).with_name("scalecurve"), "run", study, "--out", out], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"report: {out / 'report.html'}\n")
    assert "4 models × 2 tasks" in done.stderr, "plain lines of progress where standard error is no terminal"
    assert "\x1b" not in done.stderr
    return out


def test_version_is_that_of_the_project(call: Call) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert call("--version").out == f"scalecurve {version}\n"
    assert scalecurve.__version__ == version


def test_every_command_has_help(call: Call) -> None:
    commands = [line.split()[0] for line in call("--help").out.partition("Commands:")[2].splitlines() if line.strip()]
    assert {"run", "study", "rescore", "curves", "verdicts", "report", "tasks", "models", "lab"} <= set(commands)
    for command in commands:
        said = call(command, "--help")
        assert said.code == 0
        assert said.out.startswith(f"Usage: scalecurve {command}")


def test_the_embedded_study_runs_without_an_argument(tmp_path: Path) -> None:
    """The first command of the README, until it has begun; .ci/run waits for its report."""
    command = [Path(sys.executable).with_name("scalecurve"), "study"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as begun:
        assert begun.stdout
        assert begun.stderr
        said = begun.stderr.readline() + begun.stderr.readline()
        begun.send_signal(signal.SIGINT)
        assert (begun.wait(timeout=60), begun.stdout.read()) == (130, "")
    assert re.search(
        r"\A7 small language models, lab-3k to lab-3m, .*\n7 models × \d+ tasks; the first are loading\n", said
    )


def test_the_study_ends_with_what_was_found_where_it_is_and_what_next(run: Path) -> None:
    found, report, following = closing(open_run(run))
    assert re.match(r"found: 4 curves of 2 tasks: \d+ [a-z]+", found)
    shapes = [
        int(count) for count in re.findall(r"(\d+) (?:flat|smooth|emergent|inverse|u-shaped|inconclusive)", found)
    ]
    assert sum(shapes) == 4
    assert report == f"report: {run / 'report.html'}"
    assert following.startswith("next: ")
    command = following.removeprefix("next: ").partition("   ")[0]
    assert command.endswith(f"view {run}")


def test_run_continues_and_is_quiet_on_request(call: Call, study: Path, run: Path) -> None:
    said = call("run", study, "--out", run, "--quiet")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("16 cells; 0 answers computed")


def test_curves_table_and_json(call: Call, run: Path) -> None:
    said = call("curves", run)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].split()[:3] == ["small", "asked", "curve"]
    assert "mock-1000000" in lines[0]
    assert [line.split()[0] for line in lines[1:5]] == ["lab:rebus:title"] * 2 + ["lab:addition:1_digit"] * 2
    curves = json.loads(call("curves", run, "--json", "--task", "rebus").out)
    assert {curve["task"] for curve in curves} == {"lab:rebus:title"}
    assert [len(curve["y"]) for curve in curves] == [4, 4]
    assert curves[0]["x"] == [10**3, 10**4, 10**5, 10**6]
    brier = json.loads(call("curves", run, "--json", "--metric", "brier").out)
    assert {curve["higher_is_better"] for curve in brier} == {False}


def test_verdicts_and_json(call: Call, run: Path) -> None:
    said = call("verdicts", run)
    assert said.code == 0
    assert "lab:rebus:title" in said.out
    rows = json.loads(call("verdicts", run, "--json").out)
    assert len(rows) == 4
    assert all(row["shape"] and row["reasons"] for row in rows)


def test_the_gate_of_a_run_is_judged_and_gives_thresholds(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "run"
    asked = ("--task", "twins:8", "--strategy", "gate", "--strategy", "direct", "--name", "gated")
    assert call("run", "--model", "mock", *asked, "--out", out, "--quiet").code == 0
    parts = call("gate", out, "--then", "direct").out.strip().split("\n\n")
    titles = (("the gate", "auroc"), ("twins by kind", "deleted"), ("direct behind the gate", "right"))
    for part, (title, measure) in zip(parts, titles, strict=True):
        first, header, line = part.splitlines()
        assert (first, header.split()[:5]) == (title, ["task", "rung", "n", "threshold", measure])
        assert line.split()[:3] == ["twins:8", "mock", "16"]
    (report,) = json.loads(call("gate", out, "--json").out)
    assert 0 <= report["measures"]["auroc"]["low"] <= report["measures"]["auroc"]["value"]
    settings = tomllib.loads(call("gate", out, "--thresholds").out)
    assert settings["settings"]["gate_threshold"]["mock"] == pytest.approx(report["threshold"]["value"], abs=1e-3)
    wrong = call("gate", out, "--then", "belief_none")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)


def test_report_and_rescore_print_the_path(call: Call, run: Path, tmp_path: Path) -> None:
    assert call("report", run, "--out", tmp_path / "r.html").out == f"{tmp_path / 'r.html'}\n"
    assert (tmp_path / "r.html").read_text().lstrip().lower().startswith("<!doctype html>")
    assert call("rescore", run).out == f"report: {run / 'report.html'}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "give a study file, or --model and --task"),
        (["run", "nothing.toml"], "nothing.toml: no such study file"),
        (["run", "--model", "lab", "--task", "lab:adition"], "options: tasks[0]: task 'lab:adition'"),
        (["run", "--model", "lab", "--task", "lab:addition", "--metric", "acuracy"], "metrics: unknown 'acuracy'"),
        (["run", "--model", "lab", "--task", "lab:addition", "--strategy", "drect"], "did you mean direct?"),
        (["run", "--model", "lab", "--task", "lab:addition", "--limit", "-1"], "limit"),
        (["run", "--model", "lab", "--task", "lab:addition", "--limit", "0"], "limit: should be greater than"),
        (["run", "--model", "lab", "--task", "lab:addition", "--max-tokens", "0"], "max_tokens: should be greater"),
        (["study", "--limit", "0"], "limit: should be greater than"),
        (["run", "--model", "no/such/model", "--task", "lab:addition"], "no/such/model"),
        (["curves", "nowhere"], "nowhere: no such run directory"),
        (["verdicts", "nowhere"], "nowhere: no such run directory"),
        (["report", "nowhere"], "nowhere: no such run directory"),
        (["rescore", "nowhere"], "nowhere: no such run directory"),
        (["tasks", "show", "lab:revrsal"], "did you mean reversal"),
        (["lab", "train", "--rung", "lab-9z"], "no rung named 'lab-9z'"),
    ],
)
def test_user_errors_are_one_line_and_two(
    call: Call, arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_unknown_command_and_option(call: Call) -> None:
    assert call("rnu").code == 2
    assert call("run", "--limt", "3").code == 2


def test_wrong_choice_of_curves_is_told(call: Call, run: Path) -> None:
    assert "it has bits_per_byte, brier" in call("curves", run, "--metric", "nothing").err
    assert "contains 'nothing'" in call("curves", run, "--task", "nothing").err
    for axis in ("training_flops", "family"):
        assert f"axis '{axis}': no point has it" in call("curves", run, "--axis", axis).err
        assert f"axis '{axis}': no point has it" in call("verdicts", run, "--axis", axis).err


def test_a_file_in_the_way_is_told_of_in_one_line(call: Call, run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    inside = tmp_path / "file" / "inside"
    for arguments in (
        ["report", run, "--out", inside / "report.html"],
        ["plot", run, "rebus", "--out", inside / "figure.svg"],
        ["export", "parquet", run, "--out", inside],
        ["run", "--model", "mock", "--task", "lab:rebus:title", "--limit", "1", "--out", inside],
    ):
        said = call(*arguments)
        assert said.code == 2, arguments
        assert re.fullmatch(
            rf"scalecurve: {tmp_path}/file.*: (is or lies in a file|cannot be written).*\n", said.err
        ), said.err
    assert (tmp_path / "file").read_text() == "mine"


def test_missing_models_end_in_one_and_say_what(call: Call, study: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(study.read_text().replace('location = "mock"', 'location = "/no/such/model"', 1))
    path.write_text(path.read_text().replace('backend = "mock"', 'backend = "transformers"', 1))
    said = call("run", path, "--out", tmp_path / "run", "--quiet")
    assert said.code == 1
    assert "missing: 4 cells failed" in said.out
    assert "/no/such/model" in said.out
    assert (tmp_path / "run" / "report.html").exists()


def test_tasks_and_models_are_listed(call: Call) -> None:
    listed = json.loads(call("tasks", "list", "lab", "--json").out)
    assert {"lab:addition:3_digits", "lab:remap"} <= {task["ref"] for task in listed}
    shown = call("tasks", "show", "lab:addition:2_digits", "--shots", "1").out
    assert shown.count("Q: ") == 2
    assert "answer: " in shown
    assert any(line.startswith("lab ") for line in call("models", "list").out.splitlines())


def test_ctrl_c_ends_native_code_within_a_second() -> None:
    code = (
        "import hashlib\nfrom scalecurve.cli._interrupt import prompt_interrupt\n"
        "with prompt_interrupt():\n    print('ready', flush=True)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert process.wait(timeout=20) == 130
    assert time.monotonic() - began < 1.5, "a second, and some for a busy machine"


def test_progress_bar_of_a_terminal_is_cleared_away(study: Path, tmp_path: Path) -> None:
    import pty

    controller, terminal = pty.openpty()
    command = [Path(sys.executable).with_name("scalecurve"), "run", study, "--out", tmp_path / "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, text=True)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's other end is closed when the process ends
        while chunk := os.read(controller, 4096):
            shown += chunk
    assert process.wait(timeout=60) == 0
    assert "4 models × 2 tasks" in shown.decode()
    assert shown.decode().count("\x1b[?25h") >= 1, "the cursor is shown again"


def test_numbers_are_short() -> None:
    assert [amount(x) for x in (None, 950, 3100, 3_900_000, 1.4e12)] == ["–", "950", "3.1k", "3.9M", "1.4T"]
    assert [number(x) for x in (None, 0.5, float("nan"), float("inf"), float("-inf"))] == ["–", "0.500", "–", "∞", "-∞"]
    assert [duration(s) for s in (0.4, 41, 151, 11_100)] == ["0s", "41s", "2m31s", "3h05m"]
    assert table(("a", "b"), [("x", "1"), ("yy", "22")], right=(1,)) == "a    b\nx    1\nyy  22"
    assert json.loads(as_json({"a": (float("inf"), float("nan"))})) == {"a": [None, None]}
