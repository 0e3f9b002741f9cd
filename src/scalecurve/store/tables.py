"""Reading the tables that follow from outputs: scores, curves and verdicts, of runs that may be damaged or foreign.

Whoever reads one of them reads it here, so that a table that is none ends in one line that says how to rebuild it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scalecurve.errors import UserError
from scalecurve.schema import AXES, CURVE_KEY, POINT_KEY

if TYPE_CHECKING:
    import polars as pl

Frame = TypeVar("Frame", "pl.DataFrame", "pl.LazyFrame")

_POINTS = {
    **dict.fromkeys(POINT_KEY, "text"),
    **dict.fromkeys(("shots", *AXES, "y", "se", "n", "failed", "chance", "ceiling"), "number"),
    **dict.fromkeys(("higher_is_better", "preferred"), "flag"),
}
_SCORES = dict.fromkeys(("family", "rung", "task", "strategy", "example_id", "metric"), "text")
_VERDICTS = dict.fromkeys((*CURVE_KEY, "axis", "shape", "sublabel", "artefact"), "text")
_NUMBERS = ("confidence", "threshold_lo", "threshold_hi", "linearity_share", "breakthroughness")
COLUMNS = {
    "scores.parquet": {**_SCORES, **dict.fromkeys(("shots", "seed", "value"), "number")},
    "curves.parquet": _POINTS,
    "verdicts.parquet": {**_VERDICTS, **dict.fromkeys(("shots", *_NUMBERS), "number"), "flags": "list"},
}
"""The columns that every reader counts on, and their kinds; a table may have more."""
LATER = {"curves.parquet": ("epoch",)}
"""Columns that tables of older versions lack: a reader finds them empty."""


def read_table(path: Path) -> pl.DataFrame:
    """A run's scores, curves or verdicts. ``UserError`` when the file is damaged or has other columns."""
    import polars as pl

    with reading(path):
        frame = pl.read_parquet(path, hive_partitioning=False)
    check_columns(path, frame.schema)
    return _with_later(frame, frame.schema, path)


def scan_table(path: Path) -> pl.LazyFrame:
    """The same, lazily: collect it within ``reading``."""
    import polars as pl

    with reading(path):
        frame = pl.scan_parquet(path, hive_partitioning=False)
        schema = frame.collect_schema()
    check_columns(path, schema)
    return _with_later(frame, schema, path)


def _with_later(frame: Frame, schema: Any, path: Path) -> Frame:
    import polars as pl

    lacking = [name for name in LATER.get(path.name, ()) if name not in schema]
    return frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in lacking) if lacking else frame


@contextmanager
def reading(path: Path, fix: str = "") -> Iterator[None]:
    """Within: what Polars says of a damaged Parquet file becomes a ``UserError`` that names it and the ``fix``."""
    import polars as pl

    try:
        yield
    # A panic is how Polars ends on some damaged pages; it is no subclass of Exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{path}: cannot be read ({reason}); {fix or _rebuild(path)}") from None


def check_columns(path: Path, schema: Any) -> None:
    """``UserError`` when a table lacks a column that its readers need, or holds another kind of values in it."""
    for name, kind in COLUMNS.get(path.name, {}).items():
        if name not in schema:
            if name in LATER.get(path.name, ()):
                continue
            raise UserError(f"{path}: has no column {name!r}; {_rebuild(path)}")
        if _kind(schema[name]) not in (kind, "null"):
            raise UserError(f"{path}: {name}: holds {schema[name]}, not {kind}s; {_rebuild(path)}")


def _rebuild(path: Path) -> str:
    return f"rebuild it with `scalecurve rescore {path.parent}`"


def _kind(dtype: Any) -> str:
    import polars as pl

    if dtype == pl.Null:
        return "null"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if dtype.is_numeric():
        return "number"
    return "flag" if dtype == pl.Boolean else "list" if dtype == pl.List else str(dtype)
