"""Columns of results, of every type that SQL has, as other libraries have them."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from scalecurve.store.csv_table import json_text

if TYPE_CHECKING:
    import polars as pl

_ENDS = {"date32[day]": 2**31 - 1}  # DuckDB's infinity, in the units of the type; other types have 64 bits


def names(table: Any) -> list[str]:
    """The names of the columns; a second of one name is told apart by a number."""
    found: list[str] = []
    for name in table.schema.names:
        taken = itertools.chain([name], (f"{name}_{at}" for at in itertools.count(1)))
        found.append(next(each for each in taken if each not in found))
    return found


def values(column: Any) -> list[Any]:
    """The values of an Arrow column; those that Python has no object for, such as infinite days, as text."""
    import pyarrow as pa

    try:
        found: list[object] = column.to_pylist()
    except (pa.ArrowException, OverflowError, ValueError, TypeError, NotImplementedError):
        found = [_value(scalar) for scalar in column]
    return found


def _value(scalar: Any) -> Any:
    import pyarrow as pa

    try:
        return scalar.as_py()
    except (pa.ArrowException, OverflowError, ValueError, TypeError, NotImplementedError):
        held = getattr(scalar, "value", None)
        most = _ENDS.get(str(scalar.type), 2**63 - 1)
        return "infinity" if held == most else "-infinity" if held == -most else str(scalar if held is None else held)


def rows(table: Any) -> list[dict[str, Any]]:
    """The rows of a table by the names of its columns."""
    keys = names(table)
    columns = [values(column) for column in table.columns]
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)] if columns else []


def series(name: str, column: Any) -> pl.Series:
    """A column as Polars has it; types it has not (numbers of any length, …) as JSON."""
    import polars as pl
    import pyarrow as pa

    if pa.types.is_map(column.type):
        entries = pa.list_(pa.struct([("key", column.type.key_type), ("value", column.type.item_type)]))
        with suppress(pa.ArrowException):
            column = column.cast(entries)
    try:
        if not isinstance(column.type, pa.BaseExtensionType) and not _endless(column):
            return pl.Series(name, pl.from_arrow(column))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError, ValueError, NotImplementedError):
        pass
    return pl.Series(name, [_text(value) for value in values(column)], dtype=pl.String)


def _endless(column: Any) -> bool:
    """Whether a column of days or moments holds an infinite one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    days = pa.types.is_date32(column.type)
    if not (days or pa.types.is_timestamp(column.type)):
        return False
    found = pc.min_max(column.cast(pa.int32() if days else pa.int64())).as_py()
    most = 2**31 - 1 if days else 2**63 - 1
    return bool(found["max"] == most or found["min"] == -most)


def for_parquet(table: Any) -> Any:
    """The table with columns that Parquet has no type for as JSON."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    for column in table.columns:
        try:
            pq.write_table(pa.table({"column": column.slice(0, 1)}), pa.BufferOutputStream())
        except (pa.ArrowException, NotImplementedError):
            column = pa.array([_text(value) for value in values(column)], pa.string())
        found.append(column)
    return pa.table(found, names=names(table))


def _text(value: object) -> str | None:
    return json_text(value) if value is None or isinstance(value, list | dict | tuple) else str(value)
