"""The functions by which DuckDB looks up answers.

They only look up. Whatever order DuckDB evaluates a query in, it can cause no call of a model, and no text of a model
ever becomes SQL.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

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


class Lookups:
    """``cells``: for each call's name, its answers (value, then ``META``) by the arguments of rows."""

    def __init__(self) -> None:
        self.cells: dict[str, dict[tuple[str, ...], tuple[object, ...]]] = {}

    def define(self, connection: Any, name: str, kind: str, arity: int) -> None:
        """Three functions of ``arity`` texts: ``name`` gives the value, of DuckDB's type ``kind``, ``name_meta`` all
        of the answer, ``name_known`` whether there is one.
        """
        import pyarrow as pa

        cells = self.cells[name] = {}
        names = ("value", *(each for each, _ in META))
        fields = [("value", kind), *META]
        struct = pa.struct([(each, arrow_type(sql)) for each, sql in fields])
        spelled = f"STRUCT({', '.join(f'{each} {sql}' for each, sql in fields)})"

        def create(suffix: str, sql: str, arrow: object, read: Callable[[tuple[str, ...]], Any]) -> None:
            def look_up(*columns: Any) -> Any:
                rows = zip(*(column.to_pylist() for column in columns), strict=True)
                return pa.array([read(row) for row in rows], arrow)

            function: Any = look_up
            function.__signature__ = _signature(arity)  # DuckDB counts the parameters
            connection.create_function(
                name + suffix, function, ["VARCHAR"] * arity, sql, type="arrow", null_handling="special"
            )

        def value(row: tuple[str, ...]) -> Any:
            cell = cells.get(row)
            return None if cell is None else cell[0]

        def whole(row: tuple[str, ...]) -> Any:
            cell = cells.get(row)
            return None if cell is None else dict(zip(names, cell, strict=True))

        create("", kind, arrow_type(kind), value)
        create("_meta", spelled, struct, whole)
        create("_known", "BOOLEAN", pa.bool_(), lambda row: None in row or row in cells)

    def clear(self, connection: Any) -> None:
        """Take all functions back."""
        for name in self.cells:
            for suffix in ("", "_meta", "_known"):
                connection.remove_function(name + suffix)
        self.cells.clear()


def _signature(arity: int) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_ONLY
    return inspect.Signature([inspect.Parameter(f"text_{at}", kind) for at in range(arity)])


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
