"""A headless Chromium, and the reports it opens; without Chromium these tests skip."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "report"))

from synthetic import make_run

from scalecurve.report import write_report


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("browser") / "run", tasks=6, rung_count=6, examples=100, evil=True)


@pytest.fixture(scope="session")
def report(run: Path) -> Path:
    return write_report([run], run.parent / "report.html")


class Page:
    """A browser on one report, with what it logged and asked for."""

    def __init__(self, browser: object, address: str) -> None:
        self.browser, self.address = browser, address

    def open(self, hash: str = "#/overview") -> "Page":
        self.browser.get("about:blank")
        self.browser.get(self.address + hash)
        self.wait("document.documentElement.dataset.ready !== undefined")
        return self

    def run(self, script: str) -> object:
        return self.browser.execute_script(script)

    def wait(self, condition: str, seconds: float = 60) -> object:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.browser, seconds, 0.05).until(lambda _: self.run(f"return {condition}"))

    def requests(self) -> list[str]:
        """Addresses asked for over any network since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("file:", "data:", "about:", "blob:"))]

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    selenium = pytest.importorskip("selenium", reason="selenium is not installed (the extra `dev` has it)")
    assert selenium
    from selenium import webdriver

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        missing = "Chromium and chromedriver are not installed"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)  # .ci/run installs them
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-dev-shm-usage", "--window-size=1280,900",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    opened.set_script_timeout(120)
    yield opened
    opened.quit()


@pytest.fixture
def page(browser: object, report: Path) -> Page:
    shown = Page(browser, report.as_uri())
    browser.get("about:blank")
    shown.errors()
    shown.requests()
    return shown
