"""Unlock analysis: from which size on does another way of asking help, on the very same questions?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.gather import coordinate
from scalecurve.analysis.stats.bootstrap import paired
from scalecurve.errors import UserError

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
Arm = tuple[str, int]  # (strategy, shots)


def unlock(
    scores: pl.DataFrame,
    scales: Mapping[str, float],
    arm: Arm,
    base: Arm,
    *,
    task: str,
    metric: str,
    family: str | None = None,
    axis: str = "params_non_embedding",
    seed: int = 0,
    replicates: int = 2000,
) -> pl.DataFrame:
    """Uplift of ``arm`` over ``base``, both (strategy, shots), at every scale: one row a rung, in ascending scale.

    ``scores`` has the columns of scores.parquet, ``scales`` the value of each rung on ``axis``. Only items scored under
    both arms count. Columns: rung, x, n, base, arm, uplift (mean paired difference), lo, hi (95%, holding at all scales
    together: the largest |t| of the paired bootstrap), effect (``gain``, ``harm`` or empty), unlocked (gain here and at
    every larger scale), unlock_x, unlock_from (unlock scale and the scale before it), unlock_share (part of the
    bootstrap copies that agree on the scale). For metrics where lower is better pass negated scores.
    ``UserError`` when the two arms share no items.

    Where ``scores`` also holds ``extraction_rate``, the effect is tested again on the items whose answer was found
    under both arms: n_parsed, uplift_parsed, lo_parsed, hi_parsed (null without), and flag ``extraction`` where the
    effect is not seen there, so that answers that could not be read may have made it.
    """
    import polars as pl

    wanted = {"task": task, "metric": metric} | ({"family": family} if family else {})
    chosen = scores.filter(*(pl.col(name) == value for name, value in wanted.items()))
    if chosen["family"].n_unique() > 1:
        raise UserError(f"unlock: {task} has several families ({', '.join(chosen['family'].unique())}); name one")
    rungs = sorted((r for r in chosen["rung"].unique() if r in scales), key=lambda r: coordinate(axis, scales[r]))
    pairs = [pair for rung in rungs if (pair := _paired(scores, chosen, rung, arm, base)).differences]
    if not pairs:
        raise UserError(f"unlock: {task} has no item scored by {metric} under both {_name(arm)} and {_name(base)}")
    bands = simultaneous(_matrix([pair.differences for pair in pairs]), seed, replicates)
    parsed = _parsed_bands([pair.read for pair in pairs], seed, replicates)
    place = _unlock_place(bands["lo"])
    copies = [_unlock_place(row) for row in bands["copies"] - bands["reach"]]
    at_place = {
        "unlock_x": None if place is None else scales[pairs[place].rung],
        "unlock_from": scales[pairs[place - 1].rung] if place else None,
        "unlock_share": copies.count(place) / len(copies),
    }
    rows = []
    for i, pair in enumerate(pairs):
        low, high = float(bands["lo"][i]), float(bands["hi"][i])
        effect = "gain" if low > 0 else "harm" if high < 0 else ""
        row: dict[str, Any] = {"rung": pair.rung, "x": scales[pair.rung], "n": len(pair.differences)}
        row |= {"base": pair.base, "arm": pair.arm}
        row |= {"uplift": float(bands["mean"][i]), "lo": low, "hi": high, "effect": effect}
        row |= {"unlocked": place is not None and i >= place} | at_place
        rows.append(row | parsed[i] | {"flag": "extraction" if _unread_made(effect, parsed[i]) else ""})
    numbers = dict.fromkeys(("unlock_x", "unlock_from", "uplift_parsed", "lo_parsed", "hi_parsed"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides=numbers | {"n_parsed": pl.Int64})


@dataclass(frozen=True, slots=True)
class _Paired:
    """One rung's items under both arms: means and differences; ``read``: of those read under both (None: unknown)."""

    rung: str
    base: float
    arm: float
    differences: Mapping[str, float]
    read: Mapping[str, float] | None


