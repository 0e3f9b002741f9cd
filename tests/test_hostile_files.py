"""Files of strangers end in one line and exit code 2: no traceback, no hang, no file of the user's in a prompt."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import Call
from hostile import KINDS, SECRET

from scalecurve.tasks import load_tasks
from scalecurve.util.guard import ReadingLimits, check_size, confined

SECONDS = 300  # a busy machine takes long to import torch


@pytest.fixture(autouse=True)
def no_hang() -> Any:
    """A reader that hangs fails its test."""

    def late(*_: object) -> None:
        raise TimeoutError(f"longer than {SECONDS} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few seconds and little memory, so that meeting a limit takes no time."""
    monkeypatch.setattr("scalecurve.util.guard.LIMITS", ReadingLimits(8.0, 1 << 30))


@pytest.mark.parametrize("name", list(KINDS))
def test_one_line_and_no_hang(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.chdir(tmp_path)
    words = KINDS[name](tmp_path)
    before = set(tmp_path.rglob("*"))
    code, out, err = call(*words)
    assert (code, len(err.splitlines())) == (2, 1), err
    assert SECRET not in out + err
    assert "root:" not in out + err
    assert set(tmp_path.rglob("*")) == before, "nothing is written"


def test_a_value_is_bounded_in_depth_and_in_number() -> None:
    check_size({"a": [{"b": [1, 2, 3]}] * 1000})
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    own: list[Any] = []
    own.append(own)
    wide: list[Any] = ["x"]
    for _ in range(9):
        wide = [wide] * 10
    for value, why in ((deep, "nested too deeply"), (own, "nested too deeply"), (wide, "values once its aliases are")):
        with pytest.raises(ValueError, match=why):
            check_size(value)


def known() -> list[str]:
    """In a reader: the variables it has; an error of the disk's where it tries to write."""
    try:
        Path("written").write_text("x")
    except OSError:
        return sorted(os.environ)
    return ["it wrote a file"]


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch owned",)


def test_a_reader_holds_no_key_writes_nothing_and_sends_nothing_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr("scalecurve.util.guard.LIMITS", ReadingLimits(30.0, 1 << 29))  # another process than before
    names = confined("x", "test_hostile_files:known")
    assert "PATH" in names
    assert not [name for name in names if "KEY" in name]
    with pytest.raises(pickle.UnpicklingError, match="is not expected"):
        confined("x", "test_hostile_files:Evil")
    assert not (tmp_path / "owned").exists()


def test_a_reader_does_not_outlive_who_asked_it(tmp_path: Path) -> None:
    """The system ends it after its seconds, when who asked was killed and nobody is left to do so."""
    words = KINDS["template: loops in loops"](tmp_path)
    process = subprocess.Popen([sys.executable, "-m", "scalecurve.cli", *words], cwd=tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    readers: list[str] = []
    while not readers:
        assert process.poll() is None
        time.sleep(0.1)
        readers = [one for one in children.read_text().split() if "guarded" in Path(f"/proc/{one}/cmdline").read_text()]
    time.sleep(1)
    process.kill()
    process.wait()
    limits = Path(f"/proc/{readers[0]}/limits").read_text()
    os.kill(int(readers[0]), signal.SIGKILL)
    (line,) = (line for line in limits.splitlines() if line.startswith("Max cpu time"))
    assert 0 < int(line.split()[3]) < 100


def test_an_honest_task_of_that_form_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    KINDS["template: center"](tmp_path)
    file = tmp_path / "task" / "t.yaml"
    file.write_text(file.read_text().replace("6000000000", "5"))
    (task,) = load_tasks("lm-eval:task/t.yaml")
    assert task.examples[0].input == "  a  "
