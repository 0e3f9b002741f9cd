"""What a user attached, as tables: files, SQLite and DuckDB databases, folders of a Hugging Face data set.

A name stands for one table, or, where there are several, for a schema of them: ``r.reviews``, ``r.train``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scalecurve.errors import UserError

if TYPE_CHECKING:
    import sqlite3

    import duckdb
    import pyarrow as pa

Source = str | bytes
"""The path of a file or folder, or a table as a stream of Arrow."""

READERS = {
    ".csv": "read_csv", ".tsv": "read_csv", ".parquet": "read_parquet", ".json": "read_json",
    ".jsonl": "read_json", ".ndjson": "read_json",
}  # fmt: skip
DUCKDB = (".duckdb", ".ddb", ".db")
SQLITE = (".sqlite", ".sqlite3", ".db")
_SQLITE_MAGIC = b"SQLite format 3\x00"
_SHARD = re.compile(r"[-_.]\d+[-_]of[-_]\d+$")  # data-00000-of-00002
_ROWS = 50_000


def source_of(name: str, given: str | Path) -> str:
    """The absolute path of what ``--attach name=given`` means. ``UserError`` when it is nowhere, or on a server."""
    if urlsplit(str(given)).scheme in ("postgres", "postgresql", "mysql", "mariadb", "http", "https", "s3", "hf"):
        scheme = urlsplit(str(given)).scheme  # the rest may hold a password
        raise UserError(
            f"--attach {name}: {scheme}://…: what a query reads is a local file, as its process reaches no network; "
            f"export the table to Parquet or CSV and attach that"
        )
    path = Path(given).expanduser()
    if not (path.is_file() or path.is_dir()):
        raise UserError(f"--attach {name}: {path}: no such file")
    return str(path.absolute())


def load(connection: duckdb.DuckDBPyConnection, name: str, source: Source) -> None:
    """Make ``name`` a table, or a schema of tables, of ``connection``. ``UserError`` naming it and what is wrong."""
    import duckdb

    if isinstance(source, bytes):
        from scalecurve.query.executor.confined import read_ipc

        _table(connection, f'"{name}"', read_ipc(source))
        return
    path = Path(source)
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            _folder(connection, name, path)
        elif suffix in (*SQLITE, *DUCKDB) and _begins(path, _SQLITE_MAGIC):
            _sqlite(connection, name, path)
        elif suffix in DUCKDB:
            quoted = str(path.resolve()).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS \"{name}\" (READ_ONLY)")
        elif suffix in READERS:
            connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM {READERS[suffix]}(?)', [source])
        elif suffix in SQLITE:
            raise UserError("is no SQLite database")
        else:
            kinds = dict.fromkeys((*READERS, *DUCKDB, *SQLITE))
            raise UserError(f"use one of {', '.join(kinds)}, or the folder of a data set")
    except duckdb.Error as error:
        raise UserError(f"--attach {name}: {source}: {first_line(error)}") from None
    except UserError as error:
        raise UserError(f"--attach {name}: {source}: {error}") from None


def _table(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table | pa.RecordBatchReader) -> None:
    connection.register("__source", rows)
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM __source")
    connection.unregister("__source")


def _begins(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _named(text: str) -> str:
    """A table's name as statements may write it: what is no letter or digit becomes ``_``."""
    plain = re.sub(r"\W+", "_", text)
    return f"_{plain}" if plain[:1].isdigit() else plain


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────────────────


def _sqlite(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
    """Its tables, read by Python's own sqlite3: DuckDB's scanner is a download. Views and virtual tables, which may
    run what a stranger wrote, are left out."""
    import sqlite3

    try:
        # immutable: nothing is written beside the file, not even a lock
        opened = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    except sqlite3.Error as error:
        raise UserError(str(error)) from None
    opened.text_factory = lambda raw: raw.decode(errors="replace")
    try:
        opened.execute("PRAGMA trusted_schema = OFF")
        found = opened.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "AND sql NOT LIKE 'CREATE VIRTUAL%'"
        ).fetchall()
        if not found:
            raise UserError("holds no table")
        connection.execute(f"ATTACH ':memory:' AS \"{name}\"")
        for (table,) in found:
            _table(connection, f'"{name}"."{_named(table)}"', _sqlite_rows(opened, table))
    except (sqlite3.Error, OverflowError) as error:
        raise UserError(str(error)) from None
    finally:
        opened.close()


