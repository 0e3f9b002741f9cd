"""What a statement asks: of which model, for which rows, in which order. Nothing here asks or counts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of a statement, in one clause.

    ``over`` says which rows need it, in words. ``rows`` carry ``distinct`` arguments, of which ``cached`` are answered
    already; counts are None where they depend on answers not given yet. ``exact``: the number of calls is certain, and
    not only the most there can be. ``shared`` of them may be made by asks before it. ``seconds`` (None where no speed
    is known) is no part of what plans are compared by.
    """

    call: str
    clause: str
    over: str = ""
    rows: int | None = 0
    distinct: int | None = 0
    cached: int = 0
    calls: int | None = 0
    tokens: int = 0
    exact: bool = True
    model: str = ""
    strategy: str = ""
    why: str = ""
    thresholds: str = ""
    guarantee: str = ""
    shared: int = 0
    seconds: float | None = field(default=None, compare=False)

    @property
    def expected(self) -> str:
        """The number of calls in words."""
        if self.calls is None:
            return "depends on answers"
        return str(self.calls) if self.exact else f"at most {self.calls}"

    def __str__(self) -> str:
        over = f" on {self.over}" if self.over else ""
        return f"{self.clause}: {self.call}{over}: {self.expected} calls of {self.model or '–'}"


@dataclass(frozen=True, slots=True)
class AiPlan:
    """The asks of a statement in the order in which they are made; EXPLAIN prints it.

    >>> print(AiPlan((Ask("ai_filter('?', x)", "WHERE", "rows", calls=3, model="lab-1m"),)))
    1 WHERE: ai_filter('?', x) on rows: 3 calls of lab-1m
    >>> print(AiPlan())
    no model is asked
    """

    asks: tuple[Ask, ...] = ()

    @property
    def calls(self) -> int | None:
        """Calls of all asks at most; None where that depends on answers."""
        counts = [ask.calls for ask in self.asks]
        return None if None in counts else sum((ask.calls or 0) - ask.shared for ask in self.asks)

    def __str__(self) -> str:
        return "\n".join(f"{at} {ask}" for at, ask in enumerate(self.asks, 1)) or "no model is asked"
