"""Scores for a Hugging Face model card: one README a model whose front matter holds a ``model-index``.

    <out>/<family>__<rung>/README.md

``huggingface_hub.ModelCard.load`` reads it, and ``huggingface_hub.metadata_update`` merges it into a card on the Hub.
A dataset entry is a task asked in one way; ``dataset.config`` names strategy and shots, so that two ways of asking one
task are told apart. ``verified`` is left to the Hub.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.store import RunDirectory, read_table
from scalecurve.store.atomic import whole_directory

Json = dict[str, Any]
TASK_TYPE = "text-generation"


def write_model_cards(run: RunDirectory, out: Path, metrics: Sequence[str] = ()) -> list[Path]:
    """One card a model with its preferred scores, or those of ``metrics``; the paths written."""
    import yaml

    cards = model_indices(run, metrics)
    with whole_directory(out) as folder:
        for name, index in cards.items():
            (folder / name).mkdir()
            text = yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=True, width=120)
            (folder / name / "README.md").write_text(f"---\n{text}---\n\n# {index[0]['name']}\n", encoding="utf-8")
    return [out / name / "README.md" for name in cards]


def model_indices(run: RunDirectory, metrics: Sequence[str] = ()) -> dict[str, list[Json]]:
    """``<family>__<rung>`` → the value of ``model-index``, for every model that has a score."""
    import polars as pl

    curves = read_table(run.curves)
    chosen = curves.filter(pl.col("metric").is_in(list(metrics)) if metrics else pl.col("preferred"))
    chosen = chosen.filter(pl.col("y").is_not_null())
    if chosen.is_empty():
        raise UserError(
            f"{run.path}: holds no score under {', '.join(metrics) or 'a preferred metric'}; "
            f"it has {', '.join(sorted(curves['metric'].unique()))}"
        )
    names = {record["ref"]: record["name"] for record in run.read_manifest()["tasks"]}
    found: dict[str, list[Json]] = {}
    for (family, rung), rows in chosen.group_by(["family", "rung"], maintain_order=True):
        results = [
            _result(str(ref), str(names.get(str(ref), ref)), str(strategy), int(str(shots)), points.to_dicts())
            for (ref, strategy, shots), points in rows.group_by(["task", "strategy", "shots"], maintain_order=True)
        ]
        found[re.sub(r"[/\0]", "__", f"{family}__{rung}")] = [{"name": rung, "results": results}]
    return found


def _result(ref: str, name: str, strategy: str, shots: int, points: Sequence[Json]) -> Json:
    return {
        "task": {"type": TASK_TYPE},
        "dataset": {
            "type": ref,
            "name": name,
            "config": f"{strategy}, {shots}-shot",
            "args": {"strategy": strategy, "num_few_shot": shots},
        },
        "metrics": [_metric(point) for point in points],
    }


def _metric(point: Json) -> Json:
    args = {"stderr": point["se"], "n": point["n"] or None, "higher_is_better": point["higher_is_better"]}
    known = {key: value for key, value in args.items() if value is not None and _finite(value)}
    return {
        "type": point["metric"],
        "name": point["metric"].replace("_", " "),
        "value": point["y"],
        "args": known,
    }


def _finite(value: float | bool) -> bool:
    return math.isfinite(value)
