"""What the verdict on all examples will be, as far as those asked so far tell.

The scores not yet seen are drawn from a posterior and the completed sets are judged by the very rules of
``scalecurve.analysis``, as if all examples had been asked. The share of completed sets with one shape is the
probability
of that shape. A posterior does not mind when one looks or stops: drawn from its prior, curves that are settled at
probability p have that verdict in a share p of cases, whatever rule said when to stop.

The prior says that neighbouring rungs may be equally able: the ladder falls into blocks of one accuracy each, any
number of blocks as likely as any other, likewise all cuts into that number, and every accuracy under Jeffreys' prior (a
product partition model; Barry & Hartigan 1992). Without it, seven rungs at chance would count as seven unrelated
abilities that happen to be alike, which takes long to believe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.verdicts.judge import named_shapes, unjudgeable
from scalecurve.types import Curve, Shape

Floats = NDArray[np.float64]

DRAWS = 120
BINS = 4
PRIOR = 0.5  # of a right and of a wrong answer


@dataclass(frozen=True, slots=True)
class PredictedVerdict:
    """The likeliest ``shape`` of the verdict on all examples and its ``probability``.

    ``weights`` (rungs,): how much of the doubt each rung is to blame for (first-order sensitivity, 0–1).
    """

    shape: Shape
    probability: float
    weights: Floats


def predicted_verdict(
    curve: Curve,
    seen: Sequence[Floats],
    total: int,
    *,
    flat_level: float = 0.05,
    seed: int = 0,
    draws: int = DRAWS,
) -> PredictedVerdict:
    """The verdict on ``curve`` once all ``total`` examples are asked, given the scores ``seen`` (0–1) of each rung."""
    whole = predicted_curve(curve, seen, total)
    problem = unjudgeable(whole)
    if problem:
        return PredictedVerdict(problem[0], 1.0, np.zeros(len(seen)))
    rng = np.random.default_rng((seed, total, *map(len, seen)))
    done = complete(seen, total, draws, rng)
    names = np.array(named_shapes(whole, done, flat_level))
    found, counts = np.unique(names, return_counts=True)
    shape = Shape(found[counts.argmax()])
    return PredictedVerdict(shape, float(counts.max() / draws), _blame(names == shape, done))


def predicted_curve(curve: Curve, seen: Sequence[Floats], total: int) -> Curve:
    """``curve`` with the scores so far as points and the standard errors that all examples would give."""
    y = [float(scores.mean()) for scores in seen]
    se = [float(max(_spread(scores) / np.sqrt(total), 1.0 / total)) for scores in seen]
    return replace(curve, y=tuple(y), se=tuple(se), n=(total,) * len(seen))


def _spread(scores: Floats) -> float:
    """Standard deviation of a score, half an example each at 0 and 1 added."""
    n = len(scores)
    mean = (scores.sum() + PRIOR) / (n + 2 * PRIOR)
    squares = ((scores - mean) ** 2).sum() + PRIOR * mean**2 + PRIOR * (1 - mean) ** 2
    return float(np.sqrt(squares / (n + 2 * PRIOR)))


# ── The posterior ────────────────────────────────────────────────────────────────────────────────────────────
def complete(seen: Sequence[Floats], total: int, draws: int, rng: np.random.Generator) -> Floats:
    """(draws, rungs) means of all ``total`` examples, the unseen ones drawn given the seen.

    What is hard for one rung is often hard for its neighbours, so that their unseen scores go together as the seen
    ones do: binomial numbers of right answers, joined by a Gaussian copula.
    """
    from scipy.special import ndtr
    from scipy.stats import binom

    right, wrong = _counts(seen)
    abilities = np.empty((draws, len(seen)))
    for draw, cuts in enumerate(_partitions(right, wrong, draws, rng)):
        for low, high in pairwise(cuts):
            abilities[draw, low:high] = rng.beta(right[low:high].sum() + PRIOR, wrong[low:high].sum() + PRIOR)
    done = np.empty_like(abilities)
    luck = rng.standard_normal(abilities.shape) @ np.linalg.cholesky(_correlation(seen)).T
    for rung, scores in enumerate(seen):
        left = total - len(scores)
        if left <= 0:
            done[:, rung] = scores.mean()
        elif _is_binary(scores):
            done[:, rung] = (scores.sum() + binom.ppf(ndtr(luck[:, rung]), left, abilities[:, rung])) / total
        else:
            unseen = abilities[:, rung] + _spread(scores) / np.sqrt(left) * luck[:, rung]
            done[:, rung] = (scores.sum() + left * np.clip(unseen, 0.0, 1.0)) / total
    return done


def _is_binary(scores: Floats) -> bool:
    return bool(np.isin(scores, (0.0, 1.0)).all())


def _counts(seen: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Right and wrong answers of each rung. Graded scores scatter less than right or wrong ones of the same mean; each
    counts as so many more answers."""
    n = np.array([len(scores) for scores in seen], float)
    sums = np.array([scores.sum() for scores in seen])
    mean = (sums + PRIOR) / (n + 2 * PRIOR)
    spread = np.array([_spread(scores) for scores in seen])
    binary = np.array([_is_binary(scores) for scores in seen])
    worth = np.where(binary, 1.0, np.clip(mean * (1 - mean) / spread**2, 1.0, 20.0))
    return sums * worth, (n - sums) * worth


