"""The corpus as token rows on disk, the same for every rung, and what each of their tokens counts in the loss."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalecurve.lab import recipe
from scalecurve.lab.corpus import CURRICULUM, Mixture, documents
from scalecurve.lab.tokenizer import END, save_tokenizer, train_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Rows = NDArray[np.uint16]


def token_rows(tokenizer: Tokenizer, seed: int, context: int, mixture: Mixture | None = None) -> Iterator[Rows]:
    """Endless rows of ``context`` token ids; each starts with a whole document, the last one of a row is cut."""
    end = tokenizer.token_to_id(END)
    row: list[int] = []
    stream = documents(seed, mixture)
    while batch := list(islice(stream, 1000)):
        for encoding in tokenizer.encode_batch(batch):
            row += encoding.ids
            if len(row) >= context:
                yield np.array(row[:context], dtype=np.uint16)
                row = []
            else:
                assert encoding.ids[0] == end


def prepare(folder: Path, rows: int, context: int, seed: int, tokenizer_seed: int) -> tuple[Any, Rows]:
    """The tokenizer and the training rows, made once and kept in ``folder`` (rows: memory-mapped, rows × context).

    The first ``recipe.curriculum_rows`` rows hold lists only.
    """
    from tokenizers import Tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tokenizer.json").exists():
        save_tokenizer(train_tokenizer(islice(documents(tokenizer_seed), 40_000)), str(folder))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    path = folder / f"rows-{rows}x{context}-seed{seed}.npy"
    if not path.exists():
        first = recipe.curriculum_rows(rows)
        lists = islice(token_rows(tokenizer, recipe.CURRICULUM_SEED, context, CURRICULUM), first)
        table = np.stack(list(chain(lists, islice(token_rows(tokenizer, seed, context), rows - first))))
        unfinished = path.with_suffix(".tmp.npy")
        np.save(unfinished, table)
        unfinished.replace(path)
    return tokenizer, np.load(path, mmap_mode="r")


def row_order(rows: int, seed: int) -> NDArray[np.int64]:
    """The order in which a seed reads the rows: the curriculum always first, the rest shuffled unless seed is 0."""
    order = np.arange(rows)
    if seed:
        np.random.default_rng(seed).shuffle(order[recipe.curriculum_rows(rows) :])
    return order


def loss_weights(tokenizer: Tokenizer, rows: Rows, question_weight: float) -> NDArray[np.float32]:
    """Weight of each token as something to predict: ``question_weight`` for the text of questions, else 1.

    A document that begins with a question is a page of questions: its answers count from after the colon to the end
    of their line. Every other document is statements and counts fully. Shape as ``rows``.
    """
    end, newline, q, a, colon = (tokenizer.token_to_id(token) for token in (END, "Ċ", "Q", "A", ":"))
    ids = np.asarray(rows)
    at = np.arange(ids.shape[1])
    begins = ids == end
    asks = np.zeros(ids.shape, dtype=bool)
    asks[:, :-2] = begins[:, :-2] & (ids[:, 1:-1] == newline) & (ids[:, 2:] == q)
    opens = np.zeros(ids.shape, dtype=bool)
    opens[:, 2:] = (ids[:, :-2] == newline) & (ids[:, 1:-1] == a) & (ids[:, 2:] == colon)

    def last(where: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.maximum.accumulate(np.where(where, at, -1), axis=1)

    page = last(asks) == last(begins)  # the document at this place began with a question
    answers = np.zeros(ids.shape, dtype=bool)
    closed = (ids == newline) | begins
    answers[:, 1:] = last(opens)[:, :-1] > last(closed)[:, :-1]
    return np.where(page & ~answers, np.float32(question_weight), np.float32(1.0))


def document_numbers(tokenizer: Tokenizer, rows: Rows) -> NDArray[np.int64]:
    """Which document of its row each token belongs to, from 1; attention stays within one. Shape as ``rows``."""
    return np.cumsum(np.asarray(rows) == tokenizer.token_to_id(END), axis=1)
