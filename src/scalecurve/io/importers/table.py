"""Tidy tables: one row a score of a model on a task, or a row an item, as CSV, TSV, Parquet or JSON lines.

Columns are known by their usual names, or named by the user (``--map model=Model,score=acc``). A table with several
columns called as metrics are is read as if each were a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.io import known
from scalecurve.io.apart import Apart, candidates, told_apart
from scalecurve.io.cells import items_in, number, numbers, plain_text, right_or_wrong, with_percent_sign
from scalecurve.io.columns import (
    CELL,
    asked_in,
    collect,
    doubts_of,
    find_columns,
    model_of,
    names_of,
    names_precisions,
    note_separator,
    read_table,
    scan,
    whole_of,
)
from scalecurve.io.conventions import higher_is_better, is_share, item_score, words
from scalecurve.io.grids import AVERAGE
from scalecurve.io.headings import (
    COUNTED,
    METRICS,
    NAMES,
    TOTALS,
    error_columns,
    heading,
    is_spread,
    metric_columns,
    of_error,
    plain,
)
from scalecurve.io.shape import Evaluation, Found, Point, Role, Sample, Samples, SourceModel, reader
from scalecurve.io.sources import SourceFile
from scalecurve.io.spreads import written_errors
from scalecurve.io.units import PERCENT, Seen, units
from scalecurve.types import Answer, Example

if TYPE_CHECKING:
    import polars as pl


def _role(source: SourceFile) -> Role:
    table = scan(source)
    if table is None:
        return ""
    if source.columns:  # the user says what it holds
        return "head"
    names = names_of(table, source.path)
    columns = find_columns(source, names)
    if "model" not in columns or not ("task" in columns or "example" in columns):
        return ""
    if _scores_of(names, columns) or any(plain(name) in COUNTED for name in names):
        return "head"
    others = [name for name in names if name not in columns.values()]
    if source.named and others and "task" in columns:
        raise source.fail(
            f"names models ({columns['model']}) and tasks ({columns['task']}), but no column is called as a metric is; "
            f"say which holds the scores, --map score=COLUMN (of {', '.join(others)})"
        )
    return ""


def _scores_of(names: list[str], columns: Mapping[str, str]) -> list[str]:
    """The columns of scores by their names; a loss is one where there is no other, and else an axis."""
    scores = [columns["score"]] if "score" in columns else metric_columns(names)
    return scores or ([columns["loss"]] if "loss" in columns else [])


@reader("table", _role, last=True)
def read(source: SourceFile) -> Iterable[Found]:
    """The rows of a table as points, or where it has a column of examples as samples."""
    table, names, columns = read_table(source, "model", "task")
    scores = _scores_of(names, columns)
    columns = {ours: name for ours, name in columns.items() if ours != "loss" or name not in scores}
    scores = [name for name in scores if not names_precisions(table, name, source.path)]
    scores = scores or [name for name in names if plain(name) in COUNTED]
    if "n" not in columns and (total := next((name for name in names if plain(name) in TOTALS), None)):
        columns |= {"n": total} if any(plain(name) in COUNTED for name in scores) else {}
    errors = error_columns(names, scores)
    if not scores:
        raise source.fail(f"has no column of scores; name it with --map score=COLUMN (of {', '.join(names)})")
    note_separator(source)
    taken = [*columns.values(), *scores, *errors.values()]
    kind = next((name for name in names if plain(name) == "filter" and name not in taken), "")
    wanted = dict.fromkeys([*taken, *candidates(names, taken).columns, *([kind] if kind else [])])
    for name in names:
        if name not in wanted and name.strip() and not name.startswith("unnamed_"):
            source.leave("columns that are not read", name)
    if "se" in columns and len(scores) > 1 and columns["se"] not in errors.values():
        source.leave("columns that are not read", columns["se"])  # of several scores nobody says whose error it is
    frame = _without_averages(source, collect(table.select(list(wanted)), source.path), columns["task"])
    if kind and "metric" in columns:
        frame = _under_filters(frame, columns["metric"], kind)
    for note in doubts_of(frame, columns):
        source.note(note)
    apart = told_apart(frame, candidates(names, taken), columns["model"], columns["task"])
    for note in apart.notes():
        source.note(note)
    if "example" in columns:
        yield from _items(source, frame, columns, scores, apart)
    else:
        yield from _points(source, frame, columns, scores, errors, apart)


def _under_filters(frame: pl.DataFrame, metric: str, kind: str) -> pl.DataFrame:
    """Metrics with the filter that an answer was read through, as lm-evaluation-harness names them."""
    import polars as pl

    named = pl.concat_str(metric, pl.lit(","), kind)
    bare = (pl.col(kind) != "none") & ~pl.col(metric).str.contains(",", literal=True)
    return frame.with_columns(pl.when(bare).then(named).otherwise(metric).alias(metric))


def _without_averages(source: SourceFile, frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """The rows of tasks, without those that are averages over the others."""
    import polars as pl

    tasks = frame[column].drop_nulls().unique(maintain_order=True).to_list()
    averages = [one for one in tasks if AVERAGE.fullmatch(plain_text(one))]
    if len(averages) == len(tasks):
        return frame
    for one in averages:
        source.leave("averages over tasks", plain_text(one))
    return frame.filter(~pl.col(column).is_in(averages)) if averages else frame


def _points(
    source: SourceFile,
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    scores: list[str],
    own_errors: Mapping[str, str],
    apart: Apart,
) -> Iterator[Point]:
    values = {name: frame[name].to_list() for name in frame.columns}
    rows = list(_asked_of(source, frame, columns, apart))
    metrics = {column: _metrics(values, columns, column, len(rows)) for column in scores}
    extra = {name: _numbers(frame, columns, name) for name in ("se", "n", "chance", "ceiling")}
    found = {column: numbers(frame[column]) for column in scores}
    stated = {column: numbers(frame[own_errors[column]]) for column in scores if column in own_errors}
    if len(scores) == 1:
        stated.setdefault(scores[0], extra["se"])
    import polars as pl

    if lists := [name for name in scores if frame[name].dtype == pl.List]:
        raise source.fail(f"{lists[0]}: holds lists; give each number a row of its own, with a column seed")
    for column in scores:
        _as_shares(column, found, metrics, extra["n"])
        if not frame[column].dtype.is_numeric():
            counts = [
                _questions(row, metric, n) for row, metric, n in zip(rows, metrics[column], extra["n"], strict=True)
            ]
            inside = written_errors(source, column, values[column], counts)
            own = stated.get(column, [None] * len(rows))
            stated[column] = [one if other is None else other for one, other in zip(inside, own, strict=True)]
    texts = {column: [] if frame[column].dtype.is_numeric() else values[column] for column in scores}
    taken = _of_their_scores(source, rows, metrics, found, stated)
    factors = _factors(source, rows, found, metrics, extra, stated, texts, taken)
    better = values.get(columns.get("higher_is_better", ""), [None] * len(rows))
    for column in scores:
        for at, asked in enumerate(rows):
            if (column, at) in taken:
                continue
            metric, value, se = metrics[column][at], found[column][at], stated[column][at] if column in stated else None
            by, chance, count, up = factors[asked.task, metric], extra["chance"][at], extra["n"][at], better[at]
            count = items_in(values[column][at]) if count is None else count
            yield Point(
                asked,
                metric,
                None if value is None else value * by,
                None if se is None else se * by,
                n=None if count is None else int(count),
                higher_is_better=up if isinstance(up, bool) else higher_is_better(metric),
                chance=chance * by if chance is not None and chance > 1 else chance,
                ceiling=extra["ceiling"][at],
            )


def _as_shares(
    column: str, found: dict[str, list[float | None]], metrics: dict[str, list[str]], counts: list[float | None]
) -> None:
    """Let a column of right answers, of which another says how many there were, be the share of them."""
    values = found[column]
    pairs = [(value, count) for value, count in zip(values, counts, strict=True) if value is not None]
    whole = [(value, count) for value, count in pairs if count and value == int(value) and 0 <= value <= count]
    if plain(column) in COUNTED and pairs and len(whole) == len(pairs) and any(value > 1 for value, _ in pairs):
        found[column] = [
            None if value is None or not count else value / count for value, count in zip(values, counts, strict=True)
        ]
        metrics[column] = ["acc"] * len(values)


def _of_their_scores(
    source: SourceFile,
    rows: list[Evaluation],
    metrics: Mapping[str, list[str]],
    found: Mapping[str, list[float | None]],
    stated: dict[str, list[float | None]],
) -> set[tuple[str, int]]:
    """(column, row) of rows that are errors of other rows' scores (``acc_stderr`` below ``acc``), given to these."""
    taken: set[tuple[str, int]] = set()
    for column, own in metrics.items():
        errors = {one: of_error(one) for one in dict.fromkeys(own) if of_error(one)}
        scores = {one.lower() for one in own}
        errors = {one: of for one, of in errors.items() if of in scores}
        if not errors:
            continue
        at_row = {(rows[at], one.lower()): at for at, one in enumerate(own) if one not in errors}
        kept = list(stated.get(column, [None] * len(rows)))
        for at, one in enumerate(own):
            place = at_row.get((rows[at], errors[one])) if one in errors else None
            if place is not None:
                taken.add((column, at))
                if is_spread(one):
                    source.leave("rows of deviations and intervals", one)
                else:
                    kept[place] = found[column][at]
        stated[column] = kept
    return taken


