"""What the charts show beside the scores: the forecast for the next sizes, and where a way of asking unlocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.report.data import Contents, RunSource
from scalecurve.report.safe import rounded
from scalecurve.store import read_table

if TYPE_CHECKING:
    import polars as pl

AHEAD = (1.8, 3.2)  # times the largest size
FORECASTS = 150  # curves; the time grows with their square
UNLOCKS = 150


def add_extras(contents: Contents) -> Contents:
    """Put ``fan`` (forecast), ``unlock`` (rung) and ``harm`` on the headline curves that have one, in place."""
    family_of = {family["name"]: index for index, family in enumerate(contents.families)}
    task_of = {ref: index for index, ref in enumerate(contents.refs)}
    headline = {(c["f"], c["t"], c["s"], c["k"]): c for c in contents.curves if c["p"]}
    for source in contents.sources:
        for family, label in source.labels.items():
            own = {key[1:]: curve for key, curve in headline.items() if key[0] == family_of[label]}
            if len(own) <= FORECASTS:
                _add_forecasts(source, family, own, task_of)
            if len(own) <= UNLOCKS:
                _add_unlocks(source, family, own, task_of, contents.families[family_of[label]]["rungs"])
    return contents


def _add_forecasts(source: RunSource, family: str, own: dict[Any, dict[str, Any]], task_of: dict[str, int]) -> None:
    import polars as pl

    from scalecurve.analysis import axis_of
    from scalecurve.analysis.forecast.forecast import COMBINED, Past, enough, panels, predict

    frame = source.curves.filter((pl.col("family") == family) & pl.col("preferred"))
    axis = axis_of(frame)
    if axis is None or axis == "loss":  # what comes after a loss is not a multiple of it
        return
    for panel in panels(frame, axis):
        past = Past(panel)  # shared, so that every past error is computed once
        for curve in panel.curves:
            shown = own.get((task_of[curve.task], curve.strategy, curve.shots))
            if shown is None or not curve.x or not enough(panel.known(curve, curve.x[-1] * AHEAD[0])):
                continue
            points = []
            for factor in AHEAD:
                found = predict(panel, curve, curve.x[-1] * factor, past)
                (lo80, hi80), (lo95, hi95) = found.interval(80), found.interval(95)
                point = {"x": found.x, "y": found.by_method[COMBINED]}
                point |= {"lo80": lo80, "hi80": hi80, "lo95": lo95, "hi95": hi95}
                points.append({name: rounded(value, 4) for name, value in point.items()})
            shown["fan"] = {"axis": axis, "points": points}


def _add_unlocks(
    source: RunSource,
    family: str,
    own: dict[Any, dict[str, Any]],
    task_of: dict[str, int],
    rungs: Sequence[Mapping[str, Any]],
) -> None:
    """For every arm that is not the direct one: the rung from which on it is better than asking directly (``unlock``),
    and where it is surely worse (``harm``: the rung of the largest loss, the loss, and the share of texts there in
    which no answer was found under the arm, None where that was not measured).

    The flag ``extraction`` marks an arm with an effect, at some rung, that items read under both arms do not show.
    """
    import polars as pl

    from scalecurve.analysis import axis_of
    from scalecurve.analysis.compare.unlock import unlock

    if not source.run.scores.exists() or len({key[1] for key in own}) < 2:
        return
    headline = source.curves.filter((pl.col("family") == family) & pl.col("preferred"))
    axis = axis_of(headline)
    if axis is None:
        return
    scales = {rung: x for rung, x in headline.select("rung", axis).unique().iter_rows() if x}
    every = read_table(source.run.scores)
    scores = every.join(
        headline.select("family", "task", "metric").unique(), on=["family", "task", "metric"], how="semi"
    )
    found_in = every.filter(metric="extraction_rate", family=family).partition_by("task", as_dict=True)
    tables = scores.partition_by("task", as_dict=True)
    better = {row[0]: row[1] for row in headline.select("task", "higher_is_better").unique().iter_rows()}
    for (task, metric), rows in headline.partition_by("task", "metric", as_dict=True).items():
        arms = set(rows.select("strategy", "shots").unique().iter_rows())
        table = tables.get((task,))
        if table is None:
            continue
        if not better[task]:
            table = table.with_columns(-pl.col("value"))
        if (task,) in found_in and metric != "extraction_rate":
            table = pl.concat([table, found_in[(task,)]])
        for arm in sorted(arms):
            base = min(
                (other for other in arms if other[0] == "direct"), key=lambda o: abs(o[1] - arm[1]), default=None
            )
            if base is None or arm[0] == "direct":
                continue
            try:
                found = unlock(table, scales, arm, base, task=task, metric=metric, family=family, replicates=500)
            except UserError:  # the two arms were not asked the same questions
                continue
            unlocked = found.filter(pl.col("unlocked")).sort("x")
            curve = own.get((task_of[task], *arm))
            if curve is not None and curve["v"] and (found["flag"] == "extraction").any():
                curve["v"]["flags"] = [*curve["v"].get("flags", ()), "extraction"]
            if curve is None:
                continue
            names = {rung["key"]: str(rung["name"]) for rung in rungs}
            if not unlocked.is_empty() and unlocked.height < found.height and unlocked["rung"][0] in names:
                curve["unlock"] = names[unlocked["rung"][0]]
            curve |= _harm(found, names, arm, found_in.get((task,)))


def _harm(
    found: pl.DataFrame, names: Mapping[str, str], arm: tuple[str, int], read: pl.DataFrame | None
) -> dict[str, object]:
    """``harm`` of an arm: the rung where it loses most of those where it surely loses, and what stands behind it."""
    worse = found.filter(effect="harm").sort("uplift")
    if worse.is_empty() or worse["rung"][0] not in names:
        return {}
    rung, unread = worse["rung"][0], None
    if read is not None:
        rates = read.filter(rung=rung, strategy=arm[0], shots=arm[1])["value"].drop_nulls()
        unread = None if rates.is_empty() else rounded(1 - sum(rates) / len(rates), 3)
    return {"harm": {"rung": names[rung], "loss": rounded(-worse["uplift"][0], 4), "unread": unread}}
