"""What of a machine a model needs: processors and GPUs, from its rung's options or by its backend and size.

[[rung]]
options = { resources = { gpus = 0.5, cpus = 4 } }                    # two such models share a GPU
options = { engine = { tensor_parallel_size = 4 } }                   # vLLM over four GPUs
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scalecurve.errors import UserError
from scalecurve.models import SMALL
from scalecurve.types import Rung

KEYS = ("cpus", "gpus")


@dataclass(frozen=True, slots=True, order=True)
class Resources:
    """``gpus`` may be a fraction of one; above one it is a whole number."""

    cpus: float
    gpus: float

    def __str__(self) -> str:
        gpus = f" and {self.gpus:g} GPU{'s' * (self.gpus > 1)}" if self.gpus else ""
        return f"{self.cpus:g} CPU{'s' * (self.cpus != 1)}{gpus}"


def resources_of(rung: Rung, *, node_cpus: float, has_gpus: bool) -> Resources:
    """What ``rung`` needs. Without ``options.resources``: vLLM one GPU for each of ``tensor_parallel_size``; a local
    model one GPU where there are any, else all processors of a machine (``node_cpus``), but one when it is small;
    a server or mock one processor. ``UserError`` naming the rung when ``resources`` is not understood.
    """
    given = rung.options.get("resources", {})
    if not isinstance(given, Mapping) or any(key not in KEYS for key in given):
        raise UserError(f"{rung.name}: options: resources must be a table of {' and '.join(KEYS)}, not {given!r}")
    size = rung.params_total or rung.params_non_embedding or 0
    local = rung.backend in ("transformers", "gguf") and not 0 < size < SMALL
    engine = rung.options.get("engine", {}) if rung.backend == "vllm" else {"tensor_parallel_size": 0}
    if not isinstance(engine, Mapping):
        raise UserError(f"{rung.name}: options: engine must be a table, not {engine!r}")
    parallel = engine.get("tensor_parallel_size", 1)
    gpus = _number(rung, given, "gpus", parallel or (1 if local and has_gpus else 0))
    cpus = _number(rung, given, "cpus", node_cpus if local and not gpus else 1)
    if gpus > 1 and gpus != math.floor(gpus):
        raise UserError(f"{rung.name}: options: resources: gpus must be whole above one, not {gpus:g}")
    return Resources(cpus, gpus)


def _number(rung: Rung, given: Mapping[str, object], key: str, default: float) -> float:
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise UserError(f"{rung.name}: options: resources: {key} must be a number of 0 or more, not {value!r}")
    return float(value)
