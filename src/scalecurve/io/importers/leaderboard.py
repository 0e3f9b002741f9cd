"""Wide tables: one row a model, one column a benchmark, as the Open LLM Leaderboard's and many papers' tables are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scalecurve.io import known
from scalecurve.io.apart import HYPERPARAMETERS, candidates, told_apart
from scalecurve.io.cells import items_in, number, plain_text, with_percent_sign
from scalecurve.io.columns import (
    asked_in,
    collect,
    doubts_of,
    find_columns,
    model_of,
    names_of,
    note_separator,
    read_table,
    scan,
    whole_of,
)
from scalecurve.io.conventions import higher_is_better, is_share, missing_mark
from scalecurve.io.headings import Heading, error_columns, heading, metric_columns, of_error, plain
from scalecurve.io.shape import Found, Point, Role, reader
from scalecurve.io.sources import SourceFile
from scalecurve.io.spreads import written_errors
from scalecurve.io.units import PERCENT, Seen, units

if TYPE_CHECKING:
    import polars as pl

_NO_TASK = re.compile(
    r"\b(average|avg|mean|rank|votes|organi[sz]ation|cutoff|co2|hub|likes|downloads|date|license|precision|weights?|type|architecture|generation|moe|"
    r"merged|flagged|available|sha|template|maintainer|link|year|memory|cost|price|throughput|runtime|duration|created|timestamp|_step|state|user|tags|index|context|vocab|layers|"
    r"hidden|heads|epochs?|pretraining|flops|params|model|size)\b|[♥❤]|^unnamed|^t?$",
    re.IGNORECASE,
)
_COUNTS = re.compile(
    r"(n|num|number|#)[ _]?(of[ _])?"
    r"(wins|losses|draws|ties|votes|battles|total|samples|examples|questions|items|runs|tokens)([ _]\w+)?"
    r"|(row[ _]?)?(id|idx|index|number)|(avg|average|mean|median)[ _]?(length|len|tokens|words|time|latency)"
    r"|[Δ∆].*|(delta|diff|difference|change|gain|improvement|rel|relative)[ _(].*"
    r"|.*[ _(](delta|diff|gain|change|improvement)\)?",
    re.IGNORECASE,
)
"""Counts, numbers of rows, and differences between scores."""
_NO_MODEL = re.compile(
    r"(macro[ -]?|micro[ -]?)?(average|avg\.?|mean|median|total|durchschnitt|mittelwert|moyenne)", re.IGNORECASE
)
_OVER_ALL = re.compile(r"mean win rate|(overall|average|mean|avg\.?)( score| accuracy| acc)?", re.IGNORECASE)
"""Averages over all benchmarks that are called as metrics are."""
_FOOTNOTE = re.compile(
    r"[*†‡§¹²³(]|\d+[.)]\s|(source|note|notes|legend|quelle|anmerkung|remarque|注|来源|说明)\b|.*(:|：)\s|.*\.$",
    re.IGNORECASE,
)
"""What a row below a table says of it, where it has no score."""
_ENDINGS = ("acc_norm", "exact_match", "acc", "accuracy", "f1", "bleu", "chrf", "rouge1", "rougeLsum", "ppl",
            "perplexity", "em", "bpb", "wer", "cer", "ter", "elo", "mcc", "loss")  # fmt: skip
_NOT_PERCENT = ("bleu", "rouge1", "rougeLsum", "chrf", "ter", "ppl", "perplexity", "bpb", "elo")


def _role(source: SourceFile) -> Role:
    table = scan(source)
    if table is None or (source.path.suffix == ".jsonl" and not source.named):
        return ""
    names = names_of(table, source.path)
    columns = find_columns(source, names)
    if "model" not in columns or "score" in columns or "task" in columns or "example" in columns:
        return ""
    return "head" if _tasks(source, names, columns) else ""


@reader("leaderboard", _role, last=True)
def read(source: SourceFile) -> Iterable[Found]:
    """A point for every model and benchmark column; averages and what describes models are left out."""
    table, names, columns = read_table(source, "model")
    tasks = _tasks(source, names, columns)
    columns = {ours: name for ours, name in columns.items() if ours != "loss" or name not in tasks}
    errors = error_columns(names, tasks)
    if "se" in columns and len(tasks) == 1:
        errors = dict.fromkeys(tasks, columns["se"])
    found = candidates(names, [*columns.values(), *tasks, *errors.values()])
    wanted = dict.fromkeys([*columns.values(), *tasks, *errors.values(), *found.columns])
    note_separator(source)
    frame = collect(table.select(list(wanted)), source.path)
    rows = frame.to_dicts()
    named = [(row, plain_text(row[columns["model"]])) for row in rows]
    empty = [not any(row[column] for column in tasks) for row in rows]
    rows = []
    for (row, name), bare in zip(named, empty, strict=True):
        if _NO_MODEL.fullmatch(name) or (bare and _FOOTNOTE.match(name)):
            source.leave("rows that are no model", name)
        else:
            rows.append(row)
    if not rows:
        raise source.fail("has no rows")
    for note in doubts_of(frame, columns):
        source.note(note)
    for name in names:
        if name not in wanted:
            source.leave("columns that are no benchmark", name)
    stated = {column: _errors(source, column, told, rows, errors) for column, told in tasks.items()}
    factors = _factors(source, rows, tasks, stated)
    percent = [column for column, factor in factors.items() if factor != 1]
    if percent:
        source.notes.append(f"taken as percent: {', '.join(percent)}")
    most = {column: max((number(row[column]) or 0.0) * factors[column] for row in rows) for column in tasks}
    whole = whole_of(frame, columns)
    apart = told_apart(frame, found, columns["model"])
    for note in apart.notes():
        source.note(note)
    for at, row in enumerate(rows):
        model = apart.other(model_of(row, columns, source.path, whole), row)
        part, setting = apart.part(row, ""), apart.setting(row)
        own, stated_shots = asked_in(row, columns, model)
        for column, told in tasks.items():
            value, metric = number(row[column]), told.metric
            se = stated[column][at]
            shots = stated_shots if told.shots is None else told.shots
            shots = source.shots_or_zero() if shots is None else shots
            yield Point(
                replace(own, model=model, task=f"leaderboard:{told.task}{part}", shots=shots, setting=setting),
                metric,
                None if value is None else value * factors[column],
                None if se is None else se * factors[column],
                n=items_in(row[column]),
                higher_is_better=higher_is_better(metric) if told.up is None else told.up,
                ceiling=1.0 if most[column] <= 1 and higher_is_better(metric) and told.up is not False else None,
                preferred=metric != "raw",
            )


def _errors(
    source: SourceFile, column: str, told: Heading, rows: list[dict[str, Any]], errors: Mapping[str, str]
) -> list[float | None]:
    """The standard error of every row's score: of its own column, or from its cell. Words in cells are told."""
    cells = [row[column] for row in rows]
    odd = list(dict.fromkeys(str(one) for one in cells if number(one) is None and one is not None))
    if odd := [one for one in odd if not missing_mark(one)]:
        source.note(
            f"column {column}: {', '.join(odd[:4])} {'is no number' if len(odd) == 1 else 'are no numbers'}"
            ", and counted as missing"
        )
    counted = is_share(told.metric) or known.chance_of(told.task, "acc") is not None
    count = known.known(told.task).items if counted else None
    written = written_errors(source, column, cells, [count] * len(cells))
    return [number(row[errors[column]]) for row in rows] if column in errors else written


