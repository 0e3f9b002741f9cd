"""What stored runs say of the models: the table ``abilities``, and how far a probability can be believed."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.query.rungs.ladder import Ability, wilson_lower
from scalecurve.store import RunDirectory, read_outputs, read_table, reading, scan_table
from scalecurve.store.parts import parts_by_task, scan_parts

if TYPE_CHECKING:
    import polars as pl

STEPS = ("chain_of_thought", "zero_shot_cot")
KEY = ["model", "family", "task", "strategy", "shots"]
_RIGHT = re.compile(
    r"(acc|acc_norm|acc_bytes|accuracy|exact_match|em|mc1|multiple_choice_grade|.*_strict_acc|.*_loose_acc)"
)
"""Metrics that are 0 or 1 for a question."""
LEAST_CALIBRATION = 50  # options with a known worth, below which no calibration is fitted


def schema() -> dict[str, Any]:
    """Columns of ``abilities``: one row a model, task, strategy and number of shots.

    ``acc`` is the share of ``n`` questions answered rightly, ``wilson_lo`` the lower end of its 95 % interval,
    ``tokens`` and ``sec`` the mean cost of an answer, ``auroc`` how well confidence tells right answers from wrong
    ones. ``fixed`` and ``broken`` count the ``pairs`` of questions asked directly too that only this or only the direct
    answer got right. ``eval_hash`` names the questions.
    """
    import polars as pl

    text, count, number = pl.String(), pl.Int64(), pl.Float64()
    counts = dict.fromkeys(("shots", "n", "correct", "pairs", "fixed", "broken", "params"), count)
    numbers = dict.fromkeys(("acc", "wilson_lo", "chance", "tokens", "sec", "auroc"), number)
    names = ("run", *KEY, "n", "correct", "acc", "wilson_lo", "chance", "tokens", "sec", "auroc")
    return {
        name: (counts | numbers).get(name, text)
        for name in (*names, "pairs", "fixed", "broken", "params", "eval_hash")
    }  # fmt: skip


def abilities_of(runs: Sequence[RunDirectory]) -> pl.DataFrame:
    """The table ``abilities`` over ``runs``: tasks whose preferred metric is right or wrong, item by item."""
    import polars as pl

    frames = [_of_run(run) for run in runs]
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema())


def _of_run(run: RunDirectory) -> pl.DataFrame:
    import polars as pl

    if not run.curves.exists():
        raise UserError(f"{run.curves}: not there yet; finish the run or `scalecurve rescore` it")
    points = read_table(run.curves).filter("preferred").rename({"rung": "model"})
    manifest = run.read_manifest()
    prints = {record["ref"]: str(record.get("fingerprint", "")) for record in manifest["tasks"]}
    seconds = {
        tuple(cell[name] for name in ("rung", "family", "task", "strategy", "shots")): cell["seconds"]
        / max(1, cell["examples"])
        for cell in manifest["cells"]
    }
    rows = []
    parts = parts_by_task(run)
    for (task,), own in points.group_by("task", maintain_order=True):  # one by one: a run may be larger than memory
        found = []
        if task in parts:
            items = _items(run, str(task), own, parts[str(task)])
            found = _of_items(run, items, own, seconds, prints.get(str(task), ""))
        answered = {tuple(row[name] for name in KEY) for row in found}
        rows += found
        rows += [_of_point(run, point) for point in own.to_dicts() if _counts(point, answered)]
    return pl.DataFrame(rows, schema=schema(), orient="row")


def _of_items(
    run: RunDirectory,
    items: pl.DataFrame,
    points: pl.DataFrame,
    seconds: Mapping[tuple[Any, ...], float],
    fingerprint: str,
) -> list[dict[str, object]]:
    """The rows of one task of a run, of its answered questions.

    ``seconds``: an answer's by model, family, task, strategy and shots.
    """
    import polars as pl

    rows = []
    for key, own in items.group_by(KEY, maintain_order=True):
        if not own["value"].is_in([0.0, 1.0]).all():
            continue
        here = points.filter(*(pl.col(name) == value for name, value in zip(KEY, key, strict=True))).row(0, named=True)
        direct = items.filter(
            pl.col("model") == key[0], pl.col("family") == key[1], pl.col("task") == key[2],
            pl.col("strategy") == "direct", pl.col("shots") == key[4],
        )  # fmt: skip
        both = own.join(direct, on="example_id", suffix="_direct") if key[3] != "direct" else own.clear()
        gain = both["value"] - both["value_direct"] if key[3] != "direct" else both["value"]
        n, correct = len(own), int(own["value"].sum())
        rows.append(
            dict(zip(KEY, key, strict=True))
            | {"run": run.path.name, "n": n, "correct": correct, "acc": correct / n}
            | {"wilson_lo": wilson_lower(correct, n), "chance": here["chance"], "tokens": own["tokens"].mean()}
            | {"sec": seconds.get(key), "auroc": _auroc(own)}
            | {"pairs": len(gain), "fixed": int((gain > 0).sum()), "broken": int((gain < 0).sum())}
            | {"params": here["params_non_embedding"] or here["params_total"]}
            | {"eval_hash": _hash(fingerprint, own["example_id"])}
        )
    return rows


def _counts(point: Mapping[str, Any], answered: set[tuple[Any, ...]]) -> bool:
    """Whether a score that came without its answers says how many of how many questions were right."""
    share = bool(_RIGHT.fullmatch(point["metric"].partition(",")[0])) and point["ceiling"] == 1.0
    known = share and point["n"] and point["y"] is not None and 0 <= point["y"] <= 1
    return bool(known) and tuple(point[name] for name in KEY) not in answered


def _of_point(run: RunDirectory, point: Mapping[str, Any]) -> dict[str, object]:
    """The row of a score without answers: what an answer cost, and how sure it was, is not known."""
    correct = round(point["y"] * point["n"])
    return (
        {name: point[name] for name in KEY}
        | {"run": run.path.name, "n": point["n"], "correct": correct, "acc": point["y"]}
        | {"wilson_lo": wilson_lower(correct, point["n"]), "chance": point["chance"], "pairs": 0, "fixed": 0}
        | {"broken": 0, "params": point["params_non_embedding"] or point["params_total"], "eval_hash": ""}
        | {"tokens": None, "sec": None, "auroc": None}
    )


def _items(run: RunDirectory, task: str, points: pl.DataFrame, parts: list[Path]) -> pl.DataFrame:
    """Each answered question of a task: its preferred score, its tokens and its confidence (0–1, or null).

    Of several seeds the first counts: the same questions again are no further evidence of an ability.
    """
    import polars as pl

    cell = ["family", "rung", "task", "strategy", "shots", "seed", "example_id"]
    wanted = points["metric"].unique().to_list()
    scores = scan_table(run.scores).filter(pl.col("task") == task, pl.col("metric").is_in(wanted))
    best = pl.col("option_logprobs").list.max()
    outputs = scan_parts(parts).select(
        *cell,
        (pl.col("prompt_tokens") + pl.col("generated_tokens")).alias("tokens"),
        pl.when(pl.col("option_logprobs").list.len() > 0)
        .then(1 / pl.col("option_logprobs").list.eval((pl.element() - pl.element().max()).exp()).list.sum())
        .otherwise(pl.col("text_logprob").exp())
        .alias("confidence"),
        best.alias("best"),
    )
    with reading(run.scores):
        known = scores.drop_nulls("value").collect()
    items = known.join(outputs.collect(), on=cell).rename({"rung": "model"})
    return items.filter(pl.col("seed") == pl.col("seed").min().over(KEY))


def _auroc(own: pl.DataFrame) -> float | None:
    from scalecurve.metrics.ranking import auroc

    known = own.drop_nulls("confidence")
    found = auroc(known["confidence"].to_numpy(), known["value"].to_numpy()) if len(known) else math.nan
    return None if math.isnan(found) else found


def _hash(task: str, ids: pl.Series) -> str:
    return hashlib.sha256("\n".join([task, *sorted(ids.to_list())]).encode()).hexdigest()[:16]


# ── For the choice of a rung ─────────────────────────────────────────────────────────────────────────────────
def measured(frame: pl.DataFrame, ability: str, family: str, rungs: Sequence[str]) -> list[Ability]:
    """What is known of ``rungs`` on the tasks that ``ability`` names (in full or by their beginning), asked without
    shots as queries ask. Several tasks are pooled; cost is tokens times parameters, which is work. A model that stands
    alone was perhaps measured as part of its family: it is known by its name, where one family only has it.
    """
    import polars as pl

    found = frame.filter(
        pl.col("task").is_in(tasks_of(frame, ability)), pl.col("model").is_in(list(rungs)), pl.col("shots") == 0
    )
    found = found.filter(pl.col("tokens").is_not_null())  # scores without answers do not say what an answer costs
    if len(rungs) > 1 or found["family"].n_unique() > 1:
        found = found.filter(pl.col("family") == family)
    abilities = []
    for (model, strategy), own in found.group_by(["model", "strategy"], maintain_order=True):
        n = int(own["n"].sum())
        weight = own["n"] / n
        params = max((count for count in own["params"].to_list() if count), default=1)
        cost = float((own["tokens"] * weight).sum()) * params
        lower = _uplift_low(int(own["pairs"].sum()), int(own["fixed"].sum()), int(own["broken"].sum()))
        chance = float((own["chance"].fill_null(0.0) * weight).sum())
        abilities.append(Ability(str(model), str(strategy), int(own["correct"].sum()), n, chance, cost, lower))
    return abilities


def tasks_of(frame: pl.DataFrame, ability: str) -> list[str]:
    """The measured tasks that ``ability`` names, in full or by their beginning."""
    return [t for t in tasks_measured(frame) if t == ability or t.startswith(f"{ability.rstrip(':')}:")]


def tasks_measured(frame: pl.DataFrame) -> list[str]:
    """The tasks that ``abilities`` knows, those without shots only."""
    import polars as pl

    return sorted(frame.filter(pl.col("shots") == 0)["task"].unique())


def _uplift_low(pairs: int, fixed: int, broken: int) -> float | None:
    """Lower end of the 95 % interval of a paired gain (normal; never narrower than one change among all)."""
    if pairs < 2:
        return None
    mean = (fixed - broken) / pairs
    variance = ((fixed + broken) / pairs - mean**2) * pairs / (pairs - 1)
    return mean - 1.959964 * max(math.sqrt(variance / pairs), 1 / pairs)


# ── Calibration ──────────────────────────────────────────────────────────────────────────────────────────────
def calibrations(runs: Sequence[RunDirectory]) -> dict[str, Callable[[float], float]]:
    """For each model, how often an option of a given probability is right: isotonic over all scored options."""
    import polars as pl

    fits: dict[str, Callable[[float], float]] = {}
    if not runs:
        return fits
    options = pl.concat([_options(run) for run in runs])
    for (model,), own in options.group_by(["rung"], maintain_order=True):
        if len(own) >= LEAST_CALIBRATION and own["right"].n_unique() == 2:
            fits[str(model)] = _isotonic(own["p"].to_numpy(), own["right"].to_numpy().astype(float))
    return fits


def _options(run: RunDirectory) -> pl.DataFrame:
    """Every scored option of directly asked questions: its normalised probability, and whether it is worth most."""
    import polars as pl

    logs, worth = pl.col("option_logprobs"), pl.col("option_scores")
    return (
        read_outputs(run)
        .filter(pl.col("strategy") == "direct", logs.list.len() > 1, logs.list.len() == worth.list.len())
        .select("rung", (logs.list.eval((pl.element() - pl.element().max()).exp())).alias("weight"),
                worth.list.eval(pl.element() == pl.element().max()).alias("right"))
        .select("rung", pl.col("weight").list.eval(pl.element() / pl.element().sum()).alias("p"), "right")
        .explode("p", "right")
        .drop_nulls()
        .collect(engine="streaming")
    )  # fmt: skip


def _isotonic(p: Any, right: Any) -> Callable[[float], float]:
    import numpy as np
    from scipy.optimize import isotonic_regression

    at, place = np.unique(p, return_inverse=True)
    count = np.bincount(place)
    fit = isotonic_regression(np.bincount(place, weights=right) / count, weights=count).x
    return lambda value: float(np.interp(value, at, fit))
