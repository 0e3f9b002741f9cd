"""An upper bound of the errors among N items that holds however many of them are looked at, and whenever one stops."""

from __future__ import annotations

from functools import cached_property
from typing import Any

STRENGTH = 24.0  # items that the first guess of the rate is worth


class Bound:
    """Items are drawn without replacement; ``most`` errors are among all ``size`` of them, but for probability alpha.

    The bet against each possible number K of errors is the ratio of its probability before and after the draws, under a
    beta-binomial guess with mean ``rate``. Under K this is a martingale that starts at 1, so that it ever reaches
    1/alpha with probability at most alpha (Ville; prior-posterior ratio of Waudby-Smith and Ramdas, arXiv 2006.04347).
    The guess may be wrong: that costs draws, not the promise.

    >>> bound = Bound(1000, 0.02, 0.1)
    >>> bound.most
    1000
    >>> bound.add(200, 4)
    >>> 20 < bound.most < 60
    True
    """

    def __init__(self, size: int, rate: float, alpha: float) -> None:
        self.size, self.alpha = size, alpha
        rate = min(max(rate, 1e-3), 1 - 1e-3)
        self.a, self.b = STRENGTH * rate, STRENGTH * (1 - rate)
        self.drawn = self.found = 0
        self.most = size

    def add(self, drawn: int, found: int) -> None:
        """``drawn`` more items of which ``found`` are errors."""
        import numpy as np

        self.drawn, self.found = self.drawn + drawn, self.found + found
        rest, good = self.size - self.drawn, self.drawn - self.found
        possible = self._prior[self.found : self.found + rest + 1]
        after = _log_beta_binomial(rest, self.a + self.found, self.b + good)
        lost = possible - after >= np.log(1 / self.alpha)
        kept = np.flatnonzero(~lost)
        top = self.found + int(kept[-1]) if len(kept) else self.found
        self.most = max(self.found, min(self.most, top))

    @cached_property
    def _prior(self) -> Any:
        return _log_beta_binomial(self.size, self.a, self.b)


def _log_beta_binomial(n: int, a: float, b: float) -> Any:
    """Log-probabilities of 0 … n."""
    import numpy as np
    from scipy.special import betaln

    k = np.arange(n + 1)
    return -np.log(n + 1) - betaln(n - k + 1, k + 1) + betaln(k + a, n - k + b) - betaln(a, b)
