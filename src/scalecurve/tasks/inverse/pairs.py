"""Pairs of questions, one with a trap and one without: what every generator in ``kinds`` makes.

A kind is a function from a random generator to a ``TrapPair``, registered by ``@kind`` in a module of its own. The two
questions of a pair differ in the trap alone: the same text but for it, and the same two answers to choose from. So the
difference between the scores is the trap's work and not that of an unlucky question.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from scalecurve.errors import UserError


@dataclass(frozen=True, slots=True)
class TrapItem:
    """A prompt, the classes that may follow it (each begins with a space), and which of them is right."""

    prompt: str
    classes: tuple[str, ...]
    answer: int


@dataclass(frozen=True, slots=True)
class TrapPair:
    """The same question with and without its trap."""

    trap: TrapItem
    control: TrapItem


Draw = Callable[[random.Random], TrapPair]


@dataclass(frozen=True, slots=True)
class TrapKind:
    """``about`` says what the trap is, ``control`` what stands in its place."""

    name: str
    about: str
    control: str
    draw: Draw


PATIENCE = 500  # draws in a row that bring nothing new, after which a kind is taken to have no more

_KINDS: dict[str, TrapKind] = {}


def kind(name: str, about: str, control: str) -> Callable[[Draw], Draw]:
    """Register a function that draws one pair as the kind ``name``."""

    def register(draw: Draw) -> Draw:
        _KINDS[name] = TrapKind(name, about, control, draw)
        return draw

    return register


@cache
def all_kinds() -> Mapping[str, TrapKind]:
    """Every kind by name, in alphabetical order."""
    package = import_module("scalecurve.tasks.inverse.kinds")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_KINDS.items()))


def draw_pairs(kind: TrapKind, n: int, seed: int = 0) -> list[TrapPair]:
    """``n`` different pairs of a kind, the same for the same seed. ``UserError`` when it has no more of them."""
    rng = random.Random(f"inverse|{kind.name}|{seed}")
    found: dict[str, TrapPair] = {}
    in_vain = 0
    while len(found) < n and in_vain < PATIENCE:
        pair = kind.draw(rng)
        in_vain = in_vain + 1 if pair.trap.prompt in found else 0
        found.setdefault(pair.trap.prompt, pair)
    if len(found) < n:
        raise UserError(f"task 'inverse:{kind.name}': has only about {len(found)} different questions; ask for fewer")
    return list(found.values())


# ── What the kinds share ─────────────────────────────────────────────────────────────────────────────────────
NAMES = (
    "Ada Boris Clara Daniel Elif Farid Grace Hugo Ines Jonas Kofi Lena Marek Nadia Omar Petra Rosa Samir Tessa Viktor"
).split()


def classes_of(rng: random.Random, right: str, wrong: str) -> tuple[tuple[str, str], int]:
    """The two answers in random order, each after a space, and the place of the right one."""
    answer = rng.randrange(2)
    pair = (wrong, right) if answer else (right, wrong)
    return (f" {pair[0]}", f" {pair[1]}"), answer


def a(word: str) -> str:
    """``word`` after its indefinite article, by its first letter."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
