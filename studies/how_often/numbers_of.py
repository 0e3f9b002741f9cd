"""Every number of the pages, from the tables alone."""

from __future__ import annotations

from math import pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from shares import Share, interval, percent, share

TABLES = ("verdicts", "planted", "coverage", "axes", "loss", "training", "examples", "forecasts")
SHAPES = ("flat", "smooth", "late", "emergent", "inverse", "U", "inverted-U", "irregular", "one-model", "saturated")
ABOVE = 10  # the cut on B
NEAR = 0.04  # how far above chance a floor may lie
MOST_SCATTER = 0.0495  # what rounds to the largest scatter of models that the rule allows for
KEY = ["family", "task", "shots", "metric"]
LOURIE = (18, 46)  # tasks called predictable by eye (arXiv 2507.00885)
RARE = 0.05
Numbers = dict[str, Any]
shape = pl.col("shape")
RISES = ("smooth", "late", "emergent", "saturated")


def read(folder: Path) -> dict[str, pl.DataFrame]:
    return {name: pl.read_csv(folder / f"{name}.csv", infer_schema_length=None) for name in TABLES}


def numbers(tables: dict[str, pl.DataFrame]) -> Numbers:
    every = tables["verdicts"].with_columns(pl.col("flags").fill_null(""), pl.col("sublabel").fill_null(""))
    judged = every.filter(shape != "too-few")
    able = every.filter("capable")
    found: Numbers = {
        "curves": every.height, "judged": judged.height, "toofew": every.height - judged.height,
        "able": able.height, "benchmarks": judged["benchmark"].n_unique(), "origins": judged["origin"].n_unique(),
        "families": judged["family"].n_unique(),
        "end_middle": f"{float(judged['largest'].median() or 0) / 1e9:.1f}",
        "end_most": f"{float(judged['largest'].max() or 0) / 1e9:.0f}",
    }  # fmt: skip
    for name in (*SHAPES, "inconclusive"):
        found[f"n_{name}"] = judged.filter(shape == name).height
        found[f"share_{name}"] = share(judged, shape == name)
    found |= _emergence(judged, able) | _late(judged) | _index(judged) | _power(tables["planted"], able)
    found |= _sisters(judged) | _axes(tables["axes"], tables["loss"], judged) | _training(tables["training"])
    found |= _forecasts(tables["forecasts"]) | _lourie(tables["loss"])
    found |= _flat(judged) | _inverse(judged) | _coverage(tables["coverage"])
    return found


def _emergence(judged: pl.DataFrame, able: pl.DataFrame) -> Numbers:
    emergent = judged.filter(shape == "emergent")
    leaning = (shape == "inconclusive") & (pl.col("sublabel") == "emergent")
    late = (shape == "late") & (pl.col("sublabel") != "gradual")
    near = able.filter(pl.col("start") <= NEAR)
    tasks = emergent.group_by("task").agg(pl.col("family").n_unique())
    return {
        "emergent_able": share(able, shape == "emergent"),
        "emergent_tested": emergent.filter(pl.col("artefact") != "untested").height,
        "emergent_firm": emergent.filter(pl.col("confidence") >= 0.9).height,
        "emergent_sums": emergent.filter(pl.col("task").str.contains("addition|subtraction|multiplication")).height,
        "merged_able": _merged(able),
        "emergent_wrong": f"{(1 - emergent['confidence']).sum():.1f}",
        "emergent_origins": ", ".join(sorted(emergent["origin"].unique())) or "–",
        "emergent_n_origins": emergent["origin"].n_unique(),
        "emergent_n_benchmarks": emergent["benchmark"].n_unique(),
        "leaning": judged.filter(leaning).height,
        "could_late": judged.filter(late).height,
        "could_be": share(judged, (shape == "emergent") | leaning | late),
        "near": near.height,
        "near_emergent": share(near, shape == "emergent"),
        "emergent_twice": ", ".join(sorted(tasks.filter(pl.col("family") > 1)["task"])) or "–",
        "emergent_tasks": ", ".join(sorted(emergent["task"].unique())) or "–",
        "untested": judged.filter(shape.is_in(["emergent", "late"]), pl.col("artefact") == "untested").height,
        "off_chance": judged.filter(shape.is_in(["emergent", "late"])).height,
    }


def _merged(able: pl.DataFrame) -> Share:
    """The share of jumps where all arithmetic tasks of one suite count as one benchmark."""
    sums = pl.col("task").str.contains("digit ")
    return share(
        able.with_columns(benchmark=pl.when(sums).then(pl.lit("arithmetic")).otherwise("benchmark")),
        shape == "emergent",
    )


