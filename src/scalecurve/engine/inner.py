"""RecurrentGemma keeps its recurrent state in its layers, one for whoever asks; here it is carried along instead."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel

STATES = ("conv1d_state", "recurrent_states")  # attributes of its layers


def carry_inner_state(model: PreTrainedModel) -> bool:
    """Let a model that keeps its state in its layers take and give it as ``past_key_values``; whether it is one."""
    holders = [
        (module, name)
        for module in model.modules()
        for name in STATES
        if name in vars(module) and "RecurrentGemma" in type(module).__name__
    ]
    if not holders:
        return False
    from transformers import DynamicCache
    from transformers.modeling_outputs import CausalLMOutputWithPast

    own = model.forward

    @functools.wraps(own)
    def forward(*args: Any, past_key_values: Any = None, use_cache: bool | None = None, **given: Any) -> Any:
        if not use_cache:
            return own(*args, use_cache=False, **given)
        cache = past_key_values
        if cache is None:
            cache = DynamicCache(config=model.config)
            cache.inner = [None] * len(holders)
        for (module, name), state in zip(holders, cache.inner, strict=True):
            setattr(module, name, state)
        logits = own(*args, past_key_values=cache, use_cache=True, **given).logits
        cache.inner = [getattr(module, name) for module, name in holders]
        return CausalLMOutputWithPast(logits=logits, past_key_values=cache)

    model.forward = forward
    return True
