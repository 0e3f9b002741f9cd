"""Packed results: .gz, .bz2, .xz, .zst, .zip and .tar are unpacked in a folder that looks like the given one.

Files that are not packed are links in it, so that results find the answers beside them whether those are packed or not.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from scalecurve.errors import UserError

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_TARS = {".tgz": ".gz", ".tbz2": ".bz2", ".tbz": ".bz2", ".txz": ".xz", ".tzst": ".zst"}
OTHER_ARCHIVES = (".7z", ".rar")
LARGEST = 1 << 36  # bytes that all packed files may come to
MOST_FILES = 200_000  # of one archive
LONGEST_HEADER = 1 << 20  # bytes of what a tar archive says of a file, its name for instance
_BLOCK = 1 << 20


class _TooMuch(Exception):
    """What an archive holds passes a limit."""


def is_packed(path: Path, kinds: Sequence[str]) -> bool:
    """Whether a file is a packed one of results: an archive, or ``name.csv.gz`` of one of ``kinds``."""
    kind = path.suffix.lower()
    return kind == ".zip" or _is_tar(path) or (kind in PACKED and Path(path.stem).suffix.lower() in kinds)


def _is_tar(path: Path) -> bool:
    kind = path.suffix.lower()
    return kind in (".tar", *_TARS) or (kind in PACKED and path.stem.lower().endswith(".tar"))


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
        elif _is_tar(path):
            bare = target.with_suffix("")
            _untar(path, bare.with_suffix("") if bare.suffix.lower() == ".tar" else bare, kinds, budget)
        else:
            plain = target.with_suffix("")
            if not plain.exists() and not (path.parent / plain.name).exists():  # the plain file beside it counts
                with _opened(path) as packed:
                    _copy(packed, plain, budget)
    except _TooMuch as error:
        raise UserError(f"{path}: cannot be unpacked ({error}); unpack it yourself and give the folder") from None
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
            tarfile.TarError) as error:  # fmt: skip
        raise UserError(f"{path}: cannot be unpacked ({error}); the file may be cut off, copy it again") from None


def _opened(path: Path) -> Any:
    kind = _TARS.get(path.suffix.lower(), path.suffix.lower())
    if kind == ".tar":
        return open(path, "rb")
    if kind == ".zst":
        import pyarrow

        return pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")
    return gzip.open(path) if kind == ".gz" else bz2.open(path) if kind == ".bz2" else lzma.open(path)


def _copy(packed: IO[bytes], target: Path, budget: list[int]) -> None:
    with open(target, "wb") as out:
        while block := packed.read(_BLOCK):
            budget[0] -= len(block)
            if budget[0] < 0 or shutil.disk_usage(target.parent).free < 1 << 28:
                raise _TooMuch("it is too large unpacked")
            out.write(block)


def _unzip(path: Path, folder: Path, kinds: Sequence[str], budget: list[int]) -> None:
    """The results in an archive, under their own names below ``folder``; nothing outside it, and no links."""
    with zipfile.ZipFile(path) as archive:
        for count, one in enumerate(archive.infolist()):
            target = _place(one.filename, folder, kinds, count)
            if target is None or one.is_dir() or stat.S_ISLNK(one.external_attr >> 16):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(one) as packed:
                _copy(packed, target, budget)
    folder.mkdir(parents=True, exist_ok=True)


_HEADERS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE)  # fmt: skip


class _Member(tarfile.TarInfo):
    """What a tar archive says of a file, refused where it alone would fill the memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if found.type in _HEADERS and found.size > LONGEST_HEADER:
            raise _TooMuch("a name in it is very long")
        return found


def _untar(path: Path, folder: Path, kinds: Sequence[str], budget: list[int]) -> None:
    """As ``_unzip``, of a tar archive, read once from its beginning to its end."""
    with _opened(path) as packed, tarfile.open(fileobj=packed, mode="r|", tarinfo=_Member) as archive:
        for count, one in enumerate(archive):
            archive.members = []  # type: ignore[attr-defined]  # typeshed lacks it; kept, they fill memory
            target = _place(one.name, folder, kinds, count)
            inside = archive.extractfile(one) if target is not None and one.isreg() else None
            if target is not None and inside is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(inside, target, budget)
    folder.mkdir(parents=True, exist_ok=True)


def _place(name: str, folder: Path, kinds: Sequence[str], count: int) -> Path | None:
    """Where the file ``name`` of an archive goes; None for what is no result, or would lie elsewhere."""
    if count >= MOST_FILES:
        raise _TooMuch(f"it holds more than {MOST_FILES:,} files")
    own = PurePosixPath(name)
    unsafe = own.is_absolute() or ".." in own.parts or "\\" in name or "\0" in name
    if unsafe or "__MACOSX" in own.parts or own.name.startswith("._") or own.suffix.lower() not in kinds:
        return None
    return folder.joinpath(*own.parts)


def as_given(text: str, names: dict[str, str]) -> str:
    """A message in which the files of the temporary folder are called as the user gave them."""
    for own, given in names.items():
        text = text.replace(own, given)
    return text


def other_archives(paths: Iterable[Path]) -> list[Path]:
    """Archives that are not opened, for which a message says to unpack them."""
    return [one for one in paths if one.suffix.lower() in OTHER_ARCHIVES]
