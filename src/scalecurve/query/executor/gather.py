"""Which arguments a call needs: distinct tuples of the rows that are left when plain SQL has done its part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from scalecurve.query.answers.calls import Tuple
from scalecurve.query.executor.run import Run
from scalecurve.query.planner.clauses import Place
from scalecurve.query.sql.ast import Node, all_of

_KEPT = ("laterals", "windows")  # further parts of a SELECT that its expressions may refer to


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of a SELECT: its tables and joins, the conditions on them, and how they are grouped and cut."""

    select: Node
    joins: Sequence[Node]
    where: Sequence[Node] = ()
    group: Node | None = None
    having: Sequence[Node] = ()
    order: Node | None = None
    limit: int | None = None

    def rows(self, expressions: Sequence[Node]) -> Node:
        """A SELECT of ``expressions`` (not copied) over these rows."""
        parts = {name: [each.copy() for each in self.select.args.get(name) or ()] for name in _KEPT}
        from_ = self.select.args.get("from_")
        where, having = all_of(self.where), all_of(self.having)
        return exp.Select(
            expressions=list(expressions),
            from_=None if from_ is None else from_.copy(),
            joins=[join.copy() for join in self.joins],
            where=None if where is None else exp.Where(this=where),
            group=None if self.group is None else self.group.copy(),
            having=None if having is None else exp.Having(this=having),
            order=None if self.order is None else self.order.copy(),
            limit=None if self.limit is None else exp.Limit(expression=exp.Literal.number(self.limit)),
            **{name: each for name, each in parts.items() if each},
        )


def gather(run: Run, source: Source, arguments: Sequence[Node], conditions: Sequence[Node]) -> dict[Tuple, int]:
    """The distinct ``arguments`` of the rows where all ``conditions`` hold, and how many rows carry each.

    Rows with a NULL argument need no answer and are left out. The order is that of a hash, so that the first few are a
    random sample, and the same one every time.
    """
    condition = all_of(conditions)
    columns = []
    for at, argument in enumerate(arguments):
        value = argument.copy()
        if condition is not None:  # CASE, so that an argument is not even computed where the call does not matter
            value = exp.Case(ifs=[exp.If(this=condition.copy(), true=value)])
        columns.append(exp.alias_(value, f"a{at}", copy=False))
    names = [f"a{at}" for at in range(len(arguments))]
    inner = source.rows(columns).sql("duckdb", comments=False)
    listed, filled = ", ".join(names), " AND ".join(f"{name} IS NOT NULL" for name in names)
    text = (
        f"SELECT {listed}, count(*) FROM ({inner}) AS __rows WHERE {filled} GROUP BY {listed} "
        f"ORDER BY hash({listed}), {listed} LIMIT {run.limits.calls + 1}"
    )
    return {tuple(row[:-1]): int(row[-1]) for row in run.rows(text)}


def count(run: Run, source: Source, condition: Node | None = None) -> tuple[int, int]:
    """How many rows there are, and for how many of them ``condition`` holds."""
    wanted = exp.true() if condition is None else exp.paren(condition.copy(), copy=False)
    columns = [
        exp.Count(this=exp.Star()),
        exp.Count(this=exp.Case(ifs=[exp.If(this=wanted, true=exp.Literal.number(1))])),
    ]
    ((rows, holding),) = run.rows(source.rows(columns))
    return int(rows), int(holding)


def known(place: Place, conditions: Sequence[Node]) -> Node:
    """A condition that holds for the rows whose answer is there or does not matter."""
    arguments: list[Node] = [argument.copy() for argument in place.arguments]
    condition = all_of(conditions)
    if condition is not None:
        arguments = [exp.Case(ifs=[exp.If(this=condition.copy(), true=argument)]) for argument in arguments]
    return exp.Anonymous(this=f"{place.shape.name}_known", expressions=arguments)
