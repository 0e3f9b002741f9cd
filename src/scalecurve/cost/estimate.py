"""From a plan to what it will take: counts a rung, measured rates or those of smaller rungs, hours and money."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scalecurve.cost.count import CountingModel, Letters, Remembering, Replay, Tally, Tokens
from scalecurve.cost.pilot import FEATURES, Floats, Pilot, Texts, predicted, run_pilot
from scalecurve.cost.prices import Price
from scalecurve.runner.part import conversations, part_size
from scalecurve.strategies import FewShotExample
from scalecurve.strategies.driver import drive
from scalecurve.study.plan import Plan
from scalecurve.study.task_plan import Arm, TaskPlan, cells_of
from scalecurve.types import Rung

MOST_COUNTED = 512  # questions of an arm that are tokenized; of more, the first so many stand for all
LOCAL = ("transformers", "gguf")
PILOT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class RungEstimate:
    """What a rung will take. ``tally`` counts its work; ``flops`` is None where the parameters are not known, and
    ``seconds`` where no rate is.

    ``rate`` says where the seconds come from: ``measured``, ``scaled`` (from smaller rungs, by FLOPs) or "".
    ``costs``: executor → money, None where it cannot be told.
    """

    family: str
    rung: str
    cells: int
    questions: int
    tally: Tally
    flops: float | None
    seconds: float | None
    rate: str
    costs: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class StudyEstimate:
    """What a study will take: each rung, and ``seconds`` of all with ``workers`` rungs at a time."""

    rungs: tuple[RungEstimate, ...]
    workers: int
    seconds: float | None
    exact: bool  # every question was tokenized

    def total(self, name: str) -> float | None:
        """Of an executor, the money for all rungs."""
        costs = [rung.costs[name] for rung in self.rungs]
        return None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None)


def estimate(
    plan: Plan,
    prices: Sequence[Price] = (),
    *,
    pilot_seconds: float = PILOT_SECONDS,
    workers: int = 1,
    note: Callable[[str], None] = lambda text: None,
) -> StudyEstimate:
    """Requests, tokens, FLOPs, seconds and money of every rung of ``plan``.

    ``pilot_seconds``: how long models may be tried, the smallest first (0: not at all; then texts count as long as they
    may become, and no time is told). Models behind servers and of the Hub are not tried. Seconds are those of
    answering; scoring, judging and the report come on top.
    """
    known = _tokens(plan)
    texts = Texts()
    pilots = _pilots(plan, known, texts, pilot_seconds, note)
    rates = _rates(plan, pilots)
    exact = True
    rungs = []
    for at, (family, rung) in enumerate(plan.rungs()):
        size = part_size(plan.study.part_size, _size(rung, pilots.get(at))[1])
        note(f"{rung.name}: counting tokens")
        tally, every = count(plan, rung, known[at], texts, size)
        exact &= every
        non_embedding, total = _size(rung, pilots.get(at))
        flops = tally.flops(non_embedding, total - non_embedding) if total else None
        opening = pilots[at].opening if at in pilots else 0.0
        seconds = opening + predicted(tally, rates[at]) if at in rates else None
        rungs.append(
            RungEstimate(
                family=family,
                rung=rung.name,
                cells=sum(len(cells_of(family, rung, task)) for task in plan.tasks),
                questions=sum(task.n_questions for task in plan.tasks),
                tally=tally,
                flops=flops,
                seconds=seconds,
                rate="measured" if at in pilots else "scaled" if at in rates else "",
                costs={price.name: price.cost(flops, seconds, tally.sent, tally.written) for price in prices},
            )
        )
    whole = side_by_side([rung.seconds for rung in rungs], workers)
    return StudyEstimate(tuple(rungs), workers, whole, exact)


def count(plan: Plan, rung: Rung, tokens: Tokens, texts: Texts, size: int) -> tuple[Tally, bool]:
    """The work of all questions for ``rung``, in parts of ``size``; and whether all were counted."""
    whole, exact = Tally(), True
    for task in plan.tasks:
        for arm in task.arms:
            queries = task.queries[arm]
            counted = min(len(queries), max(MOST_COUNTED // size, 1) * size)
            exact &= counted == len(queries)
            if counted:
                stretches = [queries[start : min(start + size, counted)] for start in range(0, counted, size)]
                replay = texts.replay(rung.name, task.ref, arm)
                whole.add(_count_arm(plan, task, arm, rung.name, stretches, tokens, replay), len(queries) / counted)
    return whole, exact


def _count_arm(
    plan: Plan,
    task: TaskPlan,
    arm: Arm,
    rung: str,
    stretches: Sequence[Sequence[FewShotExample]],
    tokens: Tokens,
    replay: Replay,
) -> Tally:
    tally = Tally()
    for stretch in stretches:
        model = CountingModel(tokens, replay)
        drive(model, [query.example.id for query in stretch], conversations(plan, task, arm, rung, stretch))
        tally.add(model.tally)
    return tally


def _tokens(plan: Plan) -> dict[int, Tokens]:
    """Rung number → its tokenizer, one for all rungs that have the same; four letters a token where it is not here."""
    known: dict[int, Tokens] = {}
    alike: dict[str, Tokens] = {}
    for at, (_, rung) in enumerate(plan.rungs()):
        key, tokens = ("letters", Letters()) if rung.backend not in (*LOCAL, "vllm") else _tokenizer(rung)
        known[at] = alike.setdefault(key, tokens)
    return known


def _tokenizer(rung: Rung) -> tuple[str, Tokens]:
    """(identity, tokenizer) of a rung whose files are here or on the Hub."""
    from scalecurve.models.fingerprint import fingerprint
    from scalecurve.models.local import open_tokens

    encoder = open_tokens(rung)
    folder = Path(rung.location).expanduser()
    files = sorted(folder.glob("tokenizer*")) if folder.is_dir() else []
    said = {"length": encoder.max_length, "bos": encoder.add_bos, "where": "" if files else rung.location}
    return fingerprint(files, said), Remembering(encoder)


def _pilots(
    plan: Plan, known: dict[int, Tokens], texts: Texts, budget: float, note: Callable[[str], None]
) -> dict[int, Pilot]:
    """Rung number → its pilot, the smallest first, as long as the budget lasts by what the last one took."""
    pilots: dict[int, Pilot] = {}
    if budget <= 0:
        return pilots
    rungs = [rung for _, rung in plan.rungs()]
    order = sorted((at for at, rung in enumerate(rungs) if _can_be_tried(rung)), key=lambda at: _size(rungs[at])[1])
    left, before = budget, 0
    for place, at in enumerate(order):
        size, each = _size(rungs[at])[1], left / (len(order) - place)
        if before and size > 2 * before and each * size / before > 4 * left:
            break  # it would take far more than what is left
        note(f"{rungs[at].name}: trying a few examples")
        pilots[at] = run_pilot(plan, rungs[at], known[at], texts, each)
        left -= pilots[at].opening + sum(pilots[at].seconds)
        before = size
        if left <= 0:
            break
    return pilots


def _can_be_tried(rung: Rung) -> bool:
    """Whether its weights are on this machine."""
    on_disk = rung.backend == "gguf" or Path(rung.location).expanduser().is_dir()
    return rung.backend == "mock" or (rung.backend in LOCAL and on_disk)


def _size(rung: Rung, pilot: Pilot | None = None) -> tuple[int, int]:
    """(non-embedding, total) parameters, zeros where unknown."""
    measured = pilot.parameters if pilot else (0, 0)
    non_embedding = rung.params_non_embedding or measured[0] or rung.params_total or 0
    return non_embedding, rung.params_total or measured[1] or non_embedding


def _rates(plan: Plan, pilots: dict[int, Pilot]) -> dict[int, Floats]:
    """Rung number → seconds of each feature: measured, or for models of known size that were not tried a line in
    parameters (through real ones: how fast a mock is says nothing of them)."""
    from scipy.optimize import nnls

    measured = {at: pilot.rates() for at, pilot in pilots.items()}
    rates = dict(measured)
    rungs = [rung for _, rung in plan.rungs()]
    tried = [at for at in measured if rungs[at].backend in LOCAL and _size(rungs[at], pilots[at])[0]]
    if not tried:
        return rates
    sizes = np.array([_size(rungs[at], pilots[at])[0] for at in tried], float)
    for at, rung in enumerate(rungs):
        size, line = _size(rung)[0], np.zeros(len(FEATURES))
        if at in rates or rung.backend not in LOCAL or not size:
            continue
        for place in range(len(FEATURES)):
            values = np.array([own[place] for own in (measured[at] for at in tried)])
            basis = np.column_stack([np.ones_like(sizes), sizes / sizes.max()]) if len(sizes) > 1 else sizes[:, None]
            fitted, _ = nnls(basis, values)
            line[place] = fitted[0] + fitted[1] * size / sizes.max() if len(fitted) > 1 else fitted[0] * size
        rates[at] = line
    return rates


def side_by_side(seconds: Sequence[float | None], workers: int) -> float | None:
    """When the last rung ends with ``workers`` at a time, the longest first; None when one is not known."""
    ends = [0.0] * max(1, workers)
    for each in sorted((each for each in seconds if each is not None), reverse=True):
        ends[ends.index(min(ends))] += each
    return None if any(each is None for each in seconds) else max(ends)
