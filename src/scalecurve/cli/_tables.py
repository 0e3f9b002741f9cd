"""What commands read of a run: its derived tables, and where its rungs lie on an axis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.store import RunDirectory


def scores_and_curves(run: Path) -> tuple[RunDirectory, pl.DataFrame, pl.DataFrame]:
    """The run with its item scores and curves. ``UserError`` when it has none yet."""

    from scalecurve.store import open_run, read_table

    directory = open_run(run)
    if not (directory.scores.exists() and directory.curves.exists() and directory.verdicts.exists()):
        raise UserError(f"{run}: not scored yet; finish the run, or rebuild it with `scalecurve rescore {run}`")
    return directory, read_table(directory.scores), read_table(directory.curves)


def scales_on(curves: pl.DataFrame, axis: str, run: Path) -> dict[str, float]:
    """Rung → its value on ``axis``, of those that have one. ``UserError`` when none has."""
    numbers = axis in curves.columns and curves[axis].dtype.is_numeric()
    known = curves.select("rung", axis).drop_nulls().unique().iter_rows() if numbers else ()
    scales = {str(rung): float(x) for rung, x in known}
    if not scales:
        raise UserError(f"--axis: no rung of {run} has a value on {axis!r}; use another, such as params_non_embedding")
    return scales
