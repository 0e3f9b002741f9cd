"""A stored run judged for two systems: fronts of accuracy against tokens at every rung, and whether control emerges."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalecurve.errors import UserError
from scalecurve.metrics.ranking import auroc, risk_coverage
from scalecurve.routing.answer_pairs import Pairs, parameters, read_run_pairs, run_frame
from scalecurve.routing.answerability import fitted_thresholds
from scalecurve.routing.controllers import Controller, Controllers, Gate
from scalecurve.routing.fit import budgeted, calibrated, learned, thrifty
from scalecurve.routing.measures import FlipMatrix, calibration_error, flip_matrix
from scalecurve.routing.replay import (
    ItemResults,
    MeanInterval,
    ReplayOutcome,
    baselines,
    equal_work,
    mixed,
    outcome,
    replay,
)
from scalecurve.store import RunDirectory
from scalecurve.store.atomic import write_bytes

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
KINDS = ("thrifty", "learned", "calibrated")
BUDGETS = (0.2, 0.4, 0.6, 0.8)
"""Of the tokens of always slow: budgets at which the learned controller is drawn into the front."""


@dataclass(frozen=True, slots=True)
class RungReport:
    """One rung on its held-out half of the items.

    ``control``: AUROC with which the learned controller's expected gain tells the items that slow thinking fixes from
    all others. ``doubt``: the same of 1 − confidence. ``calibration``: expected calibration error of the fast
    confidence as it is, of the controller's P(fast right), and of its P(right) for the answer that stays.
    ``selective``: accuracy of the surest 80 % of the answers that stay; ``risk``: area under risk and coverage.
    """

    rung: str
    params: float | None
    n: int
    flips: FlipMatrix
    outcomes: tuple[ReplayOutcome, ...]
    control: MeanInterval
    doubt: MeanInterval
    calibration: tuple[float, float, float]
    selective: float
    risk: float


def evaluate_run(
    run: RunDirectory,
    *,
    fast: str = "direct",
    slow: str = "chain_of_thought",
    metric: str | None = None,
    rungs: Sequence[str] = (),
    seed: int = 0,
    replicates: int = 2000,
) -> list[RungReport]:
    """Controllers fitted on one half of each rung's items and replayed on the other, by ascending scale.

    Beside them: what needs no controller (``baselines``), the run's other strategies, and the larger rungs answering
    fast, always or as often as the thrifty controller's work pays for. ``UserError`` where no rung has both arms.
    """
    stored = _Stored(run, run_frame(run, metric), fast, slow, metric)
    return [_report(stored, rung, seed, replicates) for rung in rungs or stored.rungs()]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A run's stored answers as ``run_frame`` gives them, and which of its strategies are fast and slow."""

    run: RunDirectory
    frame: pl.DataFrame
    fast: str
    slow: str
    metric: str | None

    def rungs(self) -> list[str]:
        """The rungs with both arms, by parameters where they are known; ``UserError`` where there are none."""
        both = [set(self.frame.filter(strategy=name)["rung"].unique()) for name in (self.fast, self.slow)]
        order = [rung for rung in self.frame["rung"].unique(maintain_order=True) if rung in both[0] & both[1]]
        if not order:
            asked = f"both {self.fast} and {self.slow}"
            raise UserError(f"{self.run.path}: no rung was asked {asked}; run a study with both strategies")
        sizes = self.sizes()
        return sorted(order, key=lambda rung: sizes.get(rung, 0.0))

    def sizes(self) -> dict[str, float]:
        """Parameters of each rung; empty where they are not known."""
        try:
            return parameters(self.run)
        except UserError:
            return {}

    def pairs(self, rung: str, slow: str = "", slow_rung: str | None = None) -> Pairs:
        """``read_run_pairs`` of ``rung``: its fast answers beside its slow ones, or others at their place."""
        slow = slow or self.slow
        return read_run_pairs(self.run, rung, self.fast, slow, self.metric, slow_rung=slow_rung, frame=self.frame)

    def at(self, items: Pairs, rung: str, slow: str, slow_rung: str | None = None) -> Pairs | None:
        """``pairs`` at exactly the items of ``items``; None where it lacks one, or there are none."""
        try:
            other = self.pairs(rung, slow, slow_rung)
        except UserError:
            return None
        place = {str(name): at for at, name in enumerate(other.item)}
        if not all(str(name) in place for name in items.item):
            return None
        return other.take(np.asarray([place[str(name)] for name in items.item], int))


def _report(stored: _Stored, rung: str, seed: int, replicates: int) -> RungReport:
    pairs = stored.pairs(rung)
    if len(pairs) < 20:
        raise UserError(f"{stored.run.path}: {rung} has {len(pairs)} pairs; give 20 or more, so that each half has ten")
    development, held_out = pairs.halves(seed)
    whole = learned(development)
    saving = thrifty(development)
    budget = float(development.slow_cost.mean())
    controllers = [saving, whole, calibrated(development)]
    controllers += [replace(budgeted(whole, development, budget * part), label=f"learned, at most {part:.0%} of slow")
                    for part in BUDGETS]  # fmt: skip
    found = [replay(one, held_out, seed=seed, replicates=replicates) for one in controllers]
    found += baselines(held_out, development, found[0].deferred, seed=seed, replicates=replicates)
    for way in _others(stored, rung, held_out, found[0].work.value):
        found.append(outcome(way, held_out, seed=seed, replicates=replicates))
    fixes = (held_out.slow > held_out.fast).astype(float)
    doubt = 1 - np.nan_to_num(held_out.signals.confidence, nan=0.0)
    stays, sure = _stays(whole, held_out)
    coverage, accuracy, area = risk_coverage(sure, stays)
    raw = np.isfinite(held_out.signals.confidence)
    return RungReport(
        rung=rung,
        params=stored.sizes().get(rung),
        n=len(held_out),
        flips=flip_matrix(held_out.fast, held_out.slow),
        outcomes=tuple(found),
        control=_auroc(whole.gain(held_out.signals), fixes, seed),
        doubt=_auroc(doubt, fixes, seed),
        calibration=(
            calibration_error(held_out.signals.confidence[raw], held_out.fast[raw]) if raw.any() else float("nan"),
            calibration_error(whole.policy.right(held_out.signals), held_out.fast),
            calibration_error(sure, stays),
        ),
        selective=float(accuracy[int(0.8 * len(coverage)) - 1]),
        risk=area,
    )


