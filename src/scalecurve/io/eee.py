"""Every Eval Ever: the names that its exporter and its importer share (schema 0.3.0).

    data/<benchmark>/<developer>/<model>/<uuid>.json            one evaluation of one model, with its scores
    data/<benchmark>/<developer>/<model>/<uuid>_samples.jsonl   its items, a line an item and score

What the schema has no field for stands in its ``additional_details`` (texts by name) under names that begin with
``scalecurve.``, so that an export comes back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEMA = "0.3.0"
SAMPLES = "_samples.jsonl"
OWN = "scalecurve."
REQUIRED = frozenset({"schema_version", "evaluation_id", "model_info", "evaluation_results"})


def own(details: object, name: str) -> str:
    """What an export of ours wrote under ``name`` ("" for nothing)."""
    value = details.get(OWN + name) if isinstance(details, Mapping) else None
    return value if isinstance(value, str) else ""


def owned(**values: Any) -> dict[str, str]:
    """``values`` as ``additional_details``: texts by name; None is left out."""
    return {
        OWN + name: value if isinstance(value, str) else repr(value)
        for name, value in values.items()
        if value is not None
    }
