"""A call's shape and the answers it has so far, which DuckDB looks up (``executor.lookups``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from scalecurve.query.answers.calls import AnswerCell, Asked, Tuple
from scalecurve.query.rungs.choose import Choice, Options

PREFIX = "__ai_"


@dataclass(slots=True)
class CallShape:
    """A call but for its row arguments; ``cells`` are its answers by those arguments.

    Of EXPLAIN: ``planned`` are arguments that are surely answered by what comes before, ``possible`` those that may be,
    ``counted`` those that the statement's calls hold already. ``choice`` is set when the shape is first asked; None
    then means that no rung is good enough and all cells abstain. ``note`` says why the planner asks it as it does.
    """

    number: int
    label: str
    asked: Asked
    options: Options
    cells: dict[Tuple, AnswerCell] = field(default_factory=dict)
    planned: set[Tuple] = field(default_factory=set)
    possible: set[Tuple] = field(default_factory=set)
    counted: set[Tuple] = field(default_factory=set)
    choice: Choice | None = None
    chosen: bool = False
    guarantee: str = ""
    thresholds: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """The function that looks up a value; ``_meta`` and ``_known`` are its sisters."""
        return f"{PREFIX}{self.number}"

    @property
    def arity(self) -> int:
        """Row arguments; a call without any is looked up under one empty text."""
        return max(1, self.asked.holes)

    def values(self, row: Tuple) -> Tuple:
        """The texts that fill the call's places."""
        return row if self.asked.holes else ()
