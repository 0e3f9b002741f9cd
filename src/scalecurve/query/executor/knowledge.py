"""Tables read from what a model knows: ``model('rung').country``, one call a cell.

A bound scan takes its keys from the query (=, IN, or a join); without any, an open scan asks the model for keys until
it says no new one, which needs a LIMIT.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from scalecurve.errors import UserError
from scalecurve.query.answers.call_cache import CallShape
from scalecurve.query.answers.calls import asked_of_key
from scalecurve.query.answers.values import Kind, enumeration, kind_of
from scalecurve.query.executor.enumerate import draw_keys
from scalecurve.query.executor.gather import Source, gather
from scalecurve.query.executor.lookups import arrow_type
from scalecurve.query.executor.run import Run, Taint
from scalecurve.query.rungs.choose import Options
from scalecurve.query.sql.ast import (
    Node,
    conjuncts,
    function_name,
    has,
    is_call,
    is_model_table,
    own,
    text,
    whole_number,
)
from scalecurve.query.sql.statement import Column, KnowledgeTable


@dataclass(slots=True)
class BoundTable:
    """A knowledge table in a SELECT: what it is, what it is called there, the shape of each column asked for."""

    node: Node
    table: KnowledgeTable
    alias: str
    options: Options
    shapes: dict[str, CallShape]


def bind_model_tables(run: Run, select: Node, options: Options) -> list[BoundTable]:
    """Ask for the cells that ``select`` needs of its knowledge tables, and put temporary tables in their place."""
    waiting = [_bound(run, select, node, options) for node in own(select, is_model_table)]
    done: list[BoundTable] = []
    while waiting:
        for bound in waiting:
            keys = _bound_keys(run, select, bound, [other for other in waiting if other is not bound])
            if keys is not None:
                break
        else:  # none has keys yet: the first is enumerated
            bound = waiting[0]
            keys = _open_keys(run, select, bound)
        waiting.remove(bound)
        _scan(run, select, bound, keys)
        done.append(bound)
    return done


def _bound(run: Run, select: Node, node: Node, options: Options) -> BoundTable:
    name = node.name.lower()
    table = next((known for key, known in run.knowledge.items() if key.lower() == name), None)
    if table is None:
        raise UserError(
            f"query: there is no knowledge table {node.name!r}; CREATE KNOWLEDGE TABLE {node.name} (…) first"
        )
    (argument,) = node.args["db"].expressions
    model = argument.name if argument.is_string else "ladder"
    options = replace(options, model=model, ability=options.ability or table.ability)
    bound = BoundTable(node, table, node.alias or node.name, options, {})
    for column in _used(run, select, bound):
        kind = column_kind(column)
        asked = asked_of_key(
            column.question or _question(table, column), f"{{{table.key.name}}}", kind, _shots(table, column)
        )
        bound.shapes[column.name] = run.shape_of(asked, options, f"{bound.alias}.{column.name}")
    return bound


def column_kind(column: Column) -> Kind:
    """The type of a column's answers."""
    return enumeration(column.options) if column.type == "ENUM" else kind_of(column.type)


def _question(table: KnowledgeTable, column: Column) -> str:
    """How a cell is asked for by default."""
    return f"What is the {column.name.replace('_', ' ')} of {{{table.key.name}}}?"


def _shots(table: KnowledgeTable, column: Column) -> list[tuple[str, str]]:
    """The examples that say something of ``column``: their keys and its cells."""
    key, at = table.columns.index(table.key), table.columns.index(column)
    return [(str(row[key]), str(row[at])) for row in table.examples if row[at] is not None]


