"""Repetitive algebra: after equations with one and the same answer, is the next one solved or that answer repeated?"""

from __future__ import annotations

import random

from scalecurve.tasks.inverse.pairs import TrapItem, TrapPair, classes_of, kind

SHOTS = 6
SHOT = "If x + {a} = {b}, then x = {x}."


@kind(
    "repetitive_algebra",
    "An equation after six whose answers are all the same.",
    "the answers of the six differ; one of them is the other choice.",
)
def repetitive_algebra(rng: random.Random) -> TrapPair:
    repeated, right, *others = rng.sample(range(2, 40), SHOTS + 1)
    varied = [repeated, *others]
    rng.shuffle(varied)
    addends = [rng.randint(1, 50) for _ in range(SHOTS + 1)]
    classes, answer = classes_of(rng, str(right), str(repeated))
    trap, control = (_text(addends, answers, right) for answers in ([repeated] * SHOTS, varied))
    return TrapPair(TrapItem(trap, classes, answer), TrapItem(control, classes, answer))


def _text(addends: list[int], answers: list[int], right: int) -> str:
    shown = [SHOT.format(a=a, b=a + x, x=x) for a, x in zip(addends, answers, strict=False)]
    return "\n".join([*shown, f"If x + {addends[-1]} = {addends[-1] + right}, then x ="])
