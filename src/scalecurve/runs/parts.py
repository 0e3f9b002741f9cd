"""Parts: the answers of one cell to one stretch of its examples, written whole as one Parquet file.

A part's name is ``part-<index>-<key>.parquet``. The key is a hash of all that determines the answers (see
``scalecurve.execute``), so a part made with other weights or another task text is never taken for this one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.nouns import Answer, Cell, Example, UserError
from scalecurve.runs.atomic import parquet_bytes, write_bytes
from scalecurve.runs.directory import RunDirectory
from scalecurve.strangers import whole

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

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
    import pyarrow as pa

    columns = _columns(cell, rows)
    try:
        frame = pl.DataFrame(_table(columns), schema=schema())
    except (UnicodeEncodeError, pa.ArrowException):  # what Arrow does not take as it is
        frame = pl.DataFrame({name: whole(values) for name, values in columns.items()}, schema=schema(), strict=False)
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
    return [row for frame in frames for row in _rows(frame)]


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


_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=str).encode


def _columns(cell: Cell, rows: Sequence[tuple[Example, Answer]]) -> dict[str, list[Any]]:
    """The columns of a part by name, in the order of ``schema``."""
    found = {name: [getattr(cell, name)] * len(rows) for name in CELL_FIELDS}
    found |= {name: [getattr(answer, name) for _, answer in rows] for name in ANSWER_FIELDS}
    for name in EXAMPLE_FIELDS[:-1]:
        own = "options" if name == "choices" else name
        found[name] = [getattr(example, own) for example, _ in rows]
    return found | {"metadata": [_json(dict(example.metadata)) for example, _ in rows]}


def _table(columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """The columns as an Arrow table: lists of lists become one ten times as fast as a Polars frame."""
    import polars as pl
    import pyarrow as pa

    plain: dict[Any, pa.DataType] = {pl.String(): pa.large_string(), pl.Boolean(): pa.bool_()}
    plain |= {pl.Int64(): pa.int64(), pl.Float64(): pa.float64()}

    def kind(wanted: Any) -> pa.DataType:
        return pa.large_list(plain[wanted.inner]) if isinstance(wanted, pl.List) else plain[wanted]

    return pa.table({name: pa.array(columns[name], kind(wanted)) for name, wanted in schema().items()})


def _rows(frame: pl.DataFrame) -> Iterator[tuple[Example, Answer]]:
    """The (example, answer) rows of a part."""
    import polars as pl

    def column(name: str) -> Iterable[Any]:
        values = frame[name].to_list()
        return map(_tuple, values) if isinstance(frame.schema[name], pl.List) else values

    answers = map(Answer, *(column(name) for name in ANSWER_FIELDS))
    told = zip(column("example_id"), *(column(name) for name in EXAMPLE_FIELDS), strict=True)
    for (name, text, targets, options, worth, metadata), answer in zip(told, answers, strict=True):
        yield Example(name, text, targets, options, worth, metadata=json.loads(metadata)), answer


def _tuple(values: list[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)
