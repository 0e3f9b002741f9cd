"""An actor: a process on some machine that has one model open at a time and computes parts of what it is asked."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from scalecurve._version import __version__
from scalecurve.models import Model
from scalecurve.runner.part import Done, Opened, Part, compute, open_for
from scalecurve.store import environment
from scalecurve.study.plan import Plan
from scalecurve.study.task_plan import Arm, cells_of
from scalecurve.types import Rung


@dataclass(frozen=True, slots=True)
class ActorHost:
    """Where an actor runs, and the versions that can change a number there."""

    host: str
    scalecurve: str
    libraries: dict[str, str]


def this_place() -> ActorHost:
    """The machine that runs this, with what must be the same on all of a cluster."""
    return ActorHost(socket.gethostname(), __version__, environment()["libraries"])


class Actor:
    """Opens one rung after another and computes parts of it; no file of the run is read or written here."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.model: Model | None = None
        self.of: tuple[str, Rung] | None = None

    def where(self) -> ActorHost:
        return this_place()

    def open(self, family: str, rung: Rung, batch_tokens: int | None) -> Opened:
        """Load ``rung`` in place of the model that is open."""
        if self.model is not None:
            self.model.close()
            self.model = None
        self.model, opened = open_for(self.plan, rung, batch_tokens)
        self.of = family, rung
        return opened

    def compute(self, part: Part) -> dict[Arm, Done]:
        assert self.model is not None
        assert self.of is not None
        family, rung = self.of
        return compute(self.model, self.plan, cells_of(family, rung, self.plan.tasks[part.task]), part)
