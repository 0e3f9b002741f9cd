"""A study as Slurm array jobs: submitted through a real ``sbatch`` on the path, followed, continued."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import FakeSlurm
from kept import results

from scalecurve.errors import UserError
from scalecurve.pipeline import run_study
from scalecurve.runner.model_run import model_runs
from scalecurve.runner.part import Part
from scalecurve.runner.slurm import shares_of
from scalecurve.store import RunDirectory
from scalecurve.study.plan import make_plan
from scalecurve.study.study import parse_study

SCRIPT = Path(sys.executable).with_name("scalecurve")
STUDY = {
    "name": "jobs",
    "models": [
        {"name": name, "backend": "mock", "location": name, "params_non_embedding": size, **more}
        for name, size, more in (
            ("small", 10**6, {}),
            ("large", 10**9, {"options": {"resources": {"cpus": 2, "gpus": 0.5}}}),
        )
    ],
    "tasks": ["lab:rebus", "lab:addition:2_digits"],
    "limit": 12,
    "part_size": 4,
}


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[FakeSlurm]:
    made = FakeSlurm(tmp_path)
    yield made
    made.stop()


def start(slurm: FakeSlurm, tmp_path: Path, *options: str) -> subprocess.Popen[str]:
    study = tmp_path / "jobs.toml"
    study.write_text(parse_study(STUDY).to_toml())
    command = [SCRIPT, "run", study, "--out", tmp_path / "a run", "--on", "slurm", *options]
    own = os.environ | slurm.environment
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=own)


@pytest.mark.slow
def test_array_jobs_give_the_results_of_a_local_run(slurm: FakeSlurm, tmp_path: Path) -> None:
    process = start(slurm, tmp_path, "--jobs", "3", "--sbatch", "--time=1:00:00 --partition=big")
    said, err = process.communicate(timeout=120)
    assert process.returncode == 0, said + err
    local, _ = run_study(parse_study(STUDY), tmp_path / "local")
    assert results(tmp_path / "a run") == results(local.path)

    jobs = slurm.jobs()
    assert [sorted(job["tasks"]) for job in jobs] == [["0"], ["1", "2"]], "one array for each kind of machine"
    assert jobs[0]["options"] == ["--parsable", "--time=1:00:00", "--partition=big"]
    assert [job["told"].get("gres") for job in jobs] == [None, "gpu:1"]
    assert [job["told"]["cpus-per-task"] for job in jobs] == ["1", "2"]

    again = start(slurm, tmp_path)
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0
    assert "; 0 answers computed" in said
    assert len(slurm.jobs()) == 2, "nothing is missing, so nothing is submitted"


@pytest.mark.slow
def test_only_what_is_missing_is_submitted_again(slurm: FakeSlurm, tmp_path: Path) -> None:
    assert start(slurm, tmp_path).wait(timeout=120) == 0
    before = results(tmp_path / "a run")
    for path in (tmp_path / "a run").glob("outputs/*large*rebus*title*/part-00001-*"):
        path.unlink()
    process = start(slurm, tmp_path)
    said, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert [sorted(job["tasks"]) for job in slurm.jobs()] == [["0"], ["1"], ["1"]]
    assert "; 4 answers computed" in said
    assert results(tmp_path / "a run") == before


@pytest.mark.slow
def test_a_killed_driver_finds_its_jobs_again(slurm: FakeSlurm, tmp_path: Path) -> None:
    slurm.hold()
    process = submitted(slurm, tmp_path)
    process.kill()
    process.communicate()
    second = start(slurm, tmp_path)
    assert second.stderr is not None
    while "2 array tasks of before are still in the queue" not in (line := second.stderr.readline()):
        assert line, "the second driver ended without finding the jobs"
    slurm.release()
    said, err = second.communicate(timeout=120)
    assert second.returncode == 0, said + err
    assert len(slurm.jobs()) == 2, "nothing was submitted again"
    local, _ = run_study(parse_study(STUDY), tmp_path / "local")
    assert results(tmp_path / "a run") == results(local.path)


@pytest.mark.slow
def test_a_job_that_dies_is_missing_and_done_by_the_next_command(slurm: FakeSlurm, tmp_path: Path) -> None:
    slurm.hold()
    process = submitted(slurm, tmp_path)
    os.kill(slurm.jobs()[1]["tasks"]["1"], signal.SIGKILL)
    slurm.release()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "its Slurm job ended before it was done" in said
    process = start(slurm, tmp_path)
    said, err = process.communicate(timeout=120)
    assert process.returncode == 0, said + err
    local, _ = run_study(parse_study(STUDY), tmp_path / "local")
    assert results(tmp_path / "a run") == results(local.path)


def submitted(slurm: FakeSlurm, tmp_path: Path) -> subprocess.Popen[str]:
    """A driver that has submitted both jobs."""
    process = start(slurm, tmp_path)
    record = RunDirectory(tmp_path / "a run").submitted
    while not record.exists() or len(json.loads(record.read_text())["jobs"]) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


def test_without_sbatch_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no `sbatch` on this machine"):
        run_study(parse_study(STUDY), tmp_path / "a run", on="slurm")
    assert not (tmp_path / "a run").exists()


def test_shares_cover_every_part_once_and_go_to_the_heaviest(tmp_path: Path) -> None:
    jobs = model_runs(make_plan(parse_study(STUDY)), RunDirectory(tmp_path))
    assert [(share.rung, share.count) for share in shares_of(jobs, None)] == [(0, 1), (1, 1)]
    shares = shares_of(jobs, 4)
    assert [(share.rung, share.index, share.count) for share in shares] == [(0, 0, 1), (1, 0, 3), (1, 1, 3), (1, 2, 3)]
    for task in range(5):
        for index in range(7):
            part = Part(task, index, 0, 4)
            assert [share.has(part) for share in shares if share.rung == 1].count(True) == 1
