"""Figures for papers: one ability's curves, and presets that redraw the classic figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.report import charts
from scalecurve.report.data import Contents, gather
from scalecurve.report.words import words
from scalecurve.schema import CURVE_AXES
from scalecurve.types import Curve

FORMATS = ("svg", "pdf", "png")
Chosen = list[dict[str, Any]]
Preset = Callable[["Figure"], Any]
PRESETS: dict[str, tuple[str, Preset]] = {}


def preset(name: str, says: str) -> Callable[[Preset], Preset]:
    """Enter a classic figure under ``name``."""

    def enter(function: Preset) -> Preset:
        PRESETS[name] = (says, function)
        return function

    return enter


class Figure:
    """What a figure is drawn from: the runs' contents, the curves asked for, the axis and the language."""

    def __init__(self, contents: Contents, task: str | None, axis: str, lang: str, width: int = 360) -> None:
        self.contents, self.axis, self.width = contents, axis, width
        self.said = words(lang)
        self.tasks = _tasks_named(contents, task) if task else list(range(len(contents.refs)))
        self.asked = bool(task)

    def curves(self, metric: str | None = None, task: int | None = None) -> Chosen:
        """Curves of the asked tasks under ``metric`` (None: each task's preferred one)."""
        wanted = set(self.tasks) if task is None else {task}
        return [
            curve
            for curve in self.contents.curves
            if curve["t"] in wanted and (curve["p"] if metric is None else curve["m"] == metric)
        ]

    def series(self, curve: Mapping[str, Any]) -> str:
        name = self.said.get(curve["s"], curve["s"])
        arm = f"{name}, {self.said['shots'].format(k=curve['k'])}"
        family = self.contents.families[curve["f"]]["name"]
        return f"{family} · {arm}" if len(self.contents.families) > 1 else arm

    def metric(self, name: str) -> str:
        return self.said.get(name, name)

    def panel(self, curves: Chosen, title: str, y: str, names: Callable[[Mapping[str, Any]], str] | None = None) -> Any:
        """One small chart of ``curves``."""
        data: dict[str, list[dict[str, Any]]] = {"points": [], "rules": [], "bounds": [], "left_out": []}
        for curve in curves:
            series = (names or self.series)(curve)
            points = self._points(curve, series)
            data["points"] += points
            data["bounds"] += self._bounds(curve, series)
            data["left_out"] += self._left_out(curve, points)
        chances = {curve["c"] for curve in curves}
        if len(chances) == 1 and None not in chances:
            data["rules"] = data["labels_right"] = [{"y": chances.pop(), "label": self.said["chance"]}]
        if not data["points"]:
            raise UserError(f"--axis: no point of {title} lies on {self.axis}; choose another axis")
        said = {"x": self.said[self.axis], "y": y, "rung": self.said["model"], "items": self.said["items"]}
        kind = "linear" if self.axis == "loss" else "log"
        ticks = charts.round_ticks([point["x"] for point in data["points"]]) if kind == "log" else None
        chart = charts.filled(
            charts.score_chart(said, x_type=kind, ticks=ticks, power=self.axis == "training_flops"), data
        )
        return chart.properties(width=self.width, height=self.width * 0.62, title=title)

    def _points(self, curve: Mapping[str, Any], series: str) -> list[dict[str, object]]:
        rungs = self.contents.families[curve["f"]]["rungs"]
        points = []
        for place, y, e, n in zip(curve["r"], curve["y"], curve["e"], curve["n"], strict=True):
            x = rungs[place][self.axis]
            if isinstance(y, int | float) and isinstance(x, int | float) and (x > 0 or self.axis == "loss"):
                reach = 2 * e if isinstance(e, int | float) else 0.0
                here = {"x": x, "y": y, "lo": y - reach, "hi": y + reach, "n": n}
                points.append(here | {"series": series, "rung": rungs[place]["name"]})
        return sorted(points, key=lambda point: point["x"])

    def _bounds(self, curve: Mapping[str, Any], series: str) -> list[dict[str, Any]]:
        """What answers that a limit cut off may make of each point."""
        rungs = self.contents.families[curve["f"]]["rungs"]
        found = []
        for place, lo, hi in zip(curve["r"], curve.get("w", ()), curve.get("g", ()), strict=False):
            x = rungs[place][self.axis]
            if isinstance(lo, int | float) and isinstance(hi, int | float) and isinstance(x, int | float) and lo != hi:
                found.append({"x": x, "lo": lo, "hi": hi, "series": series})
        return found

    def _left_out(self, curve: Mapping[str, Any], points: Chosen) -> Chosen:
        """The points that the verdict left out, named once."""
        from scalecurve.analysis.verdicts.reasons import read
        from scalecurve.report.claims import left_out

        reasons = [read(text) for text in (curve["v"] or {}).get("reasons", ())]
        rungs = self.contents.families[curve["f"]]["rungs"]
        names = {rungs[curve["r"][at]]["name"] for at in left_out(self.contents, dict(curve), reasons)}
        return [
            point | {"label": self.said["left_out"].format(rung=point["rung"])}
            for point in points
            if point["rung"] in names
        ]

    def grid(self, panels: Sequence[Any], columns: int) -> Any:
        """Panels in rows: one legend for all; one scale of scores where all show the same metric."""
        import altair as alt

        parts = []
        for panel in panels:  # the look belongs to the whole
            panel = panel.copy(deep=True)
            panel.config = alt.Undefined
            parts.append(panel)
        series = charts.share_series(parts, columns)
        alike = len({part.layer[0].encoding.y["title"] for part in panels if part.layer}) == 1
        whole = alt.concat(*parts, columns=columns, spacing=24).resolve_scale(
            color="shared" if series else "independent", shape="shared" if series else "independent",
            strokeDash="shared" if series else "independent", x="independent", y="shared" if alike else "independent",
        )  # fmt: skip
        whole.config = alt.Config(**charts.config())
        return whole

    def name(self, task: int) -> str:
        return str(self.contents.tasks[task]["name"])


