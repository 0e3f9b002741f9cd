"""WHAT IT WILL COST, before anything runs: requests, tokens, FLOPs, hours and money of a plan.

Tokens are counted by the models' own tokenizers on the study's own requests, with what prompts share counted once, as
the engine computes it. How long texts become and how fast this machine is, a short pilot measures.
"""

from scalecurve.cost.estimate import RungEstimate, StudyEstimate, estimate
from scalecurve.cost.prices import Price, load_prices

__all__ = ["Price", "RungEstimate", "StudyEstimate", "estimate", "load_prices"]
