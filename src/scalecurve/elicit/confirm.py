"""One task: each model's search, the best prompt for all models, and both confirmed on held-out questions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from scalecurve.elicit import result
from scalecurve.elicit.bench import Bench
from scalecurve.elicit.budget import SearchBudget
from scalecurve.elicit.halving import LEAST_ITEMS
from scalecurve.elicit.search import Say, Winner, search
from scalecurve.elicit.space import DEFAULT, Candidate, Space, candidates
from scalecurve.elicit.split import split
from scalecurve.errors import UserError
from scalecurve.metrics import METRICS, bounds
from scalecurve.models import Model
from scalecurve.study.plan import Plan
from scalecurve.study.task_plan import TaskPlan
from scalecurve.types import Example, Rung

CHOOSE, COMPARE = 0.6, 0.1  # of the budget: for each model's own search, and to compare the models' winners
CHUNK = 64  # held-out questions asked together

Open = Callable[[Rung], Model]
Phase = AbstractContextManager[SearchBudget]


class TaskJob:
    """Everything that is asked of one task; see the module's description."""

    def __init__(self, plan: Plan, task: TaskPlan, space: Space, out: Path, say: Say) -> None:
        self.plan, self.out, self.say = task, out, say
        self.seed = plan.study.every_seed[0]
        self.metric = plan.study.metrics[0] if plan.study.metrics else task.task.preferred_metric
        definition = METRICS.get(self.metric)
        if definition is None or definition.corpus:
            raise UserError(f"task {task.ref}: {self.metric} has no score of single answers; give another --metric")
        self.higher_is_better = definition.higher_is_better
        self.rungs = list(plan.rungs())
        self.split = split(task.task, max(space.shots), self.seed, plan.study.limit)
        choice = definition.needs == {"options"}
        self.candidates = candidates(task.task, space, self.split.shots, choice=choice)
        families = {family for family, _ in self.rungs}
        self.names = [rung.name if len(families) == 1 else f"{family}:{rung.name}" for family, rung in self.rungs]
        self.common_file = f"{result.file_name(task.ref)}-common.toml"

    def run(self, open_model: Open, budget: SearchBudget, share: float) -> result.TaskGains:
        """Search and confirm within ``share`` of what is left of ``budget``."""
        mine = budget.share(share, share)
        benches = [self._bench(partial(open_model, rung)) for _, rung in self.rungs]
        phases = self._phases(mine)
        choices = []
        for bench, name in zip(benches, self.names, strict=True):
            self.say(f"{name} × {self.plan.ref}: {len(self.candidates)} prompts")
            with next(phases) as part:
                choices.append(search(bench, self.candidates, self.split.development, part, self.seed, self.say))
            self.say(f"  chosen: {choices[-1].winner.name}")
        common = self._common(benches, choices, phases)
        confirmed = []
        for bench, choice in zip(benches, choices, strict=True):
            with next(phases) as part:
                confirmed.append(self._confirm(bench, [DEFAULT, choice.winner, common], part))
        budget.spend(mine.spent_tokens, mine.spent_seconds)
        return self._gains(benches, choices, common, confirmed)

    def _bench(self, open_model: Callable[[], Model]) -> Bench:
        folder = self.out / "rounds"
        return Bench(self.plan.task, self.metric, self.higher_is_better, self.seed, folder, open_model, self.say)

    def _phases(self, budget: SearchBudget) -> Iterator[Phase]:
        """A part of the budget for each step to come. What a step leaves over goes to those after it.

        Models share tokens alike, and time by their size.
        """
        several = len(self.rungs) > 1
        sizes = [1 + (rung.params_non_embedding or rung.params_total or 0) / 1e6 for _, rung in self.rungs]
        steps = [CHOOSE, *([COMPARE] if several else []), 1 - CHOOSE - COMPARE * several]
        weights = [(step / len(sizes), step * size / sum(sizes)) for step in steps for size in sizes]
        for at in range(len(weights)):
            tokens, seconds = (weights[at][i] / sum(weight[i] for weight in weights[at:]) for i in (0, 1))
            yield _part(budget, tokens, seconds)

    def _common(self, benches: Sequence[Bench], choices: Sequence[Winner], phases: Iterator[Phase]) -> Candidate:
        """Of the winners and the default, the one of best mean score over the models, where they were chosen."""
        if len(benches) == 1:
            return choices[0].winner
        pool = list({candidate.name: candidate for candidate in (DEFAULT, *(c.winner for c in choices))}.values())
        scores: dict[str, list[float]] = {candidate.name: [] for candidate in pool}
        for bench, choice in zip(benches, choices, strict=True):
            with next(phases) as part:
                cost = sum(bench.mean_tokens(c, choice.items) or bench.foreseen(c, choice.items[0]) for c in pool)
                items = choice.items[
                    : max(LEAST_ITEMS, int(min(part.left(bench.pace) / max(cost, 1), len(choice.items))))
                ]
                if bench.ask(pool, items, part):
                    for candidate in pool:
                        scores[candidate.name].append(bench.rank(candidate, items)[0])
        means = {name: math.fsum(values) / max(len(values), 1) for name, values in scores.items()}
        found = max(pool, key=lambda candidate: means[candidate.name])
        self.say(f"best for all: {found.name}")
        return found

    def _confirm(self, bench: Bench, wanted: Sequence[Candidate], budget: SearchBudget) -> list[Example]:
        """Ask ``wanted`` held-out questions, as many as the budget pays for; how many never depends on scores."""
        distinct = list({candidate.name: candidate for candidate in wanted}.values())
        items, asked = self.split.held_out, 0
        cost = sum(bench.mean_tokens(c, self.split.development) or bench.foreseen(c, items[0]) for c in distinct)
        chunk = CHUNK
        while asked < len(items) and chunk:
            chunk = int(min(chunk, len(items) - asked, budget.left(bench.pace) / max(cost, 1)))
            if chunk and bench.ask(distinct, items[asked : asked + chunk], budget):
                asked += chunk
                cost = sum(bench.mean_tokens(candidate, items[:asked]) for candidate in distinct)
            else:
                chunk //= 2
        self.say(f"  confirmed on {asked} held-out questions")
        return list(items[:asked])

    def _gains(
        self, benches: Sequence[Bench], choices: Sequence[Winner], common: Candidate, confirmed: list[list[Example]]
    ) -> result.TaskGains:
        chosen = [choice.items for choice in choices]
        longest = max(chosen, key=len)
        own = result.gains(benches, DEFAULT, [choice.winner for choice in choices], confirmed, chosen)
        shared = result.gains(benches, DEFAULT, [common] * len(benches), confirmed, chosen)
        rungs = []
        for at, (name, (_, rung)) in enumerate(zip(self.names, self.rungs, strict=True)):
            bench = benches[at]
            texts = [mark.found for mark in bench.known(DEFAULT, confirmed[at]) if mark.found is not None]
            rungs.append(
                result.RungGain(
                    rung=name,
                    params=rung.params_non_embedding or rung.params_total,
                    n=len(confirmed[at]),
                    chosen_on=len(choices[at].items),
                    rounds=choices[at].rounds,
                    default=result.mean_score(bench, DEFAULT, confirmed[at]),
                    default_found=sum(texts) / len(texts) if texts else None,
                    default_tokens=bench.mean_tokens(DEFAULT, confirmed[at]),
                    own=own[at],
                    common=shared[at],
                )
            )
            if len(benches) > 1:
                result.write_prompt(self.out, self.plan.ref, name, choices[at].winner, longest)
        result.write_prompt(self.out, self.plan.ref, "common", common, longest)
        chance, _ = bounds(self.plan.task, self.metric)
        return result.TaskGains(self.plan.ref, self.metric, chance, len(self.candidates), tuple(rungs))


@contextmanager
def _part(whole: SearchBudget, tokens: float, seconds: float) -> Iterator[SearchBudget]:
    """These parts of what is left of ``whole`` when the step begins; what it spends is spent of ``whole``."""
    part = whole.share(tokens, seconds)
    try:
        yield part
    finally:
        whole.spend(part.spent_tokens, part.spent_seconds)
