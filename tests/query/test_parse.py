"""Statements: what is understood, what is refused, and that nothing crashes the parser."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.query.sql.parse import parse
from scalecurve.query.sql.statement import AiCall, Column, KnowledgeTable, Query


def query(text: str) -> Query:
    found = parse(text)
    assert isinstance(found, Query)
    return found


def test_options_of_the_query() -> None:
    found = query(
        "SELECT id FROM r WHERE ai_filter('c?', txt) AND yr = 2024 USING recall .9, strategy sc(3), gate on, "
        "budget 5 tokens, model ladder, seed 7, on_fail abstain"
    )
    assert found.options == {
        "recall": 0.9,
        "strategy": "sc(3)",
        "gate": True,
        "budget": 5,
        "model": "ladder",
        "seed": 7,
        "on_fail": "abstain",
    }
    assert found.calls == (AiCall("ai_filter", ("'c?'", "txt")),)
    assert "USING" not in found.sql


def test_options_of_a_cte_beside_a_join_using() -> None:
    found = query("WITH a AS (SELECT 1 AS k USING seed 3) SELECT * FROM a JOIN b USING (k) USING seed 4")
    assert (found.options, found.cte_options) == ({"seed": 4}, {"a": {"seed": 3}})
    assert found.sql.endswith("JOIN b USING (k)")


def test_options_after_a_union_are_the_querys() -> None:
    assert query("SELECT a FROM x UNION SELECT b FROM y USING seed 4").options == {"seed": 4}


def test_options_of_a_call() -> None:
    found = query("SELECT ai_ask(q, 'INT', strategy := 'cot', model := 'Big') FROM g")
    assert found.calls == (AiCall("ai_ask", ("q", "'INT'"), {"strategy": "cot", "model": "Big"}),)


@pytest.mark.parametrize(("prefix", "explain"), [("", ""), ("EXPLAIN ", "plan"), ("explain ANALYZE\n", "analyze")])
def test_explain(prefix: str, explain: str) -> None:
    assert query(prefix + "SELECT a FROM t USING gate off") == Query("SELECT a FROM t", explain, {"gate": False})


def test_knowledge_table() -> None:
    found = parse("create knowledge table country (name VARCHAR KEY, people int)")
    assert found == KnowledgeTable("country", (Column("name", "VARCHAR", True), Column("people", "INT")))


REFUSED = [
    "ATTACH 'x.db'",
    "COPY t TO 'x.csv'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA version",
    "SET threads = 1",
    "EXPLAIN COPY t TO 'x'",
    "EXPLAIN EXPLAIN SELECT 1",
    "DROP TABLE t",
    "CREATE TABLE t (a INT)",
    "CREATE MODEL m",
    "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM READ_TEXT('/etc/passwd')",
    "SELECT * FROM parquet_scan('x')",
    "SELECT * FROM glob('*')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "a.csv"',
    "SELECT (SELECT 1 FROM 'a.csv')",
    "SELECT getenv('HOME')",
    "FROM 'a.csv'",
    "SELECT * FROM t, 'a.csv'",
    "SELECT * FROM t JOIN read_json('a') USING (k)",
    "SELECT * FROM main.'a.csv'",
    "SUMMARIZE 'a.csv'",
    "DESCRIBE 'a.csv'",
    "SELECT 1 INTO OUTFILE 'x'",
    "SELECT * FROM LATERAL read_csv('a')",
    "SELECT 1; SELECT 2",
    "",
    "SELECT * FROM t OPTION(x)",
    "SELECT ai_filter(x USING 'cot') FROM t",
    "SELECT a FROM t WITH (k = v)",
    "SELECT a FROM t USING",
    "SELECT a FROM t USING seed",
    "SELECT a FROM t USING seed -1",
    "SELECT a FROM t USING recall 2",
    "SELECT a FROM t USING seed 1, seed 2",
    "SELECT a FROM t USING colour 3",
    "SELECT ai_guess(x) FROM t",
    "SELECT * FROM (SELECT 1 USING seed 2)",
    "SELECT * FROM model(m).country",
    "CREATE KNOWLEDGE TABLE c (a INT, b INT)",
    "CREATE KNOWLEDGE TABLE c (a INT KEY, b ATTACH)",
    "SELECT " + "(" * 500 + "1" + ")" * 500,
    "SELECT " + "NOT " * 15_000 + "1",
    "SELECT " + "1+" * 15_000 + "1",
    "SELECT '" + "x" * 10_000_000 + "'",
]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40])
def test_refused_with_one_short_line(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


WORDS = st.sampled_from(
    "SELECT FROM WHERE USING WITH AS ( ) [ ] , ; := . * ' t a 'x' 1 .9 ai_ask ai_filter model ladder seed gate on "
    "off CASE END UNION JOIN LIMIT EXPLAIN ANALYZE CREATE KNOWLEDGE TABLE KEY PIVOT".split()
)


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=25).map(" ".join)))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), Query | KnowledgeTable)
    except UserError as refused:
        message = str(refused)
    else:
        message = ""
    assert message == "" or message.isprintable()
