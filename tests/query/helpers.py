"""Models whose answers follow a rule, and that count what they are asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scalecurve.models import Model
from scalecurve.query.session import Session
from scalecurve.types import Output, Request

Rule = Callable[[str], str]  # from the question, as it stands between "Q: " and "A: ", to the answer


class Told(Model):
    """Answers by ``rule``. ``asked`` are the questions of all requests; ``size`` its parameters."""

    scores = True
    picks = False

    def __init__(self, rule: Rule, name: str = "told", *, size: int = 1000, confidence: float = 0.9) -> None:
        self.rule = rule
        self.name = name
        self.size = size
        self.confidence = confidence
        self.fingerprint = hashlib.sha256(f"{name}|{id(self)}".encode()).hexdigest()
        self.asked: list[str] = []

    def parameters(self) -> tuple[int, int]:
        return self.size, self.size

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        import math

        for index, request in enumerate(requests):
            question = request.prompt.removeprefix("\nQ: ").removesuffix("\nA: ")
            self.asked.append(question)
            said = self.rule(question)
            tokens = self.count_tokens(request.prompt)
            if said.startswith("!"):
                on_output(index, Output(error=said[1:]))
            elif request.options:
                rest = (1 - self.confidence) / max(1, len(request.options) - 1)
                logs = [math.log(self.confidence if o == said else rest) for o in request.options]
                on_output(index, Output(logprobs=tuple(logs), token_counts=(1,) * len(logs), prompt_tokens=tokens,
                                        greedy=(False,) * len(logs)))  # fmt: skip
            else:
                texts = (said,) * request.samples
                on_output(index, Output(texts=texts, text_logprobs=((-0.1,),) * request.samples, prompt_tokens=tokens,
                                        generated_tokens=len(said.split())))  # fmt: skip

    def close(self) -> None:
        pass


def session(model: Told | Sequence[Told], tables: Mapping[str, Any] | None = None, **more: Any) -> Session:
    """A session that asks ``model``, or the ladder of several."""
    models = [model] if isinstance(model, Told) else list(model)
    default = models[0].name if len(models) == 1 else "given"
    return Session(default, attach=tables, models={each.name: each for each in models}, **more)


def rows(session: Session, text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    return session.run(text, parameters).pl().rows()
