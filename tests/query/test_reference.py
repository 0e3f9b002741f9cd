"""Any query gives what it gives when every row's answer is simply written into the table first."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scalecurve.query.session import Session

from .helpers import Told, session

LABELS = ("red", "green", "blue")


def mixed(text: str) -> int:
    return sum(ord(c) * (at + 1) for at, c in enumerate(text))


def rule(question: str) -> str:
    """A decision for filters, a label for classifications, and a number for other questions; some make no sense."""
    head, _, body = question.partition("\n")
    if "choice:" in question:
        return LABELS[mixed(head) % 3]
    if head.startswith("number"):
        value = mixed(head) % 7
        return "no idea" if value == 3 else str(value)
    return "yes" if mixed(head + body) % 3 else "no"


def is_(question: str, text: str | None) -> bool | None:
    return None if text is None else rule(f"{question}\n{text}") == "yes"


def number(text: str | None) -> int | None:
    said = None if text is None else rule(f"number {text}")
    return int(said) if said and said.isdigit() else None


def label(text: str | None) -> str | None:
    return None if text is None else rule(f"{text}\n  choice: red")


TEXTS = ["apple", "bee", "cat", "dog", "eel", None]
T = pl.DataFrame({"id": range(24), "x": [TEXTS[i * 7 % 6] for i in range(24)], "n": [i * 5 % 8 for i in range(24)]})
U = pl.DataFrame({"k": [i % 5 for i in range(9)], "y": [TEXTS[i * 5 % 6] for i in range(9)]})


def filled(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """``frame`` with what each call says of ``column``, a column a call."""
    texts = frame[column].to_list()
    return frame.with_columns(
        pl.Series(f"{column}_a", [is_("A?", t) for t in texts], dtype=pl.Boolean),
        pl.Series(f"{column}_b", [is_("B?", t) for t in texts], dtype=pl.Boolean),
        pl.Series(f"{column}_l", [label(t) for t in texts], dtype=pl.String),
        pl.Series(f"{column}_i", [number(t) for t in texts], dtype=pl.Int32),
    )


CALLS = {
    "{c}_a": "ai_filter('A?', {q})",
    "{c}_b": "ai_filter('B?', {q})",
    "{c}_l": "ai_classify({q}, ['red', 'green', 'blue'])",
    "{c}_i": "ai_ask('number ' || {q}, 'INT')",
}


def both(form: str) -> tuple[str, str]:
    """(with calls, with the reference's columns) of a text in which [t.x_a] and the like stand for calls."""
    asked = reference = form
    for table, column in (("t", "x"), ("u", "y"), ("s", "x")):
        for name, call in CALLS.items():
            mark = f"{table}.{name.format(c=column)}]"
            for begin, form in (("[", "{}"), ("[any ", "any_value({})")):  # of a group, whose rows all say the same
                asked = asked.replace(begin + mark, call.format(q=f"{table}.{column}"))
                reference = reference.replace(begin + mark, form.format(mark[:-1]))
    return asked, reference


def booleans(table: str, column: str) -> st.SearchStrategy[str]:
    plain = ["{t}.n > 3", "{t}.n % 2 = 0", "{t}.id < 15", "{t}.x IS NOT NULL", "{t}.x LIKE '%e%'"]
    if table == "u":
        plain = ["{t}.k > 1", "{t}.y LIKE '%e%'", "{t}.y IS NOT NULL"]
    asked = ["[{t}.{c}_a]", "[{t}.{c}_b]", "[{t}.{c}_l] = 'red'", "[{t}.{c}_i] > 2", "[{t}.{c}_a] IS NULL",
             "[{t}.{c}_l] IN ('red', 'blue')", "coalesce([{t}.{c}_a], TRUE)"]  # fmt: skip
    atoms = st.sampled_from([each.format(t=table, c=column) for each in plain + 2 * asked])
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda p: f"({p[0]} AND {p[1]})"),
            st.tuples(inner, inner).map(lambda p: f"({p[0]} OR {p[1]})"),
            inner.map(lambda p: f"NOT ({p})"),
            st.tuples(inner, inner, inner).map(lambda p: f"(CASE WHEN {p[0]} THEN {p[1]} ELSE {p[2]} END)"),
        ),
        max_leaves=5,
    )


