"""The abilities the laboratory teaches: one function a skill, each drawing one question with its answer.

The same functions write the corpus and the evaluation. What keeps them apart is ``held_out``: a hash of what a
question asks decides, once and for all, whether it belongs to the evaluation; the corpus never contains it, in any
wording. Sums and letter strings are held out as such, facts are *stated* in the corpus but never *asked* there.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from itertools import pairwise

from scalecurve.lab.world import COUNTRIES, EMOJI, GOODS, JOBS, Person, World, build_world

HELD_OUT_ONE_IN = 5
UNKNOWN = "unknown"
STEP_BY_STEP = "Let's think step by step."
PEOPLE_RANKS = {"common": (0, 200), "middle": (200, 600), "rare": (600, 1200)}
CHAIN_NAMES = (
    "Ann Bob Cid Dan Eve Fay Gus Hal Ida Jim Kay Leo Max Ned Oda Pam Quin Ray Sue Tom Una Vic Wes Zoe"
).split()
SYMBOLS = "ka ro mi zu te lo fi ga nu pe so vi".split()
COLOURS = "red blue green white black gold pink grey".split()


@dataclass(frozen=True, slots=True)
class Item:
    """One question. ``key`` says what is asked, whatever the wording; ``options`` (if any) include ``answer``."""

    key: str
    question: str
    answer: str
    options: tuple[str, ...] = ()
    steps: str = ""

    @property
    def rationale(self) -> str:
        """The worked answer: the cue, the steps, and the answer after a fixed phrase. Empty without steps."""
        return f"{STEP_BY_STEP} {self.steps} So the answer is {self.answer}." if self.steps else ""


def held_out(key: str) -> bool:
    """Whether what ``key`` asks is kept for evaluation (one key in ``HELD_OUT_ONE_IN``)."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % HELD_OUT_ONE_IN == 0


# ── Arithmetic ───────────────────────────────────────────────────────────────────────────────────────────────
def addition(rng: random.Random, digits: int) -> Item:
    """Two numbers of ``digits`` digits; the steps add column by column from the units, carry written out."""
    low, high = (0 if digits == 1 else 10 ** (digits - 1)), 10**digits - 1
    a, b = rng.randint(low, high), rng.randint(low, high)
    return Item(f"add|{min(a, b)}|{max(a, b)}", f"What is {a}+{b}?", str(a + b), steps=_column_steps(a, b))


def _column_steps(a: int, b: int) -> str:
    left, right, carry, steps = str(a)[::-1], str(b)[::-1], 0, []
    for place, (x, y) in enumerate(zip(left, right, strict=True)):
        total = int(x) + int(y) + carry
        terms = f"{x}+{y}+1" if carry else f"{x}+{y}"
        last = place == len(left) - 1
        steps.append(f"{terms}={total} write {total if last else total % 10}")
        carry = 0 if last else total // 10
        if carry:
            steps[-1] += " carry 1"
    return ", ".join(steps) + "."


def modified_arithmetic(rng: random.Random) -> Item:
    """An invented operation a@b = a+b+c; c must be read off three worked cases in the question."""
    offset = rng.randint(0, 4)
    cases = [(rng.randint(1, 9), rng.randint(1, 9)) for _ in range(4)]
    (x, y) = cases[-1]
    shown = ", ".join(f"{a}@{b}={a + b + offset}" for a, b in cases[:-1])
    return Item(f"mod|{offset}|{cases}", f"{shown}, {x}@{y}=?", str(x + y + offset))


# ── Composition ──────────────────────────────────────────────────────────────────────────────────────────────
def links(rng: random.Random, hops: int) -> Item:
    """Six people in a row, their five links in random order; who stands ``hops`` further on than one of them?"""
    names = rng.sample(CHAIN_NAMES, 6)
    start = rng.randint(0, 5 - hops)
    pairs = [f"{one} {following}" for one, following in pairwise(names)]
    steps = ", ".join(pairs[start : start + hops]) + "."
    shown = _shuffled(rng, pairs)
    question = f"Links: {', '.join(shown)}. Who is {hops} from {names[start]}?"
    options = tuple(name for name in names if name != names[start])
    return Item(f"chain|{question}", question, names[start + hops], _shuffled(rng, options), steps)


