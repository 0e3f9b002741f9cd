"""Texts made harmless, and numbers made JSON."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from scalecurve.analysis.verdicts.reasons import say
from scalecurve.report.safe import rounded, to_json, visible


@given(st.text())
def test_no_control_or_direction_character_survives(text: str) -> None:
    shown = visible(text)
    assert not any(
        (ord(c) < 32 and c not in "\n\t") or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" for c in shown
    )
    shown.encode("utf-8")


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_ten_megabytes_are_cut() -> None:
    shown = visible("x" * 10_000_000)
    assert len(shown) < 2100
    assert "10,000,000" in shown


@given(st.one_of(st.none(), st.floats()))
def test_numbers_become_json(value: float | None) -> None:
    read = json.loads(to_json(rounded(value)))
    if value is None or math.isnan(value):
        assert read is None
    elif math.isinf(value):
        assert read == ("inf" if value > 0 else "-inf")
    else:
        assert math.isclose(read, value, rel_tol=1e-4, abs_tol=1e-300)


@given(st.text())
def test_json_cannot_leave_its_script_element(text: str) -> None:
    assert "<" not in to_json(text)
    assert json.loads(to_json(text)) == text


def test_reasons_in_chinese() -> None:
    assert say('["goes", 0.1, 0.9]', "zh") == "从 0.1 到 0.9。"
    assert say('["doubt", "smooth", 0.45]', "zh") == "最可能为“平滑上升”，概率 45%：尚无定论。"
    old = "Goes from 0.1 to 0.9; the first 3 of 7 scales are at chance."
    assert say(old, "zh") == old, "runs made before codes"
