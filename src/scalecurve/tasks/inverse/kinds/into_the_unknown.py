"""Into the unknown: asked what would help to find something out, is a fact chosen that is known already?"""

from __future__ import annotations

import random

from scalecurve.tasks.inverse.pairs import NAMES, TrapItem, TrapPair, classes_of, kind

SCENES = (
    (
        ("{name} has bought a tall bookcase.", "It was delivered this morning."),
        "whether the bookcase fits into the hall",
        ("The hall is two metres high.", "The hall has a low ceiling."),
    ),
    (
        ("{name} left a bicycle outside the station.", "In the evening it was gone."),
        "who took the bicycle",
        ("A camera films the station door.", "A guard noted every number plate."),
    ),
    (
        ("{name} put milk into the fridge on Monday.", "Today the milk smells odd."),
        "whether the milk is still good",
        ("The carton names last Friday as its date.", "The fridge was switched off all week."),
    ),
    (
        ("{name} sowed beans in the yard.", "After a month nothing has come up."),
        "why the beans did not grow",
        ("The soil there is dry as dust.", "The seeds were six years old."),
    ),
    (
        ("{name} missed the bus this morning.", "The next one leaves at nine."),
        "whether the meeting can still be reached in time",
        ("The meeting begins at eleven.", "The ride takes twenty minutes."),
    ),
    (
        ("{name} heard a knock at the door.", "Nobody stood outside."),
        "what made the noise",
        ("A branch touches the door in the wind.", "The children next door play tricks."),
    ),
    (
        ("{name} baked two cakes for the fair.", "Only one of them rose."),
        "why one cake stayed flat",
        ("One bowl had no baking powder in it.", "One cake stood in the cold part of the oven."),
    ),
    (
        ("{name} lent a novel to a friend.", "The friend moved away in spring."),
        "how to get the novel back",
        ("The friend's new address is in the diary.", "The friend comes to town on Sunday."),
    ),
    (
        ("{name} wants to paint the fence.", "There is half a tin of paint in the shed."),
        "whether the paint is enough",
        ("A full tin covers twelve metres.", "The fence is nine metres long."),
    ),
    (
        ("{name} found a wallet in the park.", "It holds some money and a photograph."),
        "whose wallet it is",
        ("A name is written on the photograph's back.", "A neighbour asked about a lost wallet."),
    ),
    (
        ("{name} switched on the lamp.", "The room stayed dark."),
        "what is wrong with the lamp",
        ("The other lamps in the house work.", "The bulb rattles when shaken."),
    ),
    (
        ("{name} wrote to the landlord in June.", "There has been no reply."),
        "whether the letter arrived",
        ("The post office keeps a list of letters.", "The landlord's house stood empty in June."),
    ),
)
BESIDE = (
    "A cousin of {name} collects old coins.",
    "It rained a little in the mountains.",
    "The shop on the corner sells hats.",
    "A neighbour is learning to dance.",
    "The library has a new blue carpet.",
    "Somebody painted the bridge last year.",
    "Two ducks live on the village pond.",
    "The baker's daughter plays chess.",
)


@kind(
    "into_the_unknown",
    "Which of two facts helps to find something out; one only repeats what the text says.",
    "the unhelpful fact is new and beside the point.",
)
def into_the_unknown(rng: random.Random) -> TrapPair:
    told, goal, helpful = rng.choice(SCENES)
    name = rng.choice(NAMES)
    right, known, beside = (rng.choice(pool).format(name=name) for pool in (helpful, told, BESIDE))
    head = " ".join(told).format(name=name) + f" {name} wants to find out {goal}. Which fact would help?"
    trap_classes, answer = classes_of(rng, right, known)
    control_classes = (f" {beside}", f" {right}") if answer else (f" {right}", f" {beside}")
    items = []
    for classes in (trap_classes, control_classes):
        listed = "\n".join(f"-{one}" for one in classes)
        items.append(TrapItem(f"{head}\n{listed}\nThis fact would help:", classes, answer))
    return TrapPair(*items)
