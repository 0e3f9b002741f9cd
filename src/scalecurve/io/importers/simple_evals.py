"""simple-evals: ``EVAL_MODEL.json``, a score and what it is made of; its answers stand in a web page, not here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scalecurve.io.conventions import finite
from scalecurve.io.shape import Evaluation, Found, Point, Role, SourceModel, reader
from scalecurve.io.sources import SourceFile

_NAME = re.compile(
    r"(mmlu|math|math_500|gpqa|gpqa_diamond|mgsm|mgsm_[a-z]{2}|drop|humaneval|simpleqa|browsecomp|healthbench(?:_[a-z]+)?)"
    r"_(.+?)(?:_DEBUG)?(?:_\d{8}_\d{6})?(?:_allresults)?"
)


def _role(source: SourceFile) -> Role:
    found = source.json if source.path.suffix == ".json" else None
    ours = isinstance(found, dict) and finite(found.get("score")) is not None and "score:std" in found
    return "head" if ours and (source.said.model or _NAME.fullmatch(source.path.stem)) else ""


@reader("simple-evals", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """The score, and as metrics of their own what is beside it (subjects, languages); deviations are no errors."""
    found = _NAME.fullmatch(source.path.stem)
    task = found[1] if found else source.path.stem
    model = source.said.model or (found[2] if found else "")
    asked = Evaluation(SourceModel(model), f"simple-evals:{task}", source.shots_or_zero())
    for name, value in source.json.items():
        if name.partition(":")[2] or name == "chars":
            source.leave("deviations and lengths", name)
        elif (score := finite(value)) is not None:
            yield Point(asked, "score" if name == "score" else f"score,{name}", score, preferred=name == "score")
