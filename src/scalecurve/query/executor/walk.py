"""A SELECT's plan, walked: once to count (EXPLAIN), once to ask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from sqlglot import exp

from scalecurve.errors import UserError
from scalecurve.query.executor.gather import Source, known
from scalecurve.query.executor.predicates import answer, decide, search
from scalecurve.query.executor.run import Run, Taint
from scalecurve.query.planner.clauses import Conjunct, Place, SelectPlan, keeps_pairs
from scalecurve.query.sql.ast import Node, all_of, conjuncts, contains, has, is_lookup, needs


class Walk(ABC):
    """What both walks share: the rows on which each call is needed."""

    all_joins = False  # whether conditions on answers are taken out of outer joins too

    def __init__(self, run: Run, plan: SelectPlan, taint: Taint, *, correlated: bool) -> None:
        self.run, self.plan, self.taint, self.correlated = run, plan, taint, correlated
        self.select = plan.select
        self.done: set[Place] = set()
        self.plain: list[Node] = []
        self.filters: list[Node] = []
        self.guards: list[Node] = []

    def walk(self) -> None:
        """Everything the plan asks, in its order."""
        for at, places in self.plan.outer:
            self.outer_join(at, places)
        self.plain = [c.node for c in self.plan.pool if not c.places and not has(c.node, self.open) and self._binds(c)]
        self.where()
        self.rows()
        self.groups()

    @abstractmethod
    def open(self, node: Node) -> bool:
        """Whether the value of ``node`` itself is not known yet."""

    @abstractmethod
    def where(self) -> None:
        """The conditions of WHERE and of inner joins."""

    @abstractmethod
    def rows(self) -> None:
        """GROUP BY and aggregates on rows, or all of SELECT."""

    @abstractmethod
    def groups(self) -> None:
        """HAVING and the rest on groups."""

    def outer_join(self, at: int, places: Sequence[Place]) -> None:
        """The calls in an outer join's ON, on the pairs that satisfy the rest of it."""
        join = self.select.args["joins"][at]
        plain = [p for p in conjuncts(join.args["on"]) if not self._holds(p) and not has(p, self.open)]
        inner = exp.Join(this=join.this.copy(), on=all_of(plain) or exp.true())
        source = Source(self.select, [*self.stripped(at), inner])
        for place in places:
            answer(self.run, place, source, self.open, truth=True, exact=self.taint.rows == "exact",
                   over=self.plan.over(place))  # fmt: skip
            self.done.add(place)

    def stripped(self, upto: int | None = None) -> list[Node]:
        """Copies of the joins; the conditions that inner ones hold in calls are taken out, to be asked like WHERE's."""
        found = []
        for at, join in enumerate((self.select.args.get("joins") or [])[:upto]):
            copy = join.copy()
            if self._holds(join) and (keeps_pairs(self.select, at) or self.all_joins):
                kept = [part for part in conjuncts(join.args["on"]) if not self._holds(part)]
                copy.set("on", all_of(kept) or exp.true())
            found.append(copy)
        return found

    def sourced(self, conditions: Sequence[Node]) -> Source:
        """The rows that the plain conditions and these leave."""
        return Source(self.select, self.stripped(), [*self.plain, *conditions])

    def grouped(self, having: Sequence[Node]) -> Source:
        """The groups for which these conditions hold."""
        group = self.select.args.get("group")
        if group is not None and has(group, lambda n: isinstance(n, exp.Rollup | exp.Cube | exp.GroupingSets)):
            raise UserError("query: ROLLUP, CUBE and GROUPING SETS cannot stand beside an ai_ function of a group; "
                            "group in a CTE before")  # fmt: skip
        keys = self.plan.keys  # none for the ALL of a SELECT that only aggregates
        group = exp.Group(expressions=[key.copy() for key in keys]) if keys else None
        return Source(self.select, self.stripped(), self.filters, group, having)

    def _holds(self, part: Node) -> bool:
        return has(part, is_lookup) and any(
            contains(part, p.node)
            for p in (
                *(each for _, some in self.plan.outer for each in some),
                *(each for conjunct in self.plan.pool for each in conjunct.places),
            )
        )

    def _binds(self, conjunct: Conjunct) -> bool:
        """Whether a condition can be tested here; one that refers to an outer query is left out, which asks more."""
        return not self.correlated or self.run.binds(
            Source(self.select, self.stripped(), [conjunct.node]).rows([exp.null()])
        )


