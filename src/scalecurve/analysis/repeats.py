"""What asking a question several times adds: pass@k, majority@k, and the error of a mean whose items are asked again.

The repeats of a question are cells that differ in their seed alone. pass@k is the chance that one of k samples is
right, estimated without bias from all n (Chen et al. 2021, arXiv 2107.03374); majority@k is the score of what most of k
samples answer, the mean over as many sets of k as the n samples hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scalecurve.analysis.gather import curve_points
from scalecurve.metrics import METRICS
from scalecurve.schema import POINT_KEY

if TYPE_CHECKING:
    import polars as pl

PASS, MAJORITY = "pass@", "majority@"


def pass_at(k: int, n: int, right: int) -> float:
    """The unbiased estimate of the chance that one of ``k`` samples is right, from ``right`` of ``n`` that were.

    >>> pass_at(1, 4, 1), pass_at(2, 4, 1), pass_at(2, 4, 3)
    (0.25, 0.5, 1.0)
    """
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def majority(answers: Sequence[str | None]) -> int | None:
    """The index of the first sample that gives the answer most samples give, the earliest of equals; None without any.

    >>> majority([None, "7", "8", "8"]), majority(["7", "8"]), majority([None])
    (2, 0, None)
    """
    given = [answer for answer in answers if answer]
    if not given:
        return None
    counts = {answer: given.count(answer) for answer in dict.fromkeys(given)}
    return answers.index(max(counts, key=counts.__getitem__))


def sizes(n: int) -> list[int]:
    """The k of ``n`` repeats: 1, 2, 4, 8, … and n itself.

    >>> sizes(10), sizes(2)
    ([1, 2, 4, 8, 10], [1, 2])
    """
    return sorted({2**power for power in range(n.bit_length())} | {n})


def repeat_scores(
    scores: pl.DataFrame, outputs: pl.DataFrame, metrics: Mapping[str, str], repeats: int
) -> pl.DataFrame:
    """Scores (columns of ``scores``) of pass@k and majority@k for each item, under the first seed of its repeats.

    ``metrics``: task → its metric that is 0 or 1 (``binary_metric``). ``outputs`` needs the cell, example_id, response.
    An item that lacks a score in one of its repeats has none here.
    """
    import polars as pl

    item = [*(name for name in POINT_KEY if name != "metric"), "example_id"]
    wanted = pl.DataFrame(
        {"task": list(metrics), "metric": list(metrics.values())}, schema_overrides={"task": pl.String}
    )
    own = scores.join(wanted, on=["task", "metric"], how="semi", maintain_order="left")
    said = own.join(outputs.select(*item, "seed", "response"), on=[*item, "seed"], how="left", maintain_order="left")
    grouped = said.sort("seed", maintain_order=True).group_by(item, maintain_order=True)
    rows: list[dict[str, object]] = []
    for row in grouped.agg("value", "response", "seed").iter_rows(named=True):
        values, answers = row.pop("value"), row.pop("response")
        row |= {"seed": min(row["seed"]), "censored": False}
        if len(values) == repeats and None not in values:
            rows += [row | {"metric": name, "value": value} for name, value in _estimates(values, answers)]
    return pl.DataFrame(rows, schema=scores.schema, orient="row") if rows else scores.clear()


def _estimates(values: Sequence[float], answers: Sequence[str | None]) -> list[tuple[str, float]]:
    n, right = len(values), sum(value == 1.0 for value in values)
    found = []
    for k in sizes(n):
        found.append((f"{PASS}{k}", pass_at(k, n, right)))
        sets = [range(begin, begin + k) for begin in range(0, n - k + 1, k)]
        elected = [(one, majority([answers[at] for at in one])) for one in sets]
        graded = [0.0 if place is None else values[one[place]] for one, place in elected]
        found.append((f"{MAJORITY}{k}", math.fsum(graded) / len(graded)))
    return found


def repeat_curves(scores: pl.DataFrame, curves: pl.DataFrame, metrics: Mapping[str, str]) -> pl.DataFrame:
    """Curves table of ``repeat_scores``. Of k blind guesses one is right k times as often as a single one, or nearly; a
    majority of them is right no more often.
    """
    import polars as pl

    points = curve_points(scores, curves)
    floor = (pl.max_horizontal(pl.col("y") * (1 - pl.col("y")), 1 / pl.col("n")) / pl.col("n")).sqrt()
    levels = {
        (row["task"], row["metric"]): row["chance"]
        for row in curves.select("task", "metric", "chance").unique().iter_rows(named=True)
    }
    chances = []
    for task, metric in points.select("task", "metric").iter_rows():
        chance, k = levels.get((task, metrics[task])), int(metric.partition("@")[2])
        chances.append(chance if chance is None or metric.startswith(MAJORITY) else 1 - (1 - chance) ** k)
    return points.with_columns(
        se=pl.max_horizontal("se", floor),
        chance=pl.Series(chances, dtype=pl.Float64),
        ceiling=pl.lit(1.0),
        higher_is_better=pl.lit(True),
        preferred=pl.lit(False),
    )


def clustered(curves: pl.DataFrame, scores: pl.DataFrame, repeats: int) -> pl.DataFrame:
    """``curves`` with the error of each mean over all repeats: items are drawn, and their repeats with them.

    Of 0/1 scores it is no smaller than that of as many answers drawn one by one.
    """
    import polars as pl

    means = [name for name, one in METRICS.items() if not one.corpus]
    binary = [name for name, one in METRICS.items() if one.binary]
    items = curve_points(scores.filter(pl.col("metric").is_in(means)), curves).select(*POINT_KEY, drawn="se", items="n")
    found = curves.join(items, on=list(POINT_KEY), how="left", maintain_order="left")
    spread = pl.max_horizontal(pl.col("y") * (1 - pl.col("y")), 1 / pl.col("items"))
    floor = pl.when(pl.col("metric").is_in(binary)).then((spread / (pl.col("items") * repeats)).sqrt()).otherwise(0.0)
    return found.with_columns(
        se=pl.when(pl.col("drawn").is_not_null()).then(pl.max_horizontal("drawn", floor)).otherwise("se")
    ).select(curves.columns)


def binary_metric(record: Mapping[str, Any]) -> str:
    """The metric of a task by which a sample is right or wrong: the preferred one where it is such, else the first; ""
    where none is."""
    asked = [str(record["preferred_metric"]), *map(str, record["metrics"])]
    known = [name for name in asked if name in record["metrics"] and name in METRICS]
    return next((name for name in known if METRICS[name].binary and METRICS[name].needs == {"text"}), "")
