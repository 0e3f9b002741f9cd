"""The engine traps: what DuckDB would call a function for, against the calls that are needed."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from scalecurve.query.session import Session

from .helpers import Told, rows, session

N = 100_000


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    i = pl.int_range(N, eager=True).alias("i")
    frame = pl.DataFrame({"i": i})
    return frame.select(
        pl.format("text {}", pl.col("i") % 10).alias("a"),
        pl.col("i").alias("b"),
        pl.concat_str([pl.lit("x" * 9)]).str.head((pl.col("i") // 10) % 10).alias("s"),
    )


@pytest.fixture
def told() -> Told:
    return Told(lambda question: "yes" if "3" in question else "no")


@pytest.fixture
def asked(told: Told, table: pl.DataFrame) -> Iterator[Session]:
    made = session(told, {"t": table})
    yield made
    made.close()


TRAPS = [
    ("SELECT * FROM t WHERE ai_filter('has a three?', a) AND length(s) > 0 AND b % 100 = 0", 0, []),
    ("SELECT * FROM t WHERE b % 100 = 0 AND length(s) > 0 AND ai_filter('has a three?', a)", 0, []),
    ("SELECT count(*) FROM t WHERE b % 100 = 0 AND ai_filter('has a three?', a)", 1, [(0,)]),
    ("SELECT count(*) FROM (SELECT DISTINCT a FROM t) WHERE ai_filter('has a three?', a)", 10, [(1,)]),
    ("SELECT a FROM t WHERE ai_filter('has a three?', a) LIMIT 3", 10, [("text 3",)] * 3),
    ("SELECT count(*) FROM (SELECT ai_filter('3?', a), ai_filter('3?', a) FROM t)", 10, [(N,)]),
    ("SELECT f FROM (SELECT ai_filter('has a three?', a) f FROM t WHERE b < 50) WHERE f", 10, [(True,)] * 5),
]


@pytest.mark.parametrize(("text", "calls", "wanted"), TRAPS, ids=lambda value: str(value)[:60])
def test_trap(asked: Session, told: Told, text: str, calls: int, wanted: list[tuple[object, ...]]) -> None:
    assert rows(asked, text) == wanted
    assert len(told.asked) <= calls if "LIMIT" in text else len(told.asked) == calls
    assert len(told.asked) == len(set(told.asked))


def test_explain_asks_nothing_and_tells_the_calls(asked: Session, told: Told) -> None:
    for text, calls, _ in TRAPS:
        plan = asked.run("EXPLAIN " + text).pl()
        assert told.asked == []
        assert plan["calls"].to_list() == ([str(calls)] if "LIMIT" not in text else [f"at most {calls}"])


@pytest.mark.parametrize(
    ("every", "wanted", "calls"),
    [
        (1, 5, 5),  # all pass: as many as are wanted
        (2, 5, 11),  # every second passes: of 5 two, then of 6 the three that are missing
        (40, 1, 51),  # the 40th passes: 4, 5, 10, 16, 16
        (1000, 1, 100),  # none passes
    ],
)
def test_a_limit_asks_as_many_at_a_time_as_are_still_missing(every: int, wanted: int, calls: int) -> None:
    told = Told(lambda question: "no" if len(told.asked) % every else "yes")  # by turns, in whatever order texts come
    texts = pl.DataFrame({"i": range(1, 101)}).select(pl.format("text {}", pl.col("i")).alias("x"))
    opened = session(told, {"t": texts})
    found = rows(opened, f"SELECT x FROM t WHERE ai_filter('?', x) LIMIT {wanted}")
    assert len(found) == (wanted if every <= 100 else 0)
    assert len(told.asked) == calls
    opened.close()
