"""What every reader of a manifest counts on, checked when one is read: a run may be damaged, or a stranger's.

Fields with a default may be absent, as they are in manifests of older versions; what is not named here is not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scalecurve.errors import UserError
from scalecurve.types import Postprocess, Rendering

Count = Annotated[int, Field(ge=0)]
Index = Annotated[str, Field(pattern=r"^\d{1,9}$")]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True)


class _Cell(_Record):
    family: str
    rung: str
    task: str
    strategy: str
    shots: int
    seed: int
    examples: Count
    parts: dict[Index, str]
    hashes: dict[str, str] = {}
    key: str = ""
    status: str = ""
    reason: str = ""
    seconds: float = 0.0
    prompt_tokens: Count = 0
    generated_tokens: Count = 0
    failed_examples: Count = 0
    texts: Count = 0
    unextracted: Count = 0


class _Rung(_Record):
    family: str
    name: str
    params_non_embedding: int | None
    params_total: int | None
    training_flops: float | None
    training_tokens: int | None
    step: int | None
    loss: float | None
    epoch: float | None = None
    fingerprint: str = ""
    batch_tokens: int | None = None
    part_size: int = 0
    location: str = ""
    revision: str = ""


class _Task(_Record):
    ref: str
    name: str
    source: str
    metrics: list[str]
    preferred_metric: str
    flags: list[str]
    probes: dict[str, Any]
    rendering: dict[str, Any]
    postprocess: dict[str, object]
    keywords: list[str] = []
    contrast: str = ""
    fingerprint: str = ""
    n_examples: Count = 0
    human: dict[str, object] | None = None


class _Manifest(_Record):
    cells: list[_Cell]
    rungs: list[_Rung]
    tasks: list[_Task]
    scalecurve: str = ""
    study: str = ""
    created: str = ""
    finished: str | None = None
    environment: dict[str, Any] = {}
    totals: dict[str, float] = {}
    imported: list[dict[str, object]] = []


def check_manifest(manifest: Mapping[str, Any]) -> None:
    """``UserError`` that names the first field that is missing or of another kind, without the file's name."""
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise UserError(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    for at, task in enumerate(manifest["tasks"]):
        try:
            Rendering(**task["rendering"]), Postprocess(**task["postprocess"])
        except TypeError as error:
            raise UserError(f"tasks.{at}.rendering or postprocess: {error}") from None
    refs = {task["ref"] for task in manifest["tasks"]}
    rungs = {(rung["family"], rung["name"]) for rung in manifest["rungs"]}
    for at, cell in enumerate(manifest["cells"]):
        if cell["task"] not in refs or (cell["family"], cell["rung"]) not in rungs:
            raise UserError(f"cells.{at}: its task or its model is not among the manifest's own")
