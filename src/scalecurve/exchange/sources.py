"""From paths to sources: which files there are, and which format each of them is in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from scalecurve.exchange.shape import Reader, all_readers
from scalecurve.nouns import UserError
from scalecurve.strangers import parsed

KINDS = (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".eval")
LARGEST_RESULT = 1 << 28  # bytes of a JSON file that is read whole


@dataclass
class Source:
    """One file to import. ``columns`` and ``shots`` are what the user said of files that do not say it themselves."""

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    shots: int | None = None
    named: bool = True
    """Whether the user gave this very file, not a folder with it."""
    notes: list[str] = field(default_factory=list)
    """What a reader wants to tell the user, one line each."""
    used: list[Path] = field(default_factory=list)
    """The files read along with this one."""

    @cached_property
    def json(self) -> Any:
        """The file's JSON; None when its name says that it is none. ``UserError`` when it is damaged or very large."""
        if self.path.suffix != ".json":
            return None
        try:
            if self.path.stat().st_size > LARGEST_RESULT:
                raise UserError(f"{self.path}: too large for a file of results; is it in its harness's own folder?")
            return parsed(self.path.read_bytes())
        except (OSError, ValueError) as error:
            why = f"cannot be read as JSON ({error}); the file may be cut off, copy it again"
            raise UserError(f"{self.path}: {why}") from None

    def beside(self, name: str) -> Path | None:
        """The file ``name`` in the same folder, noted as used, or None."""
        path = self.path.parent / name
        return self.use(path) if path.is_file() else None

    def use(self, path: Path) -> Path:
        if path not in self.used:
            self.used.append(path)
        return path

    def shots_or_zero(self) -> int:
        """The shots the user stated; else 0, and a note."""
        if self.shots is None:
            note = "the number of shots is not stated; filed under 0 (--shots says otherwise)"
            if note not in self.notes:
                self.notes.append(note)
        return self.shots or 0

    def fail(self, problem: str, path: Path | None = None) -> UserError:
        return UserError(f"{path or self.path}: {problem}")


def digest(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    found = sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def find_sources(
    paths: Sequence[Path], format_: str = "auto", columns: Mapping[str, str] | None = None, shots: int | None = None
) -> tuple[list[tuple[Reader, Source]], list[Path]]:
    """The heads of results among ``paths`` (files, or folders searched whole), and the files left out.

    ``UserError`` for a path that is not there, a file given by name that no format knows, and damage.
    """
    readers = all_readers()
    if format_ != "auto" and format_ not in readers:
        raise UserError(f"{format_}: unknown source; use auto or one of {', '.join(readers)}")
    asked = list(readers.values()) if format_ == "auto" else [readers[format_]]
    heads: list[tuple[Reader, Source]] = []
    left: list[Path] = []
    for path, named in _files(paths):
        source = Source(path, columns or {}, shots, named)
        role, chosen = _role(source, asked)
        if role == "head":
            heads.append((chosen, source))
        elif not role and named:
            table = path.suffix in (".csv", ".tsv", ".parquet", ".jsonl")
            fix = (
                "; if it is a table, name its columns with --map model=COLUMN,task=COLUMN,score=COLUMN" if table else ""
            )
            raise UserError(f"{path}: not in the layout of {' or '.join(one.name for one in asked)}{fix}")
        elif not role:
            left.append(path)
    if not heads and paths[0].is_file():
        raise UserError(f"{paths[0]}: is read along with the results it belongs to; give those, or their folder")
    if not heads:
        raise UserError(f"{paths[0]}: holds no results in the layout of {' or '.join(one.name for one in asked)}")
    return heads, left


def _role(source: Source, readers: Iterable[Reader]) -> tuple[str, Reader]:
    reader = None
    for reader in readers:
        role = reader.role(source)
        if role:
            return role, reader
    assert reader is not None
    return "", reader


def _files(paths: Iterable[Path]) -> list[tuple[Path, bool]]:
    """(file, given by name) in order, each once."""
    found: dict[Path, bool] = {}
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; give the results of an evaluation")
        if not path.is_dir():
            found.setdefault(path, True)
            continue
        inside = sorted(one for one in path.rglob("*") if one.suffix in KINDS and one.is_file())
        if not inside:
            raise UserError(f"{path}: holds no {', '.join(KINDS[:-1])} or {KINDS[-1]} file; give the harness's folder")
        for one in inside:
            found.setdefault(one, False)
    return list(found.items())
