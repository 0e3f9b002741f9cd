"""What the ladder knows of its invented world, asked as tables, and whether the planner picks a rung good enough.

    python benchmarks/query_knowledge.py [--rungs lab-3k,lab-36k] [--trials 1000] [--items 200]

Every person's birthplace, job and friend are asked of every rung as a knowledge table and graded against the world,
which is known completely. Then, many times: a random part of the held-out facts (those never asked in training) serves
as the stored evaluation, the planner chooses a rung by it, and the rung is judged on the facts that are left.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import polars as pl

from scalecurve.errors import UserError
from scalecurve.lab.skills import ATTRIBUTES, PEOPLE_RANKS, held_out
from scalecurve.lab.world import build_world
from scalecurve.models import load_ladder
from scalecurve.query.rungs.abilities import schema
from scalecurve.query.rungs.choose import Chooser, Options
from scalecurve.query.rungs.ladder import wilson_lower
from scalecurve.query.rungs.models import Models
from scalecurve.query.session import Session

PERSON = """CREATE KNOWLEDGE TABLE person (
    name VARCHAR KEY 'Where was {name} born?',
    birthplace VARCHAR 'Where was {name} born?',
    job VARCHAR 'What is the job of {name}?',
    friend VARCHAR 'Who is the best friend of {name}?'
) USING ability 'lab:facts'"""
DEMANDS = (0.02, 0.05, 0.1, 0.15, 0.3)  # what the rungs know lies between .00 and .21


def world_table() -> pl.DataFrame:
    people = build_world().people
    return pl.DataFrame([{"name": p.name, "rank": p.rank, **{a: getattr(p, a) for a in ATTRIBUTES}} for p in people])


def graded(session: Session, rung: str, truth: pl.DataFrame) -> tuple[pl.DataFrame, float, float]:
    """One row a fact: whether the rung's cell is right; the seconds and tokens an answer took."""
    began = time.monotonic()
    result = session.run(
        f"SELECT w.name, k.birthplace, k.job, k.friend FROM world w JOIN model('{rung}').person k ON k.name = w.name"
    )
    seconds = time.monotonic() - began
    facts = []
    for attribute in ATTRIBUTES:
        said = truth.join(result.pl().select("name", pl.col(attribute).alias("said")), on="name")
        right = (pl.col("said") == pl.col(attribute)).fill_null(False)
        facts.append(said.select("name", "rank", pl.lit(attribute).alias("attribute"), right.alias("right"),
                                 pl.col("said").is_not_null().alias("answered")))  # fmt: skip
    n = len(truth) * len(ATTRIBUTES)
    return pl.concat(facts), seconds / n, result.usage.tokens / n


def by_rank(facts: pl.DataFrame) -> str:
    held = [held_out(f"fact|{name}|{attribute}") for name, attribute in facts.select("name", "attribute").iter_rows()]
    facts = facts.with_columns(pl.Series("held", held))
    cells = [
        f"{facts['right'].mean():.3f}",
        f"{facts['answered'].mean():.3f}",
        f"{facts.filter('held')['right'].mean():.3f}",
    ]
    for low, high in PEOPLE_RANKS.values():
        cells.append(f"{facts.filter(pl.col('rank').is_between(low, high - 1), 'held')['right'].mean():.3f}")
    return " | ".join(cells)


def trials(right: dict[str, np.ndarray], tokens: dict[str, float], count: int, items: int) -> None:
    """The planner's choices over random splits of the held-out facts."""
    ladder = load_ladder("lab")
    sizes = {rung.name: rung.params_non_embedding or 1 for rung in ladder.rungs}
    n = len(next(iter(right.values())))
    rng = np.random.default_rng(0)
    print(
        "\n| demand | a rung chosen | it met the demand | trials without a wrong choice | parameters, of the largest |"
    )
    print("|---" * 5 + "|")
    for demand in DEMANDS:
        met, chosen = 0, []
        for _ in range(count):
            order = rng.permutation(n)
            stored, rest = order[:items], order[items:]
            rows = [
                {"run": "trial", "model": name, "family": "lab", "task": "lab:facts", "strategy": "direct", "shots": 0,
                 "n": items, "correct": int(own[stored].sum()), "acc": float(own[stored].mean()),
                 "wilson_lo": wilson_lower(int(own[stored].sum()), items), "chance": 0.0, "tokens": tokens[name],
                 "sec": None, "auroc": None, "pairs": 0, "fixed": 0, "broken": 0, "params": sizes[name],
                 "eval_hash": ""}
                for name, own in right.items()
            ]  # fmt: skip
            chooser = Chooser(Models("lab"), pl.DataFrame(rows, schema=schema(), orient="row"))
            try:
                choice = chooser.choose(Options(model="ladder", min_accuracy=demand, ability="lab:facts"))
            except UserError:
                continue
            assert choice is not None
            chosen.append(choice.rung.name)
            met += bool(right[choice.rung.name][rest].mean() >= demand)
        share = 1 - (len(chosen) - met) / count
        cost = np.mean([sizes[name] for name in chosen]) / max(sizes.values()) if chosen else float("nan")
        print(f"| {demand} | {len(chosen)} | {met} | {share:.3f} | {cost:.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rungs", default=",".join(rung.name for rung in load_ladder("lab").rungs))
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--items", type=int, default=200)
    given = parser.parse_args()
    truth = world_table()
    session = Session("lab", attach={"world": truth})
    session.run(PERSON)
    right: dict[str, np.ndarray] = {}
    tokens: dict[str, float] = {}
    print("| rung | all facts | answered | held out | … common | … middle | … rare | ms an answer |")
    print("|---" * 8 + "|")
    for rung in given.rungs.split(","):
        facts, seconds, tokens[rung] = graded(session, rung, truth)
        print(f"| {rung} | {by_rank(facts)} | {1000 * seconds:.2f} |", flush=True)
        held = [
            held_out(f"fact|{name}|{attribute}") for name, attribute in facts.select("name", "attribute").iter_rows()
        ]
        right[rung] = facts.filter(pl.Series(held))["right"].to_numpy()
    trials(right, tokens, given.trials, given.items)
    session.close()


if __name__ == "__main__":
    main()
