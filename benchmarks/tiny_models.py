"""Tiny models of random weights, one of every causal architecture that the installed transformers has."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "n_embed", "dim", "lru_width"), 64),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers"), 4),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "ffn_hidden_size"), 96),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "context_length"), 256),
    **dict.fromkeys(("sliding_window", "attention_window_size", "window_size"), 16),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_top_k", "moe_topk"), 2),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size"), 32),
    **dict.fromkeys(("n_group", "topk_group", "n_shared_experts", "num_shared_experts", "first_k_dense_replace"), 1),
    **dict.fromkeys(("mamba_n_groups", "n_groups", "mamba_ngroups"), 1),
    **dict.fromkeys(("mamba_d_state", "state_size", "mamba_dt_rank", "time_step_rank"), 8),
    **dict.fromkeys(("mamba_d_conv", "conv_kernel", "mamba_dt_rank", "time_step_rank"), 4),
    **dict.fromkeys(("hidden_dropout", "attention_dropout", "dropout"), 0.0),
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 0),
    "num_key_value_heads": 2,
    "head_dim": 16,
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 16,
    "mamba_n_heads": 8,
    "mamba_d_head": 16,
    "mamba_expand": 2,
    "mamba_chunk_size": 16,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}
LEFT_OUT: Any = object()  # what a configuration works out by itself
LATENT = {"head_dim": 8, "num_key_value_heads": 4}  # rotated part alone, and a key head a query head
INDEXED = LATENT | {"index_topk": 16, "index_head_dim": 16, "index_n_heads": 32}
TURNS = ["sliding_attention", "full_attention"] * 2
NARROW = {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 1024}
GEMMA4 = NARROW | {"layer_types": TURNS, "num_kv_shared_layers": 0}


def rope(kind: str, **settings: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_theta": 10000.0, "rope_type": kind, **settings}}


SETTINGS: dict[str, dict[str, Any]] = {  # what a configuration needs besides SIZES to fit itself
    **dict.fromkeys(("deepseek_v2", "deepseek_v3"), LATENT | {"num_hidden_layers": 3}),
    **dict.fromkeys(("glm4_moe_lite", "longcat_flash", "youtu", "minicpm3", "axk1", "axk2"), LATENT),
    **dict.fromkeys(("deepseek_v32", "glm_moe_dsa"), INDEXED),
    "codegen": {"rotary_dim": 8},
    "dots3_note_text": {"num_key_value_heads": 4},
    "gptj": {"rotary_dim": 8},
    "bamba": {"attn_layer_indices": [1, 3]},
    "falcon": {"head_dim": LEFT_OUT, "num_kv_heads": 1},
    "cohere_compass_text": {
        "layer_types": TURNS,
        "rope_parameters": {kind: {"rope_theta": 10000.0, "rope_type": "default"} for kind in TURNS},
    },
    "dbrx": {
        "attn_config": {"rope_theta": 10000.0, "kv_n_heads": 2},
        "ffn_config": {"ffn_hidden_size": 96, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "falcon_h1": {"mamba_d_ssm": 128},
    "gemma3n_text": NARROW
    | {"layer_types": TURNS, "num_kv_shared_layers": 2, "activation_sparsity_pattern": [0.0] * 4, "laurel_rank": 8},
    **dict.fromkeys(("gemma4_text", "gemma4_unified_text"), GEMMA4 | {"global_head_dim": 32}),
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"] * 2},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "use_mamba_kernels": False},
    "kimi_linear": LATENT
    | {
        "linear_attn_config": {
            "head_dim": 16,
            "num_heads": 4,
            "short_conv_kernel_size": 4,
            "full_attn_layers": [2, 4],
            "kda_layers": [1, 3],
        }
    },
    "lfm2_moe": {"layer_types": ["conv", "conv", "full_attention", "conv"], "num_dense_layers": 1},
    "llama4_text": {"attention_chunk_size": 16, "intermediate_size_mlp": 96, "floor_scale": 8, "attn_scale": 0.1},
    "mamba2": {"num_heads": 8, "head_dim": 16, "expand": 2, "chunk_size": 16},
    "modernbert-decoder": {"local_attention": 16, "global_attn_every_n_layers": 2},
    "qwen4_exp_text": {
        "indexer_n_heads": 4,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 16,
        "indexer_budget": 16,
        "indexer_compress_ratio": 4,
    },
    "qwen3_next": {"layer_types": [*["linear_attention"] * 3, "full_attention"]},
    "recurrent_gemma": {"block_types": ["recurrent", "recurrent", "attention"], "num_hidden_layers": 6},
    "prophetnet": {"num_hidden_layers": LEFT_OUT, "num_decoder_layers": 2, "num_encoder_layers": 1},
    "reformer": {"is_decoder": True, "axial_pos_shape": (16, 16), "axial_pos_embds_dim": (32, 32)},
    "smollm3": {"no_rope_layers": [1, 0, 1, 0]},
    "zamba": {
        "num_hidden_layers": 6,
        "layers_block_type": ["mamba", "mamba", "hybrid"] * 2,
        "attn_layer_period": 3,
        "attn_layer_offset": 2,
        "attention_head_dim": 32,
        "n_mamba_heads": 2,
    },
    "zamba2": {
        "layers_block_type": ["mamba", "hybrid"] * 2,
        "layer_types": LEFT_OUT,
        "mamba_headdim": 16,
        "n_mamba_heads": 8,
        "num_mem_blocks": 1,
        "adapter_rank": 8,
        "use_shared_attention_adapter": False,
        "head_dim": LEFT_OUT,
        "attention_head_dim": 32,
        "chunk_size": 16,
    },
    "xlnet": {"max_position_embeddings": LEFT_OUT},
    "xlstm": {
        **dict.fromkeys(("v_head_dim", "head_dim", "qk_head_dim"), LEFT_OUT),
        "embedding_dim": 64,
        "num_blocks": 4,
        "chunk_size": 16,
    },
    "zaya": {"num_experts_per_tok": 1},
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama, linear RoPE": ("llama", rope("linear", factor=4.0)),
    "llama, dynamic RoPE": ("llama", rope("dynamic", factor=4.0) | {"max_position_embeddings": 64}),
    "llama, llama3 RoPE": (
        "llama",
        rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64),
    ),
    "llama, YaRN": ("llama", rope("yarn", factor=4.0, original_max_position_embeddings=64)),
    "llama, tied, wide heads": ("llama", {"tie_word_embeddings": True, "head_dim": 32}),
    "phi3, longrope": (
        "phi3",
        rope(
            "longrope",
            short_factor=[1.0] * 8,
            long_factor=[1.0, 1.5, 2, 3, 4, 8, 16, 32.0],
            original_max_position_embeddings=64,
            factor=4.0,
        )
        | {"original_max_position_embeddings": 64, "sliding_window": None},
    ),
    "mistral, no window": ("mistral", {"sliding_window": None}),
    "qwen2, sliding": ("qwen2", {"use_sliding_window": True, "max_window_layers": 2}),
    "falcon, ALiBi": (
        "falcon",
        {"head_dim": LEFT_OUT, "alibi": True, "multi_query": True, "new_decoder_architecture": False},
    ),
    "falcon, 40B": (
        "falcon",
        {"head_dim": LEFT_OUT, "num_kv_heads": 2, "alibi": False, "new_decoder_architecture": True},
    ),
    "granite, scaled": (
        "granite",
        {
            "logits_scaling": 8.0,
            "embedding_multiplier": 12.0,
            "residual_multiplier": 0.22,
            "attention_multiplier": 0.06,
        },
    ),
    "gpt_oss, sliding": ("gpt_oss", {"layer_types": TURNS}),
    "exaone4, sliding": ("exaone4", {"layer_types": [*["sliding_attention"] * 3, "full_attention"]}),
    "cohere2, sliding": ("cohere2", {"layer_types": [*["sliding_attention"] * 3, "full_attention"]}),
    "gemma2, untied": ("gemma2", {"tie_word_embeddings": False}),
    "gemma4, shared keys": ("gemma4_text", GEMMA4 | {"global_head_dim": 32, "num_kv_shared_layers": 2}),
}


def names() -> list[str]:
    """The architectures transformers has under ``AutoModelForCausalLM``, and variants by settings that matter."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return [*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *VARIANTS]


