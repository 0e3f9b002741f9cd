"""Files that appear whole or not at all: temporary file beside the target, fsync, rename."""

from __future__ import annotations

import errno
import io
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve.nouns import UserError

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
        if host == _host() and not _runs(process):
            leftover.unlink(missing_ok=True)


def _host() -> str:
    return socket.gethostname().replace(".", "-")


def _runs(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def unwritable(path: Path, error: OSError) -> UserError:
    """The error that says why ``path`` cannot be written and what to do."""
    full = error.errno in _FULL
    fix = "make room and give the same command again" if full else "make it writable or give another directory"
    return UserError(f"{path}: cannot be written ({error.strerror or error}); {fix}")


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """The frame as Parquet. The same frame gives the same bytes, whoever writes it and when."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    write_bytes(path, parquet_bytes(frame))
