"""Following a training run: its checkpoints are evaluated as they appear, judged anew, and changes told as alerts.

The run is an ordinary one whose ladder is ``checkpoints:FOLDER``, so that every look is the same study with more rungs,
and finished parts are kept. What makes an alert is decided from the scores alone, checkpoint by checkpoint:

    emergence    the verdict on a curve has become emergent
    regression   the newest score is below the best earlier one by the verdicts' own rule (at least .05 and three
                 standard errors), and was not so at the checkpoint before
    divergence   the newest score lies outside the interval that was forecast from the checkpoints before it, at 95%
                 over all curves together (Bonferroni)
    verdict      the shape has changed otherwise, from one known shape to another

``watch.json`` in the run says which checkpoints have been told; it is written after their alerts, so that a kill at any
instant loses none. An alert that is in ``alerts.jsonl`` already is not told again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from scalecurve.analysis.verdicts.run import judge_tables
from scalecurve.errors import UserError
from scalecurve.models.checkpoints import Checkpoint, list_checkpoints
from scalecurve.pipeline import run_plan
from scalecurve.schema import CURVE_KEY
from scalecurve.store import RunDirectory, read_table
from scalecurve.store.atomic import write_bytes
from scalecurve.study.study import Study, load_study
from scalecurve.types import Curve, Rung, Shape

if TYPE_CHECKING:
    import polars as pl

    from scalecurve.runner.execute import Outcome, Watcher
    from scalecurve.study.plan import Plan

AXIS = "step"
ALERTS, STATE = "alerts.jsonl", "watch.json"
SIGNIFICANT = 3.0  # standard errors of a fall that counts
FALSE_ALARMS = 0.05  # of a divergence, over all curves at one checkpoint
UNKNOWN = (Shape.TOO_FEW, Shape.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Alert:
    """One change that is worth a message. ``score`` and ``se`` are the newest; ``expected`` is the forecast or the best
    earlier score, ``low`` and ``high`` the forecast's interval."""

    kind: str
    rung: str
    step: int
    family: str
    task: str
    strategy: str
    shots: int
    metric: str
    score: float
    se: float | None
    before: str
    after: str
    expected: float | None = None
    low: float | None = None
    high: float | None = None

    def text(self) -> str:
        """One line for people."""
        what = f"{self.kind}: {self.task} {self.strategy} {self.shots}-shot {self.metric} at step {self.step}"
        score = f"{self.score:.3f}" + (f" ± {self.se:.3f}" if self.se is not None else "")
        if self.kind == "regression":
            return f"{what}: {score}, best before {self.expected:.3f}"
        if self.kind == "divergence":
            return f"{what}: {score}, forecast {self.expected:.3f} ({self.low:.3f} to {self.high:.3f})"
        return f"{what}: {self.before or 'unknown'} → {self.after} at {score}"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the folder came to. ``outcome`` is None where there was nothing new."""

    checkpoints: tuple[Checkpoint, ...]
    outcome: Outcome | None
    alerts: tuple[Alert, ...]


class Watch:
    """A folder of checkpoints, and the run that follows it."""

    def __init__(self, folder: Path, study: Path, out: Path | None = None) -> None:
        self.folder = folder.expanduser().resolve()
        list_checkpoints(self.folder)  # whether it is there at all
        self.study: Study = load_study(study, models=[f"checkpoints:{self.folder}"])
        self.run = RunDirectory(out or Path("runs") / self.study.name)
        self._evaluated: tuple[object, ...] = ()
        self._verdicts: tuple[frozenset[str], pl.DataFrame] | None = None

    def look(self, watcher: Watcher | None = None, on_alert: Callable[[Alert], None] | None = None) -> Look:
        """Evaluate what is complete and new, judge anew, and tell what changed.

        ``on_alert`` hears of each alert before it is kept, so that after a kill it may hear of one again. Raises
        ``UserError`` when the study is at fault, and when not one checkpoint can be opened.
        """
        checkpoints = tuple(list_checkpoints(self.folder))
        ready = tuple((one.folder, one.signature) for one in checkpoints if one.complete)
        if not ready or ready == self._evaluated:
            return Look(checkpoints, None, ())
        _, outcome = run_plan(self._plan(), self.run.path, watcher=watcher)
        self._evaluated = ready
        return Look(checkpoints, outcome, tuple(self._tell(on_alert)))

    def _plan(self) -> Plan:
        """The study of the checkpoints that are there, and of those that were evaluated and then deleted."""
        from scalecurve.study.plan import make_plan

        plan = make_plan(self.study)
        (ladder,) = plan.ladders
        there = {rung.name for rung in ladder.rungs}
        fields = Rung.__dataclass_fields__
        gone = [
            Rung(**{name: record[name] for name in fields if name in record} | {"notes": tuple(record["notes"])})
            for record in self.run.read_manifest().get("rungs", [])
            if record["name"] not in there and record["fingerprint"]
        ]
        rungs = sorted((*ladder.rungs, *gone), key=lambda rung: rung.step or 0)
        return replace(plan, ladders=(replace(ladder, rungs=tuple(rungs)),))

    # ── Alerts ──────────────────────────────────────────────────────────────────────────────────────────────
    def _tell(self, on_alert: Callable[[Alert], None] | None) -> Iterator[Alert]:
        """The alerts of every scored checkpoint that has not been told of, in the order of steps.

        Those that are there when a run begins are its baseline, and raise no alert.
        """
        import polars as pl

        curves, scores = read_table(self.run.curves), read_table(self.run.scores)
        scored = curves.filter(pl.col("y").is_not_null() & (pl.col(AXIS) > 0)).sort(AXIS)
        rungs: list[str] = scored["rung"].unique(maintain_order=True).to_list()
        told = self._told()
        if told is None:
            self._keep_told(rungs)
            return
        for rung in [rung for rung in rungs if rung not in told]:
            before = curves.filter(pl.col("rung").is_in(told)), scores.filter(pl.col("rung").is_in(told))
            now = [*told, rung]
            after = curves.filter(pl.col("rung").is_in(now)), scores.filter(pl.col("rung").is_in(now))
            old, new = self._judged(told, *before), self._judged(now, *after)
            known = read_alerts(self.run.path / ALERTS)
            for alert in changes(rung, before[0], after[0], old, new):
                if _name(asdict(alert)) not in {_name(one) for one in known}:
                    if on_alert:
                        on_alert(alert)
                    known.append(asdict(alert))
                    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in known)
                    write_bytes(self.run.path / ALERTS, lines.encode())
                    yield alert
            told = now
            self._keep_told(told)

    def _judged(self, rungs: Sequence[str], curves: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
        """The verdicts on the curves of these rungs; those of the last step are remembered."""
        if self._verdicts is None or self._verdicts[0] != frozenset(rungs):
            self._verdicts = (frozenset(rungs), judge_tables(curves, scores, ()))
        return self._verdicts[1]

    def _told(self) -> list[str] | None:
        path = self.run.path / STATE
        try:
            told = json.loads(path.read_bytes())["told"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path}: cannot be read; delete it, and what is there now becomes the baseline") from None
        return [str(rung) for rung in told]

    def _keep_told(self, rungs: Sequence[str]) -> None:
        write_bytes(self.run.path / STATE, json.dumps({"told": list(rungs)}, ensure_ascii=False).encode())


def read_alerts(path: Path) -> list[dict[str, object]]:
    """The alerts that were kept in the file ``path``, which need not be there."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return [json.loads(line) for line in lines if line]


