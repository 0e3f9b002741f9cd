"""Tables of results: read lazily, and their columns told apart by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.exchange.shape import AXES, LOWER_IS_BETTER, SHARES, Model, finite
from scalecurve.nouns import UserError

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.exchange.sources import Source

NAMES: dict[str, tuple[str, ...]] = {
    "model": ("model", "model_name", "model_id", "fullname", "model_name_or_path", "base_model", "checkpoint", "llm"),
    "task": ("task", "task_name", "benchmark", "dataset", "eval", "evaluation", "subject", "test"),
    "metric": ("metric", "metric_name", "measure"),
    "score": ("score", "value", "result", "y", "mean_score", "metric_value", "primary_score"),
    "se": ("se", "stderr", "std_err", "std_error", "standard_error", "score_stderr", "acc_stderr", "sem"),
    "n": ("n", "count", "num_samples", "n_samples", "num_examples", "n_items", "num_instances", "num_questions"),
    "shots": ("shots", "n_shot", "n_shots", "num_fewshot", "num_shots", "fewshot", "few_shot", "k_shot", "nshot"),
    "seed": ("seed",),
    "version": ("version", "task_version"),
    "strategy": ("strategy", "prompting"),
    "revision": ("revision", "branch"),
    "family": ("family", "model_family"),
    "params_non_embedding": ("params_non_embedding", "non_embedding_params", "n_non_embedding"),
    "params_total": ("params_total", "params", "n_params", "num_params", "parameters", "num_parameters", "model_size",
                     "#params", "size", "model_num_parameters"),
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

_SCALE = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_WHOLE = ("params_non_embedding", "params_total", "training_tokens", "step")


def scan(path: Path) -> pl.LazyFrame | None:
    """The table a file holds, not read yet; None when it is no table."""
    import polars as pl

    kind = path.suffix.lower()
    try:
        if kind == ".parquet":
            return pl.scan_parquet(path, hive_partitioning=False)
        if kind in (".csv", ".tsv"):
            return pl.scan_csv(path, separator="\t" if kind == ".tsv" else ",", infer_schema_length=10_000)
        if kind == ".jsonl":
            return pl.scan_ndjson(path, infer_schema_length=1_000)
    except (OSError, pl.exceptions.PolarsError):
        return None
    return None


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
        return table.collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path}: cannot be read as a table ({str(error).splitlines()[0]}); copy it again") from None


def find_columns(source: Source, names: list[str]) -> dict[str, str]:
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
    return [name for name in names if _plain(name) in SHARES | LOWER_IS_BETTER]


def model_of(row: Mapping[str, Any], columns: Mapping[str, str], path: Path) -> Model:
    """The model of a row, with what the table says of its scale (units in column names are heeded)."""
    name = plain_text(row.get(columns["model"]))
    if not name:
        raise UserError(f"{path}: {columns['model']}: a row names no model; fill it in or drop the row")
    scale: dict[str, Any] = {}
    for axis in AXES:
        value = number(row.get(columns[axis])) if axis in columns else None
        if value is not None and value > 0:
            value *= _unit(columns[axis])
            scale[axis] = round(value) if axis in _WHOLE else value
    revision = plain_text(row.get(columns["revision"])) if "revision" in columns else ""
    if not revision and "step" in scale:
        revision = f"step{scale['step']}"
    family = plain_text(row.get(columns["family"])) if "family" in columns else ""
    return Model(name, "" if revision == "main" else revision, family, **scale)


def number(value: Any) -> float | None:
    """A finite number, also when it is written as text ("0.25", "25%"); else None."""
    if isinstance(value, str):
        text, percent = value.strip().removesuffix("%").strip(), value.strip().endswith("%")
        try:
            return finite(float(text) / (100 if percent else 1))
        except ValueError:
            return None
    return float(value) if isinstance(value, bool) else finite(value)


def plain_text(value: Any) -> str:
    """A cell's text, without the tags of a link."""
    return "" if value is None else re.sub(r"<[^>]*>", "", str(value)).strip()


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
