"""The charts, as Altair (Vega-Lite) specifications over named data sets.

One design serves the report, the figures for papers and notebooks: the report carries each specification once and its
script fills the data sets; Python fills them through ``filled``.

Data sets of ``score_chart``: ``points`` (x, y, lo, hi, series, rung, n), ``bounds`` (x, lo, hi, series: the scores with
all answers that a limit cut off wrong, and right), ``rules`` (y), ``labels`` and ``labels_right`` (y, label: of the
rules), ``threshold`` (x, x2), ``left_out`` (points that the verdict left out, with label: hollow),
``unlock`` (x, y, label), ``fan`` (x, y, lo80, hi80, lo95, hi95, series), ``ends`` (x, y, series, label). A label may
say its ``align``, ``dx`` and ``dy`` in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Okabe and Ito's palette, told apart by readers of every kind of colour vision; its orange and sky blue are darkened to
# a contrast of 3:1 on white. The order is by mutual contrast.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B57B00", "#3A92C4", "#7F7F7F", "#882255")
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [4, 4], [1, 3], [10, 3], [3, 1])
SHAPES = (
    "emergent", "smooth", "flat", "inverse", "U", "inverted-U", "saturated", "irregular", "inconclusive", "too-few",
    "late", "one-model",
)  # fmt: skip

B_TICKS = [sign * value for value in (1000, 300, 100, 30, 10, 3) for sign in (-1, 1)] + [0]

LIGHT = {"ink": "#1d1f23", "soft": "#6a6e76", "line": "#e4e5e8", "paper": "#ffffff"}


def config(colours: Mapping[str, str] = LIGHT) -> dict[str, Any]:
    """The look shared by every chart: thin axes, no frame, faint horizontal grid."""
    axis = {
        "labelColor": colours["soft"],
        "titleColor": colours["soft"],
        "domainColor": colours["line"],
        "tickColor": colours["line"],
        "gridColor": colours["line"],
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": 400,
        "titlePadding": 8,
        "tickSize": 4,
        "labelPadding": 4,
    }
    return {
        "background": "transparent",
        "font": "Inter, system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK SC', sans-serif",
        "view": {"stroke": None},
        "axis": axis,
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False},
        "legend": {
            "labelColor": colours["ink"],
            "titleColor": colours["soft"],
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": 400,
            "orient": "top",
            "direction": "horizontal",
            "symbolStrokeWidth": 0,  # a dashed outline would fray the symbols
            "symbolOpacity": 1,
            "labelLimit": 320,
            "columns": 3,
        },
        "title": {"color": colours["ink"], "fontSize": 13, "fontWeight": 600, "anchor": "start", "offset": 10},
        "text": {"color": colours["soft"]},
        "rule": {"color": colours["soft"]},
    }


RANGE = "isValid(datum.lo) && isValid(datum.hi) ? format(datum.lo, '{0}') + ' – ' + format(datum.hi, '{0}') : '–'"
"""The 95% interval of a mark in one row of its tooltip; the place for a number's format."""
AMOUNT = "replace(format(datum.value, '.3~s'), 'G', 'B')"
POWER = "replace(format(datum.value, '.0e'), 'e+', 'e')"


def round_ticks(xs: Sequence[float]) -> list[float] | None:
    """1, 3, 10, 30, … within the range of ``xs``, powers of ten where these are many; None for a short range."""
    from math import floor, log10

    low, high = min(xs), max(xs)
    if not low > 0 or high / low < 3:
        return None
    powers = range(floor(log10(low)), floor(log10(high)) + 1)
    ticks = [
        digit * 10.0**power
        for power in powers
        for digit in (1, 3)
        if low * 0.999 <= digit * 10.0**power <= high * 1.001
    ]
    return [x for x in ticks if f"{x:e}".startswith("1")] if len(ticks) > 6 else ticks


