"""Runs whose manifest or tables are damaged or a stranger's: commands end in one line that says the fix."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command_line import Call

from scalecurve.pipeline import run_study
from scalecurve.study.study import parse_study

EXPORT = ("export", "csv", "RUN", "--out", "out")
TABLES = {
    "scores": [("verdicts", "RUN", "--axis", "step"), EXPORT, ("compare", "RUN:small", "RUN:large")],
    "curves": [("curves", "RUN"), ("verdicts", "RUN"), ("report", "RUN"), ("forecast", "RUN"), EXPORT],
    "verdicts": [("verdicts", "RUN"), ("report", "RUN"), EXPORT],
}
"""Table → commands that read it."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = [{"name": name, "backend": "mock", "location": name} for name in ("small", "large")]
    study = parse_study({"name": "m", "models": models, "tasks": ["lab:rebus:title"], "limit": 4})
    return run_study(study, tmp_path_factory.mktemp("finished") / "run")[0].path


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, tmp_path / "RUN")
    return tmp_path / "RUN"


def inner(manifest: Any, steps: list[str]) -> Any:
    for step in steps:
        manifest = manifest[int(step) if step.isdigit() else step]
    return manifest


@pytest.mark.parametrize(
    "place", ["cells", "cells.0", "cells.0.parts", "tasks.0.metrics", "tasks.0.rendering", "rungs.0"]
)
@pytest.mark.parametrize("value", [None, 5, [5], {"5": 5}], ids=str)
def test_whatever_a_manifest_holds_commands_end_in_one_line(place: str, value: object, run: Path, call: Call) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    *path, last = place.split(".")
    inner(manifest, path)[int(last) if last.isdigit() else last] = value
    (run / "manifest.json").write_text(json.dumps(manifest))
    for words in (("report", "RUN"), ("rescore", "RUN"), ("query", "--run", "RUN", "SELECT 1"), EXPORT):
        code, _, err = call(*words)
        assert (code, len(err.splitlines())) == (2, 1), (words, err)
        assert f"manifest.json: {place}" in err
        assert "run the study again" in err


@pytest.mark.parametrize("name", list(TABLES))
@pytest.mark.parametrize("damage", ["cut", "empty", "text", "columns", "kinds"])
def test_a_damaged_table_ends_in_one_line_and_rescore_mends_it(name: str, damage: str, run: Path, call: Call) -> None:
    table = run / f"{name}.parquet"
    whole, frame = table.read_bytes(), pl.read_parquet(table)
    match damage:
        case "columns":
            frame.select(pl.lit(1).alias("other")).write_parquet(table)
        case "kinds":
            frame.with_columns(pl.lit([1]).alias("family")).write_parquet(table)
        case _:
            table.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"x"}[damage])
    for words in (*TABLES[name], ("query", "--run", "RUN", f"SELECT * FROM {name}")):
        code, _, err = call(*words)
        assert (code, len(err.splitlines())) == (2, 1), (words, err)
        assert f"{name}.parquet: " in err
        assert "rebuild it with `scalecurve rescore RUN`" in err
    assert call("rescore", "RUN").code == 0
    assert table.read_bytes() == whole
