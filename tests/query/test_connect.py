"""DB-API 2.0, the notebook magic, and the interactive shell."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import scalecurve
from scalecurve.query import dbapi as dbapi

from .helpers import Told, session

T = pl.DataFrame({"id": [1, 2, 3], "x": ["ant", "bee", "cat"]})


def told() -> Told:
    return Told(lambda question: "yes" if "ant" in question or "bee" in question else "no", "told")


@pytest.fixture
def connection() -> Any:
    with scalecurve.connect("told", models={"told": told()}, attach={"t": T}) as opened:
        yield opened


def test_module_globals() -> None:
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 1, "qmark")
    assert issubclass(dbapi.ProgrammingError, dbapi.DatabaseError)
    assert issubclass(dbapi.DatabaseError, dbapi.Error)
    assert issubclass(dbapi.Error, scalecurve.UserError)


def test_cursor(connection: Any) -> None:
    cursor = connection.cursor()
    assert cursor.description is None
    assert cursor.rowcount == -1
    cursor.execute("SELECT id, x FROM t WHERE ai_filter(?, x) AND id > ? ORDER BY id", ["?", 0])
    assert [column[:2] for column in cursor.description] == [("id", "int64"), ("x", "string")]
    assert all(len(column) == 7 for column in cursor.description)
    assert cursor.rowcount == 2
    assert cursor.fetchone() == (1, "ant")
    assert cursor.fetchmany(5) == [(2, "bee")]
    assert cursor.fetchone() is None
    assert cursor.fetchall() == []
    assert cursor.pl().rows() == [(1, "ant"), (2, "bee")]
    assert list(connection.execute("SELECT id FROM t ORDER BY id")) == [(1,), (2,), (3,)]
    cursor.execute("CREATE KNOWLEDGE TABLE k (a TEXT KEY, b TEXT)")
    assert cursor.description is None
    with pytest.raises(dbapi.InterfaceError):
        cursor.fetchall()


def test_errors(connection: Any) -> None:
    cursor = connection.cursor()
    for text in ("SELEC 1", "SELECT * FROM nosuch", "DROP TABLE t", "SELECT ai_ask()"):
        with pytest.raises(connection.ProgrammingError):
            cursor.execute(text)
    with pytest.raises(dbapi.NotSupportedError):
        cursor.executemany("SELECT ?", [[1], [2]])
    with pytest.raises(dbapi.NotSupportedError):
        connection.rollback()
    connection.commit()
    cursor.close()
    with pytest.raises(dbapi.InterfaceError):
        cursor.execute("SELECT 1")
    connection.close()
    connection.close()
    with pytest.raises(dbapi.InterfaceError):
        connection.cursor()


# ── Notebook ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_notebook_magic(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    T.write_csv(tmp_path / "t.csv")
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "scalecurve")
    shell.user_ns["frame"] = T
    shell.run_line_magic("scalecurve", f"--model mock --attach t={tmp_path / 't.csv'} --attach f=frame")
    frame = shell.run_cell_magic(
        "scalecurve", "", "SELECT count(*) AS n FROM t JOIN f USING (id); SELECT max(id) FROM f"
    )
    assert frame.rows() == [(3,)]
    assert shell.run_cell_magic("scalecurve", "--into found", "SELECT id FROM t WHERE id > 1") is None
    assert shell.user_ns["found"].rows() == [(2,), (3,)]
    assert shell.run_cell_magic("scalecurve", "", "SELECT nosuch FROM t") is None
    assert shell.run_cell_magic("scalecurve", "--nosuch 1", "SELECT 1") is None
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "nosuch" in said[0]
    assert said[1].startswith("%scalecurve: ")
    shell.magics_manager.registry.clear()
    InteractiveShell.clear_instance()


# ── Shell ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput
    from rich.console import Console

    from scalecurve.query.shell import completions, run_shell

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    asked = session(told(), {"t": T})
    shown = io.StringIO()
    lines = ["select id from t", "where ai_filter('?', x);", "CREATE KNOWLEDGE TABLE bird (name TEXT KEY, egg TEXT);",
             ".tables", "select nosuch;", ".nosuch", ".quit"]  # fmt: skip
    with create_pipe_input() as keys:
        keys.send_text("".join(f"{line}\n" for line in lines))
        run_shell(asked, Console(file=shown, width=100), input=keys, output=DummyOutput())
    said = shown.getvalue()
    assert "2 rows" in said
    assert "3 cells: 3 ok; 3 calls" in said
    assert "t(id, x)" in said
    assert "model(…).bird(name TEXT KEY, egg TEXT)" in said
    assert "nosuch" in said
    assert {"ai_filter", "SELECT", "t", "x", "bird", "egg"} <= set(completions(asked)())
    assert "ai_filter" in (tmp_path / "scalecurve" / "query_history").read_text()