def _late(judged: pl.DataFrame) -> Numbers:
    late = judged.filter(shape == "late")
    return {
        "late_steep": late.filter(pl.col("sublabel") == "steep").height,
        "late_gradual": late.filter(pl.col("sublabel") == "gradual").height,
        "late_neither": late.filter(pl.col("sublabel") == "").height,
        "late_four": late.filter(pl.col("models") < 5).height,
    }


def _index(judged: pl.DataFrame) -> Numbers:
    high = judged.filter(pl.col("breakthroughness") > ABOVE)
    found: Numbers = {
        "b_count": high.height, "b_share": share(judged, pl.col("breakthroughness") > ABOVE),
        "b_emergent": share(high, shape == "emergent"), "b_flat": share(high, shape == "flat"),
        "b_missed": judged.filter(shape == "emergent", ~(pl.col("breakthroughness") > ABOVE).fill_null(False)).height,
        "b_able": share(high.filter("capable"), shape == "emergent"),
        "b_flat_moved": high.filter(shape == "flat", pl.col("p_flat") < 0.05).height,
        "b_infinite": high.filter(pl.col("breakthroughness").is_infinite()).height,
    }  # fmt: skip
    counts = high.group_by("shape").len().sort("len", "shape", descending=[True, False])
    return found | {"b_shapes": [(str(name), int(count)) for name, count in counts.iter_rows()]}


def _power(planted: pl.DataFrame, able: pl.DataFrame) -> Numbers:
    rows = planted.with_columns(benchmark=pl.col("task"), origin=pl.col("family"))
    found: Numbers = {"planted": rows.filter(pl.col("planted") == "step").height, "table_planted": []}
    for kind in rows["planted"].unique(maintain_order=True):
        own = rows.filter(pl.col("planted") == kind)
        power = _wilson(own.filter(shape == "emergent").height, own.height)
        left = _wilson(own.filter(shape == "inconclusive").height, own.height)
        found[f"power_{kind}".replace(" ", "_")] = power
        found["table_planted"].append((kind, power, left))
    steps = rows.filter(pl.col("planted") == "step")
    for name, part in {
        "five": pl.col("models") == 5, "more": pl.col("models") > 5, "few_items": pl.col("items") <= 150,
        "many_items": pl.col("items") > 1000,
    }.items():  # fmt: skip
        own = steps.filter(part)
        found[f"power_{name}"] = _wilson(own.filter(shape == "emergent").height, own.height)
    found["able_five"] = able.filter(pl.col("models") == 5).height
    found["able_few_items"] = able.filter(pl.col("items") <= 150).height
    scatter = able["scatter"].drop_nulls()
    found["scatter_middle"], found["scatter_most"] = f"{scatter.median():.3f}", f"{scatter.quantile(0.9):.3f}"
    gradual, still = able.filter(shape.is_in(["smooth", "late"])).height, able.filter(shape == "flat").height
    found |= {"able_gradual": gradual, "able_flat": still, "able_open": able.filter(shape == "inconclusive").height}
    for name in ("gradual", "medium", "narrow"):
        worst = gradual * found[f"power_{name}"].high + still * found["power_nothing"].high
        found[f"false_{name}"] = f"{worst:.0f}"
    return found


def _wilson(hits: int, count: int) -> Share:
    from scalecurve.analysis.stats.errors import wilson

    low, high = wilson(hits, count) if count else (float("nan"), float("nan"))
    return Share(hits, count, low, high)


def pairs(judged: pl.DataFrame) -> pl.DataFrame:
    """Every curve beside each of its sisters: same sizes, same task, other training data; both ways."""
    own = judged.filter(pl.col("sister") != "").select(
        "family", "sister", "task", "shots", "metric", "models", "shape", "confidence", "origin", "benchmark"
    )
    both = own.join(own, on=["sister", "task", "shots", "metric"], suffix="_other")
    return both.filter(pl.col("family") != pl.col("family_other"))


def _sisters(judged: pl.DataFrame) -> Numbers:
    both = pairs(judged)
    firm = both.filter(pl.col("confidence") >= 0.9, pl.col("confidence_other") >= 0.9,
                       shape != "inconclusive", pl.col("shape_other") != "inconclusive")  # fmt: skip
    found: Numbers = {
        "pairs": both.height // 2, "pairs_sizes": both.filter(pl.col("models") != pl.col("models_other")).height // 2,
        "firm_pairs": firm.height // 2,
        "firm_agree": share(firm, shape == pl.col("shape_other")), "table_sisters": [],
        "firm_both_flat": firm.filter(shape == "flat", pl.col("shape_other") == "flat").height // 2,
        "firm_moving": share(firm.filter((shape != "flat") | (pl.col("shape_other") != "flat")),
                             shape == pl.col("shape_other")),
    }  # fmt: skip
    kinds = [*SHAPES, "inconclusive"]
    for kind in kinds:
        rows = both.filter(shape == kind)
        if not rows.height:
            continue
        same = share(rows, pl.col("shape_other") == kind)
        rise = pl.lit(kind in RISES) & pl.col("shape_other").is_in(RISES)
        other = share(rows, (pl.col("shape_other") != kind) & (pl.col("shape_other") != "inconclusive") & ~rise)
        found["table_sisters"].append((kind, rows.height, same, other))
    found["emergent_sisters"] = judged.filter(shape == "emergent", pl.col("sister") != "").height
    return found


