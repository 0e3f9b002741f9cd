"""From paths to sources: which files there are, and which format each of them is in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.packed import other_archives, walk
from scalecurve.io.shape import Reader, all_readers
from scalecurve.io.texts import TEXTS, WORKBOOKS
from scalecurve.util.guard import regular
from scalecurve.util.untrusted import parsed

KINDS = (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".eval", *WORKBOOKS, *TEXTS)
SUMMARIES = (*WORKBOOKS, *TEXTS)
"""Kinds of files that people write of results: taken where they are named, or nothing else is there."""
TABLES = (".csv", ".tsv", ".parquet", ".json", ".jsonl", *WORKBOOKS, *TEXTS)
LARGEST_RESULT = 1 << 28  # bytes of a JSON file that is read whole


@dataclass(frozen=True)
class Said:
    """What the user says of results: our names of a table's ``columns``, the ``shots`` and the ``model`` of files that
    name none, the ``chance`` level of tasks by name, which tasks are written in ``percent`` or as ``fractions``, and
    the ``sizes`` (all parameters) of models.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    shots: int | None = None
    model: str = ""
    chance: Mapping[str, float] = field(default_factory=dict)
    percent: frozenset[str] = frozenset()
    fractions: frozenset[str] = frozenset()
    sizes: Mapping[str, int] = field(default_factory=dict)

    def size_of(self, model: str) -> int | None:
        """The parameters that the user states for a model, by its whole name or its last part."""
        return self.sizes.get(model, self.sizes.get(model.rstrip("/").rpartition("/")[2]))


@dataclass
class SourceFile:
    """One file to import. ``said`` is what the user said of files that do not say it themselves."""

    path: Path
    said: Said = field(default_factory=lambda: Said())
    named: bool = True
    """Whether the user gave this very file, not a folder with it."""
    notes: list[str] = field(default_factory=list)
    """What a reader wants to tell the user, one line each."""
    used: list[Path] = field(default_factory=list)
    """The files read along with this one."""
    left: dict[str, list[str]] = field(default_factory=dict)
    """What was left out of it, by kind."""

    @property
    def columns(self) -> Mapping[str, str]:
        return self.said.columns

    def leave(self, kind: str, name: str) -> None:
        """Note that ``name`` of this file is left out, being a ``kind`` ("groups of tasks")."""
        names = self.left.setdefault(kind, [])
        if name not in names:
            names.append(name)

    @cached_property
    def time(self) -> float:
        """When the results were made, in seconds: what the file says, else its name, else the file's own time."""
        stated = self.json.get("date") if isinstance(self.json, dict) else None
        if isinstance(stated, int | float) and stated > 1e9:
            return float(stated)
        found = re.search(r"(\d{4}-\d\d-\d\d)[T_](\d\d)[-:](\d\d)[-:](\d\d)", self.path.name)
        if found:
            return datetime.fromisoformat(f"{found[1]}T{found[2]}:{found[3]}:{found[4]}").timestamp()
        return self.path.stat().st_mtime

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
        if self.said.shots is None:
            self.note("the number of shots is not stated; filed under 0 (--shots says otherwise)")
        return self.said.shots or 0

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def fail(self, problem: str, path: Path | None = None) -> UserError:
        return UserError(f"{path or self.path}: {problem}")


def arms_of(given: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Task → (other task, strategy) of texts like ``gsm8k_cot=gsm8k:chain_of_thought``."""
    found = {}
    for arm in given:
        task, _, other = arm.rpartition("=")
        name, _, strategy = other.rpartition(":")
        if not task or not name or not strategy:
            raise UserError(f"--arm: {arm!r} is no arm; write TASK=OTHER:STRATEGY, as gsm8k_cot=gsm8k:chain_of_thought")
        found[task] = (name, strategy)
    return found


def digest(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    found = sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def find_sources(
    paths: Sequence[Path], format_: str = "auto", said: Said | None = None
) -> tuple[list[tuple[Reader, SourceFile]], list[Path], list[Path]]:
    """The heads of results among ``paths`` (files, or folders searched whole), the files left out, and the parts that
    belong to a head.

    ``UserError`` for a path that is not there, a file given by name that no format knows, and damage.
    """
    readers = all_readers()
    if format_ != "auto" and format_ not in readers:
        raise UserError(f"{format_}: unknown source; use auto or one of {', '.join(readers)}")
    asked = list(readers.values()) if format_ == "auto" else [readers[format_]]
    heads: list[tuple[Reader, SourceFile]] = []
    left: list[Path] = []
    parts: list[Path] = []
    for path, named in _files(paths):
        source = SourceFile(path, said or Said(), named)
        role, chosen = _role(source, asked)
        if role == "head":
            heads.append((chosen, source))
        elif role == "part":
            parts.append(path)
        elif not role and named:
            fix = "; if it is a table, name its columns with --map model=COLUMN,task=COLUMN,score=COLUMN"
            fix = fix if path.suffix in TABLES else ""
            fix = "; it is a web page, save the table itself as CSV" if _is_page(path) else fix
            raise UserError(f"{path}: not in the layout of {' or '.join(one.name for one in asked)}{fix}")
        elif not role:
            left.append(path)
    if any(not _is_summary(one) for one in heads):
        left += [one[1].path for one in heads if _is_summary(one) and not one[1].named]
        heads = [one for one in heads if not _is_summary(one) or one[1].named]
    if not heads and paths[0].is_file():
        raise UserError(f"{paths[0]}: is read along with the results it belongs to; give those, or their folder")
    if not heads:
        why = _why_no_table(left)
        raise UserError(f"{paths[0]}: holds no results in the layout of {' or '.join(one.name for one in asked)}{why}")
    return heads, left, parts


def _is_page(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _is_summary(head: tuple[Reader, SourceFile]) -> bool:
    """Whether a head is a table that people write beside the results themselves."""
    kind = head[1].path.suffix.lower()
    return kind in SUMMARIES or (kind == ".json" and head[0].last)


def _why_no_table(left: Sequence[Path]) -> str:
    page = next((path for path in left if path.suffix in (".csv", ".tsv", ".json") and _is_page(path)), None)
    if page:
        return f"; {page} is a web page, download the file itself"
    tables = [path for path in left if path.suffix in (".csv", ".tsv", *WORKBOOKS)]
    return f"; if {tables[0]} is a table, name its columns with --map model=…,task=…,score=…" if tables else ""


def _role(source: SourceFile, readers: Iterable[Reader]) -> tuple[str, Reader]:
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
            found.setdefault(regular(path, 1 << 62), True)
            continue
        every = walk(path)
        known = [one for one in every if one.suffix.lower() in KINDS]
        inside = [one for one in known if one.suffix.lower() not in TEXTS or one.suffix.lower() == ".md"] or known
        if not inside:
            packed = other_archives(every)
            why = f"unpack {packed[0].name}" if packed else "give the harness's folder"
            raise UserError(f"{path}: holds no {', '.join(KINDS[:-1])} or {KINDS[-1]} file; {why}")
        for one in inside:
            found.setdefault(one, False)
    return list(found.items())
