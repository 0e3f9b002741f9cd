"""OpenAI's evals: the log of a run, JSON lines that begin with its ``spec`` and hold a ``final_report``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scalecurve.io.conventions import finite
from scalecurve.io.shape import Evaluation, Found, Point, Role, SourceModel, reader
from scalecurve.io.sources import SourceFile
from scalecurve.util.untrusted import parsed

_ERRORS = ("boostrap_std", "bootstrap_std")  # the first is what evals writes


def _role(source: SourceFile) -> Role:
    if source.path.suffix != ".jsonl":
        return ""
    with open(source.path, "rb") as file:
        first = _record(file.readline(1 << 20))
    spec = first.get("spec")
    return "head" if isinstance(spec, dict) and {"eval_name", "completion_fns"} <= set(spec) else ""


@reader("openai-evals", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """The numbers of the final report; the bootstrap's deviation is the error of ``accuracy``."""
    spec: dict[str, Any] = {}
    report: dict[str, Any] = {}
    samples: set[str] = set()
    with open(source.path, "rb") as file:
        for line in file:
            record = _record(line)
            spec, report = record.get("spec") or spec, record.get("final_report") or report
            if "sample_id" in record:
                samples.add(str(record["sample_id"]))
    if not isinstance(report, dict) or not report:
        raise source.fail("has no final_report: the run did not end; run it again")
    name = source.said.model or ",".join(map(str, spec["completion_fns"]))
    task = str(spec.get("base_eval") or spec["eval_name"])
    asked = Evaluation(SourceModel(name), f"openai-evals:{task}", source.said.shots or 0)
    error = next((found for one in _ERRORS if (found := finite(report.get(one))) is not None), None)
    for metric, value in report.items():
        if metric in _ERRORS or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        se = error if metric == "accuracy" else None
        yield Point(asked, metric, finite(value), se=se or None, n=len(samples) or None, preferred=metric == "accuracy")


def _record(line: bytes) -> dict[str, Any]:
    try:
        found = parsed(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
