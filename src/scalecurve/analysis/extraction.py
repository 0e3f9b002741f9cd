"""How often no answer was found in a generated text: such answers count as wrong, and many of them fake emergence."""

from __future__ import annotations

from dataclasses import dataclass

from scalecurve.store.directory import RunDirectory
from scalecurve.store.parts import CELL_FIELDS, read_outputs


@dataclass(frozen=True, slots=True)
class Extraction:
    """One cell's generated ``texts``; ``unextracted`` of them hold no answer, ``unfinished`` examples had a text cut
    short at its limit, and ``censored`` were cut before they said an answer. ``thinking_tokens``: in all of them."""

    family: str
    rung: str
    task: str
    strategy: str
    shots: int
    seed: int
    texts: int
    unextracted: int
    unfinished: int
    censored: int
    thinking_tokens: int


def extraction_of(run: RunDirectory) -> list[Extraction]:
    """The counts of every cell of ``run`` that generated texts, the worst share first."""
    import polars as pl

    counts = (
        read_outputs(run)
        .filter(pl.col("text").is_not_null() & (pl.col("error") == ""))
        .group_by(CELL_FIELDS)
        .agg(
            texts=pl.len(),
            unextracted=(pl.col("response").fill_null("") == "").sum(),
            unfinished=((pl.col("cut") > 0) | pl.col("flags").list.contains("unfinished")).sum(),
            censored=pl.col("censored").sum(),
            thinking_tokens=pl.col("thinking_tokens").sum(),
        )
        .sort(pl.col("unextracted") / pl.col("texts"), *CELL_FIELDS, descending=[True] + [False] * len(CELL_FIELDS))
    )
    return [Extraction(**row) for row in counts.collect().iter_rows(named=True)]
