"""From a Study to a Plan: names become tasks, ladders, metrics and strategies, each checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256

from scalecurve.errors import UserError
from scalecurve.strategies.resolve import BUDGET, TAKES, Way, find_way
from scalecurve.strategies.shots import FewShotExample
from scalecurve.study.study import ModelEntry, Study, TaskEntry
from scalecurve.tasks.registry import find_format
from scalecurve.types import Cell, Ladder, Rung, Task
from scalecurve.util.text import did_you_mean


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of asking a task: a cell without its rung."""

    strategy: str
    shots: int
    seed: int


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """A leaf task, the questions of each arm it is asked in, and the metrics its answers get.

    ``ref`` is its name in cells and tables, ``named`` the study's reference, which may name other leaves too.
    """

    ref: str
    named: str
    task: Task
    queries: Mapping[Arm, Sequence[FewShotExample]]
    metrics: tuple[str, ...]
    shot_policy: str

    @property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(self.queries)

    @property
    def n_questions(self) -> int:
        """Questions over all arms."""
        return sum(map(len, self.queries.values()))

    @property
    def longest(self) -> int:
        """Questions of the arm that has most."""
        return max(map(len, self.queries.values()))


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a study asks: every task plan of every rung, and the ways of asking by the name cells have for them."""

    study: Study
    ladders: tuple[Ladder, ...]
    tasks: tuple[TaskPlan, ...]
    ways: Mapping[str, Way]

    def rungs(self) -> Iterator[tuple[str, Rung]]:
        """(family, rung) in the order they run."""
        for ladder in self.ladders:
            for rung in ladder.rungs:
                yield ladder.family, rung


def cells_of(family: str, rung: Rung, task: TaskPlan) -> dict[Arm, Cell]:
    """The cells of one task asked of one rung."""
    return {arm: Cell(family, rung.name, task.ref, arm.strategy, arm.shots, arm.seed) for arm in task.arms}


def make_plan(study: Study, *, allow_code: bool = False) -> Plan:
    """Resolve every name of ``study``. ``UserError`` for the first that is unknown or does not fit.

    Strategies that are code of the user's own are read and run only with ``allow_code``.
    """
    ways: dict[str, Way] = {}
    with _at(study.source):
        _find_ways(ways, study.strategies, allow_code)
    check_names(f"{study.source}: metrics", study.metrics, _metric_names(study.metrics))
    tasks: list[TaskPlan] = []
    for at, entry in enumerate(study.tasks):
        with _at(f"{study.source}: tasks[{at}]"):
            _find_ways(ways, entry.strategies or (), allow_code)
            tasks.extend(_plan_entry(study, entry, ways, allow_code))
    twice = _repeated([plan.ref for plan in tasks])
    if twice:
        raise UserError(f"{study.source}: tasks: {twice!r} is named by two entries; remove one of them")
    _check_probes(study, tasks)
    ladders = tuple(_within_budget(ladder, study.max_tokens_total) for ladder in _ladders(study))
    _check_settings(study, ladders, tasks)
    every = {each.name: each for way in ways.values() for each in budgeted(study, way)}
    _check_effort(study, every)
    return Plan(study, ladders, tuple(tasks), every)


def budgeted(study: Study, way: Way) -> tuple[Way, ...]:
    """``way`` with each of the study's budgets at answer time, where it has any and they change what is asked."""
    return way.with_budgets(study.effort.values()) if study.effort else (way,)


def _check_effort(study: Study, ways: Mapping[str, Way]) -> None:
    if study.effort is None or any(way.effort for way in ways.values()):
        return
    (setting,) = study.effort.values()
    raise UserError(f"{study.source}: effort: no strategy takes {setting}; add one of {', '.join(TAKES[setting])}")


def _check_probes(study: Study, tasks: Sequence[TaskPlan]) -> None:
    """``UserError`` for a probe that is a subtask nobody asks: before anything is computed, not after."""
    from scalecurve.tasks.probes import read_probes

    asked = {plan.ref for plan in tasks}
    for plan in tasks:
        for probe in read_probes(plan.task.probes):
            if probe.subtask and probe.subtask not in asked:
                raise UserError(
                    f"{study.source}: {plan.ref}: probes.{probe.name}: subtask {probe.subtask!r} is not among the "
                    "study's tasks; ask it too, or take the probe out"
                )


