"""Cascades with a guarantee: a small model decides the clear cases, the oracle model the rest.

The promise is against the oracle's answers, not the truth: with probability at least 1 − δ, the recall (precision) of
the result is at least its target. Both rest on one uniform sample that the oracle labels and on one-sided
Clopper–Pearson bounds, each at δ/2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

SAMPLE = 300
"""Items that the oracle labels first; where there are no more, it labels all of them and no proxy is needed."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What is promised: least ``recall`` and ``precision`` (0–1), each missed with probability at most ``delta``."""

    recall: float
    precision: float
    delta: float = 0.2

    def __post_init__(self) -> None:
        for name in ("recall", "precision", "delta"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Accept a score of at least ``accept``; reject one strictly below ``reject``; ask the oracle about the others.

    Where both apply, accepting wins. ``accept`` +∞ and ``reject`` −∞ leave everything to the oracle.
    """

    reject: float = -math.inf
    accept: float = math.inf


@dataclass(frozen=True, slots=True)
class Cascade:
    """The labels of all items in order, the thresholds that decided, and how many items the oracle labelled."""

    labels: tuple[bool, ...]
    thresholds: Thresholds
    oracle_calls: int


def clopper_pearson_upper(errors: int, n: int, alpha: float) -> float:
    """Exact one-sided upper bound of a rate after ``errors`` in ``n`` trials (Clopper and Pearson 1934); 1 if all."""
    from scipy.stats import beta

    if not 0 <= errors <= n or not 0.0 < alpha < 1.0:
        raise ValueError(f"need 0 ≤ errors ≤ n and 0 < alpha < 1, not {errors}, {n}, {alpha}")
    return 1.0 if errors == n else float(beta.ppf(1.0 - alpha, errors + 1, n - errors))


def fit_thresholds(
    scores: Sequence[float], labels: Sequence[bool], levels: Sequence[float], targets: Targets
) -> Thresholds:
    """Thresholds from a uniform sample's proxy ``scores`` and oracle ``labels``.

    ``levels`` are the candidates for accepting, fixed before the labels were seen; tested from high to low until the
    first failure, so that testing many costs no confidence (fixed-sequence testing).
    """
    if len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores but {len(labels)} labels")
    alpha = targets.delta / 2
    positives = sorted(score for score, label in zip(scores, labels, strict=True) if label)
    reject = -math.inf
    for missed, score in enumerate(positives):
        if clopper_pearson_upper(missed, len(positives), alpha) > 1 - targets.recall:
            break
        reject = score
    accept = math.inf
    for level in sorted(levels, reverse=True):
        above = [label for score, label in zip(scores, labels, strict=True) if score >= level]
        if clopper_pearson_upper(0, len(above), alpha) > 1 - targets.precision:
            continue  # too few items to pass even without an error: no test is spent
        if clopper_pearson_upper(above.count(False), len(above), alpha) > 1 - targets.precision:
            break
        accept = level
    return Thresholds(reject, accept)


def run_cascade(
    scores: Sequence[float],
    oracle: Callable[[Sequence[int]], Sequence[bool]],
    targets: Targets,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
) -> Cascade:
    """Label every item: by thresholds on its proxy score where they are sure, else by ``oracle``.

    ``oracle`` is given indices and returns their labels; it is asked at most twice (the sample, then the middle band)
    and about no item twice. The sample is drawn without replacement, so the order of the items does not matter.
    """
    import numpy as np

    if not all(math.isfinite(score) for score in scores):
        raise ValueError("every proxy score must be a finite number")
    if sample < 1:
        raise ValueError(f"sample must be at least 1, not {sample}")
    chosen = sorted(np.random.default_rng(seed).permutation(len(scores))[:sample].tolist())
    known = _ask(oracle, chosen)
    thresholds = Thresholds()
    if len(chosen) < len(scores):
        levels: list[Any] = np.quantile(np.asarray(scores, dtype=float), np.linspace(0.98, 0.20, 40)).tolist()
        thresholds = fit_thresholds([scores[i] for i in chosen], [known[i] for i in chosen], levels, targets)
    middle = [i for i, score in enumerate(scores) if i not in known and thresholds.reject <= score < thresholds.accept]
    known |= _ask(oracle, middle)
    labels = tuple(known.get(i, score >= thresholds.accept) for i, score in enumerate(scores))
    return Cascade(labels, thresholds, len(known))


def _ask(oracle: Callable[[Sequence[int]], Sequence[bool]], items: list[int]) -> dict[int, bool]:
    """The oracle's label of each item; the oracle is not called about none."""
    return dict(zip(items, map(bool, oracle(items)), strict=True)) if items else {}
