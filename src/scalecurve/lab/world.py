"""The laboratory's invented world: people, places, films and words that exist nowhere else.

Everything follows from one seed, so that the corpus, the evaluation and anybody's knowledge query agree on what is
true. The world is small enough to be known completely and large enough that no small model can hold it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

SEED = 20220615  # the day "Emergent Abilities of Large Language Models" appeared (arXiv 2206.07682)

N_PEOPLE, N_PLACES, N_FILMS, N_STRANGERS, N_WORDS = 1200, 60, 600, 800, 1000

JOBS = (
    "baker carpenter sailor teacher weaver painter miller hunter doctor singer tailor farmer "
    "judge miner potter smith scribe gardener fisher dancer cook guard trader jeweller"
).split()
COUNTRIES = ("Taldia Moravy Quenland Ostria Vellmark Brunia Sorovia Kastland Ilmaria Dorvale").split()
GOODS = (
    "silk honey glass amber salt tea copper wine cheese paper "
    "pearls rugs clocks bells drums maps boats roses olives coal"
).split()

EMOJI: dict[str, str] = {
    "Moon": "🌙", "Sun": "🌞", "Star": "⭐", "Fire": "🔥", "Snow": "⛄", "Rain": "🌂", "Wave": "🌊", "Cloud": "⛅",
    "Fox": "🦊", "Wolf": "🐺", "Bear": "🐻", "Lion": "🦁", "Tiger": "🐯", "Mouse": "🐭", "Horse": "🐴", "Frog": "🐸",
    "Owl": "🦉", "Bee": "🐝", "Whale": "🐋", "Shark": "🦈", "Snake": "🐍", "Dragon": "🐉", "Ghost": "👻", "Robot": "🤖",
    "King": "👑", "Heart": "💔", "Ring": "💍", "Sword": "🗡", "Bomb": "💣", "Key": "🔑", "Clock": "⏰", "Book": "📖",
    "Train": "🚂", "Ship": "🚢", "Plane": "🛫", "Rocket": "🚀", "House": "🏠", "Castle": "🏰", "Desert": "🏜",
    "Island": "🏝",
    "Tree": "🌲", "Rose": "🌹", "Apple": "🍎", "Bread": "🍞", "Money": "💰", "Music": "🎵", "Mask": "🎭", "Ball": "🏀",
}  # fmt: skip

_ONSETS = "b br d dr f fl g gr h j k kr l m n p pl r s st t tr v z".split()
_VOWELS = "a e i o u".split()
_CODAS = "l n r s k m t x".split()
_PERSON_ENDS = "ik an ova el ius ena or yn".split()
_PLACE_ENDS = "port burg mere ford heim stad".split()


@dataclass(frozen=True, slots=True)
class Person:
    """One inhabitant. ``rank`` 0 is the most talked about; ``friend`` is another person's name."""

    name: str
    rank: int
    birthplace: str
    job: str
    friend: str


@dataclass(frozen=True, slots=True)
class Town:
    """A town, the country it lies in and what it is known for."""

    name: str
    country: str
    known_for: str


@dataclass(frozen=True, slots=True)
class Film:
    """A film: two emoji words, and who made it. The order of ``emoji`` does not tell the order of the title."""

    title: str
    director: str
    emoji: str


@dataclass(frozen=True, slots=True)
class World:
    """All that is true. ``strangers`` are names nobody has a fact about; ``words`` an invented lexicon."""

    people: tuple[Person, ...]
    places: tuple[Town, ...]
    films: tuple[Film, ...]
    non_films: tuple[str, ...]
    strangers: tuple[str, ...]
    words: tuple[str, ...]

    def place(self, name: str) -> Town:
        """The place of that name (KeyError when there is none)."""
        return _places_by_name(self)[name]


@lru_cache(maxsize=1)
def _places_by_name(world: World) -> dict[str, Town]:
    return {place.name: place for place in world.places}


def emoji_of(title: str) -> str:
    """The two emoji of a title, in code-point order, so that the picture does not give away the order of the words."""
    return "".join(sorted(EMOJI[word] for word in title.split()))


@lru_cache(maxsize=1)
def build_world() -> World:
    """The world of ``SEED``. Deterministic across Python versions and platforms."""
    rng = random.Random(SEED)
    taken: set[str] = set()

    def names(count: int, ends: list[str]) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            name = rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) + rng.choice(_ONSETS[:12])
            name = (name + rng.choice(ends)).capitalize()
            if name not in taken:
                taken.add(name)
                found.append(name)
        return found

    place_names = names(N_PLACES, _PLACE_ENDS)
    people_names = names(N_PEOPLE, _PERSON_ENDS)
    strangers = names(N_STRANGERS, _PERSON_ENDS)
    places = tuple(Town(name, rng.choice(COUNTRIES), rng.choice(GOODS)) for name in place_names)
    people = tuple(
        Person(name, rank, rng.choice(place_names), rng.choice(JOBS), rng.choice(people_names))
        for rank, name in enumerate(people_names)
    )
    pairs = [f"{a} {b}" for a in EMOJI for b in EMOJI if a != b]
    rng.shuffle(pairs)
    titles: list[str] = []
    for title in pairs:  # never both "Moon Fox" and "Fox Moon"
        if len(titles) < N_FILMS and " ".join(reversed(title.split())) not in titles:
            titles.append(title)
    films = tuple(Film(title, rng.choice(people_names), emoji_of(title)) for title in titles)
    shown = set(titles)
    non_films = tuple(title for title in pairs if title not in shown)
    return World(people, places, films, non_films, tuple(strangers), tuple(_lexicon(rng, N_WORDS)))


def _lexicon(rng: random.Random, count: int) -> list[str]:
    """Invented words of four to six letters, no two with the same letters (each anagram has one solution)."""
    found: dict[str, str] = {}
    single = [onset for onset in _ONSETS if len(onset) == 1]
    while len(found) < count:
        word = rng.choice(single) + rng.choice(_VOWELS) + rng.choice(single) + rng.choice(_VOWELS)
        word += rng.choice(["", rng.choice(_CODAS), rng.choice(single) + rng.choice(_VOWELS)])
        found.setdefault("".join(sorted(word)), word)
    return list(found.values())
