"""Scores for the trackers people already watch: TensorBoard, MLflow, Weights & Biases.

Each is an extra, imported when it is used. A scalar is one curve: its name is
``<metric>/<task>/<strategy>_<shots>shot`` and its step the model's place on an axis of scale (training step where the
models have one, else their size), so that the tracker draws the curve.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.store import RunDirectory, read_table

AXES = ("step", "params_non_embedding", "params_total", "training_tokens")  # whole numbers, as trackers' steps are


@dataclass(frozen=True, slots=True)
class Scalar:
    """One point of one curve. ``step`` is the model's place on ``axis``; ``se`` is None where unknown."""

    family: str
    rung: str
    name: str
    axis: str
    step: int
    value: float
    se: float | None


def scalars(run: RunDirectory, axis: str = "") -> list[Scalar]:
    """Every finite point of the run's curves, by family and step. ``axis``: one of ``AXES``, by default the first on
    which every model of the family has a value. ``UserError`` where a family has none."""
    import polars as pl

    if axis and axis not in AXES:
        raise UserError(f"--axis: {axis!r} has no whole numbers; use one of {', '.join(AXES)}")
    frame = read_table(run.curves).filter(pl.col("y").is_not_null())
    found = []
    for (family,), rows in frame.group_by("family", maintain_order=True):
        usable = [name for name in ((axis,) if axis else AXES) if not rows[name].null_count()]
        if not usable:
            raise UserError(
                f"{run.path}: {family}: not every model has a value on {axis or 'an axis of scale'}; "
                "add it to the family file, or give another --axis"
            )
        for row in rows.sort(usable[0], maintain_order=True).iter_rows(named=True):
            name = f"{row['metric']}/{row['task']}/{row['strategy']}_{row['shots']}shot"
            found.append(Scalar(str(family), row["rung"], name, usable[0], row[usable[0]], row["y"], row["se"]))
    if not found:
        raise UserError(f"{run.path}: holds no score to export")
    return found


def write_tensorboard(run: RunDirectory, out: Path, axis: str = "") -> list[Path]:
    """Event files below ``out``, one folder a family: ``tensorboard --logdir OUT``."""
    points = scalars(run, axis)
    try:
        from tensorboard.summary import Writer
    except ImportError as error:
        raise _missing("tensorboard", error) from None
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: exists already; give a new or empty folder")
    paths = []
    for family, own in _by_family(points):
        folder = out / re.sub(r"[/\0]|^\.+$", "__", family)  # a name from elsewhere leads nowhere else
        events = Writer(str(folder))
        for point in own:
            events.add_scalar(point.name, point.value, point.step)
            if point.se is not None:
                events.add_scalar(f"{point.name}/stderr", point.se, point.step)
        events.close()
        paths.append(folder)
    return paths


def write_mlflow(run: RunDirectory, out: Path | str, axis: str = "") -> list[str]:
    """One MLflow run a family in the tracking store ``out`` (a folder, a database or a server's address); their ids."""
    points = scalars(run, axis)
    try:
        import mlflow
    except ImportError as error:
        raise _missing("mlflow", error) from None
    study = str(run.read_manifest()["study"])
    client = mlflow.MlflowClient(tracking_uri=_uri(out))
    known = client.get_experiment_by_name(study)
    experiment = known.experiment_id if known else client.create_experiment(study)
    ids = []
    for family, own in _by_family(points):
        made = client.create_run(experiment, run_name=family).info.run_id
        for name, value in {"family": family, "study": study, "axis": own[0].axis}.items():
            client.log_param(made, name, value)
        for point in own:
            client.log_metric(made, _allowed(point.name), point.value, step=point.step)
            if point.se is not None:
                client.log_metric(made, _allowed(f"{point.name}/stderr"), point.se, step=point.step)
        client.set_terminated(made)
        ids.append(made)
    return ids


def write_wandb(run: RunDirectory, out: Path, axis: str = "") -> list[str]:
    """One Weights & Biases run a family, project ``scalecurve``; ``WANDB_MODE=offline`` keeps it in ``out``."""
    points = scalars(run, axis)
    try:
        import wandb
    except ImportError as error:
        raise _missing("wandb", error) from None
    study = str(run.read_manifest()["study"])
    out.mkdir(parents=True, exist_ok=True)
    ids = []
    for family, own in _by_family(points):
        config = {"family": family, "study": study, "axis": own[0].axis}
        made = wandb.init(
            project="scalecurve", group=study, name=family, config=config, dir=str(out), reinit="finish_previous"
        )
        made.define_metric("*", step_metric=own[0].axis)
        rungs: dict[tuple[int, str], dict[str, float]] = {}
        for point in own:
            values = rungs.setdefault((point.step, point.rung), {own[0].axis: point.step})
            values[point.name] = point.value
            if point.se is not None:
                values[f"{point.name}/stderr"] = point.se
        for values in rungs.values():
            made.log(values)
        made.finish()
        ids.append(made.id)
    return ids


def _by_family(points: list[Scalar]) -> Iterator[tuple[str, list[Scalar]]]:
    for family in dict.fromkeys(point.family for point in points):
        yield family, [point for point in points if point.family == family]


def _missing(extra: str, error: ImportError) -> UserError:
    return UserError(f"{extra}: is not installed ({error}); pip install 'scalecurve[{extra}]'")


def _uri(out: Path | str) -> str:
    return str(out) if "://" in str(out) else Path(out).absolute().as_uri()


def _allowed(name: str) -> str:
    """MLflow's metric names: letters, digits, and ``_ - . / :`` and blanks."""
    return "".join(c if c.isalnum() or c in "_-./: " else "_" for c in name)
