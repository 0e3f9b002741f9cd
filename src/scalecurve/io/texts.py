"""The cells of texts: CSV, Markdown, LaTeX, columns set with blanks, and what harnesses print."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

LARGEST = 1 << 26  # bytes; larger files are tables of items, and those begin with their columns' names
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
PAGES = (".html", ".htm")
TEXTS = (".md", ".tex", ".txt", ".log", *PAGES)
"""Texts in which a table may stand."""
Rows = list[list[str]]


def text_rows(text: str, mark: str) -> Rows:
    """The cells of a text table, and of lines that are none."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#") or mark in line]
    return list(csv.reader(io.StringIO("\n".join(lines)), delimiter=mark))


def markdown_rows(text: str) -> Rows:
    """The cells of the first tables of a Markdown text, all of one width; and the lines just above it."""
    lines = text.splitlines()
    at = next((at for at in range(1, len(lines)) if _rule(lines[at]) and "|" in lines[at - 1]), None)
    if at is None:
        return []
    rows = [[line] for line in lines[max(0, at - 4) : at - 1]]
    inside = True
    for own, line in enumerate(lines[at - 1 :], at - 1):
        if "|" not in line or (own > at and lines[own] == lines[at - 1]):
            inside = own > at and line == lines[at - 1] and "|" in line  # the same names again: the table goes on
            continue
        if not inside or _rule(line):
            continue
        cells = re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
        rows.append([_shown(one.replace("\\|", "|").replace("`", "")) for one in cells])
    return rows


def _shown(cell: str) -> str:
    """A cell as a browser shows it: with its line breaks as blanks and its signs as letters."""
    return html.unescape(re.sub(r"<br\s*/?>", " ", cell)).replace("\xa0", " ").strip()


class _PageTables(HTMLParser):
    """The tables of a web page; a cell that spans several columns stands in the first of them."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[Rows] = []
        self._cell: list[str] | None = None
        self._span = 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self._cell, span = [], dict(attrs).get("colspan") or "1"
            self._span = min(int(span), 1000) if span.isdecimal() else 1
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1] += [" ".join("".join(self._cell).split()), *[""] * (self._span - 1)]
            self._cell = None


def page_rows(text: str) -> Rows:
    """The cells of the largest table of a web page."""
    page = _PageTables()
    page.feed(text)
    return max(page.tables, key=len, default=[])


def other_tables(text: str) -> int:
    """How many tables of a Markdown text have other names of columns than the first, and are not read."""
    lines = text.splitlines()
    heads = [lines[at - 1].split("|") for at in range(1, len(lines)) if _rule(lines[at]) and "|" in lines[at - 1]]
    return sum(head != heads[0] for head in heads)


def _rule(line: str) -> bool:
    """Whether a line is the rule below the names of a Markdown table."""
    return "--" in line and not line.strip("|:- \t")


_TEX_RULES = re.compile(
    r"\\(?:toprule|midrule|bottomrule|hline|centering|small|footnotesize|cline\{[^}]*\}|cmidrule(?:\([^)]*\))?\{[^}]*\}"
    r"|addlinespace(?:\[[^\]]*\])?|rowcolor(?:\[[^\]]*\])?\{[^}]*\})"
)
_TEX_SPAN = re.compile(r"\\multicolumn\s*\{(\d+)\}\s*\{[^}]*\}\s*\{([^{}]*)\}")
_TEX_MARK = re.compile(
    r"\\(?:textbf|textit|emph|underline|texttt|textsc|mathbf|mathrm|text|makecell|multirow\{[^}]*\}\{[^}]*\})\s*\{([^{}]*)\}"
)
_TEX_SIGNS = {"\\pm": "±", "\\uparrow": "↑", "\\downarrow": "↓", "\\%": "%", "\\_": "_", "\\#": "#", "\\,": " ",
              "\\times": "×", "--": "-", "$": "", "~": " ", "{}": ""}  # fmt: skip


def latex_rows(text: str) -> Rows:
    """The cells of the first table of a LaTeX text, without marks of emphasis and rules."""
    found = re.search(r"\\begin\{(tabular[xy*]?|longtable|array)\}(.*?)\\end\{\1\}", text, re.DOTALL)
    if found is None:
        return []
    body = re.sub(r"(?<!\\)%.*", "", found[2])
    rows = []
    for line in re.split(r"\\\\(?:\[[^\]]*\])?", body):
        line = _TEX_RULES.sub("", line)
        for _ in range(3):  # marks inside marks
            line = _TEX_MARK.sub(r"\1", line)
        line = _TEX_SPAN.sub(lambda span: span[2] + " &" * (int(span[1]) - 1), line)
        for sign, plain in _TEX_SIGNS.items():
            line = line.replace(sign, plain)
        line = re.sub(r"[_^]\{([^{}]*)\}", lambda low: f" {low[1]}" if "±" in low[1] else "", line)
        cells = [re.sub(r"^\{(.*)\}$", r"\1", one.strip()) for one in re.split(r"(?<!\\)&", line)]
        rows.append([one.replace("\\&", "&") for one in cells])
    if rows and rows[0]:  # what follows \begin{tabular}, up to its last brace, describes the columns
        rows[0][0] = re.sub(r"^.*\}\s*", "", rows[0][0], flags=re.DOTALL)
    return [row for row in rows if any(row) and len(row) > 1]


def spaced_rows(text: str) -> Rows:
    """The cells of a text whose columns are set apart by tabs, or by two blanks and more."""
    if "csv format" in text:  # OpenCompass' summary says everything twice
        return text_rows(text.partition("csv format")[2].partition("$$$")[0].strip("^\n "), ",")
    lines = [line.strip() for line in text.splitlines()]
    rows = [re.split(r"\t|\s{2,}", line) for line in lines if line.strip("-= +|")]
    width = max(map(len, rows), default=0)
    rows = [row for row in rows if len(row) > 1 and 2 * len(row) > width]
    numbered = [row[0] for row in rows[1:]] == [str(at) for at in range(len(rows) - 1)]
    if len(rows) > 1 and numbered and all(len(row) == len(rows[0]) + 1 for row in rows[1:]):
        return [rows[0], *(row[1:] for row in rows[1:])]  # rows with their numbers, as pandas prints them
    return rows


def rows_of_file(path: Path, decode: Callable[[Path], str], mark: str) -> Rows:
    """All cells of a small text, by its kind."""
    if path.stat().st_size > LARGEST:
        return []
    kind, text = path.suffix.lower(), decode(path)
    if kind == ".tex":
        return latex_rows(text)
    if kind in PAGES:
        return page_rows(text)
    if kind in TEXTS:
        lines = text.splitlines()[:200]
        separated = next((one for one in ("\t", ";", "|", ",") if all(one in line for line in lines[:2])), "")
        return markdown_rows(text) or (
            text_rows(text, separated) if separated and len(lines) > 1 else spaced_rows(text)
        )
    return text_rows(text, mark)