def _name(alert: dict[str, Any]) -> tuple[object, ...]:
    return tuple(alert[field] for field in ("kind", "rung", *CURVE_KEY))


def changes(
    rung: str, before: pl.DataFrame, after: pl.DataFrame, old: pl.DataFrame, new: pl.DataFrame
) -> Iterator[Alert]:
    """What the checkpoint ``rung`` changed, from curves and verdicts without it and with it, by one metric a task."""
    import polars as pl

    from scalecurve.analysis import curves_from_frame

    chosen = _headlines(after)
    newest = chosen.filter(pl.col("rung") == rung)
    if newest.is_empty():
        return
    step = int(newest[AXIS][0])
    shapes = [
        {tuple(row[name] for name in CURVE_KEY): row["shape"] for row in table.to_dicts()} for table in (old, new)
    ]
    expected = _forecasts(before, step, chosen)
    for curve in curves_from_frame(chosen, AXIS):
        if rung not in curve.rungs or not curve.rungs.index(rung):
            continue
        key = tuple(getattr(curve, name) for name in CURVE_KEY)
        at = curve.rungs.index(rung)
        se = curve.se[at] if math.isfinite(curve.se[at]) else None
        was, has = shapes[0].get(key, ""), shapes[1].get(key, "")
        alert = Alert(
            kind="verdict",
            rung=rung,
            step=step,
            family=curve.family,
            task=curve.task,
            strategy=curve.strategy,
            shots=curve.shots,
            metric=curve.metric,
            score=curve.y[at],
            se=se,
            before=was,
            after=has,
        )
        if has == Shape.EMERGENT and was != Shape.EMERGENT:
            yield replace(alert, kind="emergence")
        elif was != has and was and not {was, has} & set(UNKNOWN):
            yield alert
        best = _fallen_from(curve, at)
        if best is not None and (at < 2 or _fallen_from(curve, at - 1) is None):
            yield replace(alert, kind="regression", expected=best)
        if key in expected:
            middle, low, high = expected[key]
            if not low <= curve.y[at] <= high:
                yield replace(alert, kind="divergence", expected=middle, low=low, high=high)


