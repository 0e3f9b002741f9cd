"""Answers kept between runs: what a model said once is not asked again.

The key is a hash of the model's fingerprint (weights, tokenizer, dtype, options) and of every field of the request;
nothing about batches or devices enters it. Failures are not kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.models import Model
from scalecurve.models.wrapper import ModelWrapper
from scalecurve.types import Output, Request

log = logging.getLogger("scalecurve")

VERSION = 1  # raised when the meaning of an output changes
WAIT_SECONDS = 30.0
TOGETHER = 256  # answers written in one transaction, and requests looked up in one
WINDOW = 4096  # requests held at once, so that any number can stream through


def request_key(fingerprint: str, request: Request) -> bytes:
    """SHA-256 of all that determines an answer."""
    fields = asdict(request)
    for later in ("grammar", "thinking_tokens", "effort"):
        if not fields[later]:
            del fields[later]  # so that answers kept before there was such a thing are still found
    said = json.dumps([VERSION, fingerprint, fields], sort_keys=True)
    return hashlib.sha256(said.encode()).digest()


class Store:
    """Outputs by key in a SQLite file that several processes may use at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=WAIT_SECONDS)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS outputs (key BLOB PRIMARY KEY, output TEXT) WITHOUT ROWID")
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"{path}: cannot be used as a cache ({error}); give another path or remove it") from None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Output]:
        """The outputs known for ``keys``."""
        found: dict[bytes, Output] = {}
        for begin in range(0, len(keys), TOGETHER):
            some = keys[begin : begin + TOGETHER]
            marks = ", ".join("?" * len(some))
            rows = self._db.execute(f"SELECT key, output FROM outputs WHERE key IN ({marks})", list(some))
            found |= {key: _read(text) for key, text in rows}
        return found

    def put(self, outputs: dict[bytes, Output]) -> None:
        """Keep outputs; a store that stays locked or is full costs a note, not the answers."""
        rows = [(key, json.dumps(asdict(output))) for key, output in outputs.items()]
        try:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO outputs VALUES (?, ?)", rows)
        except sqlite3.OperationalError as error:
            log.warning("%s: %d answers are not kept: %s", self.path, len(rows), error)

    def close(self) -> None:
        self._db.close()


def _read(text: str) -> Output:
    fields = json.loads(text)
    lists = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return Output(**lists | {"text_logprobs": tuple(tuple(row) for row in fields["text_logprobs"])})


class NotKept(LookupError):
    """A request without a kept answer, put to a model that is not to be asked."""


class CachedModel(ModelWrapper):
    """A model whose answers are looked up first. ``hits`` and ``misses`` count requests.

    With ``asks`` False the model itself is not asked: what is not kept raises ``NotKept``.
    """

    def __init__(self, model: Model, path: str | Path) -> None:
        super().__init__(model)
        self._store = Store(Path(path).expanduser())
        self.asks = True
        self.hits = 0
        self.misses = 0

    def known(self, requests: Sequence[Request]) -> list[Output | None]:
        """What is kept for each request; nothing is asked."""
        keys = [request_key(self.fingerprint, request) for request in requests]
        found = self._store.get(list(dict.fromkeys(keys)))
        return [found.get(key) for key in keys]

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        for begin in range(0, len(requests), WINDOW):
            indices = range(begin, min(begin + WINDOW, len(requests)))
            self._run([(index, requests[index]) for index in indices], on_output)

    def _run(self, window: list[tuple[int, Request]], on_output: Callable[[int, Output], None]) -> None:
        keys = {index: request_key(self.fingerprint, request) for index, request in window}
        known = self._store.get(list(dict.fromkeys(keys.values())))
        if not self.asks and len(known) < len(set(keys.values())):
            raise NotKept(f"{self.name}: an answer is not kept")
        asked: dict[bytes, list[int]] = {}
        new: list[Request] = []
        for index, request in window:
            key = keys[index]
            if key in known:
                self.hits += 1
                on_output(index, known[key])
            elif key in asked:
                asked[key].append(index)
            else:
                asked[key] = [index]
                new.append(request)
        self.misses += len(new)
        order = list(asked)
        fresh: dict[bytes, Output] = {}

        def on_new(at: int, output: Output) -> None:
            if not output.error:
                fresh[order[at]] = output
            if len(fresh) >= TOGETHER:
                self._store.put(fresh)
                fresh.clear()
            for index in asked[order[at]]:
                on_output(index, output)

        try:
            if new:
                self.inner.run(new, on_new)
        finally:  # an interrupted run keeps what it has
            if fresh:
                self._store.put(fresh)

    def close_store(self) -> None:
        """Close the file of answers only; the model is someone else's."""
        self._store.close()

    def close(self) -> None:
        self._store.close()
        self.inner.close()
