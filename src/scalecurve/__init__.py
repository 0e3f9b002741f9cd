"""scalecurve: which abilities a family of language models gains or loses as it scales, and whether a jump is real.

The public Python API. Names are imported when first used, so that `import scalecurve` costs nothing and the parts
that read stored results work without torch.

    import scalecurve
    run, outcome = scalecurve.run_study(scalecurve.load_study("study.toml"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Answer": "nouns",
    "Cell": "nouns",
    "Curve": "nouns",
    "Example": "nouns",
    "Ladder": "nouns",
    "Output": "nouns",
    "Request": "nouns",
    "Rung": "nouns",
    "Task": "nouns",
    "UserError": "nouns",
    "Verdict": "nouns",
    "Study": "study",
    "load_study": "study",
    "parse_study": "study",
    "run_study": "pipeline",
    "import_run": "pipeline",
    "rescore": "pipeline",
    "load_tasks": "tasks",
    "list_tasks": "tasks",
    "load_ladder": "models",
    "list_ladders": "models",
    "open_model": "models",
    "open_run": "runs",
    "read_outputs": "runs",
    "linearity": "curves",
    "breakthroughness": "curves",
    "judge": "curves",
    "write_report": "report",
    "load_run": "report.notebook",
    "connect": "query.connect",
    "load_ipython_extension": "query.magic",
    "Thinker": "thinking",
    "Step": "nouns",
    "Trace": "nouns",
}

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from scalecurve.curves import breakthroughness as breakthroughness
    from scalecurve.curves import judge as judge
    from scalecurve.curves import linearity as linearity
    from scalecurve.models import list_ladders as list_ladders
    from scalecurve.models import load_ladder as load_ladder
    from scalecurve.models import open_model as open_model
    from scalecurve.nouns import Answer as Answer
    from scalecurve.nouns import Cell as Cell
    from scalecurve.nouns import Curve as Curve
    from scalecurve.nouns import Example as Example
    from scalecurve.nouns import Ladder as Ladder
    from scalecurve.nouns import Output as Output
    from scalecurve.nouns import Request as Request
    from scalecurve.nouns import Rung as Rung
    from scalecurve.nouns import Step as Step
    from scalecurve.nouns import Task as Task
    from scalecurve.nouns import Trace as Trace
    from scalecurve.nouns import UserError as UserError
    from scalecurve.nouns import Verdict as Verdict
    from scalecurve.pipeline import import_run as import_run
    from scalecurve.pipeline import rescore as rescore
    from scalecurve.pipeline import run_study as run_study
    from scalecurve.query.connect import connect as connect
    from scalecurve.query.magic import load_ipython_extension as load_ipython_extension
    from scalecurve.report import write_report as write_report
    from scalecurve.report.notebook import load_run as load_run
    from scalecurve.runs import open_run as open_run
    from scalecurve.runs import read_outputs as read_outputs
    from scalecurve.study import Study as Study
    from scalecurve.study import load_study as load_study
    from scalecurve.study import parse_study as parse_study
    from scalecurve.tasks import list_tasks as list_tasks
    from scalecurve.tasks import load_tasks as load_tasks
    from scalecurve.thinking import Thinker as Thinker


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'scalecurve' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"scalecurve.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
