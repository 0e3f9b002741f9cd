"""Parts: the answers of one cell to one stretch of its examples, written whole as one Parquet file.

A part's name is ``part-<index>-<key>.parquet``. The key is a hash of all that determines the answers (see
``scalecurve.execute``), so a part made with other weights or another task text is never taken for this one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.nouns import Answer, Cell, Example, UserError
from scalecurve.runs.atomic import parquet_bytes, write_bytes
from scalecurve.runs.directory import RunDirectory
from scalecurve.strangers import whole

if TYPE_CHECKING:
    import polars as pl

CELL_FIELDS = ("family", "rung", "task", "strategy", "shots", "seed")
ANSWER_FIELDS = tuple(f.name for f in fields(Answer))
EXAMPLE_FIELDS = ("input", "targets", "choices", "option_scores", "metadata")
"""The example's own fields; ``choices`` are its options (``options`` are those that were scored), ``metadata`` JSON."""

_PART = re.compile(r"part-(\d{5})-([0-9a-f]{16})\.parquet")


def schema() -> dict[str, Any]:
    """The columns of ``outputs`` in order, and their Polars types."""
    import polars as pl

    text, count, number = pl.String(), pl.Int64(), pl.Float64()
    types = {
        "shots": count,
        "seed": count,
        "options": pl.List(text),
        "option_logprobs": pl.List(number),
        "option_tokens": pl.List(count),
        "option_greedy": pl.List(pl.Boolean()),
        "target_logprobs": pl.List(number),
        "target_tokens": pl.List(count),
        "samples": pl.List(text),
        "text_logprob": number,
        "prompt_tokens": count,
        "generated_tokens": count,
        "flags": pl.List(text),
        "targets": pl.List(text),
        "choices": pl.List(text),
        "option_scores": pl.List(number),
    }
    return {name: types.get(name, text) for name in (*CELL_FIELDS, *ANSWER_FIELDS, *EXAMPLE_FIELDS)}


def finished_parts(run: RunDirectory, cell: Cell) -> set[tuple[int, str]]:
    """(index, key) of the parts that are on disk for ``cell``."""
    folder = run.cell(cell)
    if not folder.is_dir():
        return set()
    found = (_PART.fullmatch(path.name) for path in folder.iterdir())
    return {(int(match.group(1)), match.group(2)) for match in found if match}


def part_path(run: RunDirectory, cell: Cell, index: int, key: str) -> Path:
    """Where a part is. ``UserError`` for a key that is no hash: no manifest from elsewhere leads out of its run."""
    if not re.fullmatch("[0-9a-f]{16}", key) or index < 0:
        raise UserError(f"{run.manifest}: parts: {index}: {key!r:.60} is not the key of a part; import the run again")
    return run.cell(cell) / f"part-{index:05d}-{key}.parquet"


def part_bytes(cell: Cell, rows: Sequence[tuple[Example, Answer]]) -> bytes:
    """The part's file: one row for each (example, answer). Halves of surrogate pairs become U+FFFD."""
    import polars as pl

    values = [_row(cell, *row) for row in rows]
    try:
        frame = pl.DataFrame(values, schema=schema(), orient="row")
    except UnicodeEncodeError:
        frame = pl.DataFrame([whole(row) for row in values], schema=schema(), orient="row")
    return parquet_bytes(frame)


def write_part(run: RunDirectory, cell: Cell, index: int, key: str, data: bytes) -> Path:
    """Put a part in place, and take away one of the same index made under another key."""
    path = part_path(run, cell, index, key)
    write_bytes(path, data)
    for other in path.parent.glob(f"part-{index:05d}-*.parquet"):
        if other != path:
            other.unlink()
    return path


def read_cell(run: RunDirectory, cell: Cell, parts: Mapping[int, str]) -> list[tuple[Example, Answer]]:
    """The (example, answer) rows of one cell's ``parts`` (index → key), in the order of its examples."""
    frames = [_read(part_path(run, cell, index, key)) for index, key in sorted(parts.items())]
    return [_unrow(row) for frame in frames for row in frame.iter_rows(named=True)]


def part_totals(run: RunDirectory, cell: Cell, index: int, key: str) -> dict[str, int | str]:
    """Tokens in and out, failed examples, texts and those without an answer in them, the first failure's reason."""
    columns = ["prompt_tokens", "generated_tokens", "error", "text", "response"]
    frame = _read(part_path(run, cell, index, key), columns)
    errors = [error for error in frame["error"] if error]
    return {
        "prompt_tokens": int(frame["prompt_tokens"].sum()),
        "generated_tokens": int(frame["generated_tokens"].sum()),
        "failed": len(errors),
        "texts": frame["text"].count(),
        "unextracted": frame.filter(frame["text"].is_not_null() & (frame["response"].fill_null("") == "")).height,
        "reason": errors[0] if errors else "",
    }


def _read(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(path, columns=columns, hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: cannot be read ({reason}); delete this file and run the study again") from None


def read_outputs(run: RunDirectory, task: str | None = None) -> pl.LazyFrame:
    """All outputs of a run, or of one of its tasks, lazily: cell fields, the answer's fields, the example's fields."""
    import polars as pl

    folders = ["*"] if task is None else _folders(run, task)
    paths = sorted(path for folder in folders for path in run.outputs.glob(f"{folder}/part-*.parquet"))
    return pl.scan_parquet(paths, hive_partitioning=False) if paths else pl.LazyFrame(schema=schema())


def _folders(run: RunDirectory, task: str) -> list[str]:
    """The folders of the cells of a task, by the manifest."""
    records = (record for record in run.read_manifest()["cells"] if record["task"] == task)
    return [Cell(**{name: record[name] for name in CELL_FIELDS}).key for record in records]


def _row(cell: Cell, example: Example, answer: Answer) -> list[Any]:
    own = {
        "input": example.input,
        "targets": example.targets,
        "choices": example.options,
        "option_scores": example.option_scores,
        "metadata": json.dumps(dict(example.metadata), ensure_ascii=False, sort_keys=True, default=str),
    }
    values = [
        *(getattr(cell, name) for name in CELL_FIELDS),
        *(getattr(answer, name) for name in ANSWER_FIELDS),
        *(own[name] for name in EXAMPLE_FIELDS),
    ]
    return [list(value) if isinstance(value, tuple) else value for value in values]


def _unrow(row: Mapping[str, Any]) -> tuple[Example, Answer]:
    example = Example(
        id=row["example_id"],
        input=row["input"],
        targets=tuple(row["targets"]),
        options=tuple(row["choices"]),
        option_scores=tuple(row["option_scores"]),
        metadata=json.loads(row["metadata"]),
    )
    answer: dict[str, Any] = {name: tuple(v) if isinstance(v := row[name], list) else v for name in ANSWER_FIELDS}
    return example, Answer(**answer)
