"""Figures as a paper prints them: an exact width, letters of one size, and a caption in words."""

from __future__ import annotations

import re
from typing import Any

from scalecurve.errors import UserError
from scalecurve.report.words import words

POINTS = {"in": 72.0, "cm": 72.0 / 2.54, "mm": 72.0 / 25.4, "pt": 1.0}
WIDTHS = (1.0, 20.0)  # inches
_PANEL = 1.7  # inches that a panel takes at least, with its axis
_SCREEN = 11.0  # the size of letters on the screen, by which marks are scaled


def printed_width(text: str) -> float:
    """Inches of a width such as ``3.3in``, ``84mm``, ``8.4cm`` or ``238pt``; ``UserError`` for any other text.

    >>> printed_width("3.3in"), round(printed_width("84mm"), 3)
    (3.3, 3.307)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(in|cm|mm|pt)\s*", text)
    inches = float(found[1]) * POINTS[found[2]] / 72 if found else 0.0
    if not WIDTHS[0] <= inches <= WIDTHS[1]:
        raise UserError(f"--width: {text!r} is not a width from 1in to 20in; write it like 3.3in, 84mm or 238pt")
    return inches


def fitted(spec: dict[str, Any], width: float | None, font_size: float | None) -> dict[str, object]:
    """A Vega-Lite specification ``width`` inches wide with letters of ``font_size`` points, in units of a point."""
    import vl_convert

    size = font_size or 8.0
    spec = _scaled(spec, size)
    if width is None:
        return spec
    if "concat" in spec:
        for panel in spec["concat"]:  # small panels have no room for the names of hollow points: the caption has them
            panel["layer"] = [layer for layer in panel["layer"] if layer["mark"].get("style") != "left-out"]
        spec["columns"] = max(1, min(spec.get("columns", 1), int(width / _PANEL)))
    for _ in range(12):  # axes and legends take what they take; the panels get the rest
        drawn = re.search(r'<svg [^>]*?width="([\d.]+)"', vl_convert.vegalite_to_svg(spec))
        assert drawn, "Vega writes the width of every drawing"
        over = float(drawn[1]) - 72 * width
        if abs(over) < 0.5:
            break
        panels = spec.get("concat") or [spec]
        columns = min(spec.get("columns", 1), len(panels))
        for panel in panels:
            panel["width"] = max(30.0, panel["width"] - over / columns)
            panel["height"] = 0.62 * panel["width"]
    return spec


def _scaled(value: object, size: float, key: str = "") -> Any:
    """Letters of ``size``; points, lines and gaps as much smaller as the letters are than on the screen."""
    small = size / _SCREEN
    if isinstance(value, dict):
        return {name: _scaled(inner, size, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_scaled(inner, size, key) for inner in value]
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return value
    if key in ("fontSize", "labelFontSize", "titleFontSize"):
        return size
    if key == "size":
        return round(value * small**2, 2)
    if key in ("strokeWidth", "dx", "dy", "tickSize", "labelPadding", "titlePadding", "offset", "spacing", "padding"):
        return round(value * small, 2)
    return value


def caption_of(chart: Any, lang: str = "en") -> str:
    """What a figure shows, as a caption: its panels, its axes, and what bars, lines and hollow points mean."""
    said, spec = words(lang), chart.to_dict()
    panels = spec.get("concat") or [spec]
    titles = [str(panel["title"]) for panel in panels if panel.get("title")]
    axes = {
        str(encoding[channel]["title"])
        for panel in panels
        for layer in panel.get("layer", ())
        for encoding in [layer.get("encoding", {})]
        for channel in ("x", "y")
        if isinstance(encoding.get(channel), dict) and encoding[channel].get("title")
    }
    rows = [row for rows in spec.get("datasets", {}).values() for row in rows if isinstance(row, dict)]
    parts = [said["semicolon"].join(titles), said["colon"].join([said["axes"], said["semicolon"].join(sorted(axes))])]
    if any(row["hi"] != row["lo"] for row in rows if "y" in row and "hi" in row):
        parts.append(said["bars_note"].rstrip(".。"))
    if any("hi" in row and "y" not in row for row in rows):
        parts.append(said["bounds_note"].rstrip(".。"))
    if names := sorted({str(row["rung"]) for row in rows if "label" in row and "rung" in row}):
        parts.append(said["hollow_named"].format(names=said["comma"].join(names)))
    stop = said["stop"]
    return "".join(f"{part}{stop}" for part in parts if part).strip()
