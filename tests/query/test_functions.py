"""What each function asks and returns, what becomes of answers that are none, and the options."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.query.session import Session

from .helpers import Told, rows, session

T = pl.DataFrame({"id": [1, 2, 3, 4], "x": ["ant", "bee", None, "ant"]})


def one(said: str, text: str, **more: Any) -> tuple[Any, Told]:
    """The single value of a statement put to a model that always says ``said``, and that model."""
    told = Told(lambda question: said)
    ((value,),) = rows(session(told, {"t": T}, **more), text)
    return value, told


ASKED = [
    ("SELECT ai_filter('An insect?', 'ant')", "yes", True, ["An insect?\nant"]),
    ("SELECT ai_filter('Is {} bigger than {}?', 'ant', 'bee')", "no", False, ["Is ant bigger than bee?"]),
    ("SELECT ai_filter('An insect?', NULL)", "yes", None, []),
    ("SELECT ai_classify('ant', ['mammal', 'insect'])", "insect", "insect",
     ["ant\n  choice: mammal\n  choice: insect"]),
    ("SELECT ai_ask('2+2?', 'INT')", " 4", 4, ["2+2?"]),
    ("SELECT ai_ask('2+2?', 'int')", "four", None, ["2+2?"]),
    ("SELECT ai_ask('Who?')", "Ann", "Ann", ["Who?"]),
    ("SELECT ai_ask('Who?')", "Unknown.", None, ["Who?"]),
    ("SELECT ai_ask('Sure?', 'BOOLEAN')", "no", False, ["Sure?"]),
    ("SELECT ai_ask('Which?', ['a', 'b'])", "b", "b", ["Which?"]),
    ("SELECT ai_ask('Which?', 'ENUM(a, b)')", "b", "b", ["Which?"]),
    ("SELECT ai_extract('due 2024-05-01', 'DATE')", "2024-05-01", date(2024, 5, 1),
     ["Which date (year-month-day) does this text state?\ndue 2024-05-01"]),
    ("SELECT ai_extract('Ann left', 'VARCHAR', 'Who left?')", "Ann", "Ann", ["Who left?\nAnn left"]),
    ("SELECT ai_complete('Once upon')", " a time\n", " a time\n", ["Once upon"]),
    ("SELECT ai_score('An insect?', 'ant')", "yes", pytest.approx(0.9), ["An insect?\nant"]),
    ("SELECT ai_score('An insect?', 'ant')", "no", pytest.approx(0.1), ["An insect?\nant"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said", "value", "asked"), ASKED)
def test_asks_and_returns(text: str, said: str, value: Any, asked: list[str]) -> None:
    found, told = one(said, text)
    assert found == value
    shown = [
        each.replace("  choice: insect\n  choice: mammal", "  choice: mammal\n  choice: insect") for each in told.asked
    ]
    assert shown == asked


REFUSED = [
    "SELECT ai_classify(x, [x]) FROM t",
    "SELECT ai_classify(x, ['one']) FROM t",
    "SELECT ai_classify(x, 'a,b') FROM t",
    "SELECT ai_ask(x, x) FROM t",
    "SELECT ai_ask(x, 'NUMBER') FROM t",
    "SELECT ai_extract(x, 'VARCHAR') FROM t",
    "SELECT ai_filter('{} and {}?', x) FROM t",
    "SELECT ai_complete(x, 3) FROM t",
    "SELECT ai_meta(x) FROM t",
    "SELECT ai_meta(ai_meta(ai_ask(x))) FROM t",
    "SELECT list_transform(['a'], v -> ai_ask(v)) FROM t",
    "SELECT id FROM t LIMIT ai_ask('how many?', 'INT')",
    "SELECT id FROM t WHERE ai_filter('?', x) AND random() < 0.5",
    "SELECT id FROM t UNION SELECT id FROM t ORDER BY ai_ask('?')",
    "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE ai_filter('?', i)) SELECT * FROM r",
    "SELECT ai_filter('?', x), count(*) FROM t GROUP BY ROLLUP (x)",
    "SELECT ai_filter('?', nosuch) FROM t",
    "SELECT ai_filter('?', x) FROM nosuch",
    "VALUES (ai_ask('?'))",
    "SELECT id FROM t WHERE ai_filter('?', x) USING recall .9",
    "SELECT id FROM t WHERE ai_filter('?', x) USING min_accuracy .9",
    "SELECT id FROM t WHERE ai_filter('?', x) USING model ladder",
    "SELECT id FROM t WHERE ai_filter('?', x) USING model 'nosuch'",
    "SELECT capital FROM model('told').country WHERE name = 'Peru'",
]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:50])
def test_refused_in_one_line_before_anything_is_asked(text: str) -> None:
    told = Told(lambda question: "yes")
    with pytest.raises(UserError) as caught:
        session(told, {"t": T}).run(text)
    assert str(caught.value).startswith("query: ") or "nosuch" in str(caught.value)
    assert len(str(caught.value)) < 260
    assert str(caught.value).isprintable()
    assert told.asked == []


def test_meta_tells_all_of_a_cell_for_nothing() -> None:
    told = Told(lambda question: "yes" if "ant" in question else "no")
    asked = session(told, {"t": T})
    found = rows(asked, "SELECT id, ai_filter('?', x) AS f, ai_meta(ai_filter('?', x)) AS m FROM t ORDER BY id")
    assert len(told.asked) == 2
    value, confidence, margin, model, strategy, status, samples, tokens_in, tokens_out, prompt = found[0][2].values()
    assert (value, model, strategy, status, samples, tokens_out) == (True, "told", "direct", "ok", 1, 0)
    assert confidence == pytest.approx(0.9)
    assert margin == pytest.approx(2.1972, abs=1e-4)
    assert tokens_in > 0
    assert len(prompt) == 16
    assert found[2][1:] == (None, None)
    assert rows(asked, "SELECT ai_meta(ai_filter('?', x)).status FROM t WHERE id = 2") == [("ok",)]


def failing(question: str) -> str:
    return "!the server is down" if "bee" in question else "yes"


@pytest.mark.parametrize("condition", ["ai_filter('?', x)", "NOT ai_filter('?', x)"])
def test_a_failed_answer_is_never_a_default(condition: str) -> None:
    asked = session(Told(failing), {"t": T})
    result = asked.run(f"SELECT id FROM t WHERE {condition}")
    assert 2 not in result.pl()["id"].to_list()
    assert "1 error" in result.summary
    assert "the server is down" in result.summary
    ((status,),) = rows(asked, "SELECT ai_meta(ai_filter('?', x)).status FROM t WHERE id = 2")
    assert status == "error"


def test_statuses_are_counted() -> None:
    said = {"a": "3", "b": "three", "c": "unknown", "d": "!lost"}
    told = Told(lambda question: said[question])
    result = session(told, {"t": pl.DataFrame({"x": list("abcd")})}).run("SELECT x, ai_ask(x, 'INT') AS n FROM t")
    assert sorted(result.pl().rows()) == [("a", 3), ("b", None), ("c", None), ("d", None)]
    assert all(f"1 {status}" in result.summary for status in ("ok", "unparsable", "unanswerable", "error"))


def test_a_tie_decides_nothing() -> None:
    value, _ = one("neither", "SELECT ai_meta(ai_classify('x', ['a', 'b'])).status")
    assert value == "abstained"


def test_min_confidence() -> None:
    wanted = [("SELECT ai_filter('?', 'x') USING min_confidence .95", None),
              ("SELECT ai_filter('?', 'x', min_confidence := .95)", None),
              ("SELECT ai_filter('?', 'x') USING min_confidence .85", True),
              ("WITH c AS (SELECT ai_filter('?', 'x') AS f USING min_confidence .95) SELECT f FROM c", None),
              ("WITH c AS (SELECT 1 USING min_confidence .95) SELECT ai_filter('?', 'x') FROM c", True)]  # fmt: skip
    for text, value in wanted:
        assert one("yes", text)[0] is value


def many(n: int) -> pl.DataFrame:
    return pl.DataFrame({"x": [f"text {at}" for at in range(n)]})


def test_a_budget_is_never_exceeded() -> None:
    told = Told(lambda question: "yes")
    asked = session(told, {"t": many(100)})
    result = asked.run("SELECT x, ai_filter('?', x) AS f FROM t USING budget 200 tokens")
    answered = result.pl()["f"].drop_nulls().len()
    assert 0 < answered < 100
    assert result.usage.tokens <= 200
    assert f"{100 - answered} abstained, {answered} ok; the budget is used up ({100 - answered})" in result.summary
    with pytest.raises(UserError, match="budget of 200 tokens is used up"):
        session(told, {"t": many(100)}).run("SELECT ai_filter('?', x) FROM t USING budget 200 tokens, on_fail error")


def stepwise(question: str) -> str:
    """Wrong at once, right with steps."""
    if "Therefore" in question:
        return " 12."
    return " 3 and 9 are 12" if "step by step" in question else "11"


def test_chain_of_thought_takes_two_calls() -> None:
    told = Told(stepwise)
    asked = session(told, {"t": T})
    plan = asked.run("EXPLAIN SELECT ai_ask('3+9?', 'INT') USING strategy cot").pl()
    assert plan["calls"].to_list() == ["2"]
    assert told.asked == []
    assert rows(asked, "SELECT ai_ask('3+9?', 'INT') USING strategy cot") == [(12,)]
    assert len(told.asked) == 2
    assert asked.run("EXPLAIN SELECT ai_ask('3+9?', 'INT') USING strategy cot").pl()["calls"].to_list() == ["0"]


def test_self_consistency_stops_when_the_vote_is_settled() -> None:
    told = Told(lambda question: " 3 and 9 are 12. The answer is 12.")
    asked = session(told, {"t": T})
    text = "SELECT ai_meta(ai_ask('3+9?', 'INT')) AS m USING strategy sc(10)"
    assert asked.run(f"EXPLAIN {text}").pl()["calls"].to_list() == ["at most 10"]
    ((meta,),) = rows(asked, text)
    assert (meta["value"], meta["n_samples"], meta["confidence"], meta["strategy"]) == (12, 4, 1.0, "sc(10)")
    assert len(told.asked) == 4


def gate_rule(question: str) -> str:
    if question.startswith("Each question gets a verdict"):
        return " unanswerable" if question.rstrip().endswith("weigh?\nVerdict:") else " answerable"
    return "7"


def test_the_gate_refuses_before_anything_is_asked() -> None:
    told = Told(gate_rule)
    asked = session(told)
    text = "SELECT ai_meta(ai_ask('{}', 'INT')) AS m USING gate on"
    ((refused,),) = rows(asked, text.format("How much does Tuesday weigh?"))
    assert (refused["status"], refused["value"]) == ("unanswerable", None)
    assert len(told.asked) == 1
    ((passed,),) = rows(asked, text.format("3+4?"))
    assert (passed["status"], passed["value"]) == ("ok", 7)
    assert len(told.asked) == 3


def test_a_chat_model_writes_what_it_cannot_score() -> None:
    told = Told(lambda question: "Insect." if "Answer mammal or insect." in question else "perhaps")
    told.scores = False
    asked = session(told)
    assert rows(asked, "SELECT ai_classify('ant', ['mammal', 'insect'])") == [("insect",)]
    assert rows(asked, "SELECT ai_meta(ai_filter('An insect?', 'ant')).status") == [("unparsable",)]


def test_a_chat_is_asked_in_few_words() -> None:
    told = Told(lambda question: "yes" if question.endswith("?\nAnswer yes or no.\n") else "4")
    told.scores = False
    asked = session(told)
    assert rows(asked, "SELECT ai_filter('Is {} small?', 'ant'), ai_ask('2+2?', 'INT')") == [(True, 4)]
    assert sorted(told.asked) == ["2+2?\n", "Is ant small?\nAnswer yes or no.\n"]


def test_a_chat_that_tells_how_a_reply_begins_is_not_left_to_write() -> None:
    told = Told(lambda question: "4" if "nice" in question else "yes", confidence=0.6)
    told.scores, told.picks = False, True
    asked = session(told)
    text = "SELECT ai_filter('?', 'a'), ai_rate('a', 'How nice?', 3, 5), ai_meta(ai_filter('?', 'a')).tokens_out"
    assert rows(asked, text) == [(True, pytest.approx(0.6 * 4 + 0.2 * 8), 0)]
    assert sorted(told.asked) == ["?\na\nAnswer yes or no.\n", "How nice?\na\nAnswer 3, 4 or 5.\n"]
    # The reply may begin as two of these do, so that it has to be written.
    assert rows(asked, "SELECT ai_rate('a', 'How nice?', 1, 10), ai_filter('?', 'a') USING strategy cot") != []
    assert rows(asked, "SELECT ai_meta(ai_rate('a', 'How nice?', 1, 10)).tokens_out") == [(1,)]


def test_answers_are_kept_between_sessions(tmp_path: Any) -> None:
    told = Told(lambda question: "yes")
    for _ in range(2):
        asked = session(told, {"t": T}, cache=tmp_path / "answers.sqlite")
        assert len(rows(asked, "SELECT id FROM t WHERE ai_filter('?', x)")) == 3
        asked.close()
    assert len(told.asked) == 2
    plan = (
        session(told, {"t": T}, cache=tmp_path / "answers.sqlite").run("EXPLAIN SELECT ai_filter('?', x) FROM t").pl()
    )
    assert plan.select("rows", "distinct", "cached", "calls").rows() == [(3, 2, 2, "0")]


def test_parameters_go_where_their_marks_stood() -> None:
    told = Told(lambda question: "yes" if "ant" in question else "no")
    asked = session(told, {"t": T})
    text = "SELECT id FROM t WHERE id < ? AND ai_filter(?, x) ORDER BY id LIMIT ?"
    assert rows(asked, text, [4, "it's?", 1]) == [(1,)]
    assert {question.split("\n")[0] for question in told.asked} == {"it's?"}
    with pytest.raises(UserError, match="3 values"):
        asked.run(text, [4])


def test_the_clock_stands_still_and_columns_keep_their_names() -> None:
    asked = session(Told(lambda question: "yes"), {"t": T})
    found = asked.run("SELECT ai_filter('?', x), now() = now() FROM t WHERE now() <= now() AND id = 1").pl()
    assert found.columns[0] == "ai_filter('?', x)"
    assert found.row(0) == (True, True)


def test_sampled_predicates_go_first_when_they_remove_more() -> None:
    """Of two equally dear predicates the one that keeps a tenth is asked first; the other sees its survivors."""
    told = Told(lambda question: "yes" if question.startswith("rare") == question.endswith("0") else "no")
    found = rows(
        session(told, {"t": many(400)}), "SELECT x FROM t WHERE ai_filter('common', x) AND ai_filter('rare', x)"
    )
    assert found == []
    asked = [question.split("\n")[0] for question in told.asked]
    assert asked.count("rare") == 400
    assert 32 <= asked.count("common") <= 32 + 40


def test_second_predicate_sees_survivors_only() -> None:
    told = Told(lambda question: "yes" if question.endswith("0") else "no")
    asked: Session = session(told, {"t": many(10)})
    assert rows(asked, "SELECT x FROM t WHERE ai_filter('A', x) AND ai_filter('B', x)") == [("text 0",)]
    heads = [question.split("\n")[0] for question in told.asked]
    assert heads.count("A") == 10
    assert heads.count("B") <= 3, "a fourth of ten is sampled, and the one survivor"
