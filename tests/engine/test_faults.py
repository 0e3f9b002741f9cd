"""Faults that were found in models and in memory, each with what it must give instead."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from scalecurve.engine import padded
from scalecurve.engine.forward import Forward
from scalecurve.engine.runner import Runner
from scalecurve.engine.selftest import is_causal, why_not
from scalecurve.engine.text import Encoder
from scalecurve.types import Output, Request

from .conftest import COMMON, GROUPED, VOCABULARY, letters, tiny

MOE = {"num_local_experts": 2, "num_experts_per_tok": 1}


def scaled(model: Any) -> Any:
    """``model`` with weights large enough that its log-probabilities differ by nats."""
    model.eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.mul_(4)
    return model


def made(config: Any) -> Any:
    torch.manual_seed(0)
    return scaled(transformers.AutoModelForCausalLM.from_config(config))


def granite() -> Any:
    return made(transformers.GraniteConfig(**GROUPED, logits_scaling=8.0, residual_multiplier=0.5))


def cohere() -> Any:
    return made(transformers.CohereConfig(**GROUPED, logit_scale=0.25))


def sinks() -> Any:
    torch.manual_seed(0)
    config = transformers.GptOssConfig(**GROUPED | MOE | {"intermediate_size": 16}, head_dim=8, sliding_window=16)
    model = scaled(transformers.GptOssForCausalLM(config))
    for layer in model.model.layers:
        layer.self_attn.sinks.normal_()
    return model


def latent() -> Any:
    sizes = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8}
    experts = {"n_routed_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 16, "n_group": 1}
    return made(transformers.DeepseekV3Config(**COMMON | sizes | experts, topk_group=1, first_k_dense_replace=1))


def longrope() -> Any:
    rope = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [1.0, 4.0, 16.0, 32.0]}
    rope |= {"original_max_position_embeddings": 64, "factor": 4.0, "rope_theta": 10000.0}
    settings = GROUPED | {"pad_token_id": 0, "rope_parameters": rope, "original_max_position_embeddings": 64}
    return made(transformers.Phi3Config(**settings))


def dynamic() -> Any:
    rope = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0}
    return made(transformers.LlamaConfig(**GROUPED | {"max_position_embeddings": 64}, rope_parameters=rope))


def mamba() -> Any:
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3, "state_size": 8}
    return made(transformers.MambaConfig(**sizes, bos_token_id=0, eos_token_id=1, pad_token_id=0))


def rwkv() -> Any:
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3, "attention_hidden_size": 32}
    return made(
        transformers.RwkvConfig(**sizes, intermediate_size=64, context_length=256, bos_token_id=0, eos_token_id=1)
    )


def chunked() -> Any:
    sizes = GROUPED | MOE | {"head_dim": 8, "intermediate_size_mlp": 32, "attention_chunk_size": 16}
    return made(transformers.Llama4TextConfig(**sizes, floor_scale=8))


def first_gpt() -> Any:
    sizes = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 256}
    return made(transformers.OpenAIGPTConfig(**sizes, bos_token_id=0, eos_token_id=1))


PROMPTS = [
    "ab",
    "a question of some length, with 1, 2 and 3 in it; " * 2,
    "short one",
    "another one of 40 letters, or about that",
]
OPTIONS = ("c", " de", " a long one", "?")


def answers(runner: Runner) -> tuple[list[Output], list[Output]]:
    asked = [Request(prompt, options=OPTIONS) for prompt in PROMPTS] + [Request(p, max_tokens=9) for p in PROMPTS]
    found: dict[int, Output] = {}
    runner.run(asked, found.__setitem__)
    return [found[n] for n in range(len(PROMPTS))], [found[n] for n in range(len(PROMPTS), len(asked))]


@torch.inference_mode()
def truth(model: Any, encoder: Encoder) -> tuple[list[list[float]], list[str]]:
    """By the model's own forward pass over each whole sequence alone, without state, mask or padding."""

    def logprobs(ids: list[int]) -> torch.Tensor:
        model(input_ids=torch.zeros(1, 1, dtype=torch.long), use_cache=False)  # what came before is forgotten
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float().log_softmax(-1)

    scores, texts = [], []
    for prompt in PROMPTS:
        (context,) = encoder.ids([prompt.rstrip()])
        held = prompt[len(prompt.rstrip()) :]
        row = []
        for option in OPTIONS:
            (own,) = encoder.ids([held + option])
            table = logprobs([*context, *own][:-1])
            row.append(float(table[range(len(context) - 1, len(table)), own].double().sum()))
        scores.append(row)
        (context,) = encoder.ids([prompt.rstrip(" ")])
        new: list[int] = []
        while len(new) < 9:
            new.append(int(logprobs([*context, *new])[-1].argmax()))
            if new[-1] in encoder.ends:
                break
        text = encoder.tokenizer.decode([one for one in new if one not in encoder.ends], skip_special_tokens=True)
        texts.append(text[1:] if held == " " and text.startswith(" ") else text)
    return scores, texts


