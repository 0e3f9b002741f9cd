"""Tidy tables: one row a score of a model on a task, or a row an item, as CSV, TSV, Parquet or JSON lines.

Columns are known by their usual names, or named by the user (``--map model=Model,score=acc``). A table with several
columns called as metrics are is read as if each were a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

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
from scalecurve.exchange.shape import (
    STRATEGY,
    Asked,
    Found,
    Model,
    Point,
    Role,
    Sample,
    Samples,
    higher_is_better,
    is_share,
    item_score,
    reader,
    words,
)
from scalecurve.exchange.sources import Source
from scalecurve.nouns import Answer, Example, UserError

if TYPE_CHECKING:
    import polars as pl

_CELL = ("model", "revision", "step", "family", "task", "metric", "shots", "seed", "version", "strategy")


def _role(source: Source) -> Role:
    table = scan(source.path)
    if table is None:
        return ""
    if source.columns:  # the user says what it holds
        return "head"
    columns = find_columns(source, names_of(table, source.path))
    scores = "score" in columns or metric_columns(names_of(table, source.path))
    return "head" if "model" in columns and scores and ("task" in columns or "example" in columns) else ""


@reader("table", _role, last=True)
def read(source: Source) -> Iterable[Found]:
    """The rows of a table as points, or where it has a column of examples as samples."""
    table = scan(source.path)
    if table is None:
        raise source.fail("is no table; give CSV, TSV, Parquet or JSON lines")
    names = names_of(table, source.path)
    columns = find_columns(source, names)
    missing = next((name for name in ("model", "task") if name not in columns), None)
    if missing:
        raise source.fail(f"has no column of {missing}s; name it with --map {missing}=COLUMN (of {', '.join(names)})")
    scores = [columns["score"]] if "score" in columns else metric_columns(names)
    if not scores:
        raise source.fail(f"has no column of scores; name it with --map score=COLUMN (of {', '.join(names)})")
    frame = collect(table.select(list(dict.fromkeys([*columns.values(), *scores]))), source.path)
    if "example" in columns:
        yield from _items(source, frame, columns, scores)
    else:
        yield from _points(source, frame, columns, scores)


def _points(source: Source, frame: pl.DataFrame, columns: Mapping[str, str], scores: list[str]) -> Iterator[Point]:
    factors = _factors(source, frame, columns, scores)
    rows = frame.to_dicts()
    for row in rows:
        asked = _asked(source, row, columns, model_of(row, columns, source.path))
        for column in scores:
            metric = _metric(row, columns, column)
            by, value = factors[metric], number(row[column])
            extra = {
                name: number(row.get(columns[name])) for name in ("se", "n", "chance", "ceiling") if name in columns
            }
            se, count, up = extra.get("se"), extra.get("n"), row.get(columns.get("higher_is_better", ""))
            chance = extra.get("chance")
            yield Point(
                asked,
                metric,
                None if value is None else value * by,
                None if se is None or len(scores) > 1 else se * by,
                n=None if count is None else int(count),
                higher_is_better=up if isinstance(up, bool) else higher_is_better(metric),
                chance=chance * by if chance is not None and chance > 1 else chance,
                ceiling=extra.get("ceiling"),
            )


def _metric(row: Mapping[str, Any], columns: Mapping[str, str], column: str) -> str:
    """The metric of a score: what the row says, else its column's name, where that says more than ``score``."""
    if "metric" in columns and column == columns.get("score"):
        return plain_text(row.get(columns["metric"])) or "score"
    return column.strip().lower().replace(" ", "_")


def _factors(source: Source, frame: pl.DataFrame, columns: Mapping[str, str], scores: list[str]) -> dict[str, float]:
    """Metric → 0.01 where shares are written as percent, else 1."""
    highest: dict[str, float] = {}
    wanted = dict.fromkeys([*scores, *([columns["metric"]] if "metric" in columns else [])])
    for row in frame.select(list(wanted)).iter_rows(named=True):
        for column in scores:
            metric = _metric(row, columns, column)
            highest[metric] = max(highest.get(metric, 0.0), number(row[column]) or 0.0)
    factors = {}
    for metric, most in highest.items():
        percent = is_share(metric) and 1 < most <= 100
        if percent:
            source.notes.append(f"{metric}: taken as percent (it goes up to {most:g})")
        factors[metric] = 0.01 if percent else 1.0
    return factors


def _asked(source: Source, row: Mapping[str, Any], columns: Mapping[str, str], model: Model) -> Asked:
    def text(name: str) -> str:
        return plain_text(row.get(columns[name])) if name in columns else ""

    task = text("task")
    if not task:
        raise UserError(f"{source.path}: {columns['task']}: a row names no task; fill it in or drop the row")
    shots = number(row.get(columns["shots"])) if "shots" in columns else None
    seed = number(row.get(columns["seed"])) if "seed" in columns else None
    return Asked(
        model,
        task,
        source.shots_or_zero() if shots is None else int(shots),
        version=text("version"),
        seed=0 if seed is None else int(seed),
        strategy=text("strategy") or STRATEGY,
    )


def _items(source: Source, frame: pl.DataFrame, columns: Mapping[str, str], scores: list[str]) -> Iterator[Samples]:
    """One set of samples a cell; rows that differ in their metric only are scores of one answer."""
    key = [columns[name] for name in _CELL if name in columns and name != "metric"]
    for _, rows in frame.group_by(key, maintain_order=True):
        first = rows.row(0, named=True)
        asked = _asked(source, first, columns, model_of(first, columns, source.path))
        yield Samples(asked, source.path, _samples(rows, columns, scores))


def _samples(rows: pl.DataFrame, columns: Mapping[str, str], scores: list[str]) -> Iterator[Sample]:
    seen: set[tuple[str, str]] = set()
    answered: set[str] = set()
    for row in rows.iter_rows(named=True):
        name = plain_text(row[columns["example"]])
        own = {_metric(row, columns, column): item_score(number(row[column])) for column in scores}
        repeated = [(name, metric) in seen for metric in own]
        again = name in answered and not all(repeated)
        seen |= {(name, metric) for metric in own}
        answered.add(name)
        said = {
            key: row.get(columns[key]) for key in ("input", "prompt", "target", "text", "response") if key in columns
        }
        text = None if said.get("text", said.get("response")) is None else str(said.get("text", said.get("response")))
        response = said.get("response", said.get("text"))
        example = Example(
            name,
            str(said.get("input") or said.get("prompt") or ""),
            targets=() if said.get("target") is None else (str(said["target"]),),
        )
        answer = Answer(
            name,
            str(said.get("prompt") or said.get("input") or ""),
            text=text,
            response=None if response is None else str(response).strip(),
            generated_tokens=words(text or ""),
            flags=("tokens_are_words",) if text else (),
        )
        yield Sample(example, answer, own, again=again)
