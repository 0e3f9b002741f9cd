"""The pictures of the report that the documentation shows, taken anew: docs/images/{overview,ability}-*.png.

    python benchmarks/screenshots.py runs/lab                   # English
    python benchmarks/screenshots.py runs/lab --lang zh         # Chinese; needs a font with Chinese letters

Needs Chromium and chromedriver. Each picture is the first screen as it opens, on a laptop and a phone, light and dark.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from chromium import Page, chromium, programs

from scalecurve.report import write_report

ROOT = Path(__file__).resolve().parent.parent
SCREENS = {"laptop": (1280, 800), "phone": (390, 844)}
PAGES = {"overview": ("#/overview", "#hero"), "ability": ("#/ability/lab%3Areversal%3Along", "#headline")}
LARGEST = 256_000  # bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--lang", default="en")
    asked = parser.parse_args()
    paths = programs()
    if paths is None:
        raise SystemExit("Chromium and chromedriver are not installed")
    with tempfile.TemporaryDirectory() as folder, chromium(paths) as browser:
        report = write_report([asked.run], Path(folder) / "report.html", lang=asked.lang)
        for screen, (width, height) in SCREENS.items():
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen == "phone"}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            for name, (hash, chart) in PAGES.items():
                for theme in ("light", "dark"):
                    page = Page(browser, report.as_uri()).open(f"{hash}?theme={theme}")
                    page.wait(f"document.querySelector('{chart} svg') !== null")
                    page.run("document.fonts.ready")
                    picture = base64.b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", {})["data"])
                    assert len(picture) < LARGEST, f"{len(picture)} bytes"
                    to = ROOT / "docs" / "images" / f"{name}-{screen}-{theme}-{asked.lang}.png"
                    to.write_bytes(picture)
                    print(to.relative_to(ROOT), len(picture))


if __name__ == "__main__":
    main()
