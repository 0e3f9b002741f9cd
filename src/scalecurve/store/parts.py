"""Parts: the answers of one cell to one stretch of its examples, written whole as one Parquet file.

A part's name is ``part-<index>-<key>.parquet``. The key is a hash of all that determines the answers (see
``scalecurve.runner.execute``), so a part made with other weights or another task text is never taken for this one.
The manifest keeps the SHA-256 of every part by its key (``hashes`` of a cell), and who reads a part checks it: a part
that was misplaced, or whose bits have changed, is not taken for what was written.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.store.atomic import parquet_bytes, write_bytes
from scalecurve.store.directory import RunDirectory
from scalecurve.store.tables import reading
from scalecurve.types import Answer, Cell, Example
from scalecurve.util.untrusted import whole

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

CELL_FIELDS = ("family", "rung", "task", "strategy", "shots", "seed")
ANSWER_FIELDS = tuple(f.name for f in fields(Answer))
EXAMPLE_FIELDS = ("input", "targets", "choices", "option_scores", "metadata")
"""The example's own fields; ``choices`` are its options (``options`` are those that were scored), ``metadata`` JSON."""

_COUNTED = ("prompt_tokens", "generated_tokens", "error", "text", "response")
_AGAIN = "delete this file and run the study again"

LATER: Mapping[str, object] = {"thinking": "", "thinking_tokens": 0, "cut": 0, "censored": False}
"""What older parts lack, and what stands for it."""

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
        "thinking_tokens": count,
        "cut": count,
        "censored": pl.Boolean(),
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


def read_cell(
    run: RunDirectory, cell: Cell, parts: Mapping[int, str], hashes: Mapping[str, str] | None = None
) -> list[tuple[Example, Answer]]:
    """The (example, answer) rows of one cell's ``parts`` (index → key), in the order of its examples.

    ``hashes``: key → SHA-256 of the part, where it is known. ``UserError`` for a part that is not what was written.
    """
    known = hashes or {}
    frames = [_read(part_path(run, cell, index, key), known.get(key, "")) for index, key in sorted(parts.items())]
    return [row for frame in frames for row in _rows(frame)]


def read_record(run: RunDirectory, record: Mapping[str, Any]) -> list[tuple[Example, Answer]]:
    """The rows of a cell by its record in the manifest, as ``read_cell``."""
    parts = {int(index): key for index, key in record["parts"].items()}
    return read_cell(run, cell_of(record), parts, record.get("hashes"))


def cell_of(record: Mapping[str, Any]) -> Cell:
    """The cell of a record in the manifest."""
    return Cell(**{name: record[name] for name in CELL_FIELDS})


def part_totals(
    run: RunDirectory, cell: Cell, index: int, key: str, known: str = "", ids: Sequence[str] | None = None
) -> dict[str, int | str]:
    """Tokens in and out, failed examples, texts and those without an answer in them, the first failure's reason, hash.

    ``UserError`` when the part is not the one whose SHA-256 is ``known``, or, where none is, when it does not hold the
    answers of ``cell`` to the examples ``ids``.
    """
    path = part_path(run, cell, index, key)
    data = _bytes(path, known)
    frame = _parsed(path, data, [*CELL_FIELDS, "example_id", *_COUNTED, *LATER])
    if not known and ids is not None:
        _check_place(path, frame, cell, ids)
    errors = [error for error in frame["error"] if error]
    return {
        "prompt_tokens": int(frame["prompt_tokens"].sum()),
        "generated_tokens": int(frame["generated_tokens"].sum()),
        "failed": len(errors),
        "texts": frame["text"].count(),
        "unextracted": frame.filter(frame["text"].is_not_null() & (frame["response"].fill_null("") == "")).height,
        **{name: int(frame[name].sum()) for name in ("censored", "cut", "thinking_tokens")},
        "reason": errors[0] if errors else "",
        "sha256": digest(data),
    }


def digest(data: bytes) -> str:
    """The hash of a part that the manifest keeps."""
    return sha256(data).hexdigest()


def check_part(path: Path, known: str) -> Path:
    """``path`` itself. ``UserError`` when it is not the part whose SHA-256 is ``known`` (empty: nobody knows)."""
    if known:
        _bytes(path, known)
    return path


