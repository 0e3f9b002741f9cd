"""Significant figures: is a number rounded to figures as asked, or to decimal places, which is the commoner request?"""

from __future__ import annotations

import random
from decimal import Decimal

from scalecurve.tasks.inverse.pairs import TrapItem, TrapPair, kind

FORMS = (
    "Which is {x} rounded to {n} {unit}?\nA. {first}\nB. {second}\nAnswer:",
    "Round {x} to {n} {unit}.\nA. {first}\nB. {second}\nThe right choice is",
    "Question: Give {x} to {n} {unit}.\nA. {first}\nB. {second}\nAnswer:",
)


@kind(
    "sig_figs",
    "Rounding to significant figures, the other choice being rounded to as many decimal places.",
    "the same number and choices, asked for decimal places.",
)
def sig_figs(rng: random.Random) -> TrapPair:
    whole = rng.choice((1, 2))  # digits before the point
    digits = [rng.choice("123456789"), *rng.choices("0123456789", k=whole + 4)]
    number = Decimal("".join(digits[:whole]) + "." + "".join(digits[whole:-1]) + rng.choice("1234678"))
    n = rng.randint(whole, 3)
    figures, places = _rounded(number, n - whole), _rounded(number, n)
    if figures.adjusted() >= whole:  # 9.99 to two figures is 10, which has a figure more
        return sig_figs(rng)
    letter = rng.randrange(2)  # of the figures
    first, second = (places, figures) if letter else (figures, places)
    form = rng.choice(FORMS)
    trap, control = (
        form.format(x=number, n=n, unit=unit if n > 1 else unit.removesuffix("s"), first=first, second=second)
        for unit in ("significant figures", "decimal places")
    )
    return TrapPair(TrapItem(trap, (" A", " B"), letter), TrapItem(control, (" A", " B"), 1 - letter))


def _rounded(number: Decimal, places: int) -> Decimal:
    return round(number, places) if places else Decimal(round(number))
