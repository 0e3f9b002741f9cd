"""What can befall a run on its machine, injected: nothing finished is lost, and the next command ends as if unharmed.

A killed driver, Ctrl-C and two runs on one directory are in ``test_resume.py``, a killed process beside others in
``runner/test_workers.py``, killed nodes, Ray processes and Slurm jobs in ``runner/``.
"""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path

import polars as pl
import pytest
from kept import results

from scalecurve.errors import UserError
from scalecurve.io.exporters.export import export
from scalecurve.pipeline import rescore, run_study
from scalecurve.runner.execute import Silent
from scalecurve.store import RunDirectory, read_outputs
from scalecurve.study.study import Study, load_study, parse_study

SCRIPT = Path(sys.executable).with_name("scalecurve")


def study(**changes: object) -> Study:
    models = [{"name": name, "backend": "mock", "location": name} for name in ("small", "large")]
    values = {"name": "fault", "models": models, "tasks": ["lab:rebus:title", "lab:addition:2_digits"]}
    return parse_study(values | {"limit": 12, "part_size": 4} | changes)


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    run, _ = run_study(study(), tmp_path_factory.mktemp("faults") / "run")
    return results(run.path)


# ── Damaged files ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("left", [0, 1, 0.5, 0.99])
def test_a_truncated_part_is_computed_again(left: float, unharmed: dict[str, bytes], tmp_path: Path) -> None:
    run, _ = run_study(study(), tmp_path / "run")
    part = sorted(run.outputs.glob("*large*title*/part-00001-*"))[0]
    data = part.read_bytes()
    part.write_bytes(data[: int(left * len(data)) if left != 1 else 1])
    with pytest.raises(UserError, match=r"part-00001-.*\.parquet: cannot be read .* run the study again"):
        rescore(run.path)
    _, outcome = run_study(study(), run.path)
    assert outcome.computed == 4, "that part and no other"
    assert results(run.path) == unharmed


def flipped(data: bytes) -> bytes:
    """``data`` with one bit changed, such that Parquet still reads it, and reads something else."""
    before = pl.read_parquet(io.BytesIO(data))
    for at in range(len(data) // 3, len(data)):
        other = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
        try:
            after = pl.read_parquet(io.BytesIO(other))
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
            continue
        if after.schema == before.schema and after.height == before.height and not after.equals(before):
            return other
    raise AssertionError("every flip is noticed by Parquet itself")


ELSEWHERE = {
    "another stretch": "*large*title*/part-00000-*",
    "another model": "*small*title*/part-00001-*",
    "another task": "*large*digits*/part-00001-*",
}


def unlike(run: RunDirectory, wrong: str) -> None:
    """Make one part another one's bytes, or change a bit of it."""
    (part,) = run.outputs.glob("*large*title*/part-00001-*")
    data = flipped(part.read_bytes()) if wrong == "one bit" else next(run.outputs.glob(ELSEWHERE[wrong])).read_bytes()
    part.write_bytes(data)


@pytest.mark.parametrize("wrong", ["one bit", *ELSEWHERE])
def test_a_part_that_is_not_what_was_written_is_computed_again(
    wrong: str, unharmed: dict[str, bytes], tmp_path: Path
) -> None:
    """Readable, under the right name, and wrong: who reads it says so, by the hash that the manifest keeps."""
    run, _ = run_study(study(), tmp_path / "run")
    unlike(run, wrong)
    readers = (rescore, read_outputs, lambda run: export(run, "parquet", str(tmp_path / "out")))
    for reader in readers:
        with pytest.raises(UserError, match=r"part-00001-.*\.parquet: cannot be read \(not what was written"):
            reader(run.path if reader is rescore else run)
    _, outcome = run_study(study(), run.path)
    assert outcome.computed == 4, "that part and no other"
    assert results(run.path) == unharmed


@pytest.mark.parametrize("wrong", list(ELSEWHERE))
def test_a_misplaced_part_of_an_older_run_is_computed_again(
    wrong: str, unharmed: dict[str, bytes], tmp_path: Path
) -> None:
    """A manifest without hashes still opens; the part itself says whose answers it holds."""
    run, _ = run_study(study(), tmp_path / "run")
    manifest = run.read_manifest()
    for cell in manifest["cells"]:
        del cell["hashes"]
    run.write_manifest(manifest)
    _, outcome = run_study(study(), run.path)
    assert outcome.computed == 0
    run.write_manifest(manifest)
    unlike(run, wrong)
    _, outcome = run_study(study(), run.path)
    assert outcome.computed == 4, "that part and no other"
    assert results(run.path) == unharmed


def test_hashes_outlive_a_run_that_is_cut_before_it_looked(unharmed: dict[str, bytes], tmp_path: Path) -> None:
    run, _ = run_study(study(), tmp_path / "run")
    unlike(run, "one bit")

    class Cut(Silent):
        def advance(self, work: float, computed: bool) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study(), run.path, watcher=Cut())
    _, outcome = run_study(study(), run.path)
    assert outcome.computed == 4, "that part and no other"
    assert results(run.path) == unharmed


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    run, _ = run_study(study(), tmp_path / "run")
    run.manifest.write_bytes(run.manifest.read_bytes()[:100])
    with pytest.raises(UserError, match=r"manifest\.json: not valid JSON .* delete it and run the study again"):
        run_study(study(), run.path)
    run.manifest.unlink()
    _, outcome = run_study(study(), run.path)
    assert outcome.complete
    assert outcome.computed == 0


