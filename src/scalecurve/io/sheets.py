"""The first sheet with cells of an Excel workbook, without a library: the archive's XML, merged cells filled in."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from scalecurve.errors import UserError

LARGEST_PART = 1 << 27  # bytes of one part, unpacked
MOST_CELLS = 2_000_000
_NAME = re.compile(r"([A-Z]{1,3})(\d{1,7})")


def sheet_rows(path: Path) -> list[list[str]]:
    """The cells as texts, by row. ``UserError`` where the file is damaged, encrypted or very large."""
    try:
        with zipfile.ZipFile(path) as book:
            shared = ["".join(one.itertext()) for one in _elements(book, "xl/sharedStrings.xml", "si")]
            for name in sorted(one for one in book.namelist() if re.fullmatch(r"xl/worksheets/[^/]+\.xml", one)):
                cells = dict(_cells(book, name, shared))
                for merged in _elements(book, name, "mergeCell"):
                    _fill(cells, merged.get("ref", ""))
                if cells:
                    return _grid(path, cells)
    except (
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
        zlib.error,
        zipfile.BadZipFile,
        ElementTree.ParseError,
    ) as error:
        raise UserError(f"{path}: cannot be read as an Excel file ({error}); save the sheet as CSV") from None
    return []


def _elements(book: zipfile.ZipFile, name: str, tag: str) -> Iterator[ElementTree.Element]:
    """The elements of a kind in a part; none where the part is not there."""
    if name not in book.namelist():
        return
    if book.getinfo(name).file_size > LARGEST_PART:
        raise ValueError(f"{name} is larger than {LARGEST_PART >> 20} MB unpacked")
    text = book.read(name)
    if b"<!DOCTYPE" in text[:4096] or b"<!ENTITY" in text:
        raise ValueError(f"{name} declares entities")
    for one in ElementTree.fromstring(text).iter():
        if one.tag.rpartition("}")[2] == tag:
            yield one


def _cells(book: zipfile.ZipFile, name: str, shared: list[str]) -> Iterator[tuple[tuple[int, int], str]]:
    """((row, column), text) of the cells that hold something."""
    for one in _elements(book, name, "c"):
        place = _place(one.get("r", ""))
        kind = one.get("t", "")
        inner = {child.tag.rpartition("}")[2]: child for child in one}
        text = "".join(inner["is"].itertext()) if "is" in inner else (inner["v"].text or "") if "v" in inner else ""
        text = shared[int(text)] if kind == "s" and text else "" if kind == "e" else text
        if place and text.strip():
            yield place, text.strip()


def _place(name: str) -> tuple[int, int] | None:
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - 64
    return int(found[2]) - 1, column - 1


def _fill(cells: dict[tuple[int, int], str], area: str) -> None:
    """Let every row of a merged area hold its text, so that a model named once for several rows is that of all."""
    first, last = (_place(one) for one in (area.split(":") * 2)[:2])
    if first is None or last is None or first not in cells or last[0] - first[0] > 10_000:
        return
    for row in range(first[0] + 1, last[0] + 1):
        cells.setdefault((row, first[1]), cells[first])


def _grid(path: Path, cells: dict[tuple[int, int], str]) -> list[list[str]]:
    height, width = max(row for row, _ in cells) + 1, max(column for _, column in cells) + 1
    if height * width > MOST_CELLS:
        raise UserError(f"{path}: is a sheet of {height:,} by {width:,} cells; save its table as CSV")
    grid = [[""] * width for _ in range(height)]
    for (row, column), text in cells.items():
        grid[row][column] = text
    return grid
