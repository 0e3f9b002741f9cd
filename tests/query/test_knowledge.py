"""Tables read from what a model knows: which keys, which cells, how many calls."""

from __future__ import annotations

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.query.session import Session
from scalecurve.query.sql.parse import parse
from scalecurve.query.sql.statement import Column, KnowledgeTable

from .helpers import Told, rows, session

CAPITALS = {"France": "Paris", "Peru": "Lima", "Chad": "N'Djamena", "Fiji": "Suva"}
COUNTRY = """CREATE KNOWLEDGE TABLE country (
    name VARCHAR KEY, capital VARCHAR, people BIGINT 'How many people live in {name}?', island BOOLEAN)"""


def atlas(question: str) -> str:
    country = next((name for name in CAPITALS if name in question), "")
    if question.startswith("What is the capital of"):
        return CAPITALS.get(country, "unknown")
    if question.startswith("How many people"):
        return "1,000,000" if country == "Fiji" else "many"
    return "yes" if country == "Fiji" else "no"


@pytest.fixture
def told() -> Told:
    return Told(atlas)


@pytest.fixture
def asked(told: Told) -> Session:
    orders = pl.DataFrame({"id": range(300), "land": [[*CAPITALS, "Oz"][at % 5] for at in range(300)]})
    made = session(told, {"orders": orders, "lands": pl.DataFrame({"name": ["Peru", "Fiji"]})})
    made.run(COUNTRY)
    return made


BOUND = [
    ("SELECT c.capital FROM model('told').country c WHERE c.name IN ('France', 'Peru')", 2, [("Paris",), ("Lima",)]),
    ("SELECT capital FROM model('told').country WHERE name = 'Fiji'", 1, [("Suva",)]),
    ("SELECT capital FROM model('told').country WHERE 'Fiji' = name AND island", 2, [("Suva",)]),
    ("SELECT * FROM model('told').country WHERE name = 'Fiji'", 3, [("Fiji", "Suva", 1_000_000, True)]),
    ("SELECT count(*) FROM model('told').country WHERE name IN ('Fiji', 'Peru')", 0, [(2,)]),
    ("SELECT o.id, k.capital FROM orders o JOIN model('told').country k ON k.name = o.land WHERE o.id < 2", 2,
     [(0, "Paris"), (1, "Lima")]),
    ("SELECT count(k.capital) FROM orders o JOIN model('told').country k ON k.name = o.land", 5, [(240,)]),
    ("SELECT l.name, k.capital FROM lands l LEFT JOIN model('told').country k ON k.name = l.name", 2,
     [("Peru", "Lima"), ("Fiji", "Suva")]),
    ("SELECT capital FROM model('told').country JOIN lands USING (name)", 2, [("Lima",), ("Suva",)]),
    ("SELECT capital FROM lands JOIN model('told').country USING (name)", 2, [("Lima",), ("Suva",)]),
    ("SELECT capital FROM model('told').country WHERE name IN (SELECT name FROM lands)", 2, [("Lima",), ("Suva",)]),
    ("SELECT capital FROM model('told').country k, orders o WHERE k.name = o.land AND o.id = 1", 1, [("Lima",)]),
    ("WITH few AS (SELECT DISTINCT land FROM orders WHERE id < 3) "
     "SELECT k.capital FROM few JOIN model('told').country k ON k.name = few.land", 3,
     [("Paris",), ("Lima",), ("N'Djamena",)]),
    ("SELECT a.capital, b.island FROM model('told').country a JOIN model('told').country b ON a.name = b.name "
     "WHERE b.name = 'Peru'", 2, [("Lima", False)]),
    ("SELECT people FROM model('told').country WHERE name IN ('Fiji', 'Peru')", 2, [(1_000_000,), (None,)]),
    ("SELECT ai_meta(k.people).status FROM model('told').country k WHERE name IN ('Fiji', 'Peru', 'Oz')", 3,
     [("ok",), ("unparsable",), ("unparsable",)]),
    ("SELECT ai_meta(capital).status FROM model('told').country WHERE name = 'Oz'", 1, [("unanswerable",)]),
    ("SELECT name FROM model('told').country WHERE name IN ('Fiji', 'Peru') AND ai_filter('Far?', capital)", 4, []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "calls", "wanted"), BOUND, ids=lambda value: str(value)[:70])
def test_bound_scan(asked: Session, told: Told, text: str, calls: int, wanted: list[tuple[object, ...]]) -> None:
    plan = asked.run(f"EXPLAIN {text}").pl()
    assert told.asked == []
    assert sorted(rows(asked, text), key=repr) == sorted(wanted, key=repr)
    assert len(told.asked) == calls
    if "ai_filter" not in text:
        assert sum(map(int, plan["calls"])) == calls
    else:
        assert "depends on answers" in plan["calls"].to_list()


def test_an_open_scan_needs_a_limit(asked: Session, told: Told) -> None:
    with pytest.raises(UserError, match="join or compare its name, or add a LIMIT"):
        asked.run("SELECT name, capital FROM model('told').country")
    with pytest.raises(UserError, match="LIMIT"):
        asked.run("SELECT name FROM model('told').country WHERE lower(name) = 'peru' OR name = 'Fiji'")
    assert told.asked == []


