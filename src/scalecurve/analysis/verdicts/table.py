"""Judging everything of a study together: one row a curve, as kept in verdicts.parquet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.gather import curves_from_frame
from scalecurve.analysis.stats.descriptors import noise_p_values
from scalecurve.analysis.stats.errors import benjamini_hochberg, flatness
from scalecurve.analysis.verdicts import explain
from scalecurve.analysis.verdicts.artefact import COMPANIONS, OTHER_UNIT, artefact_check, jumped
from scalecurve.analysis.verdicts.judge import Judgement, Weighed, consider, discovery_level, look
from scalecurve.analysis.verdicts.posterior import SCATTER, Masses, weigh
from scalecurve.analysis.verdicts.reasons import Reason, kept
from scalecurve.analysis.verdicts.scatter import family_scatter
from scalecurve.schema import CURVE_KEY
from scalecurve.types import Curve, Verdict

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
    replicates: int = 100,
) -> pl.DataFrame:
    """Verdicts on every curve of a long curves table, one row a curve.

    ``scores`` (columns of scores.parquet; optional ``cluster``) tells what items and seeds share. Columns: family,
    task, strategy, shots, metric, axis, shape, sublabel, confidence, threshold, threshold_lo, threshold_hi (natural
    units of the axis), stability, width, width_lo, width_hi (decades), scatter, bound, artefact, flags,
    linearity, breakthroughness, linearity_share (L over its bound), p_linearity, p_breakthroughness (how often noise
    alone reaches them), p_flat, p_flat_adjusted (false-discovery rate over the
    table), reasons. Undefined numbers are null; B may be infinite.
    """
    import polars as pl

    curves = curves_from_frame(curves_frame, axis)
    tables = item_tables(scores) if scores is not None else {}
    between = seed_variances(scores) if scores is not None else {}
    again = _measured_again(curves)
    rows: dict[int, dict[str, Any]] = {}
    for some in ([at for at in range(len(curves)) if at not in again], sorted(again)):
        judged = _judge([curves[at] for at in some], tables, between, seed, replicates)
        rows |= dict(zip(some, judged, strict=True))
    return pl.DataFrame([rows[at] for at in range(len(curves))], schema=verdict_schema(), orient="row")


def _measured_again(curves: list[Curve]) -> set[int]:
    """The curves that show another of them in another unit: they are no further test, no further companion, no further
    curve of their family, and so are judged by themselves."""
    keys = {(*_outputs_key(curve), curve.metric) for curve in curves}
    return {at for at, curve in enumerate(curves) if (*_outputs_key(curve), OTHER_UNIT.get(curve.metric)) in keys}


def _judge(
    curves: list[Curve],
    tables: ItemTables,
    between: dict[tuple[Any, ...], float],
    seed: int,
    replicates: int,
) -> list[dict[str, object]]:
    """The rows of ``curves``, which are tested together."""
    looks, evidence = [], {}
    for curve in curves:
        items, clusters = _items_of(curve, tables)
        found = look(curve, items, clusters, _between(curve, between))
        looks.append(found)
        if found.evidence is not None:
            evidence[(*_outputs_key(curve), curve.metric)] = found.evidence
    scatter = _family_scatter(looks)
    p_flat = [_p_flat(found, scatter[_kind(found.curve)]) for found in looks]
    adjusted, level = benjamini_hochberg(p_flat), discovery_level(p_flat)
    siblings: dict[tuple[object, ...], list[Curve]] = {}
    for curve in curves:
        if curve.metric in COMPANIONS:
            siblings.setdefault(_outputs_key(curve), []).append(curve)
    judgements = []
    for found in looks:
        curve = found.curve
        items, clusters = _items_of(curve, tables) if replicates else (None, None)
        judgement = consider(found, items, clusters, seed, replicates, level, scatter[_kind(curve)])
        others = [other for other in siblings.get(_outputs_key(curve), []) if other.metric != curve.metric]
        if others and jumped(judgement.verdict):
            own = {other.metric: evidence.get((*_outputs_key(other), other.metric)) for other in others}
            known = {metric: each for metric, each in own.items() if each is not None}
            verdict = artefact_check(curve, judgement.verdict, others, known, judgement.outlier)
            judgement = replace(judgement, verdict=verdict)
        judgements.append(judgement)
    verdicts = _odd_elsewhere(curves, judgements)
    return [_row(c, v, float(p), seed) for c, v, p in zip(curves, verdicts, adjusted, strict=True)]


def _kind(curve: Curve) -> tuple[str, bool]:
    """Curves whose scatter is one: a family's, bounded scores and others apart."""
    return curve.family, curve.chance is not None or curve.ceiling is not None


def _family_scatter(looks: list[Weighed]) -> dict[tuple[str, bool], Floats]:
    groups: dict[tuple[str, bool], list[Masses]] = {}
    for found in looks:
        own = groups.setdefault(_kind(found.curve), [])
        if found.masses is not None:
            own.append(found.masses)
    return {kind: family_scatter(own) for kind, own in groups.items()}


