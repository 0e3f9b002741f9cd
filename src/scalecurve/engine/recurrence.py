"""Recurrent layers that go on from a state by many tokens at once.

transformers' layers of Mamba, FalconMamba, Jamba, Zamba and RecurrentGemma forget their state when more than one token
comes, those of RWKV-4 mix up rows when one token of several comes, and all of them take several small operations for
every token. Here a linear recurrence is one operation a token, from any state; all else stays transformers' own code.
A forward pass without a cache is left as it is: what a model says is judged against that when it is opened.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SLICE = 1 << 20  # numbers of a state, over time, that are made together: more would not stay in a processor's cache


def resume(model: PreTrainedModel) -> int:
    """Let the recurrent layers of ``model`` go on from a state by many tokens; how many of them do."""
    return sum(map(_resumes, model.modules()))


def _resumes(module: Any) -> bool:
    kind = type(module).__name__
    if kind.endswith("MambaMixer") or kind == "FalconMambaMixer":
        return _selective(module)
    if kind == "RwkvSelfAttention":
        return _weighted(module)
    if kind == "RwkvFeedForward":
        module.forward = types.MethodType(_feed_forward, module)
        return True
    if kind == "RecurrentGemmaRecurrentBlock":
        return _gated(module)
    return False


def scan(decay: Tensor, add: Tensor, begin: Tensor | None) -> Tensor:
    """States ``h[t] = decay[t] · h[t-1] + add[t]`` after each token, time first, in place of ``add``.

    ``begin``: the state before; nothing where it is None.
    """
    state = begin
    for factor, new in zip(decay.unbind(0), add.unbind(0), strict=True):
        if state is not None:
            new.addcmul_(factor, state)
        state = new
    return add


def _with(function: Callable[..., Any], name: str, other: Callable[..., Any]) -> Callable[..., Any] | None:
    """A copy of ``function`` for which the global ``name`` is ``other``; None where it knows no such name."""
    own: Any = inspect.unwrap(function)
    if name not in own.__code__.co_names:
        return None
    twin = types.FunctionType(
        own.__code__, own.__globals__ | {name: other}, own.__name__, own.__defaults__, own.__closure__
    )
    twin.__kwdefaults__ = own.__kwdefaults__
    return twin


# ── Mamba and its kin ────────────────────────────────────────────────────────────────────────────────────────
def _selective(mixer: Any) -> bool:
    """The mixer's own forward pass, with a scan that begins from its state, head by head where it has heads."""
    own = mixer.forward
    begins: Iterator[Tensor | None] = iter(())

    def selective(*given: Any, **how: Any) -> Any:
        return selective_scan(*given, begin=next(begins), **how)

    resumed = _with(type(mixer).forward, "mamba_selective_scan", selective)
    if resumed is None:
        return False

    def forward(hidden_states: Tensor, cache_params: Any = None, *given: Any, **how: Any) -> Any:
        nonlocal begins
        if cache_params is None or hidden_states.shape[1] == 1:
            return own(hidden_states, cache_params, *given, **how)
        state = cache_params.get_recurrent_state(mixer.layer_idx, state_idx=0)
        if state is None and hidden_states.device.type != "cpu":  # a kernel may be there for it
            return own(hidden_states, cache_params, *given, **how)
        begins = _begins(state)
        return resumed(mixer, hidden_states, cache_params, *given, **how)

    mixer.forward = forward
    return True


def _begins(state: Tensor | None) -> Iterator[Tensor | None]:
    """The state of each scan of a layer: (rows, heads, width, size) by heads, (rows, width, size) as it is."""
    if state is None:
        while True:
            yield None
    yield from state.unbind(1) if state.ndim == 4 else [state]


