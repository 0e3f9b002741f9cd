"""A plan's parts on a Ray cluster: actors that load a model once and compute parts of it.

The driver alone touches the run directory: it says what is missing, hands parts out, the heaviest models first, and
puts in place what comes back. The other machines therefore need no disk in common, only the same installation and the
models' weights. An actor has one part in hand at a time; when it dies, alone or with its node, that part goes to
another, and no other is repeated. A node that joins later is put to use.
"""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.runner.actor import Actor, ActorHost, this_place
from scalecurve.runner.model_run import Listener, ModelRun
from scalecurve.runner.part import Opened, Part, weight
from scalecurve.runner.resources import Resources, resources_of
from scalecurve.util.text import one_line

CLIENT_PORT = ":10001"  # Ray's own client protocol (needs grpcio); any other port is a cluster's address
STORE_BYTES = 200_000_000  # of the object store of a Ray that is started here; parts are small
WAIT_SECONDS = 1.0
MOST_DEATHS = 3  # of processes over one part or model: from then on it is to blame, not the machine
MOST_FALSE_STARTS = 5


@dataclass(frozen=True, slots=True)
class RayExecutor:
    """The cluster at ``address`` (HOST:PORT as `ray start --head` prints it).

    Without one: the cluster of ``RAY_ADDRESS`` or of this machine, else a Ray of this machine alone, started now.
    """

    address: str = ""

    def run(self, jobs: Sequence[ModelRun], listener: Listener, changed: Callable[[], None]) -> None:
        unfinished = [job for job in jobs if not job.from_disk(listener)]
        if unfinished:
            with _connected(self.address) as ray:
                _Dispatcher(ray, unfinished, listener, changed).run()


def _show_token() -> None:
    """Show Ray's access token, where there is one, at an address that is given too, as Ray does at others by itself.

    `ray start --head` demands the token as soon as one is there; a cluster that demands none takes it all the same.
    """
    token = Path.home() / ".ray" / "auth_token"
    if token.exists() or os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        os.environ.setdefault("RAY_AUTH_MODE", "token")


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    if address:
        _show_token()
    try:
        import ray
    except ImportError:
        raise UserError("--on ray: needs Ray; pip install 'scalecurve[ray]'") from None
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address:
            ray.init(address=f"ray://{address}" if address.endswith(CLIENT_PORT) else address, **quiet)
        else:
            try:
                ray.init(address="auto", **quiet)
            except ConnectionError:
                ray.init(address="local", include_dashboard=False, object_store_memory=STORE_BYTES, **quiet)
    except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
        where = f"ray://{address}" if address else "ray"
        said = one_line(error, 160)
        raise UserError(f"--on {where}: cannot be reached ({said}); start it with `ray start --head`") from None
    try:
        yield ray
    finally:
        ray.shutdown()


@dataclass(slots=True, eq=False)
class _Queue:
    """What is left to do of one rung."""

    job: ModelRun
    needs: Resources
    opened: Opened | None = None
    waiting: deque[Part] = field(default_factory=deque)
    actors: int = 0
    most_actors: float = float("inf")
    begun: bool = False
    closed: bool = False
    deaths: Counter[Part | None] = field(default_factory=Counter)
    asked: set[int] = field(default_factory=set)

    @property
    def finished(self) -> bool:
        return self.closed or (self.opened is not None and not self.waiting and not self.actors)

    @property
    def left(self) -> float:
        """Work that no actor has in hand."""
        if self.opened is None:
            return sum(task.n_questions for task in self.job.plan.tasks) * weight(self.job.rung)
        return sum(map(self.job.work, self.waiting))

    @property
    def wants_an_actor(self) -> bool:
        """Another actor costs a loading of the model, so there must be some parts for it."""
        if self.closed or self.actors >= self.most_actors:
            return False
        if self.opened is None:
            return self.actors == 0
        return len(self.waiting) > 2 * self.actors


@dataclass(slots=True, eq=False)
class _ActorState:
    """An actor as the driver sees it: its queue and what it has in hand. ``place`` is None until it runs."""

    handle: Any
    needs: Resources
    place: ActorHost | None = None
    queue: _Queue | None = None
    part: Part | None = None


