"""Tables of results: read lazily, and their columns told apart by name."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.io.apart import HYPERPARAMETERS, differing
from scalecurve.io.cells import model_name, number, plain_text, shots_in
from scalecurve.io.families import variant_of
from scalecurve.io.grids import plain_table, record_rows
from scalecurve.io.headings import NAMES, metric_columns, of_error, plain
from scalecurve.io.scales import SMALLEST_MODEL, counts, doubts, parameters, scaled, sizes_named_n
from scalecurve.io.shape import STRATEGY, Evaluation, SourceModel
from scalecurve.io.texts import TEXTS, WORKBOOKS, other_tables, rows_of_file, text_rows
from scalecurve.schema import AXES

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.io.sources import SourceFile

_WHOLE = ("params_non_embedding", "params_total", "training_tokens", "step")
CELL = ("model", "revision", "step", "family", "task", "metric", "shots", "seed", "version", "strategy")
"""What tells one score of a table from another."""
_NULLS = ["-", "–", "—", "N/A", "n/a", "NA", "nan", "NaN", "null", "None", "#N/A"]
_SEPARATORS = ",;\t|"
_DECIMAL_COMMA = re.compile(r'(?:^|;)\s*"?[-+]?\d+(?:\.\d{3})*,\d+\s*%?"?\s*(?:;|$)', re.MULTILINE)


def scan(source: SourceFile) -> pl.LazyFrame | None:
    """The table a file holds, not read yet; None when it is no table."""
    import polars as pl

    path, kind = source.path, source.path.suffix.lower()
    table = None
    try:
        if kind == ".parquet":
            table = pl.scan_parquet(path, hive_partitioning=False)
        if kind == ".jsonl":
            table = _unnested(pl.scan_ndjson(path, infer_schema_length=1_000))
        if kind in (*WORKBOOKS, *TEXTS, ".json") or (kind in (".csv", ".tsv") and not source.columns):
            table = _gridded(source)
        if table is None and kind in (".csv", ".tsv"):
            table = _scan_text(path)
        if (
            table is not None
            and source.said.model
            and not set(map(plain, table.collect_schema())) & set(NAMES["model"])
        ):
            table = table.with_columns(pl.lit(source.said.model).alias("model"))
        return None if table is None else _named_by_size(_sizes_told(table, source), source)
    except (OSError, pl.exceptions.PolarsError):
        return None


_PAPERS = {"N": "params", "D": "tokens", "C": "flops"}
"""What papers on scaling laws call the axes, and a name that ``headings.NAMES`` knows."""


def _sizes_told(table: pl.LazyFrame, source: SourceFile) -> pl.LazyFrame:
    """Parameters, tokens and compute that a table calls N, D and C, as papers do, under names of their own."""
    import polars as pl

    try:
        names = table.collect_schema().names()
        column = next((one for one in names if one in ("N", "n") and one not in source.columns.values()), None)
        cells = [] if column is None else table.select(column).head(1_000).collect()[column].drop_nulls().to_list()
    except pl.exceptions.PolarsError:
        return table  # its reader says what is wrong with it
    if column is None or not sizes_named_n(names, cells):
        return table
    free = {ours: known for ours, known in _PAPERS.items() if known not in map(plain, names)}
    told = {one: free[one.upper()] for one in names if one == column or (one in ("D", "C") and one in free)}
    source.note(f"{' and '.join(told)} {'is' if len(told) == 1 else 'are'} read as {' and '.join(told.values())}")
    return table.rename(told)


def _named_by_size(table: pl.LazyFrame, source: SourceFile) -> pl.LazyFrame:
    """Models that only their family and their size name are called by these; of a table given by name those below
    ``name``, beside sizes, are models too."""
    import polars as pl

    try:
        called = {plain(name): name for name in reversed(table.collect_schema().names())}
    except pl.exceptions.PolarsError:
        return table  # its reader says what is wrong with it
    family, size = (
        next((called[one] for one in NAMES[ours] if one in called), "") for ours in ("family", "params_total")
    )
    if not size or set(called) & set(NAMES["model"]) or "model" in source.columns:
        return table
    if "name" in called and source.named:
        return table.rename({called["name"]: "model"})
    return table.with_columns(pl.format("{}-{}", pl.col(family), pl.col(size)).alias("model")) if family else table


def _unnested(table: pl.LazyFrame) -> pl.LazyFrame:
    """Records inside records as columns of their own, where their names are free."""
    import polars as pl

    for name, kind in table.collect_schema().items():
        if isinstance(kind, pl.Struct):
            inner = [one.name for one in kind.fields]
            if set(inner).isdisjoint(table.collect_schema().names()):
                table = table.unnest(name)
    return table


def _gridded(source: SourceFile) -> pl.LazyFrame | None:
    """A table that does not begin with a row of names (see ``io.grids``); None where it begins so, or is none."""
    import polars as pl

    kind = source.path.suffix.lower()
    if kind == ".json":
        found = plain_table(record_rows(source.json), source.said.model, source.columns.values())
    elif kind in (".csv", ".tsv") and _begins_plainly(source.path):
        return None
    else:
        found = _grid(source.path, source.path.stat().st_mtime_ns, source.said.model, tuple(source.columns.values()))
    if found is None or not found[1]:
        return None
    names, rows, told = found
    if told:
        source.note(told)
    if kind == ".md" and (others := other_tables(source.path.read_text(encoding=encoding_of(source.path)))):
        source.note(f"{others} more tables with other columns are left out; give each a file of its own")
    cells = [[one or None for one in row] for row in rows]
    return pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String), orient="row").lazy()


@lru_cache(maxsize=8)
def _grid(
    path: Path, _changed: int, model: str, columns: tuple[str, ...]
) -> tuple[list[str], list[list[str]], str] | None:
    def decode(path: Path) -> str:
        return path.read_text(encoding=encoding_of(path), errors="replace")

    if path.suffix.lower() in WORKBOOKS:
        from scalecurve.io.sheets import table_of_workbook

        return table_of_workbook(path, model, columns)
    return plain_table(rows_of_file(path, decode, separator(path)), model, columns)


def _begins_plainly(path: Path) -> bool:
    """Whether the first line names columns, one of them of models, and the second is a row below them."""
    head = _head(path, encoding_of(path)).splitlines()[:2]
    rows = text_rows("\n".join(head), separator(path)) if len(head) == 2 and '"' not in head[1][-1:] else []
    if len(rows) < 2:
        return len(head) < 2 or any(plain(one) in NAMES["model"] for one in next(iter(rows), []))
    at = next((at for at, one in enumerate(rows[0]) if plain(one) in NAMES["model"]), None)
    return at is not None and at < len(rows[1]) and bool(rows[1][at].strip()) and len(set(rows[0])) == len(rows[0])


def _scan_text(path: Path) -> pl.LazyFrame:
    """A text table in whatever encoding; where it has decimal commas, numbers are texts with points."""
    import polars as pl

    mark, encoding = separator(path), encoding_of(path)
    whole = path if encoding == "utf-8-sig" else io.BytesIO(path.read_text(encoding=encoding).encode())
    if mark == ";" and _DECIMAL_COMMA.search(_head(path, encoding)):
        table = pl.scan_csv(whole, separator=mark, infer_schema=False, null_values=_NULLS)
        cell = pl.all()
        grouped = cell.str.contains(r"^\s*[-+]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?\s*%?\s*$")
        whole_numbers = pl.when(grouped).then(cell.str.replace_all(".", "", literal=True)).otherwise(cell)
        return table.with_columns(whole_numbers.str.replace(r"^(\s*[-+]?\d+),(\d+)", "$1.$2"))
    return pl.scan_csv(whole, separator=mark, infer_schema_length=10_000, null_values=_NULLS)


@cache
def encoding_of(path: Path) -> str:
    """UTF-8; UTF-16 where the file begins as such; else what Chinese, or Western, Windows writes."""
    try:
        with open(path, "rb") as file:
            head = file.read(1 << 20)
    except OSError:
        return "utf-8-sig"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        head[: max(len(head) - 3, 0) if len(head) == 1 << 20 else None].decode()
    except UnicodeDecodeError as error:
        if error.start > (1 << 20) - 8:
            return "utf-8-sig"
        # Letters of GB 2312 are pairs of bytes from A1 on; Western letters with accents stand alone.
        return "gb18030" if re.fullmatch(rb"(?:[\x00-\x7f]|[\xa1-\xf7][\xa1-\xfe])*[\xa1-\xf7]?", head) else "cp1252"
    return "utf-8-sig"


def _head(path: Path, encoding: str) -> str:
    with open(path, encoding=encoding, errors="replace") as file:
        return file.read(1 << 16)


def separator(path: Path) -> str:
    """What stands between the cells of a text table: the mark its first line has most of."""
    try:
        with open(path, encoding=encoding_of(path), errors="replace") as file:
            head = re.sub(r'"[^"]*"', "", file.readline(1 << 16))
    except OSError:
        return ","
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    return usual if head.count(usual) else max(_SEPARATORS, key=head.count) if any(
        mark in head for mark in _SEPARATORS) else usual  # fmt: skip


def note_separator(source: SourceFile) -> None:
    """Tell the user of a mark between the cells that is not the usual one of its kind of file."""
    mark, encoding = separator(source.path), encoding_of(source.path)
    if encoding != "utf-8-sig" and source.path.suffix.lower() in (".csv", ".tsv"):
        source.note(f"is read as {encoding}; save it as UTF-8 if letters are wrong")
    if source.path.suffix.lower() == ".csv" and mark != ",":
        source.note(
            f"cells are separated by {mark!r}{', numbers with a decimal comma are read' if mark == ';' else ''}"
        )


def _unreadable(path: Path, error: Exception) -> UserError:
    why = str(error).splitlines()[0]
    if "more fields" in why:
        why, fix = "a row has more cells than there are names of columns", "put texts and numbers with commas in quotes"
    else:
        fix = "it is empty; export it again" if "empty" in why else "copy it again"
    return UserError(f"{path}: cannot be read as a table ({why}); {fix}")


def names_of(table: pl.LazyFrame, path: Path) -> list[str]:
    """The column names; ``UserError`` for a damaged file."""
    import polars as pl

    try:
        return table.collect_schema().names()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from None


def collect(table: pl.LazyFrame, path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        return table.filter(~pl.all_horizontal(pl.all().is_null())).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from None


def find_columns(source: SourceFile, names: list[str]) -> dict[str, str]:
    """Our name → the table's column: what the user mapped, else what goes by a known name.

    ``UserError`` for a mapping to a column that is not there, or of a name that is none of ours.
    """
    for ours, column in source.columns.items():
        if ours not in NAMES:
            raise UserError(f"--map: {ours!r} is unknown; use {', '.join(NAMES)}")
        if column not in names:
            raise UserError(f"{source.path}: has no column {column!r} (--map {ours}); it has {', '.join(names)}")
    taken = set(source.columns.values())
    called = {plain(name): name for name in reversed(names) if name not in taken}
    found = dict(source.columns)
    for ours, known in NAMES.items():
        theirs = next((called[name] for name in known if name in called), None)
        if ours not in found and theirs is not None:
            found[ours] = theirs
    return found


def names_precisions(table: pl.LazyFrame, name: str, path: Path) -> bool:
    """Whether a column called as the metric ``precision`` is holds those of weights ("fp16", "int8")."""
    cells = collect(table.select(name), path)[name].drop_nulls().to_list() if plain(name) == "precision" else []
    return bool(cells) and not any(number(one) is not None for one in cells)


def read_table(source: SourceFile, *needed: str) -> tuple[pl.LazyFrame, list[str], dict[str, str]]:
    """The table a file holds, the names of its columns, and ours by what they mean, among which are those ``needed``.

    ``FormatError`` where it holds none, or one of those is not there.
    """
    table = scan(source)
    if table is None:
        raise source.fail("is no table; give CSV, TSV, Parquet, XLSX, Markdown or JSON lines")
    names = names_of(table, source.path)
    columns = find_columns(source, names)
    for name in needed:
        if name not in columns:
            raise source.fail(f"has no column of {name}s; name it with --map {name}=COLUMN (of {', '.join(names)})")
    return table, names, columns


def differing_columns(source: SourceFile) -> list[str]:
    """The columns that are not read, or are settings, in which rows differ that say the same model, task and metric."""
    table = scan(source)
    if table is None:
        return []
    names = names_of(table, source.path)
    columns = find_columns(source, names)
    key = [columns[name] for name in CELL if name in columns]
    metrics = [name for name in metric_columns(names) if not names_precisions(table, name, source.path)]
    numbers = set(metrics) | {columns[name] for name in ("score", "se", "n") if name in columns}
    kinds = table.collect_schema()
    free = [name for name in names if name not in {*key, *numbers} and not of_error(name)]
    if "task" not in columns:  # numbers are benchmarks there, unless they are called as settings
        free = [name for name in free if not kinds[name].is_numeric() or plain(name) in HYPERPARAMETERS]
    return differing(collect(table, source.path), key, free)


@dataclass(frozen=True, slots=True)
class Whole:
    """What only a whole table tells of the scale of its models."""

    states: frozenset[str]
    """Models of which the training tokens or the epoch of a row make another state."""
    counted: frozenset[str]
    """Columns of parameters whose small numbers are parameters, and not billions."""


def whole_of(frame: pl.DataFrame, columns: Mapping[str, str]) -> Whole:
    """What a table tells of its models that a single row does not."""
    counted = [columns[axis] for axis in AXES if axis.startswith("params") and axis in columns]
    return Whole(_with_states(frame, columns), frozenset(one for one in counted if counts(frame[one].to_list(), one)))


def _with_states(frame: pl.DataFrame, columns: Mapping[str, str]) -> frozenset[str]:
    """The models that stand in a table with several numbers of training tokens or epochs, each of which is a state of
    theirs."""
    found: set[str] = set()
    for axis in ("training_tokens", "epoch"):
        if axis in columns and "step" not in columns and columns[axis] != columns["model"]:
            pairs = frame.select(columns["model"], columns[axis]).unique().drop_nulls().rows()
            times = Counter(model_name(name) for name, _ in pairs)
            found |= {name for name, count in times.items() if count > 1}
    return frozenset(found)


def model_of(row: Mapping[str, object], columns: Mapping[str, str], path: Path, whole: Whole) -> SourceModel:
    """The model of a row, with what the table says of its scale (units in column names are heeded)."""
    name = model_name(row.get(columns["model"]))
    if not name:
        raise UserError(f"{path}: {columns['model']}: a row names no model; fill it in or drop the row")
    if plain(name) in NAMES["model"] and plain(name) == plain(columns["model"]):
        raise UserError(f"{path}: {name}: stands in a row too, where another table begins; give it a file of its own")
    arguments = dict(one.split("=", 1) for one in name.split(",") if "=" in one) if "pretrained=" in name else {}
    name = arguments.get("pretrained", name).strip()
    scale: dict[str, Any] = {}
    for axis in AXES:
        column = columns.get(axis, "")
        cell = row.get(column) if column else None
        sized = axis.startswith("params")
        value = parameters(cell, column, column in whole.counted) if sized else scaled(cell, column)
        if value is not None and (value > 0 or (value == 0 and axis in ("step", "epoch"))):
            if axis == "training_tokens" and value < SMALLEST_MODEL:
                continue  # billions or trillions: not said (see doubts_of)
            if axis == "step" and value != int(value):
                fix = "give the column of steps (--map step=COLUMN)"
                raise UserError(f"{path}: {columns[axis]}: {value:g} is no whole number; {fix}")
            scale[axis] = round(value) if axis in _WHOLE else value
    revision = plain_text(row.get(columns["revision"])) if "revision" in columns else arguments.get("revision", "")
    if not revision and "step" in scale:
        revision = f"step{scale['step']}"
    if not revision and name in whole.states and "training_tokens" in scale:
        revision = f"tokens{scale['training_tokens'] / 1e9:.12g}B"
    if not revision and name in whole.states and "epoch" in scale:
        revision = f"epoch{scale['epoch']:.12g}"
    family = plain_text(row.get(columns["family"])) if "family" in columns else ""
    return SourceModel(name, "" if revision == "main" else revision, family, variant_of(arguments), **scale)


def asked_in(
    row: Mapping[str, Any], columns: Mapping[str, str], model: SourceModel, task: str = ""
) -> tuple[Evaluation, int | None]:
    """What a row says was asked of its model, besides the task; and the shots it states, None for none."""

    def text(name: str) -> str:
        return plain_text(row.get(columns[name])) if name in columns else ""

    shots = shots_in(row.get(columns["shots"])) if "shots" in columns else None
    seed = number(row.get(columns["seed"])) if "seed" in columns else None
    seed = 0 if seed is None else int(seed)
    return Evaluation(model, task, shots or 0, text("version"), seed, text("strategy") or STRATEGY), shots


def doubts_of(frame: pl.DataFrame, columns: Mapping[str, str]) -> list[str]:
    """What of a table's columns of scale and shots was understood in a way worth telling, or not at all."""
    notes = []
    for ours in (*AXES, "shots"):
        if ours in columns:
            values = frame[columns[ours]].drop_nulls().unique(maintain_order=True).to_list()
            notes += [f"column {columns[ours]}: {doubt}" for doubt in doubts(ours, columns[ours], values)]
    return notes
