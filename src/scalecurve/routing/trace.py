"""How a question was answered: the steps of fast and slow thinking, each with who took it and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step of thinking about a question: who did what, what came of it, and why it was done.

    ``stage``: gate, fast, slow, larger, settle or abstain. ``response`` is what was said ("" where nothing was, or the
    step decides only). ``confidence`` is P(right) as far as it is known (of the gate: its margin in nats), else None.
    """

    stage: str
    who: str
    response: str = ""
    confidence: float | None = None
    prompt_tokens: int = 0
    generated_tokens: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """How a question was answered. ``status``: ok, abstained, unanswerable, unparsable or error.

    ``response`` is empty unless ``status`` is ok; ``who`` and ``how`` name the rung and the strategy it came from.
    """

    question: str
    status: str
    response: str
    who: str
    how: str
    confidence: float | None
    steps: tuple[Step, ...]
    error: str = ""

    @property
    def prompt_tokens(self) -> int:
        return sum(step.prompt_tokens for step in self.steps)

    @property
    def generated_tokens(self) -> int:
        return sum(step.generated_tokens for step in self.steps)

    @property
    def slow_tokens(self) -> int:
        """Generated for slow answers."""
        return sum(step.generated_tokens for step in self.steps if step.stage == "slow")