def conditions(*sides: tuple[str, str]) -> st.SearchStrategy[str]:
    atoms = st.one_of(*(booleans(*side) for side in sides))
    return st.lists(atoms, max_size=3).map(lambda parts: "WHERE " + " AND ".join(parts) if parts else "")


ONE = conditions(("t", "x"))
TWO = conditions(("t", "x"), ("u", "y"))
VALUES = st.sampled_from(
    ["[t.x_a]", "[t.x_b]", "[t.x_l]", "[t.x_i]", "t.n", "t.id + coalesce([t.x_i], 0)",
     "CASE WHEN t.n > 3 THEN [t.x_l] END", "CASE [t.x_l] WHEN 'red' THEN [t.x_i] ELSE t.n END"]
)  # fmt: skip
LIMITED = st.sampled_from(["", "LIMIT 3", "LIMIT 2 OFFSET 1"])
GROUPED = st.sampled_from(
    [
        ("SELECT [t.x_l] AS l, count(*) AS c FROM t", "GROUP BY 1"),
        ("SELECT [t.x_l] AS l, max([t.x_i]) AS m FROM t", "GROUP BY l"),
        ("SELECT t.n, count(*) FILTER (WHERE [t.x_a]) AS c FROM t", "GROUP BY ALL"),
        ("SELECT t.x, count(*) AS c FROM t", "GROUP BY t.x HAVING [any t.x_a] AND count(*) > 1"),
        ("SELECT t.x, [any t.x_i] AS i, sum(t.n) AS c FROM t", "GROUP BY t.x"),
        ("SELECT count(*), sum([t.x_i]) FROM t", ""),
        ("SELECT DISTINCT [t.x_l] AS l, t.n FROM t", ""),
        ("SELECT t.n % 2 AS p, avg([t.x_i]) AS m FROM t", "GROUP BY p HAVING bool_or([t.x_b])"),
    ]
)
JOINS = st.sampled_from(
    [
        "t JOIN u ON t.n = u.k",
        "t LEFT JOIN u ON t.n = u.k AND [u.y_a]",
        "t JOIN u ON t.n = u.k AND [t.x_a] AND [u.y_b]",
        "t, u",
        "t RIGHT JOIN u ON t.n = u.k AND [t.x_b]",
        "t FULL JOIN u ON t.n = u.k AND ([t.x_a] OR [u.y_a])",
        "t JOIN u ON t.n = u.k AND [u.y_a] LEFT JOIN s ON s.id = t.id AND [s.x_b]",
        "t SEMI JOIN u ON t.n = u.k AND [u.y_a]",
    ]
)
QUERIES = st.one_of(
    st.tuples(VALUES, ONE).map(lambda p: f"SELECT t.id, {p[0]} AS v FROM t {p[1]}"),
    st.tuples(ONE).map(lambda p: f"SELECT * EXCLUDE (x_a, x_b, x_l, x_i) FROM t {p[0]}"),
    st.tuples(GROUPED, ONE).map(lambda p: f"{p[0][0]} {p[1]} {p[0][1]}"),
    st.tuples(ONE, ONE).map(lambda p: f"SELECT t.id FROM t {p[0]} UNION SELECT t.id + 100 FROM t {p[1]}"),
    st.tuples(ONE).map(
        lambda p: f"WITH c AS (SELECT t.id, [t.x_l] AS l FROM t {p[0]}) SELECT l, count(*) FROM c GROUP BY l"
    ),
    st.tuples(ONE).map(lambda p: f"SELECT u.k FROM u WHERE u.k IN (SELECT t.n FROM t {p[0]}) AND [u.y_a]"),
    st.tuples(ONE).map(lambda p: f"SELECT f, count(*) FROM (SELECT [t.x_a] AS f FROM t {p[0]}) z WHERE f GROUP BY f"),
    st.just("SELECT u.k FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.n = u.k AND [t.x_a] AND [t.x_b])"),
    st.just("SELECT t.id, row_number() OVER (ORDER BY [t.x_i], t.id) AS r FROM t"),
    st.just("SELECT t.id FROM t QUALIFY row_number() OVER (PARTITION BY [t.x_l] ORDER BY t.id) = 1"),
    st.just("SELECT DISTINCT ON ([t.x_l]) [t.x_l] AS l FROM t ORDER BY l"),
    st.just("SELECT upper(t.x) AS x2, [t.x_a] AS f FROM t WHERE f AND x2 LIKE 'A%'"),
)


