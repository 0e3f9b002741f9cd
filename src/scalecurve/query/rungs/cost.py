"""What answers cost before they are asked for: calls, and tokens at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scalecurve.query.answers.aggregate import PART, first_prompts, later_calls, next_prompts
from scalecurve.query.answers.calls import Tuple, question_of
from scalecurve.query.answers.values import SUMMARY
from scalecurve.strategies import Question, get_strategy
from scalecurve.strategies.gating import dismissal_request, gate_request
from scalecurve.strategies.protocol import ANSWER_TOKENS
from scalecurve.strategies.render import build_prompt

if TYPE_CHECKING:
    from scalecurve.models.cached import CachedModel
    from scalecurve.query.answers.call_cache import CallShape
    from scalecurve.query.rungs.choose import Choice
    from scalecurve.types import Request, Rung

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
class CostBound:
    """The most that one row can cost."""

    calls: int
    tokens: int

    def plus(self, other: CostBound, times: int = 1) -> CostBound:
        return CostBound(self.calls + times * other.calls, self.tokens + times * other.tokens)


def row_question(
    shape: CallShape, model: CachedModel, row: Tuple, settings: Mapping[str, object] | None = None
) -> Question:
    """The question of one row, held to its type's grammar where the model can be."""
    grammar = shape.asked.kind.grammar if model.constrains else ""
    base = {"seed": shape.options.seed, "grammar": grammar}
    picks = model.picks and not settings  # after written steps nothing begins a reply
    return question_of(shape.asked, shape.values(row), base | dict(settings or {}), scores=model.scores, picks=picks)


def row_gate(question: Question, rung: Rung) -> Request:
    """What tells whether the question can be answered: the model's own dismissal, or a dialogue of verdicts."""
    example = question.query.example
    dismissal = next((text for begin, text in DISMISSALS.items() if rung.name.startswith(begin)), "")
    return (
        dismissal_request(build_prompt(question.task, example), dismissal) if dismissal else gate_request(example.input)
    )


def gated(shape: CallShape) -> bool:
    """Whether the gate comes before the questions of this shape."""
    return shape.options.gate and shape.asked.function in GATED


def strategy_of(shape: CallShape, choice: Choice) -> str:
    """The query's name for how the shape is asked; free text is always asked for directly."""
    return "direct" if shape.asked.function == "ai_complete" else choice.strategy


def bound(shape: CallShape, choice: Choice, model: CachedModel, row: Tuple) -> CostBound:
    """The most that ``row`` can cost, without a cascade."""
    if shape.asked.function == "ai_agg":
        return _aggregate_bound(shape, model, row)
    question = row_question(shape, model, row)
    scored, direct = "options" in question.wants, _direct(question, model)
    prompt = direct.tokens - (0 if scored else question.max_tokens)
    chain = CostBound(1, prompt + STEP_TOKENS)
    second = CostBound(1, prompt + STEP_TOKENS + 2 * ANSWER_TOKENS)
    steps = chain if choice.steps == "chain_of_thought" and not scored else chain.plus(second)
    strategy = strategy_of(shape, choice)
    if strategy == "direct":
        found = direct
    elif strategy == "cot":
        found = steps
    elif strategy == "auto":
        found = direct.plus(steps).plus(chain, choice.samples) if choice.steps else direct
    else:
        found = CostBound(0, 0).plus(chain, choice.samples)
    if gated(shape):
        found = found.plus(CostBound(1, model.count_tokens(row_gate(question, choice.rung).prompt) + MARGIN))
    return found


def _aggregate_bound(shape: CallShape, model: CachedModel, row: Tuple) -> CostBound:
    """Of a group: each question about its texts, and as many about answers as there must be."""
    part = replace(shape, asked=PART)
    found = CostBound(0, 0)
    prompts = first_prompts(row, shape.asked, model.count_tokens)
    for prompt in prompts:
        found = found.plus(_direct(row_question(part, model, (prompt,)), model))
    (empty,) = next_prompts(row, shape.asked, [""], model.count_tokens)
    frame = _direct(row_question(part, model, (empty,)), model)
    left = len(prompts)
    for questions in later_calls(len(prompts)):
        found = found.plus(CostBound(questions, questions * frame.tokens + left * (SUMMARY.max_tokens + 2 * MARGIN)))
        left = questions
    return found


def _direct(question: Question, model: CachedModel) -> CostBound:
    """One call, of which what is written counts too unless options are scored."""
    prompt = model.count_tokens(build_prompt(question.task, question.query.example, question.query.shots)) + MARGIN
    return CostBound(1, prompt + (0 if "options" in question.wants else question.max_tokens))


def _estimate_groups(shape: CallShape, model: CachedModel, rows: Sequence[Tuple], speed: float | None) -> Estimate:
    """Of ``ai_agg``: exact where no question is known already and none is asked twice."""
    part, bounds = replace(shape, asked=PART), [_aggregate_bound(shape, model, row) for row in rows]
    prompts = [prompt for row in rows for prompt in first_prompts(row, shape.asked, model.count_tokens)]
    firsts = [next(get_strategy("direct")(row_question(part, model, (prompt,)))) for prompt in dict.fromkeys(prompts)]
    known = sum(output is not None for output in model.known([request for some in firsts for request in some]))
    calls = sum(each.calls for each in bounds) - known - (len(prompts) - len(firsts))
    tokens = sum(each.tokens for each in bounds)
    plain = not known and len(firsts) == len(prompts)
    exact = (plain or not calls) and shape.options.budget is None
    return Estimate(0, calls, tokens, None if speed is None else speed * tokens, exact)


def estimate(
    shape: CallShape, choice: Choice, model: CachedModel, rows: Sequence[Tuple], speed: float | None
) -> Estimate:
    """What asking ``rows`` would cost. ``speed``: seconds a token so far, where known."""
    if shape.asked.function == "ai_agg":
        return _estimate_groups(shape, model, rows, speed)
    strategy = strategy_of(shape, choice)
    plain = strategy in ("direct", "cot") or (strategy == "auto" and not choice.steps)
    sampled = CostBound(0, 0)
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


def _outstanding(shape: CallShape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]) -> list[int]:
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
