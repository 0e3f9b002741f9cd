"""Two models on the same questions: the interval of every pair's difference, and what an answer cost in tokens."""

from __future__ import annotations

from typing import Any

from scalecurve.report.data import Contents, RunSource
from scalecurve.report.safe import rounded

CURVES = 300  # headline curves; with more, the page sets scores side by side as if of other questions


def add_pairs(contents: Contents) -> Contents:
    """Put ``d`` and ``cost`` on the headline curves, in place.

    ``d``: 95 % intervals [low, high] of the paired difference of two of the curve's models, the later less the earlier,
    in the order (0, 1), (0, 2), …, (1, 2), …; None where they share no questions. ``cost``: mean tokens of a prompt and
    of what was generated, per answer.
    """
    headline = {(c["f"], c["t"], c["s"], c["k"], c["m"]): c for c in contents.curves if c["p"]}
    for source in contents.sources:
        _add_costs(contents, source, headline)
        if len(headline) <= CURVES and source.run.scores.exists():
            _add_intervals(contents, source, headline)
    return contents


def _add_costs(contents: Contents, source: RunSource, headline: dict[Any, dict[str, Any]]) -> None:
    task_of = {ref: index for index, ref in enumerate(contents.refs)}
    family_of = {family["name"]: index for index, family in enumerate(contents.families)}
    sums: dict[Any, list[float]] = {}
    for cell in source.manifest.get("cells", []):
        if cell.get("examples") and cell["task"] in task_of and cell["family"] in source.labels:
            key = (family_of[source.labels[cell["family"]]], task_of[cell["task"]], cell["strategy"], cell["shots"])
            own = sums.setdefault(key, [0.0, 0.0, 0.0])
            for at, name in enumerate(("examples", "prompt_tokens", "generated_tokens")):
                own[at] += cell.get(name) or 0
    for key, curve in headline.items():
        if found := sums.get(key[:4]):
            count, prompt, generated = found
            curve["cost"] = [rounded(prompt / count, 3), rounded(generated / count, 3)]


def _add_intervals(contents: Contents, source: RunSource, headline: dict[Any, dict[str, Any]]) -> None:
    import polars as pl

    names = ["family", "task", "strategy", "shots", "metric"]
    kept = source.curves.filter("preferred").select(names).unique()
    scores = (
        pl.scan_parquet(source.run.scores)
        .join(kept.lazy(), on=names, how="semi")
        .drop_nulls("value")
        .group_by([*names, "rung", "example_id"])
        .agg(pl.col("value").mean())
        .collect()
    )
    task_of = {ref: index for index, ref in enumerate(contents.refs)}
    family_of = {family["name"]: index for index, family in enumerate(contents.families)}
    for key, rows in scores.partition_by(names, as_dict=True).items():
        family, task, *rest = key
        curve = headline.get((family_of[source.labels[str(family)]], task_of[str(task)], *rest))
        if curve is not None:
            rungs = contents.families[curve["f"]]["rungs"]
            order = [rungs[place]["key"] for place in curve["r"]]
            curve["d"] = _intervals(rows.pivot("rung", index="example_id", values="value"), order)


def _intervals(table: Any, order: list[str]) -> list[list[object] | None]:
    from scalecurve.analysis.compare.paired import paired_difference

    found: list[list[object] | None] = []
    for i, one in enumerate(order):
        for other in order[i + 1 :]:
            if one not in table.columns or other not in table.columns:
                found.append(None)
                continue
            both = table.select(one, other).drop_nulls()
            if both.height < 2:
                found.append(None)
                continue
            difference = paired_difference(both[other].to_numpy(), both[one].to_numpy())
            found.append([rounded(difference.low, 3), rounded(difference.high, 3)])
    return found
