"""A headless Chromium with an open page, for tests and for .ci/run."""

import contextlib
import json
import shutil
from collections.abc import Iterator

OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-dev-shm-usage", "--window-size=1280,900",
)  # fmt: skip


def programs() -> tuple[str, str] | None:
    """The paths of Chromium and of chromedriver, where both are installed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (chromium, driver) if chromium and driver else None


@contextlib.contextmanager
def chromium(paths: tuple[str, str]) -> Iterator[object]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location, driver = paths
    for argument in OPTIONS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    opened.set_script_timeout(120)
    try:
        yield opened
    finally:
        opened.quit()


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
