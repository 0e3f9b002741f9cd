"""The whole of an elicitation: tasks one after another, the files that come of it, and what it was asked."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from scalecurve.elicit import result
from scalecurve.elicit.budget import SearchBudget
from scalecurve.elicit.confirm import TaskJob
from scalecurve.elicit.search import Say
from scalecurve.elicit.space import Space, default_space
from scalecurve.errors import UserError
from scalecurve.models import Model, open_model
from scalecurve.study.plan import Plan, make_plan
from scalecurve.study.study import Study
from scalecurve.study.task_plan import TaskPlan, task_ref
from scalecurve.tasks.registry import find_format
from scalecurve.types import Rung


def elicit(
    study: Study,
    out: str | Path,
    *,
    budget: SearchBudget | None = None,
    space: Space | None = None,
    say: Say = lambda text: None,
) -> result.Elicited:
    """Search prompts for the models and tasks of ``study`` within ``budget``; confirm them on held-out questions.

    Of ``study`` count models, tasks, metrics (the first; else each task's preferred one), limit, seed, mode,
    max_tokens, cot_prompts, device and dtype. Writes into ``out``: ``elicit.json``, a prompt file for each model and
    for all, and ``study.toml``, which asks the default and the best common prompt. Started again after a stop, it goes
    on after the last finished round. The same seed and tokens give the same result; with a limit of time the number of
    questions depends on the speed.
    ``UserError`` for names that are unknown, a budget that is too small, and an ``out`` that holds another search.
    """
    budget, space, out = budget or SearchBudget(), space or default_space(), Path(out)
    began, cpu = time.monotonic(), time.process_time()
    plan = make_plan(_asked_plainly(study))
    asked = _asked(plan, budget, space)
    _check_out(out, asked)
    jobs = [TaskJob(plan, task, space, out, say) for task in plan.tasks]
    with OneModel(study) as models:
        tasks = tuple(job.run(models.open, budget, 1 / (len(jobs) - at)) for at, job in enumerate(jobs))
    seconds = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu}
    found = result.Elicited(asked, tasks, {"tokens": budget.spent_tokens, **seconds})
    prompts: dict[str, list[str]] = {}
    for job in jobs:
        prompts.setdefault(_reference(job.plan, plan), []).append(job.common_file)
    result.write_study(out, _like(study), prompts)
    result.write_result(out, found)
    return found


def _asked_plainly(study: Study) -> Study:
    """The study with every task asked directly, without shots: how else is what the search finds out."""
    tasks = tuple(entry.model_copy(update={"strategies": None, "shots": None}) for entry in study.tasks)
    return study.model_copy(update={"strategies": ("direct",), "shots": (0,), "tasks": tasks})


def _asked(plan: Plan, budget: SearchBudget, space: Space) -> dict[str, object]:
    """All that decides what a search finds; as JSON would give it back."""
    study = plan.study
    said = {
        "models": [f"{family}:{rung.name}" for family, rung in plan.rungs()],
        "tasks": [task.ref for task in plan.tasks],
        "metrics": list(study.metrics),
        "seed": study.every_seed[0],
        "limit": study.limit,
        "mode": study.mode,
        "max_tokens": study.max_tokens,
        "tokens": budget.tokens,
        "minutes": None if budget.seconds is None else budget.seconds / 60,
        "space": asdict(space),
    }
    plain: dict[str, object] = json.loads(json.dumps(said))
    return plain


def _check_out(out: Path, asked: Mapping[str, object]) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; give a directory with --out")
    path = out / "elicit.json"
    try:
        before = json.loads(path.read_bytes())["asked"]
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: is no result of `scalecurve elicit`; give another directory with --out") from None
    changed = [name for name in asked if before.get(name) != asked[name]]
    if changed:
        raise UserError(
            f"{path}: holds a search that differs in {', '.join(changed)}; give another directory with --out"
        )


def _like(study: Study) -> dict[str, object]:
    """What a study says that asks the same models the same questions."""
    said = study.model_dump(include={"mode", "max_tokens", "cot_prompts"}, exclude_defaults=True)
    models = [entry.model_dump(exclude_defaults=True) for entry in study.models]
    return {"name": f"elicited-{result.file_name(study.name)}", "shot_policy": "fixed", **said, "models": models}


def _reference(one: TaskPlan, plan: Plan) -> str:
    """How a study names a task: alone where there is a way, else with those that the study named along with it."""
    task, named = one.task, one.named
    if sum(other.named == named for other in plan.tasks) == 1:
        return named
    known = find_format(named.partition(":")[0])
    if known and known.leaf:
        return known.leaf(named, task)
    from_file = re.search(r"\.(?:csv|jsonl)\b", named) is not None
    return named if task_ref(task) == task.name or from_file else task_ref(task)


class OneModel:
    """Models by rung, one open at a time."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.rung: Rung | None = None
        self.model: Model | None = None

    def __enter__(self) -> OneModel:
        return self

    def __exit__(self, *_: object) -> None:
        if self.model is not None:
            self.model.close()

    def open(self, rung: Rung) -> Model:
        if self.model is None or self.rung != rung:
            if self.model is not None:
                self.model.close()
            study = self.study
            self.model = open_model(
                rung, device=study.device, dtype=study.dtype, batch_tokens=study.batch_tokens, cache=study.cache
            )
            self.rung = rung
        return self.model
