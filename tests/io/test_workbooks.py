"""Workbooks: whichever sheet holds the table, whatever its cells are, and what a hostile one is answered."""

import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.io.importing import Imported, import_run

MODELS = ("mymodel-110m", "mymodel-350m", "mymodel-1.3b")
TABLE: list[list[Any]] = [["model", "piqa"], *([name, at] for name, at in zip(MODELS, (0.55, 0.6, 0.65), strict=True))]
_OFFICE = "http://schemas.openxmlformats.org/"
_MAIN, _RELATED = f"{_OFFICE}spreadsheetml/2006/main", f"{_OFFICE}officeDocument/2006/relationships"
_STYLES = (
    '<numFmts count="1"><numFmt numFmtId="170" formatCode="0.0 &quot;days&quot;"/></numFmts><cellXfs>'
    + "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 10, 170))
    + "</cellXfs>"
)  # plain, a day, a percentage, and a number with a word behind it
DAY, PERCENT, DAYS = 1, 2, 3


class Styled(float):
    """A number in the style ``style`` of the workbook."""

    def __new__(cls, value: float, style: int) -> "Styled":
        made = super().__new__(cls, value)
        made.style = style
        return made

    style: int


def sheet(table: Sequence[Sequence[Any]], merged: str = "") -> str:
    """A sheet's XML: texts in place, formulas as ``=A1`` with their value 0.5, numbers as they are."""
    out = ""
    for row, line in enumerate(table, 1):
        cells = ""
        for column, value in enumerate(line):
            name = f'<c r="{chr(65 + column)}{row}"'
            if isinstance(value, bool):
                cells += f'{name} t="b"><v>{int(value)}</v></c>'
            elif isinstance(value, str) and value.startswith("#"):
                cells += f'{name} t="e"><f>1/0</f><v>{value}</v></c>'
            elif isinstance(value, str) and value.startswith("="):
                cells += f"{name}><f>{value[1:]}</f><v>0.5</v></c>"
            elif isinstance(value, str) and value:
                cells += f'{name} t="inlineStr"><is><t>{value}</t></is></c>'
            elif value != "":
                cells += f'{name} s="{getattr(value, "style", 0)}"><v>{float(value)!r}</v></c>'
        out += f'<row r="{row}">{cells}</row>'
    areas = f'<mergeCells count="1"><mergeCell ref="{merged}"/></mergeCells>' if merged else ""
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{out}</sheetData>{areas}</worksheet>'


def workbook(path: Path, **sheets: str) -> Path:
    """A workbook of sheets by name, in order; one whose name begins with ``hidden`` is so."""
    related = f'<Relationships xmlns="{_OFFICE.replace("org/", "org/package/2006/relationships")}">'
    tabs = "".join(
        f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}" {"state=hidden" if name.startswith("hidden") else ""}/>'
        for at, name in enumerate(sheets, 1)
    ).replace("state=hidden", 'state="hidden"')
    targets = "".join(
        f'<Relationship Id="rId{at}" Type="{_RELATED}/worksheet" Target="worksheets/sheet{at}.xml"/>'
        for at in range(1, len(sheets) + 1)
    )
    root = f'<Relationship Id="rId1" Type="{_RELATED}/officeDocument" Target="xl/workbook.xml"/>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", f'<Types xmlns="{_OFFICE}package/2006/content-types"/>')
        book.writestr("_rels/.rels", f"{related}{root}</Relationships>")
        book.writestr("xl/_rels/workbook.xml.rels", f"{related}{targets}</Relationships>")
        book.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}"><sheets>{tabs}</sheets></workbook>'
        )
        book.writestr("xl/styles.xml", f'<styleSheet xmlns="{_MAIN}">{_STYLES}</styleSheet>')
        for at, text in enumerate(sheets.values(), 1):
            book.writestr(f"xl/worksheets/sheet{at}.xml", text)
    return path


def found_in(path: Path, run: Path) -> tuple[dict[str, list[float]], Imported]:
    """Task → scores, the smallest model first; and what the import told."""
    done = import_run([path], run)
    found: dict[str, list[float]] = {}
    for row in pl.read_parquet(run / "curves.parquet").sort("params_total").iter_rows(named=True):
        found.setdefault(row["task"].rpartition(":")[2], []).append(row["y"])
    return found, done


def test_a_title_and_merged_models(tmp_path: Path) -> None:
    table: list[list[Any]] = [["Ours"], ["model", "task", "score"]]
    for at, name in enumerate(MODELS):
        table += [[name, "arc_easy", 0.4 + at / 10], ["" if at == 0 else name, "piqa", 0.55 + at / 20]]
    found, _ = found_in(workbook(tmp_path / "t.xlsx", a=sheet(table, "A3:A4")), tmp_path / "run")
    assert found == {"arc_easy": pytest.approx([0.4, 0.5, 0.6]), "piqa": pytest.approx([0.55, 0.6, 0.65])}


