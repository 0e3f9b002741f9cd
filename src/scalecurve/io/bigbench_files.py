"""BIG-bench's score files, ``<task>/results/scores_<family>_<model>.json``: read those published, write our own.

Values keep the file's scale. (The reference's own reader multiplies the 0–1 metrics by 100 as it loads; the files
themselves hold 0–1 for those, 0–100 for BLEU, ROUGE and the normalised aggregate.)
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from scalecurve.errors import UserError
from scalecurve.metrics.benchmark import aggregate_leaves
from scalecurve.tasks.task_score import TaskScore
from scalecurve.types import Rung

MOST_SHOTS = 10_000
ELSE = "results of other tools, and tables, are read by `scalecurve import auto`"
_SCORE_KEYS = ("score_dict", "preferred_score", "number_of_shots", "low_score", "high_score", "subtask_description")


@dataclass(frozen=True, slots=True)
class ModelData:
    """The model of a score file. The axis of BIG-bench's charts is ``flop_matched_non_embedding_params``."""

    model_family: str
    model_name: str
    total_params: int | None = None
    non_embedding_params: int | None = None
    flop_matched_non_embedding_params: int | None = None
    training_batch_size: int | None = None
    training_steps: int | None = None
    description: str = ""
    decoding_params: Mapping[str, object] = field(default_factory=dict)
    additional_details: str | None = ""


@dataclass(frozen=True, slots=True)
class ScoreFile:
    """One task's scores of one model: its leaves and their aggregate, each at each number of shots."""

    task: str
    model: ModelData
    scores: tuple[TaskScore, ...]


def model_data(family: str, rung: Rung, decoding: str = "greedy") -> ModelData:
    """What a score file says of one of our rungs."""
    return ModelData(
        model_family=family,
        model_name=rung.name,
        total_params=rung.params_total,
        non_embedding_params=rung.params_non_embedding,
        flop_matched_non_embedding_params=rung.params_non_embedding,
        training_steps=rung.step,
        description=f"{rung.name} ({rung.backend})",
        decoding_params={"method": decoding},
    )


def file_name(family: str, model: str, prefix: str = "scores") -> str:
    """The name of a score file: runs of characters other than letters, digits, ``_``, ``-`` and ``=`` become ``_``."""
    return re.sub(r"[^\w\-=]+", "_", f"{prefix}_{family}_{model}") + ".json"


def with_aggregates(task: str, leaves: Sequence[TaskScore]) -> tuple[TaskScore, ...]:
    """The leaves and, for each number of shots, the aggregate (which takes the place of a leaf of the task's name)."""
    shots = sorted({leaf.shots for leaf in leaves})
    whole = {k: aggregate_leaves(task, [leaf for leaf in leaves if leaf.shots == k]) for k in shots}
    kept = [whole.pop(leaf.shots) if leaf.name == task and leaf.shots in whole else leaf for leaf in leaves]
    return (*kept, *whole.values())


def write_score_file(folder: Path, scores: ScoreFile) -> Path:
    """Write ``<folder>/<task>/results/scores_….json`` whole, and return its path."""
    task = re.sub(r"[^\w\-=.]+|^\.+$", "_", scores.task)  # a name from elsewhere leads nowhere else
    path = folder / task / "results" / file_name(scores.model.model_family, scores.model.model_name)
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "scores": [_score_record(score) for score in scores.scores],
        "task": {"task_name": scores.task},
        "model": asdict(scores.model),
    }
    part = path.with_name(f"{path.name}.tmp")
    part.write_text(json.dumps(document, indent=2), "utf-8")
    os.replace(part, path)
    return path


def read_score_file(path: Path) -> ScoreFile:
    """Read a score file (or a ``full-log_…`` file, without its queries). Non-finite scores are left out."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a readable score file of BIG-bench ({error}); {ELSE}") from None
    scores, task, model = (data.get(key) if isinstance(data, dict) else None for key in ("scores", "task", "model"))
    if not isinstance(scores, list) or not isinstance(task, dict) or not isinstance(model, dict):
        _fail(path, "scores", f"a score file of BIG-bench has scores (a list), task and model (objects); {ELSE}")
    name = task.get("task_name")
    if not isinstance(name, str):
        _fail(path, "task.task_name", "must be text")
    return ScoreFile(name, _model(path, model), tuple(_score(path, at, one) for at, one in enumerate(scores)))


def read_score_files(folder: Path) -> list[ScoreFile]:
    """All score files below ``folder``, as ``<task>/results/scores_*.json`` lie there."""
    paths = sorted(folder.glob("*/results/scores_*.json")) or sorted(folder.glob("scores_*.json"))
    if not paths:
        raise UserError(f"{folder}: holds no <task>/results/scores_*.json; {ELSE}")
    return [read_score_file(path) for path in paths]


def _score_record(score: TaskScore) -> dict[str, object]:
    values = (dict(score.scores), score.preferred, score.shots, score.low, score.high, score.name)
    return dict(zip(_SCORE_KEYS, values, strict=True))


def _model(path: Path, model: Mapping[str, Any]) -> ModelData:
    known = {name: model[name] for name in ModelData.__dataclass_fields__ if name in model}
    for name in ("model_family", "model_name"):
        if not isinstance(known.get(name), str):
            _fail(path, f"model.{name}", "must be text")
    for name in ("total_params", "non_embedding_params", "flop_matched_non_embedding_params", "training_steps"):
        value = known.get(name)
        if value is not None and not isinstance(value, int | float):
            _fail(path, f"model.{name}", "must be a number")
        if value is not None and not 0 <= value < 2**63:
            _fail(path, f"model.{name}", "must be a number from 0 to 2^63")
    return ModelData(**known)


def _score(path: Path, at: int, record: object) -> TaskScore:
    if not isinstance(record, dict) or not isinstance(record.get("score_dict"), dict):
        _fail(path, f"scores[{at}].score_dict", "must map metrics to scores")
    for key, kind in (("preferred_score", str), ("number_of_shots", int), ("subtask_description", str)):
        if not isinstance(record.get(key), kind):
            _fail(path, f"scores[{at}].{key}", f"must be {'text' if kind is str else 'a whole number'}")
    if not -1 <= record["number_of_shots"] <= MOST_SHOTS:
        _fail(path, f"scores[{at}].number_of_shots", f"must be 0 to {MOST_SHOTS}, or -1 where it means nothing")
    for key in ("low_score", "high_score"):
        if _number(record.get(key)) is None:
            _fail(path, f"scores[{at}].{key}", "must be a finite number")
    values = {name: _number(value) for name, value in record["score_dict"].items()}
    return TaskScore(
        name=record["subtask_description"],
        shots=record["number_of_shots"],
        scores={name: value for name, value in values.items() if value is not None},
        preferred=record["preferred_score"],
        low=float(record["low_score"]),
        high=float(record["high_score"]),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) <= sys.float_info.max else None


def _fail(path: Path, where: str, problem: str) -> NoReturn:
    raise UserError(f"{path}: {where}: {problem}")
