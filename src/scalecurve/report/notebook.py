"""A run in Python and in notebooks: ``load_run("runs/lab").curve("addition").plot()``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.analysis.verdicts.reasons import read
from scalecurve.errors import UserError
from scalecurve.report.safe import visible
from scalecurve.report.summary import amount
from scalecurve.report.words import words
from scalecurve.store import RunDirectory, open_run, read_table
from scalecurve.types import Artefact, Curve, Shape, Verdict

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class CurveView:
    """A curve with its verdict (None: not computed), as a notebook shows it."""

    curve: Curve
    verdict: Verdict | None

    def plot(self) -> Any:
        """The curve as an Altair chart."""
        from scalecurve.report.figures import curve_chart

        return curve_chart(self.curve)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        return self.plot()._repr_mimebundle_(include, exclude)

    def __str__(self) -> str:
        points = ", ".join(f"{amount(x)}: {y:.3g}" for x, y in zip(self.curve.x, self.curve.y, strict=True))
        shape = self.verdict.shape if self.verdict else "no verdict"
        curve = self.curve
        return f"{curve.task} ({curve.strategy}, {curve.shots}-shot, {curve.metric}): {shape}; {points}"


@dataclass(frozen=True)
class FinishedRun:
    """A finished run, to look at."""

    directory: RunDirectory

    @property
    def table(self) -> pl.DataFrame:
        """curves.parquet: one row a point."""

        if not self.directory.curves.exists():
            raise UserError(f"{self.directory.curves}: not there yet; finish the run or `scalecurve rescore` it")
        return read_table(self.directory.curves)

    @property
    def verdicts(self) -> pl.DataFrame:
        """verdicts.parquet: one row a curve."""

        if not self.directory.verdicts.exists():
            raise UserError(f"{self.directory.verdicts}: verdicts are not computed; `scalecurve rescore` computes them")
        return read_table(self.directory.verdicts)

    def curves(
        self,
        task: str | None = None,
        *,
        strategy: str | None = None,
        shots: int | None = None,
        metric: str | None = None,
        family: str | None = None,
        axis: str = "params_non_embedding",
    ) -> list[CurveView]:
        """The curves that fit; without ``metric`` of each task's preferred one. ``task`` may be part of a name."""
        import polars as pl

        from scalecurve.analysis import curves_from_frame

        frame = self.table.filter(pl.col("preferred") if metric is None else pl.col("metric") == metric)
        if task is not None:
            named = frame.filter((pl.col("task") == task) | pl.col("task").str.ends_with(f":{task}"))
            frame = named if named.height else frame.filter(pl.col("task").str.contains(task, literal=True))
        for column, value in (("strategy", strategy), ("shots", shots), ("family", family)):
            if value is not None:
                frame = frame.filter(pl.col(column) == value)
        if frame.is_empty():
            known = ", ".join(self.table["task"].unique(maintain_order=True)[:8])
            raise UserError(f"curve: none fits task {task!r} with these settings; tasks of this run: {known}, …")
        verdicts = self._verdicts()
        return [CurveView(curve, verdicts.get(_key(curve))) for curve in curves_from_frame(frame, axis)]

    def curve(self, task: str, **settings: Any) -> CurveView:
        """The first curve that fits; see ``curves``. Asked directly and with fewest shots comes first."""
        found = self.curves(task, **settings)
        return min(found, key=lambda view: (view.curve.strategy != "direct", view.curve.shots))

    def _verdicts(self) -> dict[tuple[object, ...], Verdict]:
        if not self.directory.verdicts.exists():
            return {}
        known = {f.name for f in fields(Verdict)}
        made: dict[tuple[object, ...], Verdict] = {}
        for row in self.verdicts.iter_rows(named=True):
            values: dict[str, Any] = {
                name: tuple(v) if isinstance(v, list) else v for name, v in row.items() if name in known
            }
            values |= {"shape": Shape(row["shape"]), "artefact": Artefact(row["artefact"] or "")}
            values["reasons"] = tuple(read(reason) for reason in row["reasons"] or [])
            wide = (row.get("width_lo"), row.get("width_hi"))
            values["width_interval"] = None if None in wide else wide
            interval = (row["threshold_lo"], row["threshold_hi"])
            values["threshold_interval"] = None if None in interval else interval
            key = (row["family"], row["task"], row["strategy"], row["shots"], row["metric"])
            made[key] = Verdict(**values)
        return made

    def _repr_html_(self) -> str:
        """Headline curves and verdicts as a table; every name escaped."""
        said = words("en")
        rows = []
        for view in self.curves():
            curve, verdict = view.curve, view.verdict
            cells = (
                curve.task,
                f"{said.get(curve.strategy, curve.strategy)}, {curve.shots}-shot",
                said.get(curve.metric, curve.metric),
                f"{curve.y[0]:.3f} → {curve.y[-1]:.3f}" if curve.y else "–",
                said.get(verdict.shape, verdict.shape) if verdict else "–",
                amount(verdict.threshold) if verdict else "–",
            )
            rows.append("<tr>" + "".join(f"<td>{escape(visible(cell, 200))}</td>" for cell in cells) + "</tr>")
        heads = ("task", "strategy", "metric", "smallest_largest", "verdict", "threshold")
        head = "".join(f"<th>{escape(said[name])}</th>" for name in heads)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _key(curve: Curve) -> tuple[object, ...]:
    return curve.family, curve.task, curve.strategy, curve.shots, curve.metric


def load_run(path: str | Path) -> FinishedRun:
    """A run directory as a ``FinishedRun``. ``UserError`` when it holds none."""
    return FinishedRun(open_run(path))
