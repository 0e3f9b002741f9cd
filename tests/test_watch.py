"""Following a training run: real checkpoints come one by one, some half-written or broken; the watcher is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.runner.model_run import Silent
from scalecurve.store import RunDirectory
from scalecurve.watch import ALERTS, STATE, Alert, Watch, read_alerts

WEIGHTS = Path(__file__).parents[1] / "src" / "scalecurve" / "lab" / "weights"
STUDY = """
tasks = ["lab:reversal:short", "lab:facts_choice"]
metrics = ["exact_match", "multiple_choice_grade"]
limit = 104
"""
STEPS = (4, 16, 64, 256, 768, 1024)
SCRIPT = Path(sys.executable).with_name("scalecurve")


class Training:
    """A folder that checkpoints are written into, and a study of them."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder, self.study, self.run = path, path / "training", path / "s.toml", path / "run"
        self.folder.mkdir(parents=True)
        self.study.write_text(STUDY)

    def save(self, step: int, weights: int | None = None) -> Path:
        """The laboratory's checkpoint of a step, saved as that of ``step``."""
        source = WEIGHTS / f"lab-332k-step{step if weights is None else weights}"
        return Path(shutil.copytree(source, self.folder / f"checkpoint-{step}"))

    def watch(self) -> Watch:
        return Watch(self.folder, self.study, self.run)

    def command(self, *options: str) -> "subprocess.Popen[str]":
        command = [SCRIPT, "watch", self.folder, self.study, "--out", self.run, "--quiet", *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def alerts(self) -> list[dict[str, Any]]:
        path = self.run / ALERTS
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write(path: Path, content: bytes) -> None:
    """Write a file as if long ago."""
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))


@pytest.fixture
def training(tmp_path: Path) -> Training:
    return Training(tmp_path)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Training, list[list[Alert]]]:
    """A run in which checkpoints came one by one, the last with the weights of the first."""
    training = Training(tmp_path_factory.mktemp("followed"))
    following, told = training.watch(), []
    for step in STEPS:
        training.save(step)
        look = following.look()
        assert look.outcome is not None
        assert look.outcome.computed == 2 * 104, "only the new checkpoint is asked"
        told.append(list(look.alerts))
    training.save(2000, weights=4)
    told.append(list(following.look().alerts))
    return training, told


@pytest.mark.slow
def test_one_ladder_on_the_axis_step(followed: tuple[Training, list[list[Alert]]]) -> None:
    run = RunDirectory(followed[0].run)
    assert [(rung["name"], rung["step"]) for rung in run.read_manifest()["rungs"]] == [
        (f"checkpoint-{step}", step) for step in (*STEPS, 2000)
    ]
    assert all(rung["params_non_embedding"] == 332544 for rung in run.read_manifest()["rungs"])
    assert pl.read_parquet(run.verdicts)["axis"].unique().to_list() == ["step"]
    assert run.report.exists()


@pytest.mark.slow
def test_leaving_chance_is_told_when_it_happens_and_a_fall_as_regression(
    followed: tuple[Training, list[list[Alert]]],
) -> None:
    training, told = followed
    assert told[0] == [], "what is there when watching begins is the baseline"
    kinds = [{(alert.kind, alert.task, alert.metric) for alert in look} for look in told]
    assert ("regression", "lab:reversal:short", "exact_match") in kinds[-1]
    assert ("verdict", "lab:reversal:short", "exact_match") in kinds[-3], "it has left chance"
    left = next(alert for alert in told[-3] if alert.task == "lab:reversal:short")
    assert (left.before, left.after) == ("flat", "late"), "a rise that is not over is no jump"
    assert "regression" not in {alert.kind for look in told[1:-1] for alert in look}
    fall = next(alert for alert in told[-1] if alert.kind == "regression" and alert.task == "lab:reversal:short")
    assert (fall.step, fall.rung, fall.family) == (2000, "checkpoint-2000", "training")
    curves = pl.read_parquet(RunDirectory(training.run).curves).filter(task=fall.task, metric=fall.metric)
    assert fall.expected == max(curves.filter(pl.col("step") < 2000)["y"])
    assert fall.score == curves.filter(step=2000)["y"].item()
    assert "best before" in fall.text()
    assert training.alerts() == [json.loads(json.dumps(asdict(alert))) for look in told for alert in look]


