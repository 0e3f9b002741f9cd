"""Tables of results: read lazily, and their columns told apart by name."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.io.shape import SourceModel, finite, higher_is_better, is_share, missing_mark
from scalecurve.schema import AXES

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.io.sources import SourceFile

NAMES: dict[str, tuple[str, ...]] = {
    "model": ("model", "model_name", "model_id", "fullname", "model_name_or_path", "base_model", "checkpoint", "llm",
              "modell", "modèle", "modele"),
    "task": ("task", "task_name", "benchmark", "dataset", "eval", "evaluation", "subject", "test",
             "aufgabe", "tâche", "tache", "datensatz"),
    "metric": ("metric", "metric_name", "measure", "metrik", "métrique"),
    "score": ("score", "value", "result", "y", "mean_score", "metric_value", "primary_score",
              "wert", "ergebnis", "genauigkeit", "trefferquote", "valeur", "résultat", "exactitude"),
    "se": ("se", "stderr", "std_err", "std_error", "standard_error", "score_stderr", "acc_stderr", "sem"),
    "n": ("n", "count", "num_samples", "n_samples", "num_examples", "n_items", "num_instances", "num_questions",
          "anzahl", "fragen", "nombre"),
    "shots": ("shots", "n_shot", "n_shots", "num_fewshot", "num_shots", "fewshot", "few_shot", "k_shot", "nshot"),
    "seed": ("seed",),
    "version": ("version", "task_version"),
    "strategy": ("strategy", "prompting"),
    "revision": ("revision", "branch"),
    "family": ("family", "model_family"),
    "params_non_embedding": ("params_non_embedding", "non_embedding_params", "n_non_embedding"),
    "params_total": ("params_total", "params", "n_params", "num_params", "parameters", "num_parameters", "model_size",
                     "#params", "size", "model_num_parameters", "parameter", "paramètres"),
    "training_flops": ("training_flops", "flops", "compute", "train_flops"),
    "training_tokens": ("training_tokens", "tokens", "train_tokens", "n_tokens", "pretraining_data_size"),
    "step": ("step", "training_step", "global_step"),
    "loss": ("loss", "training_loss", "validation_loss", "val_loss"),
    "chance": ("chance", "random_baseline", "baseline", "chance_level"),
    "ceiling": ("ceiling", "max_score"),
    "higher_is_better": ("higher_is_better",),
    "example": ("example_id", "example", "doc_id", "item", "item_id", "question_id", "sample_id", "instance_id"),
    "input": ("input", "question", "query"),
    "prompt": ("prompt", "full_prompt"),
    "target": ("target", "gold", "answer", "reference"),
    "text": ("text", "output", "generation", "completion", "model_output"),
    "response": ("response", "prediction", "extracted_answer"),
}  # fmt: skip
"""Our names, and how tables call them (in lower case, blanks and hyphens as underscores)."""

_SCALE = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12, "thousand": 1e3, "million": 1e6, "mio": 1e6, "billion": 1e9,
          "bn": 1e9, "trillion": 1e12}  # fmt: skip
_WHOLE = ("params_non_embedding", "params_total", "training_tokens", "step")
_AMOUNT = re.compile(
    r"[~≈<>]?\s*(?:(\d+)\s*[x×]\s*)?(\d[\d,_ ]*(?:\.\d+)?|\.\d+)(?:e\+?(\d+))?\s*"
    r"([kmbt]|thousand|million|mio|billion|bn|trillion)?(?:[-_ ]?a\d+(?:\.\d+)?[kmb])?\s*(?:params|parameters|tokens)?",
    re.IGNORECASE,
)
SMALLEST_MODEL = 10_000  # parameters; a smaller number without a unit counts billions
_SHOT_WORDS = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_NULLS = ["-", "–", "—", "N/A", "n/a", "NA", "nan", "NaN", "null", "None", "#N/A"]
_SEPARATORS = ",;\t|"
_DECIMAL_COMMA = re.compile(r'(?:^|;)\s*"?[-+]?\d+(?:\.\d{3})*,\d+\s*%?"?\s*(?:;|$)', re.MULTILINE)


def scan(path: Path) -> pl.LazyFrame | None:
    """The table a file holds, not read yet; None when it is no table."""
    import polars as pl

    kind = path.suffix.lower()
    try:
        if kind == ".parquet":
            return pl.scan_parquet(path, hive_partitioning=False)
        if kind in (".csv", ".tsv"):
            return _scan_text(path)
        if kind == ".jsonl":
            return pl.scan_ndjson(path, infer_schema_length=1_000)
    except (OSError, pl.exceptions.PolarsError):
        return None
    return None


def _scan_text(path: Path) -> pl.LazyFrame:
    """A text table in whatever encoding; where it has decimal commas, numbers are texts with points."""
    import polars as pl

    mark, encoding = separator(path), encoding_of(path)
    whole = path if encoding == "utf-8-sig" else io.BytesIO(path.read_text(encoding=encoding).encode())
    if mark == ";" and _DECIMAL_COMMA.search(_head(path, encoding)):
        table = pl.scan_csv(whole, separator=mark, infer_schema=False, null_values=_NULLS)
        cell = pl.all()
        grouped = cell.str.contains(r"^\s*[-+]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?\s*%?\s*$")
        plain = pl.when(grouped).then(cell.str.replace_all(".", "", literal=True)).otherwise(cell)
        return table.with_columns(plain.str.replace(r"^(\s*[-+]?\d+),(\d+)", "$1.$2"))
    return pl.scan_csv(whole, separator=mark, infer_schema_length=10_000, null_values=_NULLS)


@cache
def encoding_of(path: Path) -> str:
    """UTF-8; UTF-16 where the file begins as such; else what Western Windows writes."""
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
        return "utf-8-sig" if error.start > (1 << 20) - 8 else "cp1252"
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


def names_of(table: pl.LazyFrame, path: Path) -> list[str]:
    """The column names; ``UserError`` for a damaged file."""
    import polars as pl

    try:
        return table.collect_schema().names()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path}: cannot be read as a table ({str(error).splitlines()[0]}); copy it again") from None


def collect(table: pl.LazyFrame, path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        return table.filter(~pl.all_horizontal(pl.all().is_null())).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path}: cannot be read as a table ({str(error).splitlines()[0]}); copy it again") from None


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
    plain = {_plain(name): name for name in reversed(names) if name not in taken}
    found = dict(source.columns)
    for ours, known in NAMES.items():
        theirs = next((plain[name] for name in known if name in plain), None)
        if ours not in found and theirs is not None:
            found[ours] = theirs
    return found


def metric_columns(names: list[str]) -> list[str]:
    """Columns that are called as metrics are."""
    return [name for name in names if _is_metric(_plain(name))]


def _is_metric(name: str) -> bool:
    known = is_share(name) or not higher_is_better(name)
    return known and not any(name in usual for ours, usual in NAMES.items() if ours != "score")


def model_of(row: Mapping[str, Any], columns: Mapping[str, str], path: Path) -> SourceModel:
    """The model of a row, with what the table says of its scale (units in column names are heeded)."""
    name = plain_text(row.get(columns["model"]))
    if not name:
        raise UserError(f"{path}: {columns['model']}: a row names no model; fill it in or drop the row")
    scale: dict[str, Any] = {}
    for axis in AXES:
        value = amount(row.get(columns[axis])) if axis in columns else None
        if value is not None and value > 0:
            value *= _unit(columns[axis])
            if axis.startswith("params") and value < SMALLEST_MODEL:
                value *= 1e9
            if axis == "training_tokens" and value < SMALLEST_MODEL:
                continue  # billions or trillions: not said (see doubts_of)
            scale[axis] = round(value) if axis in _WHOLE else value
    revision = plain_text(row.get(columns["revision"])) if "revision" in columns else ""
    if not revision and "step" in scale:
        revision = f"step{scale['step']}"
    family = plain_text(row.get(columns["family"])) if "family" in columns else ""
    return SourceModel(name, "" if revision == "main" else revision, family, **scale)


def number(value: Any) -> float | None:
    """A finite number, also when it is written as text; else None. Marks of emphasis and what follows ± go.

    >>> [number(one) for one in ("0.25", "25%", "0,25", "7,000", "1 838", "25.5 ± 1.2", "0.25 (0.01)", "**25.5**†")]
    [0.25, 0.25, 0.25, 7000.0, 1838.0, 25.5, 0.25, 25.5]
    """
    if isinstance(value, str):
        text = re.sub(r"\s*(±|\+/-|\(\s*±?\s*[\d.,]+\s*%?\s*\)).*$", "", value.strip("*_†‡§^ \t\xa0"))
        text, percent = text.removesuffix("%").strip(), text.endswith("%") or value.rstrip().endswith("%")
        text = re.sub(r"(?<=\d)[\s\xa0\u202f](?=\d{3}(\D|$))", "", text)
        text = text.replace(",", "") if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", text) else text
        text = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
        try:
            return finite(float(text) / (100 if percent else 1))
        except ValueError:
            return None
    return float(value) if isinstance(value, bool) else finite(value)


def numbers(values: pl.Series) -> list[float | None]:
    """``number`` of every cell of a column."""
    import polars as pl

    if values.dtype.is_numeric() and not values.dtype.is_decimal():
        plain = values.cast(pl.Float64)
        return plain.set(~plain.is_finite(), None).to_list()
    return [number(value) for value in values.to_list()]


def amount(value: Any) -> float | None:
    """A count as people write it; None where it is none.

    >>> amount("7B"), amount("8x7B"), amount("7,000,000,000"), amount("350M"), amount("30B-A3B"), amount("large")
    (7000000000.0, 56000000000.0, 7000000000.0, 350000000.0, 30000000000.0, None)
    """
    if not isinstance(value, str):
        return number(value)
    found = _AMOUNT.fullmatch(value.strip())
    if found is None:
        return number(value)
    times, digits, power, unit = found.groups()
    whole = float(digits.replace(",", "").replace("_", "").replace(" ", "")) * (int(times) if times else 1)
    return finite(whole * 10.0 ** int(power or 0) * _SCALE.get((unit or "").lower(), 1.0))


def shots_in(value: Any) -> int | None:
    """A number of shots as people write it: 5, "5", "5-shot", "zero-shot"; None where it is none."""
    found = number(value)
    if found is not None:
        return int(found) if found == int(found) and found >= 0 else None
    text = str(value or "").strip().lower()
    written = re.fullmatch(r"(\d+)[\s_-]*shots?|k\s*=\s*(\d+)|shots?[\s_=-]*(\d+)", text)
    if written:
        return int(next(one for one in written.groups() if one))
    return _SHOT_WORDS.get(re.sub(r"[\s_-]*shots?$", "", text))


def doubts_of(frame: pl.DataFrame, columns: Mapping[str, str]) -> list[str]:
    """What of a table's columns of scale and shots was understood in a way worth telling, or not at all."""
    notes = []
    for ours in (*AXES, "shots"):
        if ours in columns:
            values = frame[columns[ours]].drop_nulls().unique(maintain_order=True).to_list()
            notes += [f"column {columns[ours]}: {doubt}" for doubt in _doubts(ours, values, _unit(columns[ours]))]
    return notes


