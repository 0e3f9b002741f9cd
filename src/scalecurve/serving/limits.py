"""What a server takes on, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from scalecurve.errors import UserError

MOST_READING = 15.0


@dataclass(frozen=True, slots=True)
class ServingLimits:
    """``concurrent``: requests under way, more get 429. ``body``: bytes of a request, more get 413. ``tokens``: most
    that a request may ask for. ``seconds``: until a request gets 504. ``grace``: seconds that requests under way have
    to end when the server stops.
    """

    concurrent: int = 64
    body: int = 1_000_000
    tokens: int = 512
    seconds: float = 120.0
    grace: float = 0.8

    @property
    def reading(self) -> float:
        """Seconds in which a request must have come whole."""
        return min(MOST_READING, self.seconds)

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise UserError(f"serve: {name} must be above 0, not {getattr(self, name)}")
