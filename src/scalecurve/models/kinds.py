"""What a folder of weights must be before it is asked: a causal language model, whole, with nothing left out.

transformers fills weights that a checkpoint lacks with random numbers, and leaves adapters and unknown quantisations
aside; each would give wrong numbers without a word.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.types import Rung

log = logging.getLogger("scalecurve")

NOT_CAUSAL = {
    "ForMaskedLM": "a bidirectional encoder",
    "ForSequenceClassification": "a classifier or reward model",
    "ForTokenClassification": "a classifier",
    "ForQuestionAnswering": "an extractive reader",
    "ForMultipleChoice": "a classifier",
    "ForNextSentencePrediction": "a bidirectional encoder",
}


def check_folder(rung: Rung, folder: Path) -> None:
    """Raises ``UserError`` for what is no causal model, has an adapter beside it, or is quantised in an unknown way."""
    if (folder / "adapter_config.json").is_file() or (folder / "adapter_model.safetensors").is_file():
        raise UserError(
            f"{rung.name}: location: {folder} has adapter files beside the model, which would not be applied; "
            "move them to a folder of their own, and open that"
        )
    config = _read(folder / "config.json")
    kind = _not_causal(config)
    if kind:
        raise UserError(f"{rung.name}: location: {folder} is {kind}; only causal language models can be asked")
    if config.get("model_type") == "reformer" and "lsh" in (config.get("attn_layers") or ["lsh"]):
        raise UserError(
            f"{rung.name}: location: {folder}: config.json: attn_layers: attention by random hashes says otherwise "
            "each time it is asked of a longer text; take a model without"
        )
    method = (config.get("quantization_config") or {}).get("quant_method")
    if method is not None and method not in _known_quantisations():
        raise UserError(
            f"{rung.name}: location: {folder}: config.json: quantization_config: transformers does not know "
            f"{method!r}; take the weights in another format"
        )


def _not_causal(config: Mapping[str, Any]) -> str:
    """What a model is, when it is no causal one; "" otherwise."""
    named = [str(one) for one in config.get("architectures") or ()]
    if config.get("is_encoder_decoder") and not any(name.endswith("ForCausalLM") for name in named):
        return f"an encoder-decoder model ({', '.join(named) or config.get('model_type')})"
    kinds = {NOT_CAUSAL[end] for name in named for end in NOT_CAUSAL if name.endswith(end)}
    return f"{sorted(kinds)[0]} ({', '.join(named)})" if kinds else ""


def _known_quantisations() -> set[str]:
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

    return {str(name) for name in AUTO_QUANTIZATION_CONFIG_MAPPING} | {"bitsandbytes"}


def _read(path: Path) -> dict[str, Any]:
    """A JSON file's table; empty where there is none that can be read, which the loader will say better."""
    try:
        read = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def check_loading(rung: Rung, found: Mapping[str, Any]) -> None:
    """Raises ``UserError`` naming the first weight that the files lack or have in another shape."""
    for key, words in (("missing_keys", "lack"), ("mismatched_keys", "have in another shape")):
        keys = sorted(str(one[0] if isinstance(one, tuple) else one) for one in found.get(key) or ())
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            unexpected = sorted(map(str, found.get("unexpected_keys") or ()))
            instead = f"; they hold {unexpected[0]} instead" if unexpected else ""
            raise UserError(
                f"{rung.name}: location: {rung.location} cannot be loaded: its weights {words} {keys[0]}{more}"
                f"{instead}; save the whole causal model again"
            )
    if found.get("error_msgs"):
        said = " ".join(str(found["error_msgs"][0]).split())[:200]
        raise UserError(f"{rung.name}: location: {rung.location} cannot be loaded: {said}")
    unexpected = sorted(map(str, found.get("unexpected_keys") or ()))
    if unexpected:
        more = f" and {len(unexpected) - 1} more" if len(unexpected) > 1 else ""
        log.warning("%s: its weights hold %s%s, which the model does not use", rung.name, unexpected[0], more)