def settings(name: str, vocabulary: int) -> Any:
    """A small configuration of an architecture; of one with eyes or ears, each part is small."""
    from transformers import CONFIG_MAPPING

    kind, own = VARIANTS.get(name, (name, {}))
    return _small(CONFIG_MAPPING[kind], {"vocab_size": vocabulary} | SETTINGS.get(kind, {}) | own)


def _small(make: Any, own: dict[str, Any]) -> Any:
    base = make()
    parts = getattr(make, "sub_configs", None) or {}
    if "text_config" in parts:
        given = {}
        for part in parts:
            kind = type(getattr(base, part, None))
            if kind is not type(None):
                extra = SETTINGS.get(kind.model_type, {})
                given[part] = _small(kind, {"vocab_size": own["vocab_size"]} | extra).to_dict()
        return make(**given)
    known = base.to_dict()
    given = {key: value for key, value in SIZES.items() if key in known or _has(base, key) or key.endswith("token_id")}
    given |= own
    given = {key: value for key, value in given.items() if value is not LEFT_OUT}
    return make(**given)


def _has(config: Any, key: str) -> bool:
    try:
        return hasattr(config, key)
    except Exception:  # some have one value a layer
        return False


def build(name: str, vocabulary: int = 1024) -> Any:
    """The model in float32, with random weights. ``ValueError`` when it cannot be made small."""
    import torch
    from transformers import AutoModelForCausalLM

    config = settings(name, vocabulary)
    with torch.device("meta"):
        count = sum(weight.numel() for weight in AutoModelForCausalLM.from_config(config).parameters())
    if count > 60_000_000:
        raise ValueError(f"{count} parameters: too large to be tiny")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    spread(model)
    return model


def spread(model: Any) -> None:
    """Give a model weights under which options differ by nats and what stands far back is heard."""
    import torch

    source = torch.Generator().manual_seed(0)
    seen = set()
    for name, weight in model.named_parameters():
        if weight.data_ptr() in seen or not weight.is_floating_point():
            continue
        seen.add(weight.data_ptr())
        if weight.ndim >= 2 and "conv" not in name and "A_log" not in name:
            outer = any(word in name for word in ("embed", "wte", "wpe", "lm_head"))
            size = 0.5 if outer else 1.2 / math.sqrt(weight.shape[-1])
            weight.copy_(torch.randn(weight.shape, generator=source) * size)
        elif "sink" in name:
            weight.copy_(torch.randn(weight.shape, generator=source))
        elif name.endswith("bias") and not bool(weight.any()):
            weight.copy_(torch.randn(weight.shape, generator=source) * 0.1)


def tokens() -> Any:
    """The laboratory's tokenizer, of 1,024 tokens."""
    from transformers import AutoTokenizer

    import scalecurve.lab
    from scalecurve.engine.text import Encoder

    folder = Path(scalecurve.lab.__file__).parent / "weights" / "lab-1m"
    return Encoder(AutoTokenizer.from_pretrained(str(folder)), 256)
