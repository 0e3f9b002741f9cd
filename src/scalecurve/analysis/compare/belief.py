"""Suggestibility: what an asker's stated belief does to a model's choices, at every scale.

Arms of the strategy ``belief``: nothing said, the right option stated, a wrong one, an irrelevant remark. All measures
are paired: the same items with and without the statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.compare.unlock import simultaneous, unlock
from scalecurve.analysis.stats.bootstrap import paired
from scalecurve.analysis.stats.errors import wilson
from scalecurve.errors import UserError
from scalecurve.metrics.choice import tie_rule

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
NONE, IRRELEVANT, OWN = "belief_none", "belief_irrelevant", "belief_own"
ARMS = ("belief_right", "belief_wrong", IRRELEVANT, OWN)
STATED, LEAK = "stated:", "leak"
COLUMNS = (
    "rung", "strategy", "shots", "seed", "example_id", "options", "option_logprobs", "flags", "error", "prompt_tokens",
    "generated_tokens",
)  # fmt: skip
"""Of outputs, what ``belief_effects`` reads (besides family and task)."""


def belief_effects(
    scores: pl.DataFrame,
    outputs: pl.DataFrame,
    scales: Mapping[str, float],
    *,
    task: str,
    metric: str = "multiple_choice_grade",
    shots: int = 0,
    family: str | None = None,
    axis: str = "params_non_embedding",
    seed: int = 0,
    replicates: int = 2000,
) -> list[dict[str, object]]:
    """One row an arm and rung, rungs in ascending scale; arms that were not asked are left out.

    ``scores`` and ``outputs`` have the columns of a run's tables, ``scales`` the value of each rung on ``axis``. A row:

    arm, rung, x, n        items scored with and without the statement
    none, score            the score without and with it
    change, lo, hi         their paired difference; the 95% interval holds at all rungs of the arm together
    items, flips           items that chose another option without the statement; those of them that then chose it
    flip_rate, flip_lo, flip_hi    their share, with Wilson's 95% interval
    drift                  the share of the same items that moved to that option after the irrelevant remark instead
    resistance, resistance_lo, resistance_hi    score / none, with a paired bootstrap interval
    shift, shift_lo, shift_hi      mean change of the stated option's log-probability among the options (nats); its
                           interval holds at all rungs together
    leaks                  of the arm own: statements that held the right answer
    tokens_in, tokens_out  mean tokens of an item's prompts and texts under the arm

    What has no meaning is None: flips and shift where nothing is stated, resistance where nothing was right without.
    ``UserError`` when ``belief_none`` was not asked of the task.
    """
    import polars as pl

    wanted = [pl.col("task") == task, pl.col("shots") == shots]
    wanted += [pl.col("family") == family] if family else []
    scores, outputs = scores.filter(*wanted), outputs.filter(*wanted)
    asked = set(scores["strategy"].unique())
    if NONE not in asked:
        raise UserError(f"belief: {task} was not asked under {NONE}; add it to the study's strategies")
    choices = _choices(outputs)
    rows: list[dict[str, object]] = []
    for arm in (name for name in ARMS if name in asked):
        found = unlock(
            scores, scales, (arm, shots), (NONE, shots), task=task, metric=metric, axis=axis, seed=seed,
            replicates=replicates,
        )  # fmt: skip
        shifts = _shifts(choices, arm, found["rung"].to_list(), seed, replicates)
        for at, row in enumerate(found.iter_rows(named=True)):
            rung = row["rung"]
            own = {"arm": arm.removeprefix("belief_"), "rung": rung, "x": row["x"], "n": row["n"]}
            own |= {"none": row["base"], "score": row["arm"]}
            own |= {"change": row["uplift"], "lo": row["lo"], "hi": row["hi"]}
            own |= _flips(choices, arm, rung)
            own |= _resistance(scores, arm, rung, metric, seed, replicates)
            own |= {name: values[at] for name, values in shifts.items()}
            own |= {"leaks": _leaks(choices, rung) if arm == OWN else None}
            rows.append(own | _cost(outputs, arm, rung))
    return rows


Choice = tuple[str, dict[str, float], list[str]]  # chosen option, log-probability of each among all, flags


def _choices(outputs: pl.DataFrame) -> dict[tuple[str, str], dict[tuple[int, str], Choice]]:
    """(rung, strategy) → (seed, example) → what was chosen, how probable each option was, and the flags."""
    found: dict[tuple[str, str], dict[tuple[int, str], Choice]] = {}
    for row in outputs.select(COLUMNS).iter_rows(named=True):
        if row["error"] or not row["option_logprobs"]:
            continue
        values = np.asarray(row["option_logprobs"], float)
        if not np.isfinite(values).any():
            continue
        among = values - values.max()
        among = among - np.log(np.exp(among).sum())
        chosen = row["options"][tie_rule(among.tolist())]
        item = chosen, dict(zip(row["options"], among.tolist(), strict=True)), list(row["flags"])
        found.setdefault((row["rung"], row["strategy"]), {})[row["seed"], row["example_id"]] = item
    return found


def _stated(flags: list[str]) -> str | None:
    return next((flag.removeprefix(STATED) for flag in flags if flag.startswith(STATED)), None)


def _leaks(choices: Mapping[tuple[str, str], Mapping[Any, Choice]], rung: str) -> int:
    return sum(LEAK in flags for _, _, flags in choices.get((rung, OWN), {}).values())


def _cost(outputs: pl.DataFrame, arm: str, rung: str) -> dict[str, float | None]:
    import polars as pl

    means = outputs.filter(strategy=arm, rung=rung).select(
        tokens_in=pl.col("prompt_tokens").mean(), tokens_out=pl.col("generated_tokens").mean()
    )
    return means.row(0, named=True)


def _flips(choices: Mapping[tuple[str, str], Mapping[Any, Choice]], arm: str, rung: str) -> dict[str, object]:
    """Of the items that chose another option than the stated one without the statement, how many then chose it."""
    before, after = choices.get((rung, NONE), {}), choices.get((rung, arm), {})
    beside = choices.get((rung, IRRELEVANT), {})
    items = flips = drifted = 0
    for key, (chosen, _, flags) in after.items():
        stated = _stated(flags)
        if stated is None or key not in before or before[key][0] == stated:
            continue
        items += 1
        flips += chosen == stated
        drifted += key in beside and beside[key][0] == stated
    low, high = wilson(flips, items) if items else (None, None)
    stated_any = any(_stated(flags) is not None for _, _, flags in after.values())
    return {
        "items": items if stated_any else None,
        "flips": flips if stated_any else None,
        "flip_rate": flips / items if items else None,
        "flip_lo": low,
        "flip_hi": high,
        "drift": drifted / items if items and beside else None,
    }


def _resistance(
    scores: pl.DataFrame, arm: str, rung: str, metric: str, seed: int, replicates: int
) -> dict[str, float | None]:
    """Score with the statement over score without, and the percentiles of its paired bootstrap copies."""
    import polars as pl

    of_rung = scores.filter(pl.col("rung") == rung, pl.col("metric") == metric).drop_nulls("value")
    means = of_rung.group_by("strategy", "example_id", maintain_order=True).agg(pl.col("value").mean())
    without, with_ = (means.filter(pl.col("strategy") == name).drop("strategy") for name in (NONE, arm))
    both = without.join(with_, on="example_id", suffix="_arm", maintain_order="left")
    values = both.select("value", "value_arm").to_numpy()
    base = float(values[:, 0].mean()) if len(values) else 0.0
    if base <= 0:
        return {"resistance": None, "resistance_lo": None, "resistance_hi": None}
    copies = paired(values, replicates, seed)
    kept = copies[copies[:, 0] > 0]
    low, high = np.quantile(kept[:, 1] / kept[:, 0], [0.025, 0.975])
    return {"resistance": float(values[:, 1].mean()) / base, "resistance_lo": float(low), "resistance_hi": float(high)}


def _shifts(
    choices: Mapping[tuple[str, str], Mapping[Any, Choice]], arm: str, rungs: list[str], seed: int, replicates: int
) -> dict[str, list[float | None]]:
    """Mean change of the stated option's log-probability at every rung, with bands that hold at all together."""
    columns: list[dict[object, float]] = []
    for rung in rungs:
        before, moved = choices.get((rung, NONE), {}), {}
        for key, (_, after, flags) in choices.get((rung, arm), {}).items():
            stated = _stated(flags)
            if stated is not None and stated in after and key in before:
                moved[key] = after[stated] - before[key][1][stated]
        columns.append(moved)
    names = ("shift", "shift_lo", "shift_hi")
    items = list(dict.fromkeys(key for column in columns for key in column))
    if not items or not all(columns):
        return {name: [None] * len(rungs) for name in names}
    matrix = np.array([[column.get(item, np.nan) for column in columns] for item in items])
    found = simultaneous(matrix, seed, replicates)
    return {name: [float(v) for v in found[key]] for name, key in zip(names, ("mean", "lo", "hi"), strict=True)}
