"""The emoji films of BIG-bench taken apart: what must be known before a film is named from its emoji.

``emoji:films`` makes six leaves of the installed task ``emoji_movie``, from the simplest to the whole:

    is_film      is this the title of a film?                        (titles, and phrases made up in their likeness)
    sense        what does this emoji show?                          (its Unicode name among others)
    fits_emoji   which film goes with this one emoji of the rebus?
    is_right     do these emoji stand for this film?
    title        which of five films do these emoji stand for?       (BIG-bench's own questions)
    name         the same without options, to be named               (its answers are probed for partial abilities)

After the BIG-bench paper (arXiv 2206.04615), which shows by this task that a sharp curve hides earlier steps: models
first answer at all, then with some film, and last with the right one.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from scalecurve.errors import UserError
from scalecurve.tasks.bigbench import find_leaves, installed, load_bigbench
from scalecurve.tasks.reader import blind_grade, fingerprint
from scalecurve.tasks.registry import Listing, suggest, task_format
from scalecurve.types import Example, Task

NAME, ORIGIN = "films", "emoji_movie"
OPTIONS = 4
_MARKS = "[\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"  # how an emoji is shown: colour, skin, region
_ONE = rf"[^\ufe0f\u200d]{_MARKS}*"
_EMOJI = re.compile(rf"[\U0001f1e6-\U0001f1ff]{{2}}|{_ONE}(?:\u200d{_ONE})*")
_INVENTED = (
    "the {b} {d}",
    "{d} and {e}",
    "a {d} for the {e}",
    "the {d} of {c}",
    "{b} {d}",
    "the last {d}",
    "my {b} {d}",
)
_WORDS = {
    "b": "patient wooden careful distant polite narrow sleepy hollow frugal amber".split(),
    "c": "breakfast parsley november geometry linen thursday gravel porcelain".split(),
    "d": "toaster ladder umbrella carpenter teaspoon postman turnip cupboard notary envelope bicycle wardrobe".split(),
    "e": "lamp herring bucket gardener pillow accountant saddle kettle".split(),
}


@dataclass(frozen=True, slots=True)
class EmojiQuestion:
    """A question of the task: the emoji, one by one, the film's title, and the question as it stands."""

    emoji: tuple[str, ...]
    title: str
    example: Example

    @property
    def rebus(self) -> str:
        return "".join(self.emoji)


Maker = Callable[[Task, Sequence[EmojiQuestion], random.Random], Task]
PARTS: dict[str, tuple[str, Maker]] = {}
"""Part → what it asks, and the function that makes it; in the order of the ladder."""


def list_emoji() -> list[Listing]:
    """The parts, from the index of the installed BIG-bench."""
    (leaf,) = find_leaves(ORIGIN)
    return [
        Listing(
            ref=f"emoji:{NAME}:{part}",
            name=f"{NAME}:{part}",
            source="emoji",
            description=about,
            keywords=tuple(leaf["keywords"]),
            metrics=("case_insensitive_str_match",) if part == "name" else ("multiple_choice_grade",),
            preferred_metric="case_insensitive_str_match" if part == "name" else "multiple_choice_grade",
        )
        for part, (about, _) in PARTS.items()
    ]


@task_format("emoji", listing=list_emoji, ready=installed, tells_source=True)
def load_emoji(rest: str, *, mode: str = "faithful") -> tuple[Task, ...]:
    """The leaves of ``films[:PART]``. ``UserError`` when BIG-bench is not installed or there is no such part."""
    name, _, part = rest.partition(":")
    if name != NAME or (part and part not in PARTS):
        hint = suggest(part or name, (NAME, *PARTS)) or f"; its parts are {', '.join(PARTS)}"
        raise UserError(f"task 'emoji:{rest}': use emoji:{NAME} or emoji:{NAME}:PART{hint}")
    (whole,) = load_bigbench(ORIGIN, mode=mode)
    return tuple(decompose(whole, one) for one in ((part,) if part else PARTS))


def decompose(whole: Task, part: str) -> Task:
    """One part of the task ``emoji_movie``; the same every time."""
    about, make = PARTS[part]
    task = make(whole, films_of(whole), random.Random(f"emoji|{part}"))
    task = replace(task, name=f"{NAME}:{part}", parent=NAME, source="emoji", description=about, flags=())
    return replace(task, fingerprint=fingerprint(task))


def films_of(whole: Task) -> list[EmojiQuestion]:
    """The films of the task. ``UserError`` when a question does not end in emoji."""
    films = []
    for example in whole.examples:
        rebus = example.input.rpartition("? ")[2]
        found = tuple(_EMOJI.findall(rebus))
        if not found or "".join(found) != rebus or rebus.isascii():
            raise UserError(f"task bigbench:{ORIGIN}: example {example.id} does not end in emoji; install it again")
        films.append(EmojiQuestion(found, example.targets[0], example))
    return films


def _part(name: str, about: str) -> Callable[[Maker], Maker]:
    def register(make: Maker) -> Maker:
        PARTS[name] = about, make
        return make

    return register


