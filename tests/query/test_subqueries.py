"""Where a call cannot be answered rightly it is refused, and where no row is wanted nothing is asked."""

from __future__ import annotations

import polars as pl
import pytest

from scalecurve.errors import UserError

from .helpers import Told, rows, session

T = pl.DataFrame({"id": [1, 2, 3, 4], "n": [1, 2, 1, 2], "x": ["ant", "bee", None, "cat"]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # each outer row has a group of its own, and the answers would be about the whole table
        ("SELECT (SELECT ai_agg(x, 'Sum up.') FROM t u WHERE u.n = t.n) FROM t", "depend on the query around it"),
        ("SELECT (SELECT ai_filter('?', string_agg(u.x, ',')) FROM t u WHERE u.n = t.n) FROM t", "group in a CTE"),
        ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM t u WHERE u.id > t.id GROUP BY u.n "
         "HAVING ai_filter('?', min(u.x)))", "group in a CTE"),
        ("SELECT (SELECT ai_filter('?', first_value(x) OVER ()) FROM t u WHERE u.n = t.n LIMIT 1) FROM t", "CTE"),
        # names of columns are not known before DuckDB expands them
        ("SELECT ai_filter('?', COLUMNS(*)) FROM t", "name the column"),
        ("SELECT ai_filter('?', x) OVER () FROM t", "belong to aggregates"),
        ("SELECT ai_filter('?', x) FILTER (WHERE n > 1) FROM t", "belong to aggregates"),
    ],
)  # fmt: skip
def test_what_would_be_answered_wrongly_is_refused(text: str, said: str) -> None:
    told = Told(lambda question: "yes")
    opened = session(told, {"t": T})
    for statement in (text, f"EXPLAIN {text}"):
        with pytest.raises(UserError, match=said) as refused:
            opened.run(statement)
        assert "__ai" not in str(refused.value)
    assert told.asked == []
    opened.close()


def test_a_group_that_stands_by_itself_is_answered_in_a_subquery() -> None:
    opened = session(Told(lambda question: "fine"), {"t": T})
    assert rows(opened, "SELECT (SELECT ai_agg(x, 'Sum up.') FROM t u) AS s FROM t LIMIT 1") == [("fine",)]
    before = "WITH g AS (SELECT n, ai_agg(x, 'Sum up.') AS s FROM t GROUP BY n) "
    found = rows(opened, f"{before}SELECT id, (SELECT s FROM g WHERE g.n = t.n) FROM t WHERE id < 3")
    assert found == [(1, "fine"), (2, "fine")]
    opened.close()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id, ai_filter('?', x) FROM t LIMIT 0",
        "SELECT id FROM t WHERE ai_filter('?', x) LIMIT 0",
        "SELECT id FROM t ORDER BY ai_rate(x, 'How nice?') DESC LIMIT 0",
        "SELECT n, ai_agg(x, 'Sum up.') FROM t GROUP BY n LIMIT 0",
        "SELECT ai_agg(x, 'Sum up.') FROM t LIMIT 0",
        "SELECT a.id FROM t a JOIN t b ON ai_filter('Is {} like {}?', a.x, b.x) LIMIT 0",
        "WITH c AS (SELECT x FROM t WHERE ai_filter('?', x) LIMIT 0) SELECT ai_rate(x, 'How nice?') FROM c",
    ],
)
def test_without_a_row_nothing_is_asked(text: str) -> None:
    told = Told(lambda question: "yes")
    opened = session(told, {"t": T})
    assert opened.plan(text).calls == 0
    assert rows(opened, text) == []
    assert told.asked == []
    opened.close()