def _find_ways(ways: dict[str, Way], refs: Iterable[str], allow_code: bool) -> None:
    """Add what each of ``refs`` names. Cells know a file by its name alone, so two of one name are refused."""
    for ref in refs:
        ways[ref] = ways.get(ref) or find_way(ref, allow_code=allow_code)
        twice = next((other for other, way in ways.items() if way.name == ways[ref].name and other != ref), "")
        if twice:
            raise UserError(f"strategies: {ref} and {twice} would both be called {ways[ref].name}; rename one file")


def _check_settings(study: Study, ladders: Sequence[Ladder], tasks: Sequence[TaskPlan]) -> None:
    from scalecurve.strategies import check_settings
    from scalecurve.strategies.manner import manner_of

    strategies = dict.fromkeys(arm.strategy.partition(BUDGET)[0] for task in tasks for arm in task.arms)
    with _at(study.source):
        manner_of(study.settings, 0 if study.repeats > 1 else None)
        check_settings(strategies, study.settings, [rung.name for ladder in ladders for rung in ladder.rungs])


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Errors from within say where in the study they come from."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


# ── Tasks ────────────────────────────────────────────────────────────────────────────────────────────────────
def _plan_entry(study: Study, entry: TaskEntry, ways: Mapping[str, Way], allow_code: bool) -> Iterator[TaskPlan]:
    from scalecurve.tasks import load_tasks
    from scalecurve.tasks.worked import with_worked

    check_names("metrics", entry.metrics or (), _metric_names(entry.metrics or ()))
    prompts, chosen = entry.cot_prompts or study.cot_prompts, entry.shot_policy or study.shot_policy
    if prompts and chosen == "bigbench":
        raise UserError("shot_policy: bigbench shows other examples of the task; with cot_prompts use fixed")
    for task in load_tasks(entry.ref, mode=study.mode, allow_code=allow_code):
        # bigbench is the default, which means the benchmark's own draw
        policy = "lm_eval" if task.harness and chosen == "bigbench" else chosen
        task = with_worked(task, prompts) if prompts else task
        asked = _shots(study, entry, task)
        _check_built(task, entry.strategies or study.strategies, asked)
        arms = {
            Arm(way.name, shots, seed): way
            for ref in entry.strategies or study.strategies
            for way in budgeted(study, ways[ref])
            for shots in way.shots(asked)
            for seed in study.every_seed
        }
        queries = _queries(study, task, arms, policy, entry.limit or study.limit)
        yield TaskPlan(
            ref=task_ref(task),
            named=entry.ref,
            task=_flagged(_limited(task, entry.max_tokens or study.max_tokens), queries),
            queries=queries,
            metrics=_metrics_for(study, entry, task),
            shot_policy=policy,
        )


def _check_built(task: Task, strategies: Sequence[str], shots: Sequence[int]) -> None:
    """A task that the harness built is asked as it builds it."""
    if not (task.harness and task.harness.built):
        return
    if tuple(strategies) != ("direct",):
        raise UserError(f"strategies: {task.name} is asked as lm-evaluation-harness asks it; use direct alone")
    if tuple(shots) != (task.harness.num_fewshot,):
        spec = task.harness.built.rpartition("@")[0]
        raise UserError(
            f"shots: {task.name} is built with {task.harness.num_fewshot} shots; for others use lm-eval:{spec}@SHOTS"
        )


def _limited(task: Task, tokens: int | None) -> Task:
    """``task`` with the study's limit, which bounds steps as well as answers, or with its own limits."""
    return replace(task, max_tokens=tokens, step_tokens=tokens) if tokens else task


def _flagged(task: Task, queries: Mapping[Arm, Sequence[FewShotExample]]) -> Task:
    """``task`` with a flag where some question is asked with its own answer before it, as benchmarks' own draws may."""
    from scalecurve.strategies.shots import shows_itself

    if not any(shows_itself(query) for asked in queries.values() for query in asked):
        return task
    return replace(task, flags=(*task.flags, "question_among_shots"))


