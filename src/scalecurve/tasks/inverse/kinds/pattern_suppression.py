"""Pattern-matching suppression: told to break a pattern at its end, does the model go on with it?"""

from __future__ import annotations

import random

from scalecurve.tasks.inverse.pairs import TrapItem, TrapPair, kind

SYMBOLS = "B D F G H K L M P R S T W Z red blue left right north south circle square tea milk".split()
FORMS = (
    "A row of {n} signs alternates between {x} and {y}, {but} its last sign {does} the pattern: {row}",
    "Here are {n} signs, {x} and {y} in turn, {but} the last one {does} the pattern.\n{row}",
    "Write {n} signs that change between {x} and {y}; the last sign {does} the pattern. {row}",
)


@kind(
    "pattern_suppression",
    "An alternating row that is to break its pattern at the end.",
    "the row is to keep its pattern.",
)
def pattern_suppression(rng: random.Random) -> TrapPair:
    x, y = rng.sample(SYMBOLS, 2)
    length, gap = rng.choice((6, 8, 10, 12)), rng.choice((", ", " "))
    form = rng.choice(FORMS)
    row = gap.join((x, y)[at % 2] for at in range(length - 1)) + gap.rstrip()
    trap, control = (
        form.format(n=length, x=x, y=y, row=row, but=but, does=does)
        for but, does in (("but", "breaks"), ("and", "keeps"))
    )
    classes = (f" {x}", f" {y}")  # the row so far ends in x, so the pattern goes on with y
    return TrapPair(TrapItem(trap, classes, 0), TrapItem(control, classes, 1))
