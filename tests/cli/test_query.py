"""``scalecurve query``: what is printed where, files, exit codes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import polars as pl
import pytest

from scalecurve.cli import main


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "r.csv"
    pl.DataFrame({"id": [1, 2], "x": ["a b", 'say "no"']}).write_csv(path)
    return path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["scalecurve", "query", *map(str, arguments)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_forms(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: Path, tmp_path: Path
) -> None:
    text = "SELECT id, x, ai_meta(ai_filter('?', x)).status AS s FROM r ORDER BY id"
    common = (text, "--model", "mock", "--attach", table)
    assert call(monkeypatch, *common, "--csv") == 0
    said = capsys.readouterr()
    assert said.out == 'id,x,s\n1,a b,ok\n2,"say ""no""",ok\n'
    assert said.err.startswith("2 cells: 2 ok; 2 calls")
    assert call(monkeypatch, *common, "--json", "--quiet") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == [{"id": 1, "x": "a b", "s": "ok"}, {"id": 2, "x": 'say "no"', "s": "ok"}]
    assert said.err == ""
    assert call(monkeypatch, *common, "--out", tmp_path / "o.parquet") == 0
    assert "0 calls" in capsys.readouterr().err, "the answers were kept"
    assert pl.read_parquet(tmp_path / "o.parquet")["s"].to_list() == ["ok", "ok"]
    assert call(monkeypatch, *common) == 0
    assert "2 rows" in capsys.readouterr().out


def test_explain(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: Path) -> None:
    text = "SELECT id FROM r WHERE ai_filter('?', x)"
    assert call(monkeypatch, text, "--model", "mock", "--attach", table, "--explain") == 0
    out = capsys.readouterr().out
    assert "2 rows → 2 distinct → 0 cached → calls: 2" in out
    assert "mock" in out
    assert call(monkeypatch, f"EXPLAIN ANALYZE {text}", "--model", "mock", "--attach", table) == 0
    assert "actual: 2 calls" in capsys.readouterr().out


def test_statements_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("CREATE KNOWLEDGE TABLE c (a TEXT KEY, b TEXT); SELECT 'a;b' AS v;"))
    assert call(monkeypatch, "--csv") == 0
    assert capsys.readouterr().out == "v\na;b\n"


def test_rows_are_shown_before_a_later_statement_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "SELECT 7 AS v; SELECT nosuch", "--csv") == 2
    said = capsys.readouterr()
    assert said.out == "v\n7\n"
    assert "nosuch" in said.err


WRONG = [
    (("SELECT * FROM nosuch",), "nosuch"),
    (("SELECT ai_ask('?')",), "which model"),
    (("SELECT 1", "--model", "nosuch"), "nosuch"),
    (("SELECT 1", "--attach", "nosuch.csv"), "no such file"),
    (("SELECT 1", "--attach", "=x"), "--attach"),
    (("SELECT 1", "--run", "nosuch"), "nosuch"),
    (("SELECT 1", "--out", "x.txt"), "x.txt"),
    (("CREATE KNOWLEDGE TABLE c (a TEXT KEY, b TEXT)", "--out", "x.csv"), "no statement has rows"),
    (("SELECT 'x",), "quote"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert call(monkeypatch, *arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
