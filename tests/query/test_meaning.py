"""Ratings, answers about groups, and joins by meaning: what they ask, what EXPLAIN foretells, what they return."""

from __future__ import annotations

import math
import random
import re
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.query.answers import aggregate, lexical
from scalecurve.query.session import Session

from .helpers import Told, rows, session

FILMS = pl.DataFrame(
    {
        "id": range(30),
        "film": ["a", "b", "c"] * 10,
        "txt": [f"{'good' if at % 3 else 'bad'} film {at}" for at in range(30)],
    }
)


def calls(opened: Session, text: str) -> list[str]:
    return opened.run(f"EXPLAIN {text}").pl()["calls"].to_list()


# ── ai_rate ──────────────────────────────────────────────────────────────────────────────────────────────────
def stars(question: str) -> str:
    return "5" if "good" in question else "2"


def test_a_rating_is_the_expected_number() -> None:
    told = Told(stars, confidence=0.6)
    opened = session(told, {"t": FILMS})
    ((good, bad),) = rows(
        opened, "SELECT ai_rate('good', 'How nice?', 1, 5), ai_rate('bad', 'How nice?') FROM range(1)"
    )
    assert good == pytest.approx(0.6 * 5 + 0.1 * (1 + 2 + 3 + 4))
    assert bad == pytest.approx(0.6 * 2 + 0.1 * (1 + 3 + 4 + 5))
    assert told.asked == ["How nice?\ngood", "How nice?\nbad"] or told.asked == ["How nice?\nbad", "How nice?\ngood"]
    ((written,),) = rows(opened, "SELECT ai_meta(ai_rate('good', 'How nice?', 1, 5)).value")
    assert written == pytest.approx(good)
    opened.close()


def test_a_model_that_scores_nothing_writes_its_rating() -> None:
    told = Told(stars)
    told.scores = False
    opened = session(told)
    assert rows(opened, "SELECT ai_rate('good', 'How nice?', 1, 5), ai_rate('bad', 'How nice?', 3, 5)") == [(5.0, None)]
    opened.close()


@pytest.mark.parametrize("ends", ["5, 1", "1, 1", "1, 1000", "'a', 'b'", "1.5, 3", "1", "id, 5"])
def test_a_scale_that_is_none_is_refused(ends: str) -> None:
    opened = session(Told(stars), {"t": FILMS})
    with pytest.raises(UserError, match="scale"):
        opened.run(f"SELECT ai_rate(txt, 'How nice?', {ends}) FROM t")
    opened.close()


def test_the_best_few_by_rating_with_calls_foretold() -> None:
    told = Told(stars)
    opened = session(told, {"t": FILMS})
    text = "SELECT id FROM t WHERE id < 12 ORDER BY ai_rate(txt, 'How nice?', 1, 5) DESC, id LIMIT 3"
    assert calls(opened, text) == ["12"]
    assert rows(opened, text) == [(1,), (2,), (4,)]
    assert len(told.asked) == 12
    by_film = "SELECT film FROM t GROUP BY film ORDER BY avg(ai_rate(txt, 'How nice?', 1, 5)) DESC, film"
    assert calls(opened, by_film) == ["18"]
    assert rows(opened, by_film) == [("b",), ("c",), ("a",)]
    assert len(told.asked) == 30
    opened.close()


FINAL = (
    "WITH best AS (SELECT id, txt{} FROM t ORDER BY {} DESC LIMIT 6) SELECT a.id FROM best a JOIN best b "
    "ON a.id <> b.id AND ai_filter('Is {{}} better than {{}}?', a.txt, b.txt) GROUP BY a.id "
    "ORDER BY count(*) DESC, a.id"
)
RATE = "ai_rate(txt, 'How nice?', 1, 5)"


