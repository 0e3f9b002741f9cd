"""Everything a run can be written as, by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.io.bigbench_scores import export_score_files
from scalecurve.io.exporters.eee import write_eee
from scalecurve.io.exporters.eval_results import write_eval_results
from scalecurve.io.exporters.lm_eval_files import write_lm_eval
from scalecurve.io.exporters.model_card import write_model_cards
from scalecurve.io.exporters.trackers import write_mlflow, write_tensorboard, write_wandb
from scalecurve.io.tidy_run import write_csv_tables, write_parquet_tables
from scalecurve.store import RunDirectory


@dataclass(frozen=True, slots=True)
class Wanted:
    """Settings of an export; those that a format has no use for must be left as they are."""

    strategy: str = ""
    metrics: tuple[str, ...] = ()
    axis: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """``write(run, out, wanted)`` gives what it wrote. ``uses``: the settings it heeds."""

    about: str
    write: Callable[[RunDirectory, str, Wanted], Sequence[Path | str]]
    uses: frozenset[str] = frozenset()


FORMATS: Mapping[str, Format] = {
    "parquet": Format("tidy tables, read back by import", lambda run, out, _: write_parquet_tables(run, Path(out))),
    "csv": Format("the same tables as text", lambda run, out, _: write_csv_tables(run, Path(out))),
    "lm-eval": Format("lm-evaluation-harness's files", lambda run, out, _: write_lm_eval(run, Path(out))),
    "bigbench": Format(
        "BIG-bench's score files",
        lambda run, out, wanted: export_score_files(run, Path(out), wanted.strategy or "direct"),
        frozenset({"strategy"}),
    ),
    "eee": Format("Every Eval Ever's files, read back by import", lambda run, out, _: write_eee(run, Path(out))),
    "eval-results": Format(
        "files for a model's .eval_results on the Hub", lambda run, out, _: write_eval_results(run, Path(out))
    ),
    "model-card": Format(
        "a model-index for Hugging Face",
        lambda run, out, wanted: write_model_cards(run, Path(out), wanted.metrics),
        frozenset({"metrics"}),
    ),
    "tensorboard": Format(
        "event files", lambda run, out, wanted: write_tensorboard(run, Path(out), wanted.axis), frozenset({"axis"})
    ),
    "mlflow": Format(
        "runs in a tracking store", lambda run, out, wanted: write_mlflow(run, out, wanted.axis), frozenset({"axis"})
    ),
    "wandb": Format(
        "Weights & Biases runs", lambda run, out, wanted: write_wandb(run, Path(out), wanted.axis), frozenset({"axis"})
    ),
}


def export(run: RunDirectory, name: str, out: str, wanted: Wanted = Wanted()) -> list[str]:
    """Write ``run`` in the format ``name`` to ``out``; what was written. ``UserError`` for an unknown format, a setting
    that it does not heed, a run without scores, and a target that holds something already."""
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        raise UserError(f"export: unknown format {name!r}; use {near[0] if near else ', '.join(FORMATS)}")
    for setting, option in (("strategy", "--strategy"), ("metrics", "--metric"), ("axis", "--axis")):
        if getattr(wanted, setting) and setting not in FORMATS[name].uses:
            raise UserError(f"{option}: {name} exports everything; leave it out")
    if not run.curves.exists():
        raise UserError(f"{run.path}: has no curves.parquet; finish the run, or: scalecurve rescore {run.path}")
    return [str(one) for one in FORMATS[name].write(run, out, wanted)]
