"""Errors that stand beside scores in one cell (``45.2 ± 1.1``): which of them are standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from statistics import median
from typing import TYPE_CHECKING

from scalecurve.io.cells import number, spread_in, unread_spread

if TYPE_CHECKING:
    from scalecurve.io.sources import SourceFile

SAME = log(1.3)  # an error within this of what its number of questions gives is the standard error
INTERVAL = 1.96


def written_errors(
    source: SourceFile, column: str, cells: Sequence[object], counts: Sequence[int | None]
) -> list[float | None]:
    """The standard errors written in a column's cells, in the unit of the scores; what they were taken for is noted.

    ``counts`` are the numbers of questions, where the scores are shares of right answers and these are known. An error
    that so many questions cannot have is none: 1.96 times theirs is half of a 95 % interval, and becomes the standard
    error; much less, or more, is a deviation of something else, and is left out. Without a number of questions what
    follows ± is the standard error, as harnesses print it.
    """
    found = [spread_in(one) for one in cells]
    shown = next((one for one, error in zip(cells, found, strict=True) if error is not None), None)
    left = next((one for one in cells if unread_spread(one)), None)
    if left is not None:
        source.note(
            f"column {column}: what stands behind the score is left out ({left!r}), as it may be a rank, a count or an "
            "interval; give standard errors a column of their own (--map se=COLUMN)"
        )
    if shown is None:
        return found
    ratios = [
        ratio
        for value, error, count in zip(map(number, cells), found, counts, strict=True)
        if (ratio := _ratio(value, error, count)) is not None
    ]
    by = median(ratios) if ratios else 1.0
    if abs(log(by)) < SAME or (not ratios):
        source.note(f"column {column}: what follows ± or stands in parentheses is the standard error ({shown!r})")
        return found
    if abs(log(by / INTERVAL)) < SAME:
        source.note(
            f"column {column}: what follows ± is half of a 95 % interval by the number of questions ({shown!r}); its "
            f"standard error is {1 / INTERVAL:.2f} of it"
        )
        return [None if error is None else error / INTERVAL for error in found]
    source.note(
        f"column {column}: what follows ± or stands in parentheses is left out ({shown!r}): it is {by:.2g} times the "
        "standard error of so many questions; give standard errors a column of their own (--map se=COLUMN)"
    )
    return [None] * len(found)


def _ratio(value: float | None, error: float | None, count: int | None) -> float | None:
    """The error against that of ``count`` right or wrong answers, whether the two are percent or fractions."""
    if value is None or not error or not count or value <= 0 or value >= 100:
        return None
    ratios = [error / (by * sqrt(p * (1 - p) / count)) for by in (1, 100) if 0 < (p := value / by) < 1]
    return min(ratios, key=lambda one: abs(log(one)), default=None)