def plot(
    directories: Sequence[str | Path],
    task: str | None = None,
    *,
    preset: str | None = None,
    axis: str | None = None,
    metric: str | None = None,
    lang: str = "en",
) -> Any:
    """An Altair chart of a task's curves, or a preset's figure.

    ``task`` is a task's ref, its name, or a part of either that fits one task; presets take several or none.
    ``UserError`` for an unknown task, preset, metric or axis.
    """
    contents = gather(directories)
    if preset is not None and preset not in PRESETS:
        raise UserError(f"--preset: {preset!r} is not known; choose {', '.join(PRESETS)}")
    if axis is not None and axis not in CURVE_AXES:
        raise UserError(f"--axis: {axis!r} is not known; choose {', '.join(CURVE_AXES)}")
    if preset is not None:
        return PRESETS[preset][1](Figure(contents, task, axis or _own_axis(preset, contents), lang, 260))
    if task is None:
        raise UserError("plot: name a task, or a figure with --preset")
    figure = Figure(contents, task, axis or _axis_of(contents, task), lang, 420)
    panels = []
    for index in figure.tasks:
        curves = figure.curves(metric, index)
        if not curves:
            known = sorted({curve["m"] for curve in figure.curves(metric=None, task=index)})
            raise UserError(f"--metric: {metric!r} is not in {figure.name(index)}; it has {', '.join(known)}")
        panels.append(figure.panel(curves, figure.name(index), figure.metric(curves[0]["m"])))
    return panels[0] if len(panels) == 1 else figure.grid(panels, 2)


