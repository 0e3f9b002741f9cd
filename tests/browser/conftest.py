"""A headless Chromium, and the reports it opens; without Chromium these tests skip."""

import os
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from chromium import Page, chromium, programs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "report"))

from synthetic import make_run

from scalecurve.report import write_report


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("browser") / "run", tasks=6, rung_count=6, examples=100, evil=True)


@pytest.fixture(scope="session")
def report(run: Path) -> Path:
    return write_report([run], run.parent / "report.html")


@pytest.fixture(scope="session")
def report_zh(run: Path) -> Path:
    return write_report([run], run.parent / "report-zh.html", lang="zh")


@pytest.fixture(scope="package")  # closed after its tests: an open page keeps a quarter of a core busy
def browser() -> Iterator[object]:
    selenium = pytest.importorskip("selenium", reason="selenium is not installed (the extra `dev` has it)")
    assert selenium
    paths = programs()
    if paths is None:
        missing = "Chromium and chromedriver are not installed"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)  # .ci/run installs them
    with chromium(paths) as opened:
        yield opened


@pytest.fixture
def page(browser: object, report: Path) -> Page:
    shown = Page(browser, report.as_uri())
    browser.get("about:blank")
    shown.errors()
    shown.requests()
    return shown


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script, as the package axe-playwright-python brings it along."""
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
