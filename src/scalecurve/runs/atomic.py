"""Files that appear whole or not at all: temporary file beside the target, fsync, rename."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve.nouns import UserError

if TYPE_CHECKING:
    import polars as pl


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``path`` so that a reader, or a run killed at any instant, sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """The frame as Parquet. The same frame gives the same bytes, whoever writes it and when."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    write_bytes(path, parquet_bytes(frame))


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """A temporary directory beside ``path`` that becomes ``path`` when the block ends well, and else is removed.

    What a killed process left of such a directory goes away too. ``UserError`` when ``path`` is there and not empty.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path}: exists already; give a new or empty directory")
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{path.name}.*.making"):
        if not _alive(leftover.name.split(".")[-2]):
            shutil.rmtree(leftover, ignore_errors=True)
    making = path.with_name(f".{path.name}.{os.getpid()}.making")
    making.mkdir()
    try:
        yield making
        try:
            os.rename(making, path)
        except OSError:
            raise UserError(f"{path}: was made by another process meanwhile; give another directory") from None
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        return True
    return True
