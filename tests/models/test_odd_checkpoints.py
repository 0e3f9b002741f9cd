"""Checkpoints in odd shapes and precisions, against transformers' own float32 forward pass over the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from engine.conftest import GROUPED, SLIDING, letters, tiny
from safetensors.torch import load_file, save_file

from scalecurve.models import open_model
from scalecurve.types import Output, Request, Rung

LONG = "a prompt of some eighty letters, beyond any window and border that is set here, and on "
PROMPTS = ("ab", LONG, LONG + "x", "another one, not as long")
OPTIONS = ("c", "de", " a longer one", "?")


def ask(model: Any) -> tuple[list[Output], list[Output]]:
    asked = [Request(p, options=OPTIONS) for p in PROMPTS] + [Request(p, max_tokens=7) for p in PROMPTS]
    found: dict[int, Output] = {}
    model.run(asked, found.__setitem__)
    return [found[n] for n in range(len(PROMPTS))], [found[n] for n in range(len(PROMPTS), len(asked))]


@torch.inference_mode()
def assert_own(opened: Any, own: Any, tokenizer: Any) -> None:
    """That options and greedy texts are those of ``own``'s forward pass over each sequence alone."""

    def table(ids: list[int]) -> torch.Tensor:
        own(input_ids=torch.zeros(1, 1, dtype=torch.long), use_cache=False)  # a rotation's growth is forgotten
        return own(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float().log_softmax(-1)

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    scored, written = ask(opened)
    for prompt, output, text in zip(PROMPTS, scored, written, strict=True):
        context, held = ids(prompt.rstrip()), prompt[len(prompt.rstrip()) :]
        for option, logprob in zip(OPTIONS, output.logprobs, strict=True):
            new = ids(held + option)
            rows = table([*context, *new][:-1])[len(context) - 1 :]
            assert logprob == pytest.approx(float(rows[range(len(new)), new].double().sum()), abs=1e-4)
        new = []
        ends = {one for one in (tokenizer.eos_token_id,) if one is not None}
        while len(new) < 7 and not (new and new[-1] in ends):
            new.append(int(table([*context, *new])[-1].argmax()))
        said = tokenizer.decode([one for one in new if one not in ends])
        assert text.texts[0] == (said[1:] if held and said.startswith(" ") else said)


def opened(folder: Path, backend: str = "transformers", **options: Any) -> Any:
    return open_model(Rung("odd", backend, str(folder), options=options), device="cpu")


def loud(model: Any) -> Any:
    """``model`` with weights large enough that its log-probabilities differ by nats."""
    for parameter in model.eval().requires_grad_(False).parameters():
        if parameter.dim() > 1:
            parameter.mul_(4)
    return model


def llama(**settings: Any) -> Any:
    torch.manual_seed(0)
    return loud(transformers.LlamaForCausalLM(transformers.LlamaConfig(**GROUPED | settings)))


def rope(kind: str, **settings: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **settings}}


def made(kind: str, **settings: Any) -> Any:
    torch.manual_seed(0)
    config = transformers.CONFIG_MAPPING[kind](**GROUPED | settings)
    return loud(transformers.AutoModelForCausalLM.from_config(config))


LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
LONGROPE = {"short_factor": [1.0] * 4, "long_factor": [1.0, 4.0, 16.0, 32.0], "factor": 4.0}
FAR = {"max_position_embeddings": 64}
CASES: dict[str, Callable[[], Any]] = {
    "tied": lambda: llama(tie_word_embeddings=True),
    "one key head": lambda: llama(num_key_value_heads=1),
    "wide heads": lambda: llama(head_dim=24),
    "one layer": lambda: llama(num_hidden_layers=1),
    "biases": lambda: llama(attention_bias=True, mlp_bias=True),
    "linear": lambda: llama(**rope("linear", factor=3.0)),
    "yarn": lambda: llama(**rope("yarn", factor=4.0, original_max_position_embeddings=32)),
    "yarn, sharper": lambda: llama(
        **rope("yarn", factor=4.0, original_max_position_embeddings=32, attention_factor=1.7, beta_fast=16)
    ),
    "llama3": lambda: llama(**rope("llama3", **LLAMA3)),
    "dynamic": lambda: llama(**rope("dynamic", factor=4.0), **FAR),
    "longrope": lambda: llama(**rope("longrope", **LONGROPE, original_max_position_embeddings=32)),
    "partial rotation": lambda: made("phi", partial_rotary_factor=0.5),
    "window of 4": lambda: made("mistral", sliding_window=4),
    "window of 1": lambda: made("mistral", sliding_window=1),
    "windows by layer": lambda: made("gemma3_text", head_dim=8, sliding_window=5, layer_types=SLIDING),
    "windows by depth": lambda: made("qwen2", use_sliding_window=True, sliding_window=6, max_window_layers=1),
    "soft caps": lambda: made("gemma2", head_dim=8, sliding_window=7, attn_logit_softcapping=1.0),
    "no rotation in some layers": lambda: made("smollm3", no_rope_layers=[1, 0, 1]),
    "parallel residual": lambda: made("gpt_neox", use_parallel_residual=False, rotary_pct=0.5),
}


