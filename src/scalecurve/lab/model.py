"""The laboratory's architecture, and model and loss as one module, so that both are compiled together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scalecurve.lab import recipe
from scalecurve.lab.recipe import RungRecipe
from scalecurve.lab.tokenizer import END

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel


def build_model(rung: RungRecipe, tokenizer: Tokenizer) -> PreTrainedModel:
    """An untrained Qwen3 of the rung's size: normalised queries and keys, output head tied to the embedding."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    end = tokenizer.token_to_id(END)
    config = Qwen3Config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=rung.width,
        intermediate_size=rung.feed_forward,
        num_hidden_layers=rung.layers,
        num_attention_heads=rung.heads,
        num_key_value_heads=rung.heads,
        head_dim=rung.width // rung.heads,
        max_position_embeddings=recipe.CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.02,
        bos_token_id=end,
        eos_token_id=end,
        attn_implementation="eager",  # on a processor faster to train than the fused attention
    )
    torch.manual_seed(rung.seed)
    return Qwen3ForCausalLM(config)


def count_parameters(model: PreTrainedModel) -> tuple[int, int]:
    """(non-embedding, total) parameters; the tied embedding counts once."""
    total = sum(parameter.numel() for parameter in model.parameters())
    return total - model.get_input_embeddings().weight.numel(), total


def loss_module(model: PreTrainedModel) -> Any:
    """A module (ids, documents, weights) → (weighted sum of nats, sum of weights); all rows × tokens.

    Attention stays within a document; a token's weight counts where the token is predicted.
    """
    import torch

    class Loss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, documents: Any, weights: Any) -> tuple[Any, Any]:
            same = documents[:, None, :, None] == documents[:, None, None, :]
            earlier = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
            mask = torch.where(same & earlier, 0.0, -1e4)
            hidden = self.model.model(input_ids=ids, attention_mask={"full_attention": mask}, use_cache=False)
            logits = self.model.lm_head(hidden.last_hidden_state[:, :-1]).float().flatten(0, 1)
            nats = torch.nn.functional.cross_entropy(logits, ids[:, 1:].flatten(), reduction="none")
            counted = weights[:, 1:].flatten()
            return (nats * counted).sum(), counted.sum()

    return Loss()
