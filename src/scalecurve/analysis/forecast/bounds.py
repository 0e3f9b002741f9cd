"""Between which bounds a score lies, and on which scale it is carried on."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log

from scalecurve.types import Curve

_AT_LEAST_ONE = ("ppl", "perplexity")
_AT_MOST_NOTHING = ("logprob", "log_prob", "loglik", "soft_log", "logit_margin")
_AT_LEAST_NOTHING = ("loss", "bpb", "bits_per_byte", "nll", "cross_entropy", "error", "wer", "cer", "ter")


@dataclass(frozen=True, slots=True)
class Link:
    """How a score is turned for forecasting: ``sign`` makes more better, ``logarithmic`` is for perplexities."""

    sign: float
    logarithmic: bool
    low: float
    high: float

    def forward(self, y: float) -> float:
        return self.sign * (log(max(y, 1e-12)) if self.logarithmic else y)

    def back(self, value: float) -> float:
        """The score, inside its bounds."""
        y = self.sign * value
        y = exp(min(y, 700.0)) if self.logarithmic else y
        return min(max(y, self.low), self.high)

    def error(self, se: float, y: float) -> float:
        """The standard error on the turned scale."""
        return se / max(y, 1e-12) if self.logarithmic else se

    def turned_bounds(self) -> tuple[float, float]:
        ends = [self.forward(b) if abs(b) < inf else self.sign * b for b in (self.low, self.high)]
        return min(ends), max(ends)


def link_of(curve: Curve) -> Link:
    """The bounds of a curve's metric, from its chance level and ceiling, its name, or what its scores look like.

    A metric without a stated ceiling whose scores all lie within 0 and 1, and where higher is better, is a share; a
    perplexity is at least 1 and is carried on as its logarithm; losses are not negative, log-probabilities not
    positive.
    """
    name, sign = curve.metric.lower(), 1.0 if curve.higher_is_better else -1.0
    least, most = min(curve.y, default=0.0), max(curve.y, default=0.0)
    if any(part in name for part in _AT_LEAST_ONE) and least > 0:
        return Link(sign, True, min(1.0, least), inf)
    if curve.chance is not None or curve.ceiling is not None:
        ends = [end for end in (curve.chance, curve.ceiling) if end is not None]
        low = min(0.0, least, *ends)
        high = max(1.0, most, *ends) if curve.higher_is_better else max(1.0, most, *(abs(end) for end in ends))
        return Link(sign, False, low, high)
    if any(part in name for part in _AT_MOST_NOTHING) and most <= 0:
        return Link(sign, False, -inf, 0.0)
    if curve.higher_is_better and least >= 0 and most <= 1:
        return Link(sign, False, 0.0, 1.0)
    if least >= 0 and (any(part in name for part in _AT_LEAST_NOTHING) or not curve.higher_is_better):
        return Link(sign, False, 0.0, inf)
    return Link(sign, False, -inf, inf)
