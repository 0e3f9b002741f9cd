"""One model's search: from all candidates to the one that is best on the development questions."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scalecurve.elicit.bench import Bench
from scalecurve.elicit.budget import SearchBudget
from scalecurve.elicit.halving import LEAST_ITEMS, best, first_items, sizes
from scalecurve.elicit.space import Candidate
from scalecurve.errors import UserError
from scalecurve.types import Example

CALIBRATION = 0.25  # of a search's budget, at most, to measure what each candidate costs

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Winner:
    """The winner of a search, the ``items`` it was chosen on, and (candidates, questions) of each round."""

    winner: Candidate
    items: tuple[Example, ...]
    rounds: tuple[tuple[int, int], ...]


def search(
    bench: Bench,
    candidates: Sequence[Candidate],
    development: Sequence[Example],
    budget: SearchBudget,
    seed: int,
    say: Say,
) -> Winner:
    """Successive halving within ``budget``. The default prompt (the first candidate) stays to the end.

    Where the budget does not pay for eight questions of every candidate, fewer of them are tried, drawn by ``seed``.
    ``UserError`` when it does not pay for two.
    """
    cost = {candidate.name: float(bench.foreseen(candidate, development[0])) for candidate in candidates}
    alive = _affordable(candidates, cost, budget.left(bench.pace), seed)  # too small a budget is refused at once
    if budget.tokens is not None or budget.seconds is not None:
        cost |= _measured(bench, candidates, cost, development[0], budget)
        alive = _affordable(candidates, cost, budget.left(bench.pace), seed)
    counts, rounds, asked = sizes(len(alive)), list[tuple[int, int]](), 0
    for at, count in enumerate(counts):
        if at:
            alive = _best(bench, alive, development[:asked], count)
        allowance = budget.left(bench.pace) * (1 / (len(counts) - at) if at else _first_share(len(counts)))
        if at:
            alive, more = _fit(bench, alive, development[:asked], cost, allowance, asked)
        else:
            more = first_items(len(development), len(counts), allowance / sum(cost[c.name] for c in alive))
        more = min(more, len(development) - asked)
        if more < 1:
            break
        say(f"  round {at + 1} of {len(counts)}: {len(alive)} prompts, {asked + more} questions")
        if not bench.ask(alive, development[: asked + more], budget):
            break
        asked += more
        rounds.append((len(alive), asked))
        cost |= {c.name: bench.mean_tokens(c, development[:asked]) for c in alive}
    if not rounds:
        raise UserError("elicit: the budget does not pay for the first round; give more tokens or minutes")
    items = development[:asked]
    (winner,) = _best(bench, alive, items, 1, always=())
    if bench.rank(winner, items)[0] <= bench.rank(alive[0], items)[0]:
        winner = alive[0]  # the default: to win, a prompt has to score better
    return Winner(winner, tuple(items), tuple(rounds))


def _first_share(rounds: int) -> float:
    """What the first round may take of a search's budget: it asks twice as many questions as any later one."""
    return 2 / (rounds + 1)


def _measured(
    bench: Bench, candidates: Sequence[Candidate], cost: dict[str, float], item: Example, budget: SearchBudget
) -> dict[str, float]:
    """Tokens of one question under each candidate that is asked it: all of them, where the budget allows.

    They are asked in groups, each four times as large as the one before, because a small one says little of the pace.
    """
    begin, size = 0, 1
    while begin < len(candidates):
        group = candidates[begin : begin + size]
        needed = sum(cost[candidate.name] for candidate in group)
        if needed > budget.left(bench.pace) * CALIBRATION or not bench.ask(group, [item], budget):
            break
        begin, size = begin + size, 4 * size
    return {c.name: bench.mean_tokens(c, [item]) for c in candidates if bench.known(c, [item])}


def _affordable(candidates: Sequence[Candidate], cost: dict[str, float], tokens: float, seed: int) -> list[Candidate]:
    """All candidates, or as many drawn by ``seed`` as the first round pays eight questions for; one is the default."""
    order = list(candidates[1:])
    random.Random(f"candidates|{seed}").shuffle(order)
    kept, total = {candidates[0].name}, cost[candidates[0].name]
    for candidate in order:
        share = _first_share(len(sizes(len(kept) + 1)))
        if (total + cost[candidate.name]) * LEAST_ITEMS <= tokens * share:
            kept.add(candidate.name)
            total += cost[candidate.name]
    if len(kept) < 2:
        need = LEAST_ITEMS * (cost[candidates[0].name] + min(cost[c.name] for c in order))
        raise UserError(
            f"elicit: the budget leaves about {tokens:.0f} tokens to choose with, and two prompts need {need:.0f}; "
            f"give more tokens or minutes"
        )
    return [candidate for candidate in candidates if candidate.name in kept]


def _best(
    bench: Bench, alive: Sequence[Candidate], items: Sequence[Example], count: int, always: Sequence[str] = ("default",)
) -> list[Candidate]:
    names = best({candidate.name: bench.rank(candidate, items) for candidate in alive}, count, always)
    return [candidate for candidate in alive if candidate.name in names]


def _fit(
    bench: Bench,
    alive: list[Candidate],
    items: Sequence[Example],
    cost: dict[str, float],
    allowance: float,
    wanted: int,
) -> tuple[list[Candidate], int]:
    """Fewer candidates until ``allowance`` pays for ``wanted`` questions of each; with two left, fewer questions."""
    while True:
        affordable = int(min(allowance / max(sum(cost[c.name] for c in alive), 1), wanted))
        if affordable >= wanted or len(alive) <= 2:
            return alive, affordable
        alive = _best(bench, alive, items, len(alive) - 1)
