"""One SELECT: its calls answered, in the order in which SQL comes to them, and replaced by look-ups."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from scalecurve.nouns import UserError
from scalecurve.query.choose import Options
from scalecurve.query.gather import Conjunct, Place, Source, known
from scalecurve.query.predicates import answer, decide, search
from scalecurve.query.run import Run, Taint
from scalecurve.query.tree import (
    VOLATILE,
    Node,
    all_of,
    clause_of,
    conjuncts,
    contains,
    expand_aliases,
    function_name,
    has,
    in_aggregate,
    is_aggregate,
    is_call,
    is_lookup,
    needs,
    or_top,
    ordinal,
    own,
    text,
    whole_number,
)

CLAUSES = {
    "where": "WHERE", "joins": "JOIN ON", "expressions": "SELECT", "group": "GROUP BY", "having": "HAVING",
    "qualify": "QUALIFY", "order": "ORDER BY", "distinct": "DISTINCT ON",
}  # fmt: skip


class Scope:
    """A SELECT with calls of its own. ``nested``: it is an expression of another SELECT, and may refer to that one."""

    def __init__(self, run: Run, select: Node, options: Options, *, nested: bool) -> None:
        self.run = run
        self.select = select
        self.options = options
        self.guards: list[Node] = []
        self.outer: list[Node] = []
        self._check_shape()
        self._spell_out()
        self.taint = self._taint()
        self.places = self._replace_calls()
        self.correlated = nested and not run.binds(select)
        self.grouped = bool(select.args.get("group")) or any(
            own(part, lambda node: is_aggregate(node, run.aggregates)) for part in self._after_grouping()
        )

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────
    def _check_shape(self) -> None:
        """Refuse what cannot be planned soundly."""
        for call in own(self.select, is_call):
            name = function_name(call)
            clause, part = clause_of(call, self.select)
            if clause not in CLAUSES:
                raise UserError(
                    f"query: {name} cannot stand in {clause.strip('_').upper()}; compute it in a CTE before"
                )
            if clause == "joins" and not contains(part.args.get("on"), call):
                raise UserError(f"query: {name} can stand in a JOIN's ON only, not inside a joined table in brackets")
            if call.find_ancestor(exp.Lambda) is not None:
                raise UserError(f"query: {name} cannot stand in a lambda; unnest the list first")
        for join in self.select.args.get("joins") or ():
            if has(join.args.get("on"), is_call) and str(join.method).upper() in ("ASOF", "NATURAL", "POSITIONAL"):
                raise UserError(
                    f"query: {join.method} JOIN cannot have an ai_ function in its ON; join first, then filter"
                )
        filtering = [self.select.args.get(key) for key in ("where", "group", "having", "qualify")]
        parts = [*filtering, *(self.select.args.get("joins") or ()), *own(self.select, is_call)]
        volatile = [n for part in parts if part is not None for n in own(part, lambda n: function_name(n) in VOLATILE)]
        if volatile:
            raise UserError(f"query: {function_name(volatile[0])}() beside an ai_ function gives other rows each time; "
                            "compute it in a CTE before")  # fmt: skip

    def _spell_out(self) -> None:
        """Put expressions in place of aliases and ordinals, where the rest of the plan needs to see them."""
        import duckdb

        select = self.select
        group = select.args.get("group")
        for each in list(group.expressions) if group is not None else ():
            found = ordinal(select, each)
            if found is not None:
                each.replace(exp.paren(found.copy(), copy=False))
        try:
            columns = self.run.columns(Source(select, self._joins(), ()).rows([exp.Star()]))
        except duckdb.Error:  # refers to an outer query, or names nothing: DuckDB will say which
            return
        parts = [select.args[key] for key in ("where", "having", "qualify", "group") if select.args.get(key)]
        with_calls = [*select.expressions, *(select.args["order"].expressions if select.args.get("order") else ())]
        expand_aliases(select, columns, [*parts, *(each for each in with_calls if has(each, is_call))])

    def _joins(self) -> list[Node]:
        return list(self.select.args.get("joins") or ())

    def _after_grouping(self) -> list[Node]:
        found = [self.select.args.get(key) for key in ("having", "qualify", "order")]
        return [*self.select.expressions, *(each for each in found if each is not None)]

    def _replace_calls(self) -> list[Place]:
        """Every call as a look-up; ``ai_meta`` of a call looks up all of its cell."""
        places = []
        told: set[int] = set()
        for call in own(self.select, is_call):
            if id(call) in told:
                continue
            if function_name(call) == "ai_meta":
                raise UserError(
                    "query: ai_meta takes a call, such as ai_meta(ai_ask('…', 'INT')), or a knowledge column"
                )
            shape, holes, label = self.run.shape(call, self.options)
            target, suffix, above = call, "", call.parent
            while isinstance(above, exp.Paren):
                above = above.parent
            if above is not None and is_call(above) and function_name(above) == "ai_meta":
                target, suffix = above, "_meta"
                told.add(id(above))
            clause, _ = clause_of(target, self.select)
            arguments = [text(hole) for hole in holes] or [exp.Literal.string("")]
            node = exp.Anonymous(this=shape.name + suffix, expressions=arguments)
            target.replace(node)
            places.append(Place(node, shape, label, CLAUSES[clause], node))
        return places

    def _taint(self) -> Taint:
        """What is not known of the tables of this SELECT (EXPLAIN only)."""
        found = [self.run.taints[each.name] for each in own(self.select, lambda n: isinstance(n, exp.Table))
                 if each.name in self.run.taints]  # fmt: skip
        rows = {taint.rows for taint in found}
        worst = "unknown" if "unknown" in rows else "more" if "more" in rows else "exact"
        return Taint(frozenset().union(*(taint.columns for taint in found)), worst)

    def open(self, node: Node) -> bool:
        """Whether the value of ``node`` itself is not known yet."""
        if isinstance(node, exp.Column):
            return node.name.lower() in self.taint.columns
        if not is_lookup(node):
            return False
        return self.run.dry or any(place.node is node and not place.done for place in self.places)

    # ── Answering ───────────────────────────────────────────────────────────────────────────────────────────
    def resolve(self) -> None:
        """Answer every place."""
        self._assign_roots()
        for at, join in enumerate(self._joins()):
            if not self._inner(at) and self._holds(join):
                self._outer_join(at)
        pool = self._pool()
        wanted = self._wanted(pool)
        with_calls = [conjunct for conjunct in pool if conjunct.places]
        self.plain = [c.node for c in pool if not c.places and not has(c.node, self.open) and self._binds(c.node)]
        self.uncertain = self.taint.rows != "exact" or any(not c.places and has(c.node, self.open) for c in pool)
        if wanted is not None and with_calls and not self.run.dry:
            self.guards += search(self.run, with_calls, self._sourced, self.open, wanted)
            self._restrict(self.guards)
        else:
            exact = wanted is None and not self.uncertain
            for conjunct in with_calls if self.taint.rows == "unknown" else ():
                self._unknown(conjunct.places)
            if self.taint.rows != "unknown":
                decide(self.run, with_calls, self._sourced, self.open)
                self._mark(with_calls, exact)
        self.filters = [*self.plain, *(c.node for c in with_calls if not self.run.dry)]
        self.uncertain = self.uncertain or (self.run.dry and bool(with_calls))
        self._rest()

    def _assign_roots(self) -> None:
        for place in self.places:
            clause, part = clause_of(place.node, self.select)
            place.root = part
            conditions = {"where": [part], "having": [part], "joins": [part]}.get(clause, [])
            for condition in conditions:
                whole = condition.args.get("on") if clause == "joins" else condition.this
                place.root = next(c for c in conjuncts(whole) if contains(c, place.node))

    def _holds(self, part: Node) -> bool:
        return any(contains(part, place.node) for place in self.places)

    def _inner(self, at: int) -> bool:
        """Whether a join keeps just the pairs that satisfy its ON, so that its conditions can be asked like WHERE's."""
        joins = self._joins()
        plain = not joins[at].side and str(joins[at].kind).upper() in ("", "INNER", "CROSS")
        return plain and not any(str(join.side).upper() in ("RIGHT", "FULL") for join in joins[at + 1 :])

    def _outer_join(self, at: int) -> None:
        """Answer the calls in an outer join's ON, on the pairs that satisfy the rest of it."""
        join = self._joins()[at]
        parts = conjuncts(join.args["on"])
        plain = [part for part in parts if not self._holds(part) and not has(part, self.open)]
        inner = exp.Join(this=join.this.copy(), on=all_of(plain) or exp.true())
        source = Source(self.select, [*self._stripped(at), inner])
        for place in (place for part in parts for place in self.places if place.root is part):
            answer(self.run, place, source, self.open, truth=True, exact=self.taint.rows == "exact")
        if self.run.dry:  # which rows are left without a partner depends on the answers
            self.taint = Taint(self.taint.columns, "unknown")

    def _stripped(self, upto: int | None = None) -> list[Node]:
        """Copies of the joins; the conditions that inner ones hold in calls are taken out, to be asked like WHERE's."""
        found = []
        for at, join in enumerate(self._joins()[:upto]):
            copy = join.copy()
            if self._holds(join) and (self._inner(at) or self.run.dry):
                kept = [part for part in conjuncts(join.args["on"]) if not self._holds(part)]
                copy.set("on", all_of(kept) or exp.true())
            found.append(copy)
        return found

    def _pool(self) -> list[Conjunct]:
        """WHERE's conjuncts, and those of inner joins that hold calls."""
        where = self.select.args.get("where")
        nodes = conjuncts(where.this) if where is not None else []
        for at, join in enumerate(self._joins()):
            if self._inner(at):
                nodes += [part for part in conjuncts(join.args.get("on")) if self._holds(part)]
        return [Conjunct(node, [place for place in self.places if place.root is node]) for node in nodes]

    def _binds(self, condition: Node) -> bool:
        """Whether a condition can be tested here; one that refers to an outer query is left out, which asks more."""
        return not self.correlated or self.run.binds(
            Source(self.select, self._stripped(), [condition]).rows([exp.null()])
        )

    def _sourced(self, conditions: Sequence[Node]) -> Source:
        return Source(self.select, self._stripped(), [*self.plain, *conditions])

    def _wanted(self, pool: Sequence[Conjunct]) -> int | None:
        """How many rows a LIMIT wants, where the search may end when they are found; None where it may not."""
        if not self._may_cut() or self.select.args.get("order"):
            return None
        calls = [conjunct for conjunct in pool if conjunct.places]
        if any(or_top(c.node) or any(p.shape.options.cascades for p in c.places) for c in calls):
            return None
        return self._limit()

    def _limit(self) -> int | None:
        limit = self.select.args.get("limit")
        if limit is None or limit.args.get("limit_options"):
            return None
        most = whole_number(limit, self.run.parameters)
        offset = self.select.args.get("offset")
        skipped = 0 if offset is None else whole_number(offset, self.run.parameters)
        return None if most is None or skipped is None else most + skipped

    def _may_cut(self) -> bool:
        """Whether LIMIT takes rows as they come: nothing is grouped, made distinct, windowed or unnested."""
        select = self.select
        if self.grouped or self.correlated or any(select.args.get(key) for key in ("distinct", "qualify", "having")):
            return False
        windows = own(
            select, lambda n: isinstance(n, exp.Window | exp.Unnest) or function_name(n) in ("unnest", "explode")
        )
        return not any(clause_of(each, select)[0] in ("expressions", "order") for each in windows)

    def _restrict(self, guards: Sequence[Node]) -> None:
        """Let the final query see only rows of which all is known."""
        where = self.select.args.get("where")
        condition = all_of([*([where.this] if where is not None else []), *guards])
        self.select.set("where", exp.Where(this=condition))

    def _unknown(self, places: Sequence[Place]) -> None:
        for place in places:
            self.run.ask_unknown(place.shape, place.label, place.clause)
            place.done = True

    def _mark(self, answered: Sequence[Conjunct], exact: bool) -> None:
        if self.run.dry and not exact:
            for place in (place for conjunct in answered for place in conjunct.places):
                self.run.step(place.shape, place.label, place.clause).exact = False

    # ── What comes after WHERE ──────────────────────────────────────────────────────────────────────────────
    def _rest(self) -> None:
        """GROUP BY and aggregates on rows, then HAVING and the rest on groups, or all of it on rows."""
        left = [place for place in self.places if not place.done]
        if self.run.dry and self.taint.rows == "unknown":
            self._unknown(left)
            return
        on_rows = [p for p in left if not self.grouped or p.clause == "GROUP BY" or self._of_rows(p)]
        cut = self._cut(on_rows)
        for place in on_rows:
            source = Source(self.select, self._stripped(), [*self.filters, *self.guards])
            if cut is not None and not self.run.dry:
                source = Source(self.select, source.joins, source.where, order=cut[0], limit=cut[1])
            self._answer(place, source, most=cut[1] if cut is not None else None)
        having = self.select.args.get("having")
        parts = conjuncts(having.this) if having is not None else []
        groups = [Conjunct(part, [p for p in left if p.root is part and not p.done]) for part in parts]
        plain = [c.node for c in groups if not c.places and not has(c.node, self.open)]
        with_calls = [c for c in groups if c.places]
        if with_calls and self.run.dry and self.uncertain:  # which groups there are depends on answers to come
            self._unknown([place for conjunct in with_calls for place in conjunct.places])
        elif with_calls:
            decide(self.run, with_calls, lambda more: self._groups([*plain, *more]), self.open)
        done = plain if self.run.dry else [c.node for c in groups]
        for place in left:
            if not place.done:
                self._answer(place, self._groups(done), exact=not with_calls)

    def _answer(self, place: Place, source: Source, *, exact: bool = True, most: int | None = None) -> None:
        exact = exact and not self.uncertain
        answer(self.run, place, source, self.open, truth=False, exact=exact, most=most)
        if source.limit is not None:
            guard = known(place, needs(place.node, place.root, self.open, truth=False)[0])
            self.guards.append(guard)
            self._restrict([guard])

    def _of_rows(self, place: Place) -> bool:
        """Whether a call of a grouped SELECT is one of single rows: in an aggregate, or in what is grouped by."""
        if in_aggregate(place.node, self.select, self.run.aggregates):
            return True
        keys = {key.sql("duckdb") for key in self._keys()}
        node: Node | None = place.node
        while node is not None and node is not self.select:
            if node.sql("duckdb") in keys:
                return True
            node = node.parent
        return False

    def _keys(self) -> list[Node]:
        """What is grouped by, without outer brackets; for ALL, the SELECT expressions that aggregate nothing."""
        group = self.select.args.get("group")
        if group is None:
            return []
        plain = [e.unalias() for e in self.select.expressions
                 if not own(e, lambda n: is_aggregate(n, self.run.aggregates))]  # fmt: skip
        keys = plain if group.args.get("all") else group.expressions
        return [key.unnest() for key in keys]

    def _groups(self, having: Sequence[Node]) -> Source:
        group = self.select.args.get("group")
        if group is not None and has(group, lambda n: isinstance(n, exp.Rollup | exp.Cube | exp.GroupingSets)):
            raise UserError("query: ROLLUP, CUBE and GROUPING SETS cannot stand beside an ai_ function of a group; "
                            "group in a CTE before")  # fmt: skip
        keys = self._keys()  # none for the ALL of a SELECT that only aggregates
        group = exp.Group(expressions=[key.copy() for key in keys]) if keys else None
        return Source(self.select, self._stripped(), self.filters, group, having)

    def _cut(self, places: Sequence[Place]) -> tuple[Node | None, int] | None:
        """ORDER BY and LIMIT for places after WHERE, when only the rows that are shown need answers."""
        limit = self._limit() if self._may_cut() else None
        if limit is None or any(p.clause != "SELECT" for p in places):
            return None
        order = self.select.args.get("order")
        if order is None:
            return None, limit
        order = order.copy()
        aliases = {e.alias.lower(): e.this for e in self.select.expressions if isinstance(e, exp.Alias)}
        for each in order.expressions:
            found = ordinal(self.select, each.this)
            for column in [n for n in each.walk() if isinstance(n, exp.Column)]:
                if not column.table and column.name.lower() in aliases:
                    column.replace(exp.paren(aliases[column.name.lower()].copy(), copy=False))
            if found is not None:
                each.set("this", found.copy())
            elif isinstance(each.this, exp.Literal | exp.Var):
                return None  # a number beyond a star, or ALL
        return None if has(order, is_lookup) else (order, limit)