# ── The parts ────────────────────────────────────────────────────────────────────────────────────────────────
@_part("is_film", "Is this the title of a film?")
def _is_film(whole: Task, films: Sequence[EmojiQuestion], rng: random.Random) -> Task:
    titles = [film.title for film in films]
    taken = set(_titles(whole))
    invented = dict.fromkeys(_invented(rng) for _ in range(40 * len(titles)))
    phrases = [phrase for phrase in invented if phrase not in taken][: len(titles)]
    asked = [(title, True) for title in titles] + [(phrase, False) for phrase in phrases]
    rng.shuffle(asked)
    return _yes_no(whole, [(f'Is "{text}" the title of a film?', right) for text, right in asked])


@_part("sense", "What does this emoji show?")
def _sense(whole: Task, films: Sequence[EmojiQuestion], rng: random.Random) -> Task:
    shown = {emoji: name for film in films for emoji in film.emoji if (name := _name_of(emoji))}
    emoji_of = {name: emoji for emoji, name in reversed(shown.items())}  # one emoji a name
    asked = [(f"What does this emoji show? {emoji}", name) for name, emoji in sorted(emoji_of.items())]
    return _choice(whole, asked, sorted(emoji_of), rng)


@_part("fits_emoji", "Which film goes with this one emoji of its rebus?")
def _fits_emoji(whole: Task, films: Sequence[EmojiQuestion], rng: random.Random) -> Task:
    """The emoji is the one of the rebus that the fewest other films share; none of the wrong films has it."""
    films_with = Counter(emoji for film in films for emoji in set(film.emoji))
    examples = []
    for at, film in enumerate(films):
        emoji = min(film.emoji, key=films_with.__getitem__)
        others = [one.title for one in films if emoji not in one.emoji]
        question = f"Which of these movies goes with this emoji? {emoji}"
        examples.append(_among(str(at), question, film.title, rng.sample(others, OPTIONS - 1), rng))
    return _graded(whole, examples)


@_part("is_right", "Do these emoji stand for this film?")
def _is_right(whole: Task, films: Sequence[EmojiQuestion], rng: random.Random) -> Task:
    order = list(range(len(films)))
    rng.shuffle(order)
    false = set(order[: len(order) // 2])
    asked = []
    for at, film in enumerate(films):
        title = rng.choice([one.title for one in films if one is not film]) if at in false else film.title
        asked.append((f'Does this emoji describe the movie "{title}"? {film.rebus}', at not in false))
    return _yes_no(whole, asked)


@_part("title", "Which of five films do these emoji stand for?")
def _title(whole: Task, films: Sequence[EmojiQuestion], rng: random.Random) -> Task:
    return _graded(whole, [film.example for film in films])


@_part("name", "Which film do these emoji stand for? To be named without options.")
def _named(whole: Task, films: Sequence[EmojiQuestion], rng: random.Random) -> Task:
    examples = [Example(film.example.id, film.example.input, film.example.targets) for film in films]
    any_title = "|".join(re.escape(title) for title in sorted(_titles(whole), key=len, reverse=True))
    probes = {
        "is an answer": r"\w",
        "speaks of a film": r"(?i)\b(?:movies?|films?)\b",
        "is a film title": rf"(?i)\A\W*(?:{any_title})\W*\Z",
        "names the target": r"(?i)(?<!\w){target}(?!\w)",
    }
    task = replace(whole, examples=tuple(examples), probes=probes, chance=0.0, ceiling=1.0)
    return replace(task, metrics=("case_insensitive_str_match",), preferred_metric="case_insensitive_str_match")


# ── What they share ──────────────────────────────────────────────────────────────────────────────────────────
def _yes_no(whole: Task, asked: Sequence[tuple[str, bool]]) -> Task:
    scores: Mapping[bool, tuple[float, float]] = {True: (1.0, 0.0), False: (0.0, 1.0)}
    return _graded(
        whole,
        [
            Example(str(at), question, ("yes" if right else "no",), ("yes", "no"), scores[right])
            for at, (question, right) in enumerate(asked)
        ],
    )


def _choice(whole: Task, asked: Sequence[tuple[str, str]], pool: Sequence[str], rng: random.Random) -> Task:
    examples = []
    for at, (question, right) in enumerate(asked):
        wrong = rng.sample([one for one in pool if one != right], OPTIONS - 1)
        examples.append(_among(str(at), question, right, wrong, rng))
    return _graded(whole, examples)


def _among(name: str, question: str, right: str, wrong: Sequence[str], rng: random.Random) -> Example:
    options = [right, *wrong]
    rng.shuffle(options)
    scores = tuple(float(option == right) for option in options)
    return Example(name, question, (right,), tuple(options), scores)


def _graded(whole: Task, examples: Sequence[Example]) -> Task:
    """``whole`` with other examples, graded by their options."""
    return replace(
        whole,
        examples=tuple(examples),
        metrics=("multiple_choice_grade",),
        preferred_metric="multiple_choice_grade",
        chance=blind_grade(examples),
        ceiling=1.0,
    )


def _titles(whole: Task) -> list[str]:
    """Every film the task names, right or wrong."""
    return list(dict.fromkeys(option for example in whole.examples for option in example.options))


def _invented(rng: random.Random) -> str:
    return rng.choice(_INVENTED).format(**{kind: rng.choice(words) for kind, words in _WORDS.items()})


def _name_of(emoji: str) -> str:
    """The Unicode name of an emoji of one character, in small letters; "" for a composed one or a sign of direction."""
    bare = re.sub(_MARKS, "", emoji)
    name = unicodedata.name(bare, "").lower() if len(bare) == 1 else ""
    return "" if "arrow" in name or "regional" in name else name
