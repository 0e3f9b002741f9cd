"""A query → the same, its columns called as they were written, whatever the planner puts in their place."""

from __future__ import annotations

from sqlglot import exp

from scalecurve.query.sql.ast import Node, has, is_call


def name_columns(root: Node) -> Node:
    """Columns that hold answers are called what the query writes, and not after the functions that look them up.

    >>> from sqlglot import parse_one
    >>> name_columns(parse_one("SELECT ai_ask('?'), x FROM t")).sql("duckdb")
    'SELECT AI_ASK(\\'?\\') AS "ai_ask(\\'?\\')", x FROM t'
    """
    root = root.copy()
    for select in root.find_all(exp.Select):
        for each in select.expressions:
            if has(each, is_call) and not isinstance(each, exp.Alias):
                label = each.sql("duckdb", normalize_functions="lower")
                each.replace(exp.alias_(each.copy(), label, quoted=True, copy=False))
    return root
