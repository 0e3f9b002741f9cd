"""Brings BIG-bench into the cache directory: fetch, check, unpack what is needed, and index it.

The archive is the PyPI source distribution ``bigbench==1.0.0``, fetched by pip, so that the user's index settings
hold. pip runs an archive's build script to learn its metadata even where nothing is installed, hence the pinned hash.
Everything can be interrupted: files are renamed into place whole, and the next call goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from scalecurve.errors import UserError
from scalecurve.tasks.bigbench import INDEX, MANIFEST, TASKS, cache_dir
from scalecurve.tasks.bigbench_index import build_index

REQUIREMENT = "bigbench==1.0.0"
ARCHIVE = "bigbench-1.0.0.tar.gz"
SHA256 = "1bb398a5512c6d798cdebe0dfa0ac03f67f6033fa6b39c6ef71df978c7cbc5c2"
HUMAN = "task_human_eval.pkl"
_DATA = frozenset({".json", ".jsonl", ".py", ".txt", ".tsv", ".csv"})
_NOT_NEEDED = frozenset({"task_metadata.json"})
_LOG, _INDEX_LOG = "unpacked.jsonl", "indexed.jsonl"
_LARGEST = 512 * 2**20
_LARGEST_WHOLE = 32 << 30
_CHUNK = 2**20

Progress = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and of how much (0: unknown)."""


def install(
    source: Path | None = None, *, sha256: str = SHA256, progress: Progress = lambda what, done, total: None
) -> Mapping[str, Any]:
    """Install BIG-bench from PyPI, or from ``source`` (the archive, or a checkout); returns the manifest."""
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    if source is not None and not source.exists():
        raise UserError(f"--from {source}: no such file or directory")
    archive = source if source is not None else _fetch(cache, sha256, progress)
    (cache / INDEX).unlink(missing_ok=True)  # from here until the end it is not an installation
    if archive.is_dir():
        origin, files = {"directory": archive.name}, _unpack(cache, _of_directory(archive), progress)
    else:
        _check_archive(archive, sha256, progress)
        origin, files = {"archive": archive.name, "sha256": sha256}, _unpack(cache, _of_archive(archive), progress)
    if not any(name.endswith("/task.json") for name in files):
        raise UserError(f"--from {archive}: holds no benchmark_tasks/<task>/task.json; is it BIG-bench?")
    _drop_strangers(cache / TASKS, files)
    hashes = {name: digest for name, (_, digest) in files.items()}
    leaves, containers = build_index(cache / TASKS, hashes, cache / _INDEX_LOG, progress)
    manifest = {"origin": origin, "leaves": len(leaves), "containers": containers, "files": files}
    _write_whole(cache / MANIFEST, json.dumps(manifest, indent=0).encode())
    _write_whole(cache / INDEX, json.dumps({"leaves": leaves}).encode())
    for log in (_LOG, _INDEX_LOG):
        (cache / log).unlink(missing_ok=True)
    if source is None:
        shutil.rmtree(cache / "download", ignore_errors=True)
    return manifest


def verify(progress: Progress = lambda what, done, total: None) -> list[str]:
    """The installed files that are missing or differ from the manifest."""
    path = cache_dir() / MANIFEST
    if not path.is_file():
        raise UserError(f"BIG-bench is not installed in {cache_dir()}; run: scalecurve tasks install bigbench")
    try:
        files: Mapping[str, tuple[int, str]] = dict(json.loads(path.read_text("utf-8"))["files"])
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: damaged; run scalecurve tasks install bigbench again") from None
    wrong = []
    for at, (name, (size, digest)) in enumerate(files.items()):
        file = cache_dir() / TASKS / name
        if not file.is_file() or file.stat().st_size != size or _digest(file) != digest:
            wrong.append(name)
        progress("verify", at + 1, len(files))
    return wrong


