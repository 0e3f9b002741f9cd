"""What is odd about a BIG-bench leaf, said in flags, and its repair in corrected mode.

| flag | meaning | corrected mode |
|---|---|---|
| append_choices_text | ``append_choices_to_input`` is the text "false", which counts as true | options not shown |
| structural_zeros | a right answer fails its own metric after post-processing | first line, stripped |
| negative_targets | numeric match accepts any number for a negative target | divides by the absolute target |
| prose_targets | the target is prose where only options can be right | generative metrics dropped |
| ceiling_below_1 | no option of some example is worth 1 | ceiling is the mean best score |
| correct_first | the right option always comes first: never break ties by position | same |

A repair is recorded as ``corrected:<flag>``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from scalecurve.tasks.postprocess import (
    DEFAULT_REGEX,
    FIRST_LINE,
    WHOLE_TEXT,
    case_insensitive_match,
    exact_match,
    numeric_match,
    postprocess,
)
from scalecurve.types import Example, Postprocess, Task

NUMERIC = "numeric_match_with_0_1_relative_error"
GENERATIVE = frozenset(
    {
        "exact_str_match",
        "exact_match",
        "case_insensitive_str_match",
        NUMERIC,
        "bleu",
        "bleurt",
        "rouge1",
        "rouge2",
        "rougeLsum",
        "sequence_f1",
    }
)
_MATCHES: Mapping[str, Callable[[str, tuple[str, ...]], bool]] = {
    "exact_str_match": exact_match,
    "exact_match": exact_match,
    "case_insensitive_str_match": case_insensitive_match,
    NUMERIC: numeric_match,
}


def inspect_and_repair(task: Task, data: Mapping[str, object], *, corrected: bool) -> Task:
    """``task`` with its flags; in corrected mode also repaired. ``data`` is the parsed task file."""
    found = {
        "append_choices_text": isinstance(data.get("append_choices_to_input"), str) and task.rendering.append_choices,
        "structural_zeros": structural_zeros(task) > 0,
        "negative_targets": NUMERIC in task.metrics and any(_negative(example) for example in task.examples),
        "prose_targets": _prose_targets(task),
        "ceiling_below_1": best_grade(task) < 1.0,
        "correct_first": _correct_first(task),
    }
    flags = [flag for flag, holds in found.items() if holds]
    repaired = [flag for flag in flags if flag in _REPAIRS] if corrected else []
    for flag in repaired:
        task = _REPAIRS[flag](task)
    return replace(task, flags=(*task.flags, *flags, *(f"corrected:{flag}" for flag in repaired)))


def structural_zeros(task: Task) -> int:
    """The number of examples whose every target, generated as it stands, fails a match metric of the task.

    A target is taken to be followed by the stop string, which stays in the response. 0 for a leaf with a regex of its
    own: there the task's author has said what an answer looks like.
    """
    matches = [_MATCHES[name] for name in task.metrics if name in _MATCHES]
    if not matches or not _unattended(task):
        return 0
    return sum(_fails(example, task.postprocess, matches) for example in task.examples)


def best_grade(task: Task) -> float:
    """The mean over examples of the best option's score; 1 for a task that is not graded by options."""
    scores = [max(example.option_scores) for example in task.examples if example.option_scores]
    graded = task.preferred_metric == "multiple_choice_grade" and scores
    return min(1.0, sum(scores) / len(scores)) if graded else 1.0


def _unattended(task: Task) -> bool:
    rules = task.postprocess
    return rules.regex == DEFAULT_REGEX or (bool(rules.stop) and not rules.regex)


def _fails(example: Example, rules: Postprocess, matches: list[Callable[[str, tuple[str, ...]], bool]]) -> bool:
    stop = rules.stop or ""
    answers = [postprocess(target if stop in target else target + stop, rules) for target in example.targets]
    return any(not any(match(answer, example.targets) for answer in answers) for match in matches)


def _negative(example: Example) -> bool:
    try:
        return float(example.targets[0]) < 0
    except ValueError:
        return False


def _prose_targets(task: Task) -> bool:
    """Every example has options and targets that are none of them, in a task that is preferably graded by options."""
    return (
        task.preferred_metric == "multiple_choice_grade"
        and bool(GENERATIVE.intersection(task.metrics))
        and all(example.options and not set(example.targets) & set(example.options) for example in task.examples)
    )


def _correct_first(task: Task) -> bool:
    scores = [example.option_scores for example in task.examples]
    return all(s and s[0] == max(s) > 0 for s in scores)


def _repair_append_choices(task: Task) -> Task:
    return replace(task, rendering=replace(task.rendering, append_choices=False))


def _repair_structural_zeros(task: Task) -> Task:
    lines = any("\n" in target.strip() for example in task.examples for target in example.targets)
    return replace(task, postprocess=Postprocess(regex=WHOLE_TEXT if lines else FIRST_LINE))


def _repair_prose_targets(task: Task) -> Task:
    return replace(task, metrics=tuple(name for name in task.metrics if name not in GENERATIVE))


_REPAIRS: Mapping[str, Callable[[Task], Task]] = {
    "append_choices_text": _repair_append_choices,
    "structural_zeros": _repair_structural_zeros,
    "negative_targets": lambda task: task,  # the metric reads the flag
    "prose_targets": _repair_prose_targets,
    "ceiling_below_1": lambda task: replace(task, ceiling=best_grade(task)),
}
