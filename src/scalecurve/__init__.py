"""scalecurve: which abilities a family of language models gains or loses as it scales, and whether a jump is real.

The public Python API. Names are imported when first used, so that `import scalecurve` costs nothing and the parts
that read stored results work without torch.

    import scalecurve
    run, outcome = scalecurve.run_study(scalecurve.load_study("study.toml"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scalecurve._version import __version__ as __version__

_HOMES = {
    "Answer": "types",
    "Cell": "types",
    "Curve": "types",
    "Example": "types",
    "Ladder": "types",
    "Output": "types",
    "Request": "types",
    "Rung": "types",
    "Task": "types",
    "UserError": "errors",
    "Verdict": "types",
    "Study": "study.study",
    "load_study": "study.study",
    "parse_study": "study.study",
    "run_study": "pipeline",
    "import_run": "io",
    "rescore": "pipeline",
    "load_tasks": "tasks",
    "list_tasks": "tasks",
    "load_ladder": "models",
    "list_ladders": "models",
    "open_model": "models",
    "open_run": "store",
    "read_outputs": "store",
    "linearity": "analysis",
    "breakthroughness": "analysis",
    "judge": "analysis",
    "write_report": "report",
    "load_run": "report.notebook",
    "connect": "query.dbapi",
    "load_ipython_extension": "query.magic",
    "Thinker": "routing",
    "Step": "routing.trace",
    "Trace": "routing.trace",
}

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from scalecurve.analysis import breakthroughness as breakthroughness
    from scalecurve.analysis import judge as judge
    from scalecurve.analysis import linearity as linearity
    from scalecurve.errors import UserError as UserError
    from scalecurve.io import import_run as import_run
    from scalecurve.models import list_ladders as list_ladders
    from scalecurve.models import load_ladder as load_ladder
    from scalecurve.models import open_model as open_model
    from scalecurve.pipeline import rescore as rescore
    from scalecurve.pipeline import run_study as run_study
    from scalecurve.query.dbapi import connect as connect
    from scalecurve.query.magic import load_ipython_extension as load_ipython_extension
    from scalecurve.report import write_report as write_report
    from scalecurve.report.notebook import load_run as load_run
    from scalecurve.routing import Thinker as Thinker
    from scalecurve.routing.trace import Step as Step
    from scalecurve.routing.trace import Trace as Trace
    from scalecurve.store import open_run as open_run
    from scalecurve.store import read_outputs as read_outputs
    from scalecurve.study.study import Study as Study
    from scalecurve.study.study import load_study as load_study
    from scalecurve.study.study import parse_study as parse_study
    from scalecurve.tasks import list_tasks as list_tasks
    from scalecurve.tasks import load_tasks as load_tasks
    from scalecurve.types import Answer as Answer
    from scalecurve.types import Cell as Cell
    from scalecurve.types import Curve as Curve
    from scalecurve.types import Example as Example
    from scalecurve.types import Ladder as Ladder
    from scalecurve.types import Output as Output
    from scalecurve.types import Request as Request
    from scalecurve.types import Rung as Rung
    from scalecurve.types import Task as Task
    from scalecurve.types import Verdict as Verdict


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'scalecurve' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"scalecurve.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
