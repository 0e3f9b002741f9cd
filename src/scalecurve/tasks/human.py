"""Human baselines of BIG-bench: the average and the best rater of each task, where the distribution has them.

They come as a pickle, which could run code when it is read; this reader rebuilds numbers and nothing else. Grades in
it are 0–100 but calibration errors 0–1; here all are on the scale of our metrics. NaN and infinities are dropped.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.tasks.bigbench import require_installed, tasks_dir
from scalecurve.tasks.bigbench_install import HUMAN
from scalecurve.types import Task

_PERCENT = frozenset(
    {
        "bleurt",
        "exact_str_match",
        "case_insensitive_str_match",
        "multiple_choice_grade",
        "numeric_match_with_0_1_relative_error",
        "macro_f1",
    }
)
_ALLOWED = {("numpy", "dtype"), ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")}


@dataclass(frozen=True, slots=True)
class HumanBaseline:
    """The scores of raters on one task: metric → value, on the scale of our metrics."""

    task: str
    average: Mapping[str, float]
    best: Mapping[str, float]


def human_baselines(path: Path | None = None) -> dict[str, HumanBaseline]:
    """Task → its human baseline, from the installed BIG-bench or the pickle at ``path``."""
    if path is None:
        require_installed()
        path = tasks_dir() / HUMAN
    if not path.is_file():
        raise UserError(f"{path}: no human baselines there; install BIG-bench from its archive")
    raw = read_numbers(path)
    average, best = raw.get("average"), raw.get("expert")
    if not isinstance(average, dict) or not isinstance(best, dict):
        raise UserError(f"{path}: has no dictionaries average and expert")
    names = sorted({*average, *best})
    return {name: HumanBaseline(name, _scores(average.get(name)), _scores(best.get(name))) for name in names}


def baseline_record(task: Task) -> dict[str, float]:
    """What a run keeps of the human baseline of a BIG-bench leaf: "mean" and "best" under its preferred metric.

    Empty for other tasks, and for subtasks, since raters were compared on whole tasks.
    """
    if task.source != "bigbench" or task.parent or not (tasks_dir() / HUMAN).is_file():
        return {}
    found = _installed_baselines().get(task.name)
    scores = {"mean": found.average, "best": found.best} if found else {}
    return {name: own[task.preferred_metric] for name, own in scores.items() if task.preferred_metric in own}


@cache
def _installed_baselines() -> dict[str, HumanBaseline]:
    return human_baselines()


def read_numbers(path: Path) -> dict[str, object]:
    """The dictionaries of numbers in the pickle at ``path``; ``UserError`` when it asks for anything else."""
    try:
        value = _NumbersOnly(io.BytesIO(path.read_bytes())).load()
    except Exception as error:  # a pickle can fail in any way; none of them is worth telling apart
        raise UserError(f"{path}: not a pickle of plain numbers ({error})") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: not a dictionary")
    return value


class _NumbersOnly(pickle.Unpickler):
    """Rebuilds dictionaries, texts and NumPy numbers; names of anything else are refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        import numpy as np

        return np.dtype if name == "dtype" else _scalar


def _scalar(dtype: Any, data: bytes) -> float:
    import numpy as np

    if dtype not in (np.dtype("<f8"), np.dtype("<f4"), np.dtype("<i8")):
        raise pickle.UnpicklingError(f"a number of type {dtype} is not allowed")
    return float(np.frombuffer(data, dtype=dtype, count=1)[0])


def _scores(raw: object) -> dict[str, float]:
    known = {} if not isinstance(raw, dict) else raw
    return {
        str(metric): float(value) / (100.0 if metric in _PERCENT else 1.0)
        for metric, value in known.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