def _headlines(curves: pl.DataFrame) -> pl.DataFrame:
    """The scored points of each task's preferred metric, or where that was not asked for, of the first that was."""
    import polars as pl

    asked = list(CURVE_KEY[:-1])
    best = (pl.col("metric").filter(pl.col("preferred")).first(), pl.col("metric").first())
    chosen = curves.group_by(asked, maintain_order=True).agg(pl.coalesce(*best).alias("metric"))
    return curves.join(chosen, on=list(CURVE_KEY), how="semi").filter(pl.col("y").is_not_null())


def _fallen_from(curve: Curve, at: int) -> float | None:
    """The best score before point ``at`` when that point is significantly worse, else None."""
    from scalecurve.analysis.verdicts.evidence import prepare

    own = prepare(curve)
    error = own.errors()
    best = max(range(at), key=lambda index: float(own.y[index]), default=None)
    if best is None:
        return None
    needed = max(own.delta, SIGNIFICANT * float(error[best] ** 2 + error[at] ** 2) ** 0.5)
    return curve.y[best] if own.y[best] - own.y[at] >= needed - 1e-9 else None


def _forecasts(
    before: pl.DataFrame, step: int, chosen: pl.DataFrame
) -> dict[tuple[object, ...], tuple[float, float, float]]:
    """Curve → (forecast score at ``step``, its interval); none where the step lies below known ones."""
    import polars as pl

    from scalecurve.analysis import forecast
    from scalecurve.analysis.forecast.forecast import COMBINED, MIN_POINTS

    known = before.filter(pl.col("y").is_not_null() & (pl.col(AXIS) > 0))
    if known[AXIS].n_unique() < MIN_POINTS or (known[AXIS] >= step).any():
        return {}
    try:
        found = forecast(known, [step], axis=AXIS).filter(pl.col("method") == COMBINED)
    except UserError:  # no curve has enough points yet
        return {}
    rows = found.join(chosen.select(CURVE_KEY).unique(), on=list(CURVE_KEY), how="semi").to_dicts()
    reach = NormalDist().inv_cdf(1 - FALSE_ALARMS / 2 / max(1, len(rows)))
    return {
        tuple(row[name] for name in CURVE_KEY): (row["y"], row["y"] - reach * row["sd"], row["y"] + reach * row["sd"])
        for row in rows
    }