@pytest.mark.parametrize("ends", [("", RATE), (f", {RATE} AS n", "n"), (f", {RATE} AS n", "3")])
@pytest.mark.parametrize("other", [30, 20])
def test_the_best_by_rating_are_compared_in_pairs_and_no_more_than_foretold(other: int, ends: tuple[str, str]) -> None:
    def rule(question: str) -> str:
        first, *more = map(int, re.findall(r"\d+", question))
        return ("yes" if first > more[0] else "no") if more else str(1 + first // 6)

    told = Told(rule)
    table = pl.DataFrame({"id": range(30), "txt": [f"film {at if at < other else 29}" for at in range(30)]})
    opened = session(told, {"t": table})
    text = FINAL.format(*ends)
    rated, compared = calls(opened, text)
    assert (rated, compared) == (str(min(30, other + 1)), "at most 870" if other == 30 else "at most 421")
    found = rows(opened, text)
    assert found == ([(at,) for at in (29, 28, 27, 26, 25)] if other == 30 else [])
    assert len(told.asked) <= int(rated) + 30
    opened.close()


def test_a_limit_in_a_known_order_leaves_the_rest_exact() -> None:
    told = Told(stars)
    opened = session(told, {"t": FILMS})
    text = f"WITH c AS (SELECT id, txt, {RATE} AS n FROM t ORDER BY id LIMIT 4) SELECT ai_filter('?', txt) FROM c"
    assert calls(opened, text) == ["at most 4", "4"]
    rows(opened, text)
    assert len(told.asked) == 8
    opened.close()


# ── ai_agg ───────────────────────────────────────────────────────────────────────────────────────────────────
def total(question: str) -> str:
    """The sum of the numbers in a question's list, so that a text that is lost or counted twice shows."""
    return str(sum(int(line.split()[-1]) for line in question.split("\n")[1:]))


def long_texts(n: int, words: int) -> pl.DataFrame:
    texts = [f"{'word ' * words}{at}" for at in range(n)]
    random.Random(0).shuffle(texts)
    return pl.DataFrame(
        {"g": [at % 2 for at in range(n)], "txt": texts, "n": [int(each.split()[-1]) for each in texts]}
    )


@pytest.mark.parametrize(("n", "words"), [(6, 1), (40, 60), (60, 300), (301, 120)])
def test_every_text_of_a_group_counts_once(n: int, words: int) -> None:
    told = Told(total)
    table = long_texts(n, words)
    opened = session(told, {"t": table})
    text = "SELECT g, ai_agg(txt, 'Add up.') AS s FROM t GROUP BY g ORDER BY g"
    plan = opened.plan(text)
    assert plan.asks[0].exact
    found = opened.run(text)
    assert [(g, int(s)) for g, s in found.pl().rows()] == table.group_by("g").agg(pl.col("n").sum()).sort("g").rows()
    assert len(told.asked) == plan.calls
    assert found.usage.tokens <= plan.asks[0].tokens
    assert calls(opened, text) == ["0"] or n > 6
    opened.close()


def test_the_order_of_rows_changes_nothing() -> None:
    texts = [f"{'word ' * 80}{at}" for at in range(50)]
    asked = []
    for seed in range(2):
        told = Told(total)
        opened = session(told, {"t": pl.DataFrame({"txt": random.Random(seed).sample(texts, 50)})})
        rows(opened, "SELECT ai_agg(txt, 'Add up.') FROM t")
        asked.append(sorted(told.asked))
        opened.close()
    assert asked[0] == asked[1]


def test_texts_of_every_kind_come_whole() -> None:
    texts = ["it's", "{} {}", '"quoted"', "$p1", "?", "\\", "\x1f", "💥", "', '"]
    told = Told(lambda question: "fine")
    opened = session(told, {"t": pl.DataFrame({"x": texts})})
    assert rows(opened, "SELECT ai_agg(x, 'Look.') FROM t") == [("fine",)]
    assert sorted(told.asked[0].split("\n- ")[1:]) == sorted(" ".join(text.split()) for text in texts)
    opened.close()


def test_a_group_without_texts_is_null_and_a_failure_is_no_answer() -> None:
    told = Told(lambda question: "!down" if "bad" in question else "fine")
    opened = session(told, {"t": pl.DataFrame({"g": [1, 1, 2, 3], "x": ["good", None, None, "bad"]})})
    found = opened.run("SELECT g, ai_agg(x, 'How is it?') FROM t GROUP BY g ORDER BY g")
    assert found.pl().rows() == [(1, "fine"), (2, None), (3, None)]
    assert "1 error" in found.summary
    assert rows(opened, "SELECT ai_agg(x, 'How is it?') FILTER (WHERE g = 1) FROM t") == [("fine",)]
    assert rows(opened, "SELECT g FROM t GROUP BY g HAVING ai_agg(x, 'How is it?') = 'fine'") == [(1,)]
    opened.close()


def test_a_budget_holds_for_groups() -> None:
    told = Told(total)
    opened = session(told, {"t": long_texts(40, 60)})
    found = opened.run("SELECT g, ai_agg(txt, 'Add up.') AS s FROM t GROUP BY g USING budget 1500 tokens")
    assert found.usage.tokens <= 1500
    assert "the budget is used up" in found.summary
    opened.close()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM t WHERE ai_agg(txt, 'Sum up.') = 'x'",
        "SELECT ai_agg(txt, 'Sum up.') OVER () FROM t",
        "SELECT ai_agg(txt) FROM t",
    ],
)
def test_where_an_aggregate_cannot_stand(text: str) -> None:
    told = Told(total)
    opened = session(told, {"t": FILMS})
    with pytest.raises(UserError, match="ai_agg"):
        opened.run(text)
    assert told.asked == []
    opened.close()


def test_a_text_longer_than_a_question_is_cut_in_pieces() -> None:
    row = ('["' + "word " * 2000 + '"]',)
    prompts = aggregate.first_prompts(row, aggregate.Asked("ai_agg", aggregate.SUMMARY, (None, "Sum up.")), count)
    assert sum(prompt.count("word") for prompt in prompts) == 2000
    assert max(map(count, prompts)) <= aggregate.CHUNK + 2


def count(text: str) -> int:
    return len(text.split())


# ── Joins ────────────────────────────────────────────────────────────────────────────────────────────────────
def mood(question: str) -> str:
    if question.startswith("What is the sentiment"):
        return "positive" if "good" in question else "negative"
    if question.startswith("What is the size"):
        return "small"
    return "yes" if question.count("good") != 1 else "no"


