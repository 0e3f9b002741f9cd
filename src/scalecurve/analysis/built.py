"""Scores of tasks that lm-evaluation-harness built: its own grading of a run, kept as published scores are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scalecurve.analysis.derive import score_schema
from scalecurve.store.atomic import write_parquet
from scalecurve.store.directory import RunDirectory
from scalecurve.store.manifest import task_of
from scalecurve.store.parts import CELL_FIELDS, cell_of, read_record
from scalecurve.types import Answer, Cell, Example

if TYPE_CHECKING:
    import polars as pl

Graded = Mapping[str, Mapping[str, Any]]


def grade_built(run: RunDirectory) -> None:
    """Let the harness grade the answers to every task that it built, and keep what it says in ``published/``.

    This runs the tasks' code, confined. ``UserError`` where the harness cannot grade; nothing is written then.
    """
    import polars as pl

    manifest = run.read_manifest()
    points: list[dict[str, Any]] = []
    items: list[pl.DataFrame] = []
    for record in manifest["tasks"]:
        if (record.get("harness") or {}).get("built"):
            for cell, asked, found in _graded(run, record, manifest["cells"]):
                points += _points(cell, asked, found, record)
                items += _items(cell, found)
    if not points:
        return
    schema = score_schema()
    types: dict[str, Any] = {name: schema[name] for name in CELL_FIELDS}
    types |= {"metric": pl.String(), "y": pl.Float64(), "se": pl.Float64(), "n": pl.Int64(), "failed": pl.Int64()}
    types |= {"chance": pl.Float64(), "ceiling": pl.Float64(), "higher_is_better": pl.Boolean()}
    write_parquet(run.published_points, pl.DataFrame(points, schema=types))
    if items:
        write_parquet(run.published_scores, pl.concat(items))


def _graded(
    run: RunDirectory, record: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Cell, int, Graded]]:
    """The cells of a task with the questions each was asked and the harness's grades, in one process for all."""
    from scalecurve.tasks.harness.build import graded

    asked: list[tuple[Cell, int, dict[str, object]]] = []
    for cell in cells:
        rows = read_record(run, cell) if cell["task"] == record["ref"] else []
        replies = {example.id: replies_of(example, answer) for example, answer in rows if not answer.error}
        if replies:
            hashes = {example.id: example.metadata.get("doc_hash") for example, _ in rows}
            asked.append((cell_of(cell), cell["examples"], {"replies": replies, "hashes": hashes}))
    task = task_of(record)
    if asked and task.harness:
        found = graded(task.name, task.harness, [orders for *_, orders in asked])
        for (one, examples, _), grades in zip(asked, found, strict=True):
            yield one, examples, grades


def replies_of(example: Example, answer: Answer) -> list[list[Any]]:
    """What the model said to each of the example's requests, in their order, as the harness's models say it."""
    scored = zip(answer.option_logprobs, answer.option_greedy, strict=True)
    kept = example.metadata.get("requests")
    if not kept:
        return [[list(pair)] for pair in scored] or [[answer.text or ""]]
    texts = iter(answer.samples or ((answer.text or "",) if answer.text is not None else ()))
    return [
        [list(next(scored))] if kind == "loglikelihood" else [next(texts, "") for _ in range(repeats)]
        for kind, _, _, repeats in kept
    ]


def _points(cell: Cell, asked: int, found: Graded, record: Mapping[str, object]) -> list[dict[str, object]]:
    own = {name: getattr(cell, name) for name in CELL_FIELDS}
    return [
        {
            **own,
            "metric": metric,
            **{name: grade[name] for name in ("y", "se", "n")},
            "failed": asked - grade["n"],
            **_bounds(grade, record),
            "higher_is_better": grade["up"],
        }
        for metric, grade in found.items()
    ]


def _bounds(grade: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, float | None]:
    """Chance and ceiling of a share; a metric of another kind, whose values leave 0 to 1, has none."""
    share = grade["up"] and grade["items"] and all(0 <= value <= 1 for _, value in grade["items"])
    return {"chance": float(record["chance"]) if share else None, "ceiling": 1.0 if share else None}


def _items(cell: Cell, found: Graded) -> Iterator[pl.DataFrame]:
    """The scores of single questions, of metrics that are the mean of theirs."""
    import polars as pl

    schema = {name: kind for name, kind in score_schema().items() if name != "censored"}
    own = {name: getattr(cell, name) for name in CELL_FIELDS}
    for metric, grade in found.items():
        values = [value for _, value in grade["items"]]
        if not values or grade["y"] is None or abs(sum(values) / len(values) - grade["y"]) > 1e-6:
            continue
        columns = {"example_id": [str(at) for at, _ in grade["items"]], "value": values}
        frame = pl.DataFrame(columns, schema={name: schema[name] for name in columns})
        told = {**own, "metric": metric}
        yield frame.with_columns(pl.lit(value, dtype=schema[name]).alias(name) for name, value in told.items()).select(
            list(schema)
        )
