"""What the engine does at its edges: token ids asked for directly, memory that runs out, models that do not fit."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
import transformers

from scalecurve.engine import attention
from scalecurve.engine import onednn as linear
from scalecurve.engine import padded as plain
from scalecurve.engine.forward import Forward
from scalecurve.engine.generate import Writer, by_prefix
from scalecurve.engine.runner import Runner, measured_batch
from scalecurve.engine.score import score_pairs
from scalecurve.engine.selftest import why_not
from scalecurve.engine.sequence import Draft
from scalecurve.engine.text import Encoder, Pair, scored_output
from scalecurve.types import Output, Request

from .conftest import GROUPED, VOCABULARY, letters, tiny

Ids = tuple[int, ...]


def runner(plain_only: bool = False, family: str = "llama") -> Runner:
    return Runner(tiny(family), Encoder(letters(), 256), plain=plain_only)


def id_pairs() -> list[tuple[Ids, Ids]]:
    source = random.Random(5)
    shots = tuple(source.randrange(2, VOCABULARY) for _ in range(30))
    made = [((*shots, n), tuple(source.randrange(2, VOCABULARY) for _ in range(1 + n % 3))) for n in range(2, 9)]
    return [*made, made[0], made[3]]


# ── Token ids ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("plain_only", [False, True])
def test_pairs_of_ids_are_scored_once_and_told_each(plain_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model, pairs = runner(plain_only), id_pairs()
    expected = plain.score_pairs(tiny("llama"), pairs, 1)
    for window in (512, 4):
        monkeypatch.setattr("scalecurve.engine.runner.WINDOW_REQUESTS", window)
        found: dict[int, Any] = {}
        model.score_ids(pairs, lambda index, scored, found=found: found.update({index: scored}))
        assert sorted(found) == list(range(len(pairs)))
        assert [found[i][0] for i in range(len(pairs))] == pytest.approx([one for one, _ in expected], abs=1e-4)
        assert [found[i][1] for i in range(len(pairs))] == [greedy for _, greedy in expected]
    before = model.forwarded_tokens
    model.score_ids([], lambda *_: None)
    assert model.forwarded_tokens == before > 0


def test_repeated_pairs_cost_nothing() -> None:
    once, twice = runner(True), runner(True)
    once.score_ids(id_pairs()[:7], lambda *_: None)
    twice.score_ids(id_pairs(), lambda *_: None)
    assert once.forwarded_tokens == twice.forwarded_tokens == sum(len(a) + len(b) - 1 for a, b in id_pairs()[:7])
    assert once.head_positions == sum(len(b) for _, b in id_pairs()[:7]), "asked positions only"


@pytest.mark.parametrize("plain_only", [False, True])
def test_texts_of_ids_end_before_the_end_and_with_their_stop(plain_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [context for context, _ in id_pairs()]
    asked = [Request(str(n), max_tokens=4 + n, stop=("e",) if n % 2 else ()) for n in range(len(prompts))]
    expected = [Draft(n, 0, asked[n], prompts[n]) for n in range(len(prompts))]
    plain.write_drafts(tiny("llama"), expected, Encoder(letters(), 256), 4096)
    model = runner(plain_only)
    for window in (512, 2):
        monkeypatch.setattr("scalecurve.engine.runner.WINDOW_REQUESTS", window)
        found: dict[int, list[int]] = {}
        model.write_ids(prompts, asked, found.__setitem__)
        assert [found[n] for n in range(len(prompts))] == [draft.ids for draft in expected]


def test_requests_that_cannot_be_scored_cost_nothing() -> None:
    model, found = runner(True), {}
    model.run([Request("a", options=("b" * 300,)), Request("", options=("",))], found.__setitem__)
    assert "the model takes 256" in found[0].error
    assert found[1].error == "the prompt and the option are empty"
    assert model.forwarded_tokens == 0


def test_a_log_probability_that_is_no_number_is_an_error() -> None:
    row = [Pair((1,), (2,)), Pair((1,), (3, 4))]
    for bad in (float("nan"), float("inf")):
        told = scored_output(row, [(-1.0, True), (bad, False)])
        assert told == Output(error="the model gave a log-probability that is not a number")
    assert scored_output(row, [(-1.0, True), (float("-inf"), False)]).error == ""


# ── Memory ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_batches_too_large_for_memory_are_halved_and_other_errors_told(monkeypatch: pytest.MonkeyPatch) -> None:
    model, pairs, own = tiny("llama"), id_pairs(), plain._score_batch
    expected = plain.score_pairs(model, pairs, 1)
    sizes: list[int] = []

    def small(model: Any, batch: list[Any], most: int = 2) -> list[Any]:
        sizes.append(len(batch))
        if len(batch) > most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return own(model, batch)

    monkeypatch.setattr(plain, "_score_batch", small)
    found = plain.score_pairs(model, pairs, 4096)
    assert [one for one, _ in found] == pytest.approx([one for one, _ in expected], abs=1e-4)
    assert max(sizes) == len(plain.distinct_rows(pairs))
    for error, most in ((MemoryError(), 0), (RuntimeError("a bug"), 99)):
        monkeypatch.setattr(plain, "_score_batch", lambda *_, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(type(error)):
            plain.score_pairs(model, pairs[:1] if most == 0 else pairs, 4096)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_pack_that_cannot_be_smaller_gives_up(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Forward, "hidden", broken)
    with Forward(tiny("llama"), 4096) as forward, pytest.raises(type(error)):
        score_pairs(forward, id_pairs(), lambda *_: None)
    assert forward.batch_tokens == (4096 if "bug" in str(error) else 16)


def test_a_last_text_that_does_not_fit_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Writer) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Writer, "_step", broken)
    made = [Draft(n, 0, Request(str(n), max_tokens=5), (5, n + 2)) for n in range(3)]
    encoder = Encoder(letters(), 256)
    encoder.ends = frozenset()
    with Forward(tiny("llama"), 4096) as forward, pytest.raises(torch.OutOfMemoryError):
        Writer(forward, encoder).write(made, lambda _: None)


def test_prefixes_are_forgotten_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scalecurve.engine.forward.MOST_PREFIXES", 1)
    source = random.Random(6)
    shots = [tuple(source.randrange(2, VOCABULARY) for _ in range(40)) for _ in range(3)]
    pairs = [((*shot, n), (n,)) for shot in shots for n in range(2, 6)]
    expected = plain.score_pairs(tiny("llama"), pairs, 1)
    with Forward(tiny("llama"), 64) as forward:
        for _ in range(2):
            found: dict[int, Any] = {}
            score_pairs(forward, pairs, found.__setitem__)
            assert [found[i][0] for i in range(len(pairs))] == pytest.approx([one for one, _ in expected], abs=1e-4)
        assert len(forward.prefixes._kept) <= 1


def test_texts_from_nothing_but_the_beginning_share_nothing() -> None:
    made = [Draft(n, 0, Request(str(n), max_tokens=3), (n + 2,)) for n in range(3)]
    assert [prefix for _, prefix in by_prefix(made)] == [()] * 3
    assert by_prefix([]) == []


def test_the_batch_of_a_processor_is_fixed() -> None:
    assert measured_batch(tiny("llama")) == 1024


# ── Models that do not fit ───────────────────────────────────────────────────────────────────────────────────
def in_packs_only(model: Any, change: Any) -> Any:
    """``model``, whose second layer does ``change`` when it is given a pack."""

    def hook(module: Any, given: Any, out: Any) -> Any:
        hidden = out[0] if isinstance(out, tuple) else out
        if hidden.shape[0] != 1:
            return out
        return (change(hidden), *out[1:]) if isinstance(out, tuple) else change(hidden)

    model.model.layers[1].register_forward_hook(hook)
    return model


def test_why_a_model_cannot_take_packs() -> None:
    def refuse(hidden: Any) -> Any:
        raise ValueError("not\nin packs")

    assert why_not(in_packs_only(tiny("llama"), refuse), 256) == "ValueError: not in packs"
    off = why_not(in_packs_only(tiny("llama"), lambda hidden: hidden * 1.5), 256)
    assert off.startswith("packed log-probabilities differ by ")
    assert off.endswith(" nats a token")
    extra = tiny("llama")
    extra.config.num_hidden_layers += 1
    assert why_not(extra, 256) == "not all of its layers use transformers' common attention"
    silent = tiny("gemma3")
    silent.model.layers[1].self_attn.sliding_window = 16  # which its configuration says nothing of
    assert why_not(silent, 256) == "layer 1 does not say how far it sees"


def test_attention_sinks_take_packs() -> None:
    experts = {"num_local_experts": 2, "num_experts_per_tok": 1, "intermediate_size": 16}
    config = transformers.GptOssConfig(**GROUPED | experts, head_dim=8, sliding_window=16)
    torch.manual_seed(0)
    sinks = transformers.GptOssForCausalLM(config).eval().requires_grad_(False)
    assert why_not(sinks, 256) == ""


def test_packed_attention_is_for_packs_alone() -> None:
    model = tiny("llama")
    with Forward(model, 64), pytest.raises(attention.Unsupported, match="outside a pack"):
        model(input_ids=torch.tensor([[2, 3, 4]]))
    two_ways = torch.zeros(1, 2, 3, 4)
    with attention.attending(None), pytest.raises(attention.Unsupported, match="two directions"):
        attention.attention(torch.nn.Module(), two_ways, two_ways, two_ways, None, is_causal=False)
    with attention.attending(None), pytest.raises(attention.Unsupported, match="attention with position_bias, cache"):
        attention.attention(torch.nn.Module(), two_ways, two_ways, two_ways, None, position_bias=1, cache=1)


def test_what_lies_beyond_the_window_is_not_looked_at() -> None:
    torch.manual_seed(0)
    config = transformers.MistralConfig(**GROUPED, sliding_window=4)
    model = transformers.MistralForCausalLM(config).eval().requires_grad_(False)
    pairs = id_pairs()
    expected = plain.score_pairs(model, pairs, 1)
    for batch_tokens, tree_tokens in ((16, 4), (40, 8), (4096, 256)):
        found: dict[int, Any] = {}
        with Forward(model, batch_tokens, tree_tokens=tree_tokens) as forward:
            score_pairs(forward, pairs, found.__setitem__)
        assert [found[i][0] for i in range(len(pairs))] == pytest.approx([one for one, _ in expected], abs=1e-4)


# ── Linear layers ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.skipif(not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="torch was built without oneDNN")
def test_onednn_gives_what_torch_gives_with_gradients_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_intel", lambda: False)
    ids = torch.tensor([[2, 3, 4, 5]])
    own, taken = tiny("llama"), tiny("llama")
    assert linear.use_onednn(taken) == 3 * 7 + 1
    with torch.inference_mode():
        expected = own(input_ids=ids).logits
        assert taken(input_ids=ids).logits == pytest.approx(expected, abs=1e-4)
    with torch.enable_grad():
        assert taken(input_ids=ids).logits.detach() == pytest.approx(expected, abs=1e-4)


def test_onednn_leaves_intels_processors_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_intel", lambda: True)
    assert linear.use_onednn(tiny("llama")) == 0
