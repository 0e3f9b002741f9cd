"""WHERE it is computed, when not on this machine alone: executors that do a plan's parts on a Ray cluster or as Slurm
jobs.

The plan, its parts and what a part is made of are the same everywhere (``scalecurve.rung_run``), and so are the
numbers. An executor only decides which machine computes which part when.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalecurve.nouns import UserError
from scalecurve.rung_run import Executor

PLACES = "ray, ray://HOST:PORT or slurm"


def executor_of(on: str, *, jobs: int | None = None, sbatch: Sequence[str] = ()) -> Executor | None:
    """The executor that ``--on`` names; None for this machine.

    ``jobs`` (Slurm): array tasks, one a model when not given. ``sbatch``: options passed to it as they are.
    """
    kind, _, address = on.partition("://")
    if (jobs or sbatch) and on != "slurm":
        raise UserError("--jobs and --sbatch are for --on slurm; leave them out")
    if not on or on == "here":
        return None
    if kind == "ray" and (address or "://" not in on):
        from scalecurve.distribute.on_ray import on_ray

        return on_ray(address)
    if on == "slurm":
        from scalecurve.distribute.on_slurm import on_slurm

        return on_slurm(jobs, sbatch)
    raise UserError(f"--on: unknown {on!r}; use {PLACES}, or leave it out to run on this machine")
