"""Written texts are those of the model's own forward pass, whatever shares the batch with them."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from scalecurve.engine import generate
from scalecurve.engine import padded as plain
from scalecurve.engine.forward import Forward
from scalecurve.engine.generate import Writer, by_prefix
from scalecurve.engine.sequence import Draft
from scalecurve.engine.text import Encoder
from scalecurve.types import Request

from .conftest import MAKERS, VOCABULARY, letters, tiny

PACKED = [family for family in MAKERS if family != "bloom"]


def prompts() -> list[tuple[int, ...]]:
    source = random.Random(3)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(source.randrange(2, VOCABULARY) for _ in range(count))

    shots = [tokens(50), tokens(60)]
    return [shots[n % 2] + tokens(source.randrange(1, 25)) for n in range(12)] + [tokens(5), tokens(1), shots[0]]


def drafts() -> list[Draft]:
    """Greedy and sampled texts, of different lengths, some with a stop string."""
    made = []
    for at, prompt in enumerate(prompts()):
        sampled = at % 3 == 0
        request = Request(
            str(at), max_tokens=12 + at % 5, temperature=float(sampled), stop=("a", "Q") if at % 2 else ()
        )
        made += [Draft(at, sample, request, prompt) for sample in range(3 if sampled else 1)]
    return made


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(letters(), 256)


def written(
    model: Any, encoder: Encoder, slots: int = 128, batch_tokens: int = 4096, tree_tokens: int = 256
) -> list[Draft]:
    made, finished = drafts(), []
    with Forward(model, batch_tokens, tree_tokens=tree_tokens) as forward:
        Writer(forward, encoder, slots).write(made, finished.append)
    assert sorted(map(id, finished)) == sorted(map(id, made)), "each draft is finished once"
    return made


def assert_same(made: list[Draft], expected: list[Draft]) -> None:
    assert [draft.text for draft in made] == [draft.text for draft in expected]
    for one, other in zip(made, expected, strict=True):
        assert one.ids == other.ids
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.mark.parametrize("family", PACKED)
def test_texts_are_the_models_own(family: str, encoder: Encoder) -> None:
    model, expected = tiny(family), drafts()
    plain.write_drafts(model, expected, encoder, 4096)
    assert len({tuple(draft.ids) for draft in expected}) > 10
    assert_same(written(model, encoder), expected)
    assert_same(written(model, encoder, slots=5, batch_tokens=50, tree_tokens=8), expected)


def test_log_probabilities_are_those_of_scoring(encoder: Encoder) -> None:
    model = tiny("llama")
    for draft in written(model, encoder)[:5]:
        continuation = tuple(draft.ids)
        ((logprob, _),) = plain.score_pairs(model, [(draft.prompt, continuation)], 1)
        assert sum(draft.logprobs[: len(continuation)]) == pytest.approx(logprob, abs=1e-3)


def test_shared_prompts_are_computed_once(encoder: Encoder) -> None:
    """Eight samples of one prompt of 41 tokens: 41 tokens of prefill, and one a step for each but the last."""
    prompt = tuple(range(2, 43))
    made = [Draft(0, n, Request("p", max_tokens=6, temperature=1.0, seed=n), prompt) for n in range(8)]
    encoder = Encoder(encoder.tokenizer, 256)
    encoder.ends = frozenset()
    with Forward(tiny("llama"), 4096) as forward:
        Writer(forward, encoder).write(made, lambda draft: None)
        assert forward.forwarded_tokens == 41 + 8 * 5
        assert forward.head_positions == 1 + 8 * 5 or forward.head_positions == 8 * 6
    assert len({tuple(draft.ids) for draft in made}) > 1


def test_finished_texts_leave_the_batch(encoder: Encoder) -> None:
    made = [Draft(n, 0, Request(str(n), max_tokens=length), (5, n)) for n, length in enumerate((1, 2, 30))]
    encoder = Encoder(encoder.tokenizer, 256)
    encoder.ends = frozenset()
    order: list[int] = []
    with Forward(tiny("llama"), 4096) as forward:
        Writer(forward, encoder).write(made, lambda draft: order.append(draft.index))
        assert forward.forwarded_tokens == 4 + (2 - 1) + (30 - 1), "prompts 5 0, 5 1, 5 2; then one a text and step"
    assert order == [0, 1, 2]


def test_memory_running_out_sends_texts_back(monkeypatch: pytest.MonkeyPatch, encoder: Encoder) -> None:
    model, expected = tiny("llama"), drafts()
    plain.write_drafts(model, expected, encoder, 4096)
    step = Writer._step

    def small(self: Writer) -> None:
        if len(self.slots) > 6:
            raise torch.OutOfMemoryError("CUDA out of memory")
        step(self)

    monkeypatch.setattr(Writer, "_step", small)
    assert_same(written(model, encoder), expected)


def test_few_slots_when_texts_are_long(monkeypatch: pytest.MonkeyPatch, encoder: Encoder) -> None:
    monkeypatch.setattr(generate, "SLOT_BYTES", 1)
    with Forward(tiny("llama"), 4096) as forward:
        writer = Writer(forward, encoder)
        writer.write(drafts(), lambda draft: None)
        assert writer.most == 8


def test_drafts_share_what_saves_most() -> None:
    shots = tuple(range(2, 52))
    lines = [(*shots, 60, n) for n in range(4)] + [(90, 91, 92)]
    pairs = by_prefix([Draft(n, 0, Request("p", max_tokens=1), line) for n, line in enumerate(lines)])
    shared = {draft.prompt: prefix for draft, prefix in pairs}
    assert shared[lines[0]] == (*shots, 60)
    assert shared[lines[4]] == ()
