"""Twins: arithmetic word problems, each beside a copy that cannot be answered. Deterministic in the seed.

    twins:50                       50 pairs of our own, the four ways of spoiling them in turn
    twins:50:deleted               one way only; twins:50:all is four tasks, one for each
    twins:50:mixed:7               another seed
    twins:problems.jsonl[:KIND]    a pair for each of the user's problems

    deleted          a needed quantity is only "some"
    nonce            an invented word stands for a needed quantity
    impossible_unit  the question asks for a unit that has nothing to do with the story
    false_premise    the question supposes an event that the story does not tell

Members of a pair share ``metadata["pair"]``; the target of the spoiled one is "unanswerable". To keep pairs whole, ask
for fewer of them rather than limit examples, and show shots under the policy ``fixed``: they are pairs of their own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.tasks.postprocess import LAST_NUMBER
from scalecurve.tasks.reader import fingerprint
from scalecurve.tasks.registry import task_format
from scalecurve.tasks.word_problems import NUMBER, Problem, own_problems, read_problems, shuffled
from scalecurve.types import Example, Postprocess, Task
from scalecurve.util.paths import absolute_path

UNANSWERABLE = "unanswerable"
METRICS = (
    "abstention_accuracy",
    "answerable_accuracy",
    "selective_accuracy",
    "garbage_in_rate",
    "false_refusal_rate",
    "abstention_recall",
    "abstention_precision",
    "gate_auroc",
    "twin_accuracy",
    "extraction_rate",
)
MOST_PAIRS = 2000
WORKED_PAIRS = 4
MAX_TOKENS = 96

UNITS = ("volts", "decibels", "degrees Celsius", "hectares", "kilowatts", "litres", "light-years", "megabytes")
PREMISES = (
    "after the flood described above",
    "now that the thief mentioned above has taken a share",
    "once the dragon in the story has had its fill",
    "given the discount that was agreed on above",
)
_ASKED = re.compile(
    r"([Hh]ow many (?:more |fewer )?)(?!more|fewer)((?:[a-z'-]+ ){1,3}?)"
    r"(?=(?:do|does|did|is|are|was|were|has|have|had|will|would|can|could|must|should)\b)"
)


def _leaf(named: str, task: Task) -> str:
    return re.sub(r":all(?=\Z|:\d+\Z)", f":{task.name.split(':')[2]}", named)


@task_format("twins", absolute=absolute_path, leaf=_leaf)
def load_twins(rest: str, *, mode: str = "faithful") -> tuple[Task, ...]:
    """The tasks of ``COUNT`` or ``FILE``, then ``[:KIND[:SEED]]``. ``UserError`` names what is wrong."""
    found = re.fullmatch(rf"(.+?)(?::({'|'.join((*KINDS, 'mixed', 'all'))})(?::(\d+))?)?", rest)
    if found is None:
        raise UserError("task 'twins:': give a number of pairs or a file, such as twins:50")
    what, kind, seed = found[1], found[2] or "mixed", int(found[3] or 0)
    if what.isdecimal():
        if not 1 <= int(what) <= MOST_PAIRS:
            raise UserError(f"task 'twins:{rest}': give 1 to {MOST_PAIRS} pairs")
        problems, name = own_problems(int(what), seed), what
    elif ":" in what and not Path(what).expanduser().is_file():
        raise UserError(f"task 'twins:{rest}': write twins:COUNT:KIND:SEED; kinds: {', '.join(KINDS)}, mixed, all")
    else:
        problems, name = read_problems(Path(what).expanduser()), Path(what).stem
    return tuple(_task(name, problems, one, seed) for one in (KINDS if kind == "all" else (kind,)))


def _task(name: str, problems: Sequence[Problem], kind: str, seed: int) -> Task:
    examples = [member for at, problem in enumerate(problems) for member in _pair(problem, at, kind, seed)]
    if not examples:
        raise UserError(f"twins:{name}:{kind}: none of the problems can be spoiled in this way; take another kind")
    asked = {problem.text for problem in problems}
    shown = [problem for problem in own_problems(WORKED_PAIRS, -1) if problem.text not in asked]
    worked = [member for at, problem in enumerate(shown) for member in _pair(problem, at, kind, -1)]
    named = [name, *((kind,) if kind != "mixed" or seed else ()), *((str(seed),) if seed else ())]
    task = Task(
        name=":".join(("twins", *named)),
        examples=tuple(examples),
        metrics=METRICS,
        preferred_metric=METRICS[0],
        postprocess=Postprocess(regex=LAST_NUMBER),
        max_tokens=MAX_TOKENS,
        description="Word problems, each beside a copy that cannot be answered.",
        keywords=("answerability", "arithmetic"),
        source="twins",
        worked=tuple(worked),
    )
    return replace(task, fingerprint=fingerprint(task))


def _pair(problem: Problem, at: int, kind: str, seed: int) -> tuple[Example, ...]:
    """The problem and its spoiled copy; nothing where it cannot be spoiled. ``mixed`` takes the kinds in turn."""
    turn = at % len(KINDS)
    for one in [kind] if kind != "mixed" else [*list(KINDS)[turn:], *list(KINDS)[:turn]]:
        rng = random.Random(f"twin|{seed}|{problem.id}|{one}")
        spoiled = KINDS[one](problem, rng)
        if spoiled:
            told = {"pair": problem.id, "answerable": True}
            steps = f"Let's think step by step. {problem.steps} So the answer is {problem.answer}."
            return (
                Example(f"{problem.id}+", problem.text, (problem.answer,), rationale=steps if problem.steps else "",
                        metadata=told),
                Example(f"{problem.id}-", spoiled, (UNANSWERABLE,), rationale=_REASONS[one] if problem.steps else "",
                        metadata=told | {"answerable": False, "kind": one}),
            )  # fmt: skip
    return ()


# ── Four ways of spoiling a problem: the new text, "" where it does not apply ────────────────────────────────
def _deleted(problem: Problem, rng: random.Random) -> str:
    return _without_a_number(problem, rng, "some")


def _nonce(problem: Problem, rng: random.Random) -> str:
    word = nonce_word(rng)
    while word in problem.text:
        word = nonce_word(rng)
    return _without_a_number(problem, rng, word)


def _impossible_unit(problem: Problem, rng: random.Random) -> str:
    unit = next((one for one in shuffled(UNITS, rng) if one.split()[0] not in problem.text), "")
    question, changed = _ASKED.subn(lambda found: f"{found[1]}{unit} ", problem.question, count=1)
    return f"{problem.story} {question}".strip() if changed and unit else ""


def _false_premise(problem: Problem, rng: random.Random) -> str:
    return f"{problem.text.removesuffix('?')}, {rng.choice(PREMISES)}?"


def _without_a_number(problem: Problem, rng: random.Random, instead: str) -> str:
    """The text with one of the needed numbers replaced; only numbers above 1 that stand there once."""
    numbers = NUMBER.findall(problem.text)
    able = [number for number in problem.needed if numbers.count(number) == 1 and float(number.replace(",", "")) > 1]
    if not able:
        return ""
    gone = rng.choice(able)
    return NUMBER.sub(lambda found: instead if found[0] == gone else found[0], problem.text)


KINDS: Mapping[str, Callable[[Problem, random.Random], str]] = {
    "deleted": _deleted,
    "nonce": _nonce,
    "impossible_unit": _impossible_unit,
    "false_premise": _false_premise,
}
_REASONS = {
    kind: f"Let's think step by step. {why} So the answer is {UNANSWERABLE}."
    for kind, why in {
        "deleted": "One of the quantities is not told.",
        "nonce": "One of the words has no meaning.",
        "impossible_unit": "The question asks for a unit that does not fit.",
        "false_premise": "The question supposes what was not told.",
    }.items()
}


def nonce_word(rng: random.Random) -> str:
    """An invented word of two syllables."""
    parts = ("bl fl gl pl sn v z kl dr sk".split(), "aeiou", "mp nd rb zz lt ft".split(), "et im ox ap un ib".split())
    return "".join(rng.choice(part) for part in parts)
