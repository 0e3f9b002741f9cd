"""Every command in every form that its usage line allows with the fewest arguments: none prints usage where it should
work, and none ends in a fault of ours."""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from command_line import Call, call_main

from scalecurve.cli._app import app, load_commands

STUDY = """
name = "small"
limit = 8
tasks = [
  { ref = "lab:addition:1_digit", strategies = ["direct", "chain_of_thought"] },
  { ref = "twins:8", strategies = ["gate", "direct"] },
]
models = [
  { name = "mock-1000", backend = "mock", location = "mock", params_non_embedding = 1000 },
  { name = "mock-9000", backend = "mock", location = "mock", params_non_embedding = 9000 },
]
"""

VALUES: dict[str, tuple[str, ...]] = {
    # what a required or optional argument or a required option is given, in the prepared directory
    "folder": ("checkpoints",), "format": ("parquet",), "ladder": ("lab",), "model": ("mock",), "name": ("brier",),
    "names": ("sudoku",), "out": ("out",), "paths": ("results.csv",), "question": ("1+1=",), "ref": ("lab:addition",),
    "run": ("run",), "runs": ("run",), "share": ("0",), "into": ("into",), "source": ("auto",),
    "statements": ("SELECT 1",),
    "study": ("study.toml",), "task": ("lab:addition",), "to": ("1e6",), "what": ("bigbench",),
}  # fmt: skip
OF_COMMAND = {
    ("tasks list", "source"): ("lab",), ("scores import", "folder"): ("results",),
    ("compare", "a"): ("mock-1000",), ("compare", "b"): ("mock-9000", "--run", "run"),
}  # fmt: skip
GO_ON = {"serve": ("--port", "0"), "view": ("--no-open",), "watch": (), "study": (), "lab train": ("--threads", "1")}
"""Commands that go on until they are stopped, or for minutes, and options that keep them from the desk they run on."""


def _leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    subs = getattr(command, "commands", {})
    for name, sub in subs.items():
        yield from _leaves(sub, (*words, name))
    if words and (not subs or command.invoke_without_command):
        yield " ".join(words), command


def leaves() -> dict[str, Any]:
    load_commands()
    return dict(_leaves(typer.main.get_command(app)))


def values_of(words: str, parameter: Any) -> tuple[str, ...]:
    values = OF_COMMAND.get((words, parameter.name)) or VALUES.get(parameter.name)
    assert values, f"{words}: say in VALUES what its {parameter.name} is given"
    return values if parameter.param_type_name == "argument" else (parameter.opts[0], *values)


def forms(words: str, command: Any) -> dict[str, tuple[str, ...]]:
    """The arguments of each form: with those that are required, and with one more argument that may be left out."""
    arguments = [p for p in command.params if p.param_type_name == "argument" or p.required]
    least = tuple(value for p in arguments if p.required for value in values_of(words, p))
    more = [p for p in arguments if not p.required and p.name != "context"]
    return {"": least} | {p.name: (*least, *values_of(words, p)) for p in more}


FORMS = [
    pytest.param(words, given, id=f"{words} {name}".strip())
    for words, command in leaves().items()
    for name, given in forms(words, command).items()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A study, its run, a file of results and empty folders; nothing is fetched from a registry or a hub."""
    folder, before = tmp_path_factory.mktemp("begun"), Path.cwd()
    (folder / "study.toml").write_text(STUDY)
    (folder / "results.csv").write_text("model,task,metric,shots,score,n\nlab-3k,own,acc,0,0.5,10\n")
    (folder / "checkpoints").mkdir()
    (folder / "results").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull, "HF_HUB_OFFLINE": "1",
            "XDG_CACHE_HOME": str(folder / "cache"), "SCALECURVE_BIGBENCH": str(folder / "bigbench"),
        }.items():  # fmt: skip
            patch.setenv(name, value)
        os.chdir(folder)
        assert call_main("run", "study.toml", "--out", "run", "--quiet") == 0
        yield folder
        os.chdir(before)


def begun(*arguments: str, stopped: bool = True) -> tuple[int, str]:
    """The exit code and what was printed by a command, ``stopped`` by Ctrl-C as soon as it has said something."""
    command = [Path(sys.executable).with_name("scalecurve"), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process, selectors.DefaultSelector() as ready:  # fmt: skip
        assert process.stdout
        ready.register(process.stdout, selectors.EVENT_READ)
        ready.select(timeout=20)  # a command may also wait in silence
        if stopped:
            process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=120)
    return process.returncode, said.decode()


@pytest.mark.parametrize(("words", "given"), FORMS)
def test_a_command_works_with_the_least_that_its_usage_asks(
    words: str, given: tuple[str, ...], folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words in GO_ON or words == "lm-eval":  # the latter sets the whole process up for lm-evaluation-harness
        code, said = begun(*words.split(), *given, *GO_ON.get(words, ()), stopped=words in GO_ON)
    else:
        with open(os.devnull) as nothing:
            monkeypatch.setattr(sys, "stdin", nothing)
            code, out, err = call(*words.split(), *given)
        said = out + err
        assert code != 2 or (out == "" and err.splitlines()[-1].startswith("scalecurve: ")), said
    assert code in (0, 1, 2, 130), said
    assert "Traceback" not in said
    assert "Usage: " not in said


@pytest.mark.parametrize("words", [words for words, command in leaves().items() if forms(words, command)[""]])
def test_what_is_missing_is_said(words: str, call: Call) -> None:
    said = call(*words.split())
    assert (said.code, said.out) == (2, "")
    assert "Missing " in said.err