class Naming(Told):
    """Says other keys each time it samples, until it knows no more."""

    def __init__(self) -> None:
        super().__init__(lambda question: atlas(question))
        self.names = [["France", "Peru", "France"], ["Chad", "unknown", ""], ["Fiji", "Peru"], ["Peru"], ["Oz"]]

    def run(self, requests, on_output) -> None:
        from scalecurve.types import Output

        for index, request in enumerate(requests):
            if request.temperature > 0:
                self.asked.append(request.prompt)
                on_output(index, Output(texts=tuple(self.names.pop(0)), prompt_tokens=3, generated_tokens=3))
            else:
                super().run([request], lambda _, output, index=index: on_output(index, output))


def test_an_open_scan_ends_when_nothing_new_comes() -> None:
    naming = Naming()
    asked = session(naming)
    asked.run(COUNTRY)
    plan = asked.run("EXPLAIN SELECT name, capital FROM model('told').country LIMIT 9").pl()
    assert (plan["calls"][0], naming.asked) == ("at most 9", [])
    found = rows(asked, "SELECT name, capital FROM model('told').country LIMIT 9")
    assert found == list(CAPITALS.items())
    assert naming.asked.count("\nQ: Name a country.\nA: ") == 4


def test_an_open_scan_ends_at_its_limit() -> None:
    naming = Naming()
    asked = session(naming)
    asked.run(COUNTRY)
    assert rows(asked, "SELECT name FROM model('told').country LIMIT 1 OFFSET 1") == [("Peru",)]
    assert len(naming.asked) == 1


def test_a_definition_with_questions() -> None:
    text = """CREATE KNOWLEDGE TABLE p (
        who TEXT KEY 'Where was {who} born?', job ENUM('smith', 'a, b') 'What does {who} do?'
    ) USING ability 'lab:facts';"""
    columns = (Column("who", "TEXT", True, "Where was {who} born?"),
               Column("job", "ENUM", False, "What does {who} do?", ("smith", "a, b")))  # fmt: skip
    assert parse(text) == KnowledgeTable("p", columns, "lab:facts")


@pytest.mark.parametrize(
    "text",
    [
        "CREATE KNOWLEDGE TABLE c (a INT KEY)",
        "CREATE KNOWLEDGE TABLE c (a INT KEY, b INT 'What is it?')",
        "CREATE KNOWLEDGE TABLE c (a INT KEY, b ENUM('x'))",
        "CREATE KNOWLEDGE TABLE c (a INT KEY, b ENUM(x, y))",
        "CREATE KNOWLEDGE TABLE c (a INT KEY, b INT) USING model 'x'",
        "CREATE KNOWLEDGE TABLE c (a INT KEY, b INT",
        "CREATE KNOWLEDGE TABLE c (a INT KEY, A INT)",
        "CREATE KNOWLEDGE TABLE 'c' (a INT KEY, b INT); SELECT 1",
        "CREATE KNOWLEDGE TABLE",
    ],
)
def test_definitions_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


# ── Examples ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_examples_stand_before_each_question(told: Told) -> None:
    asked = session(told)
    asked.run(f"""-- two rows that are known
        {COUNTRY} EXAMPLES ('Chad', 'N''Djamena', 19000000, NULL), ('Malta', 'Valletta', NULL, true)""")
    assert rows(asked, "SELECT capital, island FROM model('told').country WHERE name = 'Peru'") == [("Lima", False)]
    assert told.asked == [
        "What is the capital of Chad?\nA: N'Djamena\n\nQ: What is the capital of Malta?\nA: Valletta\n\n"
        "Q: What is the capital of Peru?",
        "What is the island of Malta?\nA: yes\n\nQ: What is the island of Peru?",
    ]


EXAMPLES = [
    ("EXAMPLES ('x')", "1 value for 2 columns"),
    ("EXAMPLES ('x', 1), ('y', 2, 3)", "3 values for 2 columns"),
    ("EXAMPLES (NULL, 1)", "cannot be NULL"),
    ("EXAMPLES ('x', 'many')", "'many' is no INT for b"),
    ("EXAMPLES ('x', )", "is no INT"),
    ("EXAMPLES", "write EXAMPLES"),
    ("EXAMPLES 'x', 1", "write EXAMPLES"),
    ("EXAMPLES ('x', 1) USING model 'm'", "USING ability"),
    ("LIKE ('x', 1)", "EXAMPLES"),
]


@pytest.mark.parametrize(("text", "said"), EXAMPLES)
def test_examples_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        parse(f"CREATE KNOWLEDGE TABLE c (a TEXT KEY, b INT) {text}")
    assert len(str(caught.value)) < 250


def test_examples_are_typed() -> None:
    table = parse("""CREATE KNOWLEDGE TABLE c (a TEXT KEY, b INT, d ENUM('x', 'y'), e BOOLEAN)
        EXAMPLES ('one', -5, 'y', false), ('two', NULL, 'x', TRUE) USING ability 't'""")
    assert isinstance(table, KnowledgeTable)
    assert table.examples == (("one", "-5", "y", "no"), ("two", None, "x", "yes"))
    assert table.ability == "t"