def save(chart: Any, path: Path, *, width: float | None = None, font_size: float | None = None) -> Path:
    """Write a chart as svg, pdf or png by the path's ending, without a browser or the network.

    ``width`` (inches) and ``font_size`` (points) are those of the printed figure; its unit is then the point.
    """
    import vl_convert

    kind = path.suffix.lstrip(".")
    if kind not in FORMATS:
        raise UserError(f"{path}: cannot be written as {kind or 'a file without ending'}; use {', '.join(FORMATS)}")
    spec = chart.to_dict()
    printed = width is not None or font_size is not None
    if printed:
        from scalecurve.report.printed import fitted

        spec = fitted(spec, width, font_size)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "svg":
        svg = vl_convert.vegalite_to_svg(spec)
        path.write_text(_in_points(svg) if printed else svg, encoding="utf-8")
    elif kind == "pdf":
        path.write_bytes(vl_convert.vegalite_to_pdf(spec))
    else:
        scale = 600 / 72 if printed else 3
        path.write_bytes(vl_convert.vegalite_to_png(spec | {"background": "white"}, scale=scale))
    return path


def _in_points(svg: str) -> str:
    """A figure for print measures in points, not in the screen's pixels."""
    import re

    return re.sub(r'(<svg [^>]*?)width="([\d.]+)" height="([\d.]+)"', r'\1width="\2pt" height="\3pt"', svg, count=1)


def curve_chart(curve: Curve) -> Any:
    """An Altair chart of one curve."""
    points = [
        {"x": x, "y": y, "lo": y - 2 * e, "hi": y + 2 * e, "n": n, "rung": rung, "series": curve.strategy}
        for x, y, e, n, rung in zip(curve.x, curve.y, curve.se, curve.n, curve.rungs, strict=True)
    ]
    rules = [] if curve.chance is None else [{"y": curve.chance, "label": "chance"}]
    said = words("en")
    names = {"x": said[curve.axis], "y": said.get(curve.metric, curve.metric)}
    chart = charts.score_chart(names, x_type="linear" if curve.axis == "loss" else "log")
    title = f"{curve.task} · {said.get(curve.strategy, curve.strategy)}, {curve.shots}-shot"
    data = {"points": points, "rules": rules, "labels_right": rules}
    return charts.filled(chart, data).properties(width=420, height=260, title=title)


def _tasks_named(contents: Contents, task: str) -> list[int]:
    """Indices of the tasks a user means: an exact ref or name, a container's parts, or all that contain the text."""
    import difflib

    names = [ref.partition(":")[2] or ref for ref in contents.refs]
    exact = [i for i, ref in enumerate(contents.refs) if task in (ref, names[i])]
    inside = [i for i, ref in enumerate(contents.refs) if ref.startswith(f"{task}:") or names[i].startswith(f"{task}:")]
    found = exact or inside or [i for i, ref in enumerate(contents.refs) if task in ref]
    if not found:
        close = difflib.get_close_matches(task, [*contents.refs, *names], 3, 0.4) or contents.refs[:5]
        raise UserError(f"task: {task!r} is not in the run; it has {', '.join(dict.fromkeys(close))}")
    return found


def _axis_of(contents: Contents, task: str | None) -> str:
    """The axis that a task's models differ on."""
    import polars as pl

    from scalecurve.analysis import axis_of

    asked = set(_tasks_named(contents, task)) if task else set(range(len(contents.refs)))
    shown = {(curve["f"], place) for curve in contents.curves if curve["t"] in asked for place in curve["r"]}
    rungs = [contents.families[family]["rungs"][place] for family, place in sorted(shown)]
    places = {axis: [rung[axis] for rung in rungs] for axis in CURVE_AXES}
    return axis_of(pl.DataFrame(places, strict=False)) or "params_non_embedding"


def _own_axis(preset: str, contents: Contents) -> str:
    """Training compute where the classic figure has it and every model's is known; else parameters."""
    flops = all(rung["training_flops"] for family in contents.families for rung in family["rungs"])
    return "training_flops" if preset == "abilities" and flops else "params_non_embedding"


