"""Texts become values strictly, or nothing."""

import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.query.answers.values import kind_of, read_value

READ = [
    ("INT", " 42", 42), ("INT", "-7.", -7), ("INT", "1,234 apples", 1234), ("INT", "42.5", None), ("INT", "4 2", None),
    ("INT", "", None), ("INT", "forty", None), ("INT", "99999999999", None), ("BIGINT", "99999999999", 99999999999),
    ("INT", "007", None), ("INT", "12,34", None), ("DOUBLE", "3.25", 3.25), ("DOUBLE", "3", 3.0),
    ("DOUBLE", "nan", None), ("INT", "42 apples", 42), ("INT", "42. The rest", 42), ("INT", "1 234", None),
    ("DATE", "2024-02-29", date(2024, 2, 29)), ("DATE", "2023-02-29", None), ("DATE", "29.2.2024", None),
    ("BOOLEAN", "Yes, it is.", True), ("BOOLEAN", "No idea", None), ("BOOLEAN", "Nothing", None),
    ("ENUM(red, 'red, dark')", "Red, dark.", "red, dark"),
    ("BOOLEAN", "Yes.", True), ("BOOLEAN", "no", False), ("BOOLEAN", "maybe", None),
    ("ENUM(red, 'dark blue')", " Dark Blue", "dark blue"), ("ENUM(red, 'dark blue')", "blue", None),
    ("JSON", '{"a": [1]}', '{"a": [1]}'), ("JSON", "{a: 1}", None), ("JSON", "NaN", None),
    ("VARCHAR", " a b ", "a b"), ("VARCHAR", "  ", None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "value"), READ)
def test_read(kind: str, text: str, value: Any) -> None:
    assert read_value(text, kind_of(kind)) == value


@given(st.text(max_size=30), st.sampled_from(["INT", "BIGINT", "DOUBLE", "DATE", "BOOLEAN", "JSON", "ENUM(a, b)"]))
def test_no_text_is_too_odd(text: str, kind: str) -> None:
    value = read_value(text, kind_of(kind))
    assert value is None or not isinstance(value, float) or math.isfinite(value)


@given(st.integers(-(2**31), 2**31 - 1))
def test_every_whole_number_is_read_back(number: int) -> None:
    assert read_value(f" {number}\n", kind_of("INT")) == number
    assert read_value(f"{number:,}", kind_of("INT")) == number


@pytest.mark.parametrize("text", ["NUMBER", "ENUM(a)", "ENUM(a, a)", "ENUM()", ""])
def test_no_such_type(text: str) -> None:
    with pytest.raises(UserError, match=r"type|labels"):
        kind_of(text)
