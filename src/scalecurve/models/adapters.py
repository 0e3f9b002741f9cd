"""PEFT adapters (LoRA and kin): a folder that changes the weights of a base model.

The base is loaded, peft applies the adapter, and both are merged, so that what is asked is one ordinary model. An
adapter is applied whole or refused: for weights it lacks or nobody uses, as a pickle, or of a kind that is not merged.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.types import Rung
from scalecurve.util.guard import regular

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LARGEST = 1 << 24  # bytes of an adapter's settings


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, and no whole model beside it."""
    beside = [path for path in folder.glob("*.safetensors") if not path.name.startswith("adapter_")]
    return (folder / SETTINGS).is_file() and not beside


def base_of(rung: Rung, folder: Path) -> Rung:
    """The model that an adapter was made for, as the options' ``base`` or the adapter's own settings name it.

    ``UserError`` where neither does, the weights are no safetensors file, or peft is not installed.
    """
    said = settings(rung, folder)
    base = rung.options.get("base") or said.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise UserError(f"{rung.name}: location: {folder} is an adapter of no named model; name it in options.base")
    if not (folder / WEIGHTS).is_file():
        raise UserError(f"{rung.name}: location: {folder} has no {WEIGHTS}; other formats are not loaded")
    try:
        import peft  # noqa: F401 - asked for before the model is loaded
    except ImportError:
        raise UserError(
            f"{rung.name}: location: {folder} is a LoRA adapter of {base}, which takes peft: "
            "pip install 'scalecurve[adapters]', or merge it into the weights (merge_and_unload, then save_pretrained)"
        ) from None
    beside = folder / Path(base).expanduser()
    location = str(beside) if beside.is_dir() else base
    options = {key: value for key, value in rung.options.items() if key != "base"}
    return replace(rung, location=location, revision=str(said.get("revision") or ""), options=options)


def settings(rung: Rung, folder: Path) -> dict[str, Any]:
    """An adapter's settings; ``UserError`` where they cannot be read, or would import what they name."""
    path = folder / SETTINGS
    try:
        said = json.loads(regular(path, LARGEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise UserError(f"{rung.name}: location: {path}: no table of settings; fetch the adapter again")
    for key in ("megatron_config", "auto_mapping"):
        if said.get(key):
            raise UserError(f"{rung.name}: location: {path}: {key}: names code to import, which is never run")
    return said


def merged(rung: Rung, model: PreTrainedModel, folder: Path) -> Any:
    """``model`` with the adapter of ``folder`` applied by peft and merged into its weights."""
    import peft
    from safetensors import safe_open

    with safe_open(folder / WEIGHTS, "pt") as file:
        shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118 - no mapping
    said = settings(rung, folder)
    ranks = [said.get("r"), *(said.get("rank_pattern") or {}).values()]
    largest = max((max(shape, default=1) for shape in shapes.values()), default=1)
    if any(isinstance(rank, int) and rank > largest for rank in ranks):
        raise UserError(f"{rung.name}: location: {folder / SETTINGS}: r: larger than its weights; fetch it again")
    applied = peft.PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    if not hasattr(applied.base_model, "merge_and_unload"):
        kind = said.get("peft_type")
        raise UserError(f"{rung.name}: location: {folder}: adapters of type {kind} cannot be merged into the weights")
    expected = set(peft.get_peft_model_state_dict(applied))
    for keys, words in ((expected - set(shapes), "lack"), (set(shapes) - expected, "hold, and nothing uses,")):
        if keys:
            raise UserError(
                f"{rung.name}: location: {folder}: the adapter's weights {words} {min(keys)}; save it again"
            )
    return applied.merge_and_unload(safe_merge=True)
