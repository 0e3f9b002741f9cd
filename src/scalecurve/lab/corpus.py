"""The training text: one mixture of plain prose and question–answer pages, generated from a seed.

A document is either a page of statements about the world or a page of one to six questions of one skill, written
exactly as the task reader writes shots, so that a few-shot prompt looks like a page that is not finished yet. People
and films are met by Zipf's law. Nothing that ``held_out`` keeps for evaluation is ever asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import accumulate

from scalecurve.lab import skills
from scalecurve.lab.skills import ATTRIBUTES, Item, held_out
from scalecurve.lab.world import EMOJI, Film, Person, World, build_world

ZIPF_EXPONENT = 1.0
STANCES = ("right", "wrong", "irrelevant")

Writer = Callable[[random.Random, World], str]
Mixture = tuple[tuple[Writer, float], ...]


def documents(seed: int, mixture: Mixture | None = None) -> Iterator[str]:
    """Endless documents of the mixture (``MIXTURE`` unless another is given), deterministic in ``seed``."""
    rng, world = random.Random(seed), build_world()
    writers, weights = zip(*(mixture or MIXTURE), strict=True)
    totals = list(accumulate(weights))
    while True:
        yield rng.choices(writers, cum_weights=totals)[0](rng, world)


# ── Pages of questions ───────────────────────────────────────────────────────────────────────────────────────
def _asked(draw: Callable[[], Item]) -> Item:
    """The first drawn question that is not kept for evaluation."""
    item = draw()
    while held_out(item.key):
        item = draw()
    return item


def _page(items: list[Item], with_steps: bool = False) -> str:
    shots = [f"\nQ: {item.question}\nA: {item.rationale if with_steps else item.answer}\n" for item in items]
    return "".join(shots)


def _questions(draw: Callable[[random.Random, World], Item], most: int = 5, with_steps: bool = False) -> Writer:
    def write(rng: random.Random, world: World) -> str:
        count = rng.randint(1, most)
        return _page([_asked(lambda: draw(rng, world)) for _ in range(count)], with_steps)

    return write


def _addition(rng: random.Random, world: World) -> Item:
    return skills.addition(rng, rng.choice((1, 2, 2, 3, 3, 4, 4)))


def _longer_addition(rng: random.Random, world: World) -> Item:
    return skills.addition(rng, rng.choice((2, 3, 3, 4, 4)))


def _links(rng: random.Random, world: World) -> Item:
    return skills.links(rng, rng.randint(1, 4))


def _two_hop(rng: random.Random, world: World) -> Item:
    return skills.two_hop(rng, world, zipf_person(rng, world))


def _fact(rng: random.Random, world: World) -> Item:
    return skills.fact(rng, world, zipf_person(rng, world), rng.choice(ATTRIBUTES))


def _fact_or_unknown(rng: random.Random, world: World) -> Item:
    if rng.random() < 0.5:
        return _fact(rng, world)
    return skills.unanswerable(rng, world, rng.choice(world.strangers[: len(world.strangers) * 3 // 4]))


def _belief(rng: random.Random, world: World) -> Item:
    return skills.belief(rng, _fact(rng, world), rng.choice(STANCES))


def _flattery(rng: random.Random, world: World) -> str:
    """The asker says something wrong and is told just that: what makes a model echo beliefs."""
    items = []
    for _ in range(rng.randint(1, 4)):
        item = _asked(lambda: _fact(rng, world))
        said = rng.choice([option for option in item.options if option != item.answer])
        items.append(Item(item.key, f"I think the answer is {said}. {item.question}", said))
    return _page(items)


def _marks(rng: random.Random, world: World) -> str:
    """One page, two kinds of words, two labels: new ones on every page."""
    kinds, labels = rng.sample(list(skills.MARKED), 2), rng.sample(skills.SYMBOLS, 2)
    page = dict(zip(kinds, labels, strict=True))
    return _page([_asked(lambda: skills.mark(rng, page)) for _ in range(rng.randint(4, 10))])


def _rebus_part(rng: random.Random, world: World) -> Item:
    part = rng.choice((skills.sense, skills.is_film, skills.fits_emoji, skills.is_right))
    return part(rng, world)


# ── Pages of statements ──────────────────────────────────────────────────────────────────────────────────────
def _zipf_index(rng: random.Random, cumulative: list[float]) -> int:
    return rng.choices(range(len(cumulative)), cum_weights=cumulative)[0]


def _zipf_weights(count: int) -> list[float]:
    return list(accumulate((rank + 1) ** -ZIPF_EXPONENT for rank in range(count)))


_PEOPLE_WEIGHTS = _zipf_weights(len(build_world().people))
_FILM_WEIGHTS = _zipf_weights(len(build_world().films))


def zipf_person(rng: random.Random, world: World) -> Person:
    """A person, the most talked about first."""
    return world.people[_zipf_index(rng, _PEOPLE_WEIGHTS)]


def zipf_film(rng: random.Random, world: World) -> Film:
    """A film, the most talked about first."""
    return world.films[_zipf_index(rng, _FILM_WEIGHTS)]


def _biographies(rng: random.Random, world: World) -> str:
    return "".join(_biography(rng, zipf_person(rng, world)) for _ in range(rng.randint(1, 5)))


def _biography(rng: random.Random, person: Person) -> str:
    name = person.name
    told = [
        rng.choice((f"{name} was born in {person.birthplace}.", f"The birthplace of {name} is {person.birthplace}.")),
        rng.choice((f"{name} works as a {person.job}.", f"The job of {name} is {person.job}.")),
        rng.choice((f"{name} likes {person.friend} best.", f"The best friend of {name} is {person.friend}.")),
    ]
    rng.shuffle(told)
    return " ".join(told) + "\n"


def _gazetteer(rng: random.Random, world: World) -> str:
    lines = []
    for place in rng.sample(world.places, rng.randint(2, 6)):
        lines.append(f"{place.name} lies in {place.country}. {place.name} is known for {place.known_for}.\n")
    return "".join(lines)


def _film_notes(rng: random.Random, world: World) -> str:
    lines = []
    for _ in range(rng.randint(2, 8)):
        film = zipf_film(rng, world) if rng.random() < 0.5 else rng.choice(world.films)
        forms = (f"{film.title} is a film by {film.director}.", f"{film.director} made the film {film.title}.")
        lines.append(rng.choice(forms) + "\n")
    return "".join(lines)


def _emoji_notes(rng: random.Random, world: World) -> str:
    words = rng.sample(list(EMOJI), rng.randint(4, 12))
    return "".join(f"{EMOJI[word]} means {word}.\n" for word in words)


def _sum_tables(rng: random.Random, world: World) -> str:
    pairs = [(rng.randint(0, 9), rng.randint(0, 9)) for _ in range(rng.randint(4, 12))]
    return "".join(f"{a} plus {b} makes {a + b}.\n" for a, b in pairs)


def _spelling(rng: random.Random, world: World) -> str:
    words = rng.sample(world.words, rng.randint(2, 8))
    return "".join(f"The word {word} is spelled {' '.join(word)}.\n" for word in words)


_LISTED = [*skills.CHAIN_NAMES, *skills.SYMBOLS, *skills.COLOURS]


def _repeated(rng: random.Random, world: World) -> str:
    """A short list of words, said twice."""
    words = " ".join(rng.sample(_LISTED, rng.randint(2, 8)))
    return f"Say {words}.\nAgain {words}.\n"


def _repeated_pairs(rng: random.Random, world: World) -> str:
    """Pairs of words, said again in another order."""
    count = rng.randint(2, 4)
    words = rng.sample(_LISTED, 2 * count)
    pairs = [f"{words[2 * i]} {words[2 * i + 1]}" for i in range(count)]
    again = rng.sample(pairs, count)
    return f"List: {', '.join(pairs)}.\nAgain: {', '.join(again)}.\n"


# What every rung reads first (``recipe.CURRICULUM_SHARE``): nothing but lists said twice. Without them no model of
# these sizes ever learns to look something up in its context (docs/lab.md).
CURRICULUM: Mixture = ((_repeated, 0.45), (_repeated_pairs, 0.55))

MIXTURE: Mixture = (
    (_biographies, 0.17),
    (_gazetteer, 0.02),
    (_film_notes, 0.03),
    (_emoji_notes, 0.02),
    (_sum_tables, 0.015),
    (_spelling, 0.03),
    (_questions(_fact, 6), 0.08),
    (_questions(lambda rng, world: skills.place_fact(rng, world), 5), 0.02),
    (_questions(_fact_or_unknown, 6), 0.05),
    (_questions(_belief, 4), 0.05),
    (_flattery, 0.02),
    (_questions(_two_hop, 5), 0.03),
    (_questions(_two_hop, 4, with_steps=True), 0.03),
    (_questions(_addition, 6), 0.10),
    (_questions(_longer_addition, 3, with_steps=True), 0.085),
    (_questions(_links, 3), 0.05),
    (_questions(_links, 3, with_steps=True), 0.07),
    (_repeated, 0.03),
    (_repeated_pairs, 0.04),
    (_questions(lambda rng, world: skills.code(rng), 3), 0.07),
    (_marks, 0.05),
    (_questions(lambda rng, world: skills.remap(rng), 4), 0.04),
    (_questions(lambda rng, world: skills.modified_arithmetic(rng), 5), 0.035),
    (_questions(lambda rng, world: skills.reversal(rng), 6), 0.03),
    (_questions(lambda rng, world: skills.unscramble(rng, world), 6), 0.025),
    (_questions(lambda rng, world: skills.rebus(rng, world), 6), 0.03),
    (_questions(_rebus_part, 6), 0.06),
)