# ── Disks that take no more ──────────────────────────────────────────────────────────────────────────────────
def test_a_disk_that_fills_up_ends_the_run_in_one_line_and_keeps_what_is_done(
    unharmed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, written = os.fsync, [0]

    def full(file: int) -> None:
        written[0] += 1
        if written[0] > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"cannot be written \(No space left on device\); make room and give the"):
            run_study(study(), tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    kept = {path: path.stat().st_mtime_ns for path in run.outputs.rglob("part-*.parquet")}
    assert kept
    assert not list(run.path.rglob("*.tmp"))
    _, outcome = run_study(study(), run.path)
    assert outcome.complete
    assert outcome.computed == 12 * 2 * 2 - 4 * len(kept)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert results(run.path) == unharmed


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 100 kB."""
    folder = Path(tempfile.mkdtemp(prefix="small"))
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode:
        folder.rmdir()
        pytest.skip("mounting a file system needs root; the full disk is injected in the test above")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def test_a_small_real_disk(small_disk: Path, tmp_path: Path) -> None:
    """Met by a process beside others, which ends them all."""
    path = tmp_path / "fault.toml"
    path.write_text(study(tasks=["lab:rebus:title", "lab:addition"], limit=40).to_toml())
    command = [SCRIPT, "run", path, "--out", small_disk / "run", "--quiet", "--workers", "2"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 2, process.stdout + process.stderr
    assert len(process.stderr.splitlines()) == 1
    assert "No space left on device" in process.stderr
    kept = len(list((small_disk / "run").rglob("part-*.parquet")))
    assert kept > 0
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    whole, _ = run_study(load_study(path), tmp_path / "whole")
    assert results(small_disk / "run") == results(whole.path)


@pytest.fixture
def readable_only(tmp_path: Path) -> Iterator[Path]:
    """A directory that this user may not write in; for root, who may write anywhere else, a read-only file system."""
    folder = tmp_path / "readable"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("root without the right to mount can write anywhere")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_read_only_directory_is_refused_in_one_line(readable_only: Path) -> None:
    for out in (readable_only, readable_only / "run"):
        with pytest.raises(UserError, match=r"cannot be written \(.*\); make it writable or give another directory"):
            run_study(study(), out)
    assert list(readable_only.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_told_apart_from_a_full_disk(tmp_path: Path) -> None:
    run, _ = run_study(study(), tmp_path / "run")
    folder = next(run.outputs.glob("*large*title*"))
    shutil.rmtree(folder)
    folder.write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"is or lies in a file, where a directory is needed; give another path"):
        run_study(study(), run.path)


# ── Other versions ───────────────────────────────────────────────────────────────────────────────────────────
def test_parts_of_an_older_format_are_computed_anew(
    unharmed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("scalecurve.runner.part.FORMAT", 0)
        run, _ = run_study(study(), tmp_path / "run")
    old = {path.name for path in run.outputs.rglob("part-*")}
    _, outcome = run_study(study(), run.path)
    assert outcome.computed == 12 * 2 * 2
    assert results(run.path) == unharmed
    assert not old & {path.name for path in run.outputs.rglob("part-*")}, "no old part is left beside a new one"


def test_a_manifest_of_an_older_version_is_continued(unharmed: dict[str, bytes], tmp_path: Path) -> None:
    """Fields that were added since are absent there."""
    run, _ = run_study(study(), tmp_path / "run")
    manifest = run.read_manifest()
    manifest["scalecurve"] = "0.0.1"
    for rung in manifest["rungs"]:
        for added in ("part_size", "batch_tokens", "fingerprint"):
            del rung[added]
    run.manifest.write_text(json.dumps(manifest))
    _, outcome = run_study(study(), run.path)
    assert outcome.computed == 0
    assert results(run.path) == unharmed
    assert run.read_manifest()["scalecurve"] != "0.0.1"


def test_a_study_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    run, _ = run_study(study(), tmp_path / "run")
    run.study.write_text(run.study.read_text().replace("name =", "telepathy = true\nname =", 1))
    with pytest.raises(UserError, match=r"study\.toml:\d+: telepathy: unknown field"):
        run_study(study(), run.path)


# ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_clock_that_jumps_changes_nothing(
    unharmed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between 1970 and 2096 at every look, while a run goes on and in the times of its files."""
    jumps = itertools.cycle([4e9, 0.0, 1.7e9])

    class Clock:
        @staticmethod
        def now(zone: tzinfo) -> datetime:
            return datetime.fromtimestamp(next(jumps), zone)

    monkeypatch.setattr("scalecurve.runner.execute.datetime", Clock)
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    run, _ = run_study(study(), tmp_path / "run")
    for path in [*run.path.rglob("*")]:
        stamp = next(jumps)
        os.utime(path, (stamp, stamp))
    next(run.outputs.glob("*large*title*/part-00001-*")).unlink()
    _, outcome = run_study(study(), run.path)
    assert outcome.computed == 4, "what is missing and no more"
    assert outcome.seconds >= 0
    assert all(cell["seconds"] >= 0 for cell in run.read_manifest()["cells"])
    assert results(run.path) == unharmed


# ── FastFeatures ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_sigterm_stops_within_a_second_and_the_run_goes_on_later(tmp_path: Path) -> None:
    path, out = tmp_path / "fault.toml", tmp_path / "run"
    path.write_text(study(models=[{"ref": "lab", "rungs": ["lab-3k", "lab-12k"]}], limit=16, part_size=1).to_toml())
    command = [SCRIPT, "run", path, "--out", out, "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(list(out.rglob("part-*.parquet"))) < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert err == "stopped; the same command continues after the last finished part\n"
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("part-*.parquet")}
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
