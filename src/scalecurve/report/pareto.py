"""Fronts of accuracy against tokens, one small chart a rung, and how well control works over scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scalecurve.report import charts
from scalecurve.report.words import words

SERIES = ("controllers", "always_fast", "always_slow", "random", "task_router", "other_ways", "larger_rung", "oracle")


def draw_fronts(reports: Sequence[Mapping[str, object]], lang: str = "en") -> Any:
    """An Altair chart of rung reports (``scalecurve.routing.RungReport`` as plain values).

    Left to right, top to bottom: a front for every rung, controllers joined by a line; last, where the rungs' sizes are
    known, the AUROC with which the controller tells what slow thinking fixes.
    """
    import altair as alt

    said = words(lang)
    panels = [_front(report, said) for report in reports]
    if len(reports) > 1 and all(report["params"] for report in reports):
        panels.append(_control(reports, said))
    for panel in panels:
        panel.config = alt.Undefined
    whole = alt.concat(*panels, columns=2, spacing=36).resolve_scale(
        color="independent", shape="independent", x="independent", y="independent", strokeDash="independent"
    )
    whole.config = alt.Config(**charts.config())
    return whole


def _front(report: Mapping[str, Any], said: Mapping[str, str]) -> Any:
    points = []
    for one in report["outcomes"]:
        points.append(
            {
                "x": one["tokens"]["value"],
                "y": one["accuracy"]["value"],
                "lo": one["accuracy"]["low"],
                "hi": one["accuracy"]["high"],
                "name": one["name"],
                "series": said[_series(one["name"])],
            }
        )
    order = [said[name] for name in SERIES]
    points.sort(key=lambda point: (order.index(point["series"]), point["x"]))
    line = [point for point in points if point["series"] == said["controllers"]]
    chart = charts.front_chart({"x": said["tokens_an_item"], "y": said["accuracy"], "way": said["way"]})
    filled = charts.filled(chart, {"points": points, "line": line})
    return filled.properties(width=360, height=240, title=report["rung"])


def _series(name: str) -> str:
    fixed = {"always fast": "always_fast", "always slow": "always_slow", "task router": "task_router"}
    if name in fixed or name in ("oracle", "least"):
        return fixed.get(name, "oracle")
    if name.startswith("random"):
        return "random"
    if name.startswith(("learned", "calibrated", "threshold")):
        return "controllers"
    return "other_ways" if name.startswith("always ") else "larger_rung"


def _control(reports: Sequence[Mapping[str, Any]], said: Mapping[str, str]) -> Any:
    points = [
        {
            "x": report["params"],
            "y": report[name]["value"],
            "lo": report[name]["low"],
            "hi": report[name]["high"],
            "n": report["n"],
            "rung": report["rung"],
            "series": said[name],
        }
        for name in ("control", "doubt")
        for report in reports
        if report[name]["value"] == report[name]["value"]
    ]
    names = {"x": said["params_non_embedding"], "y": said["auroc_fixes"], "rung": said["model"], "items": said["items"]}
    rules = [{"y": 0.5, "label": said["chance"]}]
    chart = charts.filled(charts.score_chart(names), {"points": points, "rules": rules, "labels": rules})
    return chart.properties(width=360, height=240, title=said["auroc_fixes"])