def _axes(axes: pl.DataFrame, loss: pl.DataFrame, judged: pl.DataFrame) -> Numbers:
    rows = axes.join(judged.select(*KEY, "origin", "benchmark"), on=KEY, how="inner", nulls_equal=True)
    table, emergent = [], []
    for axis in ("params_total", "training_flops", "training_tokens", "loss"):
        if axis not in rows.columns:
            continue
        known = rows.filter(pl.col(axis).is_not_null(), pl.col(axis) != "too-few")
        if not known.height:
            continue
        off = known.filter(shape.is_in(["late", "emergent"]))
        table.append((
            axis, known.height, share(known, shape == pl.col(axis)),
            known.filter(shape == "emergent").height,
            known.filter(shape == "emergent", pl.col(axis) == "emergent").height,
            known.filter(shape != "emergent", pl.col(axis) == "emergent").height,
            off.height, share(off, pl.col(axis).is_in(["late", "emergent"])),
        ))  # fmt: skip
    for row in rows.filter(shape == "emergent").iter_rows(named=True):
        emergent.append((row["family"], row["task"], row.get("training_flops")))
    on_loss = loss.with_columns(pl.col("flags").fill_null(""))
    sharp, enough = on_loss.filter(shape == "emergent"), on_loss.filter("capable")
    return {
        "table_axes": table, "emergent_axes": emergent,
        "loss_curves": on_loss.height, "loss_emergent": share(enough, shape == "emergent"), "loss_able": enough.height,
        "loss_scattered": sharp.filter(pl.col("scatter") >= MOST_SCATTER).height,
        "loss_tasks": ", ".join(sorted(sharp["benchmark"].unique())), "loss_n_tasks": sharp["benchmark"].n_unique(),
        "loss_no_pubmed": share(enough.filter(pl.col("task") != "pubmed_qa_labeled"), shape == "emergent"),
        "loss_pubmed": sharp.filter(pl.col("task") == "pubmed_qa_labeled").height,
        "able_pubmed": judged.filter("capable", pl.col("task") == "pubmed_qa_labeled").height,
        "loss_runs_lo": on_loss["models"].min(), "loss_runs_hi": on_loss["models"].max(),
        "gadre_ladders": judged.filter(pl.col("set") == "Gadre").height,
        "gadre_able": judged.filter(pl.col("set") == "Gadre", "capable").height,
        "gadre_emergent": share(judged.filter(pl.col("set") == "Gadre", "capable"), shape == "emergent"),
    }  # fmt: skip


def _training(training: pl.DataFrame) -> Numbers:
    own = training.filter(shape != "too-few").with_columns(origin=pl.col("family"))
    found: Numbers = {"training": own.height}
    for name in (*SHAPES, "inconclusive"):
        found[f"training_{name}"] = share(own, shape == name)
    return found


def _forecasts(rows: pl.DataFrame) -> Numbers:
    own = rows.with_columns(
        error=(pl.col("predicted") - pl.col("actual")).abs() * 100,
        last=(pl.col("last value") - pl.col("actual")).abs() * 100,
        straight=(pl.col("line") - pl.col("actual")).abs() * 100,
        floor=100 * sqrt(2 / pi) * pl.col("sampling"),
    )

    def line(part: pl.DataFrame) -> tuple[Any, ...]:
        excess = (part["error"] - part["floor"]).to_numpy()
        low, high = interval(part, excess)
        means = [float(part[name].mean() or 0.0) for name in ("error", "floor", "last", "straight")]
        return (part.height, *means, float(excess.mean()), low, high,
                percent(float(part["inside80"].mean() or 0)), percent(float(part["inside95"].mean() or 0)))  # fmt: skip

    def table(by: str, least: int = 10) -> list[tuple[Any, ...]]:
        found = []
        for (asked, group), part in own.group_by("asked", by, maintain_order=True):
            if part.height >= least:
                found.append((str(asked), str(group), *line(part)))
        return sorted(found, key=lambda row: (row[0], -row[2]))

    def more(part: pl.DataFrame, rule: str) -> str:
        by = (part[rule] - part["error"]).to_numpy()
        low, high = interval(part, by)
        return f"{float(by.mean()):.2f} [{low:.2f}, {high:.2f}]"

    every = {str(asked): line(part) for (asked,), part in own.group_by("asked", maintain_order=True)}
    gain = own.filter(pl.col("asked") == "next size")
    return {
        "targets": own.height, "fc_all": every, "table_fc_shape": table("shape"), "table_fc_set": table("set"),
        "table_fc_distance": table("distance"),
        "fc_in80": share(gain, pl.col("inside80")), "fc_in95": share(gain, pl.col("inside95")),
        "fc_last_more": more(gain, "last"), "fc_line_more": more(gain, "straight"),
        "fc_next": every.get("next size"), "fc_better": share(gain, pl.col("error") < pl.col("last")),
    }  # fmt: skip


