"""One answer about many texts: about as many at a time as fit, then about those answers, until one is left.

The texts come sorted, so that the order of rows changes nothing. How many questions that takes is known beforehand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from scalecurve.query.answers.calls import AnswerCell, Asked, Tuple
from scalecurve.query.answers.values import SUMMARY

CHUNK = 512  # tokens of texts in one question
PART = Asked("ai_ask", SUMMARY, (None,))  # how each question is asked
FAN = max(2, CHUNK // (SUMMARY.max_tokens + 2))  # answers that are put together in one question

Count = Callable[[str], int]


def first_prompts(row: Tuple, fixed: Asked, count: Count) -> list[str]:
    """The questions about a group's texts themselves. ``count``: of the tokens of a text.

    >>> what = Asked("ai_agg", SUMMARY, (None, "Sum up."))
    >>> first_prompts(('["a", "b"]',), what, len)
    ['Sum up.\\n- a\\n- b']
    """
    given = iter(row)
    texts, instruction = (next(given) if each is None else each for each in fixed.fixed)
    chunks: list[list[str]] = []
    size = 0
    for text in (piece for each in json.loads(texts) for piece in _pieces(each, count)):
        more = count(text) + 2
        if not chunks or size + more > CHUNK:
            chunks.append([])
            size = 0
        chunks[-1].append(text)
        size += more
    return [_prompt(instruction, chunk) for chunk in chunks]


def next_prompts(row: Tuple, fixed: Asked, answers: Sequence[str], count: Count) -> list[str]:
    """The questions about the answers to the last ones, evenly shared out."""
    instruction = fixed.fixed[1] if fixed.fixed[1] is not None else row[-1]
    groups = math.ceil(len(answers) / FAN)
    cuts = [round(at * len(answers) / groups) for at in range(groups + 1)]
    short = [_cut(answer, SUMMARY.max_tokens, count) for answer in answers]
    return [_prompt(instruction, short[begin:end]) for begin, end in pairwise(cuts)]


def later_calls(first: int) -> list[int]:
    """How many questions follow ``first`` ones, level by level.

    >>> later_calls(1), later_calls(7), later_calls(50)
    ([], [1], [8, 2, 1])
    """
    counts: list[int] = []
    left = first
    while left > 1:
        left = math.ceil(left / FAN)
        counts.append(left)
    return counts


def aggregated(
    rows: Mapping[Tuple, list[str]],
    fixed: Asked,
    ask: Callable[[list[Tuple]], Mapping[Tuple, AnswerCell]],
    count: Count,
) -> dict[Tuple, AnswerCell]:
    """The cell of every group, all groups asked side by side. A group whose question fails has that as its answer."""
    waiting = dict(rows)
    cells: dict[Tuple, AnswerCell] = {}
    while waiting:
        answers = ask(list(dict.fromkeys((prompt,) for prompts in waiting.values() for prompt in prompts)))
        after: dict[Tuple, list[str]] = {}
        for row, prompts in waiting.items():
            found = [answers[(prompt,)] for prompt in prompts]
            bad = next((cell for cell in found if cell.status != "ok"), None)
            cells[row] = _together(cells.get(row), bad or found[-1], found)
            if bad is None and len(found) > 1:
                after[row] = next_prompts(row, fixed, [str(cell.value) for cell in found], count)
        waiting = after
    return cells


def _together(before: AnswerCell | None, cell: AnswerCell, asked: Sequence[AnswerCell]) -> AnswerCell:
    """``cell`` with all that was read, written and sampled on the way to it."""
    spent = [*asked, *([before] if before is not None else [])]
    return replace(
        cell,
        tokens_in=sum(each.tokens_in for each in spent),
        tokens_out=sum(each.tokens_out for each in spent),
        n_samples=sum(each.n_samples for each in spent),
    )


def _prompt(instruction: str, texts: Sequence[str]) -> str:
    return "\n".join([instruction, *(f"- {' '.join(text.split())}" for text in texts)])


def _pieces(text: str, count: Count) -> list[str]:
    """``text``, in as many pieces as it takes for each to fit."""
    if count(text) + 2 <= CHUNK or len(text) < 2:
        return [text]
    middle = len(text) // 2
    space = text.rfind(" ", 1, middle)
    at = space if space > 0 else middle
    return [*_pieces(text[:at], count), *_pieces(text[at:], count)]


def _cut(text: str, most: int, count: Count) -> str:
    """The beginning of ``text`` that has no more than ``most`` tokens."""
    words = text.split(" ")
    while len(words) > 1 and count(" ".join(words)) > most:
        words.pop()
    return " ".join(words)
