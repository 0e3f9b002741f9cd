"""A SELECT whose calls are look-ups → the order in which its clauses are answered (``SelectPlan``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from scalecurve.query.answers.call_cache import CallShape
from scalecurve.query.sql.ast import (
    Node,
    clause_of,
    conjuncts,
    contains,
    function_name,
    has,
    in_aggregate,
    is_aggregate,
    is_lookup,
    or_top,
    ordinal,
    own,
    whole_number,
)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One call where it stands: ``node`` looks its answer up, ``root`` is the conjunct or expression it is part of."""

    node: Node
    shape: CallShape
    label: str
    clause: str
    root: Node

    @property
    def arguments(self) -> list[Node]:
        """The arguments that rows give, as text."""
        return list(self.node.expressions)


@dataclass(frozen=True, slots=True, eq=False)
class Conjunct:
    """A part of WHERE (or of an inner join's ON, or of HAVING) and the calls in it."""

    node: Node
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectPlan:
    """What is asked for one SELECT, in the order of its fields.

    ``outer``: joins that keep rows without a partner, by their number, with the calls in their ON. ``pool``: the
    conditions of WHERE and of inner joins; ``until``: so many rows are wanted of them, and the search ends when they
    are found. ``on_rows``: calls on each row that is left, or on the ``first`` rows of an order only. ``having`` and
    ``on_groups``: calls on what is grouped by ``keys``.
    """

    select: Node
    outer: tuple[tuple[int, tuple[Place, ...]], ...] = ()
    pool: tuple[Conjunct, ...] = ()
    until: int | None = None
    on_rows: tuple[Place, ...] = ()
    first: tuple[Node | None, int] | None = None
    having: tuple[Conjunct, ...] = ()
    on_groups: tuple[Place, ...] = ()
    keys: tuple[Node, ...] = ()

    @property
    def asking(self) -> tuple[Conjunct, ...]:
        """The conditions that hold calls."""
        return tuple(conjunct for conjunct in self.pool if conjunct.places)

    def over(self, place: Place) -> str:
        """Which rows need the answer of ``place``, in words."""
        if any(place in places for _, places in self.outer):
            return "pairs of an outer join"
        if any(place in conjunct.places for conjunct in self.pool):
            several = ", the condition that removes rows most cheaply first" * (len(self.asking) > 1)
            return f"rows until {self.until} are found" if self.until is not None else f"rows{several}"
        if place in self.on_rows:
            return f"the first {self.first[1]} rows that are left" if self.first else "rows that are left"
        return "groups"

    def __str__(self) -> str:
        """One line a call.

        >>> from sqlglot import parse_one
        >>> from scalecurve.query.answers.call_cache import CallShape
        >>> from scalecurve.query.answers.calls import asked
        >>> from scalecurve.query.rungs.choose import Options
        >>> select = parse_one("SELECT x FROM t WHERE n < 3 AND __ai_1(x) LIMIT 5", dialect="duckdb")
        >>> shape = CallShape(1, "ai_filter('?', x)", asked("ai_filter", ["?", None]), Options())
        >>> place = (select.args["where"].this.expression, shape, shape.label, "WHERE")
        >>> print(plan_select(select, [place], frozenset(), {}))
        WHERE: ai_filter('?', x) on rows until 5 are found
        """
        places = [p for _, some in self.outer for p in some] + [p for c in self.asking for p in c.places]
        places += [*self.on_rows, *(p for c in self.having for p in c.places), *self.on_groups]
        return "\n".join(f"{place.clause}: {place.label} on {self.over(place)}" for place in places)


def plan_select(
    select: Node,
    lookups: Sequence[tuple[Node, CallShape, str, str]],
    aggregates: frozenset[str],
    parameters: Mapping[str, object],
    *,
    correlated: bool = False,
) -> SelectPlan:
    """The plan of ``select``, whose calls are the ``lookups`` (node, shape, label, clause).

    ``aggregates``: names of aggregate functions beside sqlglot's. ``correlated``: it refers to an outer SELECT.
    """
    places = [Place(*lookup, _root(lookup[0], select)) for lookup in lookups]
    joins = select.args.get("joins") or ()
    outer = tuple(
        (at, tuple(place for place in places if contains(join, place.node)))
        for at, join in enumerate(joins)
        if not keeps_pairs(select, at)
    )
    pool = _pool(select, places)
    grouped = _grouped(select, aggregates)
    may_cut = not grouped and not correlated and _rows_as_they_come(select)
    limit = _limit(select, parameters) if may_cut else None
    until = None if select.args.get("order") or not _may_stop(pool) else limit
    left = [place for place in places if place.clause not in ("WHERE", "JOIN ON")]
    keys = _keys(select, aggregates)
    on_rows = [p for p in left if not grouped or p.clause == "GROUP BY" or _of_rows(p, select, keys, aggregates)]
    of_groups = [place for place in left if place not in on_rows]
    having = select.args.get("having")
    parts = [Conjunct(part, tuple(p for p in of_groups if p.root is part))
             for part in (conjuncts(having.this) if having is not None else [])]  # fmt: skip
    return SelectPlan(
        select,
        tuple((at, some) for at, some in outer if some),
        pool,
        until,
        tuple(on_rows),
        _first(select, on_rows, limit),
        tuple(parts),
        tuple(p for p in of_groups if not any(p in part.places for part in parts)),
        tuple(keys),
    )