def _lourie(loss: pl.DataFrame) -> Numbers:
    """Tasks that rise along the loss in every corpus, beside the share that was called predictable by eye."""
    good = loss.with_columns(good=shape.is_in(RISES))
    tasks = good.group_by("task", "shots").agg(pl.col("good").all().alias("all"), pl.col("good").any().alias("any"),
                                               pl.col("shape").n_unique().alias("kinds"))  # fmt: skip
    rest = loss.filter(shape.is_in(["flat", "irregular", "U", "inverted-U", "one-model", "inverse"]))
    return {
        "lourie": _wilson(*LOURIE), "lourie_tasks": LOURIE[1], "lourie_hits": LOURIE[0],
        "own_tasks": tasks.height, "own_all": _wilson(tasks.filter("all").height, tasks.height),
        "own_any": _wilson(tasks.filter("any").height, tasks.height),
        "own_same": _wilson(tasks.filter(pl.col("kinds") == 1).height, tasks.height),
        "own_flat": share(loss, shape == "flat"), "own_open": share(loss, shape == "inconclusive"),
        "own_rest_flat": share(rest, shape == "flat"),
        "own_rise": share(loss, shape.is_in(RISES)), "own_inverse": share(loss, shape == "inverse"),
        "own_turns": share(loss, shape.is_in(["U", "inverted-U", "irregular", "one-model"])),
    }  # fmt: skip


def _coverage(rows: pl.DataFrame) -> Numbers:
    return {
        "cover_low": percent(float(rows["held"].min())), "cover_high": percent(float(rows["held"].max())),
        "cover_from": percent(float(rows["share"].min())), "cover_to": percent(float(rows["share"].max())),
        "cover_rare": percent(float(rows.filter(pl.col("share") < RARE)["held"].min())),
        "cover_rare_to": percent(float(rows.filter(pl.col("share") < RARE)["share"].max())),
        "cover_sets": int(rows["sets"].sum()),
        "cover_near": f"{rows['spread'].min():.0f}", "cover_far": f"{rows['spread'].max():.0f}",
    }  # fmt: skip


def _flat(judged: pl.DataFrame) -> Numbers:
    flat = judged.filter(shape == "flat")
    small = judged.filter(pl.col("items") < 250)
    return {
        "flat_bound": f"{float(np.nan if flat.is_empty() else flat['bound'].median()):.2f}",
        "flat_wide": f"{float(np.nan if flat.is_empty() else flat['bound'].quantile(0.9)):.2f}",
        "flat_mmlu": flat.filter(pl.col("benchmark") == "mmlu").height,
        "flat_small": share(small, shape == "flat"), "n_small": small.height,
        "flat_large": share(judged.filter(pl.col("items") >= 1000), shape == "flat"),
        "n_large": judged.filter(pl.col("items") >= 1000).height,
    }  # fmt: skip


def _inverse(judged: pl.DataFrame) -> Numbers:
    falls = judged.filter(shape == "inverse")
    truth = judged.filter(pl.col("task") == "truthfulqa")
    other = falls.filter(pl.col("task") != "truthfulqa")
    turns = judged.filter(shape.is_in(["inverted-U", "irregular"]))
    two = turns.filter(pl.col("task").is_in(["pubmed_qa_labeled", "boolq"]))
    return {
        "inverse_truthful": falls.filter(pl.col("task") == "truthfulqa").height,
        "inverse_other": other.height,
        "inverse_other_names": "; ".join(f"{row['task']}, {row['family']}" for row in other.iter_rows(named=True)),
        "flat_or_smooth": share(judged, shape.is_in(["flat", "smooth"])),
        "truthful": truth.height, "truthful_items": truth["items"].max() or 0,
        "truthful_inverse": _wilson(truth.filter(shape == "inverse").height, truth.height),
        "truthful_up": truth.filter(shape == "smooth").height,
        "n_turns": turns.height, "turns_two": two.height,
    }  # fmt: skip
