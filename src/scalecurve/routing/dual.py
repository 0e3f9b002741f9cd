"""Dual: a fast answer, and a slow one where a controller expects it to be worth its tokens (``routing.reason``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.routing.controllers import Controller, Controllers, load_controllers
from scalecurve.routing.policies import Threshold
from scalecurve.routing.reason import Mind, reason
from scalecurve.routing.trace import Step
from scalecurve.strategies.protocol import Asking, Question, strategy


def check(settings: Mapping[str, object], rungs: Sequence[str]) -> None:
    """``UserError`` where there is nothing to decide by for one of the rungs."""
    for rung in rungs:
        _mind(settings, rung)


@strategy("dual", check)
def dual(question: Question) -> Asking:
    """Answer fast, let the controller decide, think slowly where it says so, and keep the likelier answer.

    Settings: ``controller``: a file made by ``scalecurve think fit``, with the gate it holds; or ``threshold``: think
    slowly below this confidence. Flags: see ``routing.reason.reason``.
    """
    steps: list[Step] = []
    return (yield from reason(question, _mind(question.settings, str(question.settings.get("rung", ""))), steps.append))


def _mind(settings: Mapping[str, object], rung: str) -> Mind:
    """How the settings say ``rung`` thinks."""
    file, least = settings.get("controller", ""), settings.get("threshold")
    if not isinstance(file, str) or isinstance(least, bool) or not isinstance(least, int | float | None):
        raise UserError("settings: controller is the name of a file, threshold a number")
    if bool(file) == (least is not None):
        raise UserError("settings: dual needs a controller (a file made by `scalecurve think fit`) or a threshold")
    if least is not None:
        return Mind(rung, Controller(Threshold(float(least))))
    known = _file(file, Path(file).stat().st_mtime_ns if Path(file).exists() else 0)
    return Mind(rung, replace(known.of(rung), larger_policy=None), known.gate(rung), known.fast, known.slow)


@lru_cache(maxsize=4)
def _file(path: str, changed: int) -> Controllers:
    return load_controllers(path)
