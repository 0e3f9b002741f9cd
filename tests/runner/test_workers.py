"""Rungs side by side: the same results as one after another, and a process that dies costs its rung only."""

import os
import signal
from multiprocessing import active_children
from pathlib import Path

import pytest

from scalecurve.pipeline import run_study
from scalecurve.runner.local import default_workers
from scalecurve.runner.model_run import Silent
from scalecurve.store import RunDirectory
from scalecurve.study.study import Study, parse_study
from scalecurve.types import Rung


def study() -> Study:
    models = [
        {"name": name, "backend": "mock", "location": name, "params_non_embedding": size}
        for size, name in ((10, "small"), (100, "middle"), (1000, "large"))
    ]
    return parse_study({"name": "side", "models": models, "tasks": ["lab:rebus", "lab:addition:1_digit"], "limit": 12})


def files(run: RunDirectory) -> dict[str, bytes]:
    paths = [*run.outputs.rglob("*.parquet"), run.scores, run.curves, run.verdicts]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in paths}


class Killer(Silent):
    """Kills the process of the first rung that begins."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.killed = ""

    def rung(self, name: str) -> None:
        if not self.killed:
            self.killed = name
            (child,) = (child for child in active_children() if child.name == name)
            os.kill(child.pid or 0, signal.SIGKILL)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.slow
def test_side_by_side_is_as_one_after_another(tmp_path: Path) -> None:
    one, first = run_study(study(), tmp_path / "one", workers=1)
    two, second = run_study(study(), tmp_path / "two", workers=2)
    assert first.computed == second.computed > 0
    assert second.complete
    assert files(one) == files(two)
    records = [run.read_manifest() for run in (one, two)]
    for record in records:
        for cell in record["cells"]:
            cell["seconds"] = 0
    assert records[0]["cells"] == records[1]["cells"]
    assert records[0]["rungs"] == records[1]["rungs"]


@pytest.mark.slow
def test_a_process_that_dies_costs_its_rung_only(tmp_path: Path) -> None:
    killer = Killer()
    run, outcome = run_study(study(), tmp_path / "run", watcher=killer, workers=2)
    assert not outcome.complete
    failed = {key.split("~")[1] for key, _ in outcome.failed_cells}
    assert failed == {killer.killed}
    assert all("its process ended (-9)" in reason for _, reason in outcome.failed_cells)
    assert any("its process ended" in note for note in killer.notes)
    _, outcome = run_study(study(), tmp_path / "run")
    assert outcome.complete
    clean, _ = run_study(study(), tmp_path / "clean")
    assert files(run) == files(clean)


def test_only_small_local_models_run_side_by_side() -> None:
    small = Rung("a", "transformers", "x", params_total=10**6)
    assert default_workers([small] * 9) == min(4, len(os.sched_getaffinity(0)))
    assert default_workers([small, Rung("b", "transformers", "x", params_total=10**8)]) == 1
    assert default_workers([small, Rung("c", "transformers", "x")]) == 1
    assert default_workers([small, Rung("d", "endpoint", "x", params_total=10**6)]) == 1