@pytest.mark.slow
def test_the_same_alerts_whoever_looks_and_however_often(
    followed: tuple[Training, list[list[Alert]]], tmp_path: Path
) -> None:
    before = followed[0]
    again = Training(tmp_path / "again")
    continued(before, again, told=["checkpoint-4"])
    heard: list[Alert] = []
    look = again.watch().look(on_alert=heard.append)
    assert look.outcome is not None
    assert look.outcome.computed == 0
    assert again.alerts() == before.alerts(), "all at once, as one by one"
    assert len(heard) == len(again.alerts()) > 0

    (again.run / STATE).write_text(json.dumps({"told": ["checkpoint-4"]}))  # as if killed before it was written
    again.watch().look(on_alert=heard.append)
    assert len(heard) == len(again.alerts()), "what was told is not told again"


def continued(before: Training, training: Training, told: list[str]) -> None:
    """Make ``training`` a copy of ``before`` at the time when the checkpoints ``told`` had been told of."""
    shutil.copytree(before.run, training.run)
    for path in before.folder.iterdir():
        (training.folder / path.name).symlink_to(path)
    frozen = training.run / "study.toml"
    frozen.write_text(frozen.read_text().replace(str(before.folder), str(training.folder)))
    (training.run / ALERTS).unlink()
    (training.run / STATE).write_text(json.dumps({"told": told}))


@pytest.mark.slow
def test_a_half_written_and_a_broken_checkpoint_wait_and_the_rest_goes_on(training: Training) -> None:
    following = training.watch()
    assert following.look().outcome is None, "nothing there yet"
    training.save(16)
    half = training.save(128) / "model.safetensors"
    whole = half.read_bytes()
    write(half, whole[:5000])
    write(training.save(256) / "model.safetensors", b"no safetensors at all")
    look = following.look()
    assert look.outcome is not None
    assert (look.outcome.cells, look.outcome.complete) == (2, True)
    assert [one.complete for one in look.checkpoints] == [True, False, False]
    assert [one.broken for one in look.checkpoints] == [False, False, True]
    assert following.look().outcome is None, "nothing new"

    half.write_bytes(whole)
    assert following.look().outcome is None, "it has just been written"
    write(half, whole)
    look = following.look()
    assert look.outcome is not None
    assert look.outcome.cells == 4
    assert look.outcome.computed == 2 * 104


@pytest.mark.slow
def test_what_training_deletes_stays_in_the_run(training: Training) -> None:
    following = training.watch()
    training.save(64)
    assert following.look().outcome is not None
    before = pl.read_parquet(RunDirectory(training.run).scores)
    shutil.rmtree(training.folder / "checkpoint-64")
    training.save(256)
    look = following.look()
    assert look.outcome is not None
    assert (look.outcome.complete, look.outcome.computed, look.outcome.cells) == (True, 2 * 104, 4)
    after = pl.read_parquet(RunDirectory(training.run).scores)
    assert after.filter(rung="checkpoint-64").equals(before)


