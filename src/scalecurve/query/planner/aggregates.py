"""``ai_agg(text, 'instruction')`` → a call on the texts of a whole group, in one order whatever the rows' is."""

from __future__ import annotations

from sqlglot import exp

from scalecurve.errors import UserError
from scalecurve.query.sql.ast import Node, clause_of, function_name, own

WRITTEN = "written"  # what a node is called in a plan, where that is not its own text
CLAUSES = ("expressions", "having", "order")


def gather_texts(root: Node) -> Node:
    """Let every ``ai_agg`` have its group's texts as one list in JSON, sorted; NULLs are left out. A new tree.

    >>> from scalecurve.query.sql.parse import tree
    >>> root = tree("SELECT g, ai_agg(x, 'Sum up.') FROM t GROUP BY g")
    >>> print(gather_texts(root).expressions[1].sql("duckdb")[:56])
    AI_AGG(CAST(TO_JSON(ARRAY_AGG(CAST((x) AS TEXT) ORDER BY
    """
    root = root.copy()
    for select in root.find_all(exp.Select):
        _gather(select)
    return root


def _gather(select: Node) -> None:
    for call in own(select, lambda node: isinstance(node, exp.Anonymous) and function_name(node) == "ai_agg"):
        if WRITTEN in call.meta or len(call.expressions) < 2:
            continue
        if isinstance(call.parent, exp.Window) or clause_of(call, select)[0] not in CLAUSES:
            raise UserError("query: ai_agg stands in SELECT, HAVING or ORDER BY of a grouped query, and in no window")
        written = call.sql("duckdb", normalize_functions="lower")
        value = exp.cast(exp.paren(call.expressions[0], copy=True), "VARCHAR")
        filled: Node = exp.Not(this=exp.Is(this=value.copy(), expression=exp.null()))
        above, target = call.parent, call
        if isinstance(above, exp.Filter) and above.this is call:  # ai_agg(…) FILTER (WHERE …)
            filled, target = exp.and_(filled, above.expression.this.copy()), above
        listed = exp.ArrayAgg(this=exp.Order(this=value, expressions=[exp.Ordered(this=value.copy())]))
        texts = exp.Filter(this=listed, expression=exp.Where(this=filled))
        json = exp.cast(exp.Anonymous(this="to_json", expressions=[texts]), "VARCHAR")
        whole = exp.Anonymous(this="ai_agg", expressions=[json, *(each.copy() for each in call.expressions[1:])])
        whole.meta[WRITTEN] = written
        target.replace(whole)
