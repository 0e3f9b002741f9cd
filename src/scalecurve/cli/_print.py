"""How commands print: aligned columns, numbers, durations, and with ``--json`` the same for machines.

A command that prints a table takes ``as_json: Json = False`` and prints an array with an object for every row, or
group of rows, of the table; a command that does one thing prints one object.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from scalecurve.cli._plain import plain_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON with every number, for machines.")]


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns padded to their widest entry; those numbered in ``right`` are set flush right."""
    lines = [list(headers), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headers))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if i in right else text.ljust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def number(value: float | None, digits: int = 3) -> str:
    """A score or statistic in few characters: ``.123``, ``-2.50``, ``∞``; ``–`` where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.{digits}f}"


def amount(value: float | None) -> str:
    """A count in three characters or so; ``–`` where unknown.

    >>> amount(950), amount(12_000), amount(3_900_000), amount(None)
    ('950', '12k', '3.9M', '–')
    """
    if value is None:
        return "–"
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


def as_json(value: Any) -> str:
    """Standard JSON, readable: dataclasses as objects, paths as text, NaN and infinities as null."""
    return plain_json(json.dumps(_plain(value), ensure_ascii=False, indent=1, allow_nan=False))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
