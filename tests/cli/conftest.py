"""The command line as a fixture."""

import pytest
from command_line import Call, Said, call_main


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """``scalecurve`` with the arguments given: its exit code and what it printed."""
    return lambda *arguments: Said(call_main(*arguments), *capsys.readouterr())
