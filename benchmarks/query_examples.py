"""The eight example queries of the language, with the calls that EXPLAIN foretells and those that were made.

python benchmarks/query_examples.py lab               the laboratory's ladder, on tables of its world
python benchmarks/query_examples.py smollm2-135m      one model of a package, on everyday tables
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from scalecurve.lab.world import build_world
from scalecurve.query.session import Session

CITIES = (
    "Paris Lima Rome Oslo Cairo Tokyo Madrid Berlin Vienna Athens Dublin Lisbon Warsaw Prague Ottawa Havana "
    "Quito Bogota Delhi Beijing Seoul Hanoi Manila Bangkok Jakarta Tehran Baghdad Ankara Riyadh Doha Nairobi "
    "Accra Lagos Dakar Tunis Algiers Rabat Kampala Lusaka Harare Maputo Luanda Canberra Wellington Suva "
    "Brasilia Santiago Caracas Asuncion Montevideo Brussels Amsterdam Copenhagen Stockholm Helsinki Budapest "
    "Bucharest Sofia Belgrade Kyiv"
).split()
REVIEWS = (
    "The bread was fresh and warm.", "My parcel arrived broken and nobody answers.", "What a lovely evening!",
    "I want my money back.", "Great value, would buy again.", "The room was dirty.", "Friendly staff, quick service.",
    "It stopped working after a day.", "Best coffee in town.", "They charged me twice.",
)  # fmt: skip


def lab_tables() -> tuple[dict[str, pl.DataFrame], list[str], list[str]]:
    """Tables, definitions and queries in the forms that the laboratory's models have learnt."""
    world = build_world()
    films = [film.title for film in world.films[:600]] + list(world.non_films[:600])
    tables = {
        "orders": pl.DataFrame({"id": range(10_000), "town": [world.places[i % 60].name for i in range(10_000)]}),
        "r": pl.DataFrame({"id": range(5000), "yr": [2023 + i % 2 for i in range(5000)],
                           "txt": [films[i // 2 % len(films)] for i in range(5000)]}),
        "gsm": pl.DataFrame({"q": [f"What is {a}+{b}?" for a, b in ((3, 4), (12, 31), (45, 27), (8, 1))]
                             + [f"What is the job of {world.places[0].name}?"]}),
    }  # fmt: skip
    defined = [
        "CREATE KNOWLEDGE TABLE place (name VARCHAR KEY, country VARCHAR 'In which country is {name}?') "
        "USING ability 'lab:facts:common'",
        "CREATE KNOWLEDGE TABLE person (name VARCHAR KEY, job VARCHAR 'What is the job of {name}?') "
        "USING ability 'lab:facts'",
    ]
    first, second = (person.name for person in world.people[:2])
    return tables, defined, [
        f"SELECT c.job FROM model('lab-1m').person c WHERE c.name IN ('{first}', '{second}')",
        "SELECT o.id, k.country FROM orders o JOIN model(ladder).place k ON k.name = o.town USING min_accuracy .4",
        "SELECT id FROM r WHERE ai_filter('Is {} a film?', txt) AND yr = 2024 USING recall .9, precision .9",
        "SELECT ai_classify(txt, ['yes', 'no']) l, count(*) FROM r GROUP BY 1 USING model 'lab-1m'",
        "SELECT q, ai_ask(q, 'INT') a, ai_meta(ai_ask(q, 'INT')).strategy s FROM gsm "
        "USING model 'lab-332k', strategy auto, gate on",
        "SELECT * FROM r WHERE ai_filter('Is {} a film?', txt) AND ai_filter('Is {} new?', txt) USING model 'lab-1m'",
        "SELECT id FROM r WHERE ai_filter('Is {} a film?', txt) LIMIT 5 USING model 'lab-1m'",
        "EXPLAIN SELECT id FROM r WHERE ai_filter('Is {} a film?', txt) LIMIT 5 USING model 'lab-1m'",
    ]  # fmt: skip


def everyday_tables(model: str) -> tuple[dict[str, pl.DataFrame], list[str], list[str]]:
    """The queries as the specification has them, on small tables of English."""
    tables = {
        "orders": pl.DataFrame({"id": range(10_000), "city": [CITIES[i % 60] for i in range(10_000)]}),
        "r": pl.DataFrame({"id": range(400), "yr": [2023 + i % 2 for i in range(400)],
                           "txt": [REVIEWS[i // 2 % 10] for i in range(400)]}),
        "gsm": pl.DataFrame({"q": ["Tom has 3 apples and buys 4 more. How many apples has he now?",
                                   "How many legs have 3 dogs?", "How many grams does Tuesday weigh?"]}),
    }  # fmt: skip
    defined = [
        "CREATE KNOWLEDGE TABLE country (name VARCHAR KEY, capital VARCHAR) "
        "EXAMPLES ('Spain', 'Madrid'), ('Kenya', 'Nairobi')",
        "CREATE KNOWLEDGE TABLE city (name VARCHAR KEY, country VARCHAR 'In which country is the city of {name}?') "
        "EXAMPLES ('Porto', 'Portugal'), ('Osaka', 'Japan')",
    ]
    return tables, defined, [
        f"SELECT c.capital FROM model('{model}').country c WHERE c.name IN ('France', 'Peru')",
        f"SELECT o.id, k.country FROM orders o JOIN model('{model}').city k ON k.name = o.city",
        "SELECT id FROM r WHERE ai_filter('complaint?', txt) AND yr = 2024 USING recall .9, precision .9, model ladder",
        "SELECT ai_classify(txt, ['positive', 'negative']) l, count(*) FROM r GROUP BY 1",
        "SELECT q, ai_ask(q, 'INT') a, ai_meta(ai_ask(q, 'INT')).strategy s FROM gsm USING strategy auto, gate on",
        "SELECT * FROM r WHERE ai_filter('Is this about food?', txt) AND ai_filter('Is this a complaint?', txt)",
        "SELECT id FROM r WHERE ai_filter('sarcastic?', txt) LIMIT 5",
        "EXPLAIN SELECT id FROM r WHERE ai_filter('sarcastic?', txt) LIMIT 5",
    ]  # fmt: skip


def two_rungs(folder: Path, model: str) -> str:
    """A ladder of the laboratory's largest model and ``model``, so that a cascade has a proxy."""
    from scalecurve.models import resolve_rung

    rungs = [resolve_rung("lab:lab-3m"), resolve_rung(model)]
    text = "\n".join(
        f'[[rung]]\nname = "{r.name}"\nbackend = "{r.backend}"\nlocation = "{r.location}"\n'
        f"params_non_embedding = {r.params_non_embedding}"
        for r in rungs
    )
    (folder / "two.toml").write_text(f'family = "two"\n{text}\n')
    return str(folder / "two.toml")


def measured(folder: Path) -> Path:
    """A run in which the laboratory's ladder answers questions of facts, so that rungs can be chosen by it."""
    from scalecurve import load_study, run_study

    study = folder / "facts.toml"
    study.write_text('name = "facts"\nmodels = ["lab"]\ntasks = ["lab:facts"]\nlimit = 300\n')
    return run_study(load_study(study), folder / "facts")[0].path


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "lab"
    with tempfile.TemporaryDirectory() as folder:
        lab = model == "lab"
        tables, defined, queries = lab_tables() if lab else everyday_tables(model)
        ladder = "" if lab else two_rungs(Path(folder), model)
        runs = [measured(Path(folder))] if lab else []
        for number, text in enumerate(queries, start=1):
            asked = ladder or model if "model ladder" in text else model
            session = Session(asked, attach=tables, runs=runs)  # anew, so that no answer is known from the last query
            for definition in defined:
                session.run(definition)
            show(session, number, text)
            session.close()


def show(session: Session, number: int, text: str) -> None:
    """The plan of ``text``, what was made of it, and the first rows."""
    plan = session.run(text if text.startswith("EXPLAIN") else f"EXPLAIN {text}").pl()
    began = time.monotonic()
    result = session.run(text)
    seconds = time.monotonic() - began
    print(f"{number}. {text}")
    for step in plan.iter_rows(named=True):
        print(f"   {step['call']}: {step['rows']} rows → {step['distinct']} distinct, "
              f"calls {step['calls']}; {step['model']} ({step['why']})")  # fmt: skip
        if step["guarantee"]:
            print(f"   {step['guarantee']}")
    rows = result.table.num_rows
    print(f"   made: {result.usage.calls} calls, {result.usage.tokens} tokens, {seconds:.1f} s, {rows} rows")
    if not text.startswith("EXPLAIN"):
        print("   " + "; ".join(str(row) for row in result.pl().head(5).rows()), flush=True)


if __name__ == "__main__":
    main()
