"""Attention over a pack, put under an unmodified transformers model through its attention registry.

The keys a token sees are not one square mask but a few large pieces: the path before the pack, a shared stretch, its
own branch. Each piece is one call of a fused kernel that also returns the log-sum-exp of its scores; the pieces of a
token are merged exactly, as in flash-decoding (Dao et al. 2023) and Hydragen (Juravsky et al. 2024, arXiv:2402.05099).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from scalecurve.engine.trie import Ints, Tile, plan_tiles, tree_mask

NAME = "scalecurve_pack"
TREE_TOKENS = 256  # tokens under one tree mask
FUSED = frozenset({"cpu", "cuda"})  # devices with a fused kernel that gives the log-sum-exp


class Unsupported(Exception):
    """The model's attention asks for something that a pack cannot give; plain batching can."""


class AttentionPlan(Protocol):
    """What a forward pass attends to. ``fused``: by the device's fused kernel, where it has one."""

    fused: bool

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, spec: LayerSpec) -> tuple[Tensor, Tensor]:
        """``q`` (heads, tokens, size), ``k`` and ``v`` (key heads, tokens, size) → the same, log-sum-exps."""


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """The layer's constants: the factor on scores, the sliding window (0: none), the soft cap (0: none)."""

    scale: float
    window: int
    cap: float
    fused: bool = True


_active: list[AttentionPlan] = []
_watchers: list[dict[int, list[int]]] = []


@contextlib.contextmanager
def attending(plan: AttentionPlan) -> Iterator[None]:
    """Within it, the models whose attention is ``NAME`` attend by ``plan``."""
    _active.append(plan)
    try:
        yield
    finally:
        _active.pop()


def attention(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: object, **given: Any
) -> tuple[Tensor, None]:
    """What transformers calls in each layer: (1, heads, tokens, size) → (1, tokens, heads, size)."""
    if not _active or query.shape[0] != 1:
        raise Unsupported("called outside a pack")
    odd = [name for name in ("position_bias", "head_mask", "cache") if given.get(name) is not None]
    if odd or given.get("is_causal") is False:
        raise Unsupported(f"attention with {', '.join(odd) or 'two directions'}")
    scale = given.get("scaling")
    spec = LayerSpec(
        float(scale if scale is not None else query.shape[-1] ** -0.5),
        int(given.get("sliding_window") or 0),
        float(given.get("softcap") or 0.0),
        bool(getattr(_active[-1], "fused", True)),
    )
    layer: Any = module.layer_idx
    for seen in _watchers:
        seen.setdefault(int(layer), []).append(spec.window)
    value_size, size = value.shape[-1], query.shape[-1]
    if value_size < size:  # the kernels take one size: columns of zeros change no other column
        value = torch.nn.functional.pad(value, (0, size - value_size))
    out, lse = _active[-1].attend(int(layer), query[0], key[0], value[0], spec)
    sinks = given.get("s_aux")
    if sinks is not None:  # a key without a value: it takes its share of the softmax and gives nothing
        out = out * torch.sigmoid(lse - sinks.float().reshape(1, -1))[..., None].to(out.dtype)
    return out[None, ..., :value_size], None


@contextlib.contextmanager
def windows_seen(seen: dict[int, list[int]]) -> Iterator[None]:
    """Within it, ``seen`` gets the sliding window (0: none) of each layer at each of its calls."""
    _watchers.append(seen)
    try:
        yield
    finally:
        _watchers.remove(seen)


