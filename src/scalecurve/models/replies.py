"""What is read of a reply of /completions and /chat/completions, and what of it is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scalecurve.types import Request

HIGHEST = 1e-3  # nats: a log-probability that rounding lifts above 0


class Refused(Exception):
    """The server does not do what was asked, and never will."""


def some_choices(choices: Sequence[Any], request: Request) -> Sequence[Any]:
    """The choices, which are texts and no more than asked for; ``Refused`` where one was cut by a filter."""
    if not choices:
        raise ValueError("it holds no choice")
    if len(choices) > request.samples:
        raise Refused(f"the server gave {len(choices)} texts where {request.samples} were asked for")
    if any(choice.finish_reason == "content_filter" for choice in choices):
        raise Refused("the server's content filter cut the text")
    return choices


def said(choice: Any) -> str:
    """The text of a chat's turn; ``Refused`` where there is none, which is no answer and not an empty one.

    A turn of thinking alone has an empty text.
    """
    message = choice.message
    if message.content is None and not getattr(message, "refusal", None) and thought(message):
        return ""
    if message.content is None:
        why = "it refused" if getattr(message, "refusal", None) else "its tokens may have gone into thinking"
        raise Refused(f"the model gave no text ({why}); max_tokens and the prompt are the study's")
    if not isinstance(message.content, str):
        raise TypeError("a choice has no text")
    return message.content


def thought(message: object) -> str:
    """What a chat's turn holds of thinking, by either name that servers have for it; "" for none."""
    found = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
    if found is not None and not isinstance(found, str):
        raise TypeError("its reasoning is no text")
    return found or ""


def cut(choices: Sequence[Any], *, chat: bool = False) -> tuple[bool, ...]:
    """Whether each text was cut: by its limit, or (of a chat) while it was still thinking."""
    return tuple(
        choice.finish_reason == "length" or (chat and not said(choice) and bool(thought(choice.message)))
        for choice in choices
    )


def check_logprobs(values: Sequence[Any]) -> None:
    """``Refused`` where one is no logarithm of a probability (rounding aside)."""
    if any(isinstance(value, bool) or not math.isfinite(value) or value > HIGHEST for value in values):
        raise Refused("the server told a log-probability that is not a number, or above 0")


def token_logprobs(told: object) -> tuple[float, ...]:
    """Log-probabilities of a text's tokens, as OpenAI's completions tell them or as llama.cpp does; empty if untold."""
    values, tokens = getattr(told, "token_logprobs", None), getattr(told, "tokens", None)
    if values is None:
        values = [each.get("logprob") for each in getattr(told, "content", None) or ()]
    elif tokens is not None and len(values) != len(tokens):
        raise Refused(f"the server told {len(values)} log-probabilities for {len(tokens)} tokens")
    known = [value for value in values if value is not None]
    check_logprobs(known)
    return tuple(map(float, known))


def begun(choice: Any, options: Sequence[str]) -> tuple[tuple[float, ...], float]:
    """The log-probability that a chat's reply begins with each option, and that of its likeliest beginning.

    A token counts for the option that it is the beginning of, in either case; options differ in their first letter. An
    option that no token begins is at most as likely as the least likely token told, and is given that. ``Refused``
    where that is so of all.
    """
    content = getattr(choice.logprobs, "content", None) if choice.logprobs else None
    tops = [(each.token, each.logprob) for each in content[0].top_logprobs] if content else []
    if not tops:
        raise Refused("the server tells no top_logprobs of a chat; leave top_logprobs out of the options")
    check_logprobs([value for _, value in tops])
    least, found = min(value for _, value in tops), list[float]()
    for option in options:
        told = option.strip().lower()
        own = [value for token, value in tops if token.strip() and told.startswith(token.strip().lower())]
        found.append(math.log(math.fsum(map(math.exp, own))) if own else -math.inf)
    if not any(map(math.isfinite, found)):
        raise Refused(f"none of the options is among the {len(tops)} likeliest beginnings of the reply")
    return tuple(max(value, least) for value in found), max(value for _, value in tops)


def offsets(tokens: Sequence[str]) -> list[int]:
    """Where each token begins in the text they make, in characters."""
    starts = [0]
    for token in tokens[:-1]:
        starts.append(starts[-1] + len(token))
    return starts
