"""Typed answers in strategies: the settings that say what to extract, and the response in the task's own spelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from scalecurve.errors import UserError
from scalecurve.strategies.extraction import (
    AnswerType,
    answer_type,
    find_answer,
    infer_type,
    listed_options,
    spelled_as,
)
from scalecurve.strategies.extraction.options import letter_by_text
from scalecurve.strategies.protocol import Question
from scalecurve.types import Example, Task

T = TypeVar("T")
SAMPLE = 200  # examples that decide of what kind a task's answers are
_INFERRED: dict[int, tuple[tuple[Example, ...], AnswerType]] = {}


def type_of(question: Question) -> AnswerType:
    """``settings.answer_type`` where given, else what fits the task's options, or its targets.

    Examples from all over the task decide, whatever is asked now: were the question's own among them, the way it is
    asked could tell its answer. Questions known to have no answer do not count.
    """
    given = setting(question, "answer_type", str, "")
    return answer_type(given) if given else _type_of_task(question.task, question.query.example)


def _type_of_task(task: Task, asked: Example) -> AnswerType:
    examples = task.examples or (asked,)
    known = _INFERRED.get(id(examples))
    if known is None or known[0] is not examples:
        sample = examples[:: -(-len(examples) // SAMPLE)]
        answerable = [example for example in sample if example.metadata.get("answerable") is not False]
        if len(_INFERRED) >= SAMPLE:
            _INFERRED.clear()
        known = _INFERRED[id(examples)] = (examples, infer_type(answerable or sample))
    return known[1]


def respond(question: Question, text: str, kind: AnswerType, *, few_shot: bool, cut: bool = False) -> str | None:
    """The answer of ``text``, spelled as the option or target it equals; None where there is none.

    ``few_shot``: the text is a chain of steps with its answer, else the reply to an answer trigger. ``cut``: its limit
    ended it, so that only what it states counts; its last number is a number on the way.
    ``settings.extraction`` is the rule: ``robust`` (default), ``kojima``, which compares texts as they are but for the
    brackets of an option and the capital of yes and no, or ``bbh``, which compares all as it is.
    """
    rule = setting(question, "extraction", str, "robust")
    example = question.query.example
    texts = listed_options(example.input) if kind.name == "option" and rule == "robust" else {}
    found = find_answer(text, kind, rule, few_shot=few_shot, texts=texts, cut=cut)
    if rule == "bbh" or (rule == "kojima" and kind.name not in ("option", "yes_no")):
        return found or None
    spelled = spelled_as(found, kind, (*example.targets, *example.options))
    if rule == "robust" and kind.name == "text" and found and example.options and spelled not in example.options:
        spelled = letter_by_text(found, {option: option for option in example.options}) or spelled
    return spelled or None


def setting(question: Question, name: str, kind: Callable[..., T], default: T) -> T:
    """``settings.<name>`` as ``kind``; ``UserError`` when it is of another kind."""
    value = question.settings.get(name, default)
    fits = isinstance(value, int | float) if kind is float else isinstance(value, type(default))
    if not fits or (isinstance(value, bool) and not isinstance(default, bool)):
        raise UserError(f"settings.{name}: {value!r}: give a value such as {default!r}")
    return kind(value)
