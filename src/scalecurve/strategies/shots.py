"""Which examples are asked, in which order, and which others are shown before each as shots.

``bigbench`` is the reference's: new shots for every question, one stream of random numbers for all.
``fixed`` shows the same shots before every question, so that a model reads them once. ``balanced`` is ``fixed`` with
shots of as many different answers as there are. ``lm_eval`` is the draw of lm-evaluation-harness, for its tasks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scalecurve.errors import UserError
from scalecurve.types import Example, Task

if TYPE_CHECKING:
    import numpy as np

BIGBENCH_SEED = 42
LM_EVAL_SEED = 1234


@dataclass(frozen=True, slots=True)
class Shot:
    """An answered example shown before a question."""

    example: Example
    target: str


@dataclass(frozen=True, slots=True)
class FewShotExample:
    """A question and the shots before it."""

    example: Example
    shots: tuple[Shot, ...] = ()


def draw(task: Task, k: int, policy: str = "bigbench", seed: int = 0, limit: int | None = None) -> list[FewShotExample]:
    """The questions of ``task`` (at most ``limit``), each with ``k`` shots chosen by ``policy``.

    Under ``fixed`` and ``balanced`` the questions do not depend on ``k`` and ``seed`` (but for the shots, which are
    never asked), so that arms can be compared item by item. ``UserError`` when there are too few examples.
    """
    if policy not in POLICIES:
        raise UserError(f"shot_policy: unknown policy {policy!r}; use {', '.join(POLICIES)}")
    if k < 0 or (limit is not None and limit < 1):
        raise UserError(f"task {task.name}: shots must be at least 0 and limit at least 1")
    if task.harness and task.harness.built:  # its shots stand in the question already
        return [FewShotExample(example, ()) for example in task.examples[:limit]]
    if len(task.examples) < k + 1 and not task.worked:
        raise UserError(f"task {task.name}: {len(task.examples)} distinct examples are too few for {k} shots")
    return POLICIES[policy](task, k, seed, limit)


# ── BIG-bench ────────────────────────────────────────────────────────────────────────────────────────────────
def _bigbench(task: Task, k: int, seed: int, limit: int | None) -> list[FewShotExample]:
    """The reference's stream: ``RandomState(42)`` (plus our seed) anew for each number of shots.

    Zero shots keep file order unless limited. With shots the questions are permuted, then for each one k of the other
    examples are drawn, and one target of each. Drawing k of n is the head of a permutation of n, so the pool of
    "all others" is never built: a drawn position steps over the question and those equal to it.
    """
    import numpy as np

    stream = np.random.RandomState(BIGBENCH_SEED + seed)
    examples = task.examples
    n = len(examples)
    wanted = min(limit or n, n)
    if k == 0:
        order = range(n) if wanted == n else stream.permutation(n)[:wanted]
        return [FewShotExample(examples[at]) for at in order]
    equals = _asked_alike(examples) if task.own else _equals(examples)
    queries = []
    for at in stream.permutation(n)[:wanted]:
        left_out = equals.get(int(at), (int(at),))
        if n - len(left_out) < k:
            raise UserError(f"task {task.name}: too few examples differ from {examples[at].id!r} for {k} shots")
        places = stream.permutation(n - len(left_out))[:k]
        chosen = [examples[_step_over(int(place), left_out)] for place in places]
        queries.append(FewShotExample(examples[at], tuple(Shot(shot, _one_target(shot, stream)) for shot in chosen)))
    return queries


def _equals(examples: Sequence[Example]) -> dict[int, tuple[int, ...]]:
    """Index → the indices, ascending, of all examples that read the same (only where there are others)."""
    marked = [(at, example.metadata["same_as"]) for at, example in enumerate(examples) if "same_as" in example.metadata]
    if not marked:
        return {}
    place = {example.id: at for at, example in enumerate(examples)}
    groups: dict[str, list[int]] = {}
    for at, same in marked:  # the first of them is missing where only some of a task's examples are asked
        groups.setdefault(same, [place[same]] if same in place else []).append(at)
    return {at: tuple(group) for group in groups.values() for at in group}


def _asked_alike(examples: Sequence[Example]) -> dict[int, tuple[int, ...]]:
    """Index → the indices, ascending, of all examples with the same question (only where there are others)."""
    groups: dict[str, list[int]] = {}
    for at, example in enumerate(examples):
        groups.setdefault(example.input.strip(), []).append(at)
    return {at: tuple(group) for group in groups.values() if len(group) > 1 for at in group}


def _step_over(place: int, left_out: tuple[int, ...]) -> int:
    """The index of the ``place``-th example that is not among ``left_out`` (ascending)."""
    for at in left_out:
        if place < at:
            break
        place += 1
    return place


def _one_target(example: Example, stream: np.random.RandomState) -> str:
    """One of the targets by chance; with a single one no random number is used. NULs at the end are lost, as there."""
    at = int(stream.randint(len(example.targets))) if len(example.targets) > 1 else 0
    return example.targets[at].rstrip("\0")


# ── The same shots for all ───────────────────────────────────────────────────────────────────────────────────
def _fixed(task: Task, k: int, seed: int, limit: int | None) -> list[FewShotExample]:
    return _same_for_all(task, k, seed, limit, balanced=False)


def _balanced(task: Task, k: int, seed: int, limit: int | None) -> list[FewShotExample]:
    return _same_for_all(task, k, seed, limit, balanced=True)


def _same_for_all(task: Task, k: int, seed: int, limit: int | None, *, balanced: bool) -> list[FewShotExample]:
    """Shots from the task's worked examples where it has any, else from the examples least likely to be asked."""
    import numpy as np

    examples = task.examples
    n = len(examples)
    order = [int(at) for at in np.random.RandomState(BIGBENCH_SEED).permutation(n)]
    if task.worked:
        if k > len(task.worked):
            raise UserError(f"task {task.name}: {len(task.worked)} worked examples are too few for {k} shots")
        shots = list(task.worked[:k])
        shown = {_identity(shot, task) for shot in shots} if task.harness or task.own else set()
        unasked = {at for at in order if _identity(examples[at], task) in shown}
    else:
        spare = order[limit:] if limit is not None and n - limit >= k else order
        mixed = [spare[int(at)] for at in np.random.RandomState(BIGBENCH_SEED + seed).permutation(len(spare))]
        chosen = spread(examples, mixed, k) if balanced else mixed[:k]
        shots = [examples[at] for at in chosen]
        shown = {_identity(shot, task) for shot in shots}
        unasked = {at for at in order if _identity(examples[at], task) in shown}
    asked = sorted([at for at in order if at not in unasked][:limit])
    if not asked:
        raise UserError(f"task {task.name}: no example is left to ask beside {k} shots")
    answered = tuple(Shot(shot, shot.targets[0]) for shot in shots)
    return [FewShotExample(examples[at], answered) for at in asked]