def score_chart(
    words: Mapping[str, str] | None = None,
    *,
    x_type: str = "log",
    ticks: Sequence[float] | None = None,
    power: bool = False,
) -> Any:
    """Score by scale: lines with error bars a series, chance and other rules, threshold band, unlock, forecast fan.

    ``ticks``: values named on the axis of scale, written 30M and 3B, or with ``power`` 3e20.
    """
    import altair as alt

    said = {
        "x": "Parameters (non-embedding)",
        "y": "Score",
        "rung": "Model",
        "items": "Items",
        "series": "Series",
    }
    said |= dict(words or {})

    def named(name: str) -> Any:
        return alt.Chart(alt.NamedData(name=name))

    x = alt.X("x:Q", title=said["x"], scale=alt.Scale(type=x_type, nice=False, padding=18))
    x = x.axis(labelExpr=POWER if power else AMOUNT, tickCount=6, labelOverlap="greedy")
    if ticks:
        x = x.axis(labelExpr=POWER if power else AMOUNT, values=list(ticks), labelOverlap="greedy")
    y = alt.Y("y:Q", title=said["y"], scale=alt.Scale(zero=False, nice=True)).axis(tickCount=5)
    key = alt.Legend(title=None)
    colour = alt.Color("series:N", sort=None, legend=key, scale=alt.Scale(range=list(PALETTE)))
    dash = alt.StrokeDash("series:N", sort=None, legend=None, scale=alt.Scale(range=[list(dash) for dash in DASHES]))
    shape = alt.Shape("series:N", sort=None, legend=key, scale=alt.Scale(range=list(SYMBOLS)))
    tooltip = [
        alt.Tooltip("series:N", title=said["series"]),
        alt.Tooltip("rung:N", title=said["rung"]),
        alt.Tooltip("x:Q", title=said["x"], format=".4~s"),
        alt.Tooltip("y:Q", title=said["y"], format=".4~f"),
        alt.Tooltip("interval:N", title="95%"),
        alt.Tooltip("n:Q", title=said["items"]),
    ]

    def beside(name: str, default: float) -> Any:
        """Where a label stands, if the data say so."""
        return alt.ExprRef(f"isValid(datum.{name}) ? datum.{name} : {default}")

    side = alt.ExprRef("isValid(datum.align) ? datum.align : 'left'")
    fan = named("fan")
    rules = named("rules")
    layers = [
        named("threshold").mark_rect(opacity=0.10, color="#7f7f7f").encode(x=x, x2="x2:Q"),
        fan.mark_area(opacity=0.10).encode(x=x, y=alt.Y("lo95:Q"), y2="hi95:Q", color=colour),
        fan.mark_area(opacity=0.18).encode(x=x, y=alt.Y("lo80:Q"), y2="hi80:Q", color=colour),
        fan.mark_line(strokeDash=[2, 3], strokeWidth=1.5).encode(x=x, y=y, color=colour),
        rules.mark_rule(strokeDash=[4, 4], strokeWidth=1).encode(y=y),
        named("labels")
        .mark_text(align="left", baseline="alphabetic", dx=beside("dx", 3), dy=beside("dy", -4), fontSize=10)
        .encode(y=y, x=alt.value(0), text="label:N"),
        named("labels_right")
        .mark_text(align="right", baseline="alphabetic", dx=beside("dx", -3), dy=beside("dy", -4), fontSize=10)
        .encode(y=y, x=alt.value("width"), text="label:N"),
        named("bounds").mark_rule(strokeWidth=9, opacity=0.22).encode(x=x, y=alt.Y("lo:Q"), y2="hi:Q", color=colour),
        named("points").mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash),
        named("points").mark_rule(strokeWidth=1.5, opacity=0.7).encode(x=x, y=alt.Y("lo:Q"), y2="hi:Q", color=colour),
        named("points")
        .transform_calculate(interval=RANGE.format(".3~f"))
        .mark_point(filled=True, size=46, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tooltip),
        named("left_out")
        .transform_calculate(interval=RANGE.format(".3~f"))
        .mark_point(filled=False, fill="#ffffff", size=60, strokeWidth=2, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tooltip),
        named("left_out")
        .mark_text(
            align=side, baseline="alphabetic", dx=beside("dx", 7), dy=beside("dy", -6), fontSize=10, style="left-out"
        )
        .encode(x=x, y=y, text="label:N"),
        named("unlock").mark_point(shape="circle", size=220, strokeWidth=1.5, filled=False).encode(x=x, y=y),
        named("unlock")
        .mark_text(align=side, baseline="alphabetic", dx=beside("dx", 12), dy=beside("dy", -6), fontSize=11)
        .encode(x=x, y=y, text="label:N"),
        named("ends")  # a halo keeps a name readable where it stands on a line
        .mark_text(align="left", dx=8, fontSize=11, clip=False, stroke="#ffffff", strokeWidth=3, strokeJoin="round")
        .encode(x=x, y=y, text="label:N"),
        named("ends")
        .mark_text(align="left", dx=8, fontSize=11, clip=False)
        .encode(x=x, y=y, text="label:N", color=colour),
    ]
    return alt.layer(*layers)


