"""Tables on their way to CSV, which has no lists and which spreadsheets open."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

_FORMULA = r"^[=+\-@\t\r\n=+-@]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?$"


def for_csv(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with lists and structs as JSON texts, and with no text that a spreadsheet would run as a formula.

    Bytes are written in hexadecimal.

    A text, or a column's name, that begins as a formula does and is no number gets an apostrophe in front, which
    spreadsheets do not show. Who needs the texts to the letter reads Parquet or JSON.
    """
    import polars as pl

    nested = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List | pl.Struct | pl.Array)]
    texts = {name: pl.Series([json_text(value) for value in frame[name].to_list()], dtype=pl.String) for name in nested}
    texts |= {name: frame[name].bin.encode("hex") for name, kind in frame.schema.items() if kind == pl.Binary}
    frame = frame.with_columns(*(series.alias(name) for name, series in texts.items()))
    text = pl.col(pl.String)
    frame = frame.with_columns(
        pl.when(text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)).then("'" + text).otherwise(text).name.keep()
    )
    odd = pl.Series(frame.columns, dtype=pl.String).str.contains(_FORMULA)
    return frame.rename({name: f"'{name}" for name, is_odd in zip(frame.columns, odd, strict=True) if is_odd})


def json_text(value: object) -> str | None:
    """JSON of ``value``, which has no infinities and no NaN: they become null."""
    return None if value is None else json.dumps(_plain(value), ensure_ascii=False, default=str)


def _plain(value: object) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