def _queries(
    study: Study, task: Task, arms: Mapping[Arm, Way], policy: str, limit: int | None
) -> dict[Arm, Sequence[FewShotExample]]:
    """The questions of each arm. A prompt file brings its shots, and is not asked what it was chosen on or shows."""
    from scalecurve.strategies import draw

    drawn: dict[tuple[int, int], Sequence[FewShotExample]] = {}
    queries: dict[Arm, Sequence[FewShotExample]] = {}
    for arm, way in arms.items():
        prompt = way.prompt
        own = prompt is not None and prompt.shots is not None
        key = (0 if own else arm.shots, study.draw_seed(arm.seed))
        if key not in drawn:
            drawn[key] = in_order(study, draw(task, key[0], policy, seed=key[1], limit=limit))
        queries[arm] = drawn[key]
        if prompt is not None:
            seen = set(prompt.chosen_on) if prompt.task == task_ref(task) else set()
            shown = {shot.input for shot in prompt.shots or ()}
            queries[arm] = [q for q in drawn[key] if q.example.id not in seen and q.example.input not in shown]
            if not queries[arm]:
                raise UserError(f"strategies: {way.name} was chosen on all {len(drawn[key])} examples; raise limit")
    return queries


def _shots(study: Study, entry: TaskEntry, task: Task) -> tuple[int, ...]:
    """The numbers of shots asked for: the entry's, the study's, or where neither says any, the task's own."""
    if entry.shots is not None:
        return entry.shots
    own = task.harness.num_fewshot if task.harness else None
    return (own,) if own is not None and study.shots == (0,) else study.shots


def in_order(study: Study, queries: Sequence[FewShotExample]) -> Sequence[FewShotExample]:
    """The questions as drawn, or in the study's random order: one that depends on its seed and the examples alone, so
    that every model and arm gets them alike, whatever was answered before."""
    if study.order == "file":
        return queries

    def place(query: FewShotExample) -> str:
        return sha256(f"{study.seed}|{query.example.id}|{query.example.input}".encode()).hexdigest()

    return sorted(queries, key=place)


def task_ref(task: Task) -> str:
    """The name of a task in cells and tables: with its source where the source is known by a name, else alone."""
    known = find_format(task.source)
    return f"{task.source}:{task.name}" if known and known.tells_source else task.name


def _metrics_for(study: Study, entry: TaskEntry, task: Task) -> tuple[str, ...]:
    """The metrics asked for that fit the task: the entry's, the study's, or the task's own and their companions."""
    from scalecurve.metrics import METRICS

    if entry.metrics:
        unfit = [name for name in entry.metrics if not _fits(task, name)]
        if unfit:
            raise UserError(
                f"{study.name}: tasks: {task.name}: metric {unfit[0]!r} needs options, which the task lacks"
            )
        return with_extraction(entry.metrics)
    own = () if task.harness and task.harness.built else (name for name in task.metrics if name in METRICS)
    wanted = study.metrics or (*own, *companions(task))
    fitting = tuple(dict.fromkeys(name for name in wanted if _fits(task, name)))
    if task.harness and task.harness.built:  # graded by the harness; here its companions alone
        return fitting
    if not fitting:
        raise UserError(f"metrics: none of {', '.join(wanted)} fits task {task.name}; add one that does")
    return with_extraction(fitting)


def with_extraction(metrics: tuple[str, ...]) -> tuple[str, ...]:
    """The metrics, and with those of generated answers how many could be found: empty answers fake emergence."""
    from scalecurve.metrics import needed

    return tuple(dict.fromkeys((*metrics, "extraction_rate"))) if "text" in needed(metrics) else metrics


def companions(task: Task) -> tuple[str, ...]:
    """Continuous metrics of the same items, by which a jump is told from an artefact of a strict metric."""
    if task.harness and task.harness.output_type == "loglikelihood":
        return ("target_logprob", "bits_per_byte")
    if task.harness and task.harness.built and not _has_options(task):
        return ()
    if task.harness and _has_options(task):
        return ("target_logprob", "bits_per_byte", "option_probability", "brier")
    if _has_options(task):
        return ("multiple_choice_grade", "target_logprob", "bits_per_byte", "option_probability", "brier")
    strict = () if "exact_str_match" in task.metrics else ("exact_match",)
    return (*strict, "target_logprob", "bits_per_byte", "edit_similarity")


