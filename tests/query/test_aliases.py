"""Names that other systems give to our functions: every one in the table of docs/query.md."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.query.session import Session
from scalecurve.query.sql import aliases

from .helpers import Told, rows, session

T = pl.DataFrame({"id": [1], "x": ["ant"], "y": ["bee"]})
PAGE = Path(__file__).resolve().parents[2] / "docs" / "query.md"


def rule(question: str) -> str:
    """An answer of the kind that a question wants."""
    kinds = {
        "choice: insect": "insect", "choice: positive": "positive", "scale": "4", "How many": "7", "How heavy": "0.5",
        "Who": "Ann", "What is the person": "Ann", "Summarize": "short", "Sum": "both", "Tell": "once",
        "the label 'bird'": "no",
    }  # fmt: skip
    return next((said for begin, said in kinds.items() if begin in question), "yes")


INSECT = "ant\n  choice: mammal\n  choice: insect"
WRITTEN: list[tuple[str, Any, list[str]]] = [
    ("AI_FILTER(PROMPT('Is {0} a {1}?', x, y))", True, ["Is ant a bee?"]),
    ("AI_FILTER(PROMPT('Is {1} a {0}, not {1}?', x, y))", True, ["Is bee a ant, not bee?"]),
    ("ai_filter(PROMPT('Is it?'))", True, ["Is it?"]),
    ("AI.FILTER('Is it?', x)", True, ["Is it?\nant"]),
    ("AI.IF(('Is ', x, ' small?'))", True, ["Is ant small?"]),
    ("AI.IF(prompt => ('Is ', x, ' small?'), connection_id => 'us.c')", True, ["Is ant small?"]),
    ("AI_IF('Is it ' || x || '?')", True, ["Is it ant?"]),
    ("AI_CLASSIFY(x, ['mammal', 'insect'])", "insect", [INSECT]),
    ("ai_classify(x, ARRAY('mammal', 'insect'))", "insect", [INSECT]),
    ("AI.CLASSIFY(x, categories => ['mammal', 'insect'])", "insect", [INSECT]),
    ("AI.CLASSIFY(x, [('mammal', 'fur'), ('insect', 'six legs')])", "insect",
     [f"mammal: fur; insect: six legs\n{INSECT}"]),
    ("AI_CLASSIFY(x, [{'label': 'mammal', 'description': 'fur'}, {'label': 'insect'}])", "insect",
     [f"mammal: fur\n{INSECT}"]),
    ("AI_CLASSIFY(x, ['mammal', 'insect'], {'task_description': 'Which class?'})", "insect",
     [f"Which class?\n{INSECT}"]),
    ("AI_CLASSIFY(x, ['bird', 'small'], {'output_mode': 'multi'})", ["small"],
     ["Does the label 'bird' fit this text?\nant", "Does the label 'small' fit this text?\nant"]),
    ("AI_CLASSIFY(x, [{'label': 'bird', 'description': 'wings'}], {'output_mode': 'multi'})", [],
     ["Does the label 'bird' (wings) fit this text?\nant"]),
    ("AI.CLASSIFY(x, ['bird', 'small'], output_mode => 'multi')", ["small"],
     ["Does the label 'bird' fit this text?\nant", "Does the label 'small' fit this text?\nant"]),
    ("AI_CLASSIFY(x, ['bird', 'it''s {}'], {'output_mode': 'multi', 'task_description': 'W?'})", ["it's {}"],
     ["W?\nDoes the label 'bird' fit this text?\nant", 'W?\nDoes the label "it\'s { }" fit this text?\nant']),
    ("AI_CLASSIFY(x, [('mammal', 'fur'), 'insect'], 'Which?')", "insect", [f"Which?. mammal: fur\n{INSECT}"]),
    ("AI_EXTRACT(x, [['who', 'Who is it?'], ['where', 'Where?']])", {"who": "Ann", "where": "yes"},
     ["Who is it?\nant", "Where?\nant"]),
    ("AI_EXTRACT(x, {'who': 'Who is it?', 'where': 'Where?'})", {"who": "Ann", "where": "yes"},
     ["Who is it?\nant", "Where?\nant"]),
    ("AI_EXTRACT(text => x, responseFormat => {'who': 'Who is it?'})", {"who": "Ann"}, ["Who is it?\nant"]),
    ("ai_extract(x, ARRAY('person'))", {"person": "Ann"}, ["What is the person in this text?\nant"]),
    ("AI.EXTRACT(x, 'VARCHAR', 'Who?')", "Ann", ["Who?\nant"]),
    ("AI_COMPLETE('told', 'Tell of ' || x)", "once", ["Tell of ant"]),
    ("AI_COMPLETE(PROMPT('Tell of {0}', x))", "once", ["Tell of ant"]),
    ("AI.COMPLETE('Tell of ' || x)", "once", ["Tell of ant"]),
    ("AI.GENERATE(('Tell of ', x)).result", "once", ["Tell of ant"]),
    ("AI.GENERATE(prompt => 'Tell of ' || x)", "once", ["Tell of ant"]),
    ("ai_gen('Tell of ' || x)", "once", ["Tell of ant"]),
    ("ai_query('told', 'Tell of ' || x)", "once", ["Tell of ant"]),
    ("AI.GENERATE_BOOL(('Is ', x, ' small?'))", True, ["Is ant small?"]),
    ("AI.GENERATE_INT('How many legs?')", 7, ["How many legs?"]),
    ("AI.GENERATE_DOUBLE('How heavy?')", 0.5, ["How heavy?"]),
    ("AI_SIMILARITY(x, y)", pytest.approx(0.9), ["Do these two texts mean the same?\nant\nbee"]),
    ("AI.SIMILARITY(content1 => x, content2 => y)", pytest.approx(0.9),
     ["Do these two texts mean the same?\nant\nbee"]),
    ("AI_SENTIMENT(x)", "positive", None),
    ("ai_analyze_sentiment(x)", "positive", None),
    ("AI.SCORE(('On a scale from 1 to 10, how small is ', x))", pytest.approx(0.9 * 4 + 0.1 * 51 / 9),
     ["On a scale from 1 to 10, how small is ant"]),
    ("AI.RATE(x, 'On a scale', 1, 5)", pytest.approx(0.9 * 4 + 0.1 * 11 / 4), ["On a scale\nant"]),
    ("AI_AGG(x, 'Sum up.')", "both", ["Sum up.\n- ant"]),
    ("AI.AGG(expr => x, instruction => 'Sum up.')", "both", ["Sum up.\n- ant"]),
    ("AI_SUMMARIZE_AGG(x)", "short", ["Summarize these texts.\n- ant"]),
    ("AI_SUMMARIZE(x)", "short", ["Summarize this text in one sentence.\nant"]),
    ("AI_SUMMARIZE(x, 20)", "short", ["Summarize this text in at most 20 words.\nant"]),
    ("AI_SUMMARIZE(x, 0)", "short", ["Summarize this text in one sentence.\nant"]),
    ("AI.IF(STRUCT('Is ', x, ' small?'))", True, ["Is ant small?"]),
    # Several texts
    ("AI.FILTER('Is it?', x, y)", True, ["Is it?\nant\nbee"]),
    ("AI_FILTER(PROMPT('Is it?'), x, y)", True, ["Is it?\nant\nbee"]),
    ("AI.IF(('Is ', x, ' a ', y, '?'))", True, ["Is ant a bee?"]),
    ("AI_IF(PROMPT('Is {0} a {1}?', x, y))", True, ["Is ant a bee?"]),
    ("AI_COMPLETE('told', PROMPT('Tell of {0} and {1}', x, y))", "once", ["Tell of ant and bee"]),
    ("AI.GENERATE(('Tell of ', x, ' and ', y)).result", "once", ["Tell of ant and bee"]),
    ("ai_gen('Tell of ' || x || y)", "once", ["Tell of antbee"]),
    ("ai_query('told', PROMPT('Tell of {0}{1}', x, y))", "once", ["Tell of antbee"]),
    ("AI.GENERATE_BOOL(('Is ', x, ' a ', y, '?'))", True, ["Is ant a bee?"]),
    ("AI.GENERATE_INT(('How many of ', x, y, '?'))", 7, ["How many of antbee?"]),
    ("AI.GENERATE_DOUBLE(('How heavy is ', x, '?'))", 0.5, ["How heavy is ant?"]),
    ("AI.SCORE(('On a scale: ', x, y))", pytest.approx(0.9 * 4 + 0.1 * 51 / 9), ["On a scale: antbee"]),
    ("AI.CLASSIFY(('Tell which: ', x, y), ['mammal', 'insect'])", "insect",
     ["Tell which: antbee\n  choice: mammal\n  choice: insect"]),
    ("AI_EXTRACT(PROMPT('{0}, {1}', x, y), {'who': 'Who is it?'})", {"who": "Ann"}, ["Who is it?\nant, bee"]),
    ("AI_AGG(x || y, 'Sum up.')", "both", ["Sum up.\n- antbee"]),
]  # fmt: skip


def shown(question: str) -> str:
    """A question with its choices in one order, which is drawn anew for each."""
    return question.replace("  choice: insect\n  choice: mammal", "  choice: mammal\n  choice: insect")


@pytest.mark.parametrize(("call", "value", "asked"), WRITTEN, ids=[call for call, *_ in WRITTEN])
def test_every_alias(call: str, value: Any, asked: list[str] | None) -> None:
    told = Told(rule)
    opened = session(told, {"t": T})
    plan = opened.plan(f"SELECT {call} FROM t")
    result = opened.run(f"SELECT {call} FROM t")
    ((found,),) = result.pl().rows()
    assert found == value
    if asked is not None:
        assert sorted(map(shown, told.asked)) == sorted(asked)
    assert plan.calls == len(told.asked)
    opened.close()


@pytest.mark.parametrize("call", [call for call, *_ in WRITTEN if "x" in call.replace("EXTRACT", "").split("(", 1)[1]])
def test_no_alias_asks_about_null(call: str) -> None:
    told = Told(rule)
    nothing = pl.DataFrame({"id": [1], "x": [None], "y": ["bee"]}, schema_overrides={"x": pl.String})
    opened = session(told, {"t": nothing})
    assert opened.plan(f"SELECT {call} FROM t").calls == 0
    ((found,),) = opened.run(f"SELECT {call} FROM t").pl().rows()
    assert found is None or (isinstance(found, dict) and set(found.values()) == {None})
    assert told.asked == []
    opened.close()


def test_the_page_lists_every_alias() -> None:
    page = PAGE.read_text().lower()
    named = {call.split("(")[0].lower() for call, *_ in WRITTEN}
    assert [name for name in sorted(named) if f"`{name}" not in page] == []


def test_columns_are_called_as_written_and_clauses_are_read() -> None:
    opened = session(Told(rule), {"t": T})
    assert opened.run("SELECT AI.IF(('Is ', x)) FROM t").pl().columns == ["AI.IF(('Is ', x))"]
    text = "SELECT id FROM t WHERE AI_FILTER(PROMPT('Is {0}?', x)) GROUP BY id HAVING AI_AGG(y, 'Sum up.') = 'both'"
    assert rows(opened, text) == [(1,)]
    opened.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT AI_FILTER(PROMPT('Is {2}?', x)) FROM t", "place {2} has no value"),
        ("SELECT AI_FILTER(PROMPT(x)) FROM t", "PROMPT needs a template"),
        ("SELECT AI.IF(promt => 'x') FROM t", "has no argument 'promt'"),
        ("SELECT AI_COMPLETE(x, y) FROM t", "the model must be a name in quotes"),
        ("SELECT AI.GENERATE_INT() FROM t", "needs an argument"),
        ("SELECT AI_SENTIMENT() FROM t", "query: "),
        ("SELECT AI_EXTRACT(x, []) FROM t", "query: "),
        ("SELECT AI.NOSUCH(x) FROM t", "query: "),
        ("SELECT AI_FILTER(PROMPT()) FROM t", "PROMPT needs a template"),
        # what is no constant was read as its name
        ("SELECT AI_CLASSIFY(x, ['a', 'b'], {'task_description': y}) FROM t", "each a constant text"),
        ("SELECT AI_CLASSIFY(x, [{'label': y}, 'b']) FROM t", "a category is"),
        ("SELECT AI_CLASSIFY(x, [('a', y), 'b']) FROM t", "a category is"),
        ("SELECT AI_CLASSIFY(x, [{'description': 'a'}, 'b']) FROM t", "a category is"),
        ("SELECT AI_CLASSIFY(x, ['a', NULL]) FROM t", "cannot hold NULL"),
        # what is not known was left out in silence
        ("SELECT AI_CLASSIFY(x, ['a', 'b'], {'output_mode': 'some'}) FROM t", "'single' or 'multi'"),
        ("SELECT AI_CLASSIFY(x, ['a', 'b'], {'mode': 'multi'}) FROM t", "task_description and output_mode"),
        ("SELECT AI_CLASSIFY(x, y, output_mode => 'multi') FROM t", "must be a constant list"),
        ("SELECT AI_CLASSIFY(x, [], {'output_mode': 'multi'}) FROM t", "labels must be different texts"),
        ("SELECT AI_CLASSIFY(x, ['a', 'a'], {'output_mode': 'multi'}) FROM t", "labels must be different texts"),
        ("SELECT AI_EXTRACT(x, {'schema': {'type': 'object'}}) FROM t", "no schema is read"),
        ("SELECT AI_EXTRACT(x, {}) FROM t", "name one field"),
        ("SELECT AI_EXTRACT(x, ['who', 'Who']) FROM t", "each once"),
        ("SELECT AI.GENERATE(('a', x)).status FROM t", "only .result is read"),
        ("SELECT AI_AGG(DISTINCT x, 'Sum up.') FROM t", "takes no DISTINCT"),
        ("SELECT ai_agg(x, 'Sum up.' ORDER BY id) FROM t", "takes no ORDER"),
        ("SELECT AI.IF('Is it?', DISTINCT x) FROM t", "takes no DISTINCT"),
        # wrong numbers of arguments, told in the words of the query
        ("SELECT AI_SIMILARITY(x) FROM t", "write AI_SIMILARITY(a, b)"),
        ("SELECT AI_SIMILARITY(x, y, id) FROM t", "write AI_SIMILARITY(a, b)"),
        ("SELECT AI_SENTIMENT(x, y) FROM t", "write AI_SENTIMENT(text)"),
        ("SELECT AI_SUMMARIZE(x, id) FROM t", "a constant, such as 20"),
        ("SELECT AI_SUMMARIZE_AGG(x, 'y') FROM t", "write AI_SUMMARIZE_AGG(text)"),
        ("SELECT AI.SCORE(x, y) FROM t", "write AI.SCORE(prompt)"),
        ("SELECT AI.GENERATE_BOOL(x, y) FROM t", "write AI.GENERATE_BOOL(prompt)"),
        ("SELECT ai_gen(x, y) FROM t", "write ai_gen(prompt)"),
        ("SELECT ai_query('told') FROM t", "write ai_query('model', prompt)"),
        ("SELECT AI_COMPLETE('told', x, {'temperature': 0}) FROM t", "write AI_COMPLETE('model', prompt)"),
    ],
)
def test_refused_in_one_line(text: str, said: str) -> None:
    told = Told(rule)
    opened = session(told, {"t": T})
    with pytest.raises(UserError) as caught:
        opened.run(text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert told.asked == []
    opened.close()


@pytest.mark.parametrize(
    "call",
    [
        "AI_CLASSIFY(x, ['bird', 'small'], {{'output_mode': 'multi'}}, model := {})",
        "AI_CLASSIFY(x, [('mammal', 'fur'), 'insect'], model := {})",
        "AI_EXTRACT(x, {{'who': 'Who is it?', 'where': 'Where?'}}, model := {})",
        "AI_SIMILARITY(x, y, model := {})",
        "AI_SENTIMENT(x, model := {})",
        "AI.SCORE(('On a scale ', x), model := {})",
        "AI.IF(prompt => ('Is ', x), model := {})",
        "AI.GENERATE_BOOL(('Is ', x), model := {})",
        "AI_SUMMARIZE(x, model := {})",
        "AI_SUMMARIZE_AGG(x, model := {})",
        "AI_FILTER(PROMPT('Is {{0}}?', AI_COMPLETE('told', x)), model := {})",
    ],
)
def test_options_reach_every_call_that_an_alias_becomes(call: str) -> None:
    told, other = Told(rule), Told(rule, "other")
    opened = Session("told", attach={"t": T}, models={"told": told, "other": other})
    rows(opened, f"SELECT {call.format(repr('other'))} FROM t")
    assert len(told.asked) == ("AI_COMPLETE" in call)
    assert other.asked
    opened.close()


def test_doctests() -> None:
    assert doctest.testmod(aliases).failed == 0
