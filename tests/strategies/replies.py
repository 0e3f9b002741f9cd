"""Strategies asked with replies written by hand."""

from collections.abc import Sequence

from scalecurve.strategies import Asking
from scalecurve.types import Answer, Output, Request


def converse(asking: Asking, *stages: Sequence[Output]) -> tuple[list[tuple[Request, ...]], Answer]:
    """Send a strategy the replies of each stage; what it asked at each, and its answer."""
    asked = [next(asking)]
    for stage in stages:
        try:
            asked.append(asking.send(tuple(stage)))
        except StopIteration as stop:
            return asked, stop.value
    raise AssertionError(f"asks once more: {asked[-1]}")