def _identity(example: Example, task: Task) -> object:
    """What is equal for two examples made of the same document, or of a user's own task for the same question."""
    if task.own:
        return example.input.strip()
    return example.metadata.get("doc_hash") or (example.input, example.targets)


def shows_itself(query: FewShotExample) -> bool:
    """Whether the question is among the shots before it."""
    asked = query.example
    return any(
        shot.example.input.strip() == asked.input.strip()
        and (not asked.options or shot.example.options in ((), asked.options))
        for shot in query.shots
    )


def spread(examples: Sequence[Example], mixed: Sequence[int], k: int) -> list[int]:
    """k of the positions ``mixed``, taking one of each answer in turn."""
    by_answer: dict[str, list[int]] = {}
    for at in mixed:
        by_answer.setdefault(examples[at].targets[0], []).append(at)
    rounds = max((len(group) for group in by_answer.values()), default=0)
    turns = [group[turn] for turn in range(rounds) for group in by_answer.values() if turn < len(group)]
    return turns[:k]


# ── lm-evaluation-harness ────────────────────────────────────────────────────────────────────────────────────
def _lm_eval(task: Task, k: int, seed: int, limit: int | None) -> list[FewShotExample]:
    """The harness's draw (0.4.13): documents in order, new shots for each from one ``Random(1234)`` (plus our seed).

    Where the question may be among the shots one more is drawn, and its copies are taken out; should too few be left,
    the rest is drawn anew from what is not a copy.
    """
    rule = task.harness
    if rule is None:
        raise UserError(f"shot_policy: lm_eval is for tasks of lm-evaluation-harness; {task.name} is none")
    if k and len(task.worked) < k + (rule.leave_out and rule.sampler == "default"):
        raise UserError(f"task {task.name}: {len(task.worked)} documents that can be shots are too few for {k} of them")
    stream, queries = random.Random(LM_EVAL_SEED + seed), []
    for example in task.examples[:limit]:
        others = [shot for shot in task.worked if _identity(shot, task) != _identity(example, task)] if k else []
        if not k:
            shots: Sequence[Example] = ()
        elif rule.sampler == "first_n":
            shots = (others if rule.leave_out else task.worked)[:k]
        elif not rule.leave_out:
            shots = stream.sample(task.worked, k)
        else:
            drawn = stream.sample(task.worked, k + 1)
            shots = [shot for shot in drawn if _identity(shot, task) != _identity(example, task)][:k]
            if len(shots) < k <= len(others):
                shots = stream.sample(others, k)
        if len(shots) < k:
            raise UserError(f"task {task.name}: too few documents differ from {example.id} for {k} shots")
        queries.append(FewShotExample(example, tuple(Shot(shot, shot.targets[0]) for shot in shots)))
    return queries


POLICIES: Mapping[str, Callable[[Task, int, int, int | None], list[FewShotExample]]] = {
    "bigbench": _bigbench,
    "fixed": _fixed,
    "balanced": _balanced,
    "lm_eval": _lm_eval,
}
