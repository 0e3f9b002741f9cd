"""The plan as an object: what is asked, of whom, on which rows, in which order."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from dataclasses import FrozenInstanceError

import polars as pl
import pytest

from scalecurve.query import planner
from scalecurve.query.planner.plan import AiPlan, Ask

from .helpers import Told, rows, session

T = pl.DataFrame({"id": [1, 2, 3, 4], "x": ["ant", "bee", None, "ant"]})


@pytest.mark.parametrize("name", [each.name for each in pkgutil.iter_modules(planner.__path__)])
def test_every_pass_shows_what_it_does(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"{planner.__name__}.{name}"))
    assert done.attempted
    assert not done.failed


def test_a_plan_is_frozen_printed_and_compared() -> None:
    told = Told(lambda question: "yes")
    asked = session(told, {"t": T})
    plan = asked.plan("SELECT id, ai_score('?', x) FROM t WHERE ai_filter('an insect?', x) AND id < 4")
    why = {"model": "told", "strategy": "direct", "why": "named"}
    assert plan == AiPlan(
        (
            Ask("ai_filter('an insect?', x)", "WHERE", "rows", 2, 2, 0, 2, 14, **why),
            Ask("ai_score('?', x)", "SELECT", "rows that are left", 2, 2, 0, 2, 12, exact=False, **why),
        )
    )
    assert str(plan).splitlines() == [
        "1 WHERE: ai_filter('an insect?', x) on rows: 2 calls of told",
        "2 SELECT: ai_score('?', x) on rows that are left: at most 2 calls of told",
    ]
    assert told.asked == []
    with pytest.raises(FrozenInstanceError):
        plan.asks[0].calls = 0
    assert asked.plan("SELECT id FROM t") == AiPlan()


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("SELECT id FROM t WHERE ai_filter('?', x) LIMIT 1", [("WHERE", "rows until 1 are found")]),
        ("SELECT id, ai_score('?', x) FROM t ORDER BY id LIMIT 2", [("SELECT", "the first 2 rows that are left")]),
        ("SELECT ai_ask('say ' || max(x)) FROM t", [("SELECT", "groups")]),
        ("SELECT a.id FROM t a LEFT JOIN t b ON a.id = b.id AND ai_filter('?', b.x)",
         [("JOIN ON", "pairs of an outer join")]),
        ("SELECT id FROM t WHERE ai_filter('a', x) AND ai_filter('b', x)",
         [("WHERE", "rows, the condition that removes rows most cheaply first")] * 2),
        ("WITH c AS (SELECT ai_filter('?', x) AS f FROM t) SELECT ai_ask('say ' || f) FROM c",
         [("SELECT", "rows that are left")] * 2),
    ],
)  # fmt: skip
def test_explain_and_the_run_walk_one_plan(text: str, clauses: list[tuple[str, str]]) -> None:
    told = Told(lambda question: "yes")
    asked = session(told, {"t": T})
    assert [(ask.clause, ask.over) for ask in asked.plan(text).asks] == clauses
    explained = asked.run(f"EXPLAIN {text}").pl()
    assert explained["clause"].to_list() == [clause for clause, _ in clauses]
    rows(asked, text)
    most = asked.plan(text).calls
    assert most is None or len(told.asked) >= most  # after the run all is cached


ONE, OTHER = "ai_filter('one?', x)", "ai_filter('other?', x)"


@pytest.mark.parametrize(
    ("text", "foretold", "together"),
    [
        # a label of each side: the second side is asked what the first side was not
        (f"WITH p AS (SELECT * FROM t WHERE {ONE}) SELECT count(*) FROM p a JOIN p b ON a.id < b.id "
         "AND ai_filter('Have {} and {} opposite sentiment?', a.x, b.x)",
         ["6", "at most 6", "at most 6"], 12),
        ("SELECT count(*) FROM t a JOIN t b ON ai_filter('Have {} and {} the same sentiment?', a.x, b.x)",
         ["6", "0"], 6),
        ("SELECT a.id FROM t a JOIN t b ON ai_filter('Have {} and {} the same sentiment?', a.x, b.x) LIMIT 2",
         ["at most 6", "at most 6"], 6),
        # what a search that may end early asks is not surely known afterwards
        (f"SELECT TRUE AS v FROM (SELECT id FROM t WHERE {ONE} LIMIT 1) UNION ALL SELECT {ONE} FROM t",
         ["at most 6", "at most 6"], 6),
        (f"SELECT id FROM t WHERE {ONE} AND {OTHER} UNION ALL SELECT id FROM t WHERE {ONE}",
         ["at most 6", "at most 6"], 12),
        (f"SELECT id, {OTHER} FROM t WHERE {ONE} ORDER BY {OTHER}", ["6", "at most 6", "at most 6"], 12),
    ],
)  # fmt: skip
def test_every_step_and_all_together_keep_what_explain_says(text: str, foretold: list[str], together: int) -> None:
    texts = ["ant", "bee", "cat", "dog", "eel", "fly", None, "ant"]
    told = Told(lambda question: "negative" if "sentiment" in question else "yes" if len(question) % 3 else "no")
    asked = session(told, {"t": pl.DataFrame({"id": range(8), "x": texts})})
    plan = asked.plan(text)
    assert [ask.expected for ask in plan.asks] == foretold
    assert plan.calls == together
    made = asked.run(f"EXPLAIN ANALYZE {text}").pl()["actual_calls"].to_list()
    for ask, calls in zip(plan.asks, made, strict=True):
        assert calls <= (ask.calls or 0)
        assert not ask.exact or calls == ask.calls
    assert sum(made) == len(told.asked) <= together
    asked.close()


@pytest.mark.parametrize(("every", "limit", "most"), [(1, 5, 5), (2, 5, 20), (10, 5, 75), (1, 1, 4), (1, 100, 100)])
def test_a_limit_asks_hardly_more_than_it_takes(every: int, limit: int, most: int) -> None:
    """``every`` so many texts pass; those asked are in a random order."""
    told = Told(lambda question: "yes" if int(question.split()[-1]) % every == 0 else "no")
    asked = session(told, {"t": pl.DataFrame({"x": [f"text {at}" for at in range(1000)]})})
    assert len(rows(asked, f"SELECT x FROM t WHERE ai_filter('even?', x) LIMIT {limit}")) == limit
    assert len(told.asked) <= most
    asked.close()
