"""Wide tables: one row a model, one column a benchmark, as the Open LLM Leaderboard's and many papers' tables are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from scalecurve.exchange.columns import (
    collect,
    find_columns,
    metric_columns,
    model_of,
    names_of,
    number,
    plain_text,
    scan,
)
from scalecurve.exchange.shape import SHARES, Asked, Found, Point, Role, higher_is_better, is_share, reader
from scalecurve.exchange.sources import Source

_NO_TASK = re.compile(
    r"\b(average|avg|mean|rank|co2|hub|likes|downloads|date|license|precision|weights?|type|architecture|generation|moe|"
    r"merged|flagged|available|sha|template|maintainer|link|year|memory|cost|price|throughput|index|context|vocab|layers|"
    r"hidden|heads|pretraining|flops|params|model|size)\b|[♥❤]|^unnamed|^t?$",
    re.IGNORECASE,
)
_ENDINGS = ("acc_norm", "exact_match", "acc", "f1", "bleu", "rouge1", "rougeLsum", "ppl", "perplexity", "em", "bpb")
_NOT_PERCENT = ("bleu", "rouge1", "rougeLsum", "chrf", "ter", "ppl", "perplexity", "bpb", "elo")


def _role(source: Source) -> Role:
    table = scan(source.path)
    if table is None or source.path.suffix == ".jsonl":
        return ""
    names = names_of(table, source.path)
    columns = find_columns(source, names)
    if "model" not in columns or "score" in columns or "task" in columns or "example" in columns:
        return ""
    return "head" if _tasks(source, names, columns) else ""


@reader("leaderboard", _role, last=True)
def read(source: Source) -> Iterable[Found]:
    """A point for every model and benchmark column; averages and what describes models are left out."""
    table = scan(source.path)
    if table is None:
        raise source.fail("is no table; give CSV, TSV or Parquet")
    names = names_of(table, source.path)
    columns = find_columns(source, names)
    if "model" not in columns:
        raise source.fail(f"has no column of models; name it with --map model=COLUMN (of {', '.join(names)})")
    tasks = _tasks(source, names, columns)
    precision = next((name for name in names if name.lower() == "precision"), None)
    wanted = dict.fromkeys([*columns.values(), *tasks, *([precision] if precision else [])])
    rows = collect(table.select(list(wanted)), source.path).to_dicts()
    if not rows:
        raise source.fail("has no rows")
    factors = {column: _factor([number(row[column]) for row in rows], tasks[column][1]) for column in tasks}
    percent = [column for column, factor in factors.items() if factor != 1]
    if percent:
        source.notes.append(f"taken as percent: {', '.join(percent)}")
    most = {column: max((number(row[column]) or 0.0) * factors[column] for row in rows) for column in tasks}
    times = Counter(plain_text(row[columns["model"]]) for row in rows)
    for row in rows:
        model = model_of(row, columns, source.path)
        if precision and times[model.name] > 1 and not model.revision:  # the same weights at several precisions
            row = row | {"revision": plain_text(row[precision])}
            model = model_of(row, {**columns, "revision": "revision"}, source.path)
        for column, (task, metric) in tasks.items():
            value = number(row[column])
            yield Point(
                Asked(model, f"leaderboard:{task}", source.shots_or_zero()),
                metric,
                None if value is None else value * factors[column],
                higher_is_better=higher_is_better(metric),
                ceiling=1.0 if most[column] <= 1 and higher_is_better(metric) else None,
                preferred=metric != "raw",
            )


def _tasks(source: Source, names: list[str], columns: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Column → (task, metric), of the columns that are numbers and describe no model."""
    table = scan(source.path)
    kinds = {} if table is None else dict(table.collect_schema())
    taken = set(columns.values())
    found = {}
    for name in names:
        numeric = name in kinds and kinds[name].is_numeric()
        if name not in taken and numeric and not (_NO_TASK.search(name) and name not in metric_columns(names)):
            found[name] = _split(name)
    return found


def _split(name: str) -> tuple[str, str]:
    """(task, metric) of a column: ``arithmetic_2da_acc``, ``BBH Raw``, or a benchmark's name alone."""
    if name.endswith(" Raw"):
        return name.removesuffix(" Raw"), "raw"
    for metric in _ENDINGS:
        if name.lower().endswith(f"_{metric.lower()}"):
            return name[: -len(metric) - 1], metric
    return name, name.lower() if name.lower() in SHARES else "score"


def _factor(values: list[float | None], metric: str) -> float:
    known = [value for value in values if value is not None]
    percent = known and min(known) >= 0 and 1.5 < max(known) <= 100 and metric not in _NOT_PERCENT
    return 0.01 if percent and (metric in ("score", "raw") or is_share(metric)) else 1.0
