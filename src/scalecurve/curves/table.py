"""Judging everything of a study together: one row a curve, as kept in verdicts.parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalecurve.curves.artefact import COMPANIONS, artefact_check, jumped
from scalecurve.curves.bootstrap import paired
from scalecurve.curves.descriptors import noise_p_values
from scalecurve.curves.errors import benjamini_hochberg, flatness
from scalecurve.curves.gather import KEY, curves_from_frame
from scalecurve.curves.judge import consider, discovery_level
from scalecurve.nouns import Curve, Verdict

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
ItemTables = dict[tuple[Any, ...], dict[str, dict[str, Any]]]  # curve key → rung → example_id, value, cluster


def judge_all(
    curves_frame: pl.DataFrame,
    scores: pl.DataFrame | None = None,
    *,
    axis: str = "params_non_embedding",
    seed: int = 0,
    replicates: int = 1000,
) -> pl.DataFrame:
    """Verdicts on every curve of a long curves table, one row a curve.

    ``scores`` (columns of scores.parquet; optional ``cluster``) makes the bootstrap paired over items. Columns: family,
    task, strategy, shots, metric, axis, shape, sublabel, confidence, threshold, threshold_lo, threshold_hi (natural
    units of the axis), artefact, flags, linearity, breakthroughness, linearity_share (L over its bound), p_linearity,
    p_breakthroughness (how often noise alone reaches them), p_flat, p_flat_adjusted (false-discovery rate over the
    table), reasons. Undefined numbers are null; B may be infinite.
    """
    import polars as pl

    curves = curves_from_frame(curves_frame, axis)
    p_flat = [_p_flat(curve) for curve in curves]
    adjusted, level = benjamini_hochberg(p_flat), discovery_level(p_flat)
    tables = item_tables(scores) if scores is not None else {}
    siblings: dict[tuple[object, ...], list[Curve]] = {}
    for curve in curves:
        if curve.metric in COMPANIONS:
            siblings.setdefault(_outputs_key(curve), []).append(curve)
    rows = []
    for curve, adjusted_p in zip(curves, adjusted, strict=True):
        items, clusters = _items_of(curve, tables)
        judgement = consider(curve, items, clusters, seed, replicates, level)
        verdict = judgement.verdict
        others = [other for other in siblings.get(_outputs_key(curve), []) if other.metric != curve.metric]
        if others and jumped(verdict):
            copies = _copies(others, tables, replicates, seed)
            verdict = artefact_check(curve, verdict, others, copies, judgement.outlier)
        rows.append(_row(curve, verdict, float(adjusted_p), seed))
    return pl.DataFrame(rows, schema=verdict_schema(), orient="row")


def _outputs_key(curve: Curve) -> tuple[object, ...]:
    return curve.family, curve.task, curve.strategy, curve.shots


def _copies(curves: list[Curve], tables: ItemTables, replicates: int, seed: int) -> dict[str, Floats]:
    """Paired bootstrap copies by metric, of those curves that have item scores."""
    copies = {}
    for curve in curves:
        items, clusters = _items_of(curve, tables)
        if items is not None and replicates:
            copies[curve.metric] = paired(items, replicates, seed, clusters)
    return copies


def verdict_schema() -> dict[str, Any]:
    """Columns of verdicts.parquet and their types."""
    import polars as pl

    text, number, texts = pl.String(), pl.Float64(), pl.List(pl.String())
    types: dict[str, Any] = dict.fromkeys((*KEY, "axis", "shape", "sublabel"), text) | {"shots": pl.Int64()}
    types |= dict.fromkeys(("confidence", "threshold", "threshold_lo", "threshold_hi"), number)
    types |= {"artefact": text, "flags": texts}
    types |= dict.fromkeys(("linearity", "breakthroughness", "linearity_share", "p_linearity"), number)
    types |= dict.fromkeys(("p_breakthroughness", "p_flat", "p_flat_adjusted"), number)
    return types | {"reasons": texts}


def item_tables(scores: pl.DataFrame) -> ItemTables:
    """Item scores by curve key and rung, averaged over seeds (seeds share the items)."""
    import polars as pl

    more = [name for name in ("cluster",) if name in scores.columns]
    if "seed" in scores.columns and scores["seed"].n_unique() > 1:
        means = [pl.col("value").mean(), *(pl.col(name).first() for name in more)]
        scores = scores.group_by([*KEY, "rung", "example_id"], maintain_order=True).agg(*means)
    tables: ItemTables = {}
    lists = scores.group_by([*KEY, "rung"], maintain_order=True).agg(
        "example_id", pl.col("value").fill_null(np.nan), *more
    )
    for number, (*key, rung) in enumerate(lists.select(*KEY, "rung").iter_rows()):
        own = {name: lists[name][number] for name in ("example_id", "value", *more)}
        tables.setdefault(tuple(key), {})[rung] = own
    return tables


def _items_of(curve: Curve, tables: ItemTables) -> tuple[Floats | None, list[object] | None]:
    """(item scores (items, scales) with NaN where missing, cluster labels); None where there are none."""
    by_rung = tables.get((curve.family, curve.task, curve.strategy, curve.shots, curve.metric), {})
    columns = [by_rung[rung] for rung in curve.rungs if rung in by_rung]
    if len(columns) < len(curve.rungs) or not columns:
        return None, None
    ids = columns[0]["example_id"]
    values = [column["value"].to_numpy() for column in columns]
    labels = columns[0].get("cluster")
    if all(column["example_id"].equals(ids) for column in columns):
        items = np.column_stack(values)
        clusters = None if labels is None else labels.to_list()
    else:
        known = [dict(zip(c["example_id"].to_list(), v, strict=True)) for c, v in zip(columns, values, strict=True)]
        everything = list(dict.fromkeys(item for column in known for item in column))
        items = np.array([[column.get(item, np.nan) for column in known] for item in everything], float)
        groups: dict[object, object] = {}
        for column in columns if labels is not None else []:
            groups |= dict(zip(column["example_id"].to_list(), column["cluster"].to_list(), strict=True))
        clusters = [groups[item] for item in everything] if labels is not None else None
    if np.isnan(items).all(axis=0).any():
        return None, None
    return items, clusters


def _p_flat(curve: Curve) -> float:
    usable = len(curve.y) >= 2 and all(np.isfinite(se) and se > 0 for se in curve.se)
    return flatness(curve.y, curve.se)[1] if usable else np.nan


def _row(curve: Curve, verdict: Verdict, adjusted: float, seed: int) -> dict[str, Any]:
    steps = len(curve.y) - 1
    p_l, p_b = noise_p_values(curve.y, curve.se, seed) if verdict.p_flat is not None else (None, None)
    low, high = verdict.threshold_interval or (None, None)
    el = _defined(verdict.linearity)
    return {name: getattr(curve, name) for name in (*KEY, "axis")} | {
        "shape": verdict.shape,
        "sublabel": verdict.sublabel,
        "confidence": verdict.confidence,
        "threshold": verdict.threshold,
        "threshold_lo": low,
        "threshold_hi": high,
        "artefact": verdict.artefact,
        "flags": list(verdict.flags),
        "linearity": el,
        "breakthroughness": _defined(verdict.breakthroughness),
        "linearity_share": el / steps if el is not None and steps > 0 else None,
        "p_linearity": _defined(p_l),
        "p_breakthroughness": _defined(p_b),
        "p_flat": verdict.p_flat,
        "p_flat_adjusted": _defined(adjusted),
        "reasons": list(verdict.reasons),
    }


def _defined(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
