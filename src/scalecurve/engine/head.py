"""From hidden states to logits, by the model's own code: factors, soft caps and extra layers of the head included."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Head:
    """What a causal model does after its layers, for chosen positions only.

    The model's own ``forward`` runs with its layers replaced by hidden states that are there already, so that what an
    architecture does to its logits (Granite's and Cohere's factors, Gemma's cap, ModernBERT's dense layer) is done.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        base = model.base_model
        decoder = getattr(base, "decoder", None)  # which OPT's and XGLM's kin call past their base model
        self.layers = [base, *([decoder] if isinstance(decoder, torch.nn.Module) else [])]
        weight = getattr(model.get_output_embeddings(), "weight", None)
        self.vocabulary = int(weight.shape[0] if weight is not None else model.config.get_text_config().vocab_size)

    def logits(self, hidden: Tensor) -> Tensor:
        """float32 logits (n, vocabulary) of last hidden states (n, size)."""
        ids = torch.zeros(1, len(hidden), dtype=torch.long, device=hidden.device)
        with contextlib.ExitStack() as stack:
            for layers in self.layers:
                stack.enter_context(_answering(layers, hidden[None]))
            logits: Tensor = self.model(input_ids=ids, use_cache=False).logits[0]
        return logits.float()


@contextlib.contextmanager
def _answering(layers: Any, hidden: Tensor) -> Iterator[None]:
    """Within it, ``layers`` return ``hidden`` whatever they are given."""
    given = _Hidden((hidden,))
    own = layers.__dict__.get("forward")
    layers.forward = lambda *_, **__: given
    try:
        yield
    finally:
        if own is None:
            del layers.forward
        else:
            layers.forward = own


class _Hidden(tuple[Tensor]):
    """What a base model returns, with hidden states and nothing else."""

    @property
    def last_hidden_state(self) -> Tensor:
        return self[0]

    def __getattr__(self, name: str) -> None:
        return None
