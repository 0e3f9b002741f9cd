"""One query on its way: the database, the answers so far, and the steps that were taken."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from scalecurve.errors import UserError
from scalecurve.query.answers.ask import Asker
from scalecurve.query.answers.call_cache import CallShape
from scalecurve.query.answers.calls import STATUSES, Tuple, asked
from scalecurve.query.executor.attached import first_line
from scalecurve.query.executor.database import Database, out_of_memory, too_long
from scalecurve.query.executor.explain import CallStep
from scalecurve.query.executor.lookups import META
from scalecurve.query.planner.aggregates import WRITTEN
from scalecurve.query.planner.pairs import BECAUSE
from scalecurve.query.planner.plan import Ask
from scalecurve.query.rungs.choose import Options
from scalecurve.query.sql.ast import VOLATILE, Node, function_name, has, is_call, is_lookup
from scalecurve.query.sql.parse import options_of
from scalecurve.query.sql.statement import KnowledgeTable

if TYPE_CHECKING:
    from scalecurve.query.answers.calls import Asked

MOST_LABEL = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may take: seconds of its SQL (not of models), rows and bytes of the result, answers a call needs."""

    seconds: float = 60.0
    rows: int = 5_000_000
    bytes: int = 1_000_000_000
    calls: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Taint:
    """What is not known of a temporary table while nothing is asked (EXPLAIN).

    ``columns`` hold answers; ``rows``: ``more`` when it has rows that answers may take away, ``unknown`` when neither
    its rows nor the most there can be are known.
    """

    columns: frozenset[str] = frozenset()
    rows: str = "exact"