@pytest.mark.parametrize("case", CASES)
def test_odd_settings_are_computed_as_the_model_does(case: str, tmp_path: Path) -> None:
    CASES[case]().save_pretrained(tmp_path)
    letters().save_pretrained(tmp_path)
    own = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert_own(opened(tmp_path, max_length=256), own, transformers.AutoTokenizer.from_pretrained(tmp_path))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_files_are_computed_in_float32(dtype: str, tmp_path: Path) -> None:
    tiny("llama").to(getattr(torch, dtype)).save_pretrained(tmp_path, max_shard_size="20KB")
    letters().save_pretrained(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2, "in parts"
    assert {str(weight.dtype) for weight in load_file(next(tmp_path.glob("*.safetensors"))).values()} == {
        f"torch.{dtype}"
    }
    own = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert_own(opened(tmp_path), own, letters())


def test_a_tokenizer_without_any_special_token_and_a_small_vocabulary(tmp_path: Path) -> None:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    words = sorted({*"".join(PROMPTS + OPTIONS)})
    backend = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token=words[0]))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    backend.decoder = decoders.Fuse()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend)
    model = llama(vocab_size=len(words), bos_token_id=None, eos_token_id=None)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert_own(opened(tmp_path), model, tokenizer)


def test_weights_in_blocks_of_8_bits_are_what_they_stand_for(tmp_path: Path) -> None:
    model = llama(hidden_size=64, head_dim=32)
    weights, scaled, plain = model.state_dict(), {}, {}
    for name, weight in weights.items():
        if "proj" not in name:
            scaled[name] = plain[name] = weight
            continue
        blocks = weight.reshape(weight.shape[0] // 32, 32, weight.shape[1] // 32, 32)
        scale = blocks.abs().amax((1, 3)) / 448
        small = (blocks / scale[:, None, :, None]).to(torch.float8_e4m3fn)
        scaled[name] = small.reshape(weight.shape)
        scaled[name.replace(".weight", ".weight_scale_inv")] = scale
        plain[name] = (small.float() * scale[:, None, :, None]).reshape(weight.shape)
    folder = tmp_path / "blocks"
    for place, tensors in ((folder, scaled), (tmp_path / "plain", plain)):
        model.save_pretrained(place)
        letters().save_pretrained(place)
        save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {
        "quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [32, 32]
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    found, expected = ask(opened(folder)), ask(opened(tmp_path / "plain"))
    for one, other in zip(found[0], expected[0], strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-2)


# ── GGUF ─────────────────────────────────────────────────────────────────────────────────────────────────────
PLACES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def turned(weight: Any, heads: int) -> Any:
    """A projection with its rotated halves interleaved, as llama.cpp keeps them."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def write_gguf(path: Path, model: Any, kind: str, architecture: str = "llama") -> None:
    gguf = pytest.importorskip("gguf")
    config, vocabulary = model.config, letters().get_vocab()
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    words = [{" ": "Ġ", "\n": "Ċ", "}": "xx"}.get(word, word) for word in words]  # as bytes are written down
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_context_length(256)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([3, 3] + [1] * (len(words) - 2))
    writer.add_token_merges(["x x"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for layer in range(config.num_hidden_layers):
        names |= {f"model.layers.{layer}.{ours}": f"blk.{layer}.{its}" for ours, its in PLACES.items()}
    for ours, its in names.items():
        weight = model.state_dict()[f"{ours}.weight"].numpy()
        if "q_proj" in ours or "k_proj" in ours:
            weight = turned(weight, 4 if "q_proj" in ours else 2)
        if weight.ndim == 1 or kind == "F32":
            writer.add_tensor(f"{its}.weight", weight)
        else:
            packed = getattr(gguf.GGMLQuantizationType, kind)
            writer.add_tensor(f"{its}.weight", gguf.quants.quantize(weight, packed), raw_dtype=packed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_gguf_weights_are_those_of_the_file(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALECURVE_CACHE", str(tmp_path / "cache"))
    model = llama(hidden_size=64, head_dim=16)
    path = tmp_path / "tiny.gguf"
    write_gguf(path, model, kind)
    own = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="tiny.gguf", dtype=torch.float32)
    close = {"F32": 1e-6, "F16": 1e-3, "BF16": 1e-2}.get(kind, 0.5)
    for name, weight in model.state_dict().items():
        assert torch.allclose(own.state_dict()[name], weight, atol=close), name
    for _ in range(2):  # read from the file, then from what was unpacked
        first = opened(path, "gguf")
        tokenizer = first.runner.encoder.tokenizer
        assert_own(first, own.eval(), tokenizer)
