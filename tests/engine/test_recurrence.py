"""Recurrent layers from a state, against their definitions in float64, and against transformers' own loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from scalecurve.engine.branches import Fed, feed
from scalecurve.engine.inner import carry_inner_state
from scalecurve.engine.padded import carried
from scalecurve.engine.recurrence import resume, selective_scan, weighted_values

from .conftest import COMMON, VOCABULARY
from .test_branches import griffin
from .test_faults import made, mamba, rwkv

ROWS, WIDTH, SIZE, TOKENS = 2, 24, 8, 200
COUNTED = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def scan_inputs() -> dict[str, Tensor]:
    torch.manual_seed(0)
    shapes = {"hidden_states": (ROWS, WIDTH, TOKENS), "dt": (ROWS, WIDTH, TOKENS), "A": (WIDTH, SIZE)}
    shapes |= {"B": (ROWS, SIZE, TOKENS), "C": (ROWS, SIZE, TOKENS), "D": (WIDTH,), "z": (ROWS, WIDTH, TOKENS)}
    shapes |= {"delta_bias": (WIDTH,), "begin": (ROWS, WIDTH, SIZE)}
    made = {name: random(*shape) for name, shape in shapes.items()}
    return {name: value.float() for name, value in (made | {"A": -made["A"].exp(), "dt": made["dt"] - 3}).items()}


def scanned(begin: Tensor, **given: Tensor) -> tuple[Tensor, Tensor]:
    """Mamba's recurrence, written down in float64."""
    own = {name: value.double() for name, value in given.items()}
    gate = torch.nn.functional.softplus(own["dt"] + own["delta_bias"][:, None])
    state, rows = begin.double(), []
    for t in range(TOKENS):
        step, x = gate[..., t, None], own["hidden_states"][..., t, None]
        state = torch.exp(step * own["A"]) * state + step * own["B"][:, None, :, t] * x
        rows.append((state * own["C"][:, None, :, t]).sum(-1))
    out = torch.stack(rows, dim=-1) + own["D"][:, None] * own["hidden_states"]
    return out * torch.nn.functional.silu(own["z"]), state


def worst(found: Any, truth: Any) -> float:
    return max(float((one.double() - other).abs().max()) for one, other in zip(found, truth, strict=True))


def test_the_selective_scan_is_its_definition_to_rounding() -> None:
    from transformers.models.mamba.modeling_mamba import mamba_selective_scan

    given = scan_inputs()
    how: dict[str, Any] = {"delta_softplus": True, "return_last_state": True}
    assert worst(selective_scan(**given, **how), scanned(**given)) < 2e-5
    fresh = given | {"begin": torch.zeros(ROWS, WIDTH, SIZE)}
    own = mamba_selective_scan(**{name: value for name, value in given.items() if name != "begin"}, **how)
    assert worst(selective_scan(**fresh, **how), scanned(**fresh)) <= 2 * worst(own, scanned(**fresh))


def test_a_scan_in_pieces_is_the_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    given = scan_inputs()
    whole = selective_scan(**given, delta_softplus=True, return_last_state=True)
    monkeypatch.setattr("scalecurve.engine.recurrence.SLICE", 7 * ROWS * WIDTH * SIZE)
    for one, other in zip(selective_scan(**given, delta_softplus=True, return_last_state=True), whole, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("fresh", [True, False])
def test_weighted_values_are_their_definition_to_rounding(fresh: bool) -> None:
    from transformers.models.rwkv.modeling_rwkv import rwkv_linear_attention_cpu

    torch.manual_seed(0)
    decay, first, key, value = (
        one.float()
        for one in (random(WIDTH), random(WIDTH), 3 * random(ROWS, TOKENS, WIDTH), random(ROWS, TOKENS, WIDTH))
    )
    state = (
        None if fresh else [random(ROWS, WIDTH).float(), random(ROWS, WIDTH).exp().float(), random(ROWS, WIDTH).float()]
    )
    sums, weights = (0.0, 0.0) if state is None else (one.double() * state[2].double().exp() for one in state[:2])
    truth = []
    for t in range(TOKENS):
        now, new = value[:, t].double(), key[:, t].double().exp()
        bonus = new * first.double().exp()
        truth.append((sums + bonus * now) / (weights + bonus))
        kept = torch.exp(-torch.exp(decay.double()))
        sums, weights = kept * sums + new * now, kept * weights + new
    found, last = weighted_values(decay, first, key, value, state, return_state=True)
    own, own_last = rwkv_linear_attention_cpu(decay, first, key, value, state, return_state=True)
    gap, its = (worst([one], [torch.stack(truth, dim=1)]) for one in (found, own))
    assert gap <= max(2 * its, 1e-5)
    sizes, own_sizes = ([one.double() * state[2].double().exp() for one in state[:2]] for state in (last, own_last))
    assert worst(sizes, [sums, weights]) <= 2 * worst(own_sizes, [sums, weights])


def falcon() -> Any:
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3, "state_size": 8}
    return made(transformers.FalconMambaConfig(**sizes, **COUNTED))


def jamba() -> Any:
    mixers = {"mamba_d_state": 8, "mamba_dt_rank": 4, "attn_layer_period": 2, "attn_layer_offset": 1}
    experts = {"num_experts": 2, "num_experts_per_tok": 1, "num_key_value_heads": 2, "use_mamba_kernels": False}
    return made(transformers.JambaConfig(**COMMON | COUNTED, **mixers, **experts))


def zamba() -> Any:
    layers = {"num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid"] * 2, "attention_head_dim": 16}
    mixers = {"mamba_d_state": 8, "mamba_dt_rank": 4, "n_mamba_heads": 2, "num_key_value_heads": 4}
    return made(transformers.ZambaConfig(**COMMON | COUNTED | layers, **mixers))


@pytest.mark.parametrize("make", [mamba, falcon, jamba, zamba, rwkv, griffin])
@pytest.mark.parametrize("sizes", [(9, 1, 1, 6), (30, 10), (3, 1, 13)])
def test_a_text_in_pieces_is_the_text(make: Any, sizes: tuple[int, ...]) -> None:
    """Two rows, piece by piece from the state after the last, against the model's own pass over all, without one."""
    ids = (torch.arange(2 * sum(sizes)) * 31 % 90 + 2).view(2, -1)
    with torch.inference_mode():
        own = make()(input_ids=ids, use_cache=False).logits
        model = make()
        carry_inner_state(model)
        assert resume(model) >= 2
        past: dict[str, Any] = {}
        pieces, depth = [], 0
        for size in sizes:
            ((_, out),) = feed(model, Fed(ids[:, depth : depth + size], past, depth), "chunk", size)
            pieces.append(out.logits)
            past, depth = carried(out), depth + size
        assert torch.equal(model(input_ids=ids, use_cache=False).logits, own), "without a state it is left as it is"
    assert float((torch.cat(pieces, dim=1) - own).abs().max()) < 1e-4