def map_chart(words: Mapping[str, str] | None = None) -> Any:
    """Linearity against breakthroughness of all curves; ``null`` is the rectangle that holds 95% of noise.

    Data sets: ``points`` (share, b, label, series, name, link), ``null`` (x, x2, y, y2). ``b`` is cut at the edge.
    """
    import altair as alt

    said = {"l": "Linearity  L / (m − 1)", "b": "Breakthroughness  B", "name": "Curve", "shape": "Verdict"}
    said |= dict(words or {})
    scale = alt.Scale(type="symlog", constant=2)
    x = alt.X("share:Q", title=said["l"], scale=alt.Scale(domain=[-1.05, 1.05], nice=False)).axis(
        values=[-1, -0.5, 0, 0.5, 1]
    )
    y = alt.Y("b:Q", title=said["b"], scale=scale).axis(values=B_TICKS, format="d")
    null = alt.Chart(alt.NamedData(name="null"))
    points = alt.Chart(alt.NamedData(name="points"))
    colour = alt.Color("series:N", sort=None, legend=alt.Legend(title=None, columns=5))
    shape = alt.Shape("label:N", sort=None, legend=alt.Legend(title=None, columns=5))
    return alt.layer(
        null.mark_rect(opacity=0.12, color="#7f7f7f").encode(
            x=alt.X("x:Q", title=said["l"]), x2="x2:Q", y=alt.Y("y:Q", title=said["b"], scale=scale), y2="y2:Q"
        ),
        points.mark_point(filled=True, size=55, opacity=0.75).encode(
            x=x,
            y=y,
            color=colour,
            shape=shape,
            href="link:N",
            tooltip=[
                alt.Tooltip("name:N", title=said["name"]),
                alt.Tooltip("label:N", title=said["shape"]),
                alt.Tooltip("share:Q", title=said["l"], format=".2f"),
                alt.Tooltip("shown:N", title=said["b"]),
            ],
        ),
    )


def threshold_chart(words: Mapping[str, str] | None = None) -> Any:
    """Rises sorted by the scale at which they begin. Data set ``points`` (name, label, series, x, low, high: the two
    models between which each begins, between: their names, lo, hi: its 95% interval)."""
    import altair as alt

    said = {"x": "Parameters (non-embedding)", "name": "Ability", "shape": "Verdict", "begins": "Begins between"}
    said |= dict(words or {})
    base = alt.Chart(alt.NamedData(name="points"))
    x_scale = alt.Scale(type="log", nice=False, padding=12)
    y = alt.Y("name:N", sort=None, title=None).axis(labelLimit=280, domain=False, ticks=False, grid=True)
    colour = alt.Color("series:N", sort=None, legend=alt.Legend(title=None))
    shape = alt.Shape("label:N", sort=None, legend=alt.Legend(title=None))
    return alt.layer(
        base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(
            x=alt.X("lo:Q", title=said["x"], scale=x_scale).axis(format="~s", tickCount=6), x2="hi:Q", y=y, color=colour
        ),
        base.mark_rule(strokeWidth=5, opacity=0.55).encode(
            x=alt.X("low:Q", title=said["x"], scale=x_scale), x2="high:Q", y=y, color=colour
        ),
        base.transform_calculate(interval=RANGE.format(".3~s"))
        .mark_point(filled=True, size=64, opacity=1)
        .encode(
            x=alt.X("x:Q", title=said["x"], scale=x_scale),
            y=y,
            color=colour,
            shape=shape,
            href="link:N",
            tooltip=[
                alt.Tooltip("name:N", title=said["name"]),
                alt.Tooltip("label:N", title=said["shape"]),
                alt.Tooltip("between:N", title=said["begins"]),
                alt.Tooltip("interval:N", title="95%"),
            ],
        ),
    )