class Asking(Walk):
    """Asks, and lets the final query see only rows of which all is known."""

    def open(self, node: Node) -> bool:
        return is_lookup(node) and any(node is place.node and place not in self.done for place in self._all())

    def where(self) -> None:
        asking = self.plan.asking
        if asking and self.plan.until is not None:
            self.guards += search(self.run, self.plan, self.sourced, self.open, self.done)
            self._restrict(self.guards)
        else:
            decide(self.run, asking, self.sourced, self.open, self.done, self.plan)
        self.filters = [*self.plain, *(conjunct.node for conjunct in asking)]

    def rows(self) -> None:
        first = self.plan.first
        for place in self.plan.on_rows:
            source = Source(self.select, self.stripped(), [*self.filters, *self.guards])
            if first is not None:
                source = Source(self.select, source.joins, source.where, order=first[0], limit=first[1])
            answer(self.run, place, source, self.open, truth=False, over=self.plan.over(place))
            self.done.add(place)
            if first is not None:
                guard = known(place, needs(place.node, place.root, self.open, truth=False)[0])
                self.guards.append(guard)
                self._restrict([guard])

    def groups(self) -> None:
        asking = [conjunct for conjunct in self.plan.having if conjunct.places]
        plain = [c.node for c in self.plan.having if not c.places and not has(c.node, self.open)]
        decide(self.run, asking, lambda more: self.grouped([*plain, *more]), self.open, self.done, self.plan)
        for place in self.plan.on_groups:
            source = self.grouped([conjunct.node for conjunct in self.plan.having])
            answer(self.run, place, source, self.open, truth=False, over="groups")
            self.done.add(place)

    def _restrict(self, guards: Sequence[Node]) -> None:
        where = self.select.args.get("where")
        condition = all_of([*([where.this] if where is not None else []), *guards])
        self.select.set("where", exp.Where(this=condition))

    def _all(self) -> list[Place]:
        plan = self.plan
        found = [place for _, places in plan.outer for place in places]
        found += [place for conjunct in (*plan.pool, *plan.having) for place in conjunct.places]
        return [*found, *plan.on_rows, *plan.on_groups]


class Counting(Walk):
    """Counts what ``Asking`` would ask: exactly, at most, or not at all where it depends on answers."""

    all_joins = True

    def open(self, node: Node) -> bool:
        return is_lookup(node) or (isinstance(node, exp.Column) and node.name.lower() in self.taint.columns)

    def outer_join(self, at: int, places: Sequence[Place]) -> None:
        super().outer_join(at, places)
        self.taint = Taint(self.taint.columns, "unknown")  # which rows have no partner depends on the answers

    def where(self) -> None:
        asking = self.plan.asking
        hidden = any(not c.places and has(c.node, self.open) for c in self.plan.pool)
        self.uncertain = self.taint.rows != "exact" or hidden
        for place in (place for conjunct in asking for place in conjunct.places):
            if self.taint.rows == "unknown":
                self._unknown(place)
                continue
            exact = len(asking) == 1 and self.plan.until is None and not self.uncertain
            answer(self.run, place, self.sourced([]), self.open, truth=True, exact=exact, over=self.plan.over(place))
        self.filters = list(self.plain)
        self.uncertain = self.uncertain or bool(asking)

    def rows(self) -> None:
        most = self.plan.first[1] if self.plan.first is not None else None
        for place in self.plan.on_rows:
            if self.taint.rows == "unknown":
                self._unknown(place)
                continue
            source = Source(self.select, self.stripped(), [*self.filters, *self.guards])
            answer(self.run, place, source, self.open, truth=False, exact=not self.uncertain, most=most,
                   over=self.plan.over(place))  # fmt: skip

    def groups(self) -> None:
        asking = [place for conjunct in self.plan.having for place in conjunct.places]
        plain = [c.node for c in self.plan.having if not c.places and not has(c.node, self.open)]
        for at, place in enumerate((*asking, *self.plan.on_groups)):
            in_having = at < len(asking)
            if self.taint.rows == "unknown" or (in_having and self.uncertain):  # groups depend on answers to come
                self._unknown(place)
                continue
            several = len([c for c in self.plan.having if c.places]) > 1
            exact = not several if in_having else not asking and not self.uncertain
            answer(self.run, place, self.grouped(plain), self.open, truth=in_having, exact=exact, over="groups")

    def _unknown(self, place: Place) -> None:
        self.run.ask_unknown(place.shape, place.label, place.clause, self.plan.over(place))
