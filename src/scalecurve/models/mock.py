"""A deterministic model without weights, for tests and dry runs.

By default it is the model of the golden BIG-bench evaluations: with h(s) the first 8 bytes of SHA-256(s) as a
fraction, log P(option | prompt) = −10·h(prompt + U+001F + option), and a generation is "" when h(prompt) < 0.5, else
"no idea". With ``options = {ability = 0.8, answers = {…}}`` it knows a share of the answers: the model gives the
listed answer of a prompt's last line when h(prompt) < ability.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scalecurve.models import Model
from scalecurve.models.backend import backend
from scalecurve.types import Output, Request, Rung


def fraction(text: str) -> float:
    """A number in [0, 1) that is the text's own."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


class MockModel(Model):
    """See the module's description."""

    def __init__(self, rung: Rung) -> None:
        self.name = rung.name
        self._rung = rung
        self._ability = float(rung.options.get("ability", 0.0))
        answers = rung.options.get("answers", {})
        self._answers: Mapping[str, str] = answers if isinstance(answers, Mapping) else {}
        said = json.dumps([rung.location, self._ability, sorted(self._answers.items())])
        self.fingerprint = hashlib.sha256(said.encode()).hexdigest()

    def parameters(self) -> tuple[int, int]:
        return self._rung.params_non_embedding or 0, self._rung.params_total or 0

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        for index, request in enumerate(requests):
            on_output(index, self._score(request) if request.options else self._generate(request))

    def _known(self, prompt: str) -> str | None:
        if fraction(prompt) >= self._ability:
            return None
        return next((answer for question, answer in self._answers.items() if question in prompt), None)

    def _score(self, request: Request) -> Output:
        known = self._known(request.prompt)
        logprobs = [-10 * fraction(f"{request.prompt}\x1f{option}") for option in request.options]
        if known is not None:
            logprobs = [-0.1 if option.strip() == known else -10.0 for option in request.options]
        return Output(
            logprobs=tuple(logprobs),
            token_counts=tuple(max(1, self.count_tokens(option)) for option in request.options),
            greedy=tuple(math.isclose(value, max(logprobs)) for value in logprobs),
            prompt_tokens=self.count_tokens(request.prompt),
        )

    def _generate(self, request: Request) -> Output:
        known = self._known(request.prompt)
        text = known if known is not None else ("" if fraction(request.prompt) < 0.5 else "no idea")
        cuts = [at for at in (text.find(stop) for stop in request.stop if stop) if at >= 0]
        text = text[: min(cuts)] if cuts else text
        logprobs = tuple(-0.5 for _ in text.split())
        return Output(
            texts=(text,) * request.samples,
            text_logprobs=(logprobs,) * request.samples,
            prompt_tokens=self.count_tokens(request.prompt),
            generated_tokens=len(logprobs),
        )


@backend("mock")
def open_mock(rung: Rung, **_: Any) -> MockModel:
    return MockModel(rung)
