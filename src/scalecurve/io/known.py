"""What is known of the tasks that the field runs: chance, direction and items, for files that do not say.

The table is ``known_tasks.toml``; every block names its source. A task is found by its name in lower case (blanks and
hyphens as underscores), else by the longest pattern that fits.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from importlib.resources import files

from scalecurve.io.conventions import is_share

_GENERATED = re.compile(r"(_chat|_generative|_gen|_cot|_zeroshot|_fewshot|_n_shot|_bigbench|_llama|_instruct)")
_HARNESS = re.compile(r"^(leaderboard|lm_eval|lighteval|opencompass|olmes|helm|custom|original|harness|community)[:|_]")


@dataclass(frozen=True, slots=True)
class KnownTask:
    """A task's level of blind guessing under right-or-wrong metrics (None: not known), and its number of questions."""

    chance: float | None = None
    items: int | None = None
    source: str = ""


@cache
def _table() -> Mapping[str, KnownTask]:
    text = (files("scalecurve.io") / "known_tasks.toml").read_text(encoding="utf-8")
    found = {}
    for block in tomllib.loads(text)["tasks"]:
        chance = block.get("chance")
        for name, items in block["items"].items():
            found[name] = KnownTask(None if chance is None else float(chance), items or None, block["source"])
    return found


@cache
def known(task: str) -> KnownTask:
    """What is known of a task as a source calls it (``lm-eval:piqa``, ``MMLU-PRO``); nothing of unknown ones."""
    name = re.sub(r"[\s\-/.]+", "_", task.partition(":")[2] or task).lower().strip("_")
    own, table = _HARNESS.sub("", name), _table()
    for given in (name, own):
        if given in table:
            return table[given]
    if _GENERATED.search(own):
        return KnownTask()
    anyone, patterns = _patterns()
    fits = [key for key, fit in patterns if fit(own)] if anyone(own) else []
    return table[max(fits, key=len)] if fits else KnownTask()


def is_generated(task: str) -> bool:
    """Whether a task's name says that answers are written which other variants of it choose (``mmlu_generative``)."""
    return bool(_GENERATED.search(task.lower()))


def plain_name(task: str) -> str:
    """A task's name in words of one kind, without its source and suite: ``lighteval:leaderboard|mmlu:anatomy|5``
    is ``mmlu_anatomy``."""
    name = re.sub(r"[\s\-/.]+", "_", task.partition(":")[2] or task).lower().strip("_")
    return re.sub(r"\|\d+$", "", _HARNESS.sub("", name)).replace(":", "_").replace("|", "_")


def items_under(prefix: str) -> dict[str, int]:
    """Own name → questions of the tasks whose name begins with ``prefix``, which it goes without."""
    found = {name.removeprefix(prefix): one.items for name, one in _table().items() if name.startswith(prefix)}
    return {name: items for name, items in found.items() if items and "*" not in name}


@cache
def _patterns() -> tuple[Callable[[str], object], tuple[tuple[str, Callable[[str], object]], ...]]:
    """What tells whether any of the table's patterns fits a name, and each of them."""
    written = {key: translate(key) for key in _table() if "*" in key}
    return re.compile("|".join(written.values())).match, tuple(
        (key, re.compile(pattern).match) for key, pattern in written.items()
    )


def chance_of(task: str, metric: str) -> float | None:
    """The level of blind guessing of a right-or-wrong metric; None where it is not known. One right of k guesses is had
    with 1 − (1 − p)^k."""
    chance = known(task).chance
    if chance is not None and (tries := re.search(r"(^|_)pass@(\d{1,6})(?!\d)", metric)):
        return 1 - (1 - chance) ** int(tries[2])
    counted = is_share(metric) and not re.search(r"f1|recall|precision|mcc|mc2|pass@", metric)
    return chance if counted else None


def likely_guess(values: Sequence[float]) -> float:
    """What guessing may earn in a task of which nothing is known but its models' scores, on 0–1, to be proposed to the
    user: a share of few options that two models score about, 0 where scores are lower than those, else a quarter."""
    low = sorted(values)[:2]
    if low and low[0] < 0.15:
        return 0.0
    if len(low) < 2:
        return 0.25
    near = [one for one in (0.2, 0.25, 1 / 3, 0.5) if abs(one - low[0]) < 0.03 and abs(one - low[1]) < 0.03]
    middle = (low[0] + low[1]) / 2
    off = [abs(one - middle) for one in near]
    return round(near[off.index(min(off))], 3) if near else 0.25
