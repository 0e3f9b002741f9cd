"""A session of the query language: tables, models, knowledge tables, and the answers so far."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.query import columns
from scalecurve.query.answers.ask import Asker, Progress
from scalecurve.query.executor.database import Database
from scalecurve.query.executor.explain import CallStep, explained, summary
from scalecurve.query.planner.plan import AiPlan
from scalecurve.query.rungs.abilities import abilities_of, calibrations
from scalecurve.query.rungs.choose import Chooser
from scalecurve.query.rungs.models import Models, Usage
from scalecurve.query.sql.parse import parse
from scalecurve.query.sql.statement import KnowledgeTable, Query
from scalecurve.store import open_run

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.models import Model
    from scalecurve.query.executor.run import Limits

log = logging.getLogger("scalecurve")


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement gives: an Arrow table (None after CREATE), the steps taken, and what models were asked."""

    table: Any
    steps: tuple[CallStep, ...] = ()
    usage: Usage = field(default_factory=Usage)
    kind: str = "rows"

    @property
    def summary(self) -> str:
        """One line on the cells and calls; "" where no model was involved."""
        return summary(self.steps, self.usage) if self.steps and self.kind == "rows" else ""

    def pl(self) -> pl.DataFrame:
        """The table as a Polars frame."""
        import polars as pl

        if self.table is None:
            return pl.DataFrame()
        named = zip(columns.names(self.table), self.table.columns, strict=True)
        return pl.DataFrame([columns.series(name, column) for name, column in named])


class Session:
    """Where statements are run, one after another.

    ``model``: the rung or ladder asked where a query names none. ``attach``: name → file, Polars frame or Arrow table.
    ``runs``: run directories, whose tables and measured abilities queries may use. ``cache``: a file in which answers
    are kept (None: in memory). ``models``: opened models by name, beside those known by name (all of them together are
    the ladder "given"). ``gates``: margins above which the answerability gate lets a question pass, by rung (0 where
    not given). ``memory`` and ``threads`` are those of the process DuckDB works in.
    """

    def __init__(
        self,
        model: str = "",
        *,
        attach: Mapping[str, object] | None = None,
        runs: Sequence[str | Path] = (),
        cache: str | Path | None = None,
        models: Mapping[str, Model] | None = None,
        gates: Mapping[str, float] | None = None,
        device: str = "auto",
        dtype: str = "float32",
        memory: str = "2GB",
        threads: int = 2,
        limits: Limits | None = None,
        progress: Progress | None = None,
    ) -> None:
        from scalecurve.query.executor.run import Limits

        directories = [open_run(run) for run in runs]
        self.abilities = abilities_of(directories)
        self.knowledge: dict[str, KnowledgeTable] = {}
        self.limits = limits or Limits()
        self.models = Models(model, given=models, cache=Path(cache).expanduser() if cache else None, device=device,
                             dtype=dtype)  # fmt: skip
        self.asker = Asker(
            Chooser(self.models, self.abilities), calibrations(directories), gates=gates, progress=progress
        )
        if model:
            self.models.ladder()  # an unknown name is refused now
        self.connection = Database(attach or {}, directories, self.abilities, memory=memory, threads=threads)

    def run(self, text: str, parameters: Sequence[object] = ()) -> Result:
        """Run one statement. ``UserError`` of one line for everything that is wrong with it."""
        statement = parse(text)
        if isinstance(statement, KnowledgeTable):
            self.knowledge[statement.name] = statement
            return Result(None, kind="create")
        if len(parameters) != statement.parameters:
            raise UserError(f"query: {statement.parameters} values are wanted for ?, and {len(parameters)} are given")
        before = self.models.total()
        self.connection.allow(self.limits.seconds)
        if statement.explain:
            steps = self._go(statement, parameters, dry=True)[1]
            actuals = self._go(statement, parameters, dry=False)[1] if statement.explain == "analyze" else None
            return Result(
                explained(AiPlan(tuple(step.ask for step in steps)), actuals),
                tuple(steps),
                self.models.total().since(before),
                "plan",
            )
        table, steps = self._go(statement, parameters, dry=False)
        return Result(table, tuple(steps), self.models.total().since(before))

    def plan(self, text: str, parameters: Sequence[object] = ()) -> AiPlan:
        """What a query would ask; nothing is asked. ``UserError`` where it is none."""
        statement = parse(text)
        if isinstance(statement, KnowledgeTable):
            return AiPlan()
        self.connection.allow(self.limits.seconds)
        return AiPlan(tuple(step.ask for step in self._go(statement, parameters, dry=True)[1]))

    def _go(self, query: Query, parameters: Sequence[object], *, dry: bool) -> tuple[object, list[CallStep]]:
        import duckdb
        from sqlglot.errors import SqlglotError

        from scalecurve.query.executor.execute import execute
        from scalecurve.query.executor.run import Run, user_error

        run = None
        try:
            run = Run(self.connection, self.asker, self.knowledge, parameters, self.limits, dry=dry)
            return execute(run, query), list(run.steps.values())
        except duckdb.Error as error:
            raise user_error(error) from None
        except SqlglotError as error:
            raise UserError(f"query: not understood: {str(error).splitlines()[0][:150]}") from None
        except RecursionError:
            raise UserError("query: an expression is nested too deeply") from None
        finally:
            if run is not None:
                run.close()

    def tables(self) -> dict[str, list[str]]:
        """The columns of every attached table."""
        rows = self.connection.execute(
            "SELECT table_catalog, table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'main' AND table_name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY ordinal_position"
        ).fetchall()
        found: dict[str, list[str]] = {}
        for catalog, table, column in rows:
            found.setdefault(table if catalog == "memory" else f"{catalog}.{table}", []).append(column)
        return found

    def close(self) -> None:
        """Close the database and the models that were opened here."""
        self.models.close()
        self.connection.close()
