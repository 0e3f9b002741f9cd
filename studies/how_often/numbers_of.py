"""Every number of the pages, from the tables alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from forecast_numbers import coverage, forecasts
from shares import Share, percent, share

from scalecurve.analysis.stats.errors import wilson
from scalecurve.analysis.verdicts.calibration import MOST_WITH_ODD_MODEL
from scalecurve.analysis.verdicts.posterior import (
    DELTA,
    EMERGENT,
    PRIOR,
    SCATTER,
    SCATTER_PRIOR,
    Evidence,
    believe,
)

TABLES = ("verdicts", "planted", "coverage", "axes", "loss", "training", "examples", "forecasts")
SHAPES = ("flat", "smooth", "late", "emergent", "inverse", "U", "inverted-U", "irregular", "one-model", "saturated")
ABOVE = 10  # the cut on B
NEAR = 0.04  # how far above chance a floor may lie
MOST_SCATTER = 0.0495  # what rounds to the largest scatter of models that the rule allows for
KEY = ["family", "task", "shots", "metric"]
LOURIE = (18, 46)  # tasks called predictable by eye (arXiv 2507.00885)
FINER = 2  # finer scores read beside each of the OLMo ladder's
DOCS = Path(__file__).resolve().parents[2] / "docs"
RATES = DOCS / "curves.md"  # the error rates of the rule, measured elsewhere
BEFORE = DOCS / "studies" / "published_curves.md"  # the rule compared with an earlier one
Numbers = dict[str, Any]
shape = pl.col("shape")
RISES = ("smooth", "late", "emergent", "saturated")


def read(folder: Path) -> dict[str, pl.DataFrame]:
    return {name: pl.read_csv(folder / f"{name}.csv", infer_schema_length=None) for name in TABLES}


def numbers(tables: dict[str, pl.DataFrame]) -> Numbers:
    every = tables["verdicts"].with_columns(pl.col("flags", "sublabel", "odd").fill_null(""))
    judged = every.filter(shape != "too-few")
    able = every.filter("capable")
    found: Numbers = {
        "curves": every.height, "judged": judged.height, "toofew": every.height - judged.height,
        "able": able.height, "benchmarks": judged["benchmark"].n_unique(), "origins": judged["origin"].n_unique(),
        "families": judged["family"].n_unique(),
        "end_middle": f"{float(judged['largest'].median() or 0) / 1e9:.1f}",
        "end_most": f"{float(judged['largest'].max() or 0) / 1e9:.0f}",
        "prior_emergent": percent(before()), "prior_weight": percent(float(PRIOR[EMERGENT])),
        "most_odd": percent(MOST_WITH_ODD_MODEL),
        "most_scatter": f"{SCATTER[-1]:g}".lstrip("0"),
    }  # fmt: skip
    for name in (*SHAPES, "inconclusive"):
        found[f"n_{name}"] = judged.filter(shape == name).height
        found[f"share_{name}"] = share(judged, shape == name)
    found |= _emergence(judged, able) | _late(judged) | _index(judged) | _power(tables["planted"], able)
    found |= _sisters(judged) | _axes(tables["axes"], tables["loss"], judged) | _training(tables["training"])
    found |= forecasts(tables["forecasts"]) | _lourie(tables["loss"])
    found |= _flat(judged) | _inverse(judged) | coverage(tables["coverage"]) | _tested(every)
    return found


def before(models: int = 8, decades: float = 2.5, chance: float = 0.25) -> float:
    """How probable a jump is held to be before any score is seen: the belief about scores with errors that say nothing.

    It is the same, to three digits, on every ladder of five models or more whose chance is known.
    """
    x, y = np.linspace(8.0, 8.0 + decades, models), np.full(models, 0.5)
    blind = Evidence(y, x, 1e8 * np.eye(models), np.ones(models), chance, 1.0, DELTA, SCATTER_PRIOR)
    return float(believe(y[None], blind).shapes[0, EMERGENT])


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
        "emergent_share_able": percent(emergent.filter("capable").height / max(able.height, 1)),
        "emergent_capped": emergent.filter(pl.col("flags").str.contains("outlier-driven")).height,
        "emergent_n_tasks": emergent["task"].n_unique(),
        "able_largest": percent(able.group_by("benchmark").len()["len"].max() / max(able.height, 1)),
        "able_pythia": percent(able.filter(pl.col("origin") == "Pythia").height / max(able.height, 1)),
        "emergent_wrong": f"{(1 - emergent['confidence']).sum():.1f}",
        "emergent_families": ", ".join(sorted(emergent["family"].unique())) or "–",
        "emergent_n_families": emergent["family"].n_unique(),
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


def _tested(every: pl.DataFrame) -> Numbers:
    """How many curves were tested together; of what was measured elsewhere, lotteries and an earlier rule."""
    found = re.search(r"called emergent in (\d+) of (\d+) cases", RATES.read_text())
    assert found, "the rate of lotteries stands in docs/curves.md"
    lottery = _wilson(int(found[1]), int(found[2]))
    before = re.search(r"\d+ of (\d+) verdicts are the same", BEFORE.read_text())
    assert before, "on how many verdicts two rules were compared stands in docs/studies/published_curves.md"
    olmo = every.filter(pl.col("set") == "OLMo ladder").height
    most = every.filter(pl.col("family").str.ends_with("-32x"), shape != "too-few")
    return {"tested": every.height + FINER * olmo, "lottery": lottery, "corpora_32": most["family"].n_unique(),
            "compared": int(before[1])}  # fmt: skip


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
        "b_flat_chance": f"{0.05 * high.filter(shape == 'flat').height:.0f}",
        "flat_moved": judged.filter(shape == "flat", pl.col("p_flat") < 0.05).height,
        "flat_moved_chance": f"{0.05 * judged.filter(shape == 'flat').height:.0f}",
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
        found[f"items_{name}"] = f"{float(own['items'].median() or 0):,.0f}"  # type: ignore[arg-type]  # a column of numbers
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
        differs = (pl.col("shape_other") != kind) & (pl.col("shape_other") != "inconclusive") & ~rise
        other = "–" if kind == "inconclusive" else share(rows, differs)
        found["table_sisters"].append((kind, rows.height, rows["origin"].n_unique(), same, other))
    found["sisters_origins"] = both["origin"].n_unique()
    found["emergent_sisters"] = judged.filter(shape == "emergent", pl.col("sister") != "").height
    return found


def _named(rows: pl.DataFrame) -> str:
    """How many curves, and which."""
    names = "; ".join(f"{row['task']}, {row['family']}" for row in rows.iter_rows(named=True))
    return f"{rows.height} ({names})" if names else "0"


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
            _named(known.filter(shape != "emergent", pl.col(axis) == "emergent")),
            off.height, share(off, pl.col(axis).is_in(["late", "emergent"])),
        ))  # fmt: skip
    for row in rows.filter(shape == "emergent").iter_rows(named=True):
        emergent.append((row["family"], row["task"], row.get("training_flops")))
    on_loss = loss.with_columns(pl.col("flags").fill_null(""))
    long = judged.filter(pl.col("set") == "Gadre").select(*KEY, "capable", "origin", "benchmark")
    on_both = long.join(axes.select(*KEY, pl.col("loss").cast(pl.String)), on=KEY, nulls_equal=True)
    on_both = on_both.filter(pl.col("loss").is_not_null(), pl.col("loss") != "too-few")
    sharp, enough = on_loss.filter(shape == "emergent"), on_loss.filter("capable")
    return {
        "table_axes": table, "emergent_axes": emergent,
        "loss_curves": on_loss.height, "loss_emergent": share(enough, shape == "emergent"), "loss_able": enough.height,
        "loss_scattered": sharp.filter(pl.col("scatter") >= MOST_SCATTER).height,
        "loss_scattered_tasks": ", ".join(sorted(sharp.filter(pl.col("scatter") >= MOST_SCATTER)["task"].unique())),
        "gadre_on_loss": share(on_both.filter("capable"), pl.col("loss") == "emergent"),
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
    sharp = own.filter(shape == "emergent")
    begun = sharp.filter(pl.col("set") == "Pythia", pl.col("shots") == 0)  # from an untrained model on
    found: Numbers = {
        "training": own.height, "training_sharp": "; ".join(f"{r['task']}, {r['family']}" for r in sharp.to_dicts()),
        "training_begun": begun.height, "training_models": own["family"].n_unique(),
        "training_able": share(own.filter("capable"), shape == "emergent"),
    }  # fmt: skip
    for name in (*SHAPES, "inconclusive"):
        found[f"training_{name}"] = share(own, shape == name)
    return found


def _lourie(loss: pl.DataFrame) -> Numbers:
    """Tasks that rise along the loss in every corpus, beside the share that was called predictable by eye."""
    good = loss.with_columns(good=shape.is_in(RISES))
    tasks = good.group_by("task", "shots").agg(pl.col("good").all().alias("all"), pl.col("good").any().alias("any"),
                                               pl.col("shape").n_unique().alias("kinds"),
                                               (pl.col("shape") == "inconclusive").all().alias("open"))  # fmt: skip
    rest = loss.filter(shape.is_in(["flat", "irregular", "U", "inverted-U", "one-model", "inverse"]))
    return {
        "lourie": _wilson(*LOURIE), "lourie_tasks": LOURIE[1], "lourie_hits": LOURIE[0],
        "own_tasks": tasks.height, "own_all": _wilson(tasks.filter("all").height, tasks.height),
        "own_any": _wilson(tasks.filter("any").height, tasks.height),
        "own_same": _wilson(tasks.filter(pl.col("kinds") == 1).height, tasks.height),
        "own_same_open": tasks.filter(pl.col("kinds") == 1, "open").height,
        "own_flat": share(loss, shape == "flat"), "own_open": share(loss, shape == "inconclusive"),
        "own_rest_flat": share(rest, shape == "flat"),
        "own_rise": share(loss, shape.is_in(RISES)), "own_inverse": share(loss, shape == "inverse"),
        "own_turns": share(loss, shape.is_in(["U", "inverted-U", "irregular", "one-model"])),
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
    other, last = falls.filter(pl.col("task") != "truthfulqa"), pl.col("flags").str.contains("largest-only")
    beside = pairs(judged).filter(shape == "inverse", pl.col("task") != "truthfulqa")
    turns = judged.filter(shape.is_in(["inverted-U", "irregular"]))
    two = turns.filter(pl.col("task").is_in(["pubmed_qa_labeled", "boolq"]))
    return {
        "inverse_truthful": falls.filter(pl.col("task") == "truthfulqa").height,
        "inverse_other": other.height,
        "inverse_other_names": "; ".join(
            f"{row['task']}, {row['family']}: {percent(row['confidence'])}, {row['models']}" for row in other.to_dicts()
        ),
        "inverse_sisters": beside.height,
        "inverse_sisters_fall": beside.filter(pl.col("shape_other") == "inverse").height,
        "inverse_other_largest": other.filter(last).height,
        "truthful_up_largest": truth.filter(shape == "smooth", last).height,
        "truthful_down_largest": truth.filter(shape == "inverse", last).height,
        "truthful_flat": truth.filter(shape == "flat").height,
        "truthful_rest": truth.filter(~shape.is_in(["flat", "smooth", "inverse"])).height,
        "flat_or_smooth": share(judged, shape.is_in(["flat", "smooth"])),
        "truthful": truth.height, "truthful_items": truth["items"].max() or 0,
        "truthful_inverse": _wilson(truth.filter(shape == "inverse").height, truth.height),
        "truthful_up": truth.filter(shape == "smooth").height,
        "n_turns": turns.height, "turns_two": two.height,
    }  # fmt: skip
