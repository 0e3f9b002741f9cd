"""BLEURT, a learned metric that needs a package and a checkpoint of its own."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from typing import Any

from scalecurve.metrics.registry import TEXT, metric
from scalecurve.types import Answer, Example, Task

CHECKPOINT = "BLEURT_CHECKPOINT"


def refusal() -> str:
    """What BLEURT lacks on this machine, or ""."""
    if importlib.util.find_spec("bleurt") is None:
        return (
            "needs the package bleurt (github.com/google-research/bleurt) and the checkpoint BLEURT-20; or leave it out"
        )
    if not os.environ.get(CHECKPOINT):
        return f"needs the folder of the checkpoint BLEURT-20 in the environment variable {CHECKPOINT}; or leave it out"
    return ""


@metric("bleurt", -0.1, 1.1, needs=TEXT, bounded=False, unavailable=refusal)
def bleurt(task: Task, example: Example, answer: Answer) -> float | None:
    """BLEURT-20 of the response against the best target."""
    if answer.text is None:
        return None
    said = [answer.response or ""] * len(example.targets)
    return max(float(value) for value in _scorer().score(references=list(example.targets), candidates=said))


@cache
def _scorer() -> Any:
    scorer = importlib.import_module("bleurt.score")
    return scorer.BleurtScorer(os.environ[CHECKPOINT])