def keeps_pairs(select: Node, at: int) -> bool:
    """Whether a join keeps just the pairs that satisfy its ON, so that its conditions can be asked like WHERE's.

    >>> from sqlglot import parse_one
    >>> keeps_pairs(parse_one("SELECT * FROM a JOIN b ON a.x = b.x"), 0)
    True
    >>> keeps_pairs(parse_one("SELECT * FROM a JOIN b ON a.x = b.x RIGHT JOIN c ON b.x = c.x"), 0)
    False
    """
    joins = list(select.args.get("joins") or ())
    plain = not joins[at].side and str(joins[at].kind).upper() in ("", "INNER", "CROSS")
    return plain and not any(str(join.side).upper() in ("RIGHT", "FULL") for join in joins[at + 1 :])


def _root(node: Node, select: Node) -> Node:
    """The conjunct or the expression of ``select`` that ``node`` is part of."""
    clause, part = clause_of(node, select)
    if clause not in ("where", "having", "joins"):
        return part
    whole = part.args.get("on") if clause == "joins" else part.this
    return next(each for each in conjuncts(whole) if contains(each, node))


def _pool(select: Node, places: Sequence[Place]) -> tuple[Conjunct, ...]:
    """WHERE's conjuncts, and those of inner joins that hold calls."""
    where = select.args.get("where")
    nodes = conjuncts(where.this) if where is not None else []
    for at, join in enumerate(select.args.get("joins") or ()):
        if keeps_pairs(select, at):
            parts = conjuncts(join.args.get("on"))
            nodes += [part for part in parts if any(contains(part, place.node) for place in places)]
    return tuple(Conjunct(node, tuple(place for place in places if place.root is node)) for node in nodes)


def _may_stop(pool: Sequence[Conjunct]) -> bool:
    """Whether a search may end when enough rows are found."""
    calls = [conjunct for conjunct in pool if conjunct.places]
    return not any(or_top(c.node) or any(p.shape.options.cascades for p in c.places) for c in calls)


def _limit(select: Node, parameters: Mapping[str, object]) -> int | None:
    """LIMIT and OFFSET together; None where they cannot be known."""
    limit = select.args.get("limit")
    if limit is None or limit.args.get("limit_options"):
        return None
    most = whole_number(limit, dict(parameters))
    offset = select.args.get("offset")
    skipped = 0 if offset is None else whole_number(offset, dict(parameters))
    return None if most is None or skipped is None else most + skipped


def _rows_as_they_come(select: Node) -> bool:
    """Whether LIMIT takes rows as they come: nothing is made distinct, windowed or unnested."""
    if any(select.args.get(key) for key in ("distinct", "qualify", "having")):
        return False
    windows = own(select, lambda n: isinstance(n, exp.Window | exp.Unnest) or function_name(n) in ("unnest", "explode"))
    return not any(clause_of(each, select)[0] in ("expressions", "order") for each in windows)


def _grouped(select: Node, aggregates: frozenset[str]) -> bool:
    after = [select.args.get(key) for key in ("having", "qualify", "order")]
    parts = [*select.expressions, *(each for each in after if each is not None)]
    return bool(select.args.get("group")) or any(
        own(part, lambda node: is_aggregate(node, aggregates)) for part in parts
    )


def _keys(select: Node, aggregates: frozenset[str]) -> list[Node]:
    """What is grouped by, without outer brackets; for ALL, the SELECT expressions that aggregate nothing."""
    group = select.args.get("group")
    if group is None:
        return []
    plain = [e.unalias() for e in select.expressions if not own(e, lambda n: is_aggregate(n, aggregates))]
    return [key.unnest() for key in (plain if group.args.get("all") else group.expressions)]


def _of_rows(place: Place, select: Node, keys: Sequence[Node], aggregates: frozenset[str]) -> bool:
    """Whether a call of a grouped SELECT is one of single rows: in an aggregate, or in what is grouped by."""
    if in_aggregate(place.node, select, aggregates):
        return True
    spelled = {key.sql("duckdb") for key in keys}
    node: Node | None = place.node
    while node is not None and node is not select:
        if node.sql("duckdb") in spelled:
            return True
        node = node.parent
    return False


def _first(select: Node, places: Sequence[Place], limit: int | None) -> tuple[Node | None, int] | None:
    """ORDER BY and LIMIT for places after WHERE, when only the rows that are shown need answers."""
    if limit is None or any(p.clause != "SELECT" for p in places):
        return None
    order = select.args.get("order")
    if order is None:
        return None, limit
    order = order.copy()
    aliases = {e.alias.lower(): e.this for e in select.expressions if isinstance(e, exp.Alias)}
    for each in order.expressions:
        found = ordinal(select, each.this)
        for column in [n for n in each.walk() if isinstance(n, exp.Column)]:
            if not column.table and column.name.lower() in aliases:
                column.replace(exp.paren(aliases[column.name.lower()].copy(), copy=False))
        if found is not None:
            each.set("this", found.copy())
        elif isinstance(each.this, exp.Literal | exp.Var):
            return None  # a number beyond a star, or ALL
    return None if has(order, is_lookup) else (order, limit)
