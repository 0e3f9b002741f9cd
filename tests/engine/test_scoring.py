"""Packed scoring gives what the model's own forward pass gives, whatever the packs, and forwards each token once."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from scalecurve.engine import attention
from scalecurve.engine import padded as plain
from scalecurve.engine.forward import Forward
from scalecurve.engine.score import Pair, Scored, score_pairs
from scalecurve.engine.selftest import why_not

from .conftest import MAKERS, VOCABULARY, tiny

PACKED = [family for family in MAKERS if family != "bloom"]


def tokens(source: random.Random, count: int) -> tuple[int, ...]:
    return tuple(source.randrange(VOCABULARY) for _ in range(count))


def questions(prompts: int = 5, shots: int = 50) -> list[Pair]:
    """Two sets of shots, each before several prompts with four options; and two that share nothing."""
    source = random.Random(1)
    pairs = []
    for _ in range(2):
        shared = tokens(source, shots)
        for _ in range(prompts):
            context = shared + tokens(source, source.randrange(3, 20))
            pairs += [(context, tokens(source, source.randrange(1, 5))) for _ in range(4)]
    return [*pairs, ((5,), tokens(source, 30)), (tokens(source, 3), (1,))]


def score(forward: Forward, pairs: list[Pair]) -> list[Scored]:
    found: dict[int, Scored] = {}
    score_pairs(forward, pairs, found.__setitem__)
    return [found[i] for i in range(len(pairs))]


def assert_same(a: list[Scored], b: list[Scored], tolerance: float = 1e-4) -> None:
    assert [logprob for logprob, _ in a] == pytest.approx([logprob for logprob, _ in b], abs=tolerance)
    assert [greedy for _, greedy in a] == [greedy for _, greedy in b]


@pytest.mark.parametrize("family", PACKED)
def test_packs_give_the_models_own_log_probabilities(family: str) -> None:
    model, pairs = tiny(family), questions()
    expected = plain.score_pairs(model, pairs, 1)
    assert len({round(logprob, 2) for logprob, _ in expected}) > len(pairs) / 2, "the model tells options apart"
    for batch_tokens, tree_tokens in ((4096, 256), (50, 8), (128, 32)):
        with Forward(model, batch_tokens, tree_tokens=tree_tokens) as forward:
            assert_same(score(forward, pairs), expected)
            assert_same(score(forward, pairs), expected)  # with the shared prefixes remembered


def test_plain_products_do_what_the_fused_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = questions()
    for family in ("llama", "gemma3"):
        model = tiny(family)
        with Forward(model, 64, tree_tokens=16) as forward:
            fused = score(forward, pairs)
        monkeypatch.setattr(attention, "FUSED", set())
        with Forward(model, 64, tree_tokens=16) as forward:
            assert_same(score(forward, pairs), fused)
        monkeypatch.undo()


def test_order_does_not_matter() -> None:
    pairs = questions()
    with Forward(tiny("llama"), 64) as forward:
        there = score(forward, pairs)
        back = score(forward, pairs[::-1])[::-1]
    assert_same(there, back)


def test_each_token_is_forwarded_once_and_each_position_scored_once() -> None:
    """The specification's document: 100 tokens of context, options of 1 to 4 tokens, the last never forwarded."""
    source = random.Random(2)
    context = tokens(source, 100)
    pairs = [(context, (n, *tokens(source, n))) for n in range(4)]
    with Forward(tiny("llama"), 4096) as forward:
        score(forward, pairs)
        assert forward.forwarded_tokens == 100 + 0 + 1 + 2 + 3
        assert forward.head_positions == 1 + 0 + 1 + 2 + 3


def test_remembered_shots_are_not_forwarded_again() -> None:
    pairs = questions(prompts=5, shots=50)
    with Forward(tiny("llama"), 4096) as forward:
        score(forward, pairs)
        first = forward.forwarded_tokens
        score(forward, pairs)
        assert forward.forwarded_tokens - first == first - 2 * (50 - 1), "the token at which a prefix ends is kept too"


def test_memory_running_out_halves_the_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    model, pairs = tiny("llama"), questions()
    expected = plain.score_pairs(model, pairs, 1)
    hidden = Forward.hidden

    def small(self: Forward, ids: Any, depth: Any, plan: Any) -> Any:
        if len(ids) > 40:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return hidden(self, ids, depth, plan)

    monkeypatch.setattr(Forward, "hidden", small)
    with Forward(model, 4096) as forward:
        assert_same(score(forward, pairs), expected)
        assert forward.batch_tokens <= 40


def test_bfloat16_is_close_and_its_softmax_is_float32() -> None:
    model = tiny("llama")
    exact = plain.score_pairs(model, questions(), 1)
    with Forward(model.bfloat16(), 4096) as forward:
        rounded = score(forward, questions())
        assert forward.logits(torch.zeros(1, 32, dtype=torch.bfloat16)).dtype == torch.float32
    gaps = [abs(a[0] - b[0]) for a, b in zip(exact, rounded, strict=True)]
    assert 0 < max(gaps) < 3
    assert sum(gaps) / len(gaps) < 0.5


@pytest.mark.parametrize("family", PACKED)
def test_packs_are_found_fit(family: str) -> None:
    assert why_not(tiny(family), 256) == ""


def test_a_model_that_cannot_take_packs_is_found_out() -> None:
    assert "attention" in why_not(tiny("bloom"), 256)
    chunked = tiny("gemma3")
    chunked.config.layer_types = ["chunked_attention"] * 3
    assert "chunked_attention" in why_not(chunked, 256)
