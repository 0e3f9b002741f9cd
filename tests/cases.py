"""Result files as harnesses write them, for tests of imports."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from scalecurve.io import import_files
from scalecurve.store import RunDirectory

TIME = "2025-01-01T00-00-00"
PYTHIA = ("70m", "160m", "410m", "1b", "1.4b", "2.8b")


def result(
    folder: Path,
    model: str,
    scores: dict[str, dict[str, Any]],
    *,
    name: str = f"results_{TIME}.json",
    shots: Any = 0,
    n: int | None = 1000,
    **more: Any,
) -> Path:
    """A results file as lm-evaluation-harness 0.4 writes it; ``scores`` are rows of ``results``."""
    content: dict[str, Any] = {
        "results": scores,
        "configs": {task: {"task": task, "num_fewshot": shots} for task in scores},
        "versions": dict.fromkeys(scores, 1),
        "n-shot": dict.fromkeys(scores, shots),
        "config": {"model": "hf", "model_args": model if "=" in model else f"pretrained={model}"},
        "date": 1.7e9,
    }
    if n is not None:
        content["n-samples"] = {task: {"original": n, "effective": n} for task in scores}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(content | more))
    return path


def acc(value: Any, se: Any = 0.01) -> dict[str, Any]:
    return {"acc,none": value, "acc_stderr,none": se}


def rows_of(run: Path) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    rows = pl.read_parquet(RunDirectory(run).curves).iter_rows(named=True)
    return {(row["family"], row["rung"], row["task"], row["metric"]): row for row in rows}


def bring(source: Path, run: Path, **more: Any) -> Any:
    return import_files([source], RunDirectory(run), **more)