def _doubts(ours: str, values: list[Any], unit: float) -> Iterator[str]:
    read = shots_in if ours == "shots" else amount
    odd = [str(one) for one in values if read(one) is None and not missing_mark(one)]
    if odd:
        yield f"not understood as {ours}: {', '.join(odd[:4])}; write it as a number"
    sizes = [] if ours == "shots" else [found * unit for one in values if (found := amount(one))]
    small = next((size for size in sizes if 0 < size < SMALLEST_MODEL), None)
    if small and ours.startswith("params"):
        yield f"numbers without a unit are taken as billions ({small:g} is {small:g}B)"
    if small and ours == "training_tokens":
        yield f"{small:g} has no unit and is left out; write it as 300B or 1.4T"
    products = [str(one) for one in values if isinstance(one, str) and re.search(r"\d\s*[x×]\s*\d", one)]
    if products and ours.startswith("params"):
        size = amount(products[0])
        yield f"{products[0]} is taken as {size:.3g}; experts share layers, so give the exact size where it is known"


def plain_text(value: Any) -> str:
    """A cell's text, without the tags of a link."""
    text = "" if value is None else str(value).strip()
    return re.sub(r"<[^>]*>", "", text).strip() if "<" in text else text


def _plain(name: str) -> str:
    """A column name in lower case, its unit dropped: ``Model Size (B)`` is ``model_size``."""
    return re.sub(r"[\s\-]+", "_", re.sub(r"\s*\([^)]*\)\s*$", "", name.strip()).lower())


def _unit(column: str) -> float:
    """What a unit in a column's name multiplies by: ``(B)``, ``(T)``, ``(1E21)``."""
    match = re.search(r"\(([^)]*)\)\s*$", column)
    text = match[1].strip().lower() if match else ""
    if text in _SCALE:
        return _SCALE[text]
    try:
        return float(text)
    except ValueError:
        return 1.0
