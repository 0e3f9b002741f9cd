"""Hindsight neglect: is a bet judged by what it promised, or by how it happened to end?"""

from __future__ import annotations

import random

from scalecurve.tasks.inverse.pairs import NAMES, TrapItem, TrapPair, kind

SHOTS = 3
CLEAR = 0.3
"""Least |expected gain| of a bet, as a share of the larger amount at stake, so that the right answer is plain."""

FORM = (
    "{name} may play a game. With a chance of {p}% the player wins {gain} dollars, otherwise the player loses {loss} "
    "dollars. {name} plays and {outcome} dollars. Was it right of {name} to play?\nAnswer:"
)


@kind(
    "hindsight_neglect",
    "A good bet that was lost or a bad one that was won, after bets whose ends fit.",
    "the last bet ends as it promised.",
)
def hindsight_neglect(rng: random.Random) -> TrapPair:
    first = rng.random() < 0.5
    wise = [first, not first, rng.random() < 0.5, rng.random() < 0.5]
    names = rng.sample(NAMES, SHOTS + 1)
    bets = [_bet(rng, good) for good in wise]
    shown = [
        f"{_text(name, bet, won=good)} {'Yes' if good else 'No'}"
        for name, bet, good in zip(names[:SHOTS], bets, wise, strict=False)
    ]
    head = "\n\n".join(shown)
    good, last = wise[SHOTS], bets[SHOTS]
    trap, control = (f"{head}\n\n{_text(names[SHOTS], last, won=won)}" for won in (not good, good))
    answer = 0 if good else 1
    return TrapPair(TrapItem(trap, (" Yes", " No"), answer), TrapItem(control, (" Yes", " No"), answer))


def _bet(rng: random.Random, good: bool) -> tuple[int, int, int]:
    """(per cent, gain, loss) of a bet that is clearly good or clearly bad."""
    while True:
        p, gain, loss = rng.choice(range(5, 100, 5)), rng.choice(range(5, 105, 5)), rng.choice(range(5, 105, 5))
        expected = (p * gain - (100 - p) * loss) / 100
        if (expected if good else -expected) >= CLEAR * max(gain, loss):
            return p, gain, loss


def _text(name: str, bet: tuple[int, int, int], *, won: bool) -> str:
    p, gain, loss = bet
    outcome = f"wins {gain}" if won else f"loses {loss}"
    return FORM.format(name=name, p=p, gain=gain, loss=loss, outcome=outcome)
