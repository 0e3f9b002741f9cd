"""A hostile query, or a hostile answer, reaches nothing that was not attached."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.query.executor.run import Limits
from scalecurve.query.session import Session

from .helpers import Told, rows, session

SECRET = pl.DataFrame({"secret": ["in a variable of the program around the query"]})
T = pl.DataFrame({"x": ["a", "b"]})


@pytest.fixture
def asked() -> Session:
    return session(
        Told(lambda question: "yes"), {"t": T}, limits=Limits(seconds=1.0, rows=1000, bytes=1_000_000, calls=50)
    )


HOSTILE = [
    "SELECT * FROM SECRET",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT ai_filter('?', x) FROM read_text('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM pragma_database_list()",
    "SELECT content FROM read_blob('/etc/*')",
    "SELECT getenv('HOME')",
    "SELECT __ai_1('a')",
    "SELECT * FROM __q1",
    "ATTACH '/tmp/evil.db'",
    "INSTALL httpfs",
    "COPY t TO '/tmp/evil.csv'",
    "EXPORT DATABASE '/tmp/evil'",
    "SET lock_configuration = false",
    "PRAGMA enable_external_access",
    "CREATE TABLE y AS SELECT 1",
    "SELECT * FROM t; DROP TABLE t",
    "SELECT * FROM range(1000000000)",
    "SELECT count(*) FROM range(10000000) a, range(10000000) b",
    "SELECT ai_filter('?', range::VARCHAR) FROM range(1000)",
    "SELECT repeat('x', 1000000000) || ai_ask('?')",
    # the newer operators
    "SELECT ai_agg(x, (SELECT content FROM read_text('/etc/passwd'))) FROM t",
    "SELECT ai_agg(x, getenv('HOME')) FROM t",
    "SELECT ai_agg(repeat('x', 1000000000), 'Sum up.') FROM t",
    "SELECT ai_agg(range::VARCHAR, 'Sum up.') FROM range(1000) GROUP BY range",
    "SELECT ai_agg(x, 'Sum up.') OVER () FROM t",
    "SELECT ai_rate(x, getenv('HOME')) FROM t",
    "SELECT ai_rate(x, 'How nice?', 1, 1000000000000000000000) FROM t",
    "SELECT ai_rate(x, 'How nice?', -1e308, 'nan'::DOUBLE) FROM t",
    "SELECT range FROM range(1000) ORDER BY ai_rate(range::VARCHAR, 'How nice?') DESC LIMIT 2",
    "SELECT count(*) FROM range(100) a JOIN range(100) b ON ai_filter('Is {} {}?', a.range::TEXT, b.range::TEXT)",
    "SELECT count(*) FROM range(100000) a JOIN range(100000) b ON ai_filter('Have {} and {} the same sentiment?', "
    "a.range::TEXT, b.range::TEXT)",
    "SELECT AI_CLASSIFY(x, [getenv('HOME'), 'b']) FROM t",
    "SELECT AI_CLASSIFY(x, ['a', 'b\x1fc'], {'output_mode': 'multi'}) FROM t",
    "SELECT AI_EXTRACT(x, {'a': getenv('HOME')}) FROM t",
    "SELECT AI_EXTRACT(x, [['a', getenv('HOME')]]) FROM t",
    "SELECT AI.IF(('a', (SELECT content FROM read_text('/etc/passwd')))) FROM t",
    "SELECT AI_FILTER(PROMPT('{0}', (SELECT value FROM duckdb_settings() LIMIT 1))) FROM t",
    "SELECT AI_FILTER(PROMPT('{99999999999999999999}', x)) FROM t",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:50])
def test_refused(asked: Session, text: str) -> None:
    with pytest.raises(UserError) as caught:
        asked.run(text)
    assert len(str(caught.value)) < 260
    assert str(caught.value).isprintable()
    assert "variable of the program" not in str(caught.value)
    assert rows(asked, "SELECT count(*) FROM t") == [(2,)], "the session lives on"


@pytest.mark.parametrize(
    "form",
    [
        "SELECT ai_filter('?', x) FROM t USING model '{}'",
        "SELECT AI_COMPLETE('{}', x) FROM t",
        "SELECT y FROM model('{}').k WHERE x = 'a'",
    ],
)
@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "/etc", "family.toml", "{here}/family.toml", "{here}/family.toml:leak", "checkpoints:{here}", "~",
     "..", "weights.gguf", "someone/model", "someone/model@main", "https://example.org/v1", "\\\\host\\share"],
)  # fmt: skip
def test_a_query_names_no_model_by_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "family.toml").write_text(
        'family = "f"\n[[rung]]\nname = "leak"\nbackend = "endpoint"\nlocation = "http://127.0.0.1:9"\n'
    )
    opened = session(Told(lambda question: "yes"), {"t": T})
    opened.run("CREATE KNOWLEDGE TABLE k (x TEXT KEY, y TEXT)")
    text = form.format(name.replace("{here}", str(tmp_path)))
    for statement in (text, f"EXPLAIN {text}"):
        with pytest.raises(UserError, match="give paths, family files and Hub ids with --model"):
            opened.run(statement)
    opened.close()


def test_a_query_names_the_rungs_it_was_given(tmp_path: Path) -> None:
    family = tmp_path / "family.toml"
    rung = '[[rung]]\nname = "{0}"\nbackend = "mock"\nlocation = "{0}"\nparams_total = {1}\n'
    family.write_text('family = "f"\n' + rung.format("small", 10) + rung.format("large", 100))
    opened = Session(str(family), attach={"t": T})
    for name in ("small", "large", "mock", str(family)):
        plan = opened.plan(f"SELECT ai_filter('?', x) FROM t USING model '{name}'")
        assert plan.asks[0].model == ("large" if name == str(family) else name)
    opened.close()


def test_what_a_model_says_about_groups_and_fields_stays_text() -> None:
    said = "'); DROP TABLE t; SELECT * FROM read_csv('/etc/passwd') --\x1f{}"
    opened = session(Told(lambda question: said), {"t": T})
    shown = rows(opened, "SELECT ai_agg(x, 'Sum up.') FROM t")[0][0]
    assert shown.startswith("'); DROP TABLE t;")
    ((fields, *_),) = rows(opened, "SELECT AI_EXTRACT(x, {'a': 'Who?'}), AI_SUMMARIZE(x) FROM t WHERE x = 'a'")
    assert fields["a"].startswith("'); DROP TABLE t;")
    assert rows(opened, "SELECT AI_CLASSIFY(x, ['a', 'b'], {'output_mode': 'multi'}), ai_rate(x, 'r') FROM t LIMIT 1")
    assert rows(opened, "SELECT count(*) FROM t") == [(2,)]
    opened.close()


def test_the_configuration_is_locked_beneath_the_parser(asked: Session) -> None:
    import duckdb

    for text in ("SET enable_external_access = true", "SET threads = 8", "ATTACH '/tmp/evil.db'", "LOAD httpfs",
                 "SELECT * FROM read_csv('/etc/passwd')", "COPY t TO '/tmp/evil.csv'"):  # fmt: skip
        with pytest.raises(duckdb.Error):
            asked.connection.execute(text).fetchall()


def test_what_a_model_says_is_never_read_as_sql() -> None:
    said = "'); DROP TABLE t; SELECT * FROM read_csv('/etc/passwd') --"
    asked = session(Told(lambda question: said), {"t": T})
    assert rows(asked, "SELECT DISTINCT ai_ask(x) FROM t") == [(said,)]
    asked.run("CREATE KNOWLEDGE TABLE k (name TEXT KEY, v TEXT)")
    assert rows(asked, "SELECT v FROM model('told').k WHERE name IN (SELECT ai_ask(x) FROM t)") == [(said,)]
    assert rows(asked, "SELECT count(*) FROM t") == [(2,)]


def test_what_a_table_says_is_never_read_as_sql_or_place(tmp_path: Path) -> None:
    texts = ["it's", "{} {}", '"', "$p1", "?", "\\", "a\nb", "\x1f", "💥"]
    told = Told(lambda question: "yes")
    asked = session(told, {"t": pl.DataFrame({"x": texts})})
    assert len(rows(asked, "SELECT x FROM t WHERE ai_filter('Is {} odd?', x)")) == len(texts)
    assert set(told.asked) == {f"Is {text} odd?" for text in texts}


def test_attached_files_are_read_once_and_no_other(tmp_path: Path) -> None:
    T.write_csv(tmp_path / "a.csv")
    T.write_parquet(tmp_path / "b.parquet")
    T.write_ndjson(tmp_path / "c.jsonl")
    import duckdb

    with duckdb.connect(tmp_path / "d.duckdb") as made:
        made.execute("CREATE TABLE t AS SELECT 'a' AS x")
    T.write_csv(tmp_path / "other.csv")
    attach = {path.stem: path for path in tmp_path.iterdir() if path.stem in "abcd"}
    asked = session(Told(lambda question: "yes"), attach)
    for name, count in (("a", 2), ("b", 2), ("c", 2), ("d.t", 1)):
        assert rows(asked, f"SELECT count(*) FROM {name} WHERE ai_filter('?', x)") == [(count,)]
    with pytest.raises(UserError):
        asked.run(f"SELECT * FROM read_csv('{tmp_path / 'other.csv'}')")
    assert asked.tables() == {"a": ["x"], "b": ["x"], "c": ["x"], "d.t": ["x"]}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("no.csv", None, "no such file"),
        ("a.xls", "x", "use one of"),
        ("a.parquet", "x", r"a\.parquet"),
        ("a.db", "x", r"a\.db"),
        ("a.sqlite", "x", r"a\.sqlite: is no SQLite database"),
        ("a.sqlite", "SQLite format 3\x00 and nothing more", r"a\.sqlite: .*database"),
    ],
)
def test_files_that_cannot_be_attached(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=said):
        session(Told(lambda question: "yes"), {"f": tmp_path / name})


@pytest.mark.parametrize("name", ["a b", "1a", "scores", "model", "__q1", ""])
def test_names_that_cannot_be_attached(name: str) -> None:
    with pytest.raises(UserError, match="--attach"):
        session(Told(lambda question: "yes"), {name: T})
