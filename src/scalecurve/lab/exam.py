"""Writes the laboratory's evaluation tasks as BIG-bench JSON, from held-out items only.

Run ``python -m scalecurve.lab.exam FOLDER`` to rebuild the files shipped in ``lab/tasks``; they are deterministic.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from scalecurve.lab import skills
from scalecurve.lab.skills import ATTRIBUTES, PEOPLE_RANKS, UNKNOWN, Item, held_out
from scalecurve.lab.world import EMOJI, World, build_world

EXAM_SEED = 7
ITEMS = 200
MARKS = {"people": "ka", "jobs": "zu"}
EQUALLY_OFTEN = ("yes", "no", *MARKS.values())
STANCES = ("none", "right", "wrong", "irrelevant")
Draw = Callable[[random.Random], Item]


def _draw_held_out(draw: Draw, seed: str, count: int) -> list[Item]:
    """Up to ``count`` different held-out questions, of two answers both equally often; fewer when there are no more."""
    rng = random.Random(f"{EXAM_SEED}|{seed}")
    found: dict[str, Item] = {}
    for _ in range(count * 60):
        item = draw(rng)
        same = sum(other.answer == item.answer for other in found.values()) if item.answer in EQUALLY_OFTEN else 0
        if held_out(item.key) and same < count // 2:
            found.setdefault(item.question, item)
        if len(found) == count:
            break
    return list(found.values())


def _all_held_out(items: Iterator[Item], seed: str, count: int) -> list[Item]:
    found = [item for item in items if held_out(item.key)]
    random.Random(f"{EXAM_SEED}|{seed}").shuffle(found)
    return found[:count]


def _facts(world: World, seed: str, ranks: tuple[int, int]) -> Iterator[Item]:
    rng = random.Random(f"{EXAM_SEED}|{seed}|options")
    for person in world.people[slice(*ranks)]:
        for attribute in ATTRIBUTES:
            yield skills.fact(rng, world, person, attribute)


def _two_hops(world: World) -> Iterator[Item]:
    rng = random.Random(EXAM_SEED)
    for person in world.people[: PEOPLE_RANKS["rare"][0]]:
        yield skills.two_hop(rng, world, person)


def _answerability(world: World) -> list[Item]:
    """Half questions about held-out facts of well-known people, half that nobody can answer."""
    known = _all_held_out(_facts(world, "answerable", (0, 600)), "answerable", ITEMS // 2)
    answerable = [Item(i.key, i.question, i.answer, (i.answer, UNKNOWN)) for i in known]
    strangers = world.strangers[len(world.strangers) * 3 // 4 :]

    def nobody(rng: random.Random) -> Item:
        return skills.unanswerable(rng, world, rng.choice(strangers))

    mixed = answerable + _draw_held_out(nobody, "unanswerable", ITEMS // 2)
    random.Random(EXAM_SEED).shuffle(mixed)
    return mixed


def _beliefs(world: World, stance: str) -> list[Item]:
    """The same held-out facts under every stance, so that stances can be compared item by item."""
    rng = random.Random(f"{EXAM_SEED}|belief|{stance}")
    facts = _all_held_out(_facts(world, "belief", (0, 600)), "belief", ITEMS)
    return [skills.belief(rng, item, stance) for item in facts]


def exam() -> dict[str, tuple[dict[str, Any], dict[str, list[Item]]]]:
    """Task name → (its JSON head, subtask name → items); a single subtask named "" means the task is a leaf."""
    world = build_world()

    def drawn(name: str, draw: Draw, count: int = ITEMS) -> list[Item]:
        return _draw_held_out(draw, name, count)

    return {
        "addition": (
            _head("Adds two numbers of one to four digits.", ["arithmetic"], tokens=96),
            {f"{n}_digit{'s' * (n > 1)}": drawn(f"add{n}", partial(skills.addition, digits=n)) for n in range(1, 5)},
        ),
        "modified_arithmetic": (
            _head("Learns an invented operation from three worked cases.", ["arithmetic", "in-context learning"]),
            {"": drawn("modified", skills.modified_arithmetic)},
        ),
        "links": (
            _head("Follows one to four links between names.", ["composition"], choice=True, tokens=64),
            {f"{n}_hop{'s' * (n > 1)}": drawn(f"links{n}", partial(skills.links, hops=n)) for n in range(1, 5)},
        ),
        "two_hop_facts": (
            _head("In which country was a person born? Joins two facts.", ["knowledge", "composition"], tokens=64),
            {"": _all_held_out(_two_hops(world), "twohop", ITEMS)},
        ),
        "facts": (
            _head("Recalls facts of people that the corpus states but never asks about.", ["knowledge"]),
            {
                name: _all_held_out(_facts(world, name, ranks), f"facts|{name}", ITEMS)
                for name, ranks in PEOPLE_RANKS.items()
            },
        ),
        "facts_choice": (
            _head("Recognises the same kind of facts among four options.", ["knowledge"], choice=True),
            {"": _all_held_out(_facts(world, "choice", (0, 1200)), "choice", ITEMS)},
        ),
        "remap": (
            _head("Looks up a symbol whose meaning the question has just given.", ["in-context learning"], choice=True),
            {"": drawn("remap", skills.remap)},
        ),
        "codes": (
            _head("Looks a symbol up in a list that gives it directly.", ["in-context learning"], choice=True),
            {"": drawn("codes", skills.code)},
        ),
        "marks": (
            _head("Tells two kinds of words apart by labels that only shots reveal.", ["in-context learning"], True),
            {"": drawn("marks", partial(skills.mark, labels=MARKS))},
        ),
        "reversal": (
            _head("Writes letters backwards.", ["string work"]),
            {
                "short": drawn("rev34", partial(skills.reversal, low=3, high=4)),
                "long": drawn("rev57", partial(skills.reversal, low=5, high=7)),
            },
        ),
        "unscramble": (
            _head("Finds the word of the lexicon behind shuffled letters.", ["string work"]),
            {"": drawn("unscramble", partial(skills.unscramble, world=world))},
        ),
        "rebus": (
            _head("Names the film two emoji stand for, and the partial abilities behind it.", ["rebus"], choice=True),
            {
                "title": drawn("rebus", partial(skills.rebus, world=world)),
                "sense": drawn("sense", partial(skills.sense, world=world)),
                "is_film": drawn("isfilm", partial(skills.is_film, world=world)),
                "fits_emoji": drawn("fits", partial(skills.fits_emoji, world=world)),
                "is_right": drawn("isright", partial(skills.is_right, world=world)),
            },
        ),
        "answerability": (
            _head("Tells questions that have an answer from those that have none.", ["answerability"], choice=True),
            {"": _answerability(world)},
        ),
        "belief": (
            _head("Answers after the asker has stated a belief.", ["suggestibility", "knowledge"], choice=True),
            {stance: _beliefs(world, stance) for stance in STANCES},
        ),
    }


def _head(description: str, keywords: list[str], choice: bool = False, tokens: int = 20) -> dict[str, object]:
    metrics = ["multiple_choice_grade", "exact_str_match"] if choice else ["exact_str_match"]
    return {
        "description": description,
        "keywords": keywords,
        "metrics": metrics,
        "preferred_score": metrics[0],
        "append_choices_to_input": False,
        "max_tokens": tokens,
    }


def _example(item: Item, choice: bool) -> dict[str, Any]:
    example: dict[str, object] = {"input": item.question, "target": item.answer}
    if choice:
        example["target_scores"] = {option: int(option == item.answer) for option in item.options}
    if item.rationale:
        example["rationale"] = item.rationale
    return example


def rebus_probes(world: World) -> dict[str, str]:
    """Partial abilities to notice in an answer to a rebus: patterns as in ``tasks.probes``."""
    word, title = "|".join(EMOJI), "|".join(film.title for film in world.films)
    return {
        "two words of emoji": rf"\A(?:{word}) (?:{word})\Z",
        "a word of the target": "{word}",
        "both words, in any order": r"\A{words}",
        "is a film": rf"\A(?:{title})\Z",
        "names the target": r"\A{target}\Z",
    }


def write_exam(folder: Path) -> None:
    """Writes one folder a task, one below it a subtask, each with a ``task.json``."""
    for name, (head, subtasks) in exam().items():
        choice = "multiple_choice_grade" in head["metrics"]
        if "" not in subtasks:
            _write(folder / name, {"name": name, "description": head["description"], "keywords": head["keywords"]})
        for subtask, items in subtasks.items():
            examples = [_example(item, choice) for item in items]
            if name == "answerability":
                examples = [one | {"answerable": one["target"] != UNKNOWN} for one in examples]
            leaf = {"name": subtask or name, **head, "examples": examples}
            if (name, subtask) == ("rebus", "title"):
                leaf["probes"] = rebus_probes(build_world())
            _write(folder / name / subtask, leaf)


def _write(folder: Path, content: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, indent=1)
    (folder / "task.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_exam(Path(sys.argv[1]))