def _tasks(source: SourceFile, names: list[str], columns: dict[str, str]) -> dict[str, Heading]:
    """Column → what its name says, of the columns that are numbers and describe no model."""
    import polars as pl

    table = scan(source)
    kinds = {} if table is None else dict(table.collect_schema())
    taken = set(columns.values())
    metrics = metric_columns(names)
    found = {}
    for name in names:
        if name in taken or name not in kinds or (_NO_TASK.search(name) and name not in metrics) or of_error(name):
            continue
        if (
            plain(name) in HYPERPARAMETERS
            or _COUNTS.fullmatch(name.strip())
            or _OVER_ALL.fullmatch(heading(name).task.strip())
        ):
            continue
        written = kinds[name] == pl.String() and table is not None and _mostly_numbers(table, name, source)
        if kinds[name].is_numeric() or written:
            found[name] = _split(name)
    if not found and "loss" in columns:  # nothing else was measured: it is the score, and no axis
        found[columns["loss"]] = _split(columns["loss"])
    return found


def _mostly_numbers(table: pl.LazyFrame, name: str, source: SourceFile) -> bool:
    """Whether a column of text holds numbers ("25.0%", "0,30"), and words ("OOM") in at most half of its cells."""
    values = [one for one in collect(table.select(name), source.path)[name].drop_nulls() if not missing_mark(one)]
    read = sum(number(value) is not None for value in values)
    return read > 0 and 2 * read >= len(values)


def _split(name: str) -> Heading:
    """What a column's name says: ``arithmetic_2da_acc``, ``BBH Raw``, ``MMLU (5-shot)``, or a task alone."""
    told = heading(name)
    if told.metric:
        return told
    if told.task.endswith(" Raw"):
        return replace(told, task=told.task.removesuffix(" Raw"), metric="raw")
    for metric in _ENDINGS:
        for mark in "_ /":
            if told.task.lower().endswith(f"{mark}{metric.lower()}"):
                return replace(told, task=told.task[: -len(metric) - 1].rstrip(" -:|"), metric=metric)
    own = told.task.lower().replace(" ", "_")
    return replace(told, metric=own if is_share(own) or not higher_is_better(own) else "score")


def _factors(
    source: SourceFile,
    rows: list[dict[str, Any]],
    tasks: Mapping[str, Heading],
    stated: Mapping[str, list[float | None]],
) -> dict[str, float]:
    """Column → 0.01 where its shares are written as percent, else 1."""
    seen = {}
    for column, metric in ((name, told.metric) for name, told in tasks.items()):
        share = metric not in _NOT_PERCENT and (metric in ("score", "raw") or is_share(metric))
        values = [found for row in rows if (found := number(row[column])) is not None]
        if share and values and not (metric == "raw" and max(values) <= 1):
            seen[column] = [
                Seen(value, se)
                for row, se in zip(rows, stated[column], strict=True)
                if (value := number(row[column])) is not None
            ]
    headed = frozenset(name for name, told in tasks.items() if told.percent)
    signed = frozenset(column for column in tasks if any(with_percent_sign(row[column]) for row in rows))
    said = replace(
        source.said,
        percent=source.said.percent | (headed - source.said.fractions - signed),
        fractions=source.said.fractions | signed,  # a sign is heeded where a number is read
    )
    written = units(str(source.path), seen, said, metric="score")
    return {column: 0.01 if written.get(column) == PERCENT else 1.0 for column in tasks}
