"""How commands print: aligned columns, numbers, durations, and with ``--json`` the same for machines.

A command that prints a table takes ``as_json: Json = False`` and prints an array with an object for every row, or
group of rows, of the table; a command that does one thing prints one object.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from scalecurve.cli._plain import plain_json
from scalecurve.cli._terminal import cells, room, shortened

Json = Annotated[bool, typer.Option("--json", help="Print JSON with every number, for machines.")]
GAP = "  "
ROOMY = 110  # columns of a terminal from which on names of strategies are written out
SHORTEST, EASED = 10, 26  # columns that a text keeps at the least, and that spare columns make way for
NUMBERS = re.compile(r"[\d\s.,:%/<>±+~∞()\[\]kMBT–-]*|[-.\d]+ to [-.\d]+|–")


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    *,
    spare: Sequence[int] = (),
    keep: Sequence[int] = (),
    note: bool = True,
) -> str:
    """Columns padded to their widest entry; those numbered in ``right`` are set flush right.

    Where a terminal bounds the line, columns of ``spare`` are left out until the rest fits, the first of them first,
    and ``note`` says which; then the longest texts are cut: names in the middle, sentences at their end, numbers and
    the columns of ``keep`` never.
    """
    width, kept = room(), list(range(len(headers)))
    lines = [list(headers), *map(list, rows)]
    widths = [max(cells(line[i]) for line in lines) for i in kept]
    left: list[str] = []
    if width is not None:
        numbers = {i for i in kept if all(NUMBERS.fullmatch(line[i]) for line in lines[1:])}
        firm = {*right, *keep, *numbers}
        least, eased = (
            [wide if i in firm else min(wide, n) for i, wide in enumerate(widths)] for n in (SHORTEST, EASED)
        )
        for i in spare:
            if _line_width(kept, eased) <= width:
                break
            kept.remove(i)
            left.append(headers[i].strip())
        while (over := _line_width(kept, widths) - width) > 0:
            loose = [i for i in kept if widths[i] > least[i]]
            if not loose:
                break
            widest = max(loose, key=lambda i: widths[i])
            second = max((widths[i] for i in loose if i != widest), default=0)
            widths[widest] = max(least[widest], widths[widest] - over, min(second, widths[widest] - 1))
    laid = [_row(line, kept, widths, right) for line in lines]
    if left and note:
        laid.append(wrapped(f"(not shown for want of room: {', '.join(reversed(left))})"))
    return "\n".join(laid)


def _line_width(kept: Sequence[int], widths: Sequence[int]) -> int:
    return sum(widths[i] for i in kept) + len(GAP) * (len(kept) - 1)


def _row(line: Sequence[str], kept: Sequence[int], widths: Sequence[int], right: Sequence[int]) -> str:
    texts = [(i, shortened(line[i], widths[i])) for i in kept]
    padded = [(" " * (widths[i] - cells(text)), text, i in right) for i, text in texts]
    return GAP.join(pad + text if flush else text + pad for pad, text, flush in padded).rstrip()


def wrapped(text: str, indent: int = 0) -> str:
    """``text`` in lines that fit the terminal, those after the first set in by ``indent``; elsewhere as it is."""
    width = room()
    if width is None or cells(text) <= width:
        return text
    return textwrap.fill(text, max(width, 20), subsequent_indent=" " * indent, break_on_hyphens=False)


def ways(strategies: Iterable[str]) -> dict[str, str]:
    """What to call strategies where room is short: the first letters of several words, unless two have the same.

    >>> ways(["direct", "chain_of_thought"])
    {'chain_of_thought': 'chain_of_thought', 'direct': 'direct'}
    """
    names = sorted(set(strategies), key=str)
    short = {name: "".join(part[:1] for part in name.split("_")) if "_" in name else name for name in names}
    if (room() or ROOMY) >= ROOMY or len(set(short.values())) < len(short):
        return {name: name for name in names}
    return short


def said_ways(named: Mapping[str, str]) -> str:
    """Which strategies the short names of ``ways`` stand for, to set before a legend."""
    return "".join(f"{short}: {name}; " for name, short in named.items() if short != name)


def counted(count: int, noun: str, before: str = "") -> str:
    """``count`` things, in words.

    >>> counted(1, "curve"), counted(3, "curve", "lab: ")
    ('1 curve', 'lab: 3 curves')
    """
    return f"{before}{count} {noun}{'' if count == 1 else 's'}"


def number(value: float | None, digits: int = 3) -> str:
    """A score or statistic in few characters: ``.123``, ``-2.50``, ``∞``; ``–`` where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.{digits}f}"


def amount(value: float | None) -> str:
    """A count in three characters or so; ``–`` where unknown.

    >>> amount(950), amount(12_000), amount(3_900_000), amount(2.85e24), amount(None)
    ('950', '12k', '3.9M', '2.9e24', '–')
    """
    if value is None:
        return "–"
    if value >= 1e15:
        return f"{value:.1e}".replace("e+", "e")
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(41.2), duration(151), duration(11_100)
    ('41s', '2m31s', '3h05m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def as_json(value: object) -> str:
    """Standard JSON, readable: dataclasses as objects, paths as text, NaN and infinities as null."""
    return plain_json(json.dumps(_plain(value), ensure_ascii=False, indent=1, allow_nan=False))


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