# ── The classic figures ──────────────────────────────────────────────────────────────────────────────────────
@preset("abilities", "score against training compute for eight abilities")
def eight_abilities(figure: Figure) -> Any:
    """After Wei et al. 2022 (arXiv 2206.07682), figure 2: the eight that change most, unless tasks are named."""
    tasks = figure.tasks if figure.asked else sorted(figure.tasks, key=lambda t: -_gain(figure.curves(task=t)))
    panels = [
        figure.panel(curves, figure.name(task), figure.metric(curves[0]["m"]))
        for task in tasks[:8]
        if (curves := figure.curves(task=task))
    ]
    return figure.grid(panels, 4)


def _gain(curves: Chosen) -> float:
    known = [[y for y in curve["y"] if isinstance(y, int | float)] for curve in curves]
    return max((max(y) - min(y) for y in known if y), default=0.0)


@preset("metrics", "a strict metric beside continuous ones of the same answers")
def strict_and_continuous(figure: Figure) -> Any:
    """After BIG-bench (2206.04615) and Schaeffer et al. (2304.15004): exact match beside BLEU, edit similarity, …"""
    task = _one(figure, lambda curves: len({curve["m"] for curve in curves}) > 1)
    every = [curve for curve in figure.contents.curves if curve["t"] == task]
    headline = next((curve["m"] for curve in every if curve["p"]), every[0]["m"])
    order = [headline, "bleu", "edit_similarity", "target_logprob", "option_probability", "brier"]
    present = [metric for metric in dict.fromkeys(order) if any(curve["m"] == metric for curve in every)]
    panels = [figure.panel(figure.curves(m, task), figure.name(task), figure.metric(m)) for m in present[:4]]
    return figure.grid(panels, 2)


@preset("logprobs", "log-probability of correct against wrong answers")
def correct_and_wrong(figure: Figure) -> Any:
    """After BIG-bench (2206.04615): both rise together while the score does not move."""
    wanted = ("correct_logprob", "wrong_logprob")
    task = _one(figure, lambda curves: set(wanted) <= {curve["m"] for curve in curves})
    curves = [curve for metric in wanted for curve in figure.curves(metric, task)]
    return figure.panel(
        curves, figure.name(task), "nats", lambda curve: f"{figure.metric(curve['m'])} · {figure.series(curve)}"
    )


@preset("chain-of-thought", "chain of thought against direct answers")
def thinking_and_direct(figure: Figure) -> Any:
    """After Wei et al. (2201.11903): the same questions with and without written-out steps."""
    tasks = [t for t in figure.tasks if {"direct", "chain_of_thought"} <= {c["s"] for c in figure.curves(task=t)}]
    if not tasks:
        raise UserError("--preset chain-of-thought: no task was asked both directly and with chain of thought")
    tasks = tasks if figure.asked else sorted(tasks, key=lambda t: -_gain(figure.curves(task=t)))
    panels = [figure.panel(figure.curves(task=t), figure.name(t), figure.said["score"]) for t in tasks[:6]]
    return figure.grid(panels, 3)


@preset("inverse", "abilities that fall with scale")
def inverse_scaling(figure: Figure) -> Any:
    """After McKenzie et al. (2306.09479): curves judged inverse, U-shaped or inverted U."""
    falls = ("inverse", "inverted-U", "U")
    tasks = [t for t in figure.tasks if any(c["v"] and c["v"]["shape"] in falls for c in figure.curves(task=t))]
    if not tasks:
        raise UserError("--preset inverse: no curve of this run falls with scale")
    panels = []
    for task in tasks[:6]:
        curves = [curve for curve in figure.curves(task=task) if curve["v"] and curve["v"]["shape"] in falls]
        panels.append(figure.panel(curves, figure.name(task), figure.said["score"]))
    return figure.grid(panels, 3)


def _one(figure: Figure, fits: Callable[[Chosen], bool]) -> int:
    """The first asked task whose curves fit; of all tasks the one that changes most."""
    order = figure.tasks if figure.asked else sorted(figure.tasks, key=lambda t: -_gain(figure.curves(task=t)))
    for task in order:
        if fits([curve for curve in figure.contents.curves if curve["t"] == task]):
            return task
    raise UserError("--preset: no task of this run was scored by the metrics the figure needs")
