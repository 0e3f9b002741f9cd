"""Models without packs: a shared stretch is run once and its state copied, in scoring and in writing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.engine import branches, padded
from scalecurve.engine.runner import Runner
from scalecurve.engine.stretches import MOST_LEVELS, Node, align, fed, tree
from scalecurve.engine.text import Encoder
from scalecurve.types import Output, Request

from .conftest import VOCABULARY, letters, tiny
from .test_faults import chunked, first_gpt, made, mamba, rwkv

SHOTS = "Q: 1 + 1\nA: 2\nQ: 2 + 2\nA: 4\nQ: 3 + 4\nA: 7\n"
QUESTIONS = ["Q: 5 + 6\nA:", "Q: 10 + 12, and what comes after it\nA:", "Q: 2 + 9\nA:", "Q: 7 + 7\nA:"]


def hybrid() -> Any:
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 4}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "mamba_n_heads": 4, "mamba_d_head": 16}
    state = {"mamba_d_state": 8, "mamba_n_groups": 1, "mamba_chunk_size": 8, "attn_layer_indices": [1, 3]}
    return made(transformers.BambaConfig(**sizes | heads | state, bos_token_id=0, eos_token_id=1, pad_token_id=0))


def griffin() -> Any:
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 32, "lru_width": 32, "intermediate_size": 64, "head_dim": 8}
    layers = {"num_hidden_layers": 3, "block_types": ["recurrent", "recurrent", "attention"], "num_attention_heads": 4}
    return made(
        transformers.RecurrentGemmaConfig(
            **sizes | layers, attention_window_size=16, bos_token_id=0, eos_token_id=1, pad_token_id=0
        )
    )


MAKERS = {"bloom": lambda: tiny("bloom"), "mamba": mamba, "rwkv": rwkv, "bamba": hybrid, "llama4": chunked}
MAKERS["recurrent_gemma"] = griffin


def asked() -> list[Request]:
    scored = [Request(SHOTS + question, options=(" 11", " 22 or so", "?")) for question in QUESTIONS]
    return [*scored, *(Request(SHOTS + question, max_tokens=7) for question in QUESTIONS * 2)]


def answers(runner: Runner) -> list[Output]:
    found: dict[int, Output] = {}
    runner.run(asked(), found.__setitem__)
    return [found[at] for at in range(len(asked()))]


def assert_same(found: list[Output], expected: list[Output]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
        assert one.texts == other.texts
        assert [*map(len, one.text_logprobs)] == [*map(len, other.text_logprobs)]


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("batch_tokens", [1024, 50])
def test_shared_stretches_are_computed_once_and_change_nothing(family: str, batch_tokens: int) -> None:
    encoder = Encoder(letters(), 256)
    plain = Runner(MAKERS[family](), encoder, plain=True)
    expected = answers(plain)
    runner = Runner(MAKERS[family](), encoder, batch_tokens=batch_tokens)
    assert (runner.way, runner.branch) == ("branches", "chunk")
    assert_same(answers(runner), expected)
    assert runner.forwarded_tokens < plain.forwarded_tokens / 2
    assert runner.head_positions == plain.head_positions


@pytest.mark.parametrize("family", ["mamba", "recurrent_gemma"])
def test_layers_that_forget_their_state_are_fed_token_by_token(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(letters(), 256)
    expected = answers(Runner(MAKERS[family](), encoder, plain=True))
    monkeypatch.setattr("scalecurve.engine.runner.resume", lambda model: 0)
    runner = Runner(MAKERS[family](), encoder)
    assert (runner.way, runner.branch) == ("branches", "step")
    assert_same(answers(runner), expected)


def test_a_model_that_carries_no_state_shares_nothing(caplog: pytest.LogCaptureFixture) -> None:
    runner = Runner(first_gpt(), Encoder(letters(), 256))
    assert (runner.way, runner.branch) == ("padded", "")
    assert "plain batching for OpenAIGPTLMHeadModel" in caplog.text


def test_a_state_that_is_not_copied_whole_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branches, "picked", lambda value, rows, count: value)
    assert Runner(tiny("bloom"), Encoder(letters(), 256)).way == "padded"


@pytest.mark.parametrize("call", [1, 3, 5])
def test_memory_that_runs_out_changes_no_answer(call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(letters(), 256)
    expected = answers(Runner(tiny("bloom"), encoder, plain=True))
    runner, calls = Runner(tiny("bloom"), encoder), 0
    runner.run([Request("a", max_tokens=1)], lambda *_: None)  # how it writes is found out
    own = type(runner.model).forward

    def once(self: Any, *given: Any, **how: Any) -> Any:
        nonlocal calls
        calls += len(how["input_ids"]) > 1  # a batch that cannot be smaller gives up
        if calls == call:
            calls += 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return own(self, *given, **how)

    monkeypatch.setattr(type(runner.model), "forward", once)
    monkeypatch.setattr(branches, "takes", lambda model, name: name == "logits_to_keep")  # ``once`` hides them
    assert_same(answers(runner), expected)
    assert calls > call


def test_copies_are_limited_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(letters(), 256)
    expected = answers(Runner(tiny("bloom"), encoder, plain=True))
    runner = Runner(tiny("bloom"), encoder)
    runner.run([Request("a", max_tokens=1)], lambda *_: None)  # how it writes is found out
    monkeypatch.setattr(branches, "STATE_BYTES", {"cpu": 1})
    widths = []
    runner.model.register_forward_pre_hook(lambda _, __, how: widths.append(len(how["input_ids"])), with_kwargs=True)
    assert_same(answers(runner), expected)
    assert max(widths) == 1


# ── What is shared ───────────────────────────────────────────────────────────────────────────────────────────
def leaves(nodes: list[Node], above: tuple[int, ...] = ()) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for node in nodes:
        line = above + node.tokens
        found |= leaves(node.children, line) if node.children else {node.number: line}
    return found


ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple), min_size=1, max_size=12)


@given(ROWS, st.integers(1, 6), st.data())
def test_every_sequence_is_whole_and_sharing_never_costs(
    rows: list[tuple[int, ...]], min_saved: int, data: st.DataObject
) -> None:
    limits = [data.draw(st.integers(0, len(row) - 1)) for row in rows]
    nodes = tree(rows, limits, min_saved)
    assert leaves(nodes) == dict(enumerate(rows))
    assert fed(nodes) <= sum(map(len, rows))

    def check(nodes: list[Node], depth: int) -> None:
        for node in nodes:
            if node.children:
                below = leaves(node.children)
                assert depth + len(node.tokens) <= min(limits[number] for number in below)
                assert len(node.tokens) * (len(below) - 1) >= min_saved
                check(node.children, depth + len(node.tokens))
            else:
                assert node.tokens, "each sequence has a token of its own left"

    check(nodes, 0)


@given(ROWS, st.integers(1, 6), st.integers(0, 8), st.data())
def test_stretches_are_cut_to_common_lengths_where_that_saves_passes(
    rows: list[tuple[int, ...]], min_saved: int, worth: int, data: st.DataObject
) -> None:
    limits = [data.draw(st.integers(0, len(row) - 1)) for row in rows]

    def cost(nodes: list[Node]) -> int:
        """Tokens and passes: for each length of a stretch one that makes states, and one that goes on from them."""
        inner = [node for node in nodes if node.children]
        lengths = {len(node.tokens) for node in inner}
        under = [
            cost([child for node in inner if len(node.tokens) == length for child in node.children])
            for length in lengths
        ]
        return 2 * worth * len(lengths) + sum(len(node.tokens) for node in nodes) + sum(under)

    before = tree(rows, limits, min_saved)
    nodes = tree(rows, limits, min_saved)
    align(nodes, worth)
    assert leaves(nodes) == dict(enumerate(rows))
    assert cost(nodes) <= cost(before)
    if not worth:
        assert fed(nodes) == fed(before)


def test_questions_of_many_lengths_take_few_passes() -> None:
    shots, questions = (1,) * 100, [(2, *(n + 5 for _ in range(40 + n))) for n in range(24)]
    rows = [shots + question + option for question in questions for option in ((7,) * 9, (8,) * 5, (9,))]
    (whole,) = nodes = tree(rows, [len(row) - 1 for row in rows])
    assert len({len(node.tokens) for node in whole.children}) == 24
    before = fed(nodes)
    align(nodes, 64)
    assert len({len(node.tokens) for node in whole.children}) < 6
    assert before < fed(nodes) < before + 2 * 64 * 20


def test_a_caterpillar_holds_few_states() -> None:
    rows = [(1,) * n + (2,) * 40 for n in range(40, 240, 5)]

    def height(nodes: list[Node]) -> int:
        return 1 + max((height(node.children) for node in nodes), default=0)

    nodes = tree(rows, [len(row) - 1 for row in rows])
    assert leaves(nodes) == dict(enumerate(rows))
    assert height(nodes) <= MOST_LEVELS + 2


def test_scores_of_a_few_pairs_are_those_of_the_padded_way() -> None:
    pairs = [((5, 6, 7, 8), (9,)), ((5, 6, 7, 8), (9, 10)), ((5, 6, 7), (3,)), ((4,), (4, 4, 4))]
    model = tiny("bloom")
    for min_saved in (1, 4, 100):
        found, _ = branches.score_pairs(model, pairs, 1024, "chunk", min_saved)
        for one, other in zip(found, padded.score_pairs(model, pairs, 1024), strict=True):
            assert one == pytest.approx(other, abs=1e-4)


def test_what_is_fed_by_single_tokens_goes_on_together() -> None:
    shots, questions = (1,) * 100, [(2, n, *(4,) * 40) for n in range(30)]
    rows = [shots + question + option for question in questions for option in ((7,) * 9, (8,) * 5, (9,))]
    limits = [len(row) - 1 for row in rows]
    (one,) = tree(rows, limits, stepped=True)
    assert one.tokens[:100] == shots
    assert not any(node.children for node in one.children), "a state for three options would be a pass for each token"
    assert any(node.children for node in tree(rows, limits)[0].children)
    many = [(*shots, 2, *(4,) * 40, n) for n in range(90)] + [(*shots, 3, n) for n in range(90)]
    (one,) = tree(many, [len(row) - 1 for row in many], stepped=True)
    assert any(len(node.children) == 90 for node in one.children), "of many it is worth one"