def _questions(asked: Evaluation, metric: str, stated: float | None) -> int | None:
    """The number of right or wrong answers behind a score; None where it is not known, or it is no such share."""
    counted = is_share(metric) or known.chance_of(asked.task, "acc") is not None
    return int(stated) if counted and stated else known.known(asked.task).items if counted else None


def _asked_of(
    source: SourceFile, frame: pl.DataFrame, columns: Mapping[str, str], apart: Apart
) -> Iterator[Evaluation]:
    """What every row was asked; equal rows share one, so that a large table costs little."""
    wanted = [name for name in columns if name not in ("score", "se", "n", "chance", "ceiling", "higher_is_better")]
    known: dict[tuple[object, ...], Evaluation] = {}
    models: dict[tuple[object, ...], SourceModel] = {}
    whole = whole_of(frame, columns)
    of_model = [at for at, name in enumerate(wanted) if name not in ("task", "metric", "shots", "seed", "version")]
    names = [columns[name] for name in wanted] + list(apart.columns)
    of_model += range(len(wanted), len(names))
    for values in zip(*(frame[name].to_list() for name in names), strict=True):
        asked = known.get(values)
        if asked is None:
            row = dict(zip(names, values, strict=True))
            key = tuple(values[at] for at in of_model)
            model = models.get(key)
            if model is None:
                model = models[key] = apart.other(model_of(row, columns, source.path, whole), row)
            asked = known[values] = _asked(source, row, columns, model, apart)
        yield asked


