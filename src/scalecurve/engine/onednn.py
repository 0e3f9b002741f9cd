"""Linear layers by oneDNN: on AMD processors it multiplies float32 matrices faster than the library torch uses (MKL).

On Intel ones MKL is the faster of the two, by a tenth on large matrices and half on small, so nothing changes there.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def use_onednn(model: PreTrainedModel) -> int:
    """Let oneDNN do the float32 linear layers of a model on a processor; how many it took over.

    The weights stay where they are. Nothing changes on Intel processors, nor when torch was built without oneDNN.
    """
    if model.device.type != "cpu" or not hasattr(torch.ops.mkldnn, "_linear_pointwise") or _intel():
        return 0
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(PRIMITIVES))  # read at its first product
    taken = 0
    for module in model.modules():
        if _is_linear(module):
            module.forward = _forward(module)
            taken += 1
        elif _is_gated(module):
            module.forward = _gated(module)
    return taken


PRIMITIVES = 128
"""How many compiled products oneDNN keeps, one for each count of rows that it meets. By its own measure (1,024) they
come to 150 MB a process; with this many none is compiled more often that matters (0: a fifth slower)."""


@cache
def _intel() -> bool:
    """Whether the processor says it is Intel's; False where it cannot be read."""
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _is_linear(module: Any) -> bool:
    """Whether a module is torch's own linear layer, in float32."""
    return type(module) is torch.nn.Linear and module.weight.dtype == torch.float32


def _is_gated(module: Any) -> bool:
    """Whether a module is the SwiGLU of Llama and its kin: down(silu(gate(x)) · up(x)), in float32."""
    if type(module).__name__ not in _GATED:
        return False
    layers = [getattr(module, name, None) for name in ("gate_proj", "up_proj", "down_proj")]
    return type(getattr(module, "act_fn", None)).__name__ in ("SiLU", "SiLUActivation") and all(map(_is_linear, layers))


_GATED = frozenset({"LlamaMLP", "Qwen2MLP", "Qwen3MLP", "Olmo2MLP", "MistralMLP", "SmolLM3MLP"})
"""transformers' classes whose forward pass is just that."""


def _gated(module: Any) -> Any:
    """The SwiGLU, its activation and product done while the matrices are multiplied, not in passes of their own."""
    linear = torch.ops.mkldnn._linear_pointwise
    own, gate, up, down = module.forward, module.gate_proj, module.up_proj, module.down_proj

    def forward(x: Tensor) -> Any:
        if torch.is_grad_enabled() or x.dtype != torch.float32:
            return own(x)
        opened = linear(x, gate.weight, gate.bias, "swish", [], "")
        return down(linear.binary(x, opened, up.weight, up.bias, "mul"))

    return forward


def _forward(module: torch.nn.Linear) -> Any:
    linear = torch.ops.mkldnn._linear_pointwise

    def forward(x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.dtype != torch.float32:
            return torch.nn.functional.linear(x, module.weight, module.bias)
        out: Tensor = linear(x, module.weight, module.bias, "none", [], "")
        return out

    return forward
