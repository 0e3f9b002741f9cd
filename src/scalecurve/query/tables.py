"""The database a query reads: what the user attached, in a DuckDB that can reach nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.nouns import UserError

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from scalecurve.runs import RunDirectory

RUN_TABLES = ("outputs", "scores", "curves", "verdicts", "abilities")
READERS = {
    ".csv": "read_csv", ".tsv": "read_csv", ".parquet": "read_parquet", ".json": "read_json",
    ".jsonl": "read_json", ".ndjson": "read_json",
}  # fmt: skip
DATABASES = (".duckdb", ".ddb", ".db")
LOCKED = (
    "SET python_enable_replacements = false",  # a query must not see the variables of the program around it
    "SET allow_community_extensions = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET temp_directory = ''",  # nothing is written
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def open_database(
    attach: Mapping[str, Any],
    runs: Sequence[RunDirectory],
    abilities: pl.DataFrame,
    *,
    memory: str = "2GB",
    threads: int = 2,
) -> duckdb.DuckDBPyConnection:
    """A database in memory with a table for every attached file or frame, and with the runs' tables; then locked.

    ``attach``: name → path of a CSV, Parquet, JSON or DuckDB file, or a Polars frame or Arrow table. Files are read
    now, as nothing outside can be reached later; of the runs' Parquet files a query reads what it needs, so that a run
    may be larger than ``memory``. ``UserError`` naming the table and what is wrong.
    """
    import duckdb

    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET memory_limit = ?", [memory])
        connection.execute("SET threads = ?", [threads])
        for name, source in attach.items():
            _check_name(name)
            _load(connection, name, source)
        _attach_runs(connection, runs)
        if runs or len(abilities):
            _load(connection, "abilities", abilities)
        for statement in LOCKED:
            connection.execute(statement)
    except duckdb.Error as error:
        connection.close()
        raise UserError(f"query: the database cannot be opened: {first_line(error)}") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _check_name(name: str) -> None:
    if not name.isidentifier() or name.startswith("__"):
        raise UserError(f"--attach {name}: is no table name; write --attach name=path with letters, digits and _")
    if name.lower() in RUN_TABLES or name.lower() == "model":
        raise UserError(f"--attach {name}: this name is taken; choose another")


def _load(connection: duckdb.DuckDBPyConnection, name: str, source: Any) -> None:
    import duckdb

    if not isinstance(source, str | Path):
        connection.register("__source", source.to_arrow() if hasattr(source, "to_arrow") else source)
        connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM __source')
        connection.unregister("__source")
        return
    path = Path(source).expanduser()
    if not path.is_file():
        raise UserError(f"--attach {name}: {path}: no such file")
    suffix = path.suffix.lower()
    try:
        if suffix in DATABASES:
            quoted = str(path.resolve()).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS \"{name}\" (READ_ONLY)")
        elif suffix in READERS:
            connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM {READERS[suffix]}(?)', [str(path)])
        else:
            raise UserError(f"--attach {name}: {path}: use one of {', '.join((*READERS, *DATABASES))}")
    except duckdb.Error as error:
        raise UserError(f"--attach {name}: {path}: {first_line(error)}") from None


def _attach_runs(connection: duckdb.DuckDBPyConnection, runs: Sequence[RunDirectory]) -> None:
    """Views of the tables of all runs together, each row with the ``run`` it is from."""
    from pyarrow.dataset import dataset

    from scalecurve.runs import read_outputs

    views: dict[str, list[str]] = {}
    for number, run in enumerate(runs):
        label = "'" + run.path.name.replace("'", "''") + "'"
        files = {"outputs": sorted(run.outputs.glob("*/part-*.parquet"))}
        files |= {name: [path] for name in ("scores", "curves", "verdicts") if (path := getattr(run, name)).exists()}
        for name, paths in files.items():
            found = dataset([str(path) for path in paths], format="parquet") if paths else None
            source = f"__run_{number}_{name}"
            connection.register(source, read_outputs(run).collect().to_arrow() if found is None else found)
            views.setdefault(name, []).append(f"SELECT {label} AS run, * FROM {source}")
    for name, selects in views.items():
        connection.execute(f"CREATE VIEW {name} AS {' UNION ALL BY NAME '.join(selects)}")


def first_line(error: BaseException) -> str:
    """What an error of DuckDB says, in one short line."""
    line = str(error).split("\n\n")[0].replace("\n", " ")
    line = "".join(c if c.isprintable() else " " for c in line)
    return line if len(line) <= 200 else line[:199] + "…"