@pytest.mark.parametrize("batch_tokens", [1024, 32])
@pytest.mark.parametrize(
    ("make", "shares"),
    [
        (granite, True), (cohere, True), (sinks, True), (latent, True), (longrope, True), (dynamic, True),
        (mamba, False), (rwkv, False), (chunked, False), (first_gpt, False),
    ],
)  # fmt: skip
def test_models_that_were_wrong_or_slow_are_right(make: Any, shares: bool, batch_tokens: int) -> None:
    encoder = Encoder(letters(), 256)
    expected, texts = truth(make(), encoder)
    runner = Runner(make(), encoder, batch_tokens=batch_tokens)
    assert (runner.fallback == "") == shares, runner.fallback
    scored, written = answers(runner)
    for one, row in zip(scored, expected, strict=True):
        assert one.logprobs == pytest.approx(row, abs=1e-4)
    assert [one.texts[0] for one in written] == texts


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("batch_tokens", [1024, 32])
@pytest.mark.parametrize("make", [longrope, dynamic])
def test_rotations_that_depend_on_length_do_so_for_each_text_alone(make: Any, batch_tokens: int, plain: bool) -> None:
    """Prompts on both sides of the border, together and each alone, in large packs and in packs smaller than one."""
    encoder = Encoder(letters(), 256)
    expected, _ = truth(make(), encoder)
    runner = Runner(make(), encoder, batch_tokens=batch_tokens, plain=plain)
    asked = [Request(prompt, options=OPTIONS) for prompt in PROMPTS]
    found: dict[int, Output] = {}
    runner.run(asked, found.__setitem__)
    for at, row in enumerate(expected):
        assert found[at].logprobs == pytest.approx(row, abs=1e-4)
        alone: list[Output] = []
        runner.run([asked[at]], lambda _, output, alone=alone: alone.append(output))
        assert alone[0].logprobs == pytest.approx(row, abs=1e-4)


def test_texts_beyond_the_border_of_a_rotation_leave_each_other_alone() -> None:
    asked = [Request("a longer question, of some eighty letters, " * 2 + "x" * n, max_tokens=6) for n in (24, 0, 9)]

    def written(requests: list[Request]) -> list[Output]:
        found: dict[int, Output] = {}
        Runner(dynamic(), Encoder(letters(), 256)).run(requests, found.__setitem__)
        return [found[at] for at in range(len(requests))]

    for one, together in zip(asked, written(asked), strict=True):
        (alone,) = written([one])
        assert together.texts == alone.texts
        assert together.text_logprobs[0] == pytest.approx(alone.text_logprobs[0], abs=1e-4)


