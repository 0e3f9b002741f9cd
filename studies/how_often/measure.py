"""From curves to the tables of the study: verdicts, power, other axes, forecasts. Every table is a CSV of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import polars as pl
from curves import KEY, SCORES, benchmark, origin, sister

from scalecurve.analysis import backtest, curves_from_frame, judge, judge_all, standard_error
from scalecurve.analysis.verdicts.reasons import read
from scalecurve.errors import UserError
from scalecurve.types import Curve

CAPABLE = 5  # models that it takes to show a floor of three and two above
LEAST_ITEMS = 100
FLOOR = 3  # models that a floor takes
PLANTED = 200  # ladders on which a course is planted, of each kind
# What is planted: its height, and its width in decades from a tenth to nine tenths.
COURSES = {
    "step": (0.3, 0.05), "small step": (0.2, 0.05), "narrow": (0.3, 1.0), "medium": (0.3, 1.5), "gradual": (0.3, 2.0),
    "nothing": (0.0, 0.05), "smaller step": (0.15, 0.05), "least step": (0.1, 0.05),
}  # fmt: skip
ALIKE = 1.01  # a ratio that varies by less is a fixed one
AXES = ("params_total", "training_flops", "training_tokens", "loss")
ASKED: dict[str, dict[str, float | int]] = {
    "next size": {},
    "two sizes ahead": {"skip": 1},
    "four times": {"ahead": 4.0},
}
KEPT = ["shape", "sublabel", "confidence", "threshold", "threshold_lo", "threshold_hi", "width", "width_lo", "width_hi"]
KEPT += ["scatter", "bound", "breakthroughness", "linearity_share", "p_flat", "artefact"]


def verdicts(frame: pl.DataFrame, axis: str = "params_non_embedding") -> pl.DataFrame:
    """One row a curve of scores; companions are judged with it and used for the artefact check."""
    found = judge_all(frame, axis=axis, replicates=0).filter(pl.col("metric").is_in(SCORES))
    about = (
        frame.sort(axis, descending=axis == "loss")
        .group_by(*KEY, maintain_order=True)
        .agg(
            pl.col("set").first(),
            pl.col(axis).n_unique().alias("models"),
            pl.col(axis).max().cast(pl.Float64).alias("largest"),
            pl.col("n").min().alias("items"),
            pl.col("chance").first(),
            start=pl.col("y").head(FLOOR).mean() - pl.col("chance").first(),
        )
    )
    rows = found.join(about, on=KEY, how="left", nulls_equal=True)
    return rows.select(
        "set", "family", "task", "shots", "metric", "models", "largest", "items", "chance",
        _named("set", "family", origin).alias("origin"),
        _named("set", "family", sister).alias("sister"),
        pl.col("task").map_elements(benchmark, pl.String).alias("benchmark"),
        ((pl.col("models") >= CAPABLE) & (pl.col("items") >= LEAST_ITEMS) & pl.col("chance").is_not_null()
         & (pl.col("shape") != "too-few")).alias("capable"),
        "start", *KEPT,
        pl.col("flags").list.join(" ").alias("flags"),
        pl.col("reasons").map_elements(odd_model, pl.String).alias("odd"),
    ).sort("set", "family", "task", "shots", "metric")  # fmt: skip


def odd_model(reasons: pl.Series) -> str:
    """The model that a verdict names as odd, or leaves out; "" where there is none."""
    found = [read(text) for text in reasons]
    return next((str(reason.arguments[0]) for reason in found if reason.code == "one-model"), "")


def _named(first: str, second: str, name: Callable[[str, str], str]) -> pl.Expr:
    return pl.struct(first, second).map_elements(lambda row: name(row[first], row[second]), pl.String)


def planted(frame: pl.DataFrame, judged: pl.DataFrame, seed: int = 29) -> pl.DataFrame:
    """What the rules say of known courses: steps, gradual rises and nothing at all, on the study's own ladders.

    Ladders are drawn from the curves on which a jump could be called one: their sizes, items, chance, and the scatter
    of models fitted there; what is planted rises with three models or more below and two or more above. Each is judged
    by itself.
    """
    rng = np.random.default_rng(seed)
    able = judged.filter("capable")
    own = {_key(curve): curve for curve in curves_from_frame(frame.filter(pl.col("metric").is_in(SCORES)))}
    keys, scatters = able.select(KEY).iter_rows(), able["scatter"].fill_null(0.0)
    ladders = [(own[key], float(scatter)) for key, scatter in zip(keys, scatters, strict=True) if key in own]
    rows = []
    for kind in COURSES:
        for index in rng.integers(0, len(ladders), PLANTED):
            curve, scatter = ladders[index]
            y = _course(curve, kind, scatter, rng)
            errors = tuple(standard_error(float(v), n) for v, n in zip(y, curve.n, strict=True))
            said = judge(replace(curve, y=tuple(y.tolist()), se=errors, flags=()), replicates=0)
            rows.append(
                (kind, curve.family, curve.task, len(curve.x), min(curve.n), said.shape, said.sublabel, said.confidence)
            )
    columns = ["planted", "family", "task", "models", "items", "shape", "sublabel", "confidence"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def _course(curve: Curve, kind: str, scatter: float, rng: np.random.Generator) -> np.ndarray:
    x, chance = np.log10(curve.x), curve.chance or 0.0
    at = int(rng.integers(3, len(x) - 1))
    centre = (x[at - 1] + x[at]) / 2
    height, width = COURSES[kind]
    p = chance + height / (1 + np.exp(-np.clip(4.394 * (x - centre) / width, -60, 60)))
    p = p + rng.normal(0, scatter, len(x)) * 2 * np.sqrt(np.clip(p * (1 - p), 0, 0.25))
    return rng.binomial(curve.n, np.clip(p, 0, 1)) / np.array(curve.n)


def _key(curve: Curve) -> tuple[object, ...]:
    return (curve.family, curve.task, curve.shots, curve.metric)


def on_other_axes(frame: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """The shape of each curve that is judged over parameters, over every other axis that its source states.

    Left out: curves on which the axis is a fixed multiple of the parameters, for there nothing could change.
    """
    rows = judged.select("set", *KEY, "shape", "sublabel")
    for axis in AXES:
        if axis not in frame.columns:
            continue
        known = frame.filter(pl.col(axis).is_not_null().all().over(KEY))
        same = (pl.col(axis).n_unique() == pl.col("params_non_embedding").n_unique()).over(KEY)
        times = pl.col(axis) / pl.col("params_non_embedding")
        known = known.filter(same & (times.max() > ALIKE * times.min()).over(KEY))
        if known.is_empty():
            continue
        found = judge_all(known, axis=axis, replicates=0).select(*KEY, pl.col("shape").alias(axis))
        rows = rows.join(found, on=KEY, how="left", nulls_equal=True)
    return rows


def forecasts(frame: pl.DataFrame) -> pl.DataFrame:
    """Every size foretold from the smaller ones of its family: one row a target, errors in fractions."""
    tables = []
    for (name,), own in frame.group_by("set", maintain_order=True):
        for asked, options in ASKED.items():
            try:
                found = backtest(own, **options)  # type: ignore[arg-type]  # ASKED holds its names
            except UserError:  # too few sizes to leave out any
                continue
            tables.append(found.with_columns(set=pl.lit(name), asked=pl.lit(asked)))
    target = ["set", "asked", *KEY, "rung"]
    every = pl.concat(tables).filter(pl.col("metric").is_in(SCORES))
    wide = every.filter(pl.col("method") == "combined").select(
        *target, "known", "distance", "shape", "actual", "predicted", "sampling", "inside80", "inside95"
    )
    for method in ("last value", "line"):
        one = every.filter(pl.col("method") == method).select(*target, pl.col("predicted").alias(method))
        wide = wide.join(one, on=target, how="left", nulls_equal=True)
    return wide.with_columns(
        origin=_named("set", "family", origin), benchmark=pl.col("task").map_elements(benchmark, pl.String)
    ).sort(target)


def examples(frame: pl.DataFrame, chosen: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The points of the curves that are shown, one row a point; ``kind`` and ``place`` say which example it is,
    ``odd`` which point is marked, ``shape`` the verdict on the curve."""
    sizes = [pl.col(name) for name in ("params_total", "params_non_embedding") if name in frame.columns]
    error = pl.struct("y", "n").map_elements(lambda row: standard_error(row["y"], row["n"]), pl.Float64)
    parts = []
    for kind, rows in chosen.items():
        for place, row in enumerate(rows.iter_rows(named=True), 1):
            own = frame.filter(*(pl.col(name).eq_missing(row[name]) for name in KEY)).sort("params_non_embedding")
            own = own.with_columns(pl.coalesce("se", error).alias("se"))
            parts.append(
                own.select(
                    pl.lit(kind).alias("kind"), pl.lit(place).alias("place"), "set", *KEY, "rung",
                    pl.coalesce(sizes).alias("params"), "y", "se", "n", "chance",
                    pl.lit(row["shape"]).alias("shape"), odd=pl.col("rung") == _marked(row, own),
                )
            )  # fmt: skip
    return pl.concat(parts)


def _marked(row: Mapping[str, object], own: pl.DataFrame) -> str:
    """The model to mark in a figure: the one that the verdict names as odd, or, where a curve is called *one model* and
    none is named, the one that differs most from the mean of the others."""
    if row["odd"] or row["shape"] != "one-model":
        return str(row["odd"])
    apart = (own["y"] - (own["y"].sum() - own["y"]) / (own.height - 1)).abs()
    return str(own["rung"][int(apart.arg_max() or 0)])
