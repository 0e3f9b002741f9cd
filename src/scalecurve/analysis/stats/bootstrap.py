"""Bootstrap copies of a curve: the same items drawn for every model, so that what items share cancels.

The weights (how often each item was drawn in each copy) are made once for a number of items and reused for every
curve over that many items; the copies of a curve are then one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scalecurve.types import Curve

Floats = NDArray[np.float64]


@lru_cache(maxsize=8)
def weights(items: int, replicates: int, seed: int) -> NDArray[np.float32]:
    """(replicates, items) how often each item is drawn when ``items`` are drawn with replacement."""
    rng = np.random.default_rng((seed, items, replicates))
    counts = np.empty((replicates, items), np.float32)
    for row in counts:
        row[:] = np.bincount(rng.integers(items, size=items), minlength=items)
    return counts


def paired(values: Floats, replicates: int, seed: int, clusters: Sequence[object] | None = None) -> Floats:
    """Copies (replicates, columns) of the column means of ``values`` (items, columns), items drawn jointly.

    NaN marks a missing value, which counts neither as zero nor as an item. With ``clusters`` (one label an item) whole
    clusters are drawn. A copy in which a column has no item left takes that column's mean.
    """
    if clusters is None:
        drawn = weights(len(values), replicates, seed)
    else:
        labels = {label: index for index, label in enumerate(dict.fromkeys(clusters))}
        drawn = weights(len(labels), replicates, seed)[:, [labels[label] for label in clusters]]
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    if known.all() and clusters is None:
        return np.asarray(drawn @ filled.astype(np.float32), float) / len(values)
    total, count = drawn @ filled, drawn @ known.astype(float)
    means = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    result: Floats = np.where(count > 0, total / np.maximum(count, 1), means)
    return result


def unpaired(curve: Curve, replicates: int, seed: int) -> Floats:
    """Copies of a curve without item scores: independent binomials for proportions, else independent normals.

    A score counts as a proportion when its stated error is that of one (within a fifth) over its number of items.
    """
    y, se, n = np.array(curve.y), np.array(curve.se), np.array(curve.n)
    rng = np.random.default_rng((seed, len(y), replicates, 3))
    copies = y + se * rng.standard_normal((replicates, len(y)))
    if ((y >= 0) & (y <= 1) & (n > 0)).all():
        binomial = np.sqrt(np.maximum(y * (1 - y), 1 / n) / n)
        if (np.abs(se / binomial - 1) < 0.2).all():
            copies = rng.binomial(n, y, (replicates, len(y))) / n
    return copies
