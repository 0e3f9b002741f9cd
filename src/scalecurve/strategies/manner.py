"""How every text of a question is asked for, whatever the strategy: with how much thinking, and how hard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from scalecurve.errors import UserError
from scalecurve.strategies.protocol import Asking
from scalecurve.types import Answer, Request

TEMPERATURE = 0.7
"""Of repeats, where the settings name none; the same as self_consistency's."""


@dataclass(frozen=True, slots=True)
class Manner:
    """``thinking_tokens`` a model may think before each text, on top of its limit; ``effort``: the level of reasoning
    asked of models that have levels. ``repeat`` numbers the times a question is asked (None: it is asked once, as the
    strategy says); each is sampled for itself, at ``temperature`` where the strategy would write greedily."""

    thinking_tokens: int = 0
    effort: str = ""
    repeat: int | None = None
    temperature: float = TEMPERATURE

    def of(self, request: Request) -> Request:
        if request.options:
            return request
        if self.repeat is not None:
            seed = request.seed + 1_000_003 * self.repeat  # far from the seeds that strategies count up themselves
            request = replace(request, temperature=request.temperature or self.temperature, seed=seed)
        return replace(
            request,
            thinking_tokens=request.thinking_tokens or self.thinking_tokens,
            effort=request.effort or self.effort,
        )


def manner_of(settings: Mapping[str, object], repeat: int | None = None) -> Manner:
    """What ``settings`` say (``thinking_tokens``, ``effort``, and of repeats ``temperature``).

    ``UserError`` for values of another kind.
    """
    tokens, effort = settings.get("thinking_tokens", 0), settings.get("effort", "")
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0:
        raise UserError(f"settings.thinking_tokens: {tokens!r}: give a whole number of tokens, 0 for no thinking")
    if not isinstance(effort, str):
        raise UserError(f'settings.effort: {effort!r}: give a level as text, such as "low"')
    if repeat is None:
        return Manner(tokens, effort)
    warmth = settings.get("temperature", TEMPERATURE)
    if isinstance(warmth, bool) or not isinstance(warmth, int | float) or warmth <= 0:
        raise UserError(f"settings.temperature: {warmth!r}: repeats are sampled, which needs a number above 0")
    return Manner(tokens, effort, repeat, float(warmth))


def in_manner(asking: Asking, manner: Manner) -> Asking:
    """The conversation ``asking`` with every text asked for in ``manner``."""
    if manner == Manner():
        return (yield from asking)
    try:
        requests = next(asking)
        while True:
            changed = isinstance(requests, tuple) and all(isinstance(one, Request) for one in requests)
            outputs = yield tuple(map(manner.of, requests)) if changed else requests
            requests = asking.send(outputs)
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer
    finally:
        asking.close()
