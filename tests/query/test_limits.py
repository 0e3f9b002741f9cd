"""What a statement may take binds, whatever it is; and the session lives on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import polars as pl
import pytest

import scalecurve
from scalecurve.errors import UserError
from scalecurve.query.dbapi import OperationalError
from scalecurve.query.executor.confined import memory_of
from scalecurve.query.executor.database import GRACE_SECONDS, Database, LimitError, memory_bytes
from scalecurve.query.executor.run import Limits

from .burning import BURNING
from .helpers import Told, rows, session

SECONDS = 1.0
T = pl.DataFrame({"x": ["a", "b"], "y": ["b", None]})
SHORT = [*range(0, len(BURNING), 3)]  # benchmarks/attack.py runs them all, each in a process of its own


@pytest.mark.slow
@pytest.mark.parametrize("text", [BURNING[at] for at in SHORT], ids=lambda text: text[:50])
def test_statements_that_burn_are_ended(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("scalecurve.query.executor.database.memory_of", lambda p: seen.append(memory_of(p)) or seen[-1])
    other = session(Told(lambda question: "yes"), {"t": T})
    asked = session(Told(lambda question: "yes"), {"t": T}, limits=Limits(seconds=SECONDS), memory="500MB")
    began = time.monotonic()
    with pytest.raises(LimitError) as caught:
        asked.run(text)
    assert time.monotonic() - began < SECONDS + GRACE_SECONDS + 3
    assert str(caught.value).startswith("query: ")
    assert max(seen) < 700e6
    assert rows(asked, "SELECT count(*) FROM t WHERE ai_filter('?', x)") == [(2,)], "the session lives on"
    assert rows(other, "SELECT count(*) FROM t") == [(2,)], "and so do others"
    asked.close()
    other.close()


def test_all_parts_of_a_statement_share_its_seconds() -> None:
    asked = session(Told(lambda question: "yes"), {"t": T}, limits=Limits(seconds=SECONDS))
    slow = "(SELECT count(*) AS n FROM range(30000000) r WHERE hash(r.range) % 7 = {at}) c{at}"
    parts = ", ".join(slow.format(at=at) for at in range(40))
    began = time.monotonic()
    with pytest.raises(LimitError):
        asked.run(f"SELECT x FROM t, {parts} WHERE ai_filter('?', x)")
    assert time.monotonic() - began < SECONDS + GRACE_SECONDS + 3
    asked.close()


def test_the_interface_raises_its_own_error(tmp_path: Path) -> None:
    T.write_csv(tmp_path / "t.csv")
    connection = scalecurve.connect(attach={"t": tmp_path / "t.csv"}, limits=Limits(seconds=0.5))
    with connection, pytest.raises(OperationalError, match="--timeout"):
        connection.execute("SELECT a.range FROM range(100000000000) a WHERE a.range % 50000 = 0")


def test_a_process_that_is_ended_from_outside_is_started_again() -> None:
    asked = session(Told(lambda question: "yes"), {"t": T})
    os.kill(asked.connection._process, signal.SIGKILL)
    with pytest.raises(LimitError):
        asked.run("SELECT count(*) FROM t")
    assert rows(asked, "SELECT count(*) FROM t") == [(2,)]
    asked.close()


def test_it_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-there")
    asked = session(Told(lambda question: "yes"), {"t": T})
    environment = Path(f"/proc/{asked.connection._process}/environ").read_bytes()
    assert b"OPENAI" not in environment
    asked.close()


def test_an_error_of_cleaning_up_replaces_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    asked = session(Told(lambda question: "yes"), {"t": T})
    ask = Database._ask

    def broken(self: Database, *order: object) -> list[bytes]:
        if order[0] == "forget":
            raise duckdb.Error("while cleaning up")
        return ask(self, *order)

    monkeypatch.setattr(Database, "_ask", broken)
    with pytest.raises(UserError, match="nowhere"):
        asked.run("SELECT * FROM nowhere")
    assert rows(asked, "SELECT count(*) FROM t") == [(2,)]
    asked.close()


@pytest.mark.parametrize("arity", range(1, 9))
def test_calls_with_several_texts(arity: int) -> None:
    told = Told(lambda question: "yes")
    asked = session(told, {"t": T})
    holes, texts = " ".join(["{}"] * arity), ", ".join(["x", *["coalesce(y, 'none')"] * (arity - 1)])
    assert rows(asked, f"SELECT x FROM t WHERE ai_filter('Are {holes} alike?', {texts})") == [("a",), ("b",)]
    assert rows(asked, f"SELECT ai_score('Are {holes} alike?', {texts}) > 0.5 FROM t") == [(True,), (True,)]
    assert f"Are {' '.join(['a', *['b'] * (arity - 1)])} alike?" in told.asked
    asked.close()


def test_two_texts_in_a_join_and_with_nulls() -> None:
    asked = session(Told(lambda question: "yes" if "a and b" in question else "no"), {"a": T})
    joined = "SELECT l.x, r.x AS z FROM a l JOIN a r ON l.x <> r.x WHERE ai_filter('Are {} and {} alike?', l.x, r.x)"
    assert rows(asked, joined) == [("a", "b")]
    on = "SELECT l.x, r.x AS z FROM a l JOIN a r ON ai_filter('Are {} and {} alike?', l.x, r.x)"
    assert rows(asked, on) == [("a", "b")]
    assert rows(asked, "SELECT ai_filter('Are {} and {} alike?', x, y) FROM a") == [(True,), (None,)]
    assert rows(asked, "SELECT ai_meta(ai_filter('Are {} and {} alike?', x, y)).status FROM a") == [("ok",), (None,)]
    asked.close()


@pytest.mark.parametrize(
    ("text", "csv"),
    [
        ("SELECT 'a'::BLOB AS b", "b\n61\n"),
        ("SELECT map {'a': 1} AS m", 'm\n"[{""key"": ""a"", ""value"": 1}]"\n'),
        ("SELECT map {'a': map {1: 'b'::BLOB}} AS m", None),
        ("SELECT 99999999999999999999999999999999999999999999 AS n", None),
        ("SELECT 170141183460469231731687303715884105727::HUGEINT AS n, uuid() AS u, '101'::BIT AS b", None),
        ("SELECT INTERVAL 3 DAY AS i, TIME '12:00:00' AS t, DATE '9999-12-31' AS d", None),
        ("SELECT union_value(a := 1) AS u, {'a': [NULL, 1]} AS s, [map {1: 2}] AS l", None),
        ("SELECT 1 AS x, 2 AS x", "x,x_1\n1,2\n"),
        ("SELECT NULL AS x, 'infinity'::DOUBLE AS y, 'infinity'::DATE AS z", None),
    ],
)
def test_every_type_can_be_written(text: str, csv: str | None, tmp_path: Path) -> None:
    from scalecurve.query import show

    asked = session(Told(lambda question: "yes"), {"t": T})
    result = asked.run(text)
    assert csv is None or show.as_csv(result) == csv
    assert show.as_json(result).startswith("[{")
    for suffix in ("csv", "json", "parquet"):
        show.write(result, tmp_path / f"x.{suffix}")
    assert result.pl().height == 1
    asked.close()


@pytest.mark.parametrize("table", ["pg_settings", "pg_catalog.pg_settings", "duckdb_settings", "pragma_database_list",
                                   '"PG_Settings"', "system.pg_catalog.pg_settings", "duckdb_databases"])  # fmt: skip
def test_settings_and_places_are_not_told(table: str) -> None:
    asked = session(Told(lambda question: "yes"), {"t": T})
    with pytest.raises(UserError, match="is not allowed"):
        asked.run(f"SELECT * FROM {table}")
    asked.close()


@pytest.mark.parametrize(
    ("text", "size"), [("500MB", 500_000_000), ("2GB", 2_000_000_000), ("1.5 GiB", 3 * 2**29), ("64mb", 64_000_000)]
)
def test_sizes(text: str, size: int) -> None:
    assert memory_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "1e3GB", "10", "5XB", "9" * 400 + "GB"])
def test_wrong_sizes_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="memory"):
        memory_bytes(text)
