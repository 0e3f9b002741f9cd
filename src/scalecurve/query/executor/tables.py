"""The database a query reads: what the user attached, in a DuckDB that can reach nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve.errors import UserError
from scalecurve.query.executor.attached import Source, load, source_of

if TYPE_CHECKING:
    import duckdb

    from scalecurve.store import RunDirectory

RUN_TABLES = ("outputs", "scores", "curves", "verdicts", "abilities")
LOCKED = (
    "SET python_enable_replacements = false",  # a query must not see the variables of the program around it
    "SET allow_community_extensions = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET temp_directory = ''",  # nothing is written
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def sources_of(attach: Mapping[str, object]) -> dict[str, Source]:
    """What is attached, as another process can read it. ``UserError`` naming the table and what is wrong."""
    from scalecurve.query.executor.database import ipc_of

    found: dict[str, Source] = {}
    for name, source in attach.items():
        _check_name(name)
        if not isinstance(source, str | Path):
            found[name] = ipc_of(source)
            continue
        found[name] = source_of(name, source)
    return found


def run_sources(runs: Sequence[RunDirectory]) -> list[tuple[str, dict[str, list[str] | bytes]]]:
    """Of each run its name, and the files of each of its tables; of one without files an empty table."""
    from scalecurve.query.executor.database import ipc_of
    from scalecurve.store import read_outputs, scan_table
    from scalecurve.store.parts import output_paths

    found = []
    for run in runs:
        parts = output_paths(run)
        tables: dict[str, list[str] | bytes] = {}
        tables["outputs"] = [str(path.absolute()) for path in parts] or ipc_of(read_outputs(run).collect())
        for name in ("scores", "curves", "verdicts"):
            path = getattr(run, name)
            if path.exists():
                scan_table(path)  # a damaged one is told by name
                tables[name] = [str(path.absolute())]
        found.append((run.path.name, tables))
    return found


def open_database(
    sources: Mapping[str, Source],
    runs: Sequence[tuple[str, Mapping[str, list[str] | bytes]]],
    *,
    memory: str,
    threads: int,
) -> duckdb.DuckDBPyConnection:
    """A database in memory with a table for every source, and with the runs' tables; then locked.

    Files are read now, as nothing outside can be reached later; of the runs' Parquet files a query reads what it
    needs, so that a run may be larger than ``memory``. ``UserError`` naming the table and what is wrong.
    """
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute("SET memory_limit = ?", [memory])
    connection.execute("SET threads = ?", [threads])
    for name, source in sources.items():
        load(connection, name, source)
    _attach_runs(connection, runs)
    for statement in LOCKED:
        connection.execute(statement)
    return connection


def _check_name(name: str) -> None:
    if not name.isidentifier() or name.startswith("__"):
        raise UserError(f"--attach {name}: is no table name; write --attach name=path with letters, digits and _")
    if name.lower() in RUN_TABLES or name.lower() == "model":
        raise UserError(f"--attach {name}: this name is taken; choose another")


def _attach_runs(
    connection: duckdb.DuckDBPyConnection, runs: Sequence[tuple[str, Mapping[str, list[str] | bytes]]]
) -> None:
    """Views of the tables of all runs together, each row with the ``run`` it is from."""
    from pyarrow.dataset import dataset

    from scalecurve.query.executor.confined import read_ipc

    views: dict[str, list[str]] = {}
    for number, (run, tables) in enumerate(runs):
        label = "'" + run.replace("'", "''") + "'"
        for name, found in tables.items():
            source = f"__run_{number}_{name}"
            held = read_ipc(found) if isinstance(found, bytes) else dataset(found, format="parquet")
            connection.register(source, held)
            views.setdefault(name, []).append(f"SELECT {label} AS run, * FROM {source}")
    for name, selects in views.items():
        connection.execute(f"CREATE VIEW {name} AS {' UNION ALL BY NAME '.join(selects)}")