def _metrics(values: Mapping[str, list[Any]], columns: Mapping[str, str], column: str, count: int) -> list[str]:
    """The metric of a column's scores: what the rows say, else its name, where that says more than ``score``."""
    if "metric" in columns and column == columns.get("score"):
        return [_named(plain_text(value)) for value in values[columns["metric"]]]
    return [_metric({}, columns, column)] * count


def _numbers(frame: pl.DataFrame, columns: Mapping[str, str], name: str) -> list[float | None]:
    return numbers(frame[columns[name]]) if name in columns else [None] * len(frame)


def _metric(row: Mapping[str, object], columns: Mapping[str, str], column: str) -> str:
    """The metric of a score: what the row says, else its column's name, where that says more than ``score``."""
    if "metric" in columns and column == columns.get("score"):
        return _named(plain_text(row.get(columns["metric"])))
    return _named(re.sub(r"\s*[(（][^)）]*[)）]\s*$", "", column.strip()).lower().replace(" ", "_"))


def _named(metric: str) -> str:
    """A metric under the field's name: those of other languages are translated, ``score`` where nothing is said."""
    if metric.lower() in METRICS:
        return METRICS[metric.lower()]
    return "score" if not metric or metric in NAMES["score"] else metric


def _factors(
    source: SourceFile,
    rows: list[Evaluation],
    values: Mapping[str, list[float | None]],
    metrics: Mapping[str, list[str]],
    extra: Mapping[str, list[float | None]],
    stated: Mapping[str, list[float | None]],
    cells: Mapping[str, list[Any]],
    taken: set[tuple[str, int]],
) -> dict[tuple[str, str], float]:
    """(task, metric) → 0.01 where a task's shares are written as percent, else 1."""
    seen: dict[str, dict[str, list[Seen]]] = {}
    for column, own in metrics.items():
        for at, asked in enumerate(rows):
            if (column, at) in taken:
                continue
            value, count = values[column][at], extra["n"][at]
            listed = seen.setdefault(own[at], {}).setdefault(asked.task, [])
            if value is not None:
                items = int(count) if count else None
                listed.append(Seen(value, stated[column][at] if column in stated else None, items, extra["chance"][at]))
    signed = frozenset(  # a sign is heeded where a number is read
        rows[at].task for column in metrics for at, one in enumerate(cells[column]) if with_percent_sign(one)
    )
    factors: dict[tuple[str, str], float] = {}
    for metric, tasks in seen.items():
        shares = {task: own for task, own in tasks.items() if _in_percent(metric, task)}
        said = replace(source.said, fractions=source.said.fractions | signed)
        found = units(str(source.path), shares, said, metric=metric)
        percent = [task for task, unit in found.items() if unit == PERCENT]
        if percent:
            most = max(one.value for task in percent for one in tasks[task])
            which = f" in {', '.join(percent[:6])}" if len(percent) < len(tasks) else ""
            source.note(f"{metric}: taken as percent{which} (it goes up to {most:g})")
        factors |= {(task, metric): 0.01 if task in percent else 1.0 for task in tasks}
    return factors


