"""A curve brought to one scale, with the errors of its points: items, passages they share, seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.gather import coordinate
from scalecurve.analysis.verdicts.posterior import DELTA, SCATTER_PRIOR, Evidence
from scalecurve.types import Curve

Floats = NDArray[np.float64]

LEAST_SHARE = 0.2  # of the scatter reaches a score at its floor or ceiling too
LINEAR_SPAN = 3.0  # an axis that is no size (loss) counts as so many decades


def prepare(
    curve: Curve,
    items: Floats | None = None,
    clusters: Sequence[object] | None = None,
    *,
    scatter: Floats = SCATTER_PRIOR,
    between: Floats | None = None,
) -> Evidence:
    """``curve`` in the units of the rules. ``items`` (items, scales) give the errors and what they share; ``between``
    (scales,) variances of the means that the items do not show (seeds, in the units of the curve).
    """
    bounded = curve.chance is not None or curve.ceiling is not None
    unit = 1.0 if curve.higher_is_better else -1.0
    y, se, shift = np.array(curve.y), np.array(curve.se), 0.0
    n = np.array(curve.n, float)
    x = np.array([coordinate(curve.axis, place) for place in curve.x])
    if curve.axis == "loss" and np.ptp(x) > 0:
        x = x * LINEAR_SPAN / np.ptp(x)
    if curve.ceiling is not None and abs(curve.ceiling) > 1:
        unit /= abs(curve.ceiling)  # BLEU and other scores out of 100
    elif not bounded:
        unit *= 0.5 / max(np.ptp(y), 4 * float(np.median(se)), 1e-12)
        shift = 0.5 - float(y.mean()) * unit
    cov = np.diag(se**2) if items is None else _covariance(items, clusters, se)
    if between is not None:
        cov = cov + np.diag(between)
    cov = cov * unit**2
    scaled = y * unit + shift
    if bounded:
        p = (np.abs(scaled) * n + 0.5) / (n + 1)
        share = 2 * np.sqrt(np.clip(p * (1 - p), 0, 0.25))
    else:
        share = np.where(n > 0, 2 * se * np.sqrt(n), se / 0.012) * abs(unit)
    within = scaled.min() > -0.25 and scaled.max() < 1.25
    return Evidence(
        y=scaled,
        x=x,
        cov=cov,
        share=np.clip(share, LEAST_SHARE, 1.0),
        chance=None if curve.chance is None else curve.chance * unit,
        ceiling=None if curve.ceiling is None else curve.ceiling * unit,
        delta=DELTA if bounded else 0.0,
        scatter=scatter,
        unit=unit,
        shift=shift,
        middle=0.5 if within else float(scaled.mean()),
    )


def _covariance(items: Floats, clusters: Sequence[object] | None, se: Floats) -> Floats:
    """(m, m) covariance of the item means; whole clusters count once. Never less than the stated errors say."""
    known = np.isfinite(items)
    count = np.maximum(known.sum(axis=0), 1)
    means = np.where(known, items, 0.0).sum(axis=0) / count
    rest = np.where(known, items - means, 0.0)
    groups = len(rest)
    if clusters is not None:
        labels = {label: index for index, label in enumerate(dict.fromkeys(clusters))}
        groups = len(labels)
        sums = np.zeros((groups, items.shape[1]))
        np.add.at(sums, [labels[label] for label in clusters], rest)
        rest = sums
    cov = rest.T @ rest / np.outer(count, count) * (groups / max(groups - 1, 1))
    alone = min(1.0, items.shape[1] / groups) ** 2  # few groups know little of what they share
    cov = (1 - alone) * cov + alone * np.diag(np.diag(cov))
    missing = np.maximum(np.nan_to_num(se) ** 2 - np.diag(cov), 0.0)
    return np.asarray(cov + np.diag(missing))
