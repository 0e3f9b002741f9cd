"""Scores for a model's page on the Hugging Face Hub: ``.eval_results/*.yaml``, one file a benchmark and way of asking.

    <out>/<family>__<rung>/.eval_results/<benchmark>.yaml

The Hub takes scores of data sets that are registered as benchmarks only; other tasks are left out. A value is a
fraction, as in the Hub's own example; ``notes`` name metric, strategy and shots.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.io import known
from scalecurve.store import RunDirectory, read_table
from scalecurve.store.atomic import whole_directory

BENCHMARKS: Mapping[str, tuple[str, str]] = {
    r"gpqa_diamond.*": ("Idavidrein/gpqa", "gpqa_diamond"),
    r"mmlu_pro": ("TIGER-Lab/MMLU-Pro", "mmlu_pro"),
    r"gsm8k(_cot.*)?": ("openai/gsm8k", "gsm8k"),
    r"hle": ("cais/hle", "hle"),
}
"""Task → the data set on the Hub and the id of its task there (see the data set's ``eval.yaml``)."""


def write_eval_results(run: RunDirectory, out: Path) -> list[Path]:
    """The files of every model with a preferred score of a registered benchmark. ``UserError`` where there is none."""
    import polars as pl
    import yaml

    points = read_table(run.curves).filter("preferred", pl.col("y").is_not_null()).to_dicts()
    finished = str(run.read_manifest().get("finished") or "")[:10]
    found: dict[tuple[str, str], list[dict[str, object]]] = {}
    for point in points:
        benchmark = benchmark_of(point["task"])
        if benchmark is not None:
            place = re.sub(r"[/\0]", "__", f"{point['family']}__{point['rung']}")
            name = f"{benchmark[1]}_{point['strategy']}_{point['shots']}shot".replace("/", "_")
            found.setdefault((place, name), []).append(_entry(point, benchmark, finished))
    if not found:
        sets = ", ".join(sorted({dataset for dataset, _ in BENCHMARKS.values()}))
        raise UserError(f"{run.path}: holds no preferred score of a benchmark of the Hub ({sets})")
    with whole_directory(out) as folder:
        for (place, name), entries in found.items():
            path = folder / place / ".eval_results" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return [out / place / ".eval_results" / f"{name}.yaml" for place, name in found]


def benchmark_of(task: str) -> tuple[str, str] | None:
    """The data set on the Hub and its task, of a task as runs call it; None where it is no registered benchmark."""
    name = known.plain_name(task)
    return next((found for pattern, found in BENCHMARKS.items() if re.fullmatch(pattern, name)), None)


def _entry(point: Mapping[str, object], benchmark: tuple[str, str], finished: str) -> dict[str, object]:
    dataset, task = benchmark
    error = f", standard error {point['se']:.4f}" if point["se"] is not None else ""
    return {
        "dataset": {"id": dataset, "task_id": task},
        "value": point["y"],
        **({"date": finished} if re.fullmatch(r"\d{4}-\d\d-\d\d", finished) else {}),
        "notes": f"{point['metric']}, {point['strategy']}, {point['shots']}-shot{error}",
    }
