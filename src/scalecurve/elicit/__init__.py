"""Which prompt draws an ability out: a search on development questions, confirmed on questions it never saw.

The claim is the gain on the held-out questions alone. What the winner scored where it was chosen is too good by as much
as luck helped it win, and is never reported as a gain.
"""

from scalecurve.elicit.budget import SearchBudget
from scalecurve.elicit.job import elicit
from scalecurve.elicit.result import Elicited, Gain, RungGain, TaskGains
from scalecurve.elicit.space import Space, default_space

__all__ = ["Elicited", "Gain", "RungGain", "SearchBudget", "Space", "TaskGains", "default_space", "elicit"]
