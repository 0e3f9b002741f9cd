"""What a query will ask of models, and what it did ask: one step a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from scalecurve.query.planner.plan import AiPlan, Ask
from scalecurve.query.rungs.cost import Estimate
from scalecurve.query.rungs.models import Usage


@dataclass(slots=True)
class CallStep:
    """An ask of a plan while it is counted, and after a run what happened; see ``Ask`` for its fields."""

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
    seconds: float | None = None
    actual: Usage = field(default_factory=Usage)
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def expect(self, rows: int | None, distinct: int | None, estimate: Estimate, exact: bool) -> None:
        """Add what one place of the call needs."""
        self.rows = None if rows is None or self.rows is None else self.rows + rows
        if distinct is None or self.distinct is None:
            self.distinct = self.calls = None
        else:
            self.distinct += distinct
            self.calls = (self.calls or 0) + estimate.calls
        self.cached += estimate.cached
        self.tokens += estimate.tokens
        if estimate.seconds is not None:
            self.seconds = (self.seconds or 0.0) + estimate.seconds
        self.exact = self.exact and exact and estimate.exact

    @property
    def ask(self) -> Ask:
        """The ask as counted."""
        return Ask(**{each.name: getattr(self, each.name) for each in fields(Ask)})


COLUMNS = ("step", "call", "clause", "rows", "distinct", "cached", "calls", "tokens", "seconds", "model", "why")
MORE = ("strategy", "thresholds", "guarantee")
ACTUAL = ("actual_calls", "actual_tokens", "actual_seconds", "ok", "not_ok")


def explained(plan: AiPlan, actuals: Sequence[CallStep] | None = None) -> Any:
    """The plan as a table (Arrow): estimates, and beside them what happened where ``actuals`` are given."""
    import pyarrow as pa

    done = {(step.call, step.clause): step for step in actuals or ()}
    rows = []
    for number, step in enumerate(plan.asks, start=1):
        row: dict[str, Any] = {
            "step": number,
            "call": step.call,
            "clause": step.clause,
            "rows": step.rows,
            "distinct": step.distinct,
            "cached": step.cached,
            "calls": step.expected,
            "tokens": step.tokens,
            "seconds": step.seconds,
            "model": step.model,
            "why": step.why,
            "strategy": step.strategy,
            "thresholds": step.thresholds,
            "guarantee": step.guarantee,
        }
        if actuals is not None:
            real = done.get((step.call, step.clause), CallStep(step.call, step.clause))
            row["thresholds"] = real.thresholds
            row |= {
                "actual_calls": real.actual.calls,
                "actual_tokens": real.actual.tokens,
                "actual_seconds": round(real.actual.seconds, 3),
                "ok": real.statuses["ok"],
                "not_ok": sum(real.statuses.values()) - real.statuses["ok"],
            }
        rows.append(row)
    text, count, number_ = pa.string(), pa.int64(), pa.float64()
    types = dict.fromkeys(("step", "rows", "distinct", "cached", "tokens", *ACTUAL), count)
    types |= {"seconds": number_, "actual_seconds": number_}
    names = (*COLUMNS, *MORE, *(ACTUAL if actuals is not None else ()))
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, types.get(name, text)) for name in names]))


def summary(steps: Sequence[CallStep], usage: Usage) -> str:
    """One line: how many cells, how each ended, and what was asked."""
    statuses: Counter[str] = sum((step.statuses for step in steps), Counter())
    if not statuses:
        return "no model was asked"
    cells = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    reasons: Counter[str] = sum((step.reasons for step in steps), Counter())
    why = "".join(f"; {reason} ({count})" for reason, count in reasons.most_common(3))
    asked = f"{usage.calls} calls, {usage.tokens} tokens, {usage.seconds:.1f} s"
    return f"{sum(statuses.values())} cells: {cells}{why}; {asked}"
