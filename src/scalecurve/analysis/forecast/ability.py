"""What a model will score on tasks it was not asked, from its scores on others: the ability axis.

Few components of the standard tasks account for most of what models of all families score (Ruan et al.,
arXiv 2405.10938; Polo et al., arXiv 2412.06540). A task's score is an S-curve of the components, with an offset for
the family; how many components, on which scale, and how much families differ, is weighed by predicting the ablest
known models from the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.forecast.components import principal_components
from scalecurve.errors import UserError

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ABILITY = "ability"
STANDARD_SHARE = 0.8  # of all models that must have a task's score for it to be a standard one
MIN_STANDARD = 3
MIN_KNOWN = 8  # models with a score that a task needs
COUNTS = (1, 2, 3)  # components
SCALES = ("logit", "share")  # on which components are taken of scores
OFFSETS = (0.3, 1.0)  # prior deviation of a family's offset, in logits
SMALLER = 0.7  # the error with all known models, over that with two thirds of them; simulated models
NORMAL = {80: 1.2816, 95: 1.9600}


@dataclass(frozen=True, slots=True)
class Table:
    """Scores of models × tasks on 0–1 (NaN where not known), with their standard errors and chance levels."""

    models: tuple[tuple[str, str], ...]  # (family, rung)
    tasks: tuple[tuple[object, ...], ...]  # (task, strategy, shots, metric)
    scores: Floats
    errors: Floats
    chance: Floats

    @property
    def standard(self) -> Flags:
        """Which tasks (nearly) all models were asked."""
        result: Flags = np.isfinite(self.scores).mean(axis=0) >= STANDARD_SHARE
        return result


def table_of(frame: pl.DataFrame) -> Table:
    """The bounded scores of a curves table, models × tasks."""
    import polars as pl

    bounded = frame.filter(pl.col("y").is_between(0, 1) & (pl.col("chance").is_not_null() | pl.col("ceiling").eq(1)))
    key = ["task", "strategy", "shots", "metric"]
    models = bounded.select("family", "rung").unique(maintain_order=True).rows()
    tasks = bounded.select(key).unique(maintain_order=True).rows()
    rows, columns = {m: i for i, m in enumerate(models)}, {t: i for i, t in enumerate(tasks)}
    scores, errors = np.full((len(rows), len(columns)), np.nan), np.full((len(rows), len(columns)), 0.01)
    chance = np.zeros(len(columns))
    for row in bounded.iter_rows(named=True):
        at = rows[row["family"], row["rung"]], columns[tuple(row[name] for name in key)]
        scores[at] = row["y"]
        n, se = row.get("n"), row.get("se")
        errors[at] = se if se else (max(row["y"] * (1 - row["y"]), 1 / n) / n) ** 0.5 if n else 0.01
        chance[at[1]] = row["chance"] or 0.0
    return Table(tuple(models), tuple(tasks), scores, errors, chance)


def by_ability(frame: pl.DataFrame, standard: Sequence[str] | None = None) -> pl.DataFrame:
    """The scores that are missing from a curves table, predicted from the models' abilities.

    ``standard``: the tasks that place a model (those that four in five models have, if not given). One row a missing
    (model, task): family, rung, task, strategy, shots, metric, axis ("ability"), x (the first component), known
    (models the task is learnt from), y, sd, lo80, hi80, lo95, hi95. Models with less than half of the standard tasks
    are left out. ``UserError`` when there are too few standard tasks or nothing is missing.
    """
    import polars as pl

    table = table_of(frame)
    chosen = table.standard if standard is None else np.array([task[0] in standard for task in table.tasks], bool)
    if chosen.sum() < MIN_STANDARD:
        raise UserError(
            f"forecast: --axis ability needs {MIN_STANDARD} tasks that nearly all models have; here {int(chosen.sum())}"
        )
    families = [family for family, _ in table.models]
    rows = []
    for column in range(len(table.tasks)):
        asked = np.isfinite(table.scores[:, column])
        others = chosen & (np.arange(len(chosen)) != column)  # a task does not place the models it is to be told for
        if asked.all() or others.sum() < MIN_STANDARD:
            continue
        placed, abilities = _placed(table.scores[:, others])  # on each of SCALES
        known, missing = np.flatnonzero(placed & asked), np.flatnonzero(placed & ~asked)
        if len(known) < MIN_KNOWN or not len(missing):
            continue
        y, sd = predict_scores(
            abilities, families, table.scores[:, column], table.errors[:, column], table.chance[column], known, missing
        )
        task, strategy, shots, metric = table.tasks[column]
        for model, middle, deviation in zip(missing, y, sd, strict=True):
            row = {"family": families[model], "rung": table.models[model][1], "task": task, "strategy": strategy}
            row |= {"shots": shots, "metric": metric, "axis": ABILITY, "x": abilities[0][model, 0], "known": len(known)}
            row |= {"y": middle, "sd": deviation}
            for level, reach in NORMAL.items():
                row[f"lo{level}"] = max(middle - reach * deviation, 0.0)
                row[f"hi{level}"] = min(middle + reach * deviation, 1.0)
            rows.append(row)
    if not rows:
        raise UserError("forecast: --axis ability: no score is missing that the standard tasks could tell")
    return pl.DataFrame(rows)


def _placed(scores: Floats) -> tuple[Flags, list[Floats]]:
    """(which models have half of the standard tasks, the components of these on each of ``SCALES``; NaN for others)."""
    placed: Flags = np.isfinite(scores).mean(axis=1) >= 0.5
    tables = [np.full((len(scores), max(COUNTS)), np.nan) for _ in SCALES]
    if placed.any():
        for table, scale in zip(tables, SCALES, strict=True):
            table[placed] = components_of(scores[placed], scale)
    return placed, tables


def predict_scores(
    abilities: Sequence[Floats],
    families: Sequence[str],
    scores: Floats,
    errors: Floats,
    chance: float,
    known: NDArray[np.intp],
    wanted: NDArray[np.intp],
) -> tuple[Floats, Floats]:
    """(scores, standard deviations) of the models ``wanted`` from those ``known``, all given by their row.

    ``abilities``: the models' components on each of ``SCALES``. Fits on these, with 1 to 3 components and two sizes of
    family offsets, are averaged by how well each predicts the ablest third of the known models from the others.
    """
    order = known[np.argsort(abilities[0][known, 0], kind="stable")]
    cut = max(len(order) * 2 // 3, 5)
    inner, outer = order[:cut], order[cut:]
    means, weights, spreads = [], [], []
    for table, count, offset in product(abilities, COUNTS, OFFSETS):
        z = table[:, :count]
        check = _fit(z, families, scores, errors, chance, inner, offset, outer)
        excess = (check - scores[outer]) ** 2 - errors[outer] ** 2
        mean = _fit(z, families, scores, errors, chance, known, offset, wanted)
        means.append(mean)
        weights.append(max(float(excess.mean()), 1e-4) ** -1)
        share = np.clip(mean, 0.02, 0.98)
        inside = np.clip(check, 0.02, 0.98)
        scatter = SMALLER * max(float((excess / (inside * (1 - inside))).mean()), 1e-4)  # of models about the S-curve
        spreads.append(scatter * share * (1 - share))
    share = np.array(weights) / sum(weights)
    middle = share @ np.array(means)
    between = share @ (np.array(means) - middle) ** 2
    sampling = float(np.median(errors[known])) ** 2
    return middle, np.sqrt(share @ np.array(spreads) + between + sampling)


def _fit(
    z: Floats,
    families: Sequence[str],
    scores: Floats,
    errors: Floats,
    chance: float,
    known: NDArray[np.intp],
    offset: float,
    wanted: NDArray[np.intp],
) -> Floats:
    """Score = chance + (1 − chance)·logistic(a + b·z + family), ridge on b and the offsets, by least squares."""
    from scipy.optimize import least_squares
    from scipy.special import expit

    names = sorted({families[i] for i in known})
    scale = z[known].std(axis=0) + 1e-9
    centre = z[known].mean(axis=0)

    def design(rows: NDArray[np.intp]) -> Floats:
        own = np.array([[families[i] == name for name in names] for i in rows], float)
        return np.hstack([np.ones((len(rows), 1)), (z[rows] - centre) / scale, own])

    x, y = design(known), scores[known]
    ridge = np.concatenate([[0.1], np.full(z.shape[1], 0.3), np.full(len(names), 1 / offset)])
    noise = np.sqrt(errors[known] ** 2 + 0.02**2)  # models scatter about the S-curve by more than items do

    def residuals(beta: Floats) -> Floats:
        at = chance + (1 - chance) * expit(x @ beta)
        return np.concatenate([(at - y) / noise, ridge * beta])

    def jacobian(beta: Floats) -> Floats:
        p = expit(x @ beta)
        return np.vstack([((1 - chance) * p * (1 - p) / noise)[:, None] * x, np.diag(ridge)])

    start = np.zeros(x.shape[1])
    start[1] = 1.0
    beta = least_squares(residuals, start, jacobian, method="trf", loss="soft_l1").x
    result: Floats = chance + (1 - chance) * expit(design(wanted) @ beta)
    return result


def components_of(scores: Floats, scale: str) -> Floats:
    """(models, components) of a table models × standard tasks; missing scores are filled from the components.

    On logits the abler models stay apart on tasks that are easy for them; as shares tasks near chance say less.
    """
    if scale == "logit":
        inside = np.clip(scores, 0.02, 0.98)
        scores = np.log(inside / (1 - inside))
    filled = np.where(np.isfinite(scores), scores, np.nanmean(scores, axis=0))
    missing = ~np.isfinite(scores)
    count = min(max(COUNTS), *scores.shape)
    for _ in range(30 if missing.any() else 1):
        middle, axes, _ = principal_components(filled, 1)
        filled = np.where(missing, middle + (filled - middle) @ axes.T @ axes, scores)
    middle, axes, _ = principal_components(filled, count)
    axes = axes * np.where(axes.sum(axis=1) < 0, -1, 1)[:, None]  # more is better
    result = np.zeros((len(scores), max(COUNTS)))
    result[:, :count] = (filled - middle) @ axes.T
    return result
