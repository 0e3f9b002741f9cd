"""How well a score ranks what is positive above what is not, and right answers above wrong ones.

Arrays are of one length, one entry an item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def auroc(score: Floats, positive: Floats) -> float:
    """P(a positive scores above a negative), ties half; NaN without one of each."""
    import numpy as np

    found = placements(score, positive)
    return float("nan") if found is None else float(np.mean(found[0]))


def placements(score: Floats, positive: Floats) -> tuple[Floats, Floats] | None:
    """For each positive the share of negatives below it, for each negative the share of positives above it; ties half.

    Both have the AUROC for their mean; their variances give its standard error (DeLong et al. 1988). None without one
    of each.
    """
    import numpy as np
    from scipy.stats import rankdata

    score, yes = np.asarray(score, float), np.asarray(positive) > 0
    ones, zeros = int(yes.sum()), int((~yes).sum())
    if not ones or not zeros:
        return None
    ranks = rankdata(score)
    return (ranks[yes] - rankdata(score[yes])) / zeros, 1 - (ranks[~yes] - rankdata(score[~yes])) / ones


def risk_coverage(confidence: Floats, right: Floats) -> tuple[Floats, Floats, float]:
    """Coverage, selective accuracy when the most confident items are answered, and the area under the risk (AURC).

    AURC is the mean, over the number of items answered, of their error rate (Geifman and El-Yaniv 2017). Items of equal
    confidence share their expected accuracy, so that the order of the file does not matter.
    """
    import numpy as np

    confidence, right = np.asarray(confidence, float), np.asarray(right, float)
    _, group = np.unique(-confidence, return_inverse=True)
    expected = (np.bincount(group, weights=right) / np.bincount(group))[np.sort(group)]
    answered = np.arange(1, len(right) + 1)
    accuracy: Floats = np.cumsum(expected) / answered
    return answered / len(right), accuracy, float(np.mean(1 - accuracy))