def front_chart(words: Mapping[str, str] | None = None) -> Any:
    """Accuracy against tokens an item. Data sets: ``points`` (x, y, lo, hi, name, series), ``line`` (x, y, series)."""
    import altair as alt

    said = {"x": "Tokens an item", "y": "Accuracy", "way": "Way"} | dict(words or {})
    x = alt.X("x:Q", title=said["x"], scale=alt.Scale(zero=True, nice=True)).axis(tickCount=6)
    y = alt.Y("y:Q", title=said["y"], scale=alt.Scale(zero=False, nice=True)).axis(tickCount=5)
    key = alt.Legend(title=None)
    colour = alt.Color("series:N", sort=None, legend=key, scale=alt.Scale(range=list(PALETTE)))
    shape = alt.Shape("series:N", sort=None, legend=key, scale=alt.Scale(range=list(SYMBOLS)))
    points = alt.Chart(alt.NamedData(name="points"))
    tooltip = [
        alt.Tooltip("name:N", title=said["way"]),
        alt.Tooltip("x:Q", title=said["x"], format=".1f"),
        alt.Tooltip("y:Q", title=said["y"], format=".3f"),
        alt.Tooltip("interval:N", title="95%"),
    ]
    return alt.layer(
        alt.Chart(alt.NamedData(name="line")).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        points.mark_rule(strokeWidth=1.2, opacity=0.6).encode(x=x, y=alt.Y("lo:Q"), y2="hi:Q", color=colour),
        points.transform_calculate(interval=RANGE.format(".3f"))
        .mark_point(filled=True, size=46, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tooltip),
    )


def filled(chart: Any, data: Mapping[str, Sequence[Mapping[str, object]]]) -> Any:
    """``chart`` with its named data sets filled (those not given stay empty) and the shared look."""
    import altair as alt

    chart = chart.copy(deep=True)
    names = list(dict.fromkeys(row["series"] for row in data.get("points", ()) if "series" in row))
    kept = []
    for layer in chart.layer:
        for channel in ("color", "shape", "strokeDash"):  # one domain for all three, so that they share one legend
            encoding = getattr(layer.encoding, channel)
            if names and encoding is not alt.Undefined:
                encoding["scale"]["domain"] = names  # `.scale` would be the method of that name
                several = len(names) > 1 and channel != "strokeDash"  # dashes would fray the legend's symbols
                encoding["legend"] = alt.Legend(title=None, columns=2) if several else None
        rows = data.get(getattr(layer.data, "name", ""))
        if rows:  # an empty layer would only warn
            layer.data = alt.InlineData(values=list(rows))
            kept.append(layer)
    chart.layer = kept
    chart.config = alt.Config(**config())
    return chart


def share_series(panels: Sequence[Any], columns: int) -> list[str]:
    """Give all panels the same series in the same order, in place, so that one legend serves them; returns these."""
    import altair as alt

    scales = [
        (channel, getattr(layer.encoding, channel))
        for panel in panels
        for layer in panel.layer
        for channel in ("color", "shape", "strokeDash")
        if getattr(layer.encoding, channel) is not alt.Undefined
    ]
    names = list(dict.fromkeys(name for _, scale in scales for name in scale["scale"]["domain"] or ()))
    for channel, scale in scales:
        several = len(names) > 1 and channel != "strokeDash"
        scale["scale"]["domain"] = names
        scale["legend"] = alt.Legend(title=None, columns=max(2, columns)) if several else None
    return names
