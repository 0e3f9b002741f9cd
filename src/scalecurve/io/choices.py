"""Multiple-choice questions as harnesses store them: a context and a continuation for each option."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from typing import Any

from scalecurve.types import Example

QUESTION_KEYS = ("question", "query", "input", "text", "sentence", "ctx", "goal", "premise", "problem", "prompt")


def log_probability(value: Any) -> float:
    """A log-probability written as a number or text; −∞ is one, NaN stands for anything else (also for +∞)."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return math.nan if found == math.inf else found


def truth(value: object) -> bool:
    return value is True or str(value).strip().lower() in ("true", "1")


def prompt_and_options(pairs: Sequence[tuple[str, str]]) -> tuple[str, tuple[str, ...]]:
    """The prompt that options share, and their texts, from (context, continuation) of each.

    Where contexts differ (the options stand inside the sentence) an option is the rest of its context, from the last
    blank before the difference on, and its continuation.
    """
    contexts = [context for context, _ in pairs]
    shared = contexts[0] if len(set(contexts)) == 1 else _common_words(contexts)
    return shared, tuple((context[len(shared) :] + rest).strip() for context, rest in pairs)


def split_joined(texts: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """(prompt, options) of texts in which context and continuation are joined."""
    shared = _common_words(texts)
    return shared, tuple(text[len(shared) :].strip() for text in texts)


def _common_words(texts: Sequence[str]) -> str:
    """What all texts begin with, up to and with the last blank in it."""
    low, high = min(texts), max(texts)
    end = next((at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[: max(low.rfind(" ", 0, end), low.rfind("\n", 0, end)) + 1]


def gold_options(target: object, options: Sequence[str], *, digits_are_text: bool = False) -> tuple[int, ...]:
    """The positions of the right options from a target as it was written: a position, a letter, a text, or several.

    A text of digits is a position, unless ``digits_are_text`` and an option says just that. Empty when it cannot be
    told.
    """
    if isinstance(target, str) and target[:1] in "[(" and target[-1:] in "])":
        try:
            target = ast.literal_eval(target)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return ()
    if isinstance(target, (list, tuple)):
        found = [gold_options(one, options, digits_are_text=digits_are_text) for one in target]
        return tuple(sorted({at for one in found for at in one})) if all(found) else ()
    if isinstance(target, bool):
        target = int(target)
    if isinstance(target, int):
        return (target,) if 0 <= target < len(options) else ()
    text = str(target).strip()
    same = tuple(at for at, option in enumerate(options) if option.strip() == text)
    if text.isdecimal() and not (same and digits_are_text):
        return gold_options(int(text), options) or same
    if same:
        return same
    if len(text) == 1 and text.isascii() and text.isupper():
        return gold_options(ord(text) - ord("A"), options)
    return ()


def choice_example(
    name: str,
    text: str,
    options: Sequence[str],
    gold: Sequence[int],
    targets: Sequence[str] | None = None,
    metadata: Mapping[str, object] | None = None,
) -> Example:
    """A multiple-choice question; where nobody knows which option is right, it has none, and so no grade."""
    said = tuple(options[at] for at in gold) if targets is None else tuple(targets)
    if not gold:
        return Example(name, text, targets=said, metadata=metadata or {})
    worth = tuple(float(at in gold) for at in range(len(options)))
    return Example(name, text, targets=said, options=tuple(options), option_scores=worth, metadata=metadata or {})


def question_of(doc: object, prompt: str) -> str:
    """What a document asks: the text under one of the usual keys, else the prompt."""
    if isinstance(doc, dict):
        for key in QUESTION_KEYS:
            if isinstance(doc.get(key), str) and doc[key].strip():
                return str(doc[key])
    return prompt
