"""Verdicts of a run that stopped early: what was decided takes the place of what the examples asked show alone."""

from __future__ import annotations

import json
from typing import Any

from scalecurve.nouns import UserError
from scalecurve.runs import RunDirectory
from scalecurve.runs.atomic import write_parquet

STOPPED, UNDECIDED = "stopped-early", "undecided"
_KEY = ("family", "task", "strategy", "shots", "metric")


def read_until(run: RunDirectory) -> dict[str, Any]:
    """What the campaign noted; empty for a run that asked everything."""
    if not run.until.exists():
        return {}
    try:
        return dict(json.loads(run.until.read_bytes()))
    except ValueError as error:
        raise UserError(f"{run.until}: not valid JSON ({error}); give the same command again") from None


def settle(run: RunDirectory) -> None:
    """Mark verdicts.parquet: decided curves get the decided shape, its probability as confidence, and the flag
    ``stopped-early``; curves still open the flag ``undecided``. Curves asked in full keep their verdict."""
    import polars as pl

    told = {tuple(curve[name] for name in _KEY): curve for curve in read_until(run).get("curves", [])}
    if not told:
        return
    verdicts = pl.read_parquet(run.verdicts)
    rows = [_settled(row, told.get(tuple(row[name] for name in _KEY))) for row in verdicts.iter_rows(named=True)]
    write_parquet(run.verdicts, pl.DataFrame(rows, schema=verdicts.schema, orient="row"))


def _settled(row: dict[str, Any], told: dict[str, Any] | None) -> dict[str, Any]:
    if told is None or told["whole"]:
        return row
    asked = [rung["asked"] for rung in told["rungs"]]
    span = f"{min(asked)}" if min(asked) == max(asked) else f"{min(asked)} to {max(asked)}"
    if told["shape"] is None:
        reason = f"Judged on {span} of {told['total']} examples: not decided yet."
        return row | {"flags": [*row["flags"], UNDECIDED], "reasons": [*row["reasons"], reason]}
    reason = (
        f"Decided on {span} of {told['total']} examples a model: asking the rest would end in {told['shape']} "
        f"with probability {told['probability']:.0%}."
    )
    same = row["shape"] == told["shape"]
    return row | {
        "shape": told["shape"],
        "sublabel": row["sublabel"] if same else "",
        "confidence": told["probability"],
        "flags": [*row["flags"], STOPPED],
        "reasons": [*row["reasons"], reason] if same else [reason],
    }
