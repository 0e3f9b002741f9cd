"""Strategies: how a question is put to a model and what is made of the reply.

A strategy is a generator function in a module of ``scalecurve.prompts.strategies``, registered by ``@strategy``. It
yields a tuple of Requests, is sent the tuple of their Outputs, may do so again, and returns the Answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from scalecurve.nouns import Answer, Output, Request, Task, UserError
from scalecurve.prompts.shots import Query

Asking = Generator[tuple[Request, ...], tuple[Output, ...], Answer]


@dataclass(frozen=True, slots=True)
class Question:
    """One query of a task, what is wanted of the answer ("options", "targets", "text"), and the study's settings."""

    task: Task
    query: Query
    wants: frozenset[str]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def max_tokens(self) -> int:
        return int(self.settings.get("max_tokens") or self.task.max_tokens)

    @property
    def grammar(self) -> str:
        """What the final answer's text is held to (``Request.grammar``); "" where nothing is said."""
        return str(self.settings.get("grammar", ""))


Strategy = Callable[[Question], Asking]
_STRATEGIES: dict[str, Strategy] = {}


def strategy(name: str) -> Callable[[Strategy], Strategy]:
    """Register a generator function as the strategy ``name``."""

    def register(function: Strategy) -> Strategy:
        _STRATEGIES[name] = function
        return function

    return register


def get_strategy(name: str) -> Strategy:
    """The strategy ``name``; ``UserError`` with the nearest names when there is none."""
    _load_all()
    if name not in _STRATEGIES:
        near = difflib.get_close_matches(name, _STRATEGIES, n=2)
        raise UserError(f"strategies: unknown strategy {name!r}; use {' or '.join(near or sorted(_STRATEGIES))}")
    return _STRATEGIES[name]


def strategy_names() -> tuple[str, ...]:
    _load_all()
    return tuple(sorted(_STRATEGIES))


@cache
def _load_all() -> None:
    from scalecurve.prompts import strategies

    for module in iter_modules(strategies.__path__):
        import_module(f"{strategies.__name__}.{module.name}")