def _paired(scores: pl.DataFrame, chosen: pl.DataFrame, rung: str, arm: Arm, base: Arm) -> _Paired:
    """The items of ``rung`` scored under both arms; ``differences`` are empty where there are none."""
    import polars as pl

    of_rung = chosen.filter(pl.col("rung") == rung)
    first, second = (_by_item(of_rung, one) for one in (base, arm))
    both = [item for item in first if item in second]
    if not both:
        return _Paired(rung, math.nan, math.nan, {}, None)
    differences = {item: second[item] - first[item] for item in both}
    found_in = _both_found(scores, of_rung, base, arm)
    read = None if found_in is None else {item: value for item, value in differences.items() if item in found_in}
    means = [float(np.mean([side[item] for item in both])) for side in (first, second)]
    return _Paired(rung, means[0], means[1], differences, read)


def _matrix(columns: Sequence[Mapping[str, float]]) -> Floats:
    """(items, columns) of differences by item, NaN where a column lacks one."""
    items = list(dict.fromkeys(item for column in columns for item in column))
    return np.array([[column.get(item, np.nan) for column in columns] for item in items])


def _parsed_bands(columns: Sequence[Mapping[str, float] | None], seed: int, replicates: int) -> list[dict[str, object]]:
    """Uplift and band of each scale over the items read under both arms; nulls where there are none (None: unknown)."""
    nothing = dict.fromkeys(("uplift_parsed", "lo_parsed", "hi_parsed"))
    rows: list[dict[str, object]] = [
        {"n_parsed": None if column is None else len(column)} | nothing for column in columns
    ]
    some = [i for i, column in enumerate(columns) if column]
    if some:
        bands = simultaneous(_matrix([columns[i] or {} for i in some]), seed, replicates)
        for at, i in enumerate(some):
            rows[i] |= {f"{name}_parsed": float(bands[key][at]) for name, key in _BAND.items()}
    return rows


_BAND = {"uplift": "mean", "lo": "lo", "hi": "hi"}


def _unread_made(effect: str, parsed: Mapping[str, Any]) -> bool:
    """Whether an effect over all items is not one over the items that could be read."""
    if not effect or parsed["n_parsed"] is None:
        return False
    if not parsed["n_parsed"]:
        return True
    return bool(parsed["lo_parsed"] <= 0 if effect == "gain" else parsed["hi_parsed"] >= 0)


def simultaneous(differences: Floats, seed: int = 0, replicates: int = 2000) -> dict[str, Floats]:
    """95% bands of the column means of ``differences`` (items, scales; NaN missing) that hold at all scales together.

    Returns mean, lo, hi, reach (half width) and copies (replicates, scales). Each band is the mean ± the 95th
    percentile of the largest |t| over the scales times that scale's standard error (max-|t| bootstrap).
    """
    known = np.isfinite(differences)
    n = known.sum(axis=0)
    mean = np.nansum(differences, axis=0) / n
    se = np.sqrt(np.nansum((differences - mean) ** 2, axis=0) / np.maximum(n - 1, 1) / n)
    se = np.maximum(se, 1 / n)  # without a single change among n items the uplift is still not known exactly
    copies = paired(differences, replicates, seed)
    largest = np.abs((copies - mean) / se).max(axis=1)
    reach = max(float(np.quantile(largest, 0.95)), 1.96) * se
    return {"mean": mean, "lo": mean - reach, "hi": mean + reach, "reach": reach, "copies": copies}


def _unlock_place(low: Floats) -> int | None:
    """Index of the first scale from which on every lower bound is above zero."""
    above = np.asarray(low) > 0
    if not above[-1]:
        return None
    below = np.flatnonzero(~above)
    return int(below[-1]) + 1 if len(below) else 0


def _both_found(scores: pl.DataFrame, of_rung: pl.DataFrame, base: Arm, arm: Arm) -> set[str] | None:
    """Items of a rung whose text held an answer under both arms, in every seed; None where that was not measured."""
    import polars as pl

    rung = of_rung.select("family", "task", "rung").unique()
    own = scores.filter(pl.col("metric") == "extraction_rate").join(rung, on=rung.columns, how="semi")
    first, second = (_by_item(own, one) for one in (base, arm))
    if not first or not second:
        return None
    return {item for item, share in first.items() if share == 1 == second.get(item)}


def _by_item(scores: pl.DataFrame, arm: Arm) -> dict[str, float]:
    import polars as pl

    own = scores.filter(pl.col("strategy") == arm[0], pl.col("shots") == arm[1]).drop_nulls("value")
    return dict(own.group_by("example_id", maintain_order=True).agg(pl.col("value").mean()).iter_rows())


def _name(arm: Arm) -> str:
    return f"{arm[0]} {arm[1]}-shot"
