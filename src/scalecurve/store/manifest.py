"""The manifest's records: the environment of a run, and tasks without their examples."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from scalecurve.tasks.human import baseline_record
from scalecurve.types import Example, Harness, Postprocess, Rendering, Task

LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "gguf", "openai", "polars", "numpy", "scipy")
_NOT_KEPT = ("examples", "worked")


def environment() -> dict[str, Any]:
    """Python, platform and the versions of the libraries that can change a number."""
    versions: dict[str, str] = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "libraries": versions,
    }


def task_record(ref: str, task: Task, metrics: Iterable[str]) -> dict[str, Any]:
    """All of ``task`` but its examples, with the ``ref`` cells know it by and the ``metrics`` asked for.

    ``human`` holds what people scored under the preferred metric, where BIG-bench says so: their mean, and the best.
    """
    record = {f.name: getattr(task, f.name) for f in fields(task) if f.name not in _NOT_KEPT}
    record["rendering"], record["postprocess"] = asdict(task.rendering), asdict(task.postprocess)
    record["harness"] = asdict(task.harness) if task.harness else None
    return {
        "ref": ref,
        **record,
        "metrics": list(metrics),
        "n_examples": len(task.examples),
        "human": baseline_record(task),
    }


def task_of(record: Mapping[str, Any], examples: Iterable[Example] = ()) -> Task:
    """The task of a manifest record, with ``examples`` (read back from outputs)."""
    known = {f.name for f in fields(Task)} - {*_NOT_KEPT, "rendering", "postprocess", "harness"}
    return Task(
        examples=tuple(examples),
        rendering=Rendering(**record["rendering"]),
        postprocess=Postprocess(**record["postprocess"]),
        harness=Harness(**_tuples(record["harness"])) if record.get("harness") else None,
        **_tuples({name: value for name, value in record.items() if name in known}),
    )


def _tuples(record: Mapping[str, object]) -> dict[str, Any]:
    """JSON's lists as the tuples they were."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}