@pytest.mark.parametrize("call", range(1, 12))
@pytest.mark.parametrize("where", ["logits", "hidden", "_path_to"])
def test_memory_that_runs_out_anywhere_changes_no_answer(
    where: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answers(Runner(tiny("llama"), Encoder(letters(), 256), batch_tokens=40))
    runner, calls = Runner(tiny("llama"), Encoder(letters(), 256), batch_tokens=40), 0
    raw = Forward.__dict__[where]
    own = getattr(Forward, where)

    def once(*given: Any, **how: Any) -> Any:
        nonlocal calls
        calls += where != "hidden" or len(given[1]) > 16  # a pack that cannot be smaller gives up
        if calls == call:
            calls += 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return own(*given, **how)

    monkeypatch.setattr(Forward, where, staticmethod(once) if isinstance(raw, staticmethod) else once)
    found = answers(runner)
    for one, other in zip(found[0], expected[0], strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert [one.texts for one in found[1]] == [one.texts for one in expected[1]]


SHOTS = "Q: Where was Anna born? A: Lima. Q: In which country is Lima? A: Peru. "
LONG = (" the answer is said to be 7 and that is all", " Lima is in Peru, so the country is Peru, of course.")


@pytest.mark.parametrize("rows", [8, 1 << 20], ids=["slices of 8 rows", "one slice"])
@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()], ids=["device", "host"])
@pytest.mark.parametrize(
    ("where", "call"), [("logits", 2), ("logits", 3), ("logits", 5), ("_path_to", 2), ("_path_to", 4)]
)
def test_every_request_is_answered_once_whenever_memory_runs_out(
    where: str, call: int, error: BaseException, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many requests after the same shots, options longer than a pack, the head in slices."""
    own = getattr(Forward, where)
    monkeypatch.setattr(
        Forward, "slices", lambda self, count: [slice(at, min(at + rows, count)) for at in range(0, count, rows)]
    )
    asked = [Request(SHOTS + f"Q: {n} A:", options=LONG) for n in range(6)]
    asked += [Request(SHOTS + f"Q: number {n}? A:", max_tokens=6) for n in range(12)]

    def told(runner: Runner) -> dict[int, Output]:
        found: dict[int, Output] = {}

        def once(index: int, output: Output) -> None:
            assert index not in found, "told twice"
            found[index] = output

        runner.run(asked, once)
        return found

    expected, calls = told(Runner(tiny("llama"), Encoder(letters(), 256), batch_tokens=64)), 0
    runner = Runner(tiny("llama"), Encoder(letters(), 256), batch_tokens=64)

    def failing(*given: Any, **how: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return own(*given, **how)

    static = isinstance(Forward.__dict__[where], staticmethod)
    monkeypatch.setattr(Forward, where, staticmethod(failing) if static else failing)
    found = told(runner)
    assert calls > call
    assert sorted(found) == [*range(len(asked))]
    for at, output in expected.items():
        assert found[at].texts == output.texts
        assert found[at].logprobs == pytest.approx(output.logprobs, abs=1e-4)


def test_what_looks_ahead_is_no_causal_model() -> None:
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    assert not is_causal(made(transformers.BertConfig(**sizes, intermediate_size=64)))
    assert is_causal(made(transformers.BertConfig(**sizes, intermediate_size=64, is_decoder=True)))
    assert is_causal(tiny("llama"))


def test_a_model_that_says_otherwise_of_a_longer_text_is_no_causal_model() -> None:
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 32, "decoder_ffn_dim": 64, "encoder_ffn_dim": 64}
    heads = {"num_decoder_attention_heads": 4, "num_encoder_attention_heads": 4}
    layers = {"num_decoder_layers": 2, "num_encoder_layers": 1, "is_decoder": True, "is_encoder_decoder": False}
    model = made(transformers.ProphetNetConfig(**sizes, **heads, **layers, dropout=0.0, attention_dropout=0.0))
    assert not is_causal(model)


def test_one_models_kernel_is_not_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def judged(model: Any, length: int, *, fused: bool = True) -> str:
        asked.append(fused)
        return "packed log-probabilities differ by 1 nats a token" if fused else ""

    class Elsewhere:
        type = "cuda"

    monkeypatch.setattr("scalecurve.engine.runner.why_not", judged)
    monkeypatch.setattr(transformers.LlamaForCausalLM, "device", Elsewhere())
    first = Runner(tiny("llama"), Encoder(letters(), 256), batch_tokens=64)
    assert (asked, first.fallback, first.forward.fused) == ([True, False], "", False)
    monkeypatch.setattr("scalecurve.engine.runner.why_not", lambda *_, **__: "")
    assert Runner(tiny("llama"), Encoder(letters(), 256), batch_tokens=64).forward.fused


def test_half_precision_is_judged_against_its_own_noise() -> None:
    for make in (granite, cohere):
        assert why_not(make().bfloat16(), 256) == ""
    off = tiny("llama").bfloat16()
    off.model.layers[1].register_forward_hook(lambda _, __, out: out.flip(-1) if out.shape[0] == 1 else out)
    assert why_not(off, 256).startswith("packed log-probabilities differ by")


def windowed() -> Any:
    sizes = GROUPED | {"local_attention": 16, "global_attn_every_n_layers": 2, "num_key_value_heads": 4}
    return made(transformers.ModernBertDecoderConfig(**sizes | {"pad_token_id": 0}, cls_token_id=0, sep_token_id=1))


def differential() -> Any:
    return made(transformers.DiffLlamaConfig(**GROUPED))


def mixed() -> Any:
    return made(transformers.PhimoeConfig(**GROUPED | MOE, sliding_window=None))


@pytest.mark.parametrize("make", [granite, cohere, windowed, differential, mixed])
def test_half_precision_is_as_far_from_float32_as_the_models_own_pass_is(make: Any) -> None:
    encoder = Encoder(letters(), 256)
    expected, _ = truth(make(), encoder)

    def far(*, plain: bool) -> float:
        scored, _ = answers(Runner(make().bfloat16(), encoder, plain=plain))
        return max(
            abs(a - b)
            for one, row in zip(scored, expected, strict=True)
            for a, b in zip(one.logprobs, row, strict=True)
        )

    assert far(plain=False) <= 2 * far(plain=True) + 0.05


def test_a_row_is_fed_once_for_all_its_options() -> None:
    pairs = [((5, 6, 7), (n,)) for n in range(4)] + [((5, 6, 7), (8, 9)), ((5, 6), (7,))]
    assert padded.fed_tokens(pairs) == (4, 3)
    expected = [padded.score_pairs(tiny("llama"), [pair], 1)[0] for pair in pairs]
    for (found, greedy), (own, is_greedy) in zip(padded.score_pairs(tiny("llama"), pairs, 64), expected, strict=True):
        assert (found, greedy) == (pytest.approx(own, abs=1e-4), is_greedy)
