"""Log-probabilities of options and targets: the requests to make and where the replies go in an Answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypedDict

from scalecurve.strategies.protocol import Question
from scalecurve.types import Example, Output, Request


class ScoredFields(TypedDict, total=False):
    """The fields of an ``Answer`` that scored options and targets fill."""

    options: tuple[str, ...]
    option_logprobs: tuple[float, ...]
    option_tokens: tuple[int, ...]
    option_greedy: tuple[bool, ...]
    target_logprobs: tuple[float, ...]
    target_tokens: tuple[int, ...]


class CountedFields(TypedDict):
    """The fields of an ``Answer`` that every reply adds to."""

    prompt_tokens: int
    generated_tokens: int
    flags: tuple[str, ...]


def scoring_requests(question: Question, prompt: str) -> dict[str, Request]:
    """What to score after ``prompt``: "options", and "targets" where they are not all among the options."""
    example, wants = question.query.example, question.wants
    requests: dict[str, Request] = {}
    if example.options and ("options" in wants or ("targets" in wants and _among_options(example))):
        requests["options"] = Request(prompt, options=example.options)
    if "targets" in wants and not _among_options(example):
        before = question.task.harness.target_delimiter if question.task.harness else ""
        requests["targets"] = Request(prompt, options=tuple(before + target for target in example.targets))
    return requests


def spaced_requests(question: Question, prompt: str) -> dict[str, Request]:
    """``scoring_requests`` after a ``prompt`` that ends in a word: a space goes before each option and target."""
    return {
        name: replace(request, options=tuple(" " + option for option in request.options))
        for name, request in scoring_requests(question, prompt).items()
    }


def scored_fields(question: Question, outputs: Mapping[str, Output]) -> ScoredFields:
    """The fields of an Answer that the replies to ``scoring_requests`` fill."""
    example, fields = question.query.example, ScoredFields()
    if "options" in outputs:
        reply = outputs["options"]
        fields |= {
            "options": example.options,
            "option_logprobs": reply.logprobs,
            "option_tokens": reply.token_counts,
            "option_greedy": reply.greedy,
        }
        if "targets" in question.wants and _among_options(example):
            at = [example.options.index(target) for target in example.targets]
            fields["target_logprobs"] = tuple(reply.logprobs[i] for i in at)
            fields["target_tokens"] = tuple(reply.token_counts[i] for i in at)
    if "targets" in outputs:
        fields["target_logprobs"] = outputs["targets"].logprobs
        fields["target_tokens"] = outputs["targets"].token_counts
    return fields


def accounting(*replies: Output, flags: Iterable[str] = ()) -> CountedFields:
    """Tokens summed over replies, and the replies' flags, each once, before the strategy's own ``flags``."""
    return {
        "prompt_tokens": sum(reply.prompt_tokens for reply in replies),
        "generated_tokens": sum(reply.generated_tokens for reply in replies),
        "flags": (*dict.fromkeys(flag for reply in replies for flag in reply.flags), *flags),
    }


def _among_options(example: Example) -> bool:
    return bool(example.options) and set(example.targets) <= set(example.options)
