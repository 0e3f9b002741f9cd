"""Packed results: .gz, .bz2, .xz, .zst and .zip are unpacked in a folder that looks like the given one.

Files that are not packed are links in it, so that results find the answers beside them whether those are packed or not.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from scalecurve.errors import UserError

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
OTHER_ARCHIVES = (".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar")
LARGEST = 1 << 36  # bytes that all packed files may come to
_BLOCK = 1 << 20


def is_packed(path: Path, kinds: Sequence[str]) -> bool:
    """Whether a file is a packed one of results: an archive, or ``name.csv.gz`` of one of ``kinds``."""
    kind = path.suffix.lower()
    return kind == ".zip" or (kind in PACKED and Path(path.stem).suffix.lower() in kinds)


@contextmanager
def unpacked(paths: Sequence[Path], kinds: Sequence[str]) -> Iterator[tuple[list[Path], dict[str, str]]]:
    """Within: the paths to read, and what stands for what: the beginning of a path in the temporary folder → the given
    one. Where nothing is packed these are the given paths. ``UserError`` for damage, and for more than ``LARGEST``."""
    if not any(is_packed(one, kinds) for path in paths for one in (walk(path) if path.is_dir() else [path])):
        yield list(paths), {}
        return
    with tempfile.TemporaryDirectory(prefix="scalecurve-import-") as folder:
        found, names, budget = [], {}, [LARGEST]
        for at, path in enumerate(paths):
            base = Path(folder) / str(at)
            base.mkdir()
            if path.is_dir():
                for one in walk(path):
                    _put(one, base / path.name / one.relative_to(path), kinds, budget)
                found.append(base / path.name)
            else:
                _put(path, base / path.name, kinds, budget)
                found.append(next(iter(sorted(base.iterdir())), base))
            names[str(base)] = str(path.parent)
        yield found, names


def walk(folder: Path) -> list[Path]:
    """Every file below a folder in order, those of linked folders too, each folder once."""
    found, seen = [], set()
    for here, folders, names in os.walk(folder, followlinks=True):
        own = os.path.realpath(here)
        if own in seen:
            folders.clear()
            continue
        seen.add(own)
        folders.sort()
        found += [Path(here) / name for name in names]
    return sorted(one for one in found if one.is_file())


def _put(path: Path, target: Path, kinds: Sequence[str], budget: list[int]) -> None:
    """A link to ``path``, or what it holds unpacked, at ``target`` without the ending of its packing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not is_packed(path, kinds):
        target.symlink_to(path.absolute())
        return
    try:
        if path.suffix.lower() == ".zip":
            _unzip(path, target.with_suffix(""), kinds, budget)
        else:
            plain = target.with_suffix("")
            if not plain.exists() and not (path.parent / plain.name).exists():  # the plain file beside it counts
                with _opened(path) as packed:
                    _copy(packed, plain, budget)
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be unpacked ({error}); the file may be cut off, copy it again") from None


def _opened(path: Path) -> Any:
    kind = path.suffix.lower()
    if kind == ".zst":
        import pyarrow

        return pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")
    return gzip.open(path) if kind == ".gz" else bz2.open(path) if kind == ".bz2" else lzma.open(path)


def _copy(packed: IO[bytes], target: Path, budget: list[int]) -> None:
    with open(target, "wb") as out:
        while block := packed.read(_BLOCK):
            budget[0] -= len(block)
            if budget[0] < 0 or shutil.disk_usage(target.parent).free < 1 << 28:
                raise ValueError("it is too large unpacked")
            out.write(block)


def _unzip(path: Path, folder: Path, kinds: Sequence[str], budget: list[int]) -> None:
    """The results in an archive, under their own names below ``folder``; nothing outside it, and no links."""
    with zipfile.ZipFile(path) as archive:
        for one in archive.infolist():
            name = PurePosixPath(one.filename)
            unsafe = name.is_absolute() or ".." in name.parts or "\\" in one.filename or "\0" in one.filename
            link = stat.S_ISLNK(one.external_attr >> 16)
            if one.is_dir() or unsafe or link or "__MACOSX" in name.parts or name.suffix.lower() not in kinds:
                continue
            target = folder.joinpath(*name.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(one) as packed:
                _copy(packed, target, budget)
    folder.mkdir(parents=True, exist_ok=True)


def as_given(text: str, names: dict[str, str]) -> str:
    """A message in which the files of the temporary folder are called as the user gave them."""
    for own, given in names.items():
        text = text.replace(own, given)
    return text


def other_archives(paths: Iterable[Path]) -> list[Path]:
    """Archives that are not opened, for which a message says to unpack them."""
    return [
        one
        for one in paths
        if one.suffix.lower() in OTHER_ARCHIVES or one.name.lower().endswith((".tar.gz", ".tar.zst"))
    ]
