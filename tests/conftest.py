"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from command_line import Call, Said, call_main

ROOT = Path(__file__).resolve().parent.parent
os.environ.pop("COLUMNS", None)  # workers of pytest-xdist set it; what tests read is a pipe, which has no width
os.unsetenv("COLUMNS")  # readline sets it behind os.environ, and what tests start inherits it


LONG = ("test_pages.py", "test_on_ray.py", "test_browser.py", "test_attack.py", "test_faults.py", "test_resume.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take minutes first: two processes that share the suite by files then end together."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with specifications and published results beside the checkout; tests that need it skip without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the reference data folder ../shared is not beside this checkout")
    return folder


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """``scalecurve`` with the arguments given: its exit code and what it printed."""
    return lambda *arguments: Said(call_main(*arguments), *capsys.readouterr())
