"""Typed answers in strategies: the settings that say what to extract, and the response in the task's own spelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from scalecurve.nouns import UserError
from scalecurve.prompts.extract import AnswerType, answer_type, find_answer, infer_type, spelled_as
from scalecurve.prompts.strategy import Question

T = TypeVar("T")


def type_of(question: Question) -> AnswerType:
    """``settings.answer_type`` where given, else what fits the example's options, or a sample of the task's targets.

    A sample of the first 50 examples of the task decides together with the question's own, so that all questions of
    a task with options of one kind are asked alike. Questions known to have no answer do not count.
    """
    given = setting(question, "answer_type", str, "")
    sample = (*question.task.examples[:50], question.query.example)
    known = [example for example in sample if example.metadata.get("answerable") is not False]
    return answer_type(given) if given else infer_type(known or sample)


def respond(question: Question, text: str, kind: AnswerType, *, few_shot: bool) -> str | None:
    """The answer of ``text``, spelled as the option or target it equals; None where there is none.

    ``settings.extraction`` is the rule: ``robust`` (default) or ``kojima``, which compares texts as they are but for
    the brackets of an option and the capital of yes and no.
    """
    rule = setting(question, "extraction", str, "robust")
    found = find_answer(text, kind, rule, few_shot=few_shot)
    if rule == "kojima" and kind.name not in ("option", "yes_no"):
        return found or None
    example = question.query.example
    return spelled_as(found, kind, (*example.targets, *example.options)) or None


def setting(question: Question, name: str, kind: Callable[..., T], default: T) -> T:
    """``settings.<name>`` as ``kind``; ``UserError`` when it is of another kind."""
    value = question.settings.get(name, default)
    fits = isinstance(value, int | float) if kind is float else isinstance(value, type(default))
    if not fits or (isinstance(value, bool) and not isinstance(default, bool)):
        raise UserError(f"settings.{name}: {value!r}: give a value such as {default!r}")
    return kind(value)
