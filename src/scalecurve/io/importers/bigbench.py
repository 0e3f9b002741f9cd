"""BIG-bench's score files, ``<task>/results/scores_<family>_<model>.json``."""

from __future__ import annotations

from collections.abc import Iterable

from scalecurve.io.bigbench_files import read_score_file
from scalecurve.io.conventions import finite, higher_is_better
from scalecurve.io.shape import Evaluation, Found, Point, Role, SourceModel, reader
from scalecurve.io.sources import SourceFile
from scalecurve.metrics import METRICS


def _role(source: SourceFile) -> Role:
    content = source.json
    known = isinstance(content, dict) and isinstance(content.get("scores"), list)
    return "head" if known and isinstance(content.get("model"), dict) and isinstance(content.get("task"), dict) else ""


@reader("bigbench", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """The leaves of one score file and their aggregate, each at each number of shots. Values keep the file's scale."""
    file = read_score_file(source.path)
    size = file.model.flop_matched_non_embedding_params or file.model.non_embedding_params
    model = SourceModel(
        file.model.model_name,
        family=file.model.model_family,
        params_non_embedding=None if size is None else int(size),
        params_total=None if file.model.total_params is None else int(file.model.total_params),
        step=file.model.training_steps or None,
    )
    for score, record in zip(file.scores, source.json["scores"], strict=True):
        asked = Evaluation(model, f"bigbench:{score.name}", score.shots)
        for metric, value in record["score_dict"].items():
            preferred = metric == score.preferred
            yield Point(
                asked,
                metric,
                finite(value),
                higher_is_better=METRICS[metric].higher_is_better if metric in METRICS else higher_is_better(metric),
                chance=score.low if preferred else None,
                ceiling=score.high if preferred else None,
                preferred=preferred,
            )