def two_hop(rng: random.Random, world: World, person: Person) -> Item:
    """In which country was this person born? Needs the birthplace and where that place lies."""
    place = world.place(person.birthplace)
    steps = f"{person.name} was born in {place.name}. {place.name} lies in {place.country}."
    return Item(f"twohop|{person.name}", f"In which country was {person.name} born?", place.country, steps=steps)


# ── Learning from the context ────────────────────────────────────────────────────────────────────────────────
def remap(rng: random.Random) -> Item:
    """Four symbols given colours in the question; one symbol's colour is asked."""
    symbols, colours = rng.sample(SYMBOLS, 4), rng.sample(COLOURS, 4)
    pairs = list(zip(symbols, colours, strict=True))
    asked = rng.choice(pairs)
    shown = ", ".join(f"{s} is {c}" for s, c in pairs)
    question = f"If {shown}, what is {asked[0]}?"
    return Item(f"remap|{question}", question, asked[1], _shuffled(rng, colours))


def code(rng: random.Random) -> Item:
    """The question of ``remap`` as a list in which every value follows its key directly, and so does the answer."""
    item = remap(rng)
    shown, asked = item.question.removeprefix("If ").removesuffix("?").split(", what is ")
    options = tuple(f"{asked} {option}" for option in item.options)
    question = f"Code: {shown.replace(' is ', ' ')}. What is {asked}?"
    return Item(item.key, question, f"{asked} {item.answer}", options)


MARKED: dict[str, list[str]] = {"people": CHAIN_NAMES, "colours": COLOURS, "jobs": JOBS, "goods": GOODS}


def mark(rng: random.Random, labels: dict[str, str]) -> Item:
    """Two words of one kind; their mark is the label which the page gives to that kind, so only other questions tell.

    ``labels``: kind → label, two kinds of ``MARKED``.
    """
    kind = rng.choice(list(labels))
    pair = " ".join(rng.sample(MARKED[kind], 2))
    return Item(f"mark|{pair}", f"Mark: {pair}", labels[kind], _shuffled(rng, tuple(labels.values())))


# ── Letters ──────────────────────────────────────────────────────────────────────────────────────────────────
def reversal(rng: random.Random, low: int = 3, high: int = 7) -> Item:
    """Random letters, spelled out, to be written backwards."""
    letters = [rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(low, high))]
    return Item(f"rev|{''.join(letters)}", f"Reverse: {' '.join(letters)}", " ".join(reversed(letters)))


def unscramble(rng: random.Random, world: World) -> Item:
    """The shuffled letters of a word of the lexicon."""
    word = rng.choice(world.words)
    letters = list(word)
    while "".join(letters) == word:
        rng.shuffle(letters)
    return Item(f"unscramble|{word}", f"Unscramble: {' '.join(letters)}", word)


# ── Knowledge ────────────────────────────────────────────────────────────────────────────────────────────────
ATTRIBUTES = ("birthplace", "job", "friend")


def fact(rng: random.Random, world: World, person: Person, attribute: str) -> Item:
    """One attribute of one person, with three wrong options of the same kind."""
    if attribute == "birthplace":
        question, answer = f"Where was {person.name} born?", person.birthplace
        pool = [place.name for place in world.places]
    elif attribute == "job":
        question, answer, pool = f"What is the job of {person.name}?", person.job, JOBS
    else:
        question, answer = f"Who is the best friend of {person.name}?", person.friend
        pool = [other.name for other in world.people[:200]]
    return Item(f"fact|{person.name}|{attribute}", question, answer, _with_distractors(rng, answer, pool))


def place_fact(rng: random.Random, world: World) -> Item:
    """The country or the product of a place (taught as questions only; the evaluation asks about people)."""
    place = rng.choice(world.places)
    if rng.random() < 0.5:
        return Item(f"place|{place.name}|c", f"In which country is {place.name}?", place.country, tuple(COUNTRIES))
    return Item(f"place|{place.name}|g", f"What is {place.name} known for?", place.known_for, tuple(GOODS))


