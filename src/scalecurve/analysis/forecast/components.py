"""Observational scaling (arXiv 2405.10938): few abilities of a model account for most of its scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.forecast.methods import Known, recent_slope
from scalecurve.analysis.forecast.panel import Panel, curve_key, lies_below
from scalecurve.analysis.gather import coordinate
from scalecurve.types import Curve

Floats = NDArray[np.float64]

MIN_TASKS = 4
MIN_MODELS = 4


def components(panel: Panel, curve: Curve, x: float, count: int = 2, below: float | None = None) -> float | None:
    """What ``count`` principal components of all tasks, carried on to scale ``x``, imply for ``curve``.

    The components are those of all models, of every family, at scales below ``below`` (default ``x``) that have all
    tasks of this one; its own components continue by their recent slope. None with fewer than four tasks or models.
    """
    found = component_forecasts(panel, curve, x, count, below)
    return found.get(curve_key(curve))


def component_forecasts(
    panel: Panel, curve: Curve, x: float, count: int = 2, below: float | None = None
) -> dict[tuple[object, ...], float]:
    """``components`` of every curve that shares the known models and metric of ``curve``, from one decomposition."""
    below = x if below is None else below
    if curve.chance is None and curve.ceiling is None:
        return {}
    inside = [c for c in panel.curves if (c.metric, c.higher_is_better) == (curve.metric, curve.higher_is_better)]
    known = [rung for rung, at in zip(curve.rungs, curve.x, strict=True) if lies_below(curve.axis, at, below)]
    columns = [c for c in inside if set(known) <= set(c.rungs)]
    if len(columns) < MIN_TASKS or len(known) < MIN_MODELS:
        return {}
    places = np.array([coordinate(curve.axis, at) for at in curve.x[: len(known)]])
    if np.ptp(places) == 0:
        return {}
    own = np.array([_scores(c, known) for c in columns]).T
    rows = np.vstack([own, *_other_rows(panel, columns, below)])
    middle, axes, _ = principal_components(rows, count)
    scores = (own - middle) @ axes.T
    position, nothing = coordinate(curve.axis, x), np.zeros(len(known))
    ahead = [recent_slope(Known(places, s, nothing, None, -np.inf, np.inf), position) for s in scores.T]
    sign = 1.0 if curve.higher_is_better else -1.0
    values = sign * (middle + np.array(ahead) @ axes)
    return {curve_key(c): float(value) for c, value in zip(columns, values, strict=True)}


def principal_components(rows: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """(mean, axes, cumulative share of variance) of the first ``count`` components of a table models × tasks.

    Centred, not scaled: scores of all tasks are in the same unit. Where nothing varies, no component leaves a rest.
    """
    middle = rows.mean(axis=0)
    _, size, axes = np.linalg.svd(rows - middle, full_matrices=False)
    variance = (size**2).sum()
    share: Floats = np.cumsum(size**2) / variance if variance else np.ones_like(size)
    return middle, axes[:count], share[:count]


def _scores(curve: Curve, rungs: Sequence[str]) -> list[float]:
    by_rung = dict(zip(curve.rungs, curve.y, strict=True))
    return [by_rung[rung] for rung in rungs]


def _other_rows(panel: Panel, columns: Sequence[Curve], x: float) -> list[Floats]:
    """Models of other families below ``x`` that have every task of ``columns``."""
    wanted = [curve_key(c)[1:] for c in columns]
    families: dict[str, dict[tuple[object, ...], Curve]] = {}
    for other in panel.others:
        families.setdefault(other.family, {})[curve_key(other)[1:]] = other
    found = []
    for tasks in families.values():
        if all(key in tasks for key in wanted):
            one = tasks[wanted[0]]
            smaller = [r for r, at in zip(one.rungs, one.x, strict=True) if lies_below(one.axis, at, x)]
            sets = [set(tasks[key].rungs) for key in wanted]
            shared = [r for r in smaller if all(r in each for each in sets)]
            if shared:
                found.append(np.array([_scores(tasks[key], shared) for key in wanted]).T)
    return found
