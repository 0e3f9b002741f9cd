"""What a search may cost, in tokens and in seconds, and a model that counts what it is asked.

Tokens are those of prompts, of scored options and of generated texts, as the model counts them, whether or not they had
to be computed (a prefix shared by many prompts is computed once and counted each time, as a service would charge it).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scalecurve.errors import UserError
from scalecurve.models import Model
from scalecurve.models.wrapper import ModelWrapper
from scalecurve.types import Output, Request


@dataclass(slots=True)
class SearchBudget:
    """``tokens`` and ``seconds`` in all (None: as many as it takes), and what of them is spent."""

    tokens: int | None = None
    seconds: float | None = None
    spent_tokens: int = 0
    spent_seconds: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("tokens", self.tokens), ("minutes", self.seconds)):
            if value is not None and not value > 0:
                raise UserError(f"--{name}: must be above 0")

    def share(self, tokens: float, seconds: float) -> SearchBudget:
        """A budget of these parts (0–1) of what is left."""
        return SearchBudget(
            None if self.tokens is None else max(1, int((self.tokens - self.spent_tokens) * tokens)),
            None if self.seconds is None else max(1e-9, (self.seconds - self.spent_seconds) * seconds),
        )

    def spend(self, tokens: int, seconds: float) -> None:
        self.spent_tokens += tokens
        self.spent_seconds += seconds

    def left(self, seconds_a_token: float) -> float:
        """Tokens that can still be asked, when each takes so long."""
        tokens = math.inf if self.tokens is None else self.tokens - self.spent_tokens
        seconds = math.inf if self.seconds is None else self.seconds - self.spent_seconds
        return max(0.0, min(tokens, seconds / seconds_a_token if seconds_a_token > 0 else math.inf))


class OverBudget(Exception):
    """The next requests could take more tokens than are left; they were not made."""


class Meter(ModelWrapper):
    """A model that counts tokens and makes no requests that could take more than ``allowance`` in all."""

    def __init__(self, model: Model, allowance: int | None) -> None:
        super().__init__(model)
        self._allowance = allowance
        self.tokens = 0

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        if self._allowance is not None:
            most = sum(most_tokens(self.inner, request) for request in requests)
            if self.tokens + most > self._allowance:
                raise OverBudget

        def counted(index: int, output: Output) -> None:
            self.tokens += output.prompt_tokens + output.generated_tokens + sum(output.token_counts)
            on_output(index, output)

        self.inner.run(requests, counted)

    def close(self) -> None:
        """The model stays open; it is not ours."""


def most_tokens(model: Model, request: Request) -> int:
    """The most tokens a request can take: a prompt or an option may have one more than its text alone."""
    options = sum(model.count_tokens(option) + 1 for option in request.options)
    return model.count_tokens(request.prompt) + 1 + options + request.samples * request.max_tokens
