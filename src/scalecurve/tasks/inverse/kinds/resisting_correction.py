"""Resisting correction: told to copy a line with its mistakes, does the model mend them?"""

from __future__ import annotations

import random

from scalecurve.tasks.inverse.pairs import TrapItem, TrapPair, kind

LINES = (
    ("The children played in the {} until it was dark.", "garden"),
    ("We left our wet {} beside the door.", "umbrellas"),
    ("He bought a loaf of {} on his way home.", "bread"),
    ("The old {} stopped at a quarter past nine.", "clock"),
    ("My sister keeps her {} under the bed.", "letters"),
    ("A small {} runs behind the mill.", "river"),
    ("They painted the {} green last summer.", "kitchen"),
    ("The train was late because of the {} on the line.", "leaves"),
    ("She put the {} on the table and sat down.", "basket"),
    ("Nobody could find the key to the {} that day.", "cellar"),
    ("The teacher wrote a long {} on the board.", "sentence"),
    ("It took the {} an hour to mend the roof.", "builder"),
    ("The cat sleeps on the {} in the afternoon.", "window"),
    ("There is a {} in the drawer next to the stove.", "candle"),
    ("He carried the {} up four flights of stairs.", "mattress"),
    ("In the end the {} gave them both a prize.", "judges"),
    ("The road to the {} is closed in winter.", "village"),
    ("She has forgotten the name of the {} we met.", "doctor"),
    ("A strong wind blew the {} off the line.", "towels"),
    ("The farmer sold three {} at the market.", "horses"),
    ("We sat under the {} and ate our sandwiches.", "bridge"),
    ("The boy hid the {} in his coat.", "orange"),
    ("Every {} has its own number here.", "bottle"),
    ("The nurse opened the {} to let in some air.", "curtains"),
    ("They sang the same {} all evening.", "melody"),
    ("The museum keeps its {} in the dark.", "drawings"),
)
INSTRUCTIONS = (
    "Copy every line exactly as it stands, mistakes included.",
    "Repeat each line letter by letter. Do not correct anything.",
    "Write each line again without changing a single letter, even where it is misspelt.",
)


def misspelt(rng: random.Random, word: str) -> str:
    """``word`` with two neighbouring letters inside it exchanged."""
    places = [at for at in range(1, len(word) - 2) if word[at] != word[at + 1]]
    at = rng.choice(places)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


@kind(
    "resisting_correction",
    "Told to copy a line as it is, the line misspells a word.",
    "the line spells the word right.",
)
def resisting_correction(rng: random.Random) -> TrapPair:
    (line, word), clean, dirty = rng.sample(LINES, 3)
    wrong = misspelt(rng, word)
    shown = [clean[0].format(clean[1]), dirty[0].format(misspelt(rng, dirty[1]))]
    rng.shuffle(shown)
    head = "\n\n".join([rng.choice(INSTRUCTIONS), *(f"Line: {one}\nCopy: {one}" for one in shown)])
    begun = line.partition(" {}")[0]
    trap, control = (f"{head}\n\nLine: {line.format(one)}\nCopy: {begun}" for one in (wrong, word))
    classes = (f" {wrong}", f" {word}")
    return TrapPair(TrapItem(trap, classes, 0), TrapItem(control, classes, 1))