@pytest.fixture(scope="module")
def asked() -> Session:
    return session(Told(rule), {"t": T, "u": U, "s": T.head(10)})


@pytest.fixture(scope="module")
def reference() -> Session:
    return session(Told(rule), {"t": filled(T, "x"), "u": filled(U, "y"), "s": filled(T.head(10), "x")})


def both_ways(asked: Session, reference: Session, form: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    mine, plain = both(form)
    return asked.run(mine.replace("* EXCLUDE (x_a, x_b, x_l, x_i)", "*")).pl(), reference.run(plain).pl()


def in_any_order(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    return sorted(frame.rows(), key=repr)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(QUERIES, st.tuples(JOINS, TWO).map(lambda p: f"SELECT t.id, [t.x_l] AS l FROM {p[0]} {p[1]}")))
def test_same_rows_as_the_reference(asked: Session, reference: Session, form: str) -> None:
    if "SEMI" in form:
        form = form.split("WHERE")[0]
    mine, plain = both_ways(asked, reference, form)
    assert in_any_order(mine) == in_any_order(plain)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES, ONE, LIMITED)
def test_a_limit_takes_rows_of_the_whole(
    asked: Session, reference: Session, value: str, where: str, limit: str
) -> None:
    form = f"SELECT t.id, {value} AS v FROM t {where}"
    mine, plain = both_ways(asked, reference, f"{form} {limit}")
    whole = {repr(row) for row in both_ways(asked, reference, form)[1].rows()}
    assert len(mine) == len(plain)
    assert {repr(row) for row in mine.rows()} <= whole


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES, ONE, st.sampled_from(["t.id", "v, t.id", "2, 1", "t.n DESC, t.id"]), LIMITED)
def test_an_order_is_kept(asked: Session, reference: Session, value: str, where: str, order: str, limit: str) -> None:
    mine, plain = both_ways(asked, reference, f"SELECT t.id, {value} AS v FROM t {where} ORDER BY {order} {limit}")
    assert mine.rows() == plain.rows()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        QUERIES,
        st.tuples(JOINS, TWO).map(
            lambda p: f"SELECT t.id, [t.x_l] AS l FROM {p[0]} {p[1] if 'SEMI' not in p[0] else ''}"
        ),
        st.tuples(VALUES, ONE, LIMITED).map(lambda p: f"SELECT t.id, {p[0]} AS v FROM t {p[1]} {p[2]}"),
    )
)
@example("SELECT t.x, count(*) AS c FROM t WHERE [t.x_b] GROUP BY t.x HAVING [any t.x_a] AND count(*) > 1")
def test_explain_foretells_the_calls(form: str) -> None:
    told = Told(rule)
    fresh = session(told, {"t": T, "u": U, "s": T.head(10)})
    text = both(form)[0].replace("* EXCLUDE (x_a, x_b, x_l, x_i)", "*")
    fresh.run("EXPLAIN " + text)
    assert told.asked == [], "EXPLAIN asks nothing"
    plan = fresh.run("EXPLAIN ANALYZE " + text).pl()
    for said, calls in plan.select("calls", "actual_calls").rows():
        if said.isdigit():
            assert calls == int(said)
        elif said != "depends on answers":
            assert calls <= int(said.removeprefix("at most "))
    assert plan["actual_calls"].sum() == len(told.asked) == len(set(told.asked))
    fresh.close()
