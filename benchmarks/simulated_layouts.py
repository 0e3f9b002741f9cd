"""Families of models with the layouts that real ones have, drawn from another world than ``simulated_families``.

Models have two skills that grow with scale, each along a curve of its own, and are better or worse than their size by
their shape (width, depth) and by luck. Tasks are items, each a sigmoid of a mixture of the skills; all models answer
the same items, so that their sampling errors are alike as far as items decide. Layouts: ``few`` (six to eight sizes, up
to a decade apart), ``clusters`` (several models of nearly one size but of other shapes), ``small`` (20 to 250 items,
many tasks near nothing or near all right), ``wide`` (nine to twelve sizes), ``crowded`` (six to twelve sizes within a
decade, of one to three shapes each, and a few models half a decade or a decade beyond). ``ladder_family`` is
for targets far beyond what is known: sizes and budgets over compute, and one or two models a decade or more beyond.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from simulated_families import Drivers, curve_of

from scalecurve.analysis.forecast.panel import curve_key
from scalecurve.types import Curve

Floats = NDArray[np.float64]
LAYOUTS = ("few", "clusters", "small", "wide", "crowded")


def layout_family(rng: np.random.Generator, layout: str) -> list[tuple[str, Curve]]:
    """(kind of task, curve) of every task of one family."""
    x, shape = _models(rng, layout)
    span = max(x[-1] - x[0], 3.0 if layout == "crowded" else 0.5)  # decades in which skills grow by their rate
    luck = rng.choice([0.0, 0.01, 0.03, 0.06])  # of a model over all its tasks, in decades
    skills = np.array([_growth(rng, (x + shape + rng.normal(0, luck, len(x)) - x[0]) / span) for _ in range(2)])
    count = int(rng.choice([1, 4, 8, 16]))
    return [_task(rng, f"t{i}", layout, x, skills, span) for i in range(count)]


def _models(rng: np.random.Generator, layout: str) -> tuple[Floats, Floats]:
    """(log10 of the sizes, how many decades each model is better than its size by its shape)."""
    if layout not in ("clusters", "crowded"):
        sizes = {"few": (6, 9), "small": (6, 11), "wide": (9, 13)}[layout]
        count = int(rng.integers(*sizes))
        widest = {"few": 1.0, "small": 0.6, "wide": 0.45}[layout]
        return np.cumsum(rng.uniform(0.15, widest, count)), np.zeros(count)
    if layout == "crowded":
        centres = np.sort(rng.uniform(0, rng.uniform(0.45, 1.0), int(rng.integers(6, 13))))
        x = np.sort(np.repeat(centres, rng.integers(1, 4, len(centres))) + rng.uniform(0, 0.02))
        x = np.append(x, x[-1] + np.sort(rng.uniform(0.5, 1.0, int(rng.integers(1, 4)))))
        return x + np.arange(len(x)) * 1e-4, rng.normal(0, rng.choice([0.02, 0.06, 0.12]), len(x))
    centres = np.cumsum(rng.uniform(0.15, 0.7, int(rng.integers(5, 9))))
    x = np.concatenate([centre + rng.uniform(-0.05, 0.05, int(rng.integers(1, 6))) for centre in centres])
    x = np.sort(x)
    return x, rng.normal(0, rng.choice([0.02, 0.06, 0.12]), len(x))


def _growth(rng: np.random.Generator, u: Floats) -> Floats:
    """A skill over the way from the smallest to the largest size (0 to 1): steady, bending up or down, or a walk."""
    kind = rng.choice(["steady", "slowing", "gathering", "late", "walk"], p=[0.35, 0.2, 0.2, 0.1, 0.15])
    rate = rng.uniform(0.8, 4.0)
    if kind == "slowing":
        return rate * np.sign(u) * np.abs(u) ** rng.uniform(0.5, 0.9)
    if kind == "gathering":
        return rate * np.sign(u) * np.abs(u) ** rng.uniform(1.1, 1.8)
    if kind == "late":
        return rate * np.maximum(u - rng.uniform(0.1, 0.8), 0)
    if kind == "walk":
        knots = np.linspace(-0.5, 1.6, 9)
        slopes = np.abs(rng.normal(1, 0.7, 9))
        return rate * np.interp(u, knots, np.cumsum(slopes) * (knots[1] - knots[0]))
    return rate * u


def _task(
    rng: np.random.Generator, name: str, layout: str, x: Floats, skills: Floats, span: float
) -> tuple[str, Curve]:
    items = (20, 50, 100, 198, 250) if layout == "small" else (100, 250, 500, 1000, 2000)
    n = int(rng.choice(items))
    chance = float(rng.choice([0.0, 0.2, 0.25, 0.5], p=[0.55, 0.15, 0.15, 0.15] if layout == "small" else [0.25] * 4))
    kind = str(rng.choice(["rising", "still", "falling"], p=[0.78, 0.17, 0.05]))
    loading = {"rising": rng.uniform(0.5, 1.5), "still": rng.uniform(0, 0.08), "falling": -rng.uniform(0.05, 0.4)}[kind]
    share = rng.choice([0.0, 1.0, rng.random()])
    own = rng.normal(0, rng.choice([0.0, 0.03, 0.08, 0.15]), len(x))  # of this task's skill, a model's own
    ability = loading * (share * skills[0] + (1 - share) * skills[1]) + own
    reach = float(np.ptp(ability)) or 1.0
    near_end = layout == "small" and rng.random() < 0.5  # nearly nothing or nearly all right for a while
    middle = ability.min() + reach * rng.uniform(-0.4, 1.3) if not near_end else rng.choice([1.5, -0.7]) * reach
    difficulty = rng.normal(middle, rng.choice([0.2, 0.6, 1.2]), n)
    sharp = rng.uniform(1.0, 6.0)  # how far an item decides whether a model gets it right
    right = 1 / (1 + np.exp(-np.clip(sharp * (ability[:, None] - difficulty), -50, 50)))
    keep = rng.random(n) < rng.choice([0.0, 0.5, 0.9])  # items whose guess is the same for all models
    floor = max(chance + rng.normal(0, rng.choice([0.0, 0.02])), 0.0) if chance else 0.0  # stated chance is nominal
    guesses = np.where(keep, rng.random(n), rng.random((len(x), n))) < floor
    steady = rng.random(n) if rng.random() < 0.5 else rng.random((len(x), n))
    y = ((steady < right) | guesses).mean(axis=1)
    return kind, curve_of(name, x, y, n, chance)


def ladder_family(rng: np.random.Generator) -> tuple[list[tuple[str, Curve]], dict[tuple[object, ...], Drivers]]:
    """(kind, curve) of every task over training compute, and what drives each: the loss on its own right answers.

    Three to six sizes at one to four token budgets each; the loss of a task is a floor and a power of size and of
    tokens (the form of Hoffmann et al. 2022), with exponents of its own about those of the family; its score is an
    S-curve of that loss with a part that the loss does not tell.
    """
    sizes = np.cumsum(rng.uniform(0.15, 0.5, int(rng.integers(3, 7))))
    budgets = np.log10([1.0, 2.0, 5.0, 10.0])[: int(rng.integers(1, 5)) if len(sizes) > 3 else 4]
    n, over = (grid.ravel() for grid in np.meshgrid(sizes, budgets))
    count = int(rng.integers(1, 3))
    big = np.sort(sizes[-1] + rng.uniform(0.3, 1.0, count))
    n, over = np.append(n, big), np.append(over, rng.uniform(budgets[0], budgets[-1] + 0.6, count))
    compute = 2 * n + over  # decades; tokens are a multiple of the size
    order = np.argsort(compute, kind="stable")
    n, over, compute = n[order], over[order], compute[order] - compute.min()
    tokens = n + over
    luck = rng.normal(0, rng.choice([0.0, 0.01, 0.03]), len(n))
    exponents = rng.uniform(0.25, 0.45), rng.uniform(0.2, 0.4)
    drivers: dict[tuple[object, ...], Drivers] = {}
    made = []
    for number in range(int(rng.choice([1, 4, 8, 16]))):
        a, b = np.array(exponents) * np.exp(rng.normal(0, 0.25, 2))
        falls = rng.uniform(0.3, 0.7) * 10 ** (-a * (n - n[0] + luck)) + 10 ** (-b * (tokens - tokens[0])) * 0.5
        loss = rng.uniform(0.2, 1.2) + falls + rng.normal(0, rng.choice([0.002, 0.006, 0.015]), len(n))
        known = loss[compute <= compute[: -count or None].max()]
        reach = float(np.ptp(known)) or 0.1
        middle = known.min() + reach * rng.uniform(-0.5, 0.8)
        chance = float(rng.choice([0.0, 0.2, 0.25, 0.5]))
        own = rng.normal(0, rng.choice([0.0, 0.05, 0.12]) * reach, len(n))  # ability that the loss does not tell
        drift = rng.normal(0, rng.choice([0.0, 0.05, 0.1])) * reach * compute / compute[: -count or None].max()
        rise = 1 / (1 + np.exp((loss + own - drift - middle) / (reach * rng.uniform(0.15, 0.7))))
        top = rng.uniform(max(chance + 0.2, 0.55), 1)
        items = int(rng.choice([250, 500, 1000, 2000, 5000, 10_000]))
        alike = rng.choice([0.3, 0.6, 0.8])
        p = np.clip(chance + (top - chance) * rise, 0.001, 0.999)
        noise = alike**0.5 * rng.normal() + (1 - alike) ** 0.5 * rng.normal(size=len(n))
        y = np.clip(np.round(items * (p + noise * np.sqrt(p * (1 - p) / items))), 0, items) / items
        curve = replace(curve_of(f"t{number}", compute, y, items, chance), axis="training_flops")
        drivers[curve_key(curve)] = {"loss": dict(zip(curve.rungs, (-loss).tolist(), strict=True))}
        made.append(("ladder", curve))
    return made, drivers
