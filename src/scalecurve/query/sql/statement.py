"""What a query says: the frozen dataclasses that ``parse`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | float | int | bool


@dataclass(frozen=True, slots=True)
class AiCall:
    """One ``ai_*`` call: its arguments as SQL, and its own options (``option := value``)."""

    function: str
    arguments: tuple[str, ...]
    options: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT. ``sql`` is DuckDB's without the USING options; ``explain`` is "", "plan" or "analyze".

    ``options`` are the whole query's, ``cte_options`` those of a CTE by its name; ``parameters`` are the values it
    waits for, ``$p1`` and so on in ``sql``.
    """

    sql: str
    explain: str = ""
    options: Mapping[str, Value] = field(default_factory=dict)
    cte_options: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    calls: tuple[AiCall, ...] = ()
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a knowledge table; the ``key`` column names what is asked about.

    ``question`` is how a cell is asked for, with the key in place of its name in braces: ``Where was {name} born?``. On
    the key column it is how keys are drawn out: the model writes what stands in the braces, or the answer where there
    are none. "" takes the default wording. ``options`` are the values of an ENUM.
    """

    name: str
    type: str
    key: bool = False
    question: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnowledgeTable:
    """``CREATE KNOWLEDGE TABLE``: a name and columns, exactly one of them the key.

    ``ability`` names the tasks (or the beginning of their names) whose scores say how well a model knows this table.
    ``examples`` are rows the user knows, shown to the model before each question: a text for every column, or None.
    """

    name: str
    columns: tuple[Column, ...]
    ability: str = ""
    examples: tuple[tuple[str | None, ...], ...] = ()

    @property
    def key(self) -> Column:
        """The column that names what is asked about."""
        return next(column for column in self.columns if column.key)