def _sqlite_rows(opened: sqlite3.Connection, table: str) -> pa.Table:
    """A table's rows. SQLite types values and not columns: a column of one kind keeps it, any other becomes text."""
    import pyarrow as pa

    quoted = table.replace('"', '""')
    cursor = opened.execute(f'SELECT * FROM "{quoted}"')
    names = [column[0] for column in cursor.description]
    rows = [row for batch in iter(lambda: cursor.fetchmany(_ROWS), []) for row in batch]
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return pa.Table.from_arrays([_column(values) for values in columns], names=names)


def _column(values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int}:
        return pa.array(values, pa.int64())
    if kinds and kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if kinds == {bytes}:
        return pa.array(values, pa.binary())
    text = [value.decode(errors="replace") if isinstance(value, bytes) else value for value in values]
    return pa.array([None if value is None else str(value) for value in text], pa.string())


# ── Folders of a data set ────────────────────────────────────────────────────────────────────────────────────


def _folder(connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> None:
    """The splits of a data set, as it was downloaded (Parquet, JSON, CSV) or saved (``save_to_disk``: Arrow)."""
    splits = splits_of(folder)
    if not splits:
        raise UserError(f"holds no file of {', '.join((*READERS, '.arrow'))}")
    if len(splits) > 1:
        connection.execute(f"ATTACH ':memory:' AS \"{name}\"")
    for split, files in splits.items():
        table = f'"{name}"' if len(splits) == 1 else f'"{name}"."{_named(split)}"'
        suffixes = {file.suffix.lower() for file in files}
        if len(suffixes) > 1:
            raise UserError(f"{split} is stored in several formats ({', '.join(sorted(suffixes))}); attach one file")
        (suffix,) = suffixes
        if suffix == ".arrow":
            _table(connection, table, _arrow(files))
        else:
            paths = [str(file) for file in files]
            connection.execute(f"CREATE TABLE {table} AS SELECT * FROM {READERS[suffix]}(?)", [paths])


def splits_of(folder: Path) -> Mapping[str, list[Path]]:
    """The files of each split. It is called after its shards (``train-00000-of-00002.parquet``), or its folder."""
    splits: dict[str, list[Path]] = {}
    for file in _data_files(folder):
        stem = _SHARD.sub("", file.stem)
        inner = file.parent.relative_to(folder).parts
        if inner[:1] == ("data",):
            inner = inner[1:]
        says_nothing = bool(inner) and (stem == "data" or stem.isdigit())
        split = "_".join(inner if says_nothing else (*inner, stem))
        splits.setdefault(split, []).append(file)
    return splits


def _data_files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "cache-")) for part in file.relative_to(folder).parts)
        described = file.name in ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
        if file.is_file() and not hidden and not described and file.suffix.lower() in (*READERS, ".arrow"):
            yield file


def _arrow(files: Sequence[Path]) -> pa.Table:
    """Arrow's streams, as data sets are saved, or its files."""
    import pyarrow as pa

    tables = []
    for file in files:
        with pa.OSFile(str(file)) as opened:
            try:
                reader = pa.ipc.open_file(opened) if _begins(file, b"ARROW1") else pa.ipc.open_stream(opened)
                tables.append(reader.read_all())
            except pa.ArrowException as error:
                raise UserError(f"{file.name}: {first_line(error)}") from None
    return pa.concat_tables(tables, promote_options="default")


def first_line(error: BaseException) -> str:
    """What an error of DuckDB says, in one short line."""
    line = str(error).split("\n\n")[0].replace("\n", " ")
    line = "".join(c if c.isprintable() else " " for c in line)
    return line if len(line) <= 200 else line[:199] + "…"