SAME = (
    "SELECT count(*) FROM t a JOIN t b ON a.id <> b.id AND "
    "ai_filter('Have {} and {} the same sentiment?', a.txt, b.txt)"
)
JOINS = [
    (SAME, 30, 20 * 19 + 10 * 9),
    (SAME.replace("same", "opposite"), 30, 2 * 20 * 10),
    (SAME.replace("same", "different"), 30, 2 * 20 * 10),
    (SAME.replace("JOIN t b ON", ", t b WHERE"), 30, 20 * 19 + 10 * 9),
    (SAME.replace("a.id <> b.id AND ai_filter", "a.id <> b.id AND NOT ai_filter"), 30, 2 * 20 * 10),
    (SAME.replace("ai_filter('Have {} and {}", "AI_FILTER(PROMPT('Have {0} and {1}").replace("b.txt)", "b.txt))"), 30,
     20 * 19 + 10 * 9),
    (SAME.replace("sentiment?', a.txt, b.txt", "size?', a.txt, b.txt, labels := ['small', 'large']"), 30, 870),
    (f"{SAME} USING pairs on", 870, 20 * 19 + 10 * 9),
    (SAME.replace("the same sentiment", "much in common"), 870, 20 * 19 + 10 * 9),
    (SAME.replace("a.txt, b.txt", "a.txt, a.film"), 90 // 3, 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "asked", "found"), JOINS, ids=[text[34:130] for text, *_ in JOINS])
def test_a_join_on_labels_asks_about_texts_and_not_about_pairs(text: str, asked: int, found: int) -> None:
    told = Told(mood)
    opened = session(told, {"t": FILMS})
    foretold = sum(map(int, calls(opened, text)))
    result = rows(opened, text)
    assert len(told.asked) == foretold == asked
    if "a.film" not in text:
        assert result == [(found,)]
    opened.close()


def test_explain_says_which_join_it_is_and_why() -> None:
    opened = session(Told(mood), {"t": FILMS})
    assert "a label of each side" in opened.run(f"EXPLAIN {SAME}").pl()["why"][1]
    pairs = SAME.replace("the same sentiment", "much in common")
    assert "every pair" in opened.run(f"EXPLAIN {pairs}").pl()["why"][0]
    plan = opened.run(f"EXPLAIN {pairs} USING recall .8").pl()
    assert "how alike the letters" in plan["guarantee"][0]
    assert plan["calls"].to_list() == ["at most 870"]
    opened.close()


def test_a_limit_asks_about_few_texts_of_a_join() -> None:
    told = Told(mood)
    many = pl.DataFrame({"id": range(300), "txt": [f"{'good' if at % 3 else 'bad'} {at}" for at in range(300)]})
    opened = session(told, {"t": many})
    text = SAME.replace("count(*)", "a.id, b.id") + " LIMIT 10"
    assert calls(opened, text)[0] == "at most 300"
    assert len(rows(opened, text)) == 10
    assert len(told.asked) == 10, "what one side was asked answers the other"
    opened.close()


def test_a_join_cascades_over_likeness_where_there_is_no_smaller_rung() -> None:
    def same(question: str) -> str:
        one, other = question.removeprefix("Are ").removesuffix(" alike?").split(" and ")
        return "yes" if one.split("-")[0] == other.split("-")[0] else "no"

    words = [f"{''.join(random.Random(at).choices('abcdefghij', k=12))}" for at in range(40)]
    sides = {name: pl.DataFrame({"x": [f"{word}-{name}" for word in words]}) for name in ("l", "r")}
    told = Told(same)
    opened = session(told, sides)
    text = "SELECT l.x, r.x FROM l JOIN r ON ai_filter('Are {} and {} alike?', l.x, r.x)"
    found = rows(opened, f"{text} USING recall .9, delta .1")
    wanted = {(f"{word}-l", f"{word}-r") for word in words}
    assert len(wanted & set(found)) >= 36
    assert len(wanted & set(found)) >= 0.9 * len(found)
    assert len(told.asked) < 1600
    opened.close()


def test_likeness() -> None:
    same, none, some = lexical.likeness([("The film", "the  FILM"), ("abc", "xyz"), ("the film", "the farm")])
    assert (same, none) == (1.0, 0.0)
    assert 0 < some < 1
    assert all(map(math.isfinite, lexical.likeness([("", ""), ("", "a")])))


@pytest.mark.parametrize(
    "text",
    [
        SAME.replace("a.txt, b.txt", "a.txt, b.txt, labels := 3"),
        SAME.replace("the same sentiment", "much").replace("a.txt, b.txt", "a.txt, b.txt, labels := ['x', 'y']"),
        "SELECT ai_filter('?', txt, labels := ['a', 'b']) FROM t",
    ],
)
def test_labels_that_lead_nowhere_are_refused(text: str) -> None:
    opened = session(Told(mood), {"t": FILMS})
    with pytest.raises(UserError, match="labels"):
        opened.run(text)
    opened.close()


def test_doctests() -> None:
    import doctest

    modules: list[Any] = [aggregate, lexical]
    assert sum(doctest.testmod(module).failed for module in modules) == 0
