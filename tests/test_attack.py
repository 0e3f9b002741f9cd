"""The attack of ``benchmarks/attack.py`` in its short form: a few instants, one statement, some files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "attack.py"


@pytest.mark.slow
def test_the_short_attack_finds_nothing() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--short"], capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = ("run killed", "export parquet killed", "import table killed", "endpoint: ", "burning", "hostile files")
    for kind in kinds:
        assert kind in done.stdout, done.stdout