class Run:
    """State shared by all parts of one query. ``dry``: nothing is asked, only counted."""

    def __init__(
        self,
        connection: Database,
        asker: Asker,
        knowledge: Mapping[str, KnowledgeTable],
        parameters: Sequence[object],
        limits: Limits,
        *,
        dry: bool,
    ) -> None:
        self.connection = connection
        self.asker = asker
        self.knowledge = knowledge
        self.parameters = {f"p{at}": value for at, value in enumerate(parameters, 1)}
        self.limits = limits
        self.dry = dry
        self.shapes: dict[object, CallShape] = {}
        self.steps: dict[tuple[str, str], CallStep] = {}
        self.taints: dict[str, Taint] = {}
        self.names = 0
        found = self.rows("SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'")
        self.aggregates = frozenset(str(name).lower() for (name,) in found)

    # ── SQL ─────────────────────────────────────────────────────────────────────────────────────────────────
    def rows(self, statement: Node | str) -> list[tuple[Any, ...]]:
        """All rows of a statement, within the time that is allowed."""
        return self.connection.rows(*self._bound(statement))

    def table(self, statement: Node | str) -> Any:
        """The result of a statement as an Arrow table. ``UserError`` where it is larger than allowed."""
        return self.connection.table(*self._bound(statement), self.limits.rows, self.limits.bytes)

    def create(self, query: Node | str) -> str:
        """A new temporary table with the rows of ``query``; its name."""
        self.names += 1
        name = f"__q{self.names}"
        text = query if isinstance(query, str) else query.sql("duckdb", comments=False)
        self.rows(f'CREATE TEMPORARY TABLE "{name}" AS {text}')
        return name

    def create_from(self, columns: Mapping[str, object], casts: Mapping[str, str]) -> str:
        """A new temporary table of Arrow arrays, each cast to its type of DuckDB; its name."""
        import pyarrow as pa

        self.connection.register("__source", pa.table(dict(columns)))
        listed = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in casts.items())
        try:
            return self.create(f"SELECT {listed} FROM __source")
        finally:
            self.connection.unregister("__source")

    def _bound(self, statement: Node | str) -> tuple[str, dict[str, object]]:
        """The text of a statement and those of the query's parameters that it uses."""
        sql = statement if isinstance(statement, str) else statement.sql("duckdb", comments=False)
        if not self.parameters:
            return sql, {}
        names = set(re.findall(r"\$(p\d+)\b", sql))
        return sql, {name: value for name, value in self.parameters.items() if name in names}

    def close(self) -> None:
        """Take back the functions and temporary tables of this query."""
        self.connection.forget([f"__q{number}" for number in range(1, self.names + 1)])

    def binds(self, select: Node) -> bool:
        """Whether DuckDB understands ``select`` as it stands, by itself."""
        import duckdb

        try:
            self.rows(exp.Describe(this=select.copy()))
        except duckdb.Error:
            return False
        return True

    def columns(self, select: Node) -> frozenset[str]:
        """The names of the columns that ``select`` would return, in lower case."""
        return frozenset(str(row[0]).lower() for row in self.rows(exp.Describe(this=select.copy())))

    # ── Shapes ──────────────────────────────────────────────────────────────────────────────────────────────
    def shape(self, call: Node, options: Options) -> tuple[CallShape, list[Node], str]:
        """The shape of a call, the arguments its rows give, and what it is called in a plan."""
        function = function_name(call)
        named = [each for each in call.expressions if isinstance(each, exp.PropertyEQ)]
        plain = [each for each in call.expressions if not isinstance(each, exp.PropertyEQ)]
        values = [self._constant(each) for each in plain]
        holes = [each for each, value in zip(plain, values, strict=True) if value is None]
        label = call.meta.get(WRITTEN) or f"{function}({', '.join(each.sql('duckdb') for each in plain)})"
        shape = self.shape_of(asked(function, values), options.over(options_of(named)), label)
        shape.note = call.meta.get(BECAUSE, shape.note)
        return shape, holes, _short(label)

    def shape_of(self, what: Asked, options: Options, label: str) -> CallShape:
        """The one shape of what is asked under these options."""
        key = (what, options)
        if key not in self.shapes:
            self.shapes[key] = CallShape(len(self.shapes) + 1, _short(label), what, options)
            self.connection.define(self.shapes[key].name, what.kind.sql, self.shapes[key].arity)
        return self.shapes[key]

    def _constant(self, argument: Node) -> Any:
        """The value of an argument that is the same for all rows, as text or texts; None for one that is not."""
        varies = (exp.Column, exp.Query, exp.Lambda, exp.Star)
        if has(argument, lambda n: isinstance(n, varies) or is_call(n) or is_lookup(n) or function_name(n) in VOLATILE):
            return None
        cast = exp.cast(exp.paren(argument.copy(), copy=False), "VARCHAR", copy=False)
        ((value, as_text),) = self.rows(exp.Select(expressions=[argument.copy(), cast]))
        if isinstance(value, list):
            if None in value:
                raise UserError(f"query: {_short(argument.sql('duckdb'))}: a list of labels cannot hold NULL")
            return [str(each) for each in value]
        return None if value is None else str(as_text)

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────
    def ask(
        self,
        shape: CallShape,
        label: str,
        clause: str,
        counts: Mapping[Tuple, int],
        *,
        over: str = "",
        exact: bool = True,
        most: int | None = None,
    ) -> None:
        """Get the cells of ``counts``' arguments, or count what that would cost.

        ``counts`` says how many rows carry each argument. When only counting, ``exact``: these are sure to be asked;
        ``most``: at most so many of them, nobody knows which.
        """
        if len(counts) > self.limits.calls:
            raise UserError(f"query: {label} has more than {self.limits.calls} different arguments; add a condition")
        step = self.step(shape, label, clause)
        if self.dry:
            self._expect(shape, step, counts, exact and most is None, most)
        else:
            new = [row for row in counts if row not in shape.cells]
            rows = sum(counts[row] for row in new)
            before = self.asker.chooser.models.total()
            self.asker.fill(shape, new)
            self.connection.tell(shape.name, _told(shape, new))
            spent = self.asker.chooser.models.total().since(before)
            step.actual = step.actual.plus(spent)
            cells = [shape.cells[row] for row in new]
            step.statuses += Counter(cell.status for cell in cells)
            step.reasons += Counter(cell.reason for cell in cells if cell.status != STATUSES[0])
            step.ask = replace(step.ask, rows=(step.ask.rows or 0) + rows, distinct=(step.ask.distinct or 0) + len(new))
        self._describe(shape, step, over)

    def _expect(
        self, shape: CallShape, step: CallStep, counts: Mapping[Tuple, int], sure: bool, most: int | None
    ) -> None:
        """Count what a place may ask; ``sure``: it asks all that nothing before it has asked."""
        left = [row for row in counts if row not in shape.planned]
        new = [row for row in left if (shape.number, row) not in step.seen]
        exact = sure and shape.possible.isdisjoint(new)
        (shape.planned if sure else shape.possible).update(left)
        some = new[:most]
        further = [row for row in some if row not in shape.counted]
        if most is None:  # of those cut nobody knows which they are
            step.seen.update((shape.number, row) for row in new)
            shape.counted.update(new)
        expected = self.asker.estimate(shape, some)
        calls = expected.calls if len(further) == len(some) else self.asker.estimate(shape, further).calls
        step.expect(sum(counts[row] for row in new), len(some), expected, exact, expected.calls - calls)

    def ask_unknown(self, shape: CallShape, label: str, clause: str, over: str = "") -> None:
        """Note a call whose arguments depend on answers (EXPLAIN only)."""
        from scalecurve.query.rungs.cost import Estimate

        step = self.step(shape, label, clause)
        self.asker.settle(shape)
        step.expect(None, None, Estimate(0, 0, 0, None, False), False)
        self._describe(shape, step, over)

    def step(self, shape: CallShape, label: str, clause: str) -> CallStep:
        """The step of a call in a clause."""
        return self.steps.setdefault((label, clause), CallStep(Ask(label, clause)))

    def _describe(self, shape: CallShape, step: CallStep, over: str) -> None:
        choice = shape.choice
        why = choice.why if choice else "no rung passes min_accuracy: all cells abstain"
        step.ask = replace(
            step.ask,
            over=over,
            model=choice.rung.name if choice else "–",
            why=f"{why}; {shape.note}" if shape.note else why,
            strategy=choice.strategy if choice else "",
            thresholds=shape.thresholds,
            guarantee=shape.guarantee,
        )


def _told(shape: CallShape, rows: Iterable[Tuple]) -> dict[Tuple, tuple[object, ...]]:
    """The cells of ``rows`` as look-ups keep them."""
    cells = ((row, shape.cells[row]) for row in rows)
    return {row: (cell.value, *(getattr(cell, name) for name, _ in META)) for row, cell in cells}


def _short(label: str) -> str:
    line = " ".join(label.split())
    return line if len(line) <= MOST_LABEL else line[: MOST_LABEL - 1] + "…"


def user_error(error: Exception) -> UserError:
    """DuckDB's error as the user's, in one line."""
    import duckdb

    if isinstance(error, UserError):
        return error
    if isinstance(error, duckdb.InterruptException):
        return too_long()
    if isinstance(error, duckdb.OutOfMemoryException):
        return out_of_memory()
    return UserError(f"query: {first_line(error)}")
