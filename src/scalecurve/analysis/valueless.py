"""Metrics that were asked for and have no value on a whole task: named with the reason, so that no curve is missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scalecurve.metrics import METRICS, refusal
from scalecurve.store.directory import RunDirectory
from scalecurve.store.parts import read_outputs
from scalecurve.store.tables import read_table

_LACKS = {
    "options": "no option was scored",
    "targets": "no accepted answer's log-probability was asked for",
    "text": "no text was generated",
}


@dataclass(frozen=True, slots=True)
class Valueless:
    """``metrics`` that no model and no strategy has a value of on ``task``, all for the same ``reason``."""

    task: str
    metrics: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"no value of {', '.join(self.metrics)} on {self.task}: {self.reason}"


def valueless(run: RunDirectory, extra_metrics: Sequence[str] = ()) -> list[Valueless]:
    """The metrics of each task of ``run``, and the extra ones it was scored with, that have no value anywhere.

    Tasks without a single answer are left out: why they have none is told of the cells that failed.
    """
    import polars as pl

    curves = read_table(run.curves)
    found = []
    for record in run.read_manifest()["tasks"]:
        valued = set(curves.filter((pl.col("task") == record["ref"]) & pl.col("y").is_not_null())["metric"])
        asked = dict.fromkeys([*record["metrics"], *extra_metrics])
        missing = [name for name in asked if name not in valued]
        answers = _answers(run, record) if missing else {}
        if answers.get("answers"):
            reasons: dict[str, list[str]] = {}
            for name in missing:
                reasons.setdefault(_reason(name, answers, run, record["ref"]), []).append(name)
            found += [Valueless(record["ref"], tuple(names), reason) for reason, names in reasons.items()]
    return found


def _answers(run: RunDirectory, record: Mapping[str, Any]) -> dict[str, object]:
    """How many answers a task has, what was asked of them, and by which strategies."""
    import polars as pl

    given = read_outputs(run, record["ref"]).filter(pl.col("error") == "")
    options = (pl.col("option_logprobs").list.len() > 0).any()
    return given.select(
        answers=pl.len(),
        options=options,
        targets=options | (pl.col("target_logprobs").list.len() > 0).any(),
        text=pl.col("text").is_not_null().any(),
        strategies=pl.col("strategy").unique(maintain_order=True).implode(),
    ).collect().row(0, named=True)  # fmt: skip


def _reason(name: str, answers: Mapping[str, Any], run: RunDirectory, task: str) -> str:
    import polars as pl

    if name not in METRICS:
        return refusal(name) or "it is no metric of this version"
    metric, asked = METRICS[name], ", ".join(answers["strategies"])
    lacking = [_LACKS[need] for need in sorted(metric.needs) if not answers[need]]
    if lacking:
        return f"{' and '.join(lacking)} (strategies: {asked})"
    if metric.partial:
        return f"it is about some questions or strategies only, and none of those was asked (strategies: {asked})"
    of_items = pl.scan_parquet(run.scores).filter(pl.col("task") == task, pl.col("metric") == name)
    if of_items.select(pl.col("value").is_not_null().any()).collect().item():
        return "a single example has no standard error; raise limit"
    return f"none of {answers['answers']} answers gives a finite number. What it is: {metric.description}"
