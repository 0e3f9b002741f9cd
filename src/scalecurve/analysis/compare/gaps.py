"""What a trap costs: the same examples with and without it, compared item by item at every scale.

A task's ``contrast`` names the leaf that asks its examples without the trap. Their difference is a curve of its own,
metric ``gap:METRIC`` (trap − control, so that a gap in accuracy falls when the trap bites more with scale). Where both
have ``log_odds`` there is also ``log_odds_shift``, the Inverse Scaling Prize's measure of a pair of prompts, and its
absolute value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from scalecurve.analysis.compare.unlock import unlock
from scalecurve.analysis.gather import curve_points
from scalecurve.metrics import METRICS

if TYPE_CHECKING:
    import polars as pl

PREFIX = "gap:"
LOG_ODDS, SHIFT, ABSOLUTE = "log_odds", "log_odds_shift", "absolute_log_odds_shift"
_ITEM = ("family", "rung", "strategy", "shots", "seed", "example_id")


def gap_scores(scores: pl.DataFrame, task: str, control: str, metric: str) -> pl.DataFrame:
    """Scores (columns of ``scores``) of what sets ``task`` apart from ``control``, for items scored under both."""
    import polars as pl

    found = []
    for measure, name in ((metric, PREFIX + metric), (LOG_ODDS, SHIFT)):
        own, other = (scores.filter(pl.col("task") == ref, pl.col("metric") == measure) for ref in (task, control))
        both = own.join(other.select(*_ITEM, without="value"), on=list(_ITEM), how="inner", maintain_order="left")
        shift = both.with_columns(value=pl.col("value") - pl.col("without"), metric=pl.lit(name)).drop("without")
        found.append(shift)
        if name == SHIFT:
            found.append(shift.with_columns(value=pl.col("value").abs(), metric=pl.lit(ABSOLUTE)))
    return pl.concat(found).select(scores.columns)


def gap_curves(scores: pl.DataFrame, curves: pl.DataFrame, preferred: str) -> pl.DataFrame:
    """Curves table of gap ``scores``, unbounded; ``preferred`` is the metric of them that heads its task."""
    import polars as pl

    points = curve_points(scores, curves)
    error = pl.max_horizontal("se", 1 / pl.col("n"))  # no change among n items does not make the gap certain
    worse = [ABSOLUTE, *(PREFIX + name for name, one in METRICS.items() if not one.higher_is_better)]
    return points.with_columns(
        se=error,
        chance=pl.lit(None, pl.Float64),
        ceiling=pl.lit(None, pl.Float64),
        higher_is_better=~pl.col("metric").is_in(worse),
        preferred=pl.col("metric") == preferred,
    )


def gap_table(
    scores: pl.DataFrame,
    scales: Mapping[str, float],
    task: str,
    control: str,
    *,
    metric: str,
    strategy: str = "direct",
    shots: int = 0,
    family: str | None = None,
    axis: str = "params_non_embedding",
    seed: int = 0,
) -> pl.DataFrame:
    """One row a rung, in ascending scale: rung, x, n, control, trap, gap, lo, hi (95%, holding at all scales together).

    ``effect`` is ``harm`` where the trap surely makes the score worse, ``gain`` where it makes it better, else empty.
    ``UserError`` when the two tasks share no items.
    """
    import polars as pl

    arms = [
        scores.filter(pl.col("task") == ref, pl.col("strategy") == strategy).with_columns(
            task=pl.lit(task), strategy=pl.lit(name)
        )
        for name, ref in (("trap", task), ("control", control))
    ]
    found = unlock(
        pl.concat(arms),
        scales,
        ("trap", shots),
        ("control", shots),
        task=task,
        metric=metric,
        family=family,
        axis=axis,
        seed=seed,
    )
    if metric in METRICS and not METRICS[metric].higher_is_better:
        found = found.with_columns(pl.col("effect").replace({"gain": "harm", "harm": "gain"}))
    names = {"base": "control", "arm": "trap", "uplift": "gap"}
    return found.rename(names).select("rung", "x", "n", "control", "trap", "gap", "lo", "hi", "effect")
