"""The pictures of the report that the documentation shows, taken anew: docs/images/{overview,ability}-*.png.

    python benchmarks/screenshots.py runs/lab                   # English
    python benchmarks/screenshots.py runs/lab --lang zh         # Chinese; needs a font with Chinese letters

Needs Chromium, chromedriver and Pillow. Each picture is the first screen as it opens, light and dark: of both pages on
a laptop and a phone, of the overview on a tablet and a desktop. All pixels are kept, in fewer bytes than the browser's.
"""

from __future__ import annotations

import argparse
import base64
import io
import struct
import sys
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from chromium import Page, chromium, programs

from scalecurve.report import write_report

ROOT = Path(__file__).resolve().parent.parent
SCREENS = {"laptop": (1280, 800), "phone": (390, 844), "tablet": (768, 1024), "desktop": (1600, 1000)}
BOTH_PAGES = ("laptop", "phone")
PAGES = {"overview": ("#/overview", "#hero"), "ability": ("#/ability/lab%3Areversal%3Along", "#headline")}
LARGEST = 256_000  # bytes


def smaller(picture: bytes) -> bytes:
    """The same pixels as PNG without line filters: letters and flat areas repeat, which filters hide from zlib."""
    from PIL import Image

    image = Image.open(io.BytesIO(picture)).convert("RGB")
    pixels, width = image.tobytes(), 3 * image.width
    lines = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    written = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return min(b"\x89PNG\r\n\x1a\n" + b"".join(written), picture, key=len)


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
                if name == "ability" and screen not in BOTH_PAGES:
                    continue
                for theme in ("light", "dark"):
                    page = Page(browser, report.as_uri()).open(f"{hash}?theme={theme}")
                    page.wait(f"document.querySelector('{chart} svg') !== null")
                    page.run("document.fonts.ready")
                    if name == "overview":
                        page.wait("document.querySelector('#changed summary') !== null")
                    picture = smaller(base64.b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", {})["data"]))
                    assert len(picture) < LARGEST, f"{len(picture)} bytes"
                    to = ROOT / "docs" / "images" / f"{name}-{screen}-{theme}-{asked.lang}.png"
                    to.write_bytes(picture)
                    print(to.relative_to(ROOT), len(picture))


if __name__ == "__main__":
    main()
