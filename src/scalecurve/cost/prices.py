"""What work costs where: a table of prices.

[[executor]]
name = "h100"
flops = 4e14                      # FLOP/s that it sustains on such work; leave it out for this machine's own speed
per_hour = 2.5
[[executor]]
name = "api"
per_million_input = 0.15          # tokens as they are sent: nothing is shared between requests
per_million_output = 0.60
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.util.guard import regular


@dataclass(frozen=True, slots=True)
class Price:
    """What one executor asks: by the hour, or by the million tokens. Prices in any one currency."""

    name: str
    flops: float | None = None
    per_hour: float | None = None
    per_million_input: float | None = None
    per_million_output: float | None = None

    def hours(self, flops: float | None, seconds: float | None) -> float | None:
        """Hours of this executor; None when it bills tokens, or the work or its speed is not known."""
        if self.per_hour is None:
            return None
        if self.flops is not None:
            return None if flops is None else flops / self.flops / 3600
        return None if seconds is None else seconds / 3600

    def cost(self, flops: float | None, seconds: float | None, sent: float, written: float) -> float | None:
        """The money; None when it cannot be told."""
        if self.per_hour is not None:
            hours = self.hours(flops, seconds)
            return None if hours is None else hours * self.per_hour
        return (sent * (self.per_million_input or 0.0) + written * (self.per_million_output or 0.0)) / 1e6


def load_prices(path: str | Path) -> tuple[Price, ...]:
    """The executors of a price file. ``UserError`` with one line that names the file, the field and the fix."""
    try:
        table = tomllib.loads(regular(Path(path), 1 << 24).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; give a TOML file of prices") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None
    rows = table.get("executor")
    if not isinstance(rows, list) or not rows or set(table) != {"executor"}:
        raise UserError(f"{path}: executor: list the executors, each under [[executor]], and nothing else")
    prices = tuple(_price(row, f"{path}: executor {at + 1}") for at, row in enumerate(rows))
    twice = next((price.name for at, price in enumerate(prices) if price.name in [p.name for p in prices[:at]]), None)
    if twice:
        raise UserError(f"{path}: executor: two are named {twice!r}; rename one")
    return prices


def _price(row: object, where: str) -> Price:
    known = [field.name for field in fields(Price)]
    if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not row["name"]:
        raise UserError(f'{where}: name: is missing; add name = "…"')
    for key, value in row.items():
        if key not in known:
            raise UserError(f"{where}: {key}: unknown field; known: {', '.join(known)}")
        if key == "name":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise UserError(f"{where}: {key}: must be a number of 0 or more, not {value!r}")
    if row.get("flops") == 0:
        raise UserError(f"{where}: flops: must be more than 0")
    by_hour, by_token = "per_hour" in row, "per_million_input" in row or "per_million_output" in row
    if by_hour == by_token:
        raise UserError(f"{where}: give per_hour, or per_million_input and per_million_output")
    return Price(**row)
