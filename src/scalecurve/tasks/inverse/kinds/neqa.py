"""Negated questions: does the model see the "not", or answer the question without it?"""

from __future__ import annotations

import random

from scalecurve.tasks.inverse.pairs import TrapItem, TrapPair, a, kind

GROUPS = {
    "animal": "badger camel dolphin falcon goat hedgehog lizard moose otter zebra",
    "fruit": "apricot banana cherry fig grape lemon mango peach pear plum",
    "musical instrument": "banjo cello clarinet drum flute guitar harp piano trumpet violin",
    "piece of furniture": "armchair bed bookcase chair cupboard desk dresser sofa stool wardrobe",
    "tool": "axe chisel drill file hammer rake saw screwdriver shovel spanner",
    "tree": "beech birch cedar elm fir larch oak pine spruce willow",
    "vegetable": "cabbage carrot cauliflower leek lettuce onion parsnip potato radish turnip",
    "vehicle": "bicycle bus car ferry lorry motorbike scooter taxi train tram",
}
FORMS = (
    "Question: Which of these is {thing} {not_}a kind of?\nA. {first}\nB. {second}\nAnswer:",
    "Choose the word that completes the sentence.\n{Thing} is {not_}an example of\nA. {first}\nB. {second}\nAnswer:",
    "To which of these groups does {thing} {not_}belong?\nA. {first}\nB. {second}\nAnswer:",
)


@kind("neqa", 'A question of kind with a "not" in it.', 'the same question without the "not".')
def neqa(rng: random.Random) -> TrapPair:
    own, other = rng.sample(list(GROUPS), 2)
    thing = a(rng.choice(GROUPS[own].split()))
    letter = rng.randrange(2)  # of the group it belongs to
    first, second = (other, own) if letter else (own, other)
    text = rng.choice(FORMS).replace("{Thing}", thing[0].upper() + thing[1:])
    trap, control = (text.format(thing=thing, not_=word, first=first, second=second) for word in ("not ", ""))
    return TrapPair(TrapItem(trap, (" A", " B"), 1 - letter), TrapItem(control, (" A", " B"), letter))
