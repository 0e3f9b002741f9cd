"""WHO ASKS FROM OUTSIDE: an OpenAI-compatible endpoint in front of a Thinker.

``protocol`` is what goes over the wire, ``batcher`` the one thread that drives models, ``app`` the routes, ``server``
starting and stopping.
"""

from scalecurve.serving.limits import ServingLimits

__all__ = ["ServingLimits"]
