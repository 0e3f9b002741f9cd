"""What a query will ask of models, and what it did ask: one step a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scalecurve.query.answers.calls import Tuple
from scalecurve.query.planner.plan import AiPlan, Ask
from scalecurve.query.rungs.cost import Estimate
from scalecurve.query.rungs.models import Usage


@dataclass(slots=True)
class CallStep:
    """A call of a statement in one clause: what is asked, as far as it is counted, and after a run what came of it."""

    ask: Ask
    actual: Usage = field(default_factory=Usage)
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    seen: set[tuple[int, Tuple]] = field(default_factory=set)  # a shape's number and arguments counted here

    def expect(self, rows: int | None, distinct: int | None, estimate: Estimate, exact: bool, shared: int = 0) -> None:
        """Add what one place of the call needs; ``rows`` and ``distinct`` are None where that depends on answers.

        ``shared``: how many of its calls other places may have made.
        """
        ask = self.ask
        known = distinct is not None and ask.distinct is not None
        self.ask = replace(
            ask,
            rows=None if rows is None or ask.rows is None else ask.rows + rows,
            distinct=(ask.distinct or 0) + (distinct or 0) if known else None,
            calls=(ask.calls or 0) + estimate.calls if known else None,
            shared=ask.shared + shared,
            cached=ask.cached + estimate.cached,
            tokens=ask.tokens + estimate.tokens,
            seconds=ask.seconds if estimate.seconds is None else (ask.seconds or 0.0) + estimate.seconds,
            exact=ask.exact and exact and estimate.exact,
        )


COLUMNS = ("step", "call", "clause", "rows", "distinct", "cached", "calls", "tokens", "seconds", "model", "why")
MORE = ("strategy", "thresholds", "guarantee")
ACTUAL = ("actual_calls", "actual_tokens", "actual_seconds", "ok", "not_ok")


def explained(plan: AiPlan, actuals: Sequence[CallStep] | None = None) -> Any:
    """The plan as a table (Arrow): estimates, and beside them what happened where ``actuals`` are given."""
    import pyarrow as pa

    done = {(step.ask.call, step.ask.clause): step for step in actuals or ()}
    rows = []
    for number, ask in enumerate(plan.asks, start=1):
        row: dict[str, object] = {name: getattr(ask, name) for name in (*COLUMNS[1:], *MORE)}
        row |= {"step": number, "calls": ask.expected}
        if actuals is not None:
            real = done.get((ask.call, ask.clause), CallStep(Ask(ask.call, ask.clause)))
            row |= {
                "thresholds": real.ask.thresholds,
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
