"""The README and three tutorials, followed with the wheel in an environment of its own."""

import subprocess

import pytest


@pytest.mark.slow
def test_a_newcomers_first_hour(newcomer: subprocess.Popen[str]) -> None:
    said, _ = newcomer.communicate(timeout=900)
    assert newcomer.returncode == 0, said
    assert said.count(": true (") == 4