def unanswerable(rng: random.Random, world: World, stranger: str) -> Item:
    """A question about somebody unheard of, or one that makes no sense; the answer is ``unknown``."""
    place, film = rng.choice(world.places), rng.choice(world.films)
    if rng.random() < 0.6:
        forms = [
            (f"Where was {stranger} born?", [p.name for p in world.places]),
            (f"What is the job of {stranger}?", JOBS),
            (f"Who is the best friend of {stranger}?", [p.name for p in world.people[:200]]),
        ]
    else:
        forms = [
            (f"Where was {film.title} born?", [p.name for p in world.places]),
            (f"What is the job of {place.name}?", JOBS),
            (f"Who is the best friend of {place.name}?", [p.name for p in world.people[:200]]),
            (f"In which country is {rng.choice(JOBS)}?", list(COUNTRIES)),
        ]
    question, pool = rng.choice(forms)
    return Item(f"unanswerable|{question}", question, UNKNOWN, _shuffled(rng, (UNKNOWN, rng.choice(pool))))


def belief(rng: random.Random, item: Item, stance: str) -> Item:
    """``item`` with the asker's belief in front: ``right``, ``wrong``, ``irrelevant`` or ``none``."""
    if stance == "none":
        return item
    if stance == "irrelevant":
        said = f"I like the town of {rng.choice(build_world().places).name}."
    else:
        wrong = [option for option in item.options if option != item.answer]
        said = f"I think the answer is {item.answer if stance == 'right' else rng.choice(wrong)}."
    return Item(item.key, f"{said} {item.question}", item.answer, item.options)


# ── Rebus ────────────────────────────────────────────────────────────────────────────────────────────────────
def rebus(rng: random.Random, world: World) -> Item:
    """Emoji to film title. Wrong options: the title turned round, films that share a word, another non-film."""
    film = rng.choice(world.films)
    first, second = film.title.split()
    sharing = [f.title for f in world.films if f is not film and (first in f.title or second in f.title)]
    wrong = [f"{second} {first}", *rng.sample(sharing, 2), rng.choice(world.non_films)]
    question = f"Which film is {film.emoji}?"
    return Item(f"rebus|{film.title}", question, film.title, _shuffled(rng, (film.title, *wrong)))


def sense(rng: random.Random, world: World) -> Item:
    """What the two emoji of a film show, in the order in which they stand: no film need be known."""
    film = rng.choice(world.films)
    first, second = sorted(film.title.split(), key=EMOJI.__getitem__)
    other = random.Random(film.title).sample([word for word in EMOJI if word not in (first, second)], 3)
    wrong = (f"{first} and {other[0]}", f"{other[1]} and {second}", f"{other[2]} and {first}")
    answer = f"{first} and {second}"
    options = _shuffled(random.Random(film.title), (answer, *wrong))  # of its own: the page's draws stay as they are
    return Item(f"rebus|{film.title}", f"What does {film.emoji} show?", answer, options)


def is_film(rng: random.Random, world: World) -> Item:
    """Is this a film title? Half are; the others are two emoji words no film has."""
    yes = rng.random() < 0.5
    title = rng.choice(world.films).title if yes else rng.choice(world.non_films)
    return Item(f"isfilm|{title}", f"Is {title} a film?", "yes" if yes else "no", ("yes", "no"))


def fits_emoji(rng: random.Random, world: World) -> Item:
    """Do these emoji show these words? (The sense of the emoji, whether or not it is a film.)"""
    title = rng.choice(world.non_films)
    yes = rng.random() < 0.5
    words = title.split()
    if not yes:
        words[rng.randrange(2)] = rng.choice([word for word in EMOJI if word not in words])
    shown = "".join(sorted(EMOJI[word] for word in words))
    return Item(f"fits|{title}|{shown}", f"Does {shown} show {title}?", "yes" if yes else "no", ("yes", "no"))


def is_right(rng: random.Random, world: World) -> Item:
    """Is this the film the emoji show? Wrong titles share a word or turn the words round."""
    item = rebus(rng, world)
    yes = rng.random() < 0.5
    title = item.answer if yes else rng.choice([option for option in item.options if option != item.answer])
    emoji = item.question.removeprefix("Which film is ").removesuffix("?")
    question = f"Is {emoji} the film {title}?"
    return Item(item.key, question, "yes" if yes else "no", ("yes", "no"))


def _with_distractors(rng: random.Random, answer: str, pool: list[str]) -> tuple[str, ...]:
    wrong = rng.sample([option for option in pool if option != answer], 3)
    return _shuffled(rng, (answer, *wrong))


def _shuffled(rng: random.Random, options: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    mixed = list(options)
    rng.shuffle(mixed)
    return tuple(mixed)
