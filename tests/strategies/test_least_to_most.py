"""Least-to-most: what is asked at each stage, what is counted, and what its limits do; replies are written here."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from replies import converse

from scalecurve.errors import UserError
from scalecurve.strategies import FewShotExample, Question, Shot, get_strategy
from scalecurve.strategies.least_to_most import LEAD, subquestions
from scalecurve.types import Answer, Example, Output, Request, Task

SUM = Example("s", "Ann has 2 apples, Bob 3 more. How many have both?", ("7",))
CHOICE = Example("c", "which?", ("b",), ("a", "b"), (0.0, 1.0))
HEAD = f"\nQ: {SUM.input}\nA: {LEAD}\n"


def ask(
    example: Example,
    wants: str,
    *stages: Sequence[Output],
    settings: Mapping[str, Any] | None = None,
    shots: tuple[Shot, ...] = (),
) -> tuple[list[tuple[Request, ...]], Answer]:
    task = Task("t", (example,), ("exact_match",), "exact_match", max_tokens=40)
    question = Question(task, FewShotExample(example, shots), frozenset({wants}), settings or {})
    return converse(get_strategy("least_to_most")(question), *stages)


def text(said: str, tokens: int = 5) -> Output:
    return Output(texts=(said,), text_logprobs=((-0.5,) * tokens,), prompt_tokens=10, generated_tokens=tokens)


def test_smaller_questions_are_answered_in_order_each_with_the_earlier_answers_in_view() -> None:
    listed = text(" How many has Bob?\n2. How many have both?")
    asked, answer = ask(SUM, "text", [listed], [text(" Bob has 2 + 3 = 5.")], [text(" 7")], [text(" 7.0.\nQ:")])
    assert asked[0] == (Request(f"{HEAD}1.", max_tokens=256, stop=("\n\n", "\n\nQ:")),)
    first = f"{HEAD}1. How many has Bob?\n2. How many have both?\n\nQuestion 1: How many has Bob?\nAnswer 1:"
    assert asked[1] == (Request(first, max_tokens=256, stop=("\n",)),)
    second = f"{first} Bob has 2 + 3 = 5.\nQuestion 2: How many have both?\nAnswer 2:"
    assert asked[2] == (Request(second, max_tokens=256, stop=("\n",)),)
    last = f"{second} 7\nTherefore, the answer (arabic numerals) is"
    assert asked[3] == (Request(last, max_tokens=32),)
    assert (answer.response, answer.flags) == ("7", ("subquestions:2",))
    assert (answer.prompt_tokens, answer.generated_tokens) == (40, 20)
    assert answer.prompt + "" == f"{HEAD}1."
    assert answer.text == f"{last.removeprefix(answer.prompt.removesuffix(f'{LEAD}{chr(10)}1.'))} 7.0.\nQ:"


def test_options_are_scored_after_the_last_stage() -> None:
    scored = Output(logprobs=(-2.0, -1.0), token_counts=(1, 1), greedy=(False, True))
    asked, answer = ask(CHOICE, "options", [text(" Is it a?")], [text(" no")], [scored])
    assert asked[2][0].prompt.endswith("Question 1: Is it a?\nAnswer 1: no\nTherefore, the answer is")
    assert asked[2][0].options == (" a", " b")
    assert (answer.options, answer.option_logprobs) == (("a", "b"), (-2.0, -1.0))
    assert (answer.text, answer.response) == (None, None)


def test_a_question_that_is_not_broken_down_is_asked_at_once() -> None:
    asked, answer = ask(SUM, "text", [text("")], [text(" 7")])
    assert asked[1][0].prompt == f"\nQ: {SUM.input}\nA: Therefore, the answer (arabic numerals) is"
    assert (answer.response, answer.flags) == ("7", ("undecomposed",))


def test_limits() -> None:
    listed = text(" a?\n2. b?\n3. c?", tokens=256)
    asked, answer = ask(SUM, "text", [listed], [text(" x")], [text(" y")], [text(" 7")], settings={"subquestions": 2})
    assert len(asked) == 4
    assert "c?" not in asked[3][0].prompt
    assert answer.flags == ("subquestions:2", "subquestions_cut")
    asked, _ = ask(SUM, "text", [text(" a?")], [text(" x")], [text(" 7")], settings={"subanswer_tokens": 3})
    assert asked[1][0].max_tokens == 3
    for settings in ({"subquestions": 0}, {"subanswer_tokens": 0}, {"subquestions": "two"}):
        with pytest.raises(UserError, match="settings"):
            ask(SUM, "text", settings=settings)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("1. a?\n2) b?\n- c?\n* d?", ["a?", "b?", "c?", "d?"]),
        ("1. a?\n2. a?\n3. whole", ["a?"]),
        ("1. a?\nThe answer is 3.\n2. b?", ["a?"]),
        ("1.\n2. b?", []),
        ("1. 2.5 apples?", ["2.5 apples?"]),
        ("nothing of the kind", []),
    ],
)
def test_what_counts_as_a_smaller_question(said: str, found: list[str]) -> None:
    assert subquestions(said, "whole") == found


def test_shots_are_shown_broken_down_where_they_can_be() -> None:
    steps = {"subquestions": [["1+1?", "2"], ["2+1?", "3"]]}
    shots = (Shot(Example("d", "1+1+1?", ("3",), metadata=steps), "3"), Shot(Example("p", "9?", ("9",)), "9"))
    asked, _ = ask(SUM, "text", [text("")], [text(" 7")], shots=shots)
    shown = (
        f"\nQ: 1+1+1?\nA: {LEAD}\n1. 1+1?\n2. 2+1?\n\nQuestion 1: 1+1?\nAnswer 1: 2\nQuestion 2: 2+1?\nAnswer 2: 3\n"
        "Therefore, the answer (arabic numerals) is 3."
    )
    assert asked[0][0].prompt == f"{shown}\n\nQ: 9?\nA: 9\n{HEAD}1."
    wrong = (Shot(Example("d", "?", ("3",), metadata={"subquestions": ["1+1?"]}), "3"),)
    with pytest.raises(UserError, match="example d: subquestions must be a list of"):
        ask(SUM, "text", shots=wrong)
