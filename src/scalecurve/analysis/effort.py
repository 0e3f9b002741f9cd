"""Compute at answer time as an axis: what one model scores with more and more tokens for an answer.

A study's ``effort`` asks the same questions with several budgets (steps, thinking, samples, levels), each under a
strategy of its own name, ``chain_of_thought@64``. Their curves over the size of models are in the table anyway. Here
the budgets of one model become the points of a curve over ``answer_tokens``, the tokens it wrote for an answer (the
mean), in the family ``FAMILY:RUNG``; so do repeats, where k samples cost k times what one does (metrics ``pass`` and
``majority``). Verdicts and forecasts then read them as any other curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scalecurve.analysis.repeats import MAJORITY, PASS
from scalecurve.schema import ANSWER_TOKENS, AXES, POINT_KEY

if TYPE_CHECKING:
    import polars as pl

BUDGET = "@"
"""What parts the name of a strategy from its budget."""

ALIKE = 0.005  # of the tokens: budgets that come so close are one point

_CELL = ("family", "rung", "task", "strategy", "shots")


def with_effort(
    manifest: Mapping[str, Any], scores: pl.DataFrame, curves: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(scores, curves) with the curves over ``answer_tokens``, where a run asked with several budgets or repeats."""
    import polars as pl

    repeats, effort = manifest.get("repeats", 1) > 1, manifest.get("effort")
    found = [_by_budget(table, next(iter(effort))) for table in (scores, curves)] if effort else []
    if repeats:
        more = [_by_samples(table) for table in (scores, curves)]
        found = [pl.concat(pair) for pair in zip(found, more, strict=True)] if found else more
    if not found or found[1].is_empty():
        return scores, curves
    more_scores, more_curves = found
    tokens = tokens_an_answer(manifest["cells"])
    placed = more_curves.join(tokens, on=list(_CELL), how="left", maintain_order="left", suffix="_told")
    placed = placed.with_columns(
        (pl.col(f"{ANSWER_TOKENS}_told") * pl.col("samples")).alias(ANSWER_TOKENS),
        *(pl.lit(None, curves.schema[axis]).alias(axis) for axis in AXES),
        preferred=pl.col("preferred") & pl.col("samples").eq(1),
    )
    placed = _spent_more(placed)
    several = pl.col("new_rung").n_unique().over("family", "rung", "task", "base", "shots", "new_metric") > 1
    points = _renamed(placed.filter(several), curves.columns)
    items = _renamed(more_scores, scores.columns).join(points, on=list(POINT_KEY), how="semi", maintain_order="left")
    return pl.concat([scores, items]), pl.concat([curves, points])


def _spent_more(placed: pl.DataFrame) -> pl.DataFrame:
    """``placed`` without budgets under which a model wrote no more than under an earlier one: they gave it nothing."""
    spent: dict[tuple[object, ...], list[float]] = {}
    kept = []
    for key in placed.select(*_CELL[:3], "base", "shots", "new_metric", ANSWER_TOKENS).iter_rows():
        before, tokens = spent.setdefault(key[:-1], []), key[-1]
        kept.append(tokens is not None and all(abs(tokens - other) > ALIKE * other for other in before))
        before += [tokens] * kept[-1]
    return placed.filter(kept)


def tokens_an_answer(cells: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The tokens written for an answer, the mean over the seeds of each (family, rung, task, strategy, shots)."""
    import polars as pl

    rows = [
        {name: cell[name] for name in _CELL} | {ANSWER_TOKENS: cell["generated_tokens"] / answered}
        for cell in cells
        if (answered := cell["examples"] - cell["failed_examples"]) > 0 and cell["generated_tokens"]
    ]
    schema = {name: pl.Int64() if name == "shots" else pl.String() for name in _CELL} | {ANSWER_TOKENS: pl.Float64()}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.group_by(_CELL, maintain_order=True).agg(pl.col(ANSWER_TOKENS).mean())


def _by_budget(table: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Rows of strategies with a budget, with the names they have on the axis of tokens beside their own."""
    import polars as pl

    parts = pl.col("strategy").str.splitn(BUDGET, 2)
    return table.filter(pl.col("strategy").str.contains(BUDGET, literal=True)).with_columns(
        base=parts.struct[0],
        new_rung=pl.lit(f"{kind}=") + parts.struct[1],
        new_metric=pl.col("metric"),
        samples=pl.lit(1, pl.Int64),
    )


def _by_samples(table: pl.DataFrame) -> pl.DataFrame:
    """The rows of pass@k and majority@k, likewise."""
    import polars as pl

    counted = pl.col("metric").str.extract(rf"^(?:{PASS}|{MAJORITY})(\d+)$")
    rows = table.filter(counted.is_not_null())
    return rows.with_columns(
        base=pl.col("strategy"),
        new_rung=pl.lit("samples=") + counted,
        new_metric=pl.col("metric").str.extract(r"^(\w+)@"),
        samples=counted.cast(pl.Int64),
    )


def _renamed(table: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The rows as they stand in the tables: a model as a family, its budgets as rungs."""
    import polars as pl

    own = table.with_columns(
        family=pl.col("family") + ":" + pl.col("rung"),
        rung=pl.col("new_rung"),
        strategy=pl.col("base"),
        metric=pl.col("new_metric"),
    )
    key = [*POINT_KEY, *(name for name in ("seed", "example_id") if name in columns)]
    return own.unique(key, keep="first", maintain_order=True).select(columns)
