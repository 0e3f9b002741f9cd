"""A run may be larger than the memory of SQL: its tables are read as a query needs them."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from scalecurve.pipeline import run_study
from scalecurve.query.session import Session
from scalecurve.store import RunDirectory, write_part
from scalecurve.store.parts import CELL_FIELDS, part_bytes
from scalecurve.study.study import parse_study
from scalecurve.types import Answer, Cell, Example

PARTS, ROWS, LETTERS = 8, 500, 20_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A small run, and in its first cell parts of 80 MB of text that packs badly."""
    folder = tmp_path_factory.mktemp("large")
    study = {"name": "large", "models": ["mock"], "tasks": ["lab:addition:1_digit"], "limit": 5}
    made, _ = run_study(parse_study(study), folder / "run")
    cell = Cell(**{name: made.read_manifest()["cells"][0][name] for name in CELL_FIELDS})
    for index in range(1, PARTS + 1):
        rng = random.Random(index)
        rows = [
            (Example(f"x{at}", "q", ("a",)), Answer(f"x{at}", rng.randbytes(LETTERS // 2).hex())) for at in range(ROWS)
        ]
        write_part(made, cell, index, f"{index:016x}", part_bytes(cell, rows))
    return made


def test_it_is_read_in_less_memory_than_it_takes(run: RunDirectory, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "second")
    assert 2 * sum(path.stat().st_size for path in run.path.rglob("part-*.parquet")) > 70 * 2**20
    session = Session(runs=[run.path, tmp_path / "second"], memory="70MB")
    try:
        found = session.run("SELECT run, count(*) AS n, max(length(prompt)) AS m FROM outputs GROUP BY ALL ORDER BY 1")
        whole = {"n": PARTS * ROWS + 5, "m": LETTERS}
        assert found.table.to_pylist() == [{"run": "run"} | whole, {"run": "second"} | whole]
        joined = "SELECT count(*) AS n FROM outputs JOIN scores USING (run, rung, task, example_id)"
        assert session.run(joined).table.to_pylist()[0]["n"] >= 2 * 5
        assert set(session.tables()) >= {"outputs", "scores", "curves", "verdicts", "abilities"}
        assert not any(name.startswith("__") for name in session.tables())
    finally:
        session.close()
