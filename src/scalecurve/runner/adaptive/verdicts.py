"""Verdicts of a run that stopped early: what was decided takes the place of what the examples asked show alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scalecurve.analysis.verdicts.reasons import Reason, kept
from scalecurve.errors import UserError
from scalecurve.schema import CURVE_KEY
from scalecurve.store import RunDirectory

if TYPE_CHECKING:
    import polars as pl

STOPPED, UNDECIDED = "stopped-early", "undecided"


def read_until(run: RunDirectory) -> dict[str, Any]:
    """What the campaign noted; empty for a run that asked everything."""
    if not run.until.exists():
        return {}
    try:
        return dict(json.loads(run.until.read_bytes()))
    except ValueError as error:
        raise UserError(f"{run.until}: not valid JSON ({error}); give the same command again") from None


def settled(run: RunDirectory, verdicts: pl.DataFrame) -> pl.DataFrame:
    """The ``verdicts`` of a run that stopped early.

    Decided curves get the decided shape, its probability as confidence, and the flag ``stopped-early``; curves still
    open the flag ``undecided``. Curves asked in full keep theirs.
    """
    import polars as pl

    campaign = {tuple(curve[name] for name in CURVE_KEY): curve for curve in read_until(run).get("curves", [])}
    if not campaign:
        return verdicts
    rows = [
        _settled(row, campaign.get(tuple(row[name] for name in CURVE_KEY))) for row in verdicts.iter_rows(named=True)
    ]
    return pl.DataFrame(rows, schema=verdicts.schema, orient="row")


def _settled(row: dict[str, Any], told: dict[str, Any] | None) -> dict[str, object]:
    if told is None or told["whole"]:
        return row
    asked = [rung["asked"] for rung in told["rungs"]]
    span = f"{min(asked)}" if min(asked) == max(asked) else f"{min(asked)} to {max(asked)}"
    if told["shape"] is None:
        reason = kept([Reason("undecided", (span, told["total"]))])[0]
        return row | {"flags": [*row["flags"], UNDECIDED], "reasons": [*row["reasons"], reason]}
    said = Reason("stopped-early", (span, told["total"], told["shape"], told["probability"]))
    reason = kept([said])[0]
    same = row["shape"] == told["shape"]
    return row | {
        "shape": told["shape"],
        "sublabel": row["sublabel"] if same else "",
        "confidence": told["probability"],
        "flags": [*row["flags"], STOPPED],
        "reasons": [*row["reasons"], reason] if same else [reason],
    }
