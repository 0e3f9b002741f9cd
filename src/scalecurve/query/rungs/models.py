"""The models of a session: opened when first asked, cached, and metered."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.models import Model, load_ladder, open_model, resolve_rung
from scalecurve.models.cached import CachedModel
from scalecurve.models.ladders import is_ladder
from scalecurve.models.wrapper import ModelWrapper
from scalecurve.types import Ladder, Output, Request, Rung

Key = tuple[str, str, str, str, str]
"""Backend, name, location, revision and options of a rung: all that tells models apart."""


@dataclass(slots=True)
class Usage:
    """What has been asked of models: requests, tokens read and written, seconds."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out

    def since(self, before: Usage) -> Usage:
        """What was added after ``before``."""
        return Usage(*(getattr(self, name) - getattr(before, name) for name in self.__slots__))

    def plus(self, more: Usage) -> Usage:
        """The two added up."""
        return Usage(*(getattr(self, name) + getattr(more, name) for name in self.__slots__))

    def copy(self) -> Usage:
        return Usage(self.calls, self.tokens_in, self.tokens_out, self.seconds)


class Metered(ModelWrapper):
    """A model that counts what reaches it."""

    def __init__(self, model: Model, usage: Usage) -> None:
        super().__init__(model)
        self.usage = usage

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        began = time.monotonic()
        self.usage.calls += len(requests)

        def counted(index: int, output: Output) -> None:
            self.usage.tokens_in += output.prompt_tokens
            self.usage.tokens_out += output.generated_tokens
            on_output(index, output)

        try:
            self.inner.run(requests, counted)
        finally:
            self.usage.seconds += time.monotonic() - began


class Models:
    """Models by the names a query may use.

    ``default`` is a rung or a ladder; ``given`` are models that are open already, by name (their owner closes them).
    ``cache`` is the file in which answers are kept; None keeps them in memory, for this session.
    """

    def __init__(
        self,
        default: str = "",
        *,
        given: Mapping[str, Model] | None = None,
        cache: Path | None = None,
        device: str = "auto",
        dtype: str = "float32",
    ) -> None:
        self.default = default
        self.usage: dict[str, Usage] = {}
        self._given = dict(given or {})
        self._cache = cache or Path(":memory:")
        self._device, self._dtype = device, dtype
        self._open: dict[Key, CachedModel] = {}

    def ladder(self, name: str = "") -> Ladder:
        """The rungs that ``name`` stands for, smallest first: a ladder's, or the one model's. "" is the default.

        A name other than the default comes from a query, which may be a stranger's: it may be that of a model given, of
        a rung of the default ladder, or one that scalecurve ships, and leads to no file and no other server.
        ``UserError`` where there is no such model.
        """
        own = not name or name == self.default
        name = name or self.default
        if not name:
            raise UserError("query: which model? give --model (connect(model=…)), or USING model 'name'")
        if name in self._given:
            model = self._given[name]
            non_embedding, total = model.parameters()
            return Ladder(name, (Rung(name, "given", name, non_embedding or None, total or None),))
        if name == "given":
            rungs = [self.ladder(each).rungs[0] for each in self._given]
            return Ladder(name, tuple(sorted(rungs, key=lambda rung: rung.params_non_embedding or 0)))
        if not own:
            ladder = self.ladder() if self.default else None
            found = tuple(rung for rung in ladder.rungs if rung.name == name) if ladder else ()
            if ladder and found:
                return replace(ladder, rungs=found)
            _refuse_places(name)
        if is_ladder(name):
            return load_ladder(name)
        rung = resolve_rung(name)
        return Ladder(rung.name, (rung,))

    def open(self, rung: Rung) -> CachedModel:
        """The model of ``rung``; what it said once it is not asked again."""
        said = json.dumps(dict(rung.options), sort_keys=True, default=str)
        key = (rung.backend, rung.name, rung.location, rung.revision, said)
        if key not in self._open:
            given = rung.backend == "given"
            model = self._given[rung.name] if given else open_model(rung, device=self._device, dtype=self._dtype)
            usage = self.usage.setdefault(rung.name, Usage())
            self._open[key] = CachedModel(Metered(model, usage), self._cache)
        return self._open[key]

    @contextmanager
    def from_memory(self, rungs: Sequence[Rung]) -> Iterator[None]:
        """While it lasts these rungs say only what they have said before; anything else raises ``NotKept``."""
        opened = [self.open(rung) for rung in rungs]
        for model in opened:
            model.asks = False
        try:
            yield
        finally:
            for model in opened:
                model.asks = True

    def total(self) -> Usage:
        """What has been asked of all models together."""
        added = Usage()
        for usage in self.usage.values():
            for name in Usage.__slots__:
                setattr(added, name, getattr(added, name) + getattr(usage, name))
        return added

    def close(self) -> None:
        """Close what was opened here."""
        for (backend, *_), model in self._open.items():
            if backend == "given":
                model.close_store()
            else:
                model.close()
        self._open.clear()


def _refuse_places(name: str) -> None:
    """``UserError`` where a query's name of a model would be read as a path or an address."""
    parts = name.split(":")
    if re.search(r"[/\\~]", name) or any(part.endswith((".toml", ".gguf")) or Path(part).exists() for part in parts):
        raise UserError(f"query: model {name[:60]!r}: a query names shipped models and those of --model; "
                        "give paths, family files and Hub ids with --model")  # fmt: skip
