"""The verdicts of a whole run: every family on the axis on which its models differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from scalecurve.analysis.gather import axis_of
from scalecurve.analysis.verdicts.table import judge_all, verdict_schema
from scalecurve.store import RunDirectory, read_table
from scalecurve.store.atomic import write_parquet

if TYPE_CHECKING:
    import polars as pl


def judge_run(run: RunDirectory) -> None:
    """Write verdicts.parquet from a run's curves.parquet and scores.parquet, each family on its ``axis_of``."""

    curves, scores = read_table(run.curves), read_table(run.scores)
    write_parquet(run.verdicts, judge_tables(curves, scores, run.read_manifest()["tasks"]))


def judge_tables(curves: pl.DataFrame, scores: pl.DataFrame, tasks: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """The verdicts on a curves table; families that are judged on one axis are judged together.

    ``tasks``: the manifest's records of the tasks.
    """
    import polars as pl

    axes: dict[str, list[str]] = {}
    for (family,), rows in curves.group_by("family", maintain_order=True):
        axis = axis_of(rows)
        if axis:
            axes.setdefault(axis, []).append(str(family))
    of_axis = {axis: curves.filter(pl.col("family").is_in(families)) for axis, families in axes.items()}
    verdicts = [judge_all(rows, scores, axis=axis) for axis, rows in of_axis.items()]
    return _with_structural_zeros(pl.concat(verdicts) if verdicts else pl.DataFrame(schema=verdict_schema()), tasks)


def _with_structural_zeros(verdicts: pl.DataFrame, records: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Flag the curves of match metrics on tasks where some right answers cannot match (see ``tasks.repairs``)."""
    import polars as pl

    records = list(records)
    odd = [record["ref"] for record in records if "structural_zeros" in record["flags"]]
    repaired = [record["ref"] for record in records if "corrected:structural_zeros" in record["flags"]]
    here = pl.col("task").is_in([ref for ref in odd if ref not in repaired]) & pl.col("metric").str.contains("match")
    flagged = pl.col("flags").list.concat(pl.lit(["unmatchable-answers"], dtype=pl.List(pl.String())))
    return verdicts.with_columns(pl.when(here).then(flagged).otherwise(pl.col("flags")).alias("flags"))