def _read(path: Path, known: str) -> pl.DataFrame:
    return _parsed(path, _bytes(path, known), list(schema()))


def _bytes(path: Path, known: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    if known and digest(data) != known:
        raise _unreadable(path, "not what was written: its SHA-256 differs from the manifest's")
    return data


def _parsed(path: Path, data: bytes, columns: list[str]) -> pl.DataFrame:
    import polars as pl

    with reading(path, _AGAIN):
        frame = pl.scan_parquet(io.BytesIO(data), hive_partitioning=False)
        kept = set(frame.collect_schema())
        added = [pl.lit(value).alias(name) for name, value in LATER.items() if name not in kept]
        return frame.with_columns(added).select(columns).collect()


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError(f"{path}: cannot be read ({reason}); {_AGAIN}")


def _check_place(path: Path, frame: pl.DataFrame, cell: Cell, ids: Sequence[str]) -> None:
    """``UserError`` when a part lies where another one belongs."""
    own = {name: getattr(cell, name) for name in CELL_FIELDS}
    if frame["example_id"].to_list() != list(ids) or frame.select(CELL_FIELDS).unique().to_dicts() not in ([own], []):
        raise _unreadable(path, "it holds other answers than its place and name say")


def read_outputs(run: RunDirectory, task: str | None = None) -> pl.LazyFrame:
    """All outputs of a run, or of one of its tasks, lazily: cell fields, the answer's fields, the example's fields."""
    return scan_parts(output_paths(run, task))


def scan_parts(paths: list[Path]) -> pl.LazyFrame:
    """The outputs in these parts, lazily."""
    import polars as pl

    if not paths:
        return pl.LazyFrame(schema=schema())
    parts = pl.scan_parquet(
        paths, hive_partitioning=False, schema=schema(), missing_columns="insert", extra_columns="ignore"
    )
    return parts.with_columns(pl.col(name).fill_null(value) for name, value in LATER.items())


def output_paths(run: RunDirectory, task: str | None = None) -> list[Path]:
    """The parts of a run, or of one of its tasks, by name. ``UserError`` for one that is not what was written."""
    records = run.read_manifest().get("cells", [])
    known = {cell_of(record).key: record.get("hashes", {}) for record in records if task in (None, record["task"])}
    folders = ["*"] if task is None else list(known)
    paths = sorted(path for folder in folders for path in run.outputs.glob(f"{folder}/part-*.parquet"))
    return [check_part(path, known.get(path.parent.name, {}).get(path.stem[-16:], "")) for path in paths]


def parts_by_task(run: RunDirectory) -> dict[str, list[Path]]:
    """The parts of every task that has any. ``UserError`` for one that is not what was written."""
    found: dict[str, list[Path]] = {}
    for record in run.read_manifest().get("cells", []):
        hashes = record.get("hashes", {})
        for path in sorted((run.outputs / cell_of(record).key).glob("part-*.parquet")):
            found.setdefault(record["task"], []).append(check_part(path, hashes.get(path.stem[-16:], "")))
    return found


_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=str).encode


def _columns(cell: Cell, rows: Sequence[tuple[Example, Answer]]) -> dict[str, list[Any]]:
    """The columns of a part by name, in the order of ``schema``."""
    found = {name: [getattr(cell, name)] * len(rows) for name in CELL_FIELDS}
    found |= {name: [getattr(answer, name) for _, answer in rows] for name in ANSWER_FIELDS}
    for name in EXAMPLE_FIELDS[:-1]:
        own = "options" if name == "choices" else name
        found[name] = [getattr(example, own) for example, _ in rows]
    return found | {"metadata": [_json(dict(example.metadata)) for example, _ in rows]}


def _table(columns: Mapping[str, Sequence[object]]) -> pa.Table:
    """The columns as an Arrow table: lists of lists become one ten times as fast as a Polars frame."""
    import polars as pl
    import pyarrow as pa

    plain: dict[object, pa.DataType] = {pl.String(): pa.large_string(), pl.Boolean(): pa.bool_()}
    plain |= {pl.Int64(): pa.int64(), pl.Float64(): pa.float64()}

    def kind(wanted: object) -> pa.DataType:
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


def _tuple(values: list[Any] | None) -> tuple[object, ...] | None:
    return None if values is None else tuple(values)
