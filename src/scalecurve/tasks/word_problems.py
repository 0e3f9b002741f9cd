"""Arithmetic word problems of one or two steps: drawn from our own templates, or read from a file of the user's."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.tasks.jsonfile import fail, read_json, read_json_lines

NUMBER = re.compile(r"(?<![\w$£€.,/:+-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w%/:]|[.,]\d)")
"""A number that stands alone: no price, share, date, fraction or part of a name."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A word problem: what is told, the question (the last sentence), and the answer.

    ``needed`` are the numbers in the text, as written there, without which there is no answer; ``steps`` the working.
    """

    id: str
    story: str
    question: str
    answer: str
    needed: tuple[str, ...]
    steps: str = ""

    @property
    def text(self) -> str:
        return f"{self.story} {self.question}".strip()


# ── Our own ──────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Template:
    """A story and a question with places for names, things and the numbers a, b, c (each from 2 to its ``most``).

    ``steps`` are (left, operation, right) over a, b, c and t, the result of the step before.
    """

    story: str
    question: str
    steps: tuple[tuple[str, str, str], ...]
    most: tuple[int, ...]


NAMES = "Ada Ben Cora Dev Ella Finn Gita Hugo Iris Jonas Kira Luis Mona Nils Opal Petra Ravi Sana Theo Vera".split()
THINGS = "pencils marbles stamps shells plums buttons stickers beads acorns postcards pebbles walnuts".split()
TEMPLATES = (
    Template("{name} has {a} {things}. {other} gives {name} {b} more.",
             "How many {things} does {name} have now?", (("a", "+", "b"),), (20, 20)),
    Template("{name} gathered {a} {things} and gave {b} of them to {other}.",
             "How many {things} does {name} have left?", (("a", "-", "b"),), (20, 20)),
    Template("A shop packs {a} {things} in each box. {name} buys {b} boxes.",
             "How many {things} does {name} buy?", (("a", "*", "b"),), (10, 10)),
    Template("{name} shares {a} {things} equally among {b} friends.",
             "How many {things} does each friend get?", (("a", "/", "b"),), (50, 10)),
    Template("{name} collected {a} {things} and {other} collected {b}.",
             "How many more {things} did {name} collect than {other}?", (("a", "-", "b"),), (20, 20)),
    Template("{name} has lived for {a} years. {other} has lived {b} years longer.",
             "How many years has {other} lived?", (("a", "+", "b"),), (20, 20)),
    Template("{name} walks {a} steps to the market and {b} steps home by another road.",
             "How many steps does {name} walk?", (("a", "+", "b"),), (90, 90)),
    Template("A ribbon of {a} centimetres is cut into {b} equal pieces.",
             "How many centimetres does each piece measure?", (("a", "/", "b"),), (50, 10)),
    Template("{name} had {a} {things}, found {b} more on Monday and lost {c} of them on Tuesday.",
             "How many {things} does {name} have after Tuesday?", (("a", "+", "b"), ("t", "-", "c")), (20, 20, 20)),
    Template("A room has {a} shelves. Each shelf holds {b} books, and {c} more books lie on the table.",
             "How many books are in the room?", (("a", "*", "b"), ("t", "+", "c")), (9, 10, 20)),
    Template("{name} has {a} {things} and fills {b} bags with {c} {things} each.",
             "How many {things} are left over?", (("b", "*", "c"), ("a", "-", "t")), (60, 9, 9)),
    Template("A ticket costs {a} coins and a drink costs {b} coins. {name} buys one of each for {c} people.",
             "How many coins does {name} spend?", (("a", "+", "b"), ("t", "*", "c")), (9, 9, 9)),
    Template("A farmer keeps {a} hens and {b} ducks. Every bird lays {c} eggs a week.",
             "How many eggs do the birds lay in a week?", (("a", "+", "b"), ("t", "*", "c")), (9, 9, 7)),
    Template("A book has {c} pages. {name} reads {a} pages on Monday and {b} pages on Tuesday.",
             "How many pages are still to be read?", (("a", "+", "b"), ("c", "-", "t")), (30, 30, 90)),
    Template("{name} bakes {a} trays of {b} rolls and shares all rolls equally among {c} houses.",
             "How many rolls does each house get?", (("a", "*", "b"), ("t", "/", "c")), (9, 9, 9)),
    Template("A train has {a} coaches with {b} seats each. Of all the seats, {c} are taken.",
             "How many seats are free?", (("a", "*", "b"), ("t", "-", "c")), (9, 20, 90)),
)  # fmt: skip
MOST_TRIES = 200  # draws until a template gives whole numbers, and until a problem differs from those before


def own_problems(count: int, seed: int = 0) -> list[Problem]:
    """``count`` different problems; the first of them are the same whatever the count."""
    found: list[Problem] = []
    texts: set[str] = set()
    for at in range(count):
        rng = random.Random(f"word problem|{seed}|{at}")
        one = next((p for p in (_drawn(rng, str(at)) for _ in range(MOST_TRIES)) if p.text not in texts), None)
        if one is None:
            raise UserError(f"twins:{count}: there are not so many different problems; ask for fewer")
        texts.add(one.text)
        found.append(one)
    return found


def _drawn(rng: random.Random, name: str) -> Problem:
    template = rng.choice(TEMPLATES)
    for _ in range(MOST_TRIES):
        values = dict(zip("abc", (rng.randint(2, most) for most in template.most), strict=False))
        solved = _solve(template, values)
        if solved and len(set(values.values())) == len(values) and solved[-1][1] not in values.values():
            break
    else:
        raise AssertionError(f"no whole numbers fit {template.question!r}")
    first, second = rng.sample(NAMES, 2)
    words = {"name": first, "other": second, "things": rng.choice(THINGS), **values}
    return Problem(
        id=name,
        story=template.story.format(**words),
        question=template.question.format(**words),
        answer=str(solved[-1][1]),
        needed=tuple(map(str, values.values())),
        steps=", ".join(f"{working}={result}" for working, result in solved) + ".",
    )


def _solve(template: Template, values: Mapping[str, int]) -> list[tuple[str, int]]:
    """(working, result) of each step; empty when a result is no whole number above 1."""
    known, solved = dict(values), list[tuple[str, int]]()
    for left, operation, right in template.steps:
        x, y = known[left], known[right]
        if operation == "/" and x % y:
            return []
        result = {"+": x + y, "-": x - y, "*": x * y, "/": x // y}[operation]
        if result < 2:
            return []
        known["t"] = result
        solved.append((f"{x}{operation}{y}", result))
    return solved


# ── The user's ───────────────────────────────────────────────────────────────────────────────────────────────
_QUESTION = re.compile(r"(.*?(?:[.!?]|\A))\s*([^.!?]*(?:\d\.\d[^.!?]*)*\?)\s*", re.DOTALL)
_KEYS: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "input", "sQuestion"),
    "answer": ("answer", "target", "Answer", "lSolutions"),
    "equation": ("equation", "Equation", "lEquations"),
    "id": ("id", "ID", "iIndex"),
}


def read_problems(path: Path) -> list[Problem]:
    """The problems of a JSON list or a JSON Lines file.

    Each is an object with ``question`` and ``answer``, and if it can be ``equation`` (by which the needed numbers are
    known; without it, the numbers of a text that has two) and ``id``. SVAMP's keys (Body, Question, Answer, Equation)
    and MultiArith's (sQuestion, lSolutions, lEquations) are understood. ``UserError`` names the place of what is wrong.
    """
    if not path.is_file():
        raise UserError(f"twins:{path}: no such file; give a JSON or JSON Lines file of word problems, or a number")
    if path.suffix in (".jsonl", ".ndjson"):
        placed = [(f"line {number}", raw) for number, raw in read_json_lines(path)]
    else:
        raws = read_json(path)
        placed = [(f"problem {at}", raw) for at, raw in enumerate(raws, 1)] if isinstance(raws, list) else []
    if not placed:
        fail(path, (), "must be a list of at least one word problem")
    found = [_problem(path, place, at, raw) for at, (place, raw) in enumerate(placed)]
    ids = [one.id for one in found]
    if len(set(ids)) < len(ids):
        twice = next(name for at, name in enumerate(ids) if name in ids[:at])
        raise UserError(f"{path}: two problems have the id {twice!r}; change one or leave all ids out")
    return found


def _problem(path: Path, place: str, at: int, raw: object) -> Problem:
    def wrong(what: str) -> UserError:
        return UserError(f"{path}: {place}: {what}")

    if not isinstance(raw, Mapping):
        raise wrong("a word problem must be a JSON object")
    text = f"{str(raw['Body']).rstrip()} {raw.get('Question', '')}" if "Body" in raw else _first(raw, "question")
    answer, equation, name = (_first(raw, key) for key in ("answer", "equation", "id"))
    if not isinstance(text, str) or not text.strip():
        raise wrong('it has no question; add "question": "…"')
    if answer is None or isinstance(answer, bool):
        raise wrong('it has no answer; add "answer": …')
    parted = _QUESTION.fullmatch(text.strip())
    if parted is None:
        raise wrong("its last sentence must be a question that ends in “?”")
    return Problem(
        id=str(at if name is None else name),
        story=parted[1].strip(),
        question=parted[2].strip(),
        answer=_number(answer),
        needed=_needed(text, equation),
    )


def _first(raw: Mapping[str, object], what: str) -> Any:
    """The value of the first key for ``what`` that is there, out of its list where it stands in one."""
    value = next((raw[key] for key in _KEYS[what] if key in raw), None)
    return value[0] if isinstance(value, list) and value else value


def _number(value: object) -> str:
    """The answer as it is written: 5.0 as 5."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _needed(text: str, equation: object) -> tuple[str, ...]:
    """The numbers of the text that the equation has; without one, those of a text that has exactly two."""
    numbers = NUMBER.findall(text)
    if equation is None:
        return tuple(numbers) if len(numbers) == 2 else ()
    used = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", str(equation))}
    return tuple(number for number in dict.fromkeys(numbers) if float(number.replace(",", "")) in used)


def shuffled(items: Sequence[str], rng: random.Random) -> list[str]:
    """A new list of ``items`` in random order."""
    mixed = list(items)
    rng.shuffle(mixed)
    return mixed
