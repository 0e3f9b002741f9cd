"""Models that padding on the left shifts: prompts of many lengths, each text as if it were written alone."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from scalecurve.engine import padded
from scalecurve.engine.runner import Runner
from scalecurve.engine.text import Encoder

from .conftest import letters, tiny
from .test_branches import griffin, hybrid
from .test_faults import answers, chunked, mamba, rwkv, truth

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


def deepseek(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    build: Any = importlib.import_module("tiny_models").build
    return build("deepseek_v4", 97)


@pytest.mark.parametrize("make", [lambda: tiny("llama"), mamba, hybrid, rwkv, griffin, chunked])
@pytest.mark.parametrize("plain", [True, False])
def test_texts_of_prompts_of_many_lengths_are_each_its_own(make: Any, plain: bool) -> None:
    assert_own(make, plain=plain)


@pytest.mark.parametrize("plain", [True, False])
def test_compressed_attention_is_not_shifted(plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_own(lambda: deepseek(monkeypatch), plain=plain)


def assert_own(make: Any, *, plain: bool) -> None:
    encoder = Encoder(letters(), 256)
    runner = Runner(make(), encoder, plain=plain)  # who adds the model's own end tokens to the encoder's
    expected, texts = truth(make(), encoder)
    scored, written = answers(runner)
    for one, row in zip(scored, expected, strict=True):
        assert one.logprobs == pytest.approx(row, abs=1e-4)
    assert [one.texts[0] for one in written] == texts


@pytest.mark.parametrize(("make", "way"), [(lambda: tiny("llama"), "left"), (rwkv, "equal")])
def test_padding_on_the_left_is_used_only_where_it_changes_nothing(make: Any, way: str) -> None:
    model = Runner(make(), Encoder(letters(), 256), plain=True).model
    assert padded.way_to_write(model, Encoder(letters(), 256)) == way
