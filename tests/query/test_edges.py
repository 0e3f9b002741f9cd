"""Statements at the edges of the language: what is run there, what is refused, and in which words."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.query.answers.cascade import Targets, run_cascade
from scalecurve.query.answers.values import kind_of, read_value
from scalecurve.query.dbapi import InterfaceError, NotSupportedError, connect
from scalecurve.query.executor.attach import attachments
from scalecurve.query.session import Session
from scalecurve.query.show import as_json, show, write
from scalecurve.query.sql.parse import MOST_CHARACTERS, parse, split
from scalecurve.types import Output, Request

from .helpers import Told, rows, session

T = pl.DataFrame({"id": [1, 2, 3], "x": ["ant", "bee", "cat"]})


def rule(question: str) -> str:
    """Of an animal, whether it is an insect; of all else, its last word."""
    if question.startswith("Insect?"):
        return "yes" if "ant" in question or "bee" in question else "no"
    return question.split()[-1] if question.split() else "nothing"


@pytest.fixture
def told() -> Told:
    return Told(rule)


@pytest.fixture
def asked(told: Told) -> Session:
    return session(told, {"t": T, "u": pl.DataFrame({"id": [1, 2], "n": [10, 20]})})


INSECT = "ai_filter('Insect?', x)"
RUN = [
    ("(SELECT id FROM t WHERE id = 2)", 0, [(2,)]),
    (f"WITH unused AS (SELECT 1), w(a, b) AS (SELECT id, {INSECT} FROM t) SELECT a FROM w WHERE b", 3, [(1,), (2,)]),
    (f"WITH w AS (SELECT id, {INSECT} AS b FROM t) SELECT id FROM w WHERE b", 3, [(1,), (2,)]),
    (f"WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) "
     f"SELECT i FROM n JOIN t ON t.id = n.i WHERE {INSECT}", 3, [(1,), (2,)]),
    ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2) SELECT ai_ask('say ' || i) FROM n", 2,
     [("1",), ("2",)]),
    ("SELECT s.y FROM t, LATERAL (SELECT t.x AS y) s WHERE t.id = 1", 0, [("ant",)]),
    (f"SELECT s.y FROM t, (SELECT t.x AS y) s WHERE {INSECT}", 3, [("ant",), ("bee",)]),
    (f"SELECT count(*) FROM (SELECT {INSECT} AS b FROM t) TABLESAMPLE 100 PERCENT WHERE b", 3, [(2,)]),
    (f"SELECT coalesce(CASE WHEN id = 3 THEN true END, {INSECT}) FROM t ORDER BY id", 2, [(True,), (True,), (True,)]),
    (f"SELECT coalesce({INSECT}, false) FROM t ORDER BY id", 3, [(True,), (True,), (False,)]),
    (f"SELECT CASE WHEN id = 1 THEN true WHEN id = 2 THEN {INSECT} ELSE false END FROM t ORDER BY id", 1,
     [(True,), (True,), (False,)]),
    (f"SELECT CASE id WHEN 1 THEN {INSECT} END FROM t ORDER BY id", 1, [(True,), (None,), (None,)]),
    (f"SELECT {INSECT} AS b, count(*) FROM t GROUP BY ALL ORDER BY ALL", 3, [(False, 1), (True, 2)]),
    (f"SELECT {INSECT} AS b, count(*) FROM t GROUP BY 1 ORDER BY 1", 3, [(False, 1), (True, 2)]),
    ("SELECT ai_ask('say ' || max(x)) FROM t", 1, [("cat",)]),
    ("SELECT id > 1 AS g, ai_ask('say ' || max(x)) FROM t GROUP BY id > 1 ORDER BY g", 2,
     [(False, "ant"), (True, "cat")]),
    ("SELECT ai_ask('say ' || count(*)) FROM t GROUP BY ALL", 1, [("3",)]),
    (f"SELECT id, {INSECT} FROM t ORDER BY 1 DESC LIMIT 1", 1, [(3, False)]),
    (f"SELECT *, {INSECT} AS b FROM t ORDER BY 1 DESC LIMIT 1", 3, [(3, "cat", False)]),
    (f"SELECT id, {INSECT} FROM t ORDER BY ALL LIMIT 1", 3, [(1, True)]),
    (f"SELECT id, {INSECT} FROM t ORDER BY id LIMIT 1 + 1", 3, [(1, True), (2, True)]),
    (f"SELECT id AS a, {INSECT} FROM t ORDER BY a LIMIT 1 OFFSET 1", 2, [(2, True)]),
    (f"SELECT count(*) FILTER (WHERE {INSECT}) OVER () FROM t LIMIT 1", 3, [(2,)]),
    (f"SELECT id FROM t JOIN u USING (id) WHERE {INSECT} AND n > 10", 1, [(2,)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "calls", "wanted"), RUN, ids=lambda value: str(value)[:90])
def test_run(asked: Session, told: Told, text: str, calls: int, wanted: list[tuple[Any, ...]]) -> None:
    found = rows(asked, text)
    assert (found if "ORDER" in text else sorted(found)) == wanted
    assert len(told.asked) == calls


REFUSED = [
    ("VALUES (1)", "only SELECT and CREATE KNOWLEDGE TABLE are allowed, not VALUES"),
    ("SELECT * FROM t, (SELECT ai_ask('say ' || t.x) AS y) s", 'Referenced table "t" not found'),
    (f"SELECT * FROM (VALUES ({INSECT})) v", "query: "),
    ("WITH RECURSIVE n AS (SELECT ai_ask('?') AS i UNION ALL SELECT i FROM n) SELECT * FROM n", "recursive CTE"),
    (f"SELECT t.id FROM t ASOF JOIN u ON t.id >= u.id AND {INSECT}", "ASOF JOIN cannot have an ai_ function"),
    ("SELECT list_transform([1], lambda i: ai_ask('say ' || i))", "cannot stand in a lambda"),
    ("SELECT ai_ask(['a', 'b'], ['c', 'd'])", "a list stands where a text is wanted"),
    ("SELECT id FROM t GROUP BY ROLLUP (id) HAVING ai_filter('Insect?', max(x))", "ROLLUP, CUBE and GROUPING SETS"),
    ("SELECT * FROM model('a', 'b').c", "write model('rung').table"),
    ("SELECT * FROM model(rung).c", "takes a rung's name in quotes"),
    ("CREATE KNOWLEDGE TABLE c-d (a TEXT KEY, b TEXT)", "query: "),
    ("CREATE KNOWLEDGE TABLE c (a TEXT KEY 'A {a}?' b, b TEXT)", "query: "),
    ("SELECT 1 " + " " * MOST_CHARACTERS, "characters; at most"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=lambda value: str(value)[:60])
def test_refused(asked: Session, told: Told, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        asked.run(text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert told.asked == []


def test_too_long_a_script_is_not_split() -> None:
    with pytest.raises(UserError, match="at most"):
        split("SELECT 1;" * MOST_CHARACTERS)
    assert [text.strip(" ;") for text in split("SELECT ';'; SELECT 2;")] == ["SELECT ';'", "SELECT 2"]


def test_too_little_memory_is_said() -> None:
    small = session(Told(rule), memory="20MB")
    with pytest.raises(UserError, match="out of memory; narrow the query, or allow more with --memory"):
        small.run("SELECT list(i ORDER BY hash(i)) FROM range(20000000) r(i)")


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────
class Impossible(Told):
    """Finds no option possible."""

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        for index, request in enumerate(requests):
            n = len(request.options)
            on_output(index, Output(logprobs=(-math.inf,) * n, token_counts=(1,) * n, greedy=(False,) * n))


def status(asked: Session, call: str, using: str = "") -> str:
    return str(rows(asked, f"SELECT ai_meta({call}).status {using}")[0][0])


def test_options_that_are_all_impossible_are_an_error() -> None:
    assert status(session(Impossible(rule)), "ai_ask('?', ['a', 'b'])") == "error"


def test_a_number_that_is_no_number_is_not_parsable() -> None:
    silent = session(Told(lambda question: ""))
    assert status(silent, "ai_ask('?', 'INT')") == "unparsable"
    assert rows(silent, "SELECT ai_ask('?')") == [(None,)]


def test_a_gate_that_fails_is_an_error_of_the_cell() -> None:
    broken = session(Told(lambda question: "!away"))
    assert status(broken, "ai_ask('?')", "USING gate on") == "error"


def test_every_text_is_a_text() -> None:
    assert read_value(" a\n", kind_of("TEXT")) in (" a\n", "a")


def test_a_budget_that_is_enough_asks_all(asked: Session, told: Told) -> None:
    text = f"SELECT id FROM t WHERE {INSECT} USING budget %d tokens, on_fail abstain"
    assert sorted(rows(asked, text % 100_000)) == [(1,), (2,)]
    assert len(told.asked) == 3
    assert rows(session(Told(rule), {"t": T}), text % 1) == []


# ── Thresholds ───────────────────────────────────────────────────────────────────────────────────────────────
def test_promises_that_make_no_sense_are_refused() -> None:
    for wrong in ({"recall": 0.0}, {"precision": 1.0}, {"delta": 1.5}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must lie between 0 and 1"):
            Targets(**({"recall": 0.9, "precision": 0.9} | wrong))
    with pytest.raises(ValueError, match="finite"):
        run_cascade([math.nan], lambda items: [True], Targets(0.9, 0.9))


# ── Knowledge tables ─────────────────────────────────────────────────────────────────────────────────────────
COUNTRY = "CREATE KNOWLEDGE TABLE country (name TEXT KEY, capital TEXT)"


class Atlas(Told):
    """Names countries when it is sampled, and says of each its capital."""

    def __init__(self, *names: str, error: str = "") -> None:
        super().__init__(lambda question: question.split()[-1].rstrip("?").upper())
        self.names, self.error = names, error

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        for index, request in enumerate(requests):
            if request.temperature > 0:
                self.asked.append(request.prompt)
                on_output(index, Output(texts=self.names, error=self.error))
            else:
                super().run([request], lambda _, output, index=index: on_output(index, output))


def test_keys_of_an_open_scan() -> None:
    model = Atlas("Chad", "x" * 61, "Peru.")
    asked = session(model)
    asked.run("CREATE KNOWLEDGE TABLE country (name TEXT KEY 'Which land? It is {name}, surely.', capital TEXT)")
    assert rows(asked, "SELECT name, capital FROM model('told').country LIMIT 5") == [
        ("Chad", "CHAD"),
        ("Peru", "PERU"),
    ]
    assert model.asked[0] == "\nQ: Which land? It is "
    assert rows(asked, "SELECT name FROM model('told').country LIMIT 0") == []


def test_a_model_that_gives_no_keys() -> None:
    asked = session(Atlas(error="away"))
    asked.run(COUNTRY)
    with pytest.raises(UserError, match=r"country\.name: the model gives no keys: away"):
        asked.run("SELECT name FROM model('told').country LIMIT 5")


SCANS = [
    ("SELECT k.capital FROM model('told').country k JOIN u ON k.name = u.land AND u.n > 10", [("PERU",)]),
    ("SELECT capital FROM model('told').country WHERE (name = 'Peru')", [("PERU",)]),
    ("SELECT capital FROM u RIGHT JOIN model('told').country k ON k.name = u.land WHERE k.name = 'Chad'", [("CHAD",)]),
    ("SELECT k.capital FROM u JOIN v USING (land) JOIN model('told').country k ON k.name = u.land", [("CHAD",)]),
    ("SELECT ai_meta(k.capital).status, ai_meta(nosuch).status FROM model('told').country k WHERE name = 'Peru'", None),
    ("SELECT ai_meta(k.name).status FROM model('told').country k WHERE name = 'Peru'", None),
    ("SELECT k.* FROM model('told').country k WHERE k.name IN (u.land)", None),
    ("SELECT k.*, u.n FROM model('told').country k, u WHERE k.name IN (u.land) ORDER BY n", [("Chad", "CHAD", 10),
                                                                                            ("Peru", "PERU", 20)]),
    ("SELECT u.* FROM model('told').country k, u WHERE k.name = u.land ORDER BY n LIMIT 1", [("Chad", 10)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), SCANS, ids=lambda value: str(value)[:80])
def test_scans(text: str, wanted: list[tuple[Any, ...]] | None) -> None:
    tables = {"u": pl.DataFrame({"land": ["Chad", "Peru"], "n": [10, 20]}), "v": pl.DataFrame({"land": ["Chad"]})}
    asked = session(Atlas(), tables)
    asked.run(COUNTRY)
    if wanted is None:
        with pytest.raises(UserError):
            asked.run(text)
    else:
        assert rows(asked, text) == wanted


# ── Around the language ──────────────────────────────────────────────────────────────────────────────────────
def test_tables_are_attached_once() -> None:
    with pytest.raises(UserError, match=r"--attach b/t\.csv: two tables are called t; rename one"):
        attachments(["t=a.csv", "b/t.csv"])
    for wrong in ("=a.csv", "t="):
        with pytest.raises(UserError, match="write --attach name=path"):
            attachments([wrong])


def test_connections_and_cursors_that_are_closed() -> None:
    connection = connect("told", models={"told": Told(rule)}, attach={"t": T})
    cursor = connection.cursor()
    with pytest.raises(InterfaceError, match="no statement was run"):
        _ = cursor.result
    assert cursor.executemany("CREATE KNOWLEDGE TABLE k (a TEXT KEY, b TEXT)", [[], []]) is cursor
    assert cursor.executemany("SELECT ?", []) is cursor
    with pytest.raises(NotSupportedError, match="without rows"):
        cursor.executemany("SELECT ?", [[1]])
    assert cursor.execute("CREATE KNOWLEDGE TABLE k (a TEXT KEY, b TEXT)").result.pl().is_empty()
    connection.close()
    with pytest.raises(InterfaceError, match="it is closed; connect again"):
        _ = connection.session


def printed(asked: Session, text: str) -> str:
    from rich.console import Console

    out = io.StringIO()
    show(asked.run(text), Console(file=out, width=200))
    return out.getvalue()


def test_what_is_shown(asked: Session) -> None:
    assert "∅" in printed(asked, "SELECT NULL AS n, 1.5 AS d, repeat('x', 200) AS long")
    assert "…" in printed(asked, "SELECT repeat('x', 200) AS long")
    assert printed(asked, "CREATE KNOWLEDGE TABLE k (a TEXT KEY, b TEXT)") == ""
    assert printed(asked, "EXPLAIN SELECT 1") == "no model is asked\n"
    two = session([Told(rule, "small", size=1), Told(rule, "large", size=2)], {"t": T})
    plan = printed(two, f"EXPLAIN SELECT id FROM t WHERE {INSECT} USING model ladder, recall .9")
    assert "guarantee: recall ≥ 0.9" in plan
    assert asked.run("SELECT 1").summary == ""


def test_what_is_written(asked: Session, tmp_path: Path) -> None:
    odd = asked.run("SELECT 'nan'::DOUBLE AS d, [1, NULL] AS l, {'a': 'inf'::DOUBLE} AS s")
    assert json.loads(as_json(odd)) == [{"d": None, "l": [1, None], "s": {"a": None}}]
    write(odd, tmp_path / "o.json")
    write(odd, tmp_path / "o.csv")
    assert json.loads((tmp_path / "o.json").read_text()) == [{"d": None, "l": [1, None], "s": {"a": None}}]
    assert (tmp_path / "o.csv").read_text() == 'd,l,s\nNaN,"[1, null]","{""a"": null}"\n'
    nothing = asked.run("CREATE KNOWLEDGE TABLE k (a TEXT KEY, b TEXT)")
    assert as_json(nothing) == "[]"
    with pytest.raises(UserError, match="the statement has no rows to write"):
        write(nothing, tmp_path / "n.csv")
    with pytest.raises(UserError, match=r"o\.txt: write to a \.csv"):
        write(odd, tmp_path / "o.txt")
    with pytest.raises(UserError, match="where a directory is needed"):
        write(odd, tmp_path / "o.csv" / "o.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.csv", "o.json"]


def test_the_shell_takes_blank_lines_and_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Session) -> None:
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput
    from rich.console import Console

    from scalecurve.query.shell import run_shell

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    shown = io.StringIO()
    with create_pipe_input() as keys:
        keys.send_text("\n  \nselect 7 as v;\n.help\n\x04")
        run_shell(asked, Console(file=shown, width=100), input=keys, output=DummyOutput())
    assert "7" in shown.getvalue()
    assert ".tables" in shown.getvalue()


def test_the_notebook_says_what_was_asked_and_keeps_what_was_defined(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    T.write_csv(tmp_path / "t.csv")
    shell = InteractiveShell.instance()
    try:
        shell.run_line_magic("load_ext", "scalecurve")
        shell.run_line_magic("scalecurve", f"--model mock --attach t={tmp_path / 't.csv'}")
        shell.run_cell_magic("scalecurve", "", "CREATE KNOWLEDGE TABLE k (a TEXT KEY, b TEXT)")
        shell.run_line_magic("scalecurve", f"--model mock --attach t={tmp_path / 't.csv'}")
        found = shell.run_cell_magic("scalecurve", "", "SELECT ai_filter('?', x) AS b FROM t")
        assert found.height == 3
        assert shell.run_cell_magic("scalecurve", "", "SELECT a FROM model('mock').k WHERE a = 'z'").rows() == [("z",)]
        assert shell.run_cell_magic("scalecurve", "--into 7x", "SELECT 1") is None
        said = capsys.readouterr().err
        assert "3 cells: 3 ok" in said
        assert "--into 7x: is no name for a variable" in said
    finally:
        shell.magics_manager.registry.clear()
        InteractiveShell.clear_instance()


def test_parse_understands_what_it_splits() -> None:
    assert parse("FROM t SELECT id;")
