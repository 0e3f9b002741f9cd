"""Large JSON read in pieces is the JSON, however it is cut into chunks; damage is one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.io import stream
from scalecurve.io.stream import json_lines, json_members, json_scalars

texts = st.text(max_size=8) | st.sampled_from(['"', "\\", "]}", "{[", "é", "1e5"])
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=8)
calm = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@calm
@example(document={"": {"": [None, None]}, "0": False}, chunk=1, indent=None)  # a number or truth value at the end
@given(document=st.dictionaries(texts, values, max_size=5), chunk=st.integers(1, 9), indent=st.sampled_from([None, 1]))
def test_members_are_the_members(document: dict[str, Any], chunk: int, indent: int | None, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=False), encoding="utf-8")
    before, stream.CHUNK = stream.CHUNK, chunk
    try:
        assert dict(json_members(path)) == document
        plain = {key: value for key, value in document.items() if not isinstance(value, (list, dict))}
        assert json_scalars(path) == plain
        for key, value in document.items():
            if isinstance(value, list):
                assert [one for _, one in json_members(path, key)] == value
            elif isinstance(value, dict):
                assert dict(json_members(path, key)) == value
    finally:
        stream.CHUNK = before


@calm
@given(document=st.dictionaries(texts, values, min_size=1, max_size=3), share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_off_says_so(document: dict[str, Any], share: float, tmp_path: Path) -> None:
    whole = json.dumps(document).encode()
    path = tmp_path / "x.json"
    path.write_bytes(whole[: int(share * len(whole))])
    for read in (lambda: list(json_members(path)), lambda: json_scalars(path), lambda: list(json_members(path, "k"))):
        with pytest.raises(UserError, match=r"cut off|not JSON|must hold"):
            read()


def test_not_finite_numbers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": NaN, "b": -Infinity, "c": [1]}')
    found = json_scalars(path)
    assert found["a"] != found["a"]
    assert found["b"] == float("-inf")


def test_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert list(json_lines(path)) == [(1, {"a": 1}), (3, {"a": 2})]
    for text, why in (
        ('{"a": 1}\n{"a"', "line 2: is cut off"),
        ("[1]\n", "line 1: must be"),
        ("{]\n{}\n", "line 1: is not"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=why):
            list(json_lines(path))
