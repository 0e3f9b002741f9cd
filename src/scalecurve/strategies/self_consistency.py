"""Self-consistency: several sampled chains vote on the answer (Wang et al. 2022, arXiv 2203.11171)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from scalecurve.errors import UserError
from scalecurve.strategies.chain_of_thought import chain_prompt, stop_strings
from scalecurve.strategies.protocol import Asking, Question, strategy
from scalecurve.strategies.scoring import accounting
from scalecurve.strategies.typed import respond, setting, type_of
from scalecurve.types import Answer, Output, Request

ENOUGH = Fraction(19, 20)


@strategy("self_consistency")
def self_consistency(question: Question) -> Asking:
    """Sample ``settings.samples`` chains (default 10) and answer what most of them conclude.

    Settings: ``samples``; ``temperature`` (default 0.7); ``vote``: ``majority`` or ``probability`` (each chain weighs
    its probability, normalised by length); ``adaptive`` (default false): chains are drawn one at a time until the
    leading answer is ahead for good (``lead_probability`` ≥ .95). Ties go to the answer that came first. Chains without
    an answer cast no vote; their number is in the flag ``unparsed:N``, the winner's votes in ``votes:V/N``. Without any
    vote there is no response.
    """
    task, wanted = question.task, setting(question, "samples", int, 10)
    vote = setting(question, "vote", str, "majority")
    temperature = setting(question, "temperature", float, 0.7)
    if vote not in ("majority", "probability"):
        raise UserError(f"settings.vote: {vote!r}: use majority or probability")
    if wanted < 1 or not temperature > 0:
        raise UserError("settings: samples must be at least 1 and temperature above 0")
    kind, prompt, seed = type_of(question), chain_prompt(question), setting(question, "seed", int, 0)
    adaptive = setting(question, "adaptive", bool, False)
    replies: list[Output] = []
    texts: list[str] = []
    answers: list[str | None] = []
    weights: list[float] = []
    while len(texts) < wanted and not (adaptive and settled(answers)):
        request = Request(
            prompt,
            max_tokens=question.step_tokens,
            stop=stop_strings(task),
            temperature=temperature,
            samples=1 if adaptive else wanted,
            seed=seed * 100_003 + len(texts),
        )
        (reply,) = yield (request,)
        replies.append(reply)
        texts += reply.texts
        cut = reply.cut or (False,) * len(reply.texts)
        answers += [
            respond(question, text, kind, few_shot=True, cut=short)
            for text, short in zip(reply.texts, cut, strict=True)
        ]
        weights += _weights(reply, vote)
    winner = elect(answers, weights)
    unparsed = answers.count(None)
    flags = [] if winner is None else [f"votes:{answers.count(winner)}/{len(answers)}"]
    flags += [f"unparsed:{unparsed}"] if unparsed else []
    return Answer(
        example_id=question.query.example.id,
        prompt=prompt,
        text=texts[answers.index(winner)],
        response=winner,
        samples=tuple(texts),
        **accounting(*replies, flags=flags),
    )


def elect(answers: Sequence[str | None], weights: Sequence[float]) -> str | None:
    """The answer of greatest total weight, the earliest of equals; None where there is no answer at all."""
    totals: dict[str, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            totals[answer] = totals.get(answer, 0.0) + weight
    return max(totals, key=totals.__getitem__, default=None)


def settled(answers: Sequence[str | None]) -> bool:
    """Whether the leading answer is ahead of the second for good (Adaptive-Consistency, arXiv 2305.11860)."""
    given = [answer for answer in answers if answer is not None]
    first, second, *_ = (*sorted((given.count(answer) for answer in set(given)), reverse=True), 0, 0)
    return lead_probability(first, second) >= ENOUGH


def lead_probability(first: int, second: int) -> Fraction:
    """P(Beta(first + 1, second + 1) > ½), exactly: the chance that the leader of two is the likelier answer."""
    n = first + second + 1
    return Fraction(sum(math.comb(n, k) for k in range(first + 1)), 2**n)


def _weights(reply: Output, vote: str) -> list[float]:
    if vote == "majority":
        return [1.0] * len(reply.texts)
    if not reply.text_logprobs:
        raise UserError("settings.vote: this model gives no log-probabilities of its texts; use majority")
    return [math.exp(math.fsum(each) / len(each)) if each else 1.0 for each in reply.text_logprobs]
