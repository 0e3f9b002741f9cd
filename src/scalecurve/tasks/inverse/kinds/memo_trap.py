"""Memo trap: told to end a familiar saying with another word, does the model recite it instead?"""

from __future__ import annotations

import random

from scalecurve.tasks.inverse.pairs import TrapItem, TrapPair, classes_of, kind

SAYINGS = {
    "A penny saved is a penny": "earned",
    "Actions speak louder than": "words",
    "All that glitters is not": "gold",
    "An apple a day keeps the doctor": "away",
    "Beauty is in the eye of the": "beholder",
    "Better late than": "never",
    "Birds of a feather flock": "together",
    "Blood is thicker than": "water",
    "Curiosity killed the": "cat",
    "Do not count your chickens before they": "hatch",
    "Easy come, easy": "go",
    "Every cloud has a silver": "lining",
    "Honesty is the best": "policy",
    "Humpty Dumpty sat on a": "wall",
    "I think, therefore I": "am",
    "It takes two to": "tango",
    "Let sleeping dogs": "lie",
    "Look before you": "leap",
    "Mary had a little": "lamb",
    "May the force be with": "you",
    "No pain, no": "gain",
    "Once upon a": "time",
    "Out of sight, out of": "mind",
    "Practice makes": "perfect",
    "Rome was not built in a": "day",
    "Seeing is": "believing",
    "The early bird catches the": "worm",
    "The grass is always greener on the other": "side",
    "The pen is mightier than the": "sword",
    "Time flies when you are having": "fun",
    "To be or not to": "be",
    "Too many cooks spoil the": "broth",
    "Twinkle, twinkle, little": "star",
    "Two wrongs do not make a": "right",
    "What goes up must come": "down",
    "When in Rome, do as the Romans": "do",
    "Where there is smoke, there is": "fire",
    "You cannot judge a book by its": "cover",
}
CARRIERS = (
    "The next word on the list is",
    "On the card somebody had written the word",
    "She closed her eyes and said",
    "The shortest note in the box read",
    "The word that he could not spell was",
)
WANTED = (
    "basket button candle cloud copper engine garden hammer island ladder lantern marble pepper pocket purple table "
    "violin window winter yellow"
).split()
FORMS = (
    'Finish this sentence with the word "{word}" and nothing else. {text}',
    'The last word of the sentence must be "{word}". {text}',
    'Complete the text so that it ends in the word "{word}".\n{text}',
)


@kind(
    "memo_trap",
    "Told to end a familiar saying with another word.",
    "a sentence that nobody knows by heart, the same instruction and words.",
)
def memo_trap(rng: random.Random) -> TrapPair:
    saying, known = rng.choice(list(SAYINGS.items()))
    wanted, form, carrier = rng.choice(WANTED), rng.choice(FORMS), rng.choice(CARRIERS)
    classes, answer = classes_of(rng, wanted, known)
    trap, control = (form.format(word=wanted, text=text) for text in (saying, carrier))
    return TrapPair(TrapItem(trap, classes, answer), TrapItem(control, classes, answer))
