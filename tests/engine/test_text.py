"""The split rule, the beginning of sequences, truncation and held-back spaces (harness-parity, sections 1 and 8)."""

from __future__ import annotations

from typing import Any

import pytest

from scalecurve.engine.text import MERGE, SHORTENED, TRUNCATED, Encoder, Pair, finish
from scalecurve.types import Request

TOKENS = ["<p>", "A", ":", " ", "\n", "B", " B", "x", "y", "xy", "a", "b", "ab", "abc", "c", "d", " d"]
ID = {token: at for at, token in enumerate(TOKENS)}


class Longest:
    """Greedy longest match over the specification's vocabulary; adds no special tokens of its own."""

    bos_token_id, eos_token_id, bos_token, eos_token = 0, None, "<p>", None

    def __call__(self, texts: list[str], **_: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [self.encode(text) for text in texts]}

    def encode(self, text: str) -> list[int]:
        ids = []
        while text:
            token = max((token for token in TOKENS if text.startswith(token)), key=len)
            ids.append(ID[token])
            text = text[len(token) :]
        return ids


def split(context: str, option: str, max_length: int = 100) -> Pair:
    return Encoder(Longest(), max_length).pairs([Request(context, options=(option,))])[0][0]


def names(ids: tuple[int, ...]) -> list[str]:
    return [TOKENS[i] for i in ids]


@pytest.mark.parametrize(
    ("context", "option", "expected", "flags"),
    [
        ("A: ", "B", (["A", ":"], [" B"]), ()),
        ("ab", "c d", (["ab"], [" d"]), (MERGE,)),
        ("", "B", (["<p>"], ["B"]), ()),
        ("\n", "B", (["<p>"], ["\n", "B"]), ()),
        ("", "<p>B", (["<p>"], ["B"]), ()),
        ("A", ": B", (["A"], [":", " B"]), ()),
    ],
)
def test_split(context: str, option: str, expected: tuple[list[str], list[str]], flags: tuple[str, ...]) -> None:
    pair = split(context, option)
    assert (names(pair.context), names(pair.continuation)) == expected
    assert pair.flags == flags
    assert not pair.error


@pytest.mark.parametrize(("context", "option"), [("x", "y"), ("A", ""), ("", "")])
def test_an_option_without_tokens_fails(context: str, option: str) -> None:
    pair = split(context, option)
    assert pair.error
    assert not pair.continuation


def test_truncation_keeps_the_end() -> None:
    encoder = Encoder(Longest(), 4)
    pair = encoder.fit((1, 2, 3, 4, 5), (6, 7), ())
    assert (*pair.context, *pair.continuation)[:-1] == (3, 4, 5, 6)
    assert pair.flags == (TRUNCATED,)
    assert encoder.fit((1,), (2, 3, 4, 5, 6), ()).error
    assert encoder.fit((1,), (2, 3, 4, 5), ()).flags == ()


def test_beginning_is_added_once() -> None:
    encoder = Encoder(Longest(), 10, add_bos=True)
    assert [names(tuple(ids)) for ids in encoder.ids(["AB", "<p>AB"])] == [["<p>", "A", "B"], ["<p>", "A", "B"]]
    assert encoder.ids(["AB"], special=False) == [[ID["A"], ID["B"]]]


def test_prompts_leave_room_and_hold_back_spaces() -> None:
    encoder = Encoder(Longest(), 4)
    whole = Request("xyabcd", max_tokens=4)
    first, second, third = encoder.prompts([Request("A: ", max_tokens=1), Request("xyabcd", max_tokens=2), whole])
    assert names(first.context) == ["A", ":"]
    assert (names(second.context), second.flags) == (["abc", "d"], (TRUNCATED,))
    assert (third.context, third.flags) == (second.context, (SHORTENED, TRUNCATED))
    assert encoder.fitted(whole).max_tokens == 2


@pytest.mark.parametrize(
    ("prompt", "text", "stop", "expected"),
    [
        ("A: ", " 4\nQ", ("\n",), ("4", True)),
        ("A: ", "4", ("\n",), ("4", False)),
        ("A:", " 4", (), (" 4", False)),
        ("A:  ", " 4", (), (" 4", False)),
        ("A:", "one two three", ("three", "two"), ("one ", True)),
        ("A:", "one", ("",), ("one", False)),
    ],
)
def test_finished_text(prompt: str, text: str, stop: tuple[str, ...], expected: tuple[str, bool]) -> None:
    assert finish(text, Request(prompt, max_tokens=9, stop=stop)) == expected
