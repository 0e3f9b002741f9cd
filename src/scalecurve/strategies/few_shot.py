"""Few-shot: the answer is asked for at once, after answered examples (Brown et al. 2020, arXiv 2005.14165)."""

from __future__ import annotations

from scalecurve.strategies.direct import direct
from scalecurve.strategies.protocol import Asking, Question, strategy


@strategy("few_shot", least_shots=1)
def few_shot(question: Question) -> Asking:
    """``direct`` under the name it has with shots: request by request the same, and never asked without any."""
    return (yield from direct(question))
