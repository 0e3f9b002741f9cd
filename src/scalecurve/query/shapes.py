"""A call's shape and the answers it has so far, which DuckDB looks up through functions of its own.

The functions only look up. Whatever order DuckDB evaluates a query in, it can cause no call of a model, and no text of
a model ever becomes SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scalecurve.query.calls import Asked, Cell, Tuple
from scalecurve.query.choose import Choice, Options

PREFIX = "__ai_"
META = (
    ("confidence", "DOUBLE"),
    ("margin", "DOUBLE"),
    ("model", "VARCHAR"),
    ("strategy", "VARCHAR"),
    ("status", "VARCHAR"),
    ("n_samples", "INTEGER"),
    ("tokens_in", "INTEGER"),
    ("tokens_out", "INTEGER"),
    ("prompt_hash", "VARCHAR"),
)


@dataclass(slots=True)
class Shape:
    """A call but for its row arguments; ``cells`` are its answers by those arguments.

    ``planned`` are the arguments that EXPLAIN has counted. ``choice`` is set when the shape is first asked; None then
    means that no rung is good enough and all cells abstain.
    """

    number: int
    label: str
    asked: Asked
    options: Options
    cells: dict[Tuple, Cell] = field(default_factory=dict)
    planned: set[Tuple] = field(default_factory=set)
    choice: Choice | None = None
    chosen: bool = False
    guarantee: str = ""
    thresholds: str = ""

    @property
    def name(self) -> str:
        """The function that looks up a value; ``_meta`` and ``_known`` are its sisters."""
        return f"{PREFIX}{self.number}"

    @property
    def arity(self) -> int:
        """Row arguments; a call without any is looked up under one empty text."""
        return max(1, self.asked.holes)

    def values(self, row: Tuple) -> Tuple:
        """The texts that fill the call's places."""
        return row if self.asked.holes else ()


def register(connection: Any, shape: Shape) -> None:
    """Make the shape's functions known to DuckDB."""
    import pyarrow as pa

    sql = shape.asked.kind.sql
    struct = [("value", sql), *META]
    arrow = pa.struct([(name, arrow_type(kind)) for name, kind in struct])
    spelled = f"STRUCT({', '.join(f'{name} {kind}' for name, kind in struct)})"
    _create(connection, shape, "", sql, arrow_type(sql), lambda cell: cell.value)
    _create(connection, shape, "_meta", spelled, arrow, lambda cell: {n: getattr(cell, n) for n, _ in struct})
    cells = shape.cells

    def known(*columns: Any) -> Any:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return pa.array([None in row or row in cells for row in rows], pa.bool_())

    parameters = ["VARCHAR"] * shape.arity
    connection.create_function(
        f"{shape.name}_known", known, parameters, "BOOLEAN", type="arrow", null_handling="special"
    )


def _create(connection: Any, shape: Shape, suffix: str, sql: str, arrow: Any, read: Callable[[Cell], Any]) -> None:
    import pyarrow as pa

    cells = shape.cells

    def look_up(*columns: Any) -> Any:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        found = (cells.get(row) for row in rows)
        return pa.array([None if cell is None else read(cell) for cell in found], arrow)

    parameters = ["VARCHAR"] * shape.arity
    connection.create_function(shape.name + suffix, look_up, parameters, sql, type="arrow", null_handling="special")


def unregister(connection: Any, shape: Shape) -> None:
    """Take the shape's functions back."""
    for suffix in ("", "_meta", "_known"):
        connection.remove_function(shape.name + suffix)


def arrow_type(sql: str) -> Any:
    """The Arrow type of one of DuckDB's that answers have."""
    import pyarrow as pa

    return {
        "BOOLEAN": pa.bool_(),
        "INTEGER": pa.int32(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "DATE": pa.date32(),
    }.get(sql, pa.string())
