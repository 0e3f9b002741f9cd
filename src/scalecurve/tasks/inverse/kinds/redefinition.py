"""Redefinition: a word is given another meaning for this text; does the model answer with the usual one?"""

from __future__ import annotations

import random

from scalecurve.tasks.inverse.pairs import TrapItem, TrapPair, a, classes_of, kind

USUAL = (
    ("century", "years", 100),
    ("chessboard", "squares", 64),
    ("day", "hours", 24),
    ("decade", "years", 10),
    ("dozen", "eggs", 12),
    ("duet", "singers", 2),
    ("football team", "players", 11),
    ("fortnight", "days", 14),
    ("kilometre", "metres", 1000),
    ("metre", "centimetres", 100),
    ("millennium", "years", 1000),
    ("minute", "seconds", 60),
    ("pentagon", "sides", 5),
    ("quartet", "players", 4),
    ("spider", "legs", 8),
    ("square", "corners", 4),
    ("triangle", "sides", 3),
    ("tricycle", "wheels", 3),
    ("week", "days", 7),
    ("yard", "feet", 3),
    ("year", "months", 12),
)
"""Word, what it has so many of, how many."""

NONCE = "blicket dax fendle glorp harn jandle kiv lorm mipper plonk quell rask snib tove vorp wug zeth".split()
FORMS = (
    "From now on, {one} has {n} {parts}.\nQuestion: How many {parts} does {one} have?\nAnswer:",
    "In this text the word '{word}' stands for something with {n} {parts}. "
    "So in this text, the number of {parts} in {one} is",
    "Let {one} be a thing that has {n} {parts}.\nQ: How many {parts} are there in {one}?\nA:",
)


@kind(
    "redefinition",
    "A known word is given another number of parts, then asked for.",
    "an invented word is given the same number.",
)
def redefinition(rng: random.Random) -> TrapPair:
    word, parts, usual = rng.choice(USUAL)
    given = rng.choice([n for n in range(2, 40) if n != usual])
    form, invented = rng.choice(FORMS), rng.choice(NONCE)
    classes, answer = classes_of(rng, str(given), str(usual))
    trap, control = (form.format(word=one, one=a(one), n=given, parts=parts) for one in (word, invented))
    return TrapPair(TrapItem(trap, classes, answer), TrapItem(control, classes, answer))
