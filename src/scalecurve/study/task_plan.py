"""The tasks of a study: an entry becomes leaf tasks, each with the questions of every arm and the metrics that fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from scalecurve.errors import UserError
from scalecurve.strategies.resolve import Way
from scalecurve.strategies.shots import FewShotExample
from scalecurve.study.checks import check_names, metric_names
from scalecurve.study.study import Study, TaskEntry
from scalecurve.tasks.registry import find_format
from scalecurve.types import Cell, Rung, Task


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


def cells_of(family: str, rung: Rung, task: TaskPlan) -> dict[Arm, Cell]:
    """The cells of one task asked of one rung."""
    return {arm: Cell(family, rung.name, task.ref, arm.strategy, arm.shots, arm.seed) for arm in task.arms}


def plan_entry(study: Study, entry: TaskEntry, ways: Mapping[str, Way], allow_code: bool) -> Iterator[TaskPlan]:
    """The plan of each leaf task that ``entry`` names; ``ways`` must hold every strategy it is asked with.

    ``UserError`` naming the field of the entry that is unknown or does not fit the task.
    """
    from scalecurve.tasks import load_tasks
    from scalecurve.tasks.worked import with_worked

    check_names("metrics", entry.metrics or (), metric_names(entry.metrics or ()))
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


def budgeted(study: Study, way: Way) -> tuple[Way, ...]:
    """``way`` with each of the study's budgets at answer time, where it has any and they change what is asked."""
    return way.with_budgets(study.effort.values()) if study.effort else (way,)


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
            drawn[key] = _in_order(study, draw(task, key[0], policy, seed=key[1], limit=limit))
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


def _in_order(study: Study, queries: Sequence[FewShotExample]) -> Sequence[FewShotExample]:
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
        return _with_extraction(entry.metrics)
    own = () if task.harness and task.harness.built else (name for name in task.metrics if name in METRICS)
    wanted = study.metrics or (*own, *_companions(task))
    fitting = tuple(dict.fromkeys(name for name in wanted if _fits(task, name)))
    if task.harness and task.harness.built:  # graded by the harness; here its companions alone
        return fitting
    if not fitting:
        raise UserError(f"metrics: none of {', '.join(wanted)} fits task {task.name}; add one that does")
    return _with_extraction(fitting)


def _with_extraction(metrics: tuple[str, ...]) -> tuple[str, ...]:
    """The metrics, and with those of generated answers how many could be found: empty answers fake emergence."""
    from scalecurve.metrics import needed

    return tuple(dict.fromkeys((*metrics, "extraction_rate"))) if "text" in needed(metrics) else metrics


def _companions(task: Task) -> tuple[str, ...]:
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