def test_the_sheet_that_holds_a_table_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    old = [TABLE[0], *([name, 0.1] for name in MODELS)]
    path = workbook(
        tmp_path / "t.xlsx", Notes=sheet([["made in May"]]), hidden_old=sheet(old), Empty=sheet([]), New=sheet(TABLE)
    )
    found, done = found_in(path, tmp_path / "run")
    assert found == {"piqa": [0.55, 0.6, 0.65]}
    assert f"{path}: the sheet 'New' is read, and left out are: Notes, hidden_old" in done.notes


def test_a_hidden_table_is_read_where_there_is_no_other(tmp_path: Path) -> None:
    found, _ = found_in(workbook(tmp_path / "t.xlsx", hidden_all=sheet(TABLE)), tmp_path / "run")
    assert found == {"piqa": [0.55, 0.6, 0.65]}


def test_cells_hold_what_they_show(tmp_path: Path) -> None:
    head = ["model", "day", "piqa", "arc_easy", "boolq", "sciq", "params"]
    table = [head] + [
        [name, Styled(45123, DAY), Styled(0.55, PERCENT), Styled(0.4, DAYS), "=C1", "#DIV/0!" if at else 0.9, size]
        for at, (name, size) in enumerate(zip(MODELS, (110e6, 350e6, 1.3e9), strict=True))
    ]
    found, done = found_in(workbook(tmp_path / "t.xlsx", a=sheet(table)), tmp_path / "run")
    assert found == {"piqa": [0.55] * 3, "arc_easy": [0.4] * 3, "boolq": [0.5] * 3, "sciq": [0.9, None, None]}
    assert done.left_out == ("1 columns that are no benchmark: day",)  # a day is no number of days
    rungs = pl.read_parquet(tmp_path / "run" / "curves.parquet").unique("rung").sort("params_total")
    assert rungs["params_total"].to_list() == [110_000_000, 350_000_000, 1_300_000_000]


def test_marks_of_right_and_wrong(tmp_path: Path) -> None:
    table = [["model", "task", "question_id", "score"]]
    table += [[name, "quiz", str(q), q % 4 < at + 1] for at, name in enumerate(MODELS) for q in range(8)]
    found, done = found_in(workbook(tmp_path / "t.xlsx", a=sheet(table)), tmp_path / "run")
    assert (found, done.answers) == ({"quiz": [0.25, 0.5, 0.75]}, 24)


def test_a_workbook_of_libreoffice(tmp_path: Path) -> None:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    rows = ""
    for line in TABLE:
        cells = "".join(
            f'<table:table-cell office:value-type="string"><text:p>{one}</text:p></table:table-cell>'
            if isinstance(one, str)
            else f'<table:table-cell office:value-type="percentage" office:value="{one}"/>'
            for one in line
        )
        rows += f"<table:table-row>{cells}</table:table-row>"
    spaces = f'xmlns:office="{office}:office:1.0" xmlns:table="{office}:table:1.0" xmlns:text="{office}:text:1.0"'
    body = f'<office:body><office:spreadsheet><table:table table:name="a">{rows}</table:table></office:spreadsheet>'
    with zipfile.ZipFile(tmp_path / "t.ods", "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr("META-INF/manifest.xml", "<manifest/>")
        book.writestr(
            "content.xml", f"<office:document-content {spaces}>{body}</office:body></office:document-content>"
        )
    found, _ = found_in(tmp_path / "t.ods", tmp_path / "run")
    assert found == {"piqa": [0.55, 0.6, 0.65]}


def test_a_workbook_of_excel_97(tmp_path: Path) -> None:
    found, _ = found_in(Path(__file__).parents[1] / "fixtures" / "table.xls", tmp_path / "run")
    assert found == {"piqa": [0.55, 0.6, 0.65]}


def test_a_workbook_under_another_ending(tmp_path: Path) -> None:
    found, _ = found_in(workbook(tmp_path / "t.xls", a=sheet(TABLE)), tmp_path / "run")
    assert found == {"piqa": [0.55, 0.6, 0.65]}


ENTITIES = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>]>"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK no archive", "cannot be read as a workbook"),
        (ENTITIES + sheet(TABLE).replace("piqa", "&a;"), "cannot be read as a workbook"),
        (
            sheet(TABLE).replace("</sheetData>", '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'),
            "memory",
        ),
        (sheet(TABLE).replace("A4", "CZZ20000").replace('r="4"', 'r="20000"'), "memory|save its table as CSV"),
        (sheet(TABLE)[:-80], "cannot be read as a workbook"),
    ],
    ids=["no-archive", "entities", "far-cell", "wide", "cut-off"],
)
def test_damaged_and_hostile_workbooks_are_refused_in_one_line(content: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        workbook(path, a=content)
    begun = time.monotonic()
    with pytest.raises(UserError, match=said) as raised:
        import_run([path], tmp_path / "run")
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
    assert time.monotonic() - begun < 60


def test_a_part_that_is_very_large_unpacked_is_not_unpacked(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", a=sheet(TABLE))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as book, book.open("xl/sharedStrings.xml", "w") as part:
        for _ in range(130):
            part.write(b" " * (1 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(UserError, match=r"xl/sharedStrings.xml is larger than 128 MB unpacked"):
        import_run([path], tmp_path / "run")