class _Dispatcher:
    """Gives parts to actors and takes in what comes back, until nothing is left to do."""

    def __init__(self, ray: Any, jobs: Sequence[ModelRun], listener: Listener, changed: Callable[[], None]) -> None:
        self.ray, self.listener, self.changed = ray, listener, changed
        totals = self._nodes()
        cpus = min((total.cpus for total in totals), default=1.0)
        device = jobs[0].plan.study.device
        has_gpus = device != "cpu" and any(total.gpus for total in totals)
        self.queues = [_Queue(job, resources_of(job.rung, node_cpus=cpus, has_gpus=has_gpus)) for job in jobs]
        for queue in self.queues:
            if queue.job.rung.backend == "endpoint":
                queue.most_actors = 1  # the server's own concurrency is the rung's to say
        self.plan = ray.put(jobs[0].plan)
        self.actors: list[_ActorState] = []
        self.calls: dict[Any, tuple[_ActorState, str]] = {}
        self.here = this_place()
        self.false_starts = 0
        self.told: set[str] = set()

    def run(self) -> None:
        try:
            while not all(queue.finished for queue in self.queues):
                self._hire()
                ready, _ = self.ray.wait(list(self.calls), timeout=WAIT_SECONDS) if self.calls else ([], [])
                for call in ready:
                    self._hear(call)
                self.changed()
        finally:
            for actor in self.actors:
                self.ray.kill(actor.handle)

    # ── Seats ────────────────────────────────────────────────────────────────────────────────────────────────
    def _hire(self) -> None:
        """Ask for actors where they are wanted. Of those that need the same, one at a time waits for room, so that the
        queue it will serve is chosen when there is room."""
        for needs in {queue.needs for queue in self.queues}:
            if any(actor.place is None and actor.needs == needs for actor in self.actors):
                continue
            queue = self._neediest(needs)
            while queue and not self._fits(needs):
                error = UserError(f"{queue.job.rung.name}: no node of the cluster has {needs}; see options.resources")
                self._close(queue, error)
                queue = self._neediest(needs)
            if queue:
                how = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "max_restarts": 0}
                actor = _ActorState(self.ray.remote(**how)(Actor).remote(self.plan), needs)
                self.actors.append(actor)
                self._call(actor, "where")

    def _neediest(self, needs: Resources) -> _Queue | None:
        """The queue with most work an actor, of those that want one with these needs."""
        wanting = [queue for queue in self.queues if queue.wants_an_actor and queue.needs == needs]
        return max(wanting, key=lambda queue: queue.left / (queue.actors + 1), default=None)

    def _nodes(self) -> list[Resources]:
        """What each living node has in all."""
        alive = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return [Resources(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in alive if node.get("CPU")]

    def _fits(self, needs: Resources) -> bool:
        return any(needs.cpus <= node.cpus and needs.gpus <= node.gpus for node in self._nodes())

    def _assign(self, actor: _ActorState) -> None:
        """Give an actor that has nothing in hand its next part, or another model, or let it go."""
        queue = actor.queue
        if queue and queue.waiting and not queue.closed:
            actor.part = queue.waiting.popleft()
            if actor.part.task not in queue.asked:
                queue.asked.add(actor.part.task)
                task = queue.job.plan.tasks[actor.part.task]
                self.listener.task(queue.job.rung.name, task.ref, task.n_questions)
            self._call(actor, "compute", actor.part)
            return
        self._release(actor)
        queue = self._neediest(actor.needs)
        if queue is None:
            self.actors.remove(actor)
            self.ray.kill(actor.handle)
            return
        actor.queue = queue
        queue.actors += 1
        if not queue.begun:
            queue.begun = True
            self.listener.rung(queue.job.rung.name)
        tokens = queue.opened.batch_tokens if queue.opened else queue.job.state.record.batch_tokens
        self._call(actor, "open", queue.job.family, queue.job.rung, tokens)

    def _release(self, actor: _ActorState) -> None:
        if actor.queue:
            actor.queue.actors -= 1
        actor.queue = actor.part = None

    def _call(self, actor: _ActorState, method: str, *arguments: Any) -> None:
        self.calls[getattr(actor.handle, method).remote(*arguments)] = actor, method

    # ── What comes back ──────────────────────────────────────────────────────────────────────────────────────
    def _hear(self, call: Any) -> None:
        actor, method = self.calls.pop(call)
        try:
            value = self.ray.get(call)
        except self.ray.exceptions.RayTaskError as error:
            self._refused(actor, error.cause)
        except self.ray.exceptions.RayError as error:
            self._lost(actor, error)
            return
        else:
            if method == "where":
                self._placed(actor, value)
            elif method == "open":
                self._opened(actor, value)
            else:
                self._computed(actor, value)
        if actor in self.actors:
            self._assign(actor)

    def _placed(self, actor: _ActorState, place: ActorHost) -> None:
        actor.place, self.false_starts = place, 0
        if place.scalecurve != self.here.scalecurve:
            raise UserError(
                f"--on ray: {place.host} has scalecurve {place.scalecurve}, this machine {self.here.scalecurve}; "
                "install the same version on all nodes"
            )
        mine = self.here.libraries
        other = [f"{name} {version}" for name, version in place.libraries.items() if mine.get(name) != version]
        if other and place.host not in self.told:
            self.told.add(place.host)
            self.listener.note(f"{place.host}: has {', '.join(other)}, unlike this machine; last digits may differ")

    def _opened(self, actor: _ActorState, opened: Opened) -> None:
        queue = actor.queue
        assert queue is not None
        if queue.opened is None:
            queue.opened = opened
            queue.job.begin(opened, self.listener)
            for at in range(len(queue.job.plan.tasks)):
                queue.waiting.extend(queue.job.missing(at, self.listener))
        elif queue.opened.fingerprint != opened.fingerprint:
            where = actor.place.host if actor.place else "a node"
            error = UserError(f"{queue.job.rung.name}: {where} has other weights than the node that began")
            if queue.actors > 1:  # those that have the first weights go on
                queue.most_actors = queue.actors - 1
                self.listener.note(str(error))
                self._release(actor)
            else:
                self._close(queue, error)

    def _computed(self, actor: _ActorState, done: Any) -> None:
        assert actor.queue is not None
        assert actor.part is not None
        part, actor.part = actor.part, None
        actor.queue.job.keep(part, done, self.listener)

    def _refused(self, actor: _ActorState, error: Exception) -> None:
        """The model could not be opened, or a part of a task not be computed."""
        queue, part = actor.queue, actor.part
        assert queue is not None
        actor.part = None
        if part is None:
            self._close(queue, error)
        else:
            self._close_task(queue, part.task, error)

    def _lost(self, actor: _ActorState, error: Exception) -> None:
        """An actor has died: what it had in hand goes to another one, unless actors keep dying over it."""
        queue, part, place = actor.queue, actor.part, actor.place
        self._release(actor)
        self.actors.remove(actor)
        if place is None or queue is None:
            self.false_starts += 1
            if self.false_starts >= MOST_FALSE_STARTS:
                raise UserError(f"--on ray: no process can be started ({' '.join(str(error).split())[:160]})")
            return
        what = queue.job.plan.tasks[part.task].ref if part else "loading"
        self.listener.note(
            f"{queue.job.rung.name} × {what}: its process on {place.host} ended; it is done again elsewhere"
        )
        if queue.closed:
            return
        queue.deaths[part] += 1
        ended = RuntimeError(f"its process ended {queue.deaths[part]} times; was there too little memory?")
        if part is None and queue.deaths[part] >= MOST_DEATHS:
            self._close(queue, ended)
        elif part is not None and queue.deaths[part] >= MOST_DEATHS:
            self._close_task(queue, part.task, ended)
        elif part is not None:
            queue.waiting.appendleft(part)

    def _close(self, queue: _Queue, error: Exception) -> None:
        queue.closed = True
        queue.waiting.clear()
        if queue.opened is None:
            queue.job.fail(error, self.listener)
            return
        for at in range(len(queue.job.plan.tasks)):
            queue.job.fail_task(at, error)
        self.listener.note(f"{queue.job.rung.name}: {error}")

    def _close_task(self, queue: _Queue, at: int, error: Exception) -> None:
        queue.waiting = deque(part for part in queue.waiting if part.task != at)
        queue.job.fail_task(at, error, self.listener)
