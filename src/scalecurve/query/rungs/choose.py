"""Who answers a call, and how: the options in force, and the rung and strategy they lead to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.query.rungs.abilities import STEPS, measured, tasks_measured, tasks_of
from scalecurve.query.rungs.ladder import Ability, choose, wilson_lower
from scalecurve.query.rungs.models import Models
from scalecurve.query.sql.statement import Value
from scalecurve.types import Ladder, Rung

if TYPE_CHECKING:
    import polars as pl

GOOD_ENOUGH = 0.8
"""What ``model ladder`` asks of a rung when abilities are measured and the query states no demand."""


@dataclass(slots=True, eq=False)
class Budget:
    """Tokens that may be spent where the budget was stated, and those spent so far."""

    tokens: int
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """The USING options in force at a call: the query's, over them its CTE's, over them its own."""

    strategy: str = "direct"
    model: str = ""
    min_confidence: float | None = None
    min_accuracy: float | None = None
    recall: float | None = None
    precision: float | None = None
    delta: float = 0.2
    budget: Budget | None = None
    gate: bool = False
    seed: int = 0
    on_fail: str = ""
    ability: str = ""
    pairs: bool = False

    def over(self, given: Mapping[str, Value]) -> Options:
        """These options with ``given`` over them; a budget starts where it is stated."""
        changes: dict[str, Any] = dict(given)
        if "budget" in changes:
            changes["budget"] = Budget(int(changes["budget"]))
        return replace(self, **changes)

    @property
    def cascades(self) -> bool:
        """Whether a guarantee on recall or precision is asked for."""
        return self.recall is not None or self.precision is not None


@dataclass(frozen=True, slots=True)
class Choice:
    """A rung, the strategies it is asked with (by their names in ``prompts``), and why it was chosen.

    ``strategy`` is what the query says: direct, cot, sc(k) or auto. ``steps`` is the strategy that writes out steps
    ("" if none is used); ``samples`` the most chains of self-consistency. ``proxy`` is the small rung of a cascade.
    """

    rung: Rung
    strategy: str
    why: str
    steps: str = ""
    samples: int = 0
    lower: float | None = None
    proxy: Rung | None = None


@dataclass(frozen=True)
class Chooser:
    """Chooses by the models at hand and what was measured of them."""

    models: Models
    abilities: pl.DataFrame

    def choose(self, options: Options) -> Choice | None:
        """The choice for ``options``; None where no rung is good enough and ``on_fail`` says to abstain."""
        ladder = self.models.ladder("" if options.model == "ladder" else options.model)
        if options.model == "ladder" and len(ladder.rungs) < 2:
            raise UserError(
                f"query: model ladder needs a ladder, but {ladder.family} is one model; give --model LADDER"
            )
        known = self._known(options, ladder)
        demand = options.min_accuracy
        if demand is None and known and len(ladder.rungs) > 1 and not options.cascades:
            demand, options = GOOD_ENOUGH, replace(options, on_fail=options.on_fail or "best")
        found = (
            self._undemanding(options, ladder, known)
            if demand is None
            else self._demanding(options, ladder, known, demand)
        )
        return self._with_proxy(found, ladder, known) if found and options.cascades else found

    def _known(self, options: Options, ladder: Ladder) -> list[Ability]:
        """What is measured of the ladder's rungs on questions like these."""
        tasks = tasks_measured(self.abilities)
        ability = options.ability or (tasks[0] if len(tasks) == 1 else "")
        if not ability:
            if options.min_accuracy is not None:
                known = f"measured: {', '.join(tasks[:8])}" if tasks else "attach a run with --run"
                raise UserError(f"query: min_accuracy needs USING ability 'task', a measured task like this; {known}")
            return []
        found = measured(self.abilities, ability, ladder.family, [rung.name for rung in ladder.rungs])
        # A name that fits no task is rather a slip of the pen than a task not measured yet.
        unknown = bool(tasks) and not tasks_of(self.abilities, ability)
        if not found and (unknown or options.min_accuracy is not None):
            raise UserError(
                f"query: ability {ability!r} of {ladder.family} is not measured without shots in the runs; "
                f"measured: {', '.join(tasks[:8]) or 'nothing'}"
            )
        return found

    def _undemanding(self, options: Options, ladder: Ladder, known: list[Ability]) -> Choice:
        rung = ladder.rungs[-1]
        why = "named" if len(ladder.rungs) == 1 else "the largest rung: no ability is measured"
        if options.cascades and len(ladder.rungs) > 1:
            why = "the largest rung, as oracle"
        return self._asked_with(options, rung, known, why, None)

    def _demanding(self, options: Options, ladder: Ladder, known: list[Ability], demand: float) -> Choice | None:
        fitting = [each for each in known if self._fits(each.strategy, options.strategy)]
        rungs = {rung.name: rung for rung in ladder.rungs}
        try:
            best = choose(fitting, demand)
            why = "cheapest rung with wilson_lo"
        except UserError:
            if options.on_fail == "abstain":
                return None
            if options.on_fail != "best" or not fitting:
                raise
            best = max(fitting, key=lambda each: (wilson_lower(each.correct, each.n), -each.cost))
            why = f"best measured rung (none reaches {demand:g}): wilson_lo"
        lower = wilson_lower(best.correct, best.n)
        why = f"{why} {lower:.3f} ({best.correct}/{best.n}), {best.strategy}"
        if best.strategy in STEPS and options.strategy == "auto":  # measured to be good enough with steps: ask so
            options = replace(options, strategy="cot")
        return self._asked_with(options, rungs[best.rung], known, why, lower)

    def _fits(self, measured_as: str, wanted: str) -> bool:
        """Whether an ability measured with one strategy says something about a query's ``wanted`` strategy."""
        if wanted == "auto":
            return measured_as in ("direct", *STEPS)
        if wanted.startswith("sc("):
            return measured_as == "self_consistency"
        return measured_as == "direct" if wanted == "direct" else measured_as in STEPS

    def _asked_with(self, options: Options, rung: Rung, known: list[Ability], why: str, lower: float | None) -> Choice:
        """Steps are those that were measured to help, else zero-shot chain of thought where the query insists."""
        own = {each.strategy: each for each in known if each.rung == rung.name}
        helping = [name for name in STEPS if name in own and (own[name].uplift_low or 0.0) > 0.0]
        strategy = options.strategy
        if strategy == "auto":
            steps = helping[0] if helping else ""
            why += f"; steps: {steps} helps here" if steps else "; no steps: no measured uplift is surely above 0"
            return Choice(rung, strategy, why, steps, 5 if steps else 0, lower)
        if strategy == "cot":
            steps = next((name for name in (*helping, *STEPS) if name in own), "zero_shot_cot")
            return Choice(rung, strategy, why, steps, 0, lower)
        found = re.fullmatch(r"sc\((\d+)\)", strategy)
        return Choice(rung, strategy, why, "", int(found.group(1)) if found else 0, lower)

    def _with_proxy(self, choice: Choice, ladder: Ladder, known: list[Ability]) -> Choice:
        """The choice as oracle; as proxy the cheapest rung surely better than chance, or the next smaller one.

        None where there is no smaller one.
        """
        at = [rung.name for rung in ladder.rungs].index(choice.rung.name)
        smaller = ladder.rungs[:at]
        if not smaller:
            return choice
        sure = {a.rung for a in known if a.strategy == "direct" and wilson_lower(a.correct, a.n) > a.chance}
        proxy = next((rung for rung in smaller if rung.name in sure), smaller[-1])
        return replace(choice, proxy=proxy)