def _others(stored: _Stored, rung: str, held_out: Pairs, work: float) -> list[ItemResults]:
    """Other strategies of the rung, and larger rungs answering fast, on exactly the held-out items."""
    ways = []
    strategies = stored.frame.filter(rung=rung)["strategy"].unique().sort()
    for strategy in (name for name in strategies if name not in (stored.fast, stored.slow, "dual")):
        other = stored.at(held_out, rung, strategy)
        if other is not None:
            ways.append(mixed(f"always {strategy}", other, np.ones(len(other))))
    sizes = stored.sizes()
    for larger in sorted((name for name in sizes if sizes[name] > sizes.get(rung, np.inf)), key=sizes.__getitem__):
        other = stored.at(held_out, rung, stored.fast, larger)
        if other is not None:
            ways.append(mixed(f"always {larger}", other, np.ones(len(other))))
            ways.append(equal_work(f"{larger} at equal work", held_out, other, work))
    return ways


def _stays(controller: Controller, items: Pairs) -> tuple[Floats, Floats]:
    """Whether the answer that stays is right, and how sure the controller is of it."""
    policy, defer = controller.policy, controller.defer(items.signals)
    take, sure = policy.settle(items.signals, items.after)
    right = np.where(defer & take, items.slow, items.fast)
    return right, np.where(defer, sure, policy.right(items.signals))


def _auroc(score: Floats, positive: Floats, seed: int, replicates: int = 500) -> MeanInterval:
    """AUROC with a 95% bootstrap interval over items; NaN where there is nothing to tell apart."""
    rng = np.random.default_rng((seed, len(score)))
    draws = (rng.integers(len(score), size=len(score)) for _ in range(replicates))
    copies = np.asarray([auroc(score[drawn], positive[drawn]) for drawn in draws])
    copies = copies[np.isfinite(copies)]
    low, high = np.quantile(copies, (0.025, 0.975)) if len(copies) else (float("nan"),) * 2
    return MeanInterval(auroc(score, positive), float(low), float(high))


# ── Fitting for use ──────────────────────────────────────────────────────────────────────────────────────────
def fit_run(
    run: RunDirectory,
    *,
    kind: str = "thrifty",
    fast: str = "direct",
    slow: str = "chain_of_thought",
    metric: str | None = None,
    tokens: float | None = None,
    larger: str = "",
    false_refusal: float | None = None,
) -> Controllers:
    """Controllers of every rung with both arms, fitted on all of its items, for use on other questions.

    ``kind``: thrifty (fewest tokens at the accuracy of the better of fast and slow), learned (greatest accuracy),
    calibrated. ``tokens``: budget of generated tokens a mean question. ``larger``: the rung that smaller ones may ask.
    A run that was also asked with the strategy ``gate`` gives each rung its gate; ``false_refusal`` is the share of
    answerable questions that a gate may refuse (None: the greatest balanced accuracy).
    """
    if kind not in KINDS:
        raise UserError(f"--kind: {kind!r} is not known; use {', '.join(KINDS)}")
    stored = _Stored(run, run_frame(run, metric), fast, slow, metric)
    rungs, sizes = stored.rungs(), stored.sizes()
    if larger and larger not in sizes:
        raise UserError(
            f"--larger: {larger!r} is no rung of {run.path} with known parameters; it has {', '.join(sizes)}"
        )
    fits = {"thrifty": thrifty, "learned": learned, "calibrated": calibrated}
    made = {}
    for rung in rungs:
        pairs = stored.pairs(rung)
        controller = fits[kind](pairs)
        if tokens is not None:
            controller = budgeted(controller, pairs, tokens)
        if larger and sizes[larger] > sizes.get(rung, np.inf):
            up = stored.pairs(rung, fast, larger)
            way = calibrated(up) if kind == "calibrated" else learned(up)
            controller = replace(controller, larger=larger, larger_policy=way.policy)
        made[rung] = controller
    return Controllers(made, fast, slow, _gates(run, rungs, false_refusal), run.path.name)


def save_controllers(controllers: Controllers, path: Path) -> None:
    """Write the file that ``load_controllers`` reads, whole or not at all."""
    try:
        write_bytes(path, controllers.to_json().encode())
    except OSError as error:
        raise UserError(f"--out: {path} cannot be written: {error.strerror}") from None


def _gates(run: RunDirectory, rungs: Sequence[str], false_refusal: float | None) -> dict[str, Gate]:
    """The gate of each rung, fitted on all items that the strategy ``gate`` judged; none where it judged none."""
    fitted = fitted_thresholds(run, false_refusal=false_refusal)
    settings = tomllib.loads(run.study.read_text(encoding="utf-8")).get("settings", {})
    dismissal = str(settings.get("gate_dismissal", ""))
    return {
        rung: Gate(one.value, dismissal, one.false_refusal, one.recall, one.n)
        for rung, one in fitted.items()
        if rung in rungs
    }
