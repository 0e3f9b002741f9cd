"""HOW MUCH is asked: examples go where the verdict is still open, until every verdict is decided or a budget is spent.

A verdict is *decided* when asking all the remaining examples would most likely leave it (``predicted_verdict``): the
confidence asked for is the expected share of decided verdicts for which that is so. Examples come in one random order
fixed beforehand, the same for all models; what was answered decides how far along it a model is asked, never which
example comes next. The intervals told for each score hold at every moment (``sequence``), so that stopping does not
invalidate them.
"""

from scalecurve.runner.adaptive.rounds import AdaptiveExecutor, Goal, in_rounds
from scalecurve.runner.adaptive.verdicts import settled

__all__ = ["AdaptiveExecutor", "Goal", "in_rounds", "settled"]
