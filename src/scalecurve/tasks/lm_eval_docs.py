"""The documents of a task of lm-evaluation-harness, from local JSON, CSV or Parquet files.

Values are those the harness sees, which reads through ``datasets``: JSON and Parquet by Arrow's types (a missing key is
None, a column of whole numbers and fractions is all fractions), CSV by pandas' (a whole number is a fraction where its
column has a gap, "NA" and the like are None).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.util.guard import regular
from scalecurve.util.text import one_line

Doc = dict[str, Any]
FORMATS = ("json", "csv", "parquet")
LARGEST = 1 << 28  # bytes of a data file
_MISSING = frozenset(
    "|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split("|")
)
_TRUE, _FALSE = frozenset({"True", "TRUE", "true"}), frozenset({"False", "FALSE", "false"})


def data_files(where: str, kind: object, kwargs: Any, folder: Path) -> dict[str, list[Path]]:
    """Split → its files, from a task's ``dataset_path`` and ``dataset_kwargs``.

    Paths are beside the task's file or beneath its folder, wherever links lead: a stranger's task reads nothing else.
    """
    if kind not in FORMATS:
        raise UserError(
            f"{where}: dataset_path: {kind!r} is not read here; "
            f"use {', '.join(FORMATS)} with dataset_kwargs: {{data_files: …}}"
        )
    kwargs = kwargs or {}
    if not isinstance(kwargs, dict) or not kwargs.get("data_files"):
        raise UserError(f"{where}: dataset_kwargs.data_files: is missing; name the local files")
    for key in kwargs:
        if key not in ("data_files", "trust_remote_code"):
            raise UserError(f"{where}: dataset_kwargs.{key}: is not supported; use data_files alone")
    given = kwargs["data_files"]
    splits = given if isinstance(given, dict) else {"train": given}
    return {str(split): _paths(f"{where}: dataset_kwargs.data_files", value, folder) for split, value in splits.items()}


def _paths(where: str, value: object, folder: Path) -> list[Path]:
    found: list[Path] = []
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str) or not one:
            raise UserError(f"{where}: must be paths")
        if "://" in one:
            raise UserError(f"{where}: {one}: is not a local file; download it and give its path")
        home = folder.resolve()
        relative = one.removeprefix(f"{home}/").removeprefix(f"{folder}/")
        if Path(relative).is_absolute() or ".." in Path(relative).parts or relative.startswith("~"):
            raise UserError(f"{where}: {one}: lies outside of the task's folder; copy it there")
        matched = sorted(folder.glob(relative))
        if not matched:
            raise UserError(f"{where}: {one}: no such file in the task's folder")
        for file in matched:
            if not file.resolve().is_relative_to(home):
                raise UserError(f"{where}: {one}: leads outside of the task's folder; copy the file there")
            found.append(regular(file, LARGEST))
    return found


def read_docs(kind: str, paths: Sequence[Path]) -> list[Doc]:
    """The documents of one split, every one with every column."""
    reader: Callable[[Path], list[Doc]] = {"json": _json, "csv": _csv, "parquet": _parquet}[kind]
    docs = [doc for path in paths for doc in reader(path)]
    columns = dict.fromkeys(key for doc in docs for key in doc)
    return [{column: doc.get(column) for column in columns} for doc in docs]


def _json(path: Path) -> list[Doc]:
    """JSON Lines, or one JSON array of objects."""
    import pyarrow as pa
    from pyarrow import json as arrow_json

    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        if raw.lstrip().startswith(b"["):
            rows = json.loads(raw)
            raw = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
        options = arrow_json.ReadOptions(block_size=max(len(raw), 1 << 16))
        table = arrow_json.read_json(io.BytesIO(raw), read_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({one_line(error, 160)}); mend it there") from None
    docs: list[Doc] = table.to_pylist()
    return docs


def _parquet(path: Path) -> list[Doc]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        docs: list[Doc] = parquet.read_table(path).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: cannot be read as Parquet ({one_line(error, 160)})") from None
    return docs


def _csv(path: Path) -> list[Doc]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({one_line(error, 160)}); save it as UTF-8 CSV") from None
    rows = [row for row in rows if row]
    if not rows:
        raise UserError(f"{path}: is empty; it needs a header and rows")
    header, body = rows[0], rows[1:]
    odd = next((at for at, row in enumerate(body, 2) if len(row) != len(header)), None)
    if odd is not None:
        raise UserError(f"{path}: row {odd} has {len(body[odd - 2])} fields, the header {len(header)}; mend it there")
    columns = [_typed([row[at] for row in body]) for at in range(len(header))]
    return [dict(zip(header, values, strict=True)) for values in zip(*columns, strict=True)]


def _typed(texts: Sequence[str]) -> list[object]:
    """A CSV column as whole numbers, fractions, truth values or texts, whichever all its values are."""
    known = [text for text in texts if text not in _MISSING]
    if not known:
        return [None] * len(texts)
    if all(text in _TRUE or text in _FALSE for text in known):
        return [None if text in _MISSING else text in _TRUE for text in texts]
    for convert in (int, float):
        try:
            if any("_" in text for text in known):
                break
            values = [convert(text) for text in known]
        except ValueError:
            continue
        gaps = len(known) < len(texts)
        filled = iter(map(float, values) if gaps else values)
        return [None if text in _MISSING else next(filled) for text in texts]
    return [None if text in _MISSING else text for text in texts]
