"""The cheapest rung that is surely good enough, by measured ability."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scalecurve.analysis.stats.errors import wilson
from scalecurve.errors import UserError


@dataclass(frozen=True, slots=True)
class Ability:
    """How often a rung with a strategy was right on ``n`` stored items, and its cost (tokens or seconds an answer).

    ``uplift_low`` is the lower end of the paired interval of its gain over direct answers; None where not measured.
    """

    rung: str
    strategy: str
    correct: int
    n: int
    chance: float
    cost: float
    uplift_low: float | None = None


def wilson_lower(correct: int, n: int) -> float:
    """Lower end of Wilson's 95 % score interval (1927) of a share; 0 for no items."""
    return wilson(correct, n)[0] if correct or n else 0.0


def choose(abilities: Iterable[Ability], min_accuracy: float) -> Ability:
    """The cheapest whose Wilson bound reaches ``min_accuracy`` and exceeds chance; UserError where none does.

    A strategy other than ``direct`` must have an uplift that is surely above zero.
    """
    passing = [
        each
        for each in abilities
        if wilson_lower(each.correct, each.n) >= min_accuracy
        and wilson_lower(each.correct, each.n) > each.chance
        and (each.strategy == "direct" or (each.uplift_low or 0.0) > 0.0)
    ]
    if not passing:
        raise UserError(f"query: no rung passes min_accuracy {min_accuracy:g}; lower it or measure more items")
    return min(passing, key=lambda each: (each.cost, each.rung, each.strategy))
