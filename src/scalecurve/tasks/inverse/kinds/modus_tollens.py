"""Modus tollens: is a conditional followed backwards, from what is not, as well as forwards, from what is?"""

from __future__ import annotations

import random

from scalecurve.tasks.inverse.pairs import NAMES, TrapItem, TrapPair, kind

PREDICATES = (
    ("owns a boat", "does not own a boat"),
    ("lives in Oslo", "does not live in Oslo"),
    ("plays the flute", "does not play the flute"),
    ("is a nurse", "is not a nurse"),
    ("speaks Greek", "does not speak Greek"),
    ("has a garden", "does not have a garden"),
    ("likes coffee", "does not like coffee"),
    ("works at night", "does not work at night"),
    ("rides a horse", "does not ride a horse"),
    ("wears a hat", "does not wear a hat"),
    ("is left-handed", "is not left-handed"),
    ("sings in the choir", "does not sing in the choir"),
    ("keeps bees", "does not keep bees"),
    ("reads the paper", "does not read the paper"),
)
FORMS = (
    "If {name} {p}, then {name} {q}. {name} {fact}. Does it follow that {name} {claim}?\nAnswer:",
    "Rule: whenever {name} {p}, {name} also {q}.\nFact: {name} {fact}.\n"
    "Question: Must it be true that {name} {claim}?\nAnswer:",
    "Suppose that if {name} {p}, {name} {q}. We also know that {name} {fact}. "
    "Can we be sure that {name} {claim}? Answer yes or no.\nAnswer:",
)


@kind(
    "modus_tollens",
    "From a conditional and a negative fact: modus tollens (valid) or denying the antecedent (not).",
    "the same conditional and the affirmative fact: modus ponens (valid) or affirming the consequent (not).",
)
def modus_tollens(rng: random.Random) -> TrapPair:
    p, q = rng.sample(PREDICATES, 2)
    name, form, valid = rng.choice(NAMES), rng.choice(FORMS), rng.random() < 0.5
    told, asked = (q, p) if valid else (p, q)
    backwards = form.format(name=name, p=p[0], q=q[0], fact=told[1], claim=asked[1])
    forwards = form.format(name=name, p=p[0], q=q[0], fact=asked[0], claim=told[0])
    answer = 0 if valid else 1
    return TrapPair(TrapItem(backwards, (" Yes", " No"), answer), TrapItem(forwards, (" Yes", " No"), answer))
