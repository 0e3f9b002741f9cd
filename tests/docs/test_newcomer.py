"""The README and three tutorials, followed with the wheel in an environment of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
def test_a_newcomers_first_hour() -> None:
    here = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run([ROOT / "tests" / "newcomer.sh"], env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": true (") == 4
