"""WHERE a plan is computed: the executor that ``--on`` and its companions name.

The plan, its parts and what a part is made of are the same everywhere (``scalecurve.runner.model_run``), and so are the
numbers. An executor only decides which machine computes which part when.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from scalecurve.errors import UserError
from scalecurve.runner.local import LocalExecutor
from scalecurve.runner.model_run import Executor

if TYPE_CHECKING:
    from scalecurve.runner.adaptive import Goal

PLACES = "ray, ray://HOST:PORT or slurm"


def executor_of(
    on: str, *, workers: int | None = 1, jobs: int | None = None, sbatch: str = "", until: Goal | None = None
) -> Executor:
    """The executor of the machines that ``on`` names ("", "here": this one, ``workers`` rungs at a time).

    ``jobs`` (Slurm): array tasks, one a model when not given. ``sbatch``: options passed to it as they are. ``until``:
    in rounds through these machines (``scalecurve.runner.adaptive``). ``UserError`` for what does not go together.
    """
    if until:
        from scalecurve.runner.adaptive import AdaptiveExecutor

        if on == "slurm":
            raise UserError("--until: goes in rounds, each of which would queue; use --on ray or this machine")
        return AdaptiveExecutor(executor_of(on, workers=workers, jobs=jobs, sbatch=sbatch), until)
    kind, _, address = on.partition("://")
    if (jobs or sbatch) and on != "slurm":
        raise UserError("--jobs and --sbatch are for --on slurm; leave them out")
    if not on or on == "here":
        return LocalExecutor(workers)
    if kind == "ray" and (address or "://" not in on):
        from scalecurve.runner.ray import RayExecutor

        return RayExecutor(address)
    if on == "slurm":
        from scalecurve.runner.slurm import SlurmExecutor

        return SlurmExecutor(jobs, shlex.split(sbatch))
    raise UserError(f"--on: unknown {on!r}; use {PLACES}, or leave it out to run on this machine")
