"""From a statement to its result: CTEs and tables first, then each SELECT from the inside out, then plain SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import duckdb
from sqlglot import exp

from scalecurve.errors import UserError
from scalecurve.query.executor.attached import first_line
from scalecurve.query.executor.knowledge import bind_model_tables
from scalecurve.query.executor.run import Run, Taint
from scalecurve.query.executor.select import Scope
from scalecurve.query.planner.aggregates import gather_texts
from scalecurve.query.planner.names import name_columns
from scalecurve.query.planner.pairs import label_both_sides
from scalecurve.query.rungs.choose import Options
from scalecurve.query.sql.ast import (
    Node,
    all_of,
    conjuncts,
    function_name,
    has,
    is_aggregate,
    is_call,
    is_lookup,
    is_model_table,
    nested_queries,
    ordinal,
    own,
    text,
)
from scalecurve.query.sql.parse import tree
from scalecurve.query.sql.statement import Query, Value

CLOCKS = frozenset(
    "now current_timestamp get_current_timestamp transaction_timestamp current_date today current_time "
    "get_current_time localtime localtimestamp current_localtimestamp current_localtime".split()
)


def execute(run: Run, query: Query) -> Any:
    """The result of ``query`` as an Arrow table; None when nothing is asked (``run.dry``)."""
    root = tree(query.sql)
    if asks(root):
        _stop_clocks(run, root)
        root = gather_texts(name_columns(root))
        if not query.options.get("pairs"):
            root = label_both_sides(root)
    options = Options().over(query.options)
    if asks(root):
        prepare(run, root, options, query.cte_options, nested=False)
    return None if run.dry else run.table(root)


def _stop_clocks(run: Run, root: Node) -> None:
    """One time for the whole query, which the plan looks at more than once."""
    clocks = [node for node in root.walk() if function_name(node) in CLOCKS]
    if not clocks:
        return
    read = [each for node in clocks for each in (text(node.copy()), exp.func("typeof", node.copy()))]
    (told,) = run.rows(exp.Select(expressions=read))
    for node, value, kind in zip(clocks, told[::2], told[1::2], strict=True):
        node.replace(exp.cast(exp.Literal.string(value), kind, dialect="duckdb"))


def asks(node: Node) -> bool:
    """Whether anything in ``node`` needs a model."""
    return has(node, lambda each: is_call(each) or is_model_table(each))


def prepare(run: Run, query: Node, options: Options, ctes: Mapping[str, Mapping[str, Value]], *, nested: bool) -> Taint:
    """Answer all calls in ``query`` and put look-ups and temporary tables in their place; what is then not known of it.

    ``nested``: the query is an expression of another one, which it may refer to.
    """
    _materialise_ctes(run, query, options, ctes)
    if isinstance(query, exp.Subquery):
        _refuse_outside(query)
        return prepare(run, query.this, options, ctes, nested=nested)
    if isinstance(query, exp.SetOperation):
        _refuse_outside(query)
        sides = [prepare(run, side, options, ctes, nested=nested) for side in (query.this, query.expression)]
        exact = all(side == Taint() for side in sides)
        more = isinstance(query, exp.Union) and not any(side.rows == "unknown" or side.columns for side in sides)
        return Taint() if exact else Taint(rows="more" if more else "unknown")
    if not isinstance(query, exp.Select):
        if asks(query):
            raise UserError(f"query: an ai_ function cannot stand in {query.key.upper()}; use a SELECT")
        return Taint()
    return _prepare_select(run, query, options, ctes, nested=nested)


def _refuse_outside(query: Node) -> None:
    """Calls in the ORDER BY or LIMIT of a UNION, which belong to no SELECT."""
    calls = own(query, is_call)
    if calls:
        raise UserError(f"query: {function_name(calls[0])} cannot stand after a UNION; wrap the UNION in a subquery")


def _prepare_select(
    run: Run, select: Node, options: Options, ctes: Mapping[str, Mapping[str, Value]], *, nested: bool
) -> Taint:
    taints: dict[int, Taint] = {}
    for inner in nested_queries(select):
        in_from = _in_from(inner, select)
        taints[id(inner)] = prepare(run, inner, options, ctes, nested=not in_from)
    busy = any(own(select, is_call)) or any(own(select, is_model_table))
    for inner in nested_queries(select):
        if _in_from(inner, select) and isinstance(inner, exp.Subquery) and (busy or taints[id(inner)] != Taint()):
            _replace_by_table(run, inner, taints[id(inner)], has_calls=has(inner, is_lookup))
    bind_model_tables(run, select, options)
    if any(own(select, is_call)):
        Scope(run, select, options, nested=nested).resolve()
    return _taint(run, select) if run.dry else Taint()


def _in_from(inner: Node, select: Node) -> bool:
    """Whether a nested query is a table of ``select``'s FROM, and not an expression."""
    parent = inner.parent
    return isinstance(inner, exp.Subquery) and (
        isinstance(parent, exp.From) or (isinstance(parent, exp.Join) and inner.arg_key == "this")
    )


def _replace_by_table(run: Run, subquery: Node, taint: Taint, *, has_calls: bool) -> None:
    """A derived table computed once, so that its rows are the same each time the plan looks at them."""
    try:
        name = materialise(run, subquery.this, taint)
    except duckdb.BinderException as error:
        if has_calls:
            reason = first_line(error)
            raise UserError(f"query: a subquery with ai_ functions refers to its neighbours: {reason}") from None
        return
    alias = subquery.args.get("alias")
    joins = subquery.args.get("joins")
    table = exp.Table(this=exp.to_identifier(name), alias=alias.copy() if alias else None, joins=joins)
    for key in ("pivots", "sample"):
        if subquery.args.get(key):
            table.set(key, subquery.args[key])
    subquery.replace(table)


