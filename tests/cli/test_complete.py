"""What the shell is offered, by the scripts that the command line prints for it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

SCALECURVE = Path(sys.executable).with_name("scalecurve")


def said(folder: Path, environment: Mapping[str, str]) -> str:
    env = {**os.environ, "SCALECURVE_BIGBENCH": str(folder / "none"), **environment}
    done = subprocess.run([SCALECURVE], capture_output=True, text=True, cwd=folder, env=env, check=True)
    return done.stdout


def offered(folder: Path, *words: str) -> list[str]:
    """What bash is offered for the last of ``words``."""
    env = {"COMP_WORDS": " ".join(["scalecurve", *words]), "COMP_CWORD": str(len(words))}
    return said(folder, {"_SCALECURVE_COMPLETE": "complete_bash", **env}).split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for run in ("runs/first", "runs/second", "other"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "manifest.json").write_text("{}")
    (tmp_path / "runs" / "empty").mkdir()
    (tmp_path / "studies").mkdir()
    for study in ("studies/quick.toml", "mine.toml", "notes.txt"):
        (tmp_path / study).write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("shell", "mark"),
    [("bash", "complete -o default"), ("zsh", "#compdef scalecurve"), ("fish", "complete --command scalecurve")],
)
def test_each_shell_has_its_script(shell: str, mark: str, tmp_path: Path) -> None:
    assert mark in said(tmp_path, {"_SCALECURVE_COMPLETE": f"source_{shell}"})


def test_commands_are_offered_to_every_shell(tmp_path: Path) -> None:
    assert offered(tmp_path, "verd") == ["verdicts"]
    assert offered(tmp_path, "tasks", "sh") == ["show"]
    zsh = {"_SCALECURVE_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "scalecurve verd"}
    assert '"verdicts"' in said(tmp_path, zsh)
    fish = {"_SCALECURVE_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert said(tmp_path, fish | {"_TYPER_COMPLETE_ARGS": "scalecurve verd"}).startswith("verdicts\t")


def test_runs_and_studies_that_are_here(folder: Path) -> None:
    assert offered(folder, "curves", "") == ["other", "runs/first", "runs/second"]
    assert offered(folder, "report", "runs/f") == ["runs/first"]
    assert offered(folder, "curves", str(folder / "runs" / "s")) == [str(folder / "runs" / "second")]
    assert offered(folder, "run", "") == ["mine.toml", "studies/quick.toml"]
    assert offered(folder, "run", "**x") == []


def test_names(folder: Path) -> None:
    assert "lab:addition:2_digits" in offered(folder, "run", "--task", "lab:add")
    assert "lab:addition" in offered(folder, "tasks", "show", "lab:add")
    assert "pythia" in offered(folder, "run", "--model", "py")
    assert "lab:lab-3m" in offered(folder, "think", "ask", "why?", "--model", "lab:")
    assert offered(folder, "run", "--strategy", "chain") == ["chain_of_thought"]
    assert "brier" in offered(folder, "curves", "other", "--metric", "br")