def _used(run: Run, select: Node, bound: BoundTable) -> list[Column]:
    """The columns beside the key that the SELECT speaks of; all of them where it says ``*``."""
    names: set[str] = set()
    columns = {column.name.lower(): column for column in bound.table.columns if not column.key}
    for node in select.walk():
        if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
            table = node.parent.table if isinstance(node.parent, exp.Column) else ""
            if table in ("", bound.alias):
                names |= set(columns)
        elif isinstance(node, exp.Column) and node.table.lower() in ("", bound.alias.lower()):
            names.add(node.name.lower())
    return [column for name, column in columns.items() if name in names]


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _bound_keys(run: Run, select: Node, bound: BoundTable, others: list[BoundTable]) -> list[str] | None:
    """The keys that a condition names, the fewest where several do; None where no condition does."""
    found: list[list[str]] = []
    for condition in _conditions(select, bound):
        source = _key_source(condition, bound)
        if source is not None and not any(_mentions(source, other) for other in (bound, *others)):
            found.append(_keys_of(run, select, bound, source, others))
    return min(found, key=len, default=None)


def _conditions(select: Node, bound: BoundTable) -> list[Node]:
    """Conditions that every row of the result satisfies in which the table takes part."""
    where = select.args.get("where")
    found = conjuncts(where.this) if where is not None else []
    key = bound.table.key.name
    before = select.args["from_"].this is bound.node  # the table stands before the join that is looked at
    for join in select.args.get("joins") or ():
        joined = join.this is bound.node
        side = str(join.side).upper()
        if side in ("", "LEFT") and (joined or not side):
            found += conjuncts(join.args.get("on"))
        using = any(each.name.lower() == key.lower() for each in join.args.get("using") or ())
        if using and joined and side in ("", "LEFT"):
            found.append(exp.EQ(this=exp.column(key, bound.alias), expression=exp.column(key)))
        elif using and before and side in ("", "RIGHT"):
            found.append(exp.EQ(this=exp.column(key, bound.alias), expression=exp.column(key, join.alias_or_name)))
        before = before or joined
    return found


def _key_source(condition: Node, bound: BoundTable) -> Node | None:
    """What the key must be equal to (or among), if ``condition`` says so."""
    while isinstance(condition, exp.Paren):
        condition = condition.this
    if isinstance(condition, exp.EQ):
        for one, other in ((condition.this, condition.expression), (condition.expression, condition.this)):
            if _is_key(one, bound):
                return other
    if isinstance(condition, exp.In) and _is_key(condition.this, bound):
        if condition.args.get("query") is not None:
            return condition.args["query"]
        return exp.Array(expressions=condition.expressions) if condition.expressions else None
    return None


def _is_key(node: Node, bound: BoundTable) -> bool:
    name = bound.table.key.name.lower()
    return (
        isinstance(node, exp.Column) and node.name.lower() == name and node.table.lower() in ("", bound.alias.lower())
    )


def _mentions(node: Node, bound: BoundTable) -> bool:
    """Whether ``node`` refers to a knowledge table by its alias."""
    return has(node, lambda n: isinstance(n, exp.Column) and n.table.lower() == bound.alias.lower())


def _keys_of(run: Run, select: Node, bound: BoundTable, source: Node, others: list[BoundTable]) -> list[str]:
    """The distinct keys that ``source`` gives: a list, a query, or an expression over the other tables."""
    if isinstance(source, exp.Query):
        rows = run.rows(exp.select(text(exp.Column(this=exp.to_identifier("k")))).distinct().from_(
            exp.Subquery(this=_bare(source), alias=exp.TableAlias(this=exp.to_identifier("s"),
                                                                   columns=[exp.to_identifier("k")]))
        ))  # fmt: skip
        return sorted(str(key) for (key,) in rows if key is not None)
    if isinstance(source, exp.Array) and not has(source, lambda n: isinstance(n, exp.Column)):
        values = [run.rows(exp.Select(expressions=[text(each.copy())]))[0][0] for each in source.expressions]
        return list(dict.fromkeys(str(value) for value in values if value is not None))
    remaining = _without(select, bound, others)
    expressions = source.expressions if isinstance(source, exp.Array) else [source]
    keys: dict[str, None] = {}
    for each in expressions:
        keys |= {row[0]: None for row in gather(run, remaining, [text(each.copy())], [])}
    return list(keys)


def _bare(query: Node) -> Node:
    copy = query.copy()
    inner: Node = copy.this if isinstance(copy, exp.Subquery) else copy
    return inner