# ── Fetch ────────────────────────────────────────────────────────────────────────────────────────────────────
def _fetch(cache: Path, sha256: str, progress: Progress) -> Path:
    """The archive in the cache's download folder, fetched by pip unless it is there already."""
    folder = cache / "download"
    archive = folder / ARCHIVE
    if archive.is_file() and _digest(archive) == sha256:
        return archive
    folder.mkdir(exist_ok=True)
    wanted = folder / "requirement.txt"
    wanted.write_text(f"{REQUIREMENT} --hash=sha256:{sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
    progress("fetch", 0, 0)
    done = subprocess.run(
        [*command, "--requirement", str(wanted), "--dest", str(folder)], stdout=sys.stderr, stdin=subprocess.DEVNULL
    )
    if done.returncode or not archive.is_file():
        raise UserError(
            f"pip could not download {REQUIREMENT} (see its messages above); mend its settings, "
            f"or fetch {ARCHIVE} yourself and give --from PATH"
        )
    return archive


def _check_archive(archive: Path, sha256: str, progress: Progress) -> None:
    found = _digest(archive, lambda done, total: progress("check", done, total))
    if found != sha256:
        raise UserError(f"--from {archive}: SHA-256 is {found[:12]}…, not {sha256[:12]}… of {ARCHIVE}; fetch it again")


def _digest(path: Path, on_bytes: Callable[[int, int], None] = lambda done, total: None) -> str:
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            on_bytes(done, total)
    return digest.hexdigest()


# ── Unpack ───────────────────────────────────────────────────────────────────────────────────────────────────
Entry = tuple[str, int, Callable[[], IO[bytes]], int]
"""A file to install: name below benchmark_tasks, size, how to open it, and how far into the source it lies."""


def wanted_name(path: str) -> str | None:
    """The name below benchmark_tasks of a file that is needed, None for any other. ``UserError`` for an unsafe path."""
    parts = PurePosixPath(path).parts
    if TASKS not in parts:
        return None
    below = parts[parts.index(TASKS) + 1 :]
    if not below or (Path(below[-1]).suffix not in _DATA and below != (HUMAN,)):
        return None
    if below[-1] in _NOT_NEEDED or "results" in below[:-1]:
        return None
    if path.startswith("/") or ".." in parts or any("\\" in part or ":" in part or "\0" in part for part in below):
        raise UserError(f"{path!r}: unsafe path in the archive; nothing of it was written")
    return "/".join(below)


def _of_archive(archive: Path) -> Iterator[Entry]:
    total = archive.stat().st_size
    try:
        with archive.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|gz") as tar:
            unpacked = 0
            for member in tar:
                unpacked += member.size
                if unpacked > _LARGEST_WHOLE:
                    raise UserError(
                        f"{archive}: swells beyond {_LARGEST_WHOLE >> 30} GB; it is not BIG-bench's archive"
                    )
                name = wanted_name(member.name)
                if name is None or not (member.isfile() or member.islnk() or member.issym()):
                    continue
                if not member.isfile() or member.size > _LARGEST:
                    raise UserError(f"{member.name!r}: a link or too large; {archive} is not BIG-bench's archive")
                yield name, member.size, partial(_opened, tar, member), min(raw.tell() * 100 // total, 100)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UserError(f"--from {archive}: not a readable tar.gz ({error})") from None


def _opened(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    if file is None:
        raise UserError(f"{member.name!r}: not a regular file")
    return file


def _binary(path: Path) -> IO[bytes]:
    return path.open("rb")


def _of_directory(folder: Path) -> Iterator[Entry]:
    """The files of a checkout (its root, ``bigbench`` in it, or ``benchmark_tasks`` itself)."""
    roots = [path for path in (folder, folder / TASKS, folder / "bigbench" / TASKS) if path.name == TASKS]
    root = next((path for path in roots if path.is_dir()), None)
    if root is None:
        raise UserError(f"--from {folder}: has no {TASKS} in it; give a checkout of BIG-bench or its archive")
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    for at, path in enumerate(files):
        name = wanted_name(f"{TASKS}/{path.relative_to(root).as_posix()}")
        if name is not None:
            yield name, path.stat().st_size, partial(_binary, path), (at + 1) * 100 // len(files)


def _unpack(cache: Path, entries: Iterator[Entry], progress: Progress) -> dict[str, tuple[int, str]]:
    """Write the entries below the cache; those that an interrupted call wrote are only skipped. Name → size, hash."""
    log = cache / _LOG
    before = _read_log(log)
    files: dict[str, tuple[int, str]] = {}
    with log.open("a", encoding="utf-8") as record:
        for name, size, opened, percent in entries:
            target = cache / TASKS / name
            known = before.get(name)
            if known is None or known[0] != size or not target.is_file() or target.stat().st_size != size:
                with opened() as file:
                    known = (size, _write_stream(target, file))
                record.write(json.dumps([name, *known]) + "\n")
                record.flush()
            files[name] = known
            progress("unpack", percent, 100)
    return files


def _read_log(log: Path) -> dict[str, tuple[int, str]]:
    """What an interrupted call had written; its last line may be torn."""
    found: dict[str, tuple[int, str]] = {}
    for line in log.read_text("utf-8").splitlines() if log.is_file() else ():
        try:
            name, size, digest = json.loads(line)
        except ValueError:
            continue
        found[name] = (size, digest)
    return found


def _write_stream(target: Path, source: IO[bytes]) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    part, digest = target.with_name(f"{target.name}.tmp"), hashlib.sha256()
    with part.open("wb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    os.replace(part, target)
    return digest.hexdigest()


def _write_whole(target: Path, data: bytes) -> None:
    part = target.with_name(f"{target.name}.tmp")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, target)


def _drop_strangers(root: Path, files: Mapping[str, object]) -> None:
    """Remove what an earlier installation left and this one does not have."""
    for path in root.rglob("*"):
        if path.is_file() and path.relative_to(root).as_posix() not in files:
            path.unlink()
