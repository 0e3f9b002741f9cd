"""Curves of sub-abilities: each probe of a task gets a curve, a verdict and a threshold of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalecurve.analysis.stats.errors import standard_error
from scalecurve.errors import UserError
from scalecurve.tasks.probes import PREFIX, Probe, read_probes

if TYPE_CHECKING:
    import polars as pl

SURELY = 3.0  # standard errors above chance

__all__ = ["PREFIX", "Probe", "appears_at", "ladder", "probe_curves", "probe_scores", "read_probes"]


def probe_scores(outputs: pl.DataFrame, probes: Sequence[Probe]) -> pl.DataFrame:
    """Scores (columns of scores.parquet, metric ``probe:NAME``) of every row of ``outputs`` under every probe.

    ``outputs`` needs family, rung, task, strategy, shots, seed, example_id, response and targets. Rows of a failed
    answer (non-empty ``error``) score null.
    """
    import polars as pl

    own = ["family", "rung", "task", "strategy", "shots", "seed", "example_id"]
    failed = outputs["error"].to_list() if "error" in outputs.columns else [""] * outputs.height
    answers = list(zip(outputs["response"].to_list(), outputs["targets"].to_list(), failed, strict=True))
    frames = [
        outputs.select(own).with_columns(
            metric=pl.lit(PREFIX + probe.name),
            value=pl.Series(
                [None if bad else probe.score(text, t or ()) for text, t, bad in answers], dtype=pl.Float64
            ),
        )
        for probe in probes
        if not probe.subtask
    ]
    nothing = outputs.select(own).clear().with_columns(metric=pl.lit(""), value=pl.lit(0.0))
    return pl.concat([nothing, *frames])


def probe_curves(scores: pl.DataFrame, curves: pl.DataFrame, probes: Sequence[Probe]) -> pl.DataFrame:
    """Curves table of probe ``scores``, with the scales of the rungs taken from ``curves`` (a run's curves table).

    Probes that name a subtask bring that subtask's preferred curve along, as the metric ``probe:NAME`` of the parent.
    """
    import polars as pl

    from scalecurve.analysis.gather import curve_points

    chances = {PREFIX + probe.name: probe.chance for probe in probes}
    table = curve_points(scores, curves).with_columns(
        chance=pl.col("metric").replace_strict(chances, default=0.0, return_dtype=pl.Float64),
        ceiling=pl.lit(1.0),
        higher_is_better=pl.lit(True),
        preferred=pl.lit(False),
    )
    parts = [table]
    for probe in probes:
        if probe.subtask:
            parent, subtask = probe.subtask.rsplit(":", 1)[0], probe.subtask
            own = curves.filter(pl.col("task") == subtask, pl.col("preferred"))
            if own.is_empty():
                raise UserError(f"probe {probe.name}: subtask {subtask!r} has no curve in this run")
            renamed = own.with_columns(task=pl.lit(parent), metric=pl.lit(PREFIX + probe.name), preferred=pl.lit(False))
            parts.append(renamed)
    return pl.concat(parts, how="diagonal_relaxed")


def ladder(verdicts: pl.DataFrame) -> pl.DataFrame:
    """The probes of each task in the order in which they emerge: those without a threshold last."""
    import polars as pl

    rows = verdicts.filter(pl.col("metric").str.starts_with(PREFIX))
    place = pl.col("threshold").fill_null(np.inf)
    ordered = rows.with_columns(place=place).sort("family", "task", "strategy", "shots", "place").drop("place")
    return ordered.with_columns(probe=pl.col("metric").str.strip_prefix(PREFIX))


def appears_at(
    y: Sequence[float | None],
    se: Sequence[float | None],
    n: Sequence[int],
    chance: float | None,
    *,
    higher_is_better: bool = True,
) -> int | None:
    """From which point on, in ascending scale, every score is above chance by three standard errors.

    The index of the first such point; None where there is none, where chance is unknown, or where the last score is not
    above it. Points without a score are stepped over. A plainer question than the verdict's threshold, which needs the
    shape of the whole curve: it has an answer for two rungs as well as for twelve.
    """
    if chance is None:
        return None
    sign, first = (1.0 if higher_is_better else -1.0), None
    for at in reversed(range(len(y))):
        value = y[at]
        if value is None:
            continue
        if not sign * (value - chance) > SURELY * standard_error(value, n[at], se[at]):
            break
        first = at
    return first
