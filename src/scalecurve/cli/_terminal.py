"""What a terminal has: its width, its colours, and small charts of block characters.

A pipe or a file has no width, so that names stay whole for who searches them; ``COLUMNS`` sets one.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence

BARS = "▁▂▃▄▅▆▇█"
LONGEST_SPARK = 12


def room() -> int | None:
    """Columns of the terminal that is printed to; None where nothing bounds a line."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def cells(text: str) -> int:
    """Columns that ``text`` takes: a Chinese letter takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def shortened(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns: names, which differ at both ends, cut in the middle, sentences at the end.

    >>> shortened("lab:modified_arithmetic", 14), shortened("Adds two numbers of four digits.", 14)
    ('lab:mod…hmetic', 'Adds two numb…')
    """
    if cells(text) <= width:
        return text
    if text.strip().count(" ") > 2:
        while cells(text) >= width:
            text = text[:-1]
        return f"{text.rstrip()}…"
    head, tail = "", ""
    while cells(head) + cells(tail) + 1 < width:
        left = len(head) <= len(tail)
        grown = text[len(head)] if left else text[-1 - len(tail)]
        if cells(head) + cells(tail) + cells(grown) + 1 > width:
            break
        head, tail = (head + grown, tail) if left else (head, grown + tail)
    return f"{head}…{tail}"


def spark(values: Sequence[float | None], low: float | None = None, high: float | None = None) -> str:
    """Scores over scale as bars, the smallest model first; a blank where there is no score.

    The lowest bar stands for ``low`` and the highest for ``high``, such as chance and the best score possible; a value
    beyond them, or a bound that is missing or infinite, takes the values' own. Of many models, some spread evenly.

    >>> spark([0, 0, 0.5, 1], 0, 1), spark([-3.2, None, -0.1])
    ('▁▁▅█', '▁ █')
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return ""
    if len(values) > LONGEST_SPARK:
        step = (len(values) - 1) / (LONGEST_SPARK - 1)
        values = [values[round(at * step)] for at in range(LONGEST_SPARK)]
    bounds = [bound for bound in (low, high) if bound is not None and math.isfinite(bound)]
    least, most = min(*known, *bounds, math.inf), max(*known, *bounds, -math.inf)
    span = (most - least) or 1.0
    return "".join(
        BARS[min(len(BARS) - 1, int((value - least) / span * len(BARS)))]
        if value is not None and math.isfinite(value)
        else " "
        for value in values
    )


def show(text: str, styles: Mapping[str, str] | None = None) -> None:
    """Print ``text``; where the terminal has colours, what the patterns of ``styles`` match is set in their style.

    A pattern is a regular expression over all of the text. ``NO_COLOR`` and a dumb terminal are respected.
    """
    if not (styles and sys.stdout.isatty()) or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        print(text)
        return
    from rich.text import Text

    from scalecurve.cli._plain import console, plain

    coloured = Text(plain(text), no_wrap=True, overflow="ignore")
    for pattern, style in styles.items():
        coloured.highlight_regex(pattern, style)
    console(sys.stdout, highlight=False, markup=False).print(coloured, soft_wrap=True)
