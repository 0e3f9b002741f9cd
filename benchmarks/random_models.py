"""Models of random weights, wide enough that their layers and not Python take the time, for ``versus_lm_eval.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny_models

SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "n_embed", "dim", "lru_width"), 256),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "ffn_hidden_size"), 512),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "context_length"), 2048),
    **dict.fromkeys(("sliding_window", "attention_window_size", "window_size"), 128),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size"), 128),
    **dict.fromkeys(("head_dim", "mamba_d_head", "linear_key_head_dim", "linear_value_head_dim"), 64),
    **dict.fromkeys(("mamba_chunk_size", "chunk_size"), 64),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "falcon_h1": {"mamba_d_ssm": 512},
    "gptj": {"rotary_dim": 32},
    "codegen": {"rotary_dim": 32},
    "mamba2": {"head_dim": 64, "chunk_size": 64},
    "qwen4_exp_text": {"indexer_head_dim": 64},
    "zamba": {"attention_head_dim": 128},
    "zamba2": {"attention_head_dim": 128, "mamba_headdim": 64, "chunk_size": 64},
}
HYBRIDS = (
    "mamba",
    "mamba2",
    "falcon_mamba",
    "rwkv",
    "recurrent_gemma",
    "jamba",
    "bamba",
    "zamba2",
    "falcon_h1",
    "granitemoehybrid",
    "nemotron_h",
    "qwen3_next",
    "lfm2",
    "lfm2_moe",
)
"""Recurrent models and those that mix recurrence with attention."""
PADDED = ("openai-gpt", "qwen4_exp_text")
"""Those that share no prefixes and open from a folder; the harness fails on a bailing_hybrid of so few layers."""
AS_PADDED = ("bloom", "mpt", "falcon", "gptj", "granite", "mamba2", "gpt2", "gpt_neox")
"""More of them, by ``engine = "plain"``."""


def folder(name: str, place: Path) -> Path:
    """A directory in transformers format with a model of random weights and the laboratory's tokenizer."""
    made = place / name
    if not made.exists():
        tiny_models.SIZES.update(SIZES)
        for kind, own in SETTINGS.items():
            tiny_models.SETTINGS[kind] = tiny_models.SETTINGS.get(kind, {}) | own
        tokenizer = tiny_models.tokens().tokenizer
        tokenizer.model_max_length = 2048
        tiny_models.build(name, tokenizer.vocab_size).save_pretrained(made)
        tokenizer.save_pretrained(made)
    return made
