"""The prompts that are tried: templates × option formats × shots asked directly, and triggers of written-out steps.

Templates and triggers are formats in common use; the triggers are among those compared by Kojima et al. 2022
(arXiv 2205.11916, table 4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scalecurve.errors import UserError
from scalecurve.strategies import Prompt
from scalecurve.strategies.prompt import OPTION_FORMATS
from scalecurve.types import Example, Task

TEMPLATES: Mapping[str, Mapping[str, str]] = {
    "own": {},
    "Q/A": {"input_prefix": "Q: ", "output_prefix": "\nA: ", "separator": "\n\n"},
    "Question/Answer": {"input_prefix": "Question: ", "output_prefix": "\nAnswer: ", "separator": "\n\n"},
    "instruction": {
        "task_prefix": "Answer the following question.\n\n",
        "input_prefix": "Question: ",
        "output_prefix": "\nAnswer: ",
        "separator": "\n\n",
    },
    "text/Answer": {"input_prefix": "", "output_prefix": "\nAnswer: ", "separator": "\n\n"},
    "the answer is": {"input_prefix": "", "output_prefix": " The answer is ", "separator": "\n\n"},
    "bare": {"input_prefix": "", "output_prefix": " ", "separator": "\n\n"},
}
TRIGGERS = ("Let's think step by step.", "Let's think about this logically.", "First,")
_LETTER = re.compile(r"\(?[A-Z]\)?")


@dataclass(frozen=True, slots=True)
class Space:
    """What to try. ``templates``: name → parts of the rendering; ``steps``: tokens of written-out steps."""

    templates: Mapping[str, Mapping[str, str]]
    options: tuple[str, ...] = ("listed", "hidden", "lettered")
    shots: tuple[int, ...] = (0, 1, 3)
    triggers: tuple[str, ...] = TRIGGERS
    steps: int = 64


def default_space() -> Space:
    """What is tried when nobody says."""
    return Space(TEMPLATES)


def template(text: str) -> Mapping[str, str]:
    """The template "Question: {input}\\nAnswer: " as parts of a rendering; a written \\n is a line break."""
    before, mark, after = text.replace("\\n", "\n").partition("{input}")
    if not mark or "{input}" in after:
        raise UserError(f"--template: {text!r}: say once, with {{input}}, where the question goes")
    return {"input_prefix": before, "output_prefix": after, "separator": "\n\n"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prompt to try, and what it is in a few words. The default prompt is ``default``."""

    name: str
    prompt: Prompt


DEFAULT = Candidate("default", Prompt(shots=()))
"""The task's own rendering without shots: what a benchmark asks when nobody thinks about the prompt."""


def candidates(task: Task, space: Space, worked: Sequence[Example], *, choice: bool) -> list[Candidate]:
    """The default and every other prompt of ``space`` that differs from it and from each other.

    ``worked`` are the answered examples that may be shown, the first of them for fewer shots. ``choice``: answers are
    options that are scored, so option formats are tried; else texts, whose answers are found by type.
    """
    found = [DEFAULT]
    formats = _formats(task, space) if choice else ("own",)
    for name, parts in space.templates.items():
        for shown in formats:
            for shots in space.shots:
                words = [f"{name} template", *_words(shown), _number(shots)]
                prompt = Prompt(
                    template=parts,
                    options=shown,
                    answer="own" if choice else "typed",
                    shots=tuple(worked[:shots]),
                )
                found.append(Candidate(", ".join(words), prompt))
    for trigger in space.triggers:
        settings = {"trigger": trigger, "max_tokens": space.steps}
        found.append(Candidate(f"steps: {trigger}", Prompt("zero_shot_cot", settings, shots=())))
    if any(example.rationale for example in worked):
        for shots in space.shots:
            settings = {"max_tokens": 2 * space.steps}
            prompt = Prompt("chain_of_thought", settings, shots=tuple(worked[:shots]))
            found += [Candidate(f"steps shown, {_number(shots)}", prompt)] if shots else []
    distinct = {_asks(candidate.prompt, task): candidate for candidate in reversed(found)}
    return [candidate for candidate in found if distinct[_asks(candidate.prompt, task)] is candidate]


def _formats(task: Task, space: Space) -> tuple[str, ...]:
    """The option formats that make sense: those of ``space``, unless the options are letters already."""
    unknown = [name for name in space.options if name not in OPTION_FORMATS]
    if unknown:
        raise UserError(f"--options: unknown {unknown[0]!r}; use {', '.join(OPTION_FORMATS)}")
    lettered = all(_LETTER.fullmatch(option) for example in task.examples for option in example.options)
    return ("own",) if lettered else space.options


def _number(shots: int) -> str:
    return f"{shots} shot" + "s" * (shots != 1)


def _words(shown: str) -> list[str]:
    return [] if shown == "own" else [f"options {shown}"]


def _asks(prompt: Prompt, task: Task) -> tuple[object, ...]:
    """What tells prompts apart on ``task``: options listed as the task lists them anyway are the task's own."""
    own = "listed" if task.rendering.append_choices else "hidden"
    shown = own if prompt.options == "own" else prompt.options
    parts = {name: value for name, value in prompt.template.items() if value != getattr(task.rendering, name)}
    return (
        prompt.strategy,
        repr(sorted(prompt.settings.items())),
        repr(sorted(parts.items())),
        shown,
        prompt.answer,
        tuple(shot.id for shot in prompt.shots or ()),
    )