def _without(select: Node, bound: BoundTable, others: list[BoundTable]) -> Source:
    """The SELECT's other tables, and those of its conditions that speak of these tables only."""
    gone = [bound, *others]

    def stays(node: Node) -> bool:
        names = [other.alias for other in gone]
        keys = {c.name.lower() for other in gone for c in other.table.columns}
        return not has(node, lambda n: is_call(n) or (isinstance(n, exp.Column) and (
            n.table in names or (not n.table and n.name.lower() in keys))))  # fmt: skip

    from_ = select.args.get("from_")
    tables: list[tuple[Node, Node | None]] = [(from_.this, None)] if from_ is not None else []
    tables += [(join.this, join) for join in select.args.get("joins") or ()]
    kept = [(table, join) for table, join in tables if all(table is not other.node for other in gone)]
    where = select.args.get("where")
    conditions = [c for c in (conjuncts(where.this) if where is not None else []) if stays(c)]
    joins = []
    for _, join in kept[1:]:
        copy = (join or exp.Join(this=exp.null())).copy()
        if copy.args.get("on") is not None:
            own_conditions = [c for c in conjuncts(copy.args["on"]) if stays(c)]
            copy.set("on", exp.and_(*own_conditions) if own_conditions else exp.true())
        if copy.args.get("using") and join is not None and kept[0][1] is not None:
            copy.set("using", None)
        joins.append(copy)
    shell = exp.Select(expressions=[], from_=exp.From(this=kept[0][0].copy())) if kept else exp.Select(expressions=[])
    return Source(shell, joins, conditions)


def _open_keys(run: Run, select: Node, bound: BoundTable) -> list[str]:
    """Keys the model itself comes up with."""
    limit = select.args.get("limit")
    most = whole_number(limit, run.parameters) if limit is not None else None
    if most is None:
        key = bound.table.key.name
        raise UserError(
            f"query: nothing says which rows of {bound.alias} to ask for; join or compare its {key}, or add a LIMIT"
        )
    offset = select.args.get("offset")
    most += (whole_number(offset, run.parameters) or 0) if offset is not None else 0
    simple = not any(select.args.get(key) for key in ("where", "joins", "group", "order", "distinct", "qualify"))
    return draw_keys(run, bound.table, bound.options, most if simple else None, bound.alias)


# ── Cells ────────────────────────────────────────────────────────────────────────────────────────────────────
def _scan(run: Run, select: Node, bound: BoundTable, keys: list[str]) -> None:
    """Ask for every key's cells and put the table in place."""
    import pyarrow as pa

    for name, shape in bound.shapes.items():
        run.ask(shape, f"{bound.alias}.{name}", "FROM", {(key,): 1 for key in keys}, over="keys")
    types = {column.name: column_kind(column).sql for column in bound.table.columns}
    data: dict[str, object] = {bound.table.key.name: pa.array(keys, pa.string())}
    for column in bound.table.columns:
        found = bound.shapes.get(column.name)
        if not column.key:
            values = [found.cells[(key,)].value if found and not run.dry else None for key in keys]
            data[column.name] = pa.array(values, arrow_type(types[column.name]))
    name = run.create_from(data, types)
    if run.dry and bound.shapes:
        run.taints[name] = Taint(frozenset(column.lower() for column in bound.shapes), "exact")
    _meta(select, bound)
    table = exp.Table(this=exp.to_identifier(name), alias=exp.TableAlias(this=exp.to_identifier(bound.alias)))
    bound.node.replace(table)
    bound.node = table


def _meta(select: Node, bound: BoundTable) -> None:
    """``ai_meta`` of a column looks up its cells."""
    for call in list(select.find_all(exp.Anonymous)):
        if function_name(call) != "ai_meta" or len(call.expressions) != 1:
            continue
        column = call.expressions[0]
        if isinstance(column, exp.Column) and column.table.lower() in ("", bound.alias.lower()):
            shape = next((s for name, s in bound.shapes.items() if name.lower() == column.name.lower()), None)
            if shape is not None:
                key = text(exp.column(bound.table.key.name, bound.alias))
                call.replace(exp.Anonymous(this=f"{shape.name}_meta", expressions=[key]))
