"""How much models of one family scatter about a smooth course, beyond the noise of items.

Empirical Bayes over all curves of a family: each curve tells how well every scatter explains it, whatever its shape;
the family's weights are those that make all its curves likeliest, shrunk to the prior as if that had been seen on
``PRIOR_CURVES`` curves. A curve still has its own scatter within those weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.verdicts.posterior import SCATTER_PRIOR, Masses, weigh

Floats = NDArray[np.float64]

PRIOR_CURVES = 12.0
ROUNDS = 12


def family_scatter(curves: Sequence[Masses]) -> Floats:
    """(S,) weights of each scatter for the curves of one family."""
    weights = SCATTER_PRIOR
    if len(curves) < 2:
        return weights
    likelihood = []
    for found in curves:
        belief = weigh(found, SCATTER_PRIOR)
        likelihood.append(belief.scatter[0] / SCATTER_PRIOR)
    table = np.array(likelihood)
    for _ in range(ROUNDS):
        shares = table * weights
        shares /= shares.sum(axis=1, keepdims=True)
        weights = PRIOR_CURVES * SCATTER_PRIOR + shares.sum(axis=0)
        weights = weights / weights.sum()
    return np.asarray(weights)
