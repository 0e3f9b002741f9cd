"""What a gate is worth on a finished run: how it ranks, whom it refuses, and what another strategy says behind it.

Nothing is asked again. "The gate, then a strategy" is replayed from the margins of the strategy ``gate`` and the
answers of that strategy to the same questions. The threshold of each rung is fitted on one half of the items and judged
on the other, and the reverse; members of a pair stay together. Intervals draw whole pairs, with thresholds as fitted;
where all items agree, they are Wilson's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.stats.errors import wilson
from scalecurve.errors import UserError
from scalecurve.metrics import answerability as known
from scalecurve.metrics.ranking import auroc, risk_coverage
from scalecurve.store import RunDirectory, read_record, task_of
from scalecurve.store.parts import cell_of
from scalecurve.strategies.gating import GateThreshold, fit_threshold
from scalecurve.types import Answer, Cell, Example, Task

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
GATE = "gate"
LEAST = 4  # items of either kind that a threshold is fitted and judged on


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its 95% interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GateReport:
    """One rung on one task; ``threshold`` is fitted on all ``n`` items, for other items than these.

    ``measures``: ``auroc``, ``twins`` (twin accuracy; ``twins KIND`` where the unanswerable examples tell their
    ``metadata["kind"]``), and with held-out thresholds ``false_refusal``, ``recall`` and
    ``precision`` of refusing. With a strategy behind the gate also ``right`` (its accuracy on the answerable items),
    ``garbage`` and ``garbage_gated`` (substantive answers to unanswerable items, without and with the gate),
    ``selective`` and ``selective_gated`` (accuracy on what is answered), ``aurc`` (area under risk against coverage
    by falling margin, where a right refusal in words is no error).
    """

    family: str
    rung: str
    task: str
    n: int
    threshold: GateThreshold
    measures: Mapping[str, Measure]


@dataclass(frozen=True, slots=True)
class _Items:
    """Arrays of one length: margins of the gate, and what the strategy behind it did (NaN where it does not apply)."""

    margin: Floats
    answerable: Bools
    cluster: Ints
    right: Floats
    garbage: Floats
    selective: Floats
    handled: Floats
    twin: Floats
    kind: NDArray[np.str_]

    def take(self, chosen: Ints) -> _Items:
        return _Items(*(getattr(self, name)[chosen] for name in self.__slots__))


def judge_gate(
    run: RunDirectory,
    then: str | None = None,
    *,
    task: str = "",
    false_refusal: float | None = None,
    seed: int = 0,
    replicates: int = 1000,
) -> list[GateReport]:
    """A report for every rung and task (that contains ``task``) of ``run`` that was asked with ``gate``.

    ``then``: the strategy behind the gate. ``false_refusal``: thresholds refuse at most this share of the answerable
    items they are fitted on (None: greatest balanced accuracy). ``UserError`` when the run lacks what is needed.
    """
    reports = []
    for cell, gated, answers, leaf in _cells(run, then, task):
        items = _items(gated, answers, leaf)
        if min(items.answerable.sum(), (~items.answerable).sum()) < LEAST:
            continue
        accepted = _cross_fitted(items, false_refusal, seed)
        whole = fit_threshold(items.margin.tolist(), items.answerable.tolist(), false_refusal=false_refusal)
        measures = _with_intervals(items, accepted, then is not None, seed, replicates)
        reports.append(GateReport(cell.family, cell.rung, cell.task, len(items.margin), whole, measures))
    if not reports:
        raise UserError(
            f"{run.path}: no task{f' like {task!r}' if task else ''} was asked with strategy gate"
            f"{f' and with {then}' if then else ''} and has {LEAST} examples that say they are answerable, and "
            f"{LEAST} that they are not"
        )
    return reports


def fitted_thresholds(
    run: RunDirectory, *, task: str = "", false_refusal: float | None = None
) -> dict[str, GateThreshold]:
    """Rung → its threshold, fitted on all items of all tasks together: ``settings.gate_threshold`` of later studies."""
    pooled: dict[str, list[_Items]] = {}
    for cell, gated, _, leaf in _cells(run, None, task):
        pooled.setdefault(cell.rung, []).append(_items(gated, None, leaf))
    return {
        rung: fit_threshold(
            np.concatenate([one.margin for one in each]).tolist(),
            np.concatenate([one.answerable for one in each]).tolist(),
            false_refusal=false_refusal,
        )
        for rung, each in pooled.items()
    }


# ── From the run to arrays ───────────────────────────────────────────────────────────────────────────────────
Rows = Sequence[tuple[Example, Answer]]


def _cells(run: RunDirectory, then: str | None, task: str) -> Iterator[tuple[Cell, Rows, Rows | None, Task]]:
    """Every cell of the gate, its rows, the rows of ``then`` to the same questions, and the task."""
    manifest = run.read_manifest()
    cells = {cell_of(record): record for record in manifest["cells"]}
    tasks = {record["ref"]: record for record in manifest["tasks"]}

    def rows(cell: Cell) -> Rows:
        return read_record(run, cells[cell])

    for cell in cells:
        if cell.strategy != GATE or task not in cell.task:
            continue
        other = Cell(cell.family, cell.rung, cell.task, then, cell.shots, cell.seed) if then else None
        if other is None or other in cells:
            yield cell, rows(cell), rows(other) if other else None, task_of(tasks[cell.task])


def _items(gated: Rows, answers: Rows | None, task: Task) -> _Items:
    """What is known of each example with a margin that says whether it is answerable."""
    said = {example.id: answer for example, answer in answers or ()}
    wins = _twins(gated)
    rows = []
    names: dict[str, int] = {}
    for example, verdict in gated:
        margin, answerable = known.margin(verdict), known.answerable(example)
        answer = said.get(example.id)
        if answerable is None or not np.isfinite(margin) or verdict.error or (answer and answer.error):
            continue
        if answers is not None and answer is None:
            continue
        about = (known.answerable_accuracy, known.garbage_in_rate, known.selective_accuracy, known.abstention_accuracy)
        values = [None if answer is None else metric(task, example, answer) for metric in about]
        cluster = names.setdefault(str(example.metadata.get("pair", f"\0{example.id}")), len(names))
        numbers = [np.nan if value is None else value for value in values]
        kind = str(example.metadata.get("kind", ""))
        rows.append((margin, answerable, cluster, *numbers, wins.get(example.id, np.nan), kind))
    columns: list[object] = list(zip(*rows, strict=True)) if rows else [()] * 9
    kinds_of = (float, bool, int, float, float, float, float, float, str)
    return _Items(*(np.asarray(column, kind) for column, kind in zip(columns, kinds_of, strict=True)))


def _twins(rows: Rows) -> dict[str, float]:
    """Unanswerable example → how often its answerable twins have the greater margin, ties half."""
    task = Task("", (), (), "")
    examples, answers = [example for example, _ in rows], [answer for _, answer in rows]
    found = known.twin_accuracy(task, examples, answers).rows[:, 0]
    return {example.id: float(value) for example, value in zip(examples, found, strict=True)}


# ── Thresholds and intervals ─────────────────────────────────────────────────────────────────────────────────
def _cross_fitted(items: _Items, false_refusal: float | None, seed: int) -> Bools:
    """Whether each item is let through by a threshold that was fitted on the half it is not in."""
    accepted = np.zeros(len(items.margin), bool)
    half = _halves(items, seed)
    for own in (0, 1):
        fitted_on = half != own
        threshold = fit_threshold(
            items.margin[fitted_on].tolist(), items.answerable[fitted_on].tolist(), false_refusal=false_refusal
        )
        accepted[~fitted_on] = items.margin[~fitted_on] > threshold.value
    return accepted


def _halves(items: _Items, seed: int) -> Ints:
    """0 or 1 for each item: clusters in random order are dealt alternately, those of one make-up after another."""
    count = int(items.cluster.max()) + 1
    make_up = np.bincount(items.cluster, items.answerable, count) - np.bincount(items.cluster, ~items.answerable, count)
    order = np.random.default_rng(seed).permutation(count)
    order = order[np.argsort(make_up[order], kind="stable")]
    half = np.empty(count, np.intp)
    half[order] = np.arange(count) % 2
    return half[items.cluster]


def _with_intervals(items: _Items, accepted: Bools, behind: bool, seed: int, replicates: int) -> dict[str, Measure]:
    kinds = [str(kind) for kind in np.unique(items.kind) if kind]
    found = _measures(items, accepted, behind, kinds)
    members = [np.flatnonzero(items.cluster == cluster) for cluster in range(int(items.cluster.max()) + 1)]
    rng = np.random.default_rng(seed)
    copies: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(replicates):
        drawn = np.concatenate([members[at] for at in rng.integers(len(members), size=len(members))])
        for name, (value, _) in _measures(items.take(drawn), accepted[drawn], behind, kinds).items():
            copies[name].append(value)
    return {name: Measure(v, *_interval(np.asarray(copies[name]), v, n)) for name, (v, n) in found.items()}


def _interval(copies: Floats, value: float, n: int) -> tuple[float, float]:
    """The middle 95% of the copies; where all are 0 or all are 1, Wilson's interval of ``n`` such items."""
    copies = copies[np.isfinite(copies)]
    if len(copies) < 2 or not n:
        return float("nan"), float("nan")
    low, high = (float(edge) for edge in np.quantile(copies, (0.025, 0.975)))
    if low == high and value in (0.0, 1.0):
        return wilson(round(value * n), n)
    return low, high


def _measures(items: _Items, accepted: Bools, behind: bool, kinds: Sequence[str]) -> dict[str, tuple[float, int]]:
    """Each measure and the number of items it is about."""
    yes, no = items.answerable, ~items.answerable
    fewer = min(int(yes.sum()), int(no.sum()))
    found = {
        "auroc": (auroc(items.margin, yes.astype(float)), fewer),
        "twins": _mean(items.twin),
        "false_refusal": _mean(~accepted[yes]),
        "recall": _mean(~accepted[no]),
        "precision": _mean(no[~accepted]),
    } | {f"twins {kind}": _mean(items.twin[items.kind == kind]) for kind in kinds}
    if behind:
        found |= {
            "right": _mean(items.right),
            "garbage": _mean(items.garbage),
            "garbage_gated": _mean(items.garbage[no] * accepted[no]),
            "selective": _mean(items.selective),
            "selective_gated": _mean(items.selective[accepted]),
            "aurc": (risk_coverage(items.margin, items.handled)[2], len(items.margin)),
        }
    return found


def _mean(values: NDArray[Any]) -> tuple[float, int]:
    """The mean without NaN, and of how many; NaN of nothing."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan"), len(values)