def _in_percent(metric: str, task: str) -> bool:
    """Whether a metric's scores of a task may be written as percent: those of shares, and of tasks that are known to
    be right or wrong."""
    return is_share(metric) or (metric == "score" and known.known(task).chance is not None)


def _asked(
    source: SourceFile, row: Mapping[str, object], columns: Mapping[str, str], model: SourceModel, apart: Apart
) -> Evaluation:
    task = plain_text(row.get(columns["task"]))
    if not task:
        raise UserError(f"{source.path}: {columns['task']}: a row names no task; fill it in or drop the row")
    asked, shots = asked_in(row, columns, model)
    part = apart.part(row, task)
    if "shots" not in columns:
        told = heading(task)
        task, shots = (told.task, told.shots) if told.shots is not None and not told.metric else (task, None)
    shots = source.shots_or_zero() if shots is None else shots
    return replace(asked, task=task + part, shots=shots, setting=apart.setting(row))


def _items(
    source: SourceFile, frame: pl.DataFrame, columns: Mapping[str, str], scores: list[str], apart: Apart
) -> Iterator[Samples]:
    """One set of samples a cell; rows that differ in their metric only are scores of one answer."""
    key = [columns[name] for name in CELL if name in columns and name != "metric"]
    whole = whole_of(frame, columns)
    key += [columns[name] for name in ("training_tokens", "epoch") if whole.states and name in columns]
    key += [name for name in (*apart.parts, *apart.kinds) if name not in key]
    for _, rows in frame.group_by(key, maintain_order=True):
        first = rows.row(0, named=True)
        model = apart.other(model_of(first, columns, source.path, whole), first)
        asked = _asked(source, first, columns, model, apart)
        yield Samples(asked, source.path, _samples(rows, columns, scores))


def _score_of(value: object) -> float | None:
    """An item's score: a number, or a mark of right and wrong."""
    marked = right_or_wrong(value)
    return item_score(number(value)) if marked is None else marked


def _samples(rows: pl.DataFrame, columns: Mapping[str, str], scores: list[str]) -> Iterator[Sample]:
    seen: set[tuple[str, str]] = set()
    answered: set[str] = set()
    for row in rows.iter_rows(named=True):
        name = plain_text(row[columns["example"]])
        own = {_metric(row, columns, column): _score_of(row[column]) for column in scores}
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
