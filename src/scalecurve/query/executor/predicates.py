"""Conditions that models decide: in which order, on which rows, and when enough rows are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scalecurve.query.executor.gather import Source, count, gather, known
from scalecurve.query.executor.run import Run
from scalecurve.query.planner.clauses import Conjunct, Place, SelectPlan
from scalecurve.query.sql.ast import Node, needs

SAMPLE = 32  # distinct arguments asked to learn how selective a predicate is …
SAMPLE_SHARE = 4  # … but at most a fourth of all
CHUNK = 16  # most arguments asked at a time where a LIMIT may end the search, and …
FEW = 4  # … the fewest, as many as servers are asked side by side
STEADY = 8  # chunks of that size, after which they double

Open = Callable[[Node], bool]
Sourced = Callable[[Sequence[Node]], Source]  # the rows on which these conditions hold, beside the plain ones


def rank(cost: float, selectivity: float) -> float:
    """What it costs to remove a row: predicates are asked in ascending order (Hellerstein and Stonebraker 1993)."""
    return cost / (1 - selectivity) if selectivity < 1 else float("inf")


def decide(
    run: Run, conjuncts: Sequence[Conjunct], sourced: Sourced, open_: Open, done: set[Place], plan: SelectPlan
) -> None:
    """Answer all ``conjuncts``, the one that removes rows most cheaply first, each on what the others left.

    Places are added to ``done`` when they are answered.
    """
    before: list[Node] = []
    for conjunct in _ordered(run, conjuncts, sourced, open_):
        for place in conjunct.places:
            answer(run, place, sourced(before), open_, truth=True, over=plan.over(place))
            done.add(place)
        before.append(conjunct.node)


def answer(
    run: Run,
    place: Place,
    source: Source,
    open_: Open,
    *,
    truth: bool,
    over: str,
    exact: bool = True,
    most: int | None = None,
) -> None:
    """Get the answers of one place on the rows of ``source``; when only counting, on ``most`` of them."""
    conditions, skipped = needs(place.node, place.root, open_, truth=truth)
    if any(map(open_, (node for argument in place.arguments for node in argument.walk()))):
        run.ask_unknown(place.shape, place.label, place.clause, over)
    else:
        counts = gather(run, source, place.arguments, conditions)
        run.ask(place.shape, place.label, place.clause, counts, over=over, exact=exact and not skipped, most=most)


def _ordered(run: Run, conjuncts: Sequence[Conjunct], sourced: Sourced, open_: Open) -> list[Conjunct]:
    """By what a sample says of cost and selectivity; as written where there is nothing to learn."""
    cascading = [conjunct for conjunct in conjuncts if any(p.shape.options.cascades for p in conjunct.places)]
    free = [conjunct for conjunct in conjuncts if conjunct not in cascading]
    if len(conjuncts) < 2:
        return [*conjuncts]
    ranks = {id(conjunct): _sampled(run, conjunct, sourced([]), open_) for conjunct in free}
    return [*sorted(free, key=lambda conjunct: ranks[id(conjunct)]), *cascading]


def _sampled(run: Run, conjunct: Conjunct, source: Source, open_: Open) -> float:
    """The rank of a conjunct. Sampled answers are kept, so that they are not asked again."""
    cost, guards = 0.0, []
    for place in conjunct.places:
        conditions, _ = needs(place.node, place.root, open_, truth=True)
        counts = gather(run, source, place.arguments, conditions)
        chosen = list(counts)[: min(SAMPLE, len(counts) // SAMPLE_SHARE)]
        run.ask(place.shape, place.label, place.clause, {row: counts[row] for row in chosen})
        cells = [place.shape.cells[row] for row in chosen]
        tokens = sum(cell.tokens_in + cell.tokens_out for cell in cells) / len(cells) if cells else 1.0
        choice = run.asker.settle(place.shape)
        size = (choice.rung.params_non_embedding or choice.rung.params_total or 1) if choice else 0
        cost += len(counts) * tokens * size
        guards.append(known(place, conditions))
    rows, holding = count(run, Source(source.select, source.joins, [*source.where, *guards]), conjunct.node)
    return rank(cost, holding / rows if rows else 0.5)


def search(run: Run, plan: SelectPlan, sourced: Sourced, open_: Open, done: set[Place]) -> list[Node]:
    """Ask in chunks until ``plan.until`` rows are found or none is left.

    Returns the conditions that all is known of a row.

    Only rows of which every answer is known count, so that the result is right whatever the conditions look like.
    """
    conjuncts, wanted = plan.asking, plan.until or 0
    stages: list[tuple[Place, list[Node], Node]] = []  # each place, when it matters, and that its answer is known
    for conjunct in conjuncts:
        for place in conjunct.places:
            conditions, _ = needs(place.node, place.root, open_, truth=True)
            stages.append((place, conditions, known(place, conditions)))
            done.add(place)  # for those after it: its conditions rest on earlier ones only
    guards = [guard for *_, guard in stages]
    whole = [*guards, *(conjunct.node for conjunct in conjuncts)]
    turn, found, tried = 0, 0, 0
    while True:
        size = _next_chunk(wanted - found, found, tried, turn)
        asked, passed, at = 0, list[Node](), 0
        for conjunct in conjuncts:
            for place, conditions, guard in stages[at : at + len(conjunct.places)]:
                if asked and place is not conjunct.places[0] and count(run, sourced(whole))[0] >= wanted:
                    return guards  # of a join on labels: what one side was asked may answer the other
                counts = gather(run, sourced(passed), place.arguments, conditions)
                new = [row for row in counts if row not in place.shape.cells][:size]
                run.ask(place.shape, place.label, place.clause, {row: counts[row] for row in new},
                        over=plan.over(place))  # fmt: skip
                asked += len(new)
                passed.append(guard)
            at += len(conjunct.places)
            passed.append(conjunct.node)
        if not asked:
            return guards
        found, tried = count(run, sourced(whole))[0], tried + asked
        if found >= wanted:
            return guards
        turn += 1


def _next_chunk(missing: int, found: int, tried: int, turn: int) -> int:
    """How many arguments will yield the ``missing`` rows if as many pass as did so far, and one more.

    >>> _next_chunk(5, 0, 0, 0), _next_chunk(2, 3, 5, 1), _next_chunk(5, 0, 5, 1), _next_chunk(5, 0, 200, 10)
    (5, 4, 16, 64)
    """
    likely = -(-missing * (tried + 1) // (found + 1))
    return min(CHUNK << max(0, turn - STEADY), max(FEW, likely))