@pytest.mark.slow
def test_a_checkpoint_that_does_not_open_is_told_of_and_asked_again_when_it_has_changed(training: Training) -> None:
    training.save(16)
    folder = training.save(128)
    config = (folder / "config.json").read_bytes()
    write(folder / "config.json", config.replace(b'"hidden_size": 96', b'"hidden_size": 960'))
    following, notes = training.watch(), list[str]()

    class Notes(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    look = following.look(Notes())
    assert look.outcome is not None
    assert len(look.outcome.failed_cells) == 2
    assert any("checkpoint-128: cannot be opened" in note for note in notes)
    assert following.look().outcome is None
    write(folder / "config.json", config)
    mended = following.look().outcome
    assert mended is not None
    assert mended.complete


@pytest.mark.slow
def test_kill_9_in_the_middle_and_the_same_end(
    followed: tuple[Training, list[list[Alert]]], training: Training
) -> None:
    some = STEPS[:3]
    for step in some:
        training.save(step)
    training.study.write_text(STUDY + "part_size = 8\n")
    process = training.command("--once")
    outputs = training.run / "outputs"
    deadline = time.monotonic() + 120
    while len(list(outputs.glob("*/part-*.parquet"))) < 10 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    kept = {path: path.stat().st_mtime_ns for path in outputs.glob("*/part-*.parquet")}
    assert 10 <= len(kept) < 3 * 2 * 13
    said, err = training.command("--once").communicate(timeout=300)
    assert "3 checkpoints to step 64" in said, err
    again = {path: path.stat().st_mtime_ns for path in outputs.glob("*/part-*.parquet")}
    assert len(again) == 3 * 2 * 13
    assert {path: again[path] for path in kept} == kept, "nothing that was finished is asked again"
    key = ["rung", "task", "metric", "example_id", "value"]
    names = [f"checkpoint-{step}" for step in some]
    wanted = pl.read_parquet(RunDirectory(followed[0].run).scores).filter(pl.col("rung").is_in(names))
    found = pl.read_parquet(RunDirectory(training.run).scores)
    assert found.select(key).sort(key).equals(wanted.select(key).sort(key))
    assert json.loads((training.run / STATE).read_text())["told"] == names


@pytest.mark.slow
def test_command_hands_alerts_to_the_user_s_and_ends_at_a_step(
    followed: tuple[Training, list[list[Alert]]], training: Training
) -> None:
    continued(followed[0], training, told=[f"checkpoint-{step}" for step in STEPS])
    heard = training.path / "heard.jsonl"
    process = training.command("--until-step", "2000", "--on-alert", f"cat >> {heard}; echo >> {heard}; exit 3")
    said, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    lines = [json.loads(line) for line in heard.read_text().splitlines()]
    assert lines == training.alerts()
    assert {line["step"] for line in lines} == {2000}
    assert said.count("ALERT regression: lab:reversal:short direct 0-shot exact_match at step 2000") == 1
    assert err.count("--on-alert: the command ended with 3") == len(lines)


@pytest.mark.slow
def test_ctrl_c_while_it_waits_stops_within_a_second(training: Training) -> None:
    process = training.command("--interval", "60")
    _when(lambda: _waits(process), process)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 1.5, "a second, and some for a busy machine"
    assert process.returncode == 130
    assert "stopped" in err


def _waits(process: "subprocess.Popen[str]") -> bool:
    """Whether the process sleeps in its look-out, all its libraries loaded."""
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    state = Path(f"/proc/{process.pid}/stat").read_text().split()[2]
    return "_polars" in maps or ("pydantic_core" in maps and state == "S")


def _when(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    time.sleep(1.0)


def test_alerts_are_read_back_whatever_is_in_a_name(tmp_path: Path) -> None:
    """JSON may hold U+2028 as it is; only a line break ends an alert."""
    alerts = [{"task": "a\u2028b"}, {"task": "c\x85d"}]
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in alerts)
    (tmp_path / "alerts.jsonl").write_text(lines, encoding="utf-8")
    assert read_alerts(tmp_path / "alerts.jsonl") == alerts
    assert read_alerts(tmp_path / "none.jsonl") == []


def test_what_watching_refuses(training: Training, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        Watch(tmp_path / "gone", training.study)
    with pytest.raises(UserError, match="no such study file"):
        Watch(training.folder, tmp_path / "gone.toml")
    training.study.write_text('tasks = ["lab:adition"]\n')
    training.save(16)
    with pytest.raises(UserError, match="did you mean"):
        training.watch().look()
    assert not training.run.exists()


def test_a_study_s_own_models_give_way(training: Training) -> None:
    training.study.write_text(STUDY + 'models = ["lab"]\n')
    assert [entry.ref for entry in training.watch().study.models] == [f"checkpoints:{training.folder}"]
