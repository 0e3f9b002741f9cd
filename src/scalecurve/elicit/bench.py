"""Asking candidates the same questions, all of them in one batch, and keeping every finished batch.

A batch is one call of ``drive``: at each stage the model sees the requests of all candidates and questions together,
so that what they share is computed once. A finished batch is a file named after a hash of all that determines its
answers. A search that is stopped and started again reads the finished ones and asks the one it was in as a whole, so
that it ends with the same numbers.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from scalecurve.elicit.budget import Meter, OverBudget, SearchBudget, most_tokens
from scalecurve.elicit.space import Candidate
from scalecurve.metrics import needed, score
from scalecurve.models import Model
from scalecurve.store.atomic import write_bytes
from scalecurve.strategies import Asking, FewShotExample, Question, ask_as
from scalecurve.strategies.driver import drive
from scalecurve.types import Answer, Example, Task

FORMAT = 1
TIE = "option_probability"
SAY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Mark:
    """What one candidate made of one question: the score (higher is better; None: no answer), the probability of the
    right options, whether an answer was found in the text (None: no text), tokens in and out."""

    value: float | None
    tie: float | None
    found: bool | None
    tokens: int


class _Batch(TypedDict):
    """A finished batch as its file holds it; each of ``marks`` has the fields of a ``Mark``."""

    tokens: int
    opening: float
    seconds: float
    marks: list[tuple[float | None, float | None, bool | None, int]]


@dataclass(slots=True)
class Bench:
    """One task before one model: every mark so far, by candidate and example id.

    ``pace``: seconds a token took in the last batch.
    """

    task: Task
    metric: str
    higher_is_better: bool
    seed: int
    folder: Path
    open_model: Callable[[], Model]
    say: Callable[[str], None] = lambda text: None
    marks: dict[tuple[str, str], Mark] = field(default_factory=dict)
    pace: float = 0.0

    def ask(self, candidates: Sequence[Candidate], items: Sequence[Example], budget: SearchBudget) -> bool:
        """Ask what is not known yet. False, with nothing learnt, when ``budget`` does not allow for it."""
        asked = [(c, item) for c in candidates for item in items if (c.name, item.id) not in self.marks]
        if not asked:
            return True
        began = time.monotonic()
        path = self.folder / f"{self._key(asked)}.json"
        batch = _read(path) or self._compute(path, asked, budget, time.monotonic() - began)
        budget.spend(batch["tokens"], batch["opening"] + batch["seconds"])
        self.pace = batch["seconds"] / batch["tokens"] if batch["tokens"] else self.pace
        for (candidate, item), mark in zip(asked, batch["marks"], strict=False):
            self.marks[candidate.name, item.id] = Mark(*mark)
        return bool(batch["marks"])

    def _compute(
        self, path: Path, asked: Sequence[tuple[Candidate, Example]], budget: SearchBudget, opening: float
    ) -> _Batch:
        """Ask; ``opening`` are the seconds it took to open the model."""
        allowance = None if budget.tokens is None else budget.tokens - budget.spent_tokens
        meter, began = Meter(self.open_model(), allowance), time.monotonic()
        generators = [self._asking(candidate, item) for candidate, item in asked]
        try:
            answers = drive(meter, [item.id for _, item in asked], generators, self._progress())
        except OverBudget:
            return {"tokens": meter.tokens, "opening": opening, "seconds": time.monotonic() - began, "marks": []}
        marks = [self._mark(item, answer) for (_, item), answer in zip(asked, answers, strict=True)]
        rows = [(mark.value, mark.tie, mark.found, mark.tokens) for mark in marks]
        seconds = time.monotonic() - began
        batch: _Batch = {"tokens": meter.tokens, "opening": opening, "seconds": seconds, "marks": rows}
        write_bytes(path, json.dumps(batch).encode())
        return batch

    def _progress(self) -> Callable[[int, int], None]:
        """Says now and then how many of a stage's requests are answered."""
        said = time.monotonic()

        def heard(done: int, total: int) -> None:
            nonlocal said
            if time.monotonic() - said > SAY_SECONDS:
                said = time.monotonic()
                self.say(f"    {done} of {total} requests")

        return heard

    def _asking(self, candidate: Candidate, item: Example) -> Asking:
        settings = {"seed": self.seed}
        return ask_as(candidate.prompt, Question(self.task, FewShotExample(item), self._wants, settings))

    @property
    def _wants(self) -> frozenset[str]:
        return needed([self.metric])

    def _mark(self, item: Example, answer: Answer) -> Mark:
        value = score(self.task, item, answer, self.metric)
        tie = score(self.task, item, answer, TIE) if answer.option_logprobs else None
        found = None if answer.text is None or answer.error else bool(answer.response)
        tokens = answer.prompt_tokens + answer.generated_tokens + sum(answer.option_tokens)
        return Mark(value if value is None or self.higher_is_better else -value, tie, found, tokens)

    def _key(self, asked: Sequence[tuple[Candidate, Example]]) -> str:
        determines = [
            FORMAT,
            self.open_model().fingerprint,
            self.task.fingerprint,
            self.task.max_tokens,
            self.metric,
            self.seed,
            [[candidate.prompt.digest, item.id] for candidate, item in asked],
        ]
        return hashlib.sha256(json.dumps(determines).encode()).hexdigest()[:16]

    # ── What is known ───────────────────────────────────────────────────────────────────────────────────────
    def foreseen(self, candidate: Candidate, item: Example) -> int:
        """The most tokens ``candidate`` may take for one question, judged by its first stage, without asking it."""
        asking = self._asking(candidate, item)
        model = self.open_model()
        first = sum(most_tokens(model, request) for request in next(asking))
        asking.close()
        return first * (1 if candidate.prompt.strategy in ("direct", "few_shot") else 2)

    def known(self, candidate: Candidate, items: Iterable[Example]) -> list[Mark]:
        return [self.marks[candidate.name, item.id] for item in items if (candidate.name, item.id) in self.marks]

    def mean_tokens(self, candidate: Candidate, items: Iterable[Example]) -> float:
        marks = self.known(candidate, items)
        return math.fsum(mark.tokens for mark in marks) / len(marks) if marks else 0.0

    def rank(self, candidate: Candidate, items: Iterable[Example]) -> tuple[float, float, float]:
        """Mean score, then mean probability of the right options, then fewest tokens; greater is better."""
        marks = self.known(candidate, items)
        values = [mark.value for mark in marks if mark.value is not None]
        ties = [mark.tie for mark in marks if mark.tie is not None]
        cost = math.fsum(mark.tokens for mark in marks) / max(len(marks), 1)
        return (_mean(values), _mean(ties), -cost)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else -math.inf


def _read(path: Path) -> _Batch | None:
    try:
        batch: _Batch = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return batch