def selective_scan(
    hidden_states: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
    *,
    begin: Tensor | None = None,
    **_: Any,
) -> Any:
    """transformers' ``mamba_selective_scan`` (Mamba, arXiv 2312.00752, section 3), from the state ``begin``.

    ``hidden_states``, ``dt``, ``z``: (rows, width, tokens). ``A``: (width, size). ``B``, ``C``: (rows, size, tokens).
    ``begin`` and the last state: (rows, width, size).
    """
    x, gate = hidden_states.permute(2, 0, 1).float(), dt.permute(2, 0, 1)
    if delta_bias is not None:
        gate = gate + delta_bias.to(dt.dtype)
    if delta_softplus:
        gate = torch.nn.functional.softplus(gate)
    inputs, reads = B.permute(2, 0, 1).float(), C.permute(2, 0, 1).float()
    tokens, state = len(x), begin.float() if begin is not None else None
    size = max(1, SLICE // (x[0].numel() * A.shape[-1]))
    found = []
    for at in range(0, tokens, size):
        now = slice(at, at + size)
        decay = (gate[now, ..., None].float() * A).exp_()
        add = (gate[now] * x[now])[..., None] * inputs[now, :, None]
        states = scan(decay, add, state)
        found.append((states @ reads[now, ..., None])[..., 0])
        state = states[-1]
    out = torch.cat(found).to(hidden_states.dtype).permute(1, 2, 0)
    if D is not None:
        out = out + hidden_states * D[None, :, None]
    if z is not None:
        out = out * torch.nn.functional.silu(z)
    return (out, state.to(hidden_states.dtype).clone()) if return_last_state and state is not None else out


# ── RWKV-4 ───────────────────────────────────────────────────────────────────────────────────────────────────
def _weighted(attention: Any) -> bool:
    """The layer's own forward pass, with a recurrence of one operation a token and rows kept apart."""

    def weighted(*given: Any, **how: Any) -> Any:
        return (weighted_values if how.get("return_state") else own)(*given, **how)

    own = inspect.unwrap(type(attention).forward).__globals__.get("rwkv_linear_attention")
    forward = _with(type(attention).forward, "rwkv_linear_attention", weighted)
    if forward is None or own is None:
        return False
    attention.forward = types.MethodType(forward, attention)
    attention.extract_key_value = types.MethodType(_key_value, attention)
    return True


def _before(hidden: Tensor, state: Any, part: int, layer: int) -> Tensor:
    """What each token comes after: (rows, tokens, width)."""
    first = torch.zeros_like(hidden[:, 0]) if state is None else state[part][:, :, layer].to(hidden.dtype)
    return torch.cat([first[:, None], hidden[:, :-1]], dim=1)


def _mixed(module: Any, name: str, hidden: Tensor, before: Tensor) -> Tensor:
    share: Tensor = getattr(module, f"time_mix_{name}")
    return hidden * share + before * (1 - share)


def _key_value(self: Any, hidden: Tensor, state: Any = None) -> Any:
    before = _before(hidden, state, 1, self.layer_id)
    key, value = self.key(_mixed(self, "key", hidden, before)), self.value(_mixed(self, "value", hidden, before))
    receptance = torch.sigmoid(self.receptance(_mixed(self, "receptance", hidden, before)))
    if state is not None:
        state[1][:, :, self.layer_id] = hidden[:, -1]
    return receptance, key, value, state


def _feed_forward(self: Any, hidden: Tensor, state: Any = None) -> Any:
    before = _before(hidden, state, 0, self.layer_id)
    value = self.value(torch.square(torch.relu(self.key(_mixed(self, "key", hidden, before)))))
    receptance = torch.sigmoid(self.receptance(_mixed(self, "receptance", hidden, before)))
    if state is not None:
        state[0][:, :, self.layer_id] = hidden[:, -1]
    return receptance * value, state


def weighted_values(
    time_decay: Tensor,
    time_first: Tensor,
    key: Tensor,
    value: Tensor,
    state: Any = None,
    return_state: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """transformers' ``rwkv_linear_attention_cpu`` (RWKV, arXiv 2305.13048, equation 16) with its last state.

    ``key`` and ``value``: (rows, tokens, width). A state is numerator, denominator and the exponent both are scaled by.
    """
    decay, keys, values = -torch.exp(time_decay.float()), key.float().transpose(0, 1), value.float().transpose(0, 1)
    if state is None:
        nothing = torch.zeros_like(keys[0])
        state = [nothing, nothing, nothing - 1e38]
    tops = torch.cat([state[2][None].float(), keys])  # before the first token, and after each
    for before, after, key_ in zip(tops[:-1].unbind(0), tops[1:].unbind(0), keys.unbind(0), strict=True):
        torch.maximum(before + decay, key_, out=after)
    kept, new = torch.exp(tops[:-1] + decay - tops[1:]), torch.exp(keys - tops[1:])
    begin = torch.stack([state[0], state[1]]).float().transpose(0, 1)  # rows, two, width
    states = scan(kept[:, :, None], torch.stack([new * values, new], dim=2), begin)
    sums = torch.cat([begin[None], states[:-1]])
    most = torch.maximum(tops[:-1], keys + time_first)
    kept, new = torch.exp(tops[:-1] - most), torch.exp(keys + time_first - most)
    out = (kept * sums[:, :, 0] + new * values) / (kept * sums[:, :, 1] + new)
    return out.to(key.dtype).transpose(0, 1), [states[-1, :, 0], states[-1, :, 1], tops[-1]]


# ── RecurrentGemma ───────────────────────────────────────────────────────────────────────────────────────────
def _gated(block: Any) -> bool:
    """The block of Griffin (arXiv 2402.19427, section 2.4) from its state; the gates stay its own."""
    own, own_scan = block.forward, block.rg_lru._rnn_scan

    def forward(
        input_states: Tensor, position_ids: Tensor, attention_mask: object, use_cache: bool = True, **_: Any
    ) -> Any:
        if not use_cache or input_states.shape[1] == 1:
            return own(input_states, position_ids, attention_mask, use_cache)
        x, gate = block.linear_x(input_states).transpose(1, 2), block.act_fn(block.linear_y(input_states))
        conv, rows = block.conv_1d, len(x)
        if block.conv1d_state is None:
            block.conv1d_state = x.new_zeros(rows, x.shape[1], block.conv1d_width - 1)
            block.rg_lru.recurrent_states = x.new_zeros(rows, x.shape[1], dtype=torch.float32)
        joined = torch.cat([block.conv1d_state, x], dim=-1)
        block.conv1d_state = joined[..., x.shape[-1] :]
        x = torch.nn.functional.conv1d(joined, conv.weight, conv.bias, groups=conv.groups)
        return block.linear_out(block.rg_lru(x.transpose(1, 2), position_ids) * gate), None

    def rnn_scan(hidden_states: Tensor, recurrent_gate: Tensor, reset: Tensor, recurrent_states: Any) -> Any:
        if recurrent_states is None or hidden_states.shape[1] == 1:
            return own_scan(hidden_states, recurrent_gate, reset, recurrent_states)
        decay = (recurrent_gate * ~reset).float().transpose(0, 1).contiguous()
        states = scan(
            decay, hidden_states.float().transpose(0, 1).clone(memory_format=torch.contiguous_format), recurrent_states
        )
        return states.transpose(0, 1).to(hidden_states.dtype), states[-1].clone()

    block.forward, block.rg_lru._rnn_scan = forward, rnn_scan
    return True