def register() -> None:
    """Make the attention known to transformers; it builds no mask of its own."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attention)


# ── One piece ────────────────────────────────────────────────────────────────────────────────────────────────
def piece(q: Tensor, k: Tensor, v: Tensor, spec: LayerSpec, mask: Tensor | None, causal: bool) -> tuple[Tensor, Tensor]:
    """Attention of one piece and the log-sum-exp of its scores.

    ``q`` (groups, heads, tokens, size); ``k`` and ``v`` (groups, 1 or heads, keys, size); ``mask`` added to the
    scores, broadcast over groups and heads. Returns (groups, heads, tokens, size) and (groups, heads, tokens).
    """
    if spec.cap or not spec.fused or q.device.type not in FUSED or v.shape[-1] != q.shape[-1]:
        return eager(q, k, v, spec, mask, causal)
    k, v = (t.expand(-1, q.shape[1], -1, -1) for t in (k, v))
    if q.device.type == "cpu":
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, 0.0, causal, attn_mask=mask, scale=spec.scale
        )
        return out, lse
    if mask is not None:
        mask = mask.expand(q.shape[0], q.shape[1], q.shape[2], k.shape[2])
    out, lse, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(
        q, k, v, mask, True, 0.0, causal, scale=spec.scale
    )
    return out, lse[..., : q.shape[2]]


def eager(q: Tensor, k: Tensor, v: Tensor, spec: LayerSpec, mask: Tensor | None, causal: bool) -> tuple[Tensor, Tensor]:
    """The same by plain matrix products, for soft caps and other devices."""
    scores = (q @ k.transpose(-1, -2)).float() * spec.scale
    if spec.cap:
        scores = torch.tanh(scores / spec.cap) * spec.cap
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1), -math.inf)
    if mask is not None:
        scores = scores + mask.float()
    lse = torch.logsumexp(scores, dim=-1)
    weights = torch.exp(scores - lse[..., None].clamp(min=torch.finfo(lse.dtype).min))
    return weights.to(v.dtype) @ v, lse


def merge_state(out: Tensor, lse: Tensor, more: Tensor, more_lse: Tensor) -> None:
    """Merge a piece into what earlier pieces gave, in place: softmax over the union of their keys."""
    # −∞ − −∞: neither piece has seen a key yet, and nothing is taken over.
    share = torch.sigmoid((more_lse - lse).nan_to_num_(nan=-math.inf))
    torch.logaddexp(lse, more_lse, out=lse)
    out.lerp_(more, share[..., None].to(out.dtype))


def additive(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask to add: 0 where allowed, −∞ elsewhere, its rows aligned as GPU kernels want them."""
    rows, columns = allowed.shape[-2:]
    room = torch.zeros(*allowed.shape[:-2], rows, -(-columns // 8) * 8, dtype=dtype, device=allowed.device)
    return room[..., :columns].masked_fill_(~allowed, -math.inf)


# ── A pack ───────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class KVPath:
    """Keys and values of the tokens before a pack, by layer: each (key heads, tokens, size)."""

    keys: list[Tensor]
    values: list[Tensor]

    def __len__(self) -> int:
        return int(self.keys[0].shape[1]) if self.keys else 0

    @property
    def nbytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (*self.keys, *self.values))

    def upto(self, length: int, low: int = 0) -> KVPath:
        """The tokens ``low:length``, sharing memory."""
        return KVPath([k[:, low:length] for k in self.keys], [v[:, low:length] for v in self.values])


@dataclass(frozen=True, slots=True)
class KeyMask:
    """The keys that a tile's queries see: from ``k0`` on, those of ``mask`` (None: all).

    ``mask`` is additive, (tokens, keys); ``fully_masked``, (tokens,), marks queries that see none (None: all see some).
    """

    k0: int
    mask: Tensor | None
    fully_masked: Tensor | None


class PackPlan:
    """Attention of the tokens ``low:high`` of a trie, whose earlier ancestors are on ``path``.

    With ``keep``, the pack's keys and values stay until ``take`` has cut out what later packs need.
    """

    def __init__(
        self,
        depth: Ints,
        end: Ints,
        low: int,
        high: int,
        path: KVPath,
        *,
        keep: bool,
        tree_tokens: int = TREE_TOKENS,
        fused: bool = True,
    ) -> None:
        self.fused = fused
        self.depth = depth[low:high]
        self.end = np.minimum(end[low:high], high) - low
        self.path = path
        self.tiles = plan_tiles(self.depth, self.end, tree_tokens)
        self.keys: dict[int, Tensor] = {}
        self.values: dict[int, Tensor] = {}
        self.keep = keep
        self._key_masks: dict[tuple[Tile, int], KeyMask] = {}

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, spec: LayerSpec) -> tuple[Tensor, Tensor]:
        """(tokens, heads, value size) and log-sum-exps (tokens, heads): tile by tile, merged in place."""
        if self.keep:
            self.keys[layer], self.values[layer] = k, v
        groups = k.shape[0]
        q = q.view(groups, q.shape[0] // groups, *q.shape[1:])
        room = q.new_empty(q.shape[2], groups, q.shape[1], v.shape[-1])
        out = room.permute(1, 2, 0, 3)
        lse = q.new_empty(groups, q.shape[1], q.shape[2], dtype=torch.float32)
        for tile in self.tiles:
            key_mask = self._key_mask(tile, spec.window, q)
            here, here_lse = out[:, :, tile.q0 : tile.q1], lse[:, :, tile.q0 : tile.q1]
            if key_mask.k0 >= tile.k1:  # nothing of it is within the window
                if tile.first:
                    here.zero_()
                    here_lse.fill_(-math.inf)
                continue
            keys = self.path.keys[layer] if tile.on_path else k
            values = self.path.values[layer] if tile.on_path else v
            got, got_lse = piece(
                q[:, :, tile.q0 : tile.q1],
                keys[:, None, key_mask.k0 : tile.k1],
                values[:, None, key_mask.k0 : tile.k1],
                spec,
                key_mask.mask,
                causal=tile.kind == "causal" and key_mask.mask is None,
            )
            if key_mask.fully_masked is not None:  # a kernel may give anything for a token that sees no key
                got = got.masked_fill(key_mask.fully_masked[:, None], 0.0)
                got_lse = got_lse.masked_fill(key_mask.fully_masked, -math.inf)
            if tile.first:
                here.copy_(got)
                here_lse.copy_(got_lse)
            else:
                merge_state(here, here_lse, got, got_lse)
        return room.flatten(1, 2), lse.flatten(0, 1).T

    def _key_mask(self, tile: Tile, window: int, q: Tensor) -> KeyMask:
        """What the queries of a tile see of its keys; the same in every layer of one window."""
        key = (tile, window)
        if key not in self._key_masks:
            self._key_masks[key] = self._look(tile, window, q)
        return self._key_masks[key]

    def _look(self, tile: Tile, window: int, q: Tensor) -> KeyMask:
        q_depth = self.depth[tile.q0 : tile.q1]
        k_depth = np.arange(tile.k0, tile.k1) if tile.on_path else self.depth[tile.k0 : tile.k1]
        k0 = tile.k0
        allowed = tree_mask(self.end[tile.q0 : tile.q1] - tile.q0) if tile.kind == "tree" else None
        if window and int(q_depth.max()) - int(k_depth[0]) >= window:
            near = q_depth[:, None] - k_depth[None, :] < window
            if tile.kind == "full":  # keys that lie too far back for all are left out
                seen = np.flatnonzero(near.any(axis=0))
                k0 = tile.k0 + int(seen[0]) if len(seen) else tile.k1
                near = near[:, k0 - tile.k0 :]
            elif tile.kind == "causal":
                near &= q_depth[:, None] >= k_depth[None, :]
            allowed = near if allowed is None else allowed & near
        if allowed is None or k0 >= tile.k1 or allowed.all():
            return KeyMask(k0, None, None)
        fully_masked = ~allowed.any(axis=1)
        return KeyMask(
            k0,
            additive(torch.from_numpy(allowed).to(q.device), q.dtype),
            torch.from_numpy(fully_masked).to(q.device) if fully_masked.any() else None,
        )

    def take(self, indices: Ints, low: int, high: int) -> KVPath:
        """The path's tokens ``low:high`` and then tokens of the pack, as a path of its own."""
        at = torch.from_numpy(indices).to(self.keys[0].device)
        layers = sorted(self.keys)
        # index_select would first copy all of the pack in another layout: a GB of holes in the heap, for 128 texts
        keys, values = ([side[layer][:, at].contiguous() for layer in layers] for side in (self.keys, self.values))
        if low < high:
            before = self.path.upto(high, low)
            keys = [torch.cat(both, dim=1) for both in zip(before.keys, keys, strict=True)]
            values = [torch.cat(both, dim=1) for both in zip(before.values, values, strict=True)]
        return KVPath(keys, values)
