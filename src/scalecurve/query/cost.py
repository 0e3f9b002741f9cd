"""What answers cost before they are asked for: calls, and tokens at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scalecurve.models import constrains, scores
from scalecurve.prompts import Question, get_strategy
from scalecurve.prompts.gate import dismissal_request, gate_request
from scalecurve.prompts.render import build_prompt
from scalecurve.prompts.strategies.zero_shot_cot import ANSWER_TOKENS
from scalecurve.query.calls import Tuple, question_of

if TYPE_CHECKING:
    from scalecurve.models.cached import CachedModel
    from scalecurve.nouns import Request, Rung
    from scalecurve.query.choose import Choice
    from scalecurve.query.shapes import Shape

STEP_TOKENS = 128  # longest chain of steps
TOGETHER = 2048  # rows whose requests are built and held at once
SAMPLED = 256  # rows of which tokens are counted, to estimate those of all
MARGIN = 2  # special tokens that begin and end a sequence
GATED = ("ai_ask", "ai_extract", "cell")
DISMISSALS = {"lab-": "unknown"}
"""Models, by the beginning of their names, that have learnt what to say to a question without an answer."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What asking would cost, nothing asked: ``cached`` rows, calls and tokens at most, seconds where known."""

    cached: int
    calls: int
    tokens: int
    seconds: float | None
    exact: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that one row can cost."""

    calls: int
    tokens: int

    def plus(self, other: Bound, times: int = 1) -> Bound:
        return Bound(self.calls + times * other.calls, self.tokens + times * other.tokens)


def row_question(shape: Shape, model: CachedModel, row: Tuple, settings: Mapping[str, Any] | None = None) -> Question:
    """The question of one row, held to its type's grammar where the model can be."""
    grammar = shape.asked.kind.grammar if constrains(model) else ""
    base = {"seed": shape.options.seed, "grammar": grammar}
    return question_of(shape.asked, shape.values(row), {**base, **(settings or {})}, scored=scores(model))


def row_gate(question: Question, rung: Rung) -> Request:
    """What tells whether the question can be answered: the model's own dismissal, or a dialogue of verdicts."""
    example = question.query.example
    dismissal = next((text for begin, text in DISMISSALS.items() if rung.name.startswith(begin)), "")
    return (
        dismissal_request(build_prompt(question.task, example), dismissal) if dismissal else gate_request(example.input)
    )


def gated(shape: Shape) -> bool:
    """Whether the gate comes before the questions of this shape."""
    return shape.options.gate and shape.asked.function in GATED


def strategy_of(shape: Shape, choice: Choice) -> str:
    """The query's name for how the shape is asked; free text is always asked for directly."""
    return "direct" if shape.asked.function == "ai_complete" else choice.strategy


def bound(shape: Shape, choice: Choice, model: CachedModel, row: Tuple) -> Bound:
    """The most that ``row`` can cost, without a cascade."""
    question = row_question(shape, model, row)
    scored = "options" in question.wants
    prompt = model.count_tokens(build_prompt(question.task, question.query.example, question.query.shots)) + MARGIN
    direct = Bound(1, prompt + (0 if scored else question.max_tokens))
    chain = Bound(1, prompt + STEP_TOKENS)
    second = Bound(1, prompt + STEP_TOKENS + 2 * ANSWER_TOKENS)
    steps = chain if choice.steps == "chain_of_thought" and not scored else chain.plus(second)
    strategy = strategy_of(shape, choice)
    if strategy == "direct":
        found = direct
    elif strategy == "cot":
        found = steps
    elif strategy == "auto":
        found = direct.plus(steps).plus(chain, choice.samples) if choice.steps else direct
    else:
        found = Bound(0, 0).plus(chain, choice.samples)
    if gated(shape):
        found = found.plus(Bound(1, model.count_tokens(row_gate(question, choice.rung).prompt) + MARGIN))
    return found


def estimate(shape: Shape, choice: Choice, model: CachedModel, rows: Sequence[Tuple], speed: float | None) -> Estimate:
    """What asking ``rows`` would cost. ``speed``: seconds a token so far, where known."""
    strategy = strategy_of(shape, choice)
    plain = strategy in ("direct", "cot") or (strategy == "auto" and not choice.steps)
    sampled = Bound(0, 0)
    for row in rows[:SAMPLED]:
        sampled = sampled.plus(bound(shape, choice, model, row))
    calls, cached = sampled.calls * len(rows) // min(len(rows), SAMPLED), 0  # any row can cost as many calls
    exact = plain and not gated(shape)
    for begin in range(0, len(rows), TOGETHER) if exact else ():
        left = _outstanding(shape, choice, model, rows[begin : begin + TOGETHER])
        calls = sum(left) + (calls if begin else 0)
        cached += left.count(0)
    tokens = sampled.tokens * calls // sampled.calls
    exact = exact and shape.options.budget is None
    return Estimate(cached, calls, tokens, None if speed is None else speed * tokens, exact)


def _outstanding(shape: Shape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]) -> list[int]:
    """For each row, the calls that are not in the cache: after an unknown answer, all of them."""
    strategy = choice.steps if strategy_of(shape, choice) == "cot" else "direct"
    settings = {} if strategy == "direct" else {"max_tokens": STEP_TOKENS}
    questions = [row_question(shape, model, row, settings) for row in rows]
    found = []
    generators = [get_strategy(strategy)(question) for question in questions]
    firsts = [next(generator) for generator in generators]
    known = iter(model.known([request for requests in firsts for request in requests]))
    for question, generator, requests in zip(questions, generators, firsts, strict=True):
        outputs = tuple(output for output in [next(known) for _ in requests] if output is not None)
        second = strategy == "zero_shot_cot" or (strategy == "chain_of_thought" and "options" in question.wants)
        if len(outputs) < len(requests):
            found.append(2 if second else 1)
        elif second:
            found.append(sum(output is None for output in model.known(generator.send(outputs))))
        else:
            found.append(0)
        generator.close()
    return found
