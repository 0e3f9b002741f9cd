"""bigcode-evaluation-harness: a file with ``pass@k`` of every task beside the ``config`` it was run with."""

from __future__ import annotations

from collections.abc import Iterable

from scalecurve.io.conventions import finite
from scalecurve.io.shape import Evaluation, Found, Point, Role, SourceModel, reader
from scalecurve.io.sources import SourceFile


def _role(source: SourceFile) -> Role:
    found = source.json if source.path.suffix == ".json" else None
    config = found.get("config") if isinstance(found, dict) else None
    if found is None or not isinstance(config, dict) or "n_samples" not in config or "model" not in config:
        return ""
    tasks = [own for name, own in found.items() if name != "config"]
    return "head" if tasks and all(isinstance(own, dict) for own in tasks) else ""


@reader("bigcode", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """A point for every task and ``pass@k``; temperature and number of samples are told as settings."""
    config = source.json["config"]
    model = SourceModel(source.said.model or str(config["model"]), str(config.get("revision") or ""))
    told = tuple((name, str(config[name])) for name in ("temperature", "n_samples") if config.get(name) is not None)
    for task, scores in source.json.items():
        if task == "config":
            continue
        asked = Evaluation(model, f"bigcode:{task}", source.shots_or_zero(), setting=told)
        for metric, value in scores.items():
            yield Point(asked, metric, finite(value), preferred=metric == "pass@1", counted=bool(config.get("limit")))
