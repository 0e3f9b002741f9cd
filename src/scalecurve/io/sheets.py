"""Workbooks of Excel and LibreOffice: the sheet that holds a table, read by calamine in a process of its own, since a
workbook of a kilobyte can ask for more memory than there is."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.conventions import finite
from scalecurve.io.grids import Grid, plain_table
from scalecurve.util.guard import confined

LARGEST_PART = 1 << 27  # bytes of one part, unpacked
MOST_CELLS = 2_000_000
MOST_MERGED = 10_000  # rows that a merged cell may stand for

Sheets = list[tuple[str, list[list[str]]]]


def table_of_workbook(path: Path, model: str = "", columns: Sequence[str] = ()) -> Grid | None:
    """(names, rows, what is worth telling) of the first sheet that holds a table, hidden ones last; None where none
    does. ``UserError`` where the file is damaged, protected by a password or very large."""
    sheets: Sheets = confined(str(path), "scalecurve.io.sheets:read_workbook", str(path))
    for name, rows in sheets:
        found = plain_table(rows, model, columns)
        if found is not None and found[1]:
            others = [other for other, _ in sheets if other != name]
            more = f"the sheet {name!r} is read, and left out are: {', '.join(others[:4])}" if others else ""
            more += f" and {len(others) - 4} more" if len(others) > 4 else ""
            return found[0], found[1], "; ".join(told for told in (found[2], more) if told)
    return None


def read_workbook(path: str) -> Sheets:
    """(name, cells as texts, by row) of every sheet with cells, hidden ones last, read in this process."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum
    except ImportError:  # an environment made before workbooks were read by it
        raise UserError(f"{path}: needs python-calamine to be read; pip install python-calamine") from None

    _refuse_large_parts(path)
    try:
        with open(path, "rb") as file:  # told apart by what it holds, not by its name
            book = CalamineWorkbook.from_filelike(file)
            tabs = sorted(book.sheets_metadata, key=lambda one: one.visible != SheetVisibleEnum.Visible)
            found = [(tab.name, _cells(path, book.get_sheet_by_name(tab.name))) for tab in tabs]
    except PasswordError:
        raise UserError(f"{path}: is protected by a password; save it without one") from None
    except (OSError, ValueError, CalamineError) as error:
        raise UserError(f"{path}: cannot be read as a workbook ({error}); save the sheet as CSV") from None
    return [(name, rows) for name, rows in found if any(map(any, rows))]


def _refuse_large_parts(path: str) -> None:
    """``UserError`` for a packed workbook of which a part is very large unpacked; others are left to the reader."""
    try:
        with zipfile.ZipFile(path) as parts:
            large = next((one.filename for one in parts.infolist() if one.file_size > LARGEST_PART), None)
    except (OSError, ValueError, zipfile.BadZipFile):
        return  # .xls is no archive
    if large:
        raise UserError(f"{path}: {large} is larger than {LARGEST_PART >> 20} MB unpacked; save the table as CSV")


def _cells(path: str, sheet: Any) -> list[list[str]]:
    """The cells of a calamine sheet, from its first row and column on."""
    height, width = (sheet.end[0] + 1, sheet.end[1] + 1) if sheet.end else (0, 0)
    if height * width > MOST_CELLS:
        raise UserError(f"{path}: is a sheet of {height:,} by {width:,} cells; save its table as CSV")
    rows = [[_text(one) for one in row] for row in sheet.to_python(skip_empty_area=False)] if height else []
    _fill(rows, sheet.merged_cell_ranges or ())
    return rows


def _text(value: object) -> str:
    """A cell as a CSV file would hold it: whole numbers without a point, truth as 1 and 0, days as 2025-01-31."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:.0f}" if finite(value) is not None and value == int(value) and abs(value) < 1e16 else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value).strip() if isinstance(value, str | int | timedelta) else ""


def _fill(rows: list[list[str]], merged: Iterable[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    """Let every row of a merged area hold its text, so that a model named once for several rows is that of all."""
    for (top, left), (bottom, _) in merged:
        if top >= len(rows) or left >= len(rows[top]) or bottom - top > MOST_MERGED:
            continue
        for row in rows[top + 1 : bottom + 1]:
            row[left] = row[left] or rows[top][left]