def _fits(task: Task, metric: str) -> bool:
    from scalecurve.metrics import METRICS

    return METRICS[metric].needs != {"options"} or _has_options(task)


def _has_options(task: Task) -> bool:
    return any(example.options for example in task.examples)


# ── Models ───────────────────────────────────────────────────────────────────────────────────────────────────
def _ladders(study: Study) -> tuple[Ladder, ...]:
    """The study's ladders. Models named singly form one ladder, the study's own, in ascending size."""
    from scalecurve.models import check_rung

    ladders: list[Ladder] = []
    single: list[Rung] = []
    family = ""
    for at, entry in enumerate(study.models):
        with _at(f"{study.source}: models[{at}]"):
            found = _resolve(entry)
            for rung in found.rungs if isinstance(found, Ladder) else (found,):
                check_rung(rung)
            if isinstance(found, Ladder):
                ladders.append(found)
                continue
            family = family or entry.family
            single.append(found)
    if single:
        single.sort(key=lambda rung: rung.params_non_embedding or rung.params_total or 0)
        ladders.append(Ladder(family=family or study.name, rungs=tuple(single)))
    for ladder in ladders:
        twice = _repeated([rung.name for rung in ladder.rungs])
        if twice:
            raise UserError(f"{study.source}: models: two models are named {twice!r} in {ladder.family}; rename one")
    twice = _repeated([ladder.family for ladder in ladders])
    if twice:
        raise UserError(f'{study.source}: models: two families are named {twice!r}; give one of them family = "…"')
    return tuple(ladders)


def _within_budget(ladder: Ladder, tokens: int | None) -> Ladder:
    """The ladder, its served models held to ``tokens`` each where they have no budget of their own."""
    if tokens is None:
        return ladder
    rungs = (
        replace(rung, options={"max_tokens_total": tokens, **rung.options}) if rung.backend == "endpoint" else rung
        for rung in ladder.rungs
    )
    return replace(ladder, rungs=tuple(rungs))


def _resolve(entry: ModelEntry) -> Ladder | Rung:
    from scalecurve.models import load_ladder, resolve_rung
    from scalecurve.models.ladders import is_ladder

    if not entry.ref:
        given = entry.model_dump(exclude={"ref", "rungs", "family"})
        return Rung(**given)
    if is_ladder(entry.ref):
        ladder = _select(entry, load_ladder(entry.ref))
        rungs = tuple(_with_options(entry, rung) for rung in ladder.rungs)
        return replace(ladder, rungs=rungs, family=entry.family or ladder.family)
    return _with_options(entry, resolve_rung(entry.ref))


def _with_options(entry: ModelEntry, rung: Rung) -> Rung:
    if not entry.options:
        return rung
    return replace(rung, name=rung.name + entry.mark, options={**rung.options, **entry.options})


def _select(entry: ModelEntry, ladder: Ladder) -> Ladder:
    if not entry.rungs:
        return ladder
    check_names(f"rungs of {entry.ref}", entry.rungs, [rung.name for rung in ladder.rungs])
    return replace(ladder, rungs=tuple(rung for rung in ladder.rungs if rung.name in entry.rungs))


# ── Checks ───────────────────────────────────────────────────────────────────────────────────────────────────
def _metric_names(asked: Iterable[str]) -> Sequence[str]:
    """The metrics that can be computed here; ``UserError`` for one of ``asked`` that lacks something to be computed."""
    from scalecurve.metrics import METRICS, refusal

    for name in asked:
        if refusal(name):
            raise UserError(f"metrics: {name} {refusal(name)}")
    return list(METRICS)


def check_names(field: str, names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            fix = did_you_mean(name, known, f"known: {', '.join(sorted(known))}")
            raise UserError(f"{field}: unknown {name!r}; {fix}")


def _repeated(names: Sequence[str]) -> str:
    return next((name for i, name in enumerate(names) if name in names[:i]), "")
