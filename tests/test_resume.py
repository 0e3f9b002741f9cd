"""A run that is killed at any instant and started again ends as if it had never been cut, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kept import parts, results

from scalecurve.store import RunDirectory

SCRIPT = Path(sys.executable).with_name("scalecurve")
STUDY = """
name = "cut"
tasks = ["lab:addition:2_digits", "lab:links:1_hop", "lab:reversal:short"]
strategies = ["direct", "chain_of_thought"]
limit = 16
part_size = 4
"""


def start(study: Path, out: Path, *options: str) -> "subprocess.Popen[str]":
    command = [SCRIPT, "run", study, "--out", out, "--quiet", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(study: Path, out: Path) -> str:
    process = start(study, out)
    said, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return said


def when(condition: Iterator[bool], process: "subprocess.Popen[str]") -> None:
    """Wait until the condition holds while the process runs."""
    for holds in condition:
        if holds:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def parts_reach(out: Path, count: int) -> Iterator[bool]:
    while True:
        yield len(parts(out)) >= count


@pytest.fixture(scope="module")
def real_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the laboratory's own models, asked with and without steps, in parts of four examples."""
    path = tmp_path_factory.mktemp("resume") / "cut.toml"
    path.write_text(STUDY + '[[models]]\nref = "lab"\nrungs = ["lab-3k", "lab-12k"]\n')
    return path


@pytest.fixture(scope="module")
def uncut(real_study: Path) -> Path:
    """That study, run without a cut."""
    out = real_study.parent / "uncut"
    finish(real_study, out)
    return out


@pytest.mark.slow
def test_kill_9_in_the_middle_then_the_same_bits(real_study: Path, uncut: Path, tmp_path: Path) -> None:
    out, total = tmp_path / "cut", len(parts(uncut))
    process = start(real_study, out)
    when(parts_reach(out, total // 3), process)
    process.kill()
    process.wait()
    kept = parts(out)
    assert 0 < len(kept) < total
    assert not (out / "scores.parquet").exists()

    said = finish(real_study, out)
    assert results(out) == results(uncut)
    again = parts(out)
    recomputed = [path for path, written in kept.items() if again[path] != written]
    assert len(recomputed) <= 1, "at most the arms of the one stretch whose parts were just being put in place"
    assert f"; {16 * 6 * 2} answers" not in said


@pytest.mark.slow
def test_ctrl_c_stops_within_a_second_and_keeps_what_is_done(real_study: Path, uncut: Path, tmp_path: Path) -> None:
    out = tmp_path / "cut"
    process = start(real_study, out)
    when(parts_reach(out, 4), process)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 1.5, "a second, and some for a busy machine"
    assert process.returncode == 130
    assert err == "stopped; the same command continues after the last finished part\n"
    kept = parts(out)
    assert len(kept) >= 4

    finish(real_study, out)
    assert results(out) == results(uncut)
    assert {path: written for path, written in parts(out).items() if path in kept} == kept


def test_killed_again_and_again_at_random_instants(tmp_path: Path) -> None:
    study = tmp_path / "cut.toml"
    models = "".join(
        f'[[models]]\nname = "{name}"\nbackend = "mock"\nlocation = "mock"\nparams_non_embedding = {size}\n'
        for size, name in ((10, "small"), (1000, "large"))
    )
    study.write_text(STUDY + models)
    began = time.monotonic()
    finish(study, tmp_path / "uncut")
    seconds = time.monotonic() - began
    chance = random.Random(7)
    for _ in range(4):
        process = start(study, tmp_path / "cut")
        try:
            process.wait(timeout=seconds * chance.uniform(0.2, 0.9))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    finish(study, tmp_path / "cut")
    assert results(tmp_path / "cut") == results(tmp_path / "uncut")
    assert not list((tmp_path / "cut").rglob("*.tmp")), "leftovers of a killed write are cleared away"


def test_second_run_on_a_directory_is_refused(tmp_path: Path) -> None:
    study = tmp_path / "cut.toml"
    study.write_text(STUDY + '[[models]]\nname = "m"\nbackend = "mock"\nlocation = "mock"\n')
    with RunDirectory(tmp_path / "run").lock():
        process = start(study, tmp_path / "run")
        out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"in use by process {os.getpid()}" in err
    assert out == ""