def _partitions(right: Floats, wrong: Floats, draws: int, rng: np.random.Generator) -> list[list[int]]:
    """``draws`` partitions of the ladder into blocks (their bounds), each as likely as the answers make it."""
    from scipy.special import betaln, binom

    rungs = len(right)
    r, w = np.concatenate([[0.0], np.cumsum(right)]), np.concatenate([[0.0], np.cumsum(wrong)])
    block = np.full((rungs + 1, rungs + 1), -np.inf)  # log evidence of one accuracy for rungs low:high
    low, high = np.triu_indices(rungs + 1, 1)
    block[low, high] = betaln(r[high] - r[low] + PRIOR, w[high] - w[low] + PRIOR) - betaln(PRIOR, PRIOR)
    before = np.full((rungs + 1, rungs + 1), -np.inf)  # [k, end]: of the rungs before end in k blocks, all ways
    before[0, 0] = 0.0
    for k in range(1, rungs + 1):
        before[k] = np.logaddexp.reduce(before[k - 1][:, None] + block, axis=0)
    numbers = before[1:, rungs] - np.log(binom(rungs - 1, np.arange(rungs)))
    found = []
    for k in 1 + (numbers + rng.gumbel(size=(draws, rungs))).argmax(axis=1):
        cuts = [rungs]
        for left in range(k - 1, -1, -1):
            logs = before[left, : cuts[-1]] + block[: cuts[-1], cuts[-1]]
            cuts.append(int((logs + rng.gumbel(size=len(logs))).argmax()))
        found.append(cuts[::-1])
    return found


def _correlation(seen: Sequence[Floats]) -> Floats:
    """(rungs, rungs) of the scores of examples that all rungs were asked, drawn towards none where these are few."""
    common = min(map(len, seen))
    table = np.column_stack([scores[:common] for scores in seen])
    table = table - table.mean(axis=0)
    norms = np.sqrt((table**2).sum(axis=0))
    norms[norms == 0] = 1.0
    correlation = (table / norms).T @ (table / norms) * (common / (common + 10.0))
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)


def _blame(agree: NDArray[np.bool_], completed: Floats) -> Floats:
    """(rungs,) how much of the variance of ``agree`` each rung's score explains alone, by quarters of its draws."""
    draws, rungs = completed.shape
    variance = agree.var()
    blame = np.zeros(rungs)
    if variance == 0:
        return blame
    for rung in range(rungs):
        if np.ptp(completed[:, rung]) == 0:
            continue
        order = np.argsort(completed[:, rung], kind="stable")
        means = np.array([agree[part].mean() for part in np.array_split(order, BINS)])
        blame[rung] = max(0.0, means.var() / variance - (BINS - 1) / draws)
    return blame
