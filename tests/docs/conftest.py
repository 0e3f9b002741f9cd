"""The newcomer works beside the other pages: it waits for disks and downloads much of the time."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """tests/newcomer.sh, begun; what it says is in its standard output."""
    here = os.environ | {"PYTHON": sys.executable, "TMPDIR": str(tmp_path_factory.mktemp("newcomer"))}
    script = str(ROOT / "tests" / "newcomer.sh")
    begun = subprocess.Popen(
        [script], env=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    yield begun
    if begun.poll() is None:
        os.killpg(begun.pid, 15)
    begun.wait()
