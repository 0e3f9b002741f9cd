"""Tasks of the installed BIG-bench, told which of their questions can be answered.

    answerability:known_unknowns    one of them; answerability:all is every one

Each example gets ``metadata["answerable"]`` and, where the gate cannot judge the input as it stands, the question to be
judged in ``metadata["gate_text"]``. Asked with other strategies than the gate, the tasks are BIG-bench's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from scalecurve.errors import UserError
from scalecurve.tasks.bigbench import load_bigbench
from scalecurve.tasks.reader import fingerprint
from scalecurve.tasks.registry import suggest, task_format
from scalecurve.types import Example, Task

METRICS = ("gate_auroc", "false_refusal_rate", "abstention_recall", "abstention_precision")


@task_format("answerability", leaf=lambda named, task: task.name)
def load_answerability(rest: str, *, mode: str = "faithful") -> tuple[Task, ...]:
    """The task ``NAME`` of ``TASKS``, or ``all``. ``UserError`` for another, or when BIG-bench is not installed."""
    names = list(TASKS) if rest == "all" else [rest]
    if names[0] not in TASKS:
        hint = suggest(rest, TASKS) or f"; known: {', '.join(TASKS)}, all"
        raise UserError(f"task 'answerability:{rest}': no such task{hint}")
    return tuple(told(load_bigbench(name, mode=mode)[0], name) for name in names)


def told(task: Task, name: str) -> Task:
    """``task`` with what ``TASKS[name]`` knows of its examples."""
    examples = tuple(replace(one, metadata={**one.metadata, **TASKS[name](one)}) for one in task.examples)
    both = len({example.metadata["answerable"] for example in examples}) == 2
    task = replace(
        task,
        name=f"answerability:{name}",
        examples=examples,
        metrics=tuple(dict.fromkeys((*METRICS, *task.metrics))),
        preferred_metric="gate_auroc" if both else "false_refusal_rate",
        chance=0.5 if both else 0.0,
        ceiling=1.0,
        source="answerability",
    )
    return replace(task, fingerprint=fingerprint(task))


# ── One function a task: what it tells of an example ─────────────────────────────────────────────────────────
def _known_unknowns(example: Example) -> dict[str, object]:
    return {"answerable": example.targets[0] != "Unknown"}


def _sufficient_information(example: Example) -> dict[str, object]:
    return {"answerable": example.targets[0] != "I do not know"}


def _presuppositions(example: Example) -> dict[str, object]:
    """Neutral: the first sentence does not say whether the second is true."""
    first, _, second = example.input.partition("\nSentence 2: ")
    statement = second.partition("\n")[0].strip()
    text = f"{first.removeprefix('Sentence 1: ').strip()} Is the following true or false: {statement}"
    return {"answerable": example.targets[0] != "neutral", "gate_text": text}


def _essentiality(example: Example) -> dict[str, object]:
    """The question after its two statements, which may not suffice."""
    question, _, rest = example.input.partition(" Which of the following statements")
    statements = rest.partition("\n")[2].strip()
    return {"answerable": not example.targets[0].startswith("Neither"), "gate_text": f"{statements}\n{question}"}


def _misconceptions(example: Example) -> dict[str, object]:
    """A question that supposes the statement."""
    return {"answerable": example.targets[0] == "T", "gate_text": f"{example.input.strip()} Why is that so?"}


def _nonsense_words(example: Example) -> dict[str, object]:
    """The control: invented words, yet every question can be answered."""
    return {"answerable": True}


TASKS: Mapping[str, Callable[[Example], dict[str, Any]]] = {
    "known_unknowns": _known_unknowns,
    "sufficient_information": _sufficient_information,
    "presuppositions_as_nli": _presuppositions,
    "evaluating_information_essentiality": _essentiality,
    "misconceptions": _misconceptions,
    "nonsense_words_grammar": _nonsense_words,
}
