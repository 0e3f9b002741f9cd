"""One SELECT: its calls answered, in the order in which SQL comes to them, and replaced by look-ups."""

from __future__ import annotations

from typing import TypeAlias

from sqlglot import exp

from scalecurve.errors import UserError
from scalecurve.query.answers.call_cache import CallShape
from scalecurve.query.executor.gather import Source
from scalecurve.query.executor.run import Run, Taint
from scalecurve.query.executor.walk import Asking, Counting
from scalecurve.query.planner.clauses import SelectPlan, plan_select
from scalecurve.query.rungs.choose import Options
from scalecurve.query.sql.ast import (
    VOLATILE,
    Node,
    all_of,
    clause_of,
    contains,
    expand_aliases,
    function_name,
    has,
    is_call,
    ordinal,
    own,
    text,
    whole_number,
)

Lookup: TypeAlias = tuple[Node, CallShape, str, str]  # a call's node, shape, label and clause
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
        self.nested = nested
        self._check_shape()
        self._spell_out()
        self.taint = self._taint()

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
            if isinstance(call.parent, exp.Window | exp.Filter) and call.parent.this is call:
                raise UserError(
                    f"query: {name} answers row by row: OVER and FILTER belong to aggregates such as ai_agg"
                )
            if has(call, lambda node: isinstance(node, exp.Columns)):
                raise UserError(f"query: {name} takes no COLUMNS(…); name the column")
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

    def _replace_calls(self) -> list[Lookup]:
        """Every call as a look-up; ``ai_meta`` of a call looks up all of its cell."""
        places: list[Lookup] = []
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
            places.append((node, shape, label, CLAUSES[clause]))
        return places

    def _taint(self) -> Taint:
        """What is not known of the tables of this SELECT (EXPLAIN only)."""
        found = [self.run.taints[each.name] for each in own(self.select, lambda n: isinstance(n, exp.Table))
                 if each.name in self.run.taints]  # fmt: skip
        rows = {taint.rows for taint in found}
        worst = "unknown" if "unknown" in rows else "more" if "more" in rows else "exact"
        return Taint(frozenset().union(*(taint.columns for taint in found)), worst)

    def _take_no_rows(self) -> None:
        """LIMIT 0, by which programs ask for the columns: no row matters, so that nothing is asked."""
        if whole_number(self.select.args.get("limit"), dict(self.run.parameters)) == 0:
            where = self.select.args.get("where")
            condition = all_of([*([where.this] if where is not None else []), exp.false()])
            self.select.set("where", exp.Where(this=condition))

    def resolve(self) -> None:
        """Plan, and answer or count all that is planned."""
        self._take_no_rows()
        lookups = self._replace_calls()
        correlated = self.nested and not self.run.binds(self.select)
        aggregates, parameters = self.run.aggregates, self.run.parameters
        plan = plan_select(self.select, lookups, aggregates, parameters, correlated=correlated)
        if correlated:
            _refuse_groups(plan)
        (Counting if self.run.dry else Asking)(self.run, plan, self.taint, correlated=correlated).walk()


def _refuse_groups(plan: SelectPlan) -> None:
    """Calls on groups or windows of a subquery that refers to the query around it: each outer row has other ones."""
    places = [*plan.on_groups, *(place for part in plan.having for place in part.places)]
    windows = [p for p in plan.on_rows if any(has(each, lambda n: isinstance(n, exp.Window)) for each in p.arguments)]
    if place := next(iter((*places, *windows)), None):
        raise UserError(f"query: {place.label}: the subquery's groups depend on the query around it; "
                        "group in a CTE before, and join it")  # fmt: skip
