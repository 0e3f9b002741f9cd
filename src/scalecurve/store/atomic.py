"""Files that appear whole or not at all: temporary file beside the target, fsync, rename."""

from __future__ import annotations

import errno
import io
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve.errors import UserError

if TYPE_CHECKING:
    import polars as pl

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``path`` so that a reader, or a run killed at any instant, sees the old file or the new one.

    ``UserError`` when the disk is full or the place cannot be written to; the old file, if any, stays.
    """
    temporary = path.with_name(f".{path.name}.{_host()}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left of files they were writing."""
    for leftover in folder.rglob(".*.tmp"):
        *_, host, process, _ = leftover.name.rsplit(".", 3)
        if host == _host() and not _alive(process):
            leftover.unlink(missing_ok=True)


def _host() -> str:
    return socket.gethostname().replace(".", "-")


def unwritable(path: Path, error: OSError) -> UserError:
    """The error that says why ``path`` cannot be written and what to do."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return UserError(f"{path}: is or lies in a file, where a directory is needed; give another path")
    full = error.errno in _FULL
    fix = "make room and give the same command again" if full else "make it writable or give another directory"
    return UserError(f"{path}: cannot be written ({error.strerror or error}); {fix}")


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """The frame as Parquet. The same frame gives the same bytes, whoever writes it and when."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    """Write ``frame``, whole or not at all, as ``write_bytes`` does."""
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
