"""Python's database interface (DB-API 2.0, PEP 249) to the query language.

import scalecurve
with scalecurve.connect("lab-1m", attach={"r": "reviews.csv"}) as connection:
    cursor = connection.execute("SELECT txt FROM r WHERE ai_filter(?, txt)", ["complaint?"])
    cursor.fetchall(), cursor.pl()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.query.session import Result, Session

apilevel = "2.0"
threadsafety = 1  # threads may share the module, not connections
paramstyle = "qmark"


class Warning(Exception):
    """Part of the interface; never raised here."""


class Error(UserError):
    """Base class of the interface's errors, and a ``UserError``: one line that says what to mend."""


class InterfaceError(Error):
    """The interface was used wrongly, as by a closed connection."""


class DatabaseError(Error):
    """Something about the statement or the data."""


class DataError(DatabaseError):
    """Part of the interface; never raised here."""


class OperationalError(DatabaseError):
    """A statement took longer, or more memory, than it was allowed."""


class IntegrityError(DatabaseError):
    """Part of the interface; never raised here."""


class InternalError(DatabaseError):
    """Part of the interface; never raised here."""


class ProgrammingError(DatabaseError):
    """The statement cannot be run: the message says why."""


class NotSupportedError(DatabaseError):
    """What a query language that only reads cannot do."""


def connect(model: str = "", **settings: Any) -> Connection:
    """A connection that asks ``model`` (a rung or a ladder) unless a query names another.

    ``settings`` are those of ``scalecurve.query.session.Session``: ``attach``, ``runs``, ``cache``, ``models``, ….
    """
    from scalecurve.query.session import Session

    return Connection(Session(model, **settings))


class Connection:
    """A session behind the interface. It reads only, so that ``commit`` does nothing."""

    Warning, Error, InterfaceError, DatabaseError = Warning, Error, InterfaceError, DatabaseError
    DataError, OperationalError, IntegrityError = DataError, OperationalError, IntegrityError
    InternalError, ProgrammingError, NotSupportedError = InternalError, ProgrammingError, NotSupportedError

    def __init__(self, session: Session) -> None:
        self._session: Session | None = session

    @property
    def session(self) -> Session:
        """The session; ``InterfaceError`` when it is closed."""
        if self._session is None:
            raise InterfaceError("connection: it is closed; connect again")
        return self._session

    @property
    def closed(self) -> bool:
        """Whether the connection can no longer be used."""
        return self._session is None

    def cursor(self) -> Cursor:
        """A cursor, which runs statements and hands out their rows. ``InterfaceError`` when all is closed."""
        if self.closed:
            raise InterfaceError("connection: it is closed; connect again")
        return Cursor(self)

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> Cursor:
        """A new cursor that has run ``statement``."""
        return self.cursor().execute(statement, parameters)

    def commit(self) -> None:
        """Does nothing: nothing is written."""

    def rollback(self) -> None:
        """Refused: nothing is written."""
        raise NotSupportedError("connection: there are no transactions to roll back; queries only read")

    def close(self) -> None:
        """Close the session; a second time does nothing."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Cursor:
    """Runs statements one after another. ``arraysize`` is what ``fetchmany`` fetches unless told."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self.rownumber = 0
        self._result: Result | None = None
        self._rows: list[tuple[Any, ...]] | None = None
        self._closed = False

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> Cursor:
        """Run one statement, ``?`` standing for the parameters in order.

        ``ProgrammingError`` says what is wrong with it, ``OperationalError`` which limit it met.
        """
        from scalecurve.query.executor.database import LimitError

        self._check()
        self._result, self._rows, self.rownumber = None, None, 0
        try:
            self._result = self.connection.session.run(statement, parameters)
        except Error:
            raise
        except LimitError as error:
            raise OperationalError(str(error)) from None
        except UserError as error:
            raise ProgrammingError(str(error)) from None
        return self

    def executemany(self, statement: str, parameters: Sequence[Sequence[object]]) -> Cursor:
        """Refused for what returns rows (as PEP 249 allows); run with each of ``parameters`` otherwise."""
        for each in parameters:
            self.execute(statement, each)
            if self._result is not None and self._result.table is not None:
                raise NotSupportedError("cursor: executemany is for statements without rows; use execute")
        return self

    @property
    def result(self) -> Result:
        """The result of the last statement: its table, the steps taken, what models were asked."""
        self._check()
        if self._result is None:
            raise InterfaceError("cursor: no statement was run; execute one first")
        return self._result

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """(name, type, None, None, None, None, None) of each column; None where the statement has no rows."""
        if self._result is None or self._result.table is None:
            return None
        return [(field.name, str(field.type), None, None, None, None, None) for field in self._result.table.schema]

    @property
    def rowcount(self) -> int:
        """Rows of the result; −1 where there are none to speak of."""
        return -1 if self._result is None or self._result.table is None else self._result.table.num_rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None after the last."""
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next ``size`` rows."""
        rows = self._all_rows()
        begin = self.rownumber
        self.rownumber = min(len(rows), begin + (self.arraysize if size is None else size))
        return rows[begin : self.rownumber]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        return self.fetchmany(len(self._all_rows()))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def pl(self) -> pl.DataFrame:
        """The whole result as a Polars frame."""
        return self.result.pl()

    def arrow(self) -> Any:
        """The whole result as an Arrow table."""
        return self.result.table

    def setinputsizes(self, sizes: Sequence[object]) -> None:
        """Does nothing, as PEP 249 allows."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing, as PEP 249 allows."""

    def close(self) -> None:
        """Give the rows back; the cursor can no longer be used."""
        self._result, self._rows, self._closed = None, None, True

    def _check(self) -> None:
        if self._closed or self.connection.closed:
            raise InterfaceError("cursor: it or its connection is closed; open another")

    def _all_rows(self) -> list[tuple[Any, ...]]:
        from scalecurve.query.columns import values

        table = self.result.table
        if table is None:
            raise InterfaceError("cursor: the last statement has no rows")
        if self._rows is None:
            columns = [values(column) for column in table.columns]
            self._rows = list(zip(*columns, strict=True)) if columns else []
        return self._rows
