"""Questions about a SELECT's syntax tree: its conjuncts, which calls are its own, and on which rows a call matters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Any, TypeAlias

from sqlglot import exp

from scalecurve.query.answers.call_cache import PREFIX
from scalecurve.query.sql.aliases import function_name as function_name  # asked for here, like all of a tree
from scalecurve.query.sql.parse import AI_FUNCTIONS

VOLATILE = frozenset(
    "random rand uuid gen_random_uuid uuidv4 uuidv7 nextval currval setseed clock_timestamp timeofday".split()
)
Node: TypeAlias = Any  # an expression of sqlglot, whose own types tell less than its names


def is_call(node: Node) -> bool:
    """Whether ``node`` calls an ``ai_*`` function."""
    return isinstance(node, exp.Anonymous) and function_name(node) in AI_FUNCTIONS


def is_lookup(node: Node) -> bool:
    """Whether ``node`` looks up the answer of a call."""
    return isinstance(node, exp.Anonymous) and str(node.name).startswith(PREFIX)


def has(node: Node | None, test: Callable[[Node], bool]) -> bool:
    """Whether ``test`` holds for ``node`` or anything in it."""
    return node is not None and any(test(each) for each in node.walk())


def contains(part: Node | None, node: Node) -> bool:
    """Whether ``node`` itself is ``part`` or in it."""
    return has(part, lambda each: each is node)


def is_model_table(node: Node) -> bool:
    """Whether ``node`` is ``model(…).table``."""
    return isinstance(node, exp.Table) and isinstance(node.args.get("db"), exp.Func)


def own(select: Node, test: Callable[[Node], bool]) -> list[Node]:
    """Nodes in ``select`` for which ``test`` holds, inner ones first, those of nested queries left out."""
    found = [node for node in _within(select) if test(node)]
    places = set(map(id, found))

    def depth(node: Node) -> int:
        count = 0
        while node.parent is not None and node is not select:
            node = node.parent
            count += id(node) in places
        return count

    return sorted(found, key=lambda node: -depth(node))


def _within(select: Node) -> Iterator[Node]:
    """``select`` and what is in it but not in a query of its own, outer before inner."""
    yield from select.walk(bfs=False, prune=lambda node: node is not select and isinstance(node, exp.Query))


def nested_queries(select: Node) -> list[Node]:
    """The queries directly in ``select``, but for its CTEs."""
    found = own(select, lambda node: node is not select and isinstance(node, exp.Query))
    return [node for node in found if not isinstance(node.parent, exp.CTE)]


def clause_of(node: Node, select: Node) -> tuple[str, Node]:
    """The clause of ``select`` that ``node`` stands in (sqlglot's key), and the part of it just below ``select``."""
    while node.parent is not select:
        assert node.parent is not None
        node = node.parent
    return str(node.arg_key), node


def conjuncts(condition: Node | None) -> list[Node]:
    """The parts of ``condition`` that are joined by AND."""
    if condition is None:
        return []
    if isinstance(condition, exp.And):
        return conjuncts(condition.left) + conjuncts(condition.right)
    inner = condition.this if isinstance(condition, exp.Paren) else None
    return conjuncts(inner) if isinstance(inner, exp.And) else [condition]


def all_of(conditions: Iterable[Node]) -> Node | None:
    """Copies of ``conditions`` joined by AND; None for none."""
    parts = [exp.paren(condition.copy(), copy=False) for condition in conditions]
    return exp.and_(*parts, copy=False) if parts else None


def or_top(condition: Node) -> bool:
    """Whether ``condition`` is an OR, in however many brackets."""
    while isinstance(condition, exp.Paren):
        condition = condition.this
    return isinstance(condition, exp.Or)


def text(value: Node) -> Node:
    """``value`` as a text."""
    return exp.cast(exp.paren(value, copy=False), "VARCHAR", copy=False)


# ── Where a call matters ─────────────────────────────────────────────────────────────────────────────────────
def needs(call: Node, root: Node, open_: Callable[[Node], bool], *, truth: bool) -> tuple[list[Node], bool]:
    """Conditions under which the value of ``call`` bears on ``root``, and whether any had to be left out.

    An operand of AND matters only where the others leave the outcome open, so does one of OR, a branch of CASE only
    where it is reached. ``truth``: of ``root`` it matters only whether it is true. Conditions for which ``open_`` holds
    are left out: they hold calls that are not answered yet.
    """
    found: list[Node] = []
    skipped = False
    path = _path(call, root)
    for at, node in enumerate(path[:-1]):
        parent = path[at + 1]
        plain = truth and all(isinstance(each, exp.And | exp.Or | exp.Paren) for each in path[at + 1 :])
        for basis, condition in _conditions(node, parent, plain):
            if any(has(each, open_) for each in basis):
                skipped = True
            else:
                found.append(condition)
    return found, skipped


def _path(node: Node, root: Node) -> list[Node]:
    """From ``node`` up to ``root``."""
    path = [node]
    while path[-1] is not root:
        parent = path[-1].parent
        assert parent is not None
        path.append(parent)
    return path


Condition = tuple[list[Node], Node]  # a condition, after the parts of the query that it is made of


def _conditions(node: Node, parent: Node, truth: bool) -> list[Condition]:
    """When ``node`` bears on ``parent``."""
    if isinstance(parent, exp.And | exp.Or):
        other = parent.right if node is parent.left else parent.left
        if isinstance(parent, exp.Or):
            return [([other], _is(other, True, negated=True))]
        return [([other], _is(other, True) if truth else _is(other, False, negated=True))]
    if isinstance(parent, exp.Coalesce):
        before = takewhile(lambda each: each is not node, (parent.this, *parent.expressions))
        return [([each], exp.Is(this=_copy(each), expression=exp.null())) for each in before]
    if isinstance(parent, exp.If) and isinstance(parent.parent, exp.Case):
        return _reached(node, parent, parent.parent)
    if isinstance(parent, exp.Case) and node.arg_key == "default":
        return [_tested(each, parent, taken=False) for each in parent.args["ifs"]]
    return []


def _reached(node: Node, branch: Node, case: Node) -> list[Condition]:
    """When a part of a CASE's branch is evaluated: no earlier branch is taken, and of its result, this one is."""
    before = [_tested(each, case, taken=False) for each in takewhile(lambda each: each is not branch, case.args["ifs"])]
    return before if node.arg_key == "this" else [*before, _tested(branch, case, taken=True)]


def _tested(branch: Node, case: Node, *, taken: bool) -> Condition:
    compared = case.args.get("this")
    if compared is None:
        return [branch.this], _is(branch.this, True, negated=not taken)
    equal = exp.EQ(this=_copy(compared), expression=_copy(branch.this))
    return [compared, branch.this], _is(equal, True, negated=not taken)


def _is(condition: Node, value: bool, negated: bool = False) -> Node:
    test = exp.Is(this=_copy(condition), expression=exp.Boolean(this=value))
    return exp.Not(this=exp.Paren(this=test)) if negated else test


def _copy(node: Node) -> Node:
    return exp.paren(node.copy(), copy=False)


# ── Aggregates and names ─────────────────────────────────────────────────────────────────────────────────────
def is_aggregate(node: Node, aggregates: frozenset[str]) -> bool:
    """Whether ``node`` is an aggregate function that is not the function of a window."""
    if not isinstance(node, exp.Func) or isinstance(node.parent, exp.Window):
        return False
    if isinstance(node.parent, exp.Filter | exp.WithinGroup) and isinstance(node.parent.parent, exp.Window):
        return False
    return isinstance(node, exp.AggFunc) or function_name(node) in aggregates


def in_aggregate(node: Node, select: Node, aggregates: frozenset[str]) -> bool:
    """Whether ``node`` stands in an aggregate's arguments or its FILTER."""
    while node.parent is not None and node.parent is not select:
        node = node.parent
        if is_aggregate(node, aggregates) or (isinstance(node, exp.Filter) and not isinstance(node.parent, exp.Window)):
            return True
    return False


def expand_aliases(select: Node, columns: frozenset[str], parts: Sequence[Node]) -> None:
    """Put the expression in place of a SELECT alias that ``parts`` use as a name, where no column has that name."""
    aliases = {
        each.alias.lower(): each.this for each in select.expressions if isinstance(each, exp.Alias) and each.alias
    }
    for _ in range(20):  # an alias may use an alias
        found = [
            node
            for part in parts
            for node in _columns(part)
            if not node.table and node.name.lower() in aliases and node.name.lower() not in columns
        ]
        found = [node for node in found if not _inside(node, aliases[node.name.lower()])]
        if not found:
            return
        for node in found:
            node.replace(exp.paren(aliases[node.name.lower()].copy(), copy=False))


def _columns(part: Node) -> list[Any]:
    return [n for n in part.walk(prune=lambda n: isinstance(n, exp.Query)) if isinstance(n, exp.Column)]


def _inside(node: Node | None, other: Node) -> bool:
    while node is not None:
        if node is other:
            return True
        node = node.parent
    return False


def ordinal(select: Node, node: Node) -> Node | None:
    """The SELECT expression that a number in GROUP BY or ORDER BY stands for; None where ``node`` is none."""
    if not (isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit()):
        return None
    at = int(node.name) - 1
    if any(isinstance(each, exp.Star) or isinstance(each.this, exp.Star) for each in select.expressions[: at + 1]):
        return None
    if not 0 <= at < len(select.expressions):
        return None
    found: Node = select.expressions[at].unalias()
    return found


def whole_number(node: Node | None, parameters: dict[str, Any]) -> int | None:
    """The value of a LIMIT or OFFSET that is a number or a parameter; None for what it cannot be known of."""
    value = None if node is None else node.args.get("expression")
    if isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit():
        return int(value.name)
    if isinstance(value, exp.Placeholder):
        given = parameters.get(str(value.name))
        return given if isinstance(given, int) and not isinstance(given, bool) and given >= 0 else None
    return None
