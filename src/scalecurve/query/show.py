"""Results as text: a table for the eye, CSV, JSON, or a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.query import columns

if TYPE_CHECKING:
    from rich.console import Console

    from scalecurve.query.session import Result

MOST_SHOWN = 1000
MOST_LETTERS = 120
NULL = "∅"


def show(result: Result, console: Console) -> None:
    """Print the rows as a table, at most ``MOST_SHOWN`` of them."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if result.table is None:
        return
    if result.kind == "plan":
        _show_plan(result, console)
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for field in result.table.schema:
        right = str(field.type).startswith(("int", "uint", "double", "float", "decimal"))
        table.add_column(Text(field.name), justify="right" if right else "left", overflow="fold")
    for row in columns.rows(result.table.slice(0, MOST_SHOWN)):
        table.add_row(*map(_cell, row.values()))
    console.print(table)
    rows = result.table.num_rows
    shown = f", the first {MOST_SHOWN} shown" if rows > MOST_SHOWN else ""
    console.print(f"{rows} row{'s' * (rows != 1)}{shown}", highlight=False)


def _cell(value: object) -> Any:
    from rich.text import Text

    if value is None:
        return Text(NULL, style="dim")
    said = f"{value:.6g}" if isinstance(value, float) else str(value)
    said = "".join(c if c.isprintable() else " " for c in said)  # a model's text must not steer the terminal
    return Text(said if len(said) <= MOST_LETTERS else said[: MOST_LETTERS - 1] + "…")


def _show_plan(result: Result, console: Console) -> None:
    """A plan reads better as paragraphs than as a row of fifteen columns."""
    for row in result.table.to_pylist():
        flow = " → ".join(
            f"{_count(row[name])} {label}" for name, label in (("rows", "rows"), ("distinct", "distinct"))
        )
        cost = f"{flow} → {row['cached']} cached → calls: {row['calls']}"
        spent = f"tokens: at most {row['tokens']}" + (
            "" if row["seconds"] is None else f", about {row['seconds']:.1f} s"
        )
        console.print(f"{row['step']}  {row['call']}   in {row['clause']}", markup=False, highlight=False, style="bold")
        console.print(f"   {cost}; {spent}", markup=False, highlight=False)
        console.print(f"   {row['model']}, {row['strategy'] or '–'}: {row['why']}", markup=False, highlight=False)
        for name in ("thresholds", "guarantee"):
            if row[name]:
                console.print(f"   {name}: {row[name]}", markup=False, highlight=False)
        if "actual_calls" in row:
            actual = f"{row['actual_calls']} calls, {row['actual_tokens']} tokens, {row['actual_seconds']:.2f} s"
            console.print(f"   actual: {actual}; {row['ok']} ok, {row['not_ok']} not", markup=False, highlight=False)
    if not result.table.num_rows:
        console.print("no model is asked")


def _count(value: int | None) -> str:
    return "?" if value is None else str(value)


def as_csv(result: Result) -> str:
    """The rows as CSV with a header; see ``store.csv_table`` for what is changed for it."""
    from scalecurve.store.csv_table import for_csv

    return str(for_csv(result.pl()).write_csv())


def as_json(result: Result) -> str:
    """The rows as a JSON list of objects, one a line."""
    from scalecurve.store.csv_table import json_text

    rows = columns.rows(result.table) if result.table is not None else []
    return "[" + ",\n ".join(str(json_text(row)) for row in rows) + "]"


def write(result: Result, path: Path) -> None:
    """The rows into a .csv, .json or .parquet file, whole or not at all."""
    from scalecurve.store.atomic import write_bytes

    if result.table is None:
        raise UserError(f"{path}: the statement has no rows to write")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(columns.for_parquet(result.table), sink)
        data = sink.getvalue().to_pybytes()
    elif suffix in (".csv", ".json"):
        data = (as_csv(result) if suffix == ".csv" else as_json(result) + "\n").encode()
    else:
        raise UserError(f"{path}: write to a .csv, .json or .parquet file")
    try:
        write_bytes(path, data)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