def materialise(run: Run, query: Node, taint: Taint) -> str:
    """A temporary table with the rows of ``query``; in a dry run, with the most rows there can be. Its name."""
    hidden = run.dry and taint != Taint()
    name = run.create(_without_answers(query) if hidden and taint.rows != "exact" else query)
    if hidden:
        run.taints[name] = taint
    return name


# ── CTEs ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _materialise_ctes(run: Run, query: Node, options: Options, ctes: Mapping[str, Mapping[str, Value]]) -> None:
    """Every CTE that is used as a temporary table, in order; its uses are renamed."""
    clause = query.args.get("with_")
    if clause is None:
        return
    for cte in list(clause.expressions):
        name = cte.alias
        uses = _uses(query, cte)
        cte.pop()
        if not uses:
            continue
        body = cte.this
        recursive = any(table.name.lower() == name.lower() for table in body.find_all(exp.Table) if not table.db)
        if clause.args.get("recursive") and recursive:
            if asks(body):
                raise UserError(f"query: {name}: an ai_ function cannot stand in a recursive CTE")
            body, taint = _recursive(cte), Taint()
        else:
            taint = prepare(run, body, options.over(ctes.get(name, {})), ctes, nested=False)
            body = _renamed_columns(body, cte)
        temporary = materialise(run, body, taint)
        for table in uses:
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name))
            table.set("this", exp.to_identifier(temporary))
            table.set("alias", alias)
    query.set("with_", None)


def _uses(query: Node, cte: Node) -> list[Node]:
    """The tables in ``query`` that mean ``cte``: not in itself, nor where an inner WITH gives its name to another."""
    found = []
    for table in query.find_all(exp.Table):
        if table.db or table.name.lower() != cte.alias.lower() or isinstance(table.this, exp.Func):
            continue
        node, hidden = table.parent, False
        while node is not None and node is not query:
            hidden = hidden or node is cte or _defines(node, cte.alias)
            node = node.parent
        if not hidden:
            found.append(table)
    return found


def _defines(node: Node, name: str) -> bool:
    clause = node.args.get("with_") if isinstance(node, exp.Query) else None
    return clause is not None and any(each.alias.lower() == name.lower() for each in clause.expressions)


def _recursive(cte: Node) -> Node:
    select = exp.select("*").from_(exp.to_identifier(cte.alias))
    select.set("with_", exp.With(expressions=[cte], recursive=True))
    return select


def _renamed_columns(body: Node, cte: Node) -> Node:
    """The CTE's query with the column names that its head gives."""
    if not cte.alias_column_names:
        return body
    columns = [exp.to_identifier(name) for name in cte.alias_column_names]
    alias = exp.TableAlias(this=exp.to_identifier("__cte"), columns=columns)
    return exp.select("*").from_(exp.Subquery(this=body, alias=alias))


# ── What EXPLAIN cannot know ─────────────────────────────────────────────────────────────────────────────────
def _taint(run: Run, select: Node) -> Taint:
    """What is not known of the rows of a SELECT whose calls are not answered."""
    below = [run.taints[t.name] for t in own(select, lambda n: isinstance(n, exp.Table)) if t.name in run.taints]
    hidden = frozenset().union(*(taint.columns for taint in below))

    def open_(node: Node) -> bool:
        return is_lookup(node) or (isinstance(node, exp.Column) and node.name.lower() in hidden)

    columns = frozenset(
        each.alias_or_name.lower() for each in select.expressions if has(each, open_) or isinstance(each, exp.Star)
    )
    stars = any(isinstance(each, exp.Star) or each.name == "*" for each in select.expressions)
    columns = (columns - {"*"}) | (hidden if stars else frozenset())
    filtered = any(has(part, open_) for part in _filters(select)) or any(taint.rows == "more" for taint in below)
    filtered = filtered or _cut_by(select, lambda node: open_(node) or _names(node, columns))
    shaped = ("group", "having", "qualify", "distinct", "order")
    grouping = any(select.args.get(key) for key in shaped[:4]) or any(
        own(each, lambda n: is_aggregate(n, run.aggregates)) for each in select.expressions
    )
    if any(taint.rows == "unknown" for taint in below) or (grouping and (filtered or columns or hidden)):
        return Taint(columns, "unknown")
    return Taint(columns, "more" if filtered else "exact") if columns or filtered else Taint()


def _cut_by(select: Node, open_: Callable[[Node], bool]) -> bool:
    """Whether LIMIT or OFFSET takes rows in an order that answers make, so that nobody knows which."""
    order = select.args.get("order")
    if order is None or not any(select.args.get(key) for key in ("limit", "offset")):
        return False
    return any(has(ordinal(select, each.this) or each.this, open_) for each in order.expressions)


def _names(node: Node, columns: frozenset[str]) -> bool:
    return isinstance(node, exp.Column) and not node.table and node.name.lower() in columns


def _filters(select: Node) -> list[Node]:
    where = [select.args["where"]] if select.args.get("where") else []
    return [*where, *(join.args["on"] for join in select.args.get("joins") or () if join.args.get("on"))]


def _without_answers(query: Node) -> Node:
    """A copy of ``query`` whose conditions on answers, and whose LIMITs, are taken out: the most rows there can be."""
    copy = query.copy()
    for select in copy.find_all(exp.Select):
        select.set("limit", None)
        select.set("offset", None)
        for part in _filters(select):
            kept = [c for c in conjuncts(part.this if isinstance(part, exp.Where) else part) if not has(c, is_lookup)]
            condition = all_of(kept) or exp.true()
            part.replace(exp.Where(this=condition) if isinstance(part, exp.Where) else condition)
    return copy
