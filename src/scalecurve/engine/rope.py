"""Rotary positions that depend on the length of a sequence: what lies beyond a border must not share a forward pass.

transformers chooses the factors of ``longrope`` (Phi-3-128k, Phi-4-mini, MiniCPM3) and ``dynamic`` NTK by the longest
position in the whole forward pass (``modeling_rope_utils``), so that one long sequence would change all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Border:
    """Sequences of more than ``length`` tokens are turned otherwise; ``every_length``: each in a way of its own."""

    length: int
    every_length: bool


def border(model: PreTrainedModel, max_length: int) -> Border | None:
    """Where a model's rotation begins to depend on length; None where no sequence gets there."""
    config = model.config.get_text_config()
    found = []
    for rope in _ropes(getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None)):
        kind = rope.get("rope_type", rope.get("type"))
        if kind not in ("longrope", "dynamic"):
            continue
        most = rope.get("original_max_position_embeddings") or getattr(config, "original_max_position_embeddings", None)
        found.append(Border(int(most or config.max_position_embeddings), kind == "dynamic"))
    nearest = min(found, key=lambda one: one.length, default=None)
    return nearest if nearest is not None and nearest.length < max_length else None


def _ropes(given: object) -> list[Mapping[str, Any]]:
    """The tables of rotary parameters: one, or one a kind of layer."""
    if not isinstance(given, Mapping):
        return []
    if "rope_type" in given or "type" in given:
        return [given]
    return [one for value in given.values() for one in _ropes(value)]


@torch.inference_mode()
def forget(model: PreTrainedModel) -> None:
    """Bring a model's rotation back to that of short sequences, whatever it was given before."""
    model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=model.device), use_cache=False)