def _p_flat(found: Weighed, scatter: Floats) -> float:
    if found.evidence is None or found.masses is None:
        curve = found.curve
        usable = len(curve.y) >= 2 and all(np.isfinite(se) and se > 0 for se in curve.se)
        return flatness(curve.y, curve.se)[1] if usable else np.nan
    return explain.p_flat(found.evidence, float(weigh(found.masses, scatter).scatter[0] @ SCATTER))


def _odd_elsewhere(curves: list[Curve], judgements: list[Judgement]) -> list[Verdict]:
    """Verdicts in which a model that stands alone is told with how often it does so in its family."""
    counts: dict[tuple[str, str], int] = {}
    judged: dict[str, int] = {}
    for curve, judgement in zip(curves, judgements, strict=True):
        judged[curve.family] = judged.get(curve.family, 0) + 1
        if judgement.outlier >= 0:
            key = curve.family, curve.rungs[judgement.outlier]
            counts[key] = counts.get(key, 0) + 1
    verdicts = []
    for curve, judgement in zip(curves, judgements, strict=True):
        verdict = judgement.verdict
        if judgement.outlier >= 0:
            rung = curve.rungs[judgement.outlier]
            more = Reason("one-model-elsewhere", (rung, counts[curve.family, rung], judged[curve.family]))
            verdict = replace(verdict, reasons=(*verdict.reasons[:1], more, *verdict.reasons[1:]))
        verdicts.append(verdict)
    return verdicts


def _outputs_key(curve: Curve) -> tuple[object, ...]:
    return curve.family, curve.task, curve.strategy, curve.shots


def verdict_schema() -> dict[str, Any]:
    """Columns of verdicts.parquet and their types."""
    import polars as pl

    text, number, texts = pl.String(), pl.Float64(), pl.List(pl.String())
    types: dict[str, object] = dict.fromkeys((*CURVE_KEY, "axis", "shape", "sublabel"), text) | {"shots": pl.Int64()}
    types |= dict.fromkeys(("confidence", "threshold", "threshold_lo", "threshold_hi"), number)
    types |= dict.fromkeys(("stability", "width", "width_lo", "width_hi", "scatter", "bound"), number)
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
        scores = scores.group_by([*CURVE_KEY, "rung", "example_id"], maintain_order=True).agg(*means)
    tables: ItemTables = {}
    lists = scores.group_by([*CURVE_KEY, "rung"], maintain_order=True).agg(
        "example_id", pl.col("value").fill_null(np.nan), *more
    )
    for number, (*key, rung) in enumerate(lists.select(*CURVE_KEY, "rung").iter_rows()):
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


def seed_variances(scores: pl.DataFrame) -> dict[tuple[object, ...], float]:
    """By curve key and rung: what seeds add to the variance of a mean over them, beyond what their items show."""
    import polars as pl

    if "seed" not in scores.columns or scores["seed"].n_unique() < 2:
        return {}
    key = [*CURVE_KEY, "rung"]
    means = scores.group_by([*key, "seed"]).agg(mean=pl.col("value").mean())
    spread = means.group_by(key).agg(between=pl.col("mean").var(), seeds=pl.len())
    each = scores.group_by([*key, "example_id"]).agg(within=pl.col("value").var())
    noise = each.group_by(key).agg(within=pl.col("within").mean(), n=pl.len())
    found = spread.join(noise, on=key).drop_nulls(["between", "within"])
    left = (pl.col("between") - pl.col("within") / pl.col("n")).clip(0.0) / pl.col("seeds")
    return {tuple(row[:-1]): row[-1] for row in found.select(*key, left.alias("left")).iter_rows()}


def _between(curve: Curve, known: dict[tuple[Any, ...], float]) -> Floats | None:
    if not known:
        return None
    own = (curve.family, curve.task, curve.strategy, curve.shots, curve.metric)
    return np.array([known.get((*own, rung), 0.0) for rung in curve.rungs])


def _row(curve: Curve, verdict: Verdict, adjusted: float, seed: int) -> dict[str, Any]:
    steps = len(curve.y) - 1
    p_l, p_b = noise_p_values(curve.y, curve.se, seed) if verdict.p_flat is not None else (None, None)
    low, high = verdict.threshold_interval or (None, None)
    slow, fast = verdict.width_interval or (None, None)
    el = _defined(verdict.linearity)
    return {name: getattr(curve, name) for name in (*CURVE_KEY, "axis")} | {
        "shape": verdict.shape,
        "sublabel": verdict.sublabel,
        "confidence": verdict.confidence,
        "threshold": verdict.threshold,
        "threshold_lo": low,
        "threshold_hi": high,
        "stability": verdict.stability,
        "width": verdict.width,
        "width_lo": slow,
        "width_hi": fast,
        "scatter": verdict.scatter,
        "bound": verdict.bound,
        "artefact": verdict.artefact,
        "flags": list(verdict.flags),
        "linearity": el,
        "breakthroughness": _defined(verdict.breakthroughness),
        "linearity_share": el / steps if el is not None and steps > 0 else None,
        "p_linearity": _defined(p_l),
        "p_breakthroughness": _defined(p_b),
        "p_flat": verdict.p_flat,
        "p_flat_adjusted": _defined(adjusted),
        "reasons": kept(Reason(*reason) for reason in verdict.reasons),
    }


def _defined(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
