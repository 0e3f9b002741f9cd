"""Strategies: how a question is put to a model and what is made of the reply.

A strategy is a generator function in a module of ``scalecurve.strategies``, registered by ``@strategy``. It
yields a tuple of Requests, is sent the tuple of their Outputs, may do so again, and returns the Answer.

A stage that can come before any strategy is registered by ``@before`` and takes the strategy that follows as its second
argument: ``gate+direct`` is the stage ``gate``, then ``direct``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from scalecurve.errors import UserError
from scalecurve.strategies.shots import FewShotExample
from scalecurve.types import Answer, Output, Request, Task
from scalecurve.util.registry import only_one

STEP_TOKENS = 256
"""Of written-out steps. The papers allow 128 (Kojima et al. 2022), which cut a third of the chains, to 256."""

ANSWER_TOKENS = 32
"""Of an answer that is asked for after the steps (Kojima et al. 2022)."""

Asking = Generator[tuple[Request, ...], tuple[Output, ...], Answer]


@dataclass(frozen=True, slots=True)
class Question:
    """One query of a task, what is wanted of the answer ("options", "targets", "text"), and the study's settings."""

    task: Task
    query: FewShotExample
    wants: frozenset[str]
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def max_tokens(self) -> int:
        return self._limit("max_tokens") or self.task.max_tokens

    @property
    def step_tokens(self) -> int:
        """The limit of written-out steps: of the settings (``step_tokens``, ``max_tokens``), the task, or ours."""
        given = self._limit("step_tokens") or self._limit("max_tokens") or self.task.step_tokens
        return given or max(STEP_TOKENS, self.task.max_tokens)

    @property
    def answer_tokens(self) -> int:
        """The limit of an answer that is asked for after the steps: ``settings.answer_tokens``, or ANSWER_TOKENS."""
        return self._limit("answer_tokens") or ANSWER_TOKENS

    def _limit(self, name: str) -> int:
        given = self.settings.get(name)
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
            raise UserError(f"settings.{name}: {given!r}: give a whole number of at least 1")
        return given or 0

    @property
    def grammar(self) -> str:
        """What the final answer's text is held to (``Request.grammar``); "" where nothing is said."""
        return str(self.settings.get("grammar", ""))


Strategy = Callable[[Question], Asking]
Before = Callable[[Question, Strategy], Asking]
Check = Callable[[Mapping[str, object], Sequence[str]], None]
_STRATEGIES: dict[str, Strategy] = {}
_BEFORE: dict[str, Before] = {}
_LEAST_SHOTS: dict[str, int] = {}
_CHECKS: dict[str, Check] = {}
FILE_SETTINGS = ("controller",)


def strategy(name: str, check: Check | None = None, *, least_shots: int = 0) -> Callable[[Strategy], Strategy]:
    """Register a generator function as the strategy ``name``, which is asked with ``least_shots`` shots or more.

    ``check(settings, rungs)`` raises ``UserError`` for settings that cannot work with one of the rungs.
    """

    def register(function: Strategy) -> Strategy:
        only_one("strategy", name, _STRATEGIES.get(name), function)
        _STRATEGIES[name], _LEAST_SHOTS[name] = function, least_shots
        if check is not None:
            _CHECKS[name] = check
        return function

    return register


def before(name: str) -> Callable[[Before], Before]:
    """Register a stage that comes before another strategy, as in ``name+direct``."""

    def register(function: Before) -> Before:
        only_one("stage", name, _BEFORE.get(name), function)
        _BEFORE[name] = function
        return function

    return register


def least_shots(name: str) -> int:
    """The fewest shots that the strategy ``name`` makes sense with."""
    _load_all()
    return _LEAST_SHOTS.get(name.rpartition("+")[2], 0)


def check_settings(names: Iterable[str], settings: Mapping[str, object], rungs: Sequence[str]) -> None:
    """``UserError`` where one of the strategies cannot work with ``settings`` on one of the rungs."""
    _load_all()
    for name in names:
        if name in _CHECKS:
            _CHECKS[name](settings, rungs)


def determining(settings: Mapping[str, object]) -> dict[str, object]:
    """``settings`` as far as they determine answers: files by their content, not by their name."""
    content = {
        name: sha256(Path(str(settings[name])).read_bytes()).hexdigest() for name in FILE_SETTINGS if name in settings
    }
    return {**settings, **content}


def get_strategy(name: str) -> Strategy:
    """The strategy ``name``, or a stage and a strategy as ``stage+name``.

    ``UserError`` with the nearest names when there is none.
    """
    _load_all()
    stage, plus, rest = name.partition("+")
    if plus:
        if stage not in _BEFORE:
            raise UserError(f"strategies: {name!r}: {stage!r} is no stage before another; use {', '.join(_BEFORE)}")
        first, then = _BEFORE[stage], get_strategy(rest)
        return lambda question: first(question, then)
    if name not in _STRATEGIES:
        near = difflib.get_close_matches(name, _STRATEGIES, n=2)
        raise UserError(f"strategies: unknown strategy {name!r}; use {' or '.join(near or sorted(_STRATEGIES))}")
    return _STRATEGIES[name]


def strategy_names() -> tuple[str, ...]:
    """All strategies that come along, in alphabetical order."""
    _load_all()
    return tuple(sorted(_STRATEGIES))


@cache
def _load_all() -> None:
    from scalecurve import strategies

    for module in iter_modules(strategies.__path__):
        import_module(f"{strategies.__name__}.{module.name}")
    import_module("scalecurve.routing.dual")  # needs strategies itself, and so stands to their right
