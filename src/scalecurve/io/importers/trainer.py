"""What transformers' Trainer leaves of its evaluations: ``trainer_state.json``, a score at every state of a training,
and ``all_results.json`` or ``eval_results.json``, those of the last.

    {"global_step": 1500, "log_history": [{"epoch": 1.0, "step": 500, "eval_accuracy": 0.81, "eval_loss": 0.5}, …]}
    {"epoch": 3.0, "eval_accuracy": 0.84, "eval_loss": 0.42, "eval_samples": 872}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scalecurve.io.conventions import finite, higher_is_better
from scalecurve.io.headings import is_metric_name
from scalecurve.io.shape import Evaluation, Found, Point, Role, SourceModel, reader
from scalecurve.io.sources import SourceFile

_ABOUT = re.compile(
    r"eval_(.*_)?(runtime|samples|samples_per_second|steps_per_second|jit_compilation_time|mem_\w+|"
    r"model_preparation_time|num_tokens|num_input_tokens_seen)"
)
_KINDS = ("macro", "micro", "weighted", "overall", "balanced", "mean", "token", "exact", "sequence", "top")
"""Words before a metric that are part of its name."""
_STATE = re.compile(r"(checkpoint|epoch|step)[-_]?\d+", re.IGNORECASE)


def _role(source: SourceFile) -> Role:
    found = source.json if source.path.suffix == ".json" else None
    if not isinstance(found, dict):
        return ""
    if isinstance(found.get("log_history"), list) and "global_step" in found:
        return "head"
    named = source.path.stem in ("all_results", "eval_results") or "eval_runtime" in found
    return "head" if named and _evaluated(found) else ""


@reader("trainer", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """A point for every ``eval_`` score; its model is called as the folder of the training, or as ``--model`` says."""
    found = source.json
    name = source.said.model or _name(source.path, found.get("best_model_checkpoint"))
    if "log_history" not in found:
        epoch = finite(found.get("epoch"))
        yield from _points(source, SourceModel(name, epoch=epoch), found)
        return
    if not any(_evaluated(one) for one in found["log_history"] if isinstance(one, dict)):
        raise source.fail("holds no score of an evaluation (eval_…); train with eval_strategy, or leave it out")
    for at, one in enumerate(found["log_history"]):
        step, epoch = (finite(one.get(axis)) for axis in ("step", "epoch")) if isinstance(one, dict) else (None, None)
        if not isinstance(one, dict) or (_evaluated(one) and (step is None or step != int(step) or step < 0)):
            raise source.fail(f"log_history[{at}].step: is no whole number; copy the file again")
        if step is not None:
            model = SourceModel(name, revision=f"step{int(step)}", step=int(step), epoch=epoch)
            yield from _points(source, model, one)


def _points(source: SourceFile, model: SourceModel, scores: Mapping[str, Any]) -> Iterator[Point]:
    count = finite(scores.get("eval_samples"))
    for task, metric, value in _scores(scores):
        asked = Evaluation(model, f"trainer:{task}", source.said.shots or 0)
        n = int(count) if count and task == "eval" else None
        yield Point(asked, metric, value, n=n, higher_is_better=higher_is_better(metric), preferred=metric != "loss")


def _evaluated(record: Mapping[str, Any]) -> bool:
    return next(_scores(record), None) is not None


def _scores(record: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """(task, metric, score) of every ``eval_METRIC`` or ``eval_DATASET_METRIC``; the task of the first is "eval"."""
    for name, value in record.items():
        score = finite(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        if name.startswith("eval_") and score is not None and not _ABOUT.fullmatch(name):
            words = name.removeprefix("eval_").split("_")
            metrics = [at for at in range(len(words)) if words[-1] == "loss" or is_metric_name("_".join(words[at:]))]
            at = metrics[-1] if metrics else 0
            while at and words[at - 1] in _KINDS:
                at -= 1
            yield "_".join(words[:at]) or "eval", "_".join(words[at:]), score


def _name(path: Path, best: Any) -> str:
    """What a training is called: by the folder of its best checkpoint where that is told, else by the file's own."""
    folder = Path(str(best).replace("\\", "/")).parent if best else path.resolve().parent
    while _STATE.fullmatch(folder.name):
        folder = folder.parent
    return folder.name or path.resolve().parent.name
