"""Families of models that never were: what forecasts are tuned on, so that published results stay unseen.

A family has 5 to 12 sizes (now and then several of nearly one size), 1 to 24 tasks of its own mixture of kinds, 100 to
5,000 items a task, a scatter of every task's curve and a scatter of the models themselves, which all tasks share. All
models answer the same items, so that their sampling errors are alike to a degree. ``companions`` gives a family losses
that fall as a power of scale, and scores that are S-curves of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis.forecast.panel import curve_key
from scalecurve.types import Curve

Floats = NDArray[np.float64]
Drivers = dict[str, dict[str, float]]
KINDS = ("S-shaped", "saturating", "straight", "flat", "hinged", "falling", "turning", "abilities")


def family(rng: np.random.Generator) -> list[tuple[str, Curve]]:
    sizes = int(rng.integers(6, 13))
    gaps = rng.uniform(0.1, 0.65, sizes)
    if rng.random() < 0.15:
        gaps = np.where(rng.random(sizes) < 0.4, rng.uniform(0, 0.02, sizes), gaps)
    x = np.cumsum(gaps)
    shift = rng.normal(0, rng.choice([0, 0.02, 0.06, 0.12]), sizes)  # decades that a model is better than its size
    mixture = rng.dirichlet(np.array([1.5, 1.2, 0.8, 1.5, 0.6, 0.25, 0.25, 1.5]))
    count = int(rng.choice([1, 3, 6, 12, 24]))
    scatter = rng.choice([0.0, 0.004, 0.01, 0.02])
    alike = float(rng.choice([0.0, 0.3, 0.6, 0.8]))  # share of the sampling variance that models have in common
    chances = rng.choice([0.0, 0.25, 0.5], count)
    return [
        _task(rng, f"t{i}", str(rng.choice(KINDS, p=mixture)), x, shift, float(chances[i]), float(scatter), alike)
        for i in range(count)
    ]


def companions(rng: np.random.Generator, curves: list[Curve]) -> tuple[list[Curve], dict[tuple[object, ...], Drivers]]:
    """The curves with scores that follow a loss of their own in place of the scores, and the losses, turned."""
    drivers: dict[tuple[object, ...], Drivers] = {}
    made = []
    for curve in curves:
        x, n, chance = np.log10(np.array(curve.x)), curve.n[0], curve.chance or 0.0
        shift = rng.normal(0, rng.choice([0.0, 0.03, 0.08]), len(x))  # decades: models better than their size
        loss = rng.uniform(0.2, 1) + rng.uniform(0.5, 2) * 10 ** (-rng.uniform(0.1, 0.5) * (x + shift - x[0]))
        middle = rng.uniform(loss.min() - 0.3 * np.ptp(loss), loss.max())
        rise = 1 / (1 + np.exp((loss - middle) / (np.ptp(loss) * rng.uniform(0.08, 0.6))))
        p = chance + (rng.uniform(max(chance + 0.2, 0.6), 1) - chance) * rise + rng.normal(0, 0.006, len(x))
        y = rng.binomial(n, np.clip(p, 0.001, 0.999)) / n
        se = np.sqrt(np.maximum(y * (1 - y), 1 / n) / n)
        made.append(replace(curve, y=tuple(y.tolist()), se=tuple(se.tolist())))
        seen = -(loss + rng.normal(0, 0.004 * np.ptp(loss), len(x)))
        drivers[curve_key(curve)] = {"loss": dict(zip(curve.rungs, seen.tolist(), strict=True))}
    return made, drivers


def _task(
    rng: np.random.Generator,
    name: str,
    kind: str,
    x: Floats,
    shift: Floats,
    chance: float,
    scatter: float,
    alike: float,
) -> tuple[str, Curve]:
    at = x + shift
    span = x[-1] - x[0]
    u = (at - x[0]) / span
    top = rng.uniform(chance + 0.2, 1)
    middle = rng.uniform(-0.2, 1.2)
    if kind == "S-shaped":
        rise = 1 / (1 + np.exp(-(u - middle) / rng.uniform(0.08, 0.5)))
    elif kind == "saturating":
        rise = 1 - np.exp(-np.maximum(u, -0.2) * rng.uniform(0.5, 4))
    elif kind == "straight":
        rise = rng.uniform(0, 0.3) + u * rng.uniform(0.1, 0.7)
    elif kind == "flat":
        rise = 0 * u + rng.choice([0.0, rng.uniform(0, 0.5)])
    elif kind == "hinged":
        rise = np.maximum(u - rng.uniform(0.2, 0.8), 0) * rng.uniform(0.3, 1)
    elif kind == "falling":
        rise = rng.uniform(0.3, 0.8) - u * rng.uniform(0.05, 0.4)
    elif kind == "turning":
        rise = rng.uniform(0.2, 0.6) + rng.choice([-1, 1]) * rng.uniform(0.1, 0.8) * (u - rng.uniform(0.3, 0.8)) ** 2
    else:  # items of many difficulties, each a sigmoid of an ability that grows with the logarithm of scale
        difficulty = rng.normal(middle, rng.uniform(0.1, 0.8), 60)
        rise = (1 / (1 + np.exp(-(u[:, None] - difficulty) * rng.uniform(2, 12)))).mean(axis=1)
        top = 1.0
    n = int(rng.choice([100, 250, 500, 1000, 2000, 5000]))
    truth = chance + (top - chance) * rise + rng.normal(0, scatter, len(x))
    p = np.clip(truth, 0.001, 0.999)
    noise = alike**0.5 * rng.normal() + (1 - alike) ** 0.5 * rng.normal(size=len(x))
    y = np.clip(np.round(n * (p + noise * np.sqrt(p * (1 - p) / n))), 0, n) / n
    return kind, curve_of(name, x, y, n, chance)


def curve_of(name: str, x: Floats, y: Floats, n: int, chance: float) -> Curve:
    """The curve of a simulated task: ``x`` in decades from 10 million parameters, ``y`` of ``n`` items each."""
    se = np.sqrt(np.maximum(y * (1 - y), 1 / n) / n)
    return Curve(
        family="simulated", task=name, strategy="direct", shots=0, metric="exact_match", axis="params_non_embedding",
        rungs=tuple(f"r{i}" for i in range(len(x))), x=tuple((10 ** (7 + x)).tolist()), y=tuple(y.tolist()),
        se=tuple(se.tolist()), n=(n,) * len(x), chance=chance, ceiling=1.0,
    )  # fmt: skip
