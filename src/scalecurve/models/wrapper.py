"""A model in front of another: the base of those that cache, count or meter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scalecurve.models import Model
from scalecurve.types import Output, Request


class ModelWrapper(Model):
    """All goes to ``inner``, but for what a subclass does itself."""

    def __init__(self, inner: Model) -> None:
        self.inner = inner
        self.name, self.fingerprint = inner.name, inner.fingerprint

    @property
    def scores(self) -> bool:
        return self.inner.scores

    @property
    def picks(self) -> bool:
        return self.inner.picks

    @property
    def constrains(self) -> bool:
        return self.inner.constrains

    @property
    def batch_tokens(self) -> int | None:
        return self.inner.batch_tokens

    @property
    def unshared(self) -> str:
        return self.inner.unshared

    def parameters(self) -> tuple[int, int]:
        return self.inner.parameters()

    def count_tokens(self, text: str) -> int:
        return self.inner.count_tokens(text)

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        self.inner.run(requests, on_output)

    def close(self) -> None:
        self.inner.close()
