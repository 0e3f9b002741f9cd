"""Makes the table of ``analysis.verdicts.calibration``: how often a verdict stated with probability p is right.

python benchmarks/calibrate_verdicts.py [curves] [--seed SEED]

Draws curves that are not those of ``adversaries`` and ``strangers``, which check the result: four in ten are the
courses of ``operating_characteristics``, for which the rules were designed; in the others rises, falls and turns are
beta distribution functions, or two of them, of any length from .1 to 6 decades and at any place. Changes are of .15 or
more, on 80 even to very uneven ladders of 5 to 12 models over 1.5 to 4.5 decades, with 50 to 10,000 items and scatter
of models up to sd .04. There are no lotteries between models: no curve tells them from a jump. What is right is decided
by ``adversaries.right_shapes``, the definition of the words. For each shape the share that is right is fitted by beta
calibration (Kull, Silva Filho and Flach 2017) of the stated probability, shrunk to that of all shapes together. A shape
and its mirror image are counted together.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from adversaries import Case, curve_of, drawn, right_shapes, seen_turn
from numpy.typing import NDArray
from operating_characteristics import CHANCE, TRUTHS
from scipy.optimize import minimize
from scipy.special import betainc, expit

from scalecurve.analysis.verdicts import calibration, explain
from scalecurve.analysis.verdicts.judge import FALSE_DISCOVERY, decide, look
from scalecurve.analysis.verdicts.posterior import SCATTER_PRIOR, weigh
from scalecurve.analysis.verdicts.rise import REJECTED

Floats = NDArray[np.float64]
Course = Callable[[Floats], Floats]
LADDERS = 80
SHARES = {
    "designed": 0.36, "flat": 0.12, "rise": 0.2, "step": 0.07, "higher": 0.06, "fall": 0.06, "turn": 0.06, "odd": 0.03,
    "rough": 0.04,
}  # fmt: skip
DESIGNED = (
    "flat at chance", "flat at .40", "near zero", "line", "concave", "saturating", "inverse", "U", "inverted U",
    "one bad model", "step", "hinge", "cubic", "wide sigmoid",
)  # fmt: skip
SHRINKAGE = np.array([2.0, 2.0, 16.0])  # how firmly the numbers of a shape are held to those of all
COMMON = 60  # curves: rarer shapes keep their stated probability
MIRRORED = {"inverse": "smooth", "inverted-U": "U"}


@dataclass(frozen=True)
class Stated:
    """A verdict before calibration: shape, probability, whether it is right, and what else its curve tells: how many
    models over how many decades, the median error of a score, the mean scatter of models."""

    shape: str
    probability: float
    right: bool
    models: int
    span: float
    error: float
    scatter: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="?", type=int, default=2600)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    calibration.RIGHT.clear()  # the stated probability itself
    rng = np.random.default_rng(options.seed)
    ladders = [ladder(rng) for _ in range(LADDERS)]
    stated: dict[str, list[Stated]] = {}
    for _ in range(options.curves):
        one = stated_by(case(rng, ladders[rng.integers(LADDERS)]))
        if one is not None:
            stated.setdefault(one.shape, []).append(one)
    print("RIGHT: dict[Shape, tuple[float, ...]] = {")
    tables = fitted(stated)
    tables |= {other: tables[shape] for other, shape in MIRRORED.items() if shape in tables}
    for shape, numbers in sorted(tables.items()):
        at = expit(basis(np.array(calibration.STATED)) @ numbers)
        table = ", ".join(f"{share:.3f}" for share in at)
        name, counted = shape.upper().replace("-", "_"), len(stated[MIRRORED.get(shape, shape)])
        print(f"    Shape.{name}: ({table}),  # {counted} curves")
    print("}")


def stated_by(made: Case) -> Stated | None:
    """A verdict before calibration, where ``calibration.RIGHT`` is empty; None where its probability does not decide
    the confidence. Mirror images share a name."""
    found = look(made.curve, made.items, made.clusters)
    if found.evidence is None or found.masses is None:
        return None
    own = replace(found.evidence, scatter=SCATTER_PRIOR)
    decision = decide(own, weigh(found.masses, SCATTER_PRIOR))
    if decision.gain is not None and decision.gain < REJECTED:
        return None
    if decision.outlier >= 0 and decision.shape != "one-model":
        return None  # held to at most MOST_WITH_ODD_MODEL
    moves = decision.shape not in ("flat", "saturated", "one-model")
    if moves and explain.p_flat(own, decision.scatter) >= FALSE_DISCOVERY:
        return None
    shape, error = str(decision.shape), float(np.median(own.errors()))
    return Stated(
        MIRRORED.get(shape, shape), decision.probability, shape in made.right, len(own.y), float(np.ptp(own.x)), error,
        decision.scatter,
    )  # fmt: skip


def fitted(stated: dict[str, list[Stated]]) -> dict[str, Floats]:
    """(intercept, weight of ln p, weight of −ln(1 − p)) of each shape."""
    everything = [row for rows in stated.values() for row in rows]
    middle = _beta(everything, np.array([0.0, 1.0, 1.0]), np.zeros(3))
    common = {shape: rows for shape, rows in stated.items() if len(rows) >= COMMON}
    return {shape: _beta(rows, middle, SHRINKAGE) for shape, rows in common.items()}


def _beta(rows: list[Stated], middle: Floats, shrinkage: Floats) -> Floats:
    x, right = basis(np.array([row.probability for row in rows])), np.array([row.right for row in rows], float)

    def loss(numbers: Floats) -> float:
        z = x @ numbers
        held = float(shrinkage @ (numbers - middle) ** 2) / 2
        return float(np.logaddexp(0, z).sum() - right @ z) + held

    return np.asarray(minimize(loss, middle, method="L-BFGS-B", bounds=[(-4, 4), (0, 4), (0, 4)]).x)


def basis(p: Floats) -> Floats:
    """What the logarithm of the odds of being right is a sum of, for each stated probability; .999 is as good as 1."""
    p = np.clip(p, 1e-3, 1 - 1e-3)
    return np.column_stack([np.ones(len(p)), np.log(p), -np.log1p(-p)])


# ── Curves ───────────────────────────────────────────────────────────────────────────────────────────────────
def ladder(rng: np.random.Generator) -> Floats:
    scales = int(rng.integers(5, 13))
    gaps = np.exp(rng.normal(0, rng.choice([0.0, 0.3, 0.8]), scales - 1))
    return 7 + rng.uniform(1.5, 4.5) * np.concatenate([[0], np.cumsum(gaps) / gaps.sum()])


def piece(rng: np.random.Generator, x: Floats, low: float, high: float) -> Course:
    """A beta distribution function with its mean between two shares of the ladder ``x``."""
    length = float(np.exp(rng.uniform(np.log(0.1), np.log(6.0))))
    a, b = np.exp(rng.uniform(np.log(0.5), np.log(3.0), 2))
    begin = x[0] + (x[-1] - x[0]) * rng.uniform(low, high) - length * a / (a + b)
    return lambda t: betainc(a, b, np.clip((t - begin) / length, 0, 1))


def course(rng: np.random.Generator, x: Floats, low: float = 0.25, high: float = 0.85) -> Course:
    if rng.random() < 0.75:
        return piece(rng, x, low, high)
    one, two, share = piece(rng, x, low, 0.6), piece(rng, x, 0.5, high), rng.uniform(0.2, 0.8)
    return lambda t: share * one(t) + (1 - share) * two(t)


def step(rng: np.random.Generator, x: Floats) -> Course:
    """A rise between two neighbours, three models or more below and two or more above."""
    at = int(rng.integers(3, len(x) - 1))
    gap = x[at] - x[at - 1]
    length = gap * rng.uniform(0.05, 0.9)
    begin = x[at - 1] + (gap - length) * rng.random()
    return lambda t: betainc(2, 2, np.clip((t - begin) / length, 0, 1))


def turn(rng: np.random.Generator, x: Floats) -> Course:
    up, down, share = piece(rng, x, 0.0, 0.4), piece(rng, x, 0.6, 1.0), rng.uniform(0.4, 1.0)
    return lambda t: up(t) - share * down(t)


def case(rng: np.random.Generator, x: Floats) -> Case:
    kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    chance, n = float(rng.choice([0, 0.1, 0.25, 1 / 3, 0.5])), int(np.exp(rng.uniform(np.log(50), np.log(10_000))))
    if kind == "designed":
        chance, p, right = _designed(rng, x)
    else:
        low, high, f = _levels(rng, kind, chance, x)
        p = low + (high - low) * f(x)
        right = _right(lambda t: np.asarray(low + (high - low) * f(t)), x, chance)
        if kind == "odd":
            p[rng.integers(1, len(x) - 1)] += rng.uniform(0.15, 0.4) * rng.choice([-1, 1])
            right = frozenset({"one-model"}) if high == low else right
        if kind == "rough":  # models that have nothing to do with each other
            p, right = (
                rng.uniform(0.3, 0.6) + rng.uniform(0.08, 0.25) * rng.normal(0, 1, len(x)),
                frozenset({"irregular"}),
            )
    y = drawn(np.clip(p, 0, 1), n, rng, float(rng.choice([0, 0.005, 0.01, 0.02, 0.04])))
    return Case(curve_of(y, x, n, chance), right)


def _designed(rng: np.random.Generator, x: Floats) -> tuple[float, Floats, frozenset[str]]:
    """(chance, success rates, right shapes) of a course of ``operating_characteristics``."""
    name = str(rng.choice(DESIGNED))
    truth, shape = TRUTHS[name]
    chance, span = 0.0 if name == "near zero" else CHANCE, x[-1] - x[0]
    p = truth((x - x[0]) / span, rng)
    if name == "one bad model":
        return chance, p, frozenset({shape, "late"})
    return chance, p, _right(lambda t: truth((t - x[0]) / span, rng), x, chance)


def _right(level: Course, x: Floats, chance: float) -> frozenset[str]:
    return seen_turn(right_shapes(level, x, chance, width(level, x)), level(x))


def _levels(rng: np.random.Generator, kind: str, chance: float, x: Floats) -> tuple[float, float, Course]:
    """(score where nothing has risen, where everything has, the course)."""
    if kind == "flat":
        low = chance if rng.random() < 0.4 else rng.uniform(chance, 0.8)
        return low, low, course(rng, x)
    if kind == "odd":
        low = rng.uniform(0.2, 0.7)
        return low, low if rng.random() < 0.6 else rng.uniform(low + 0.1, 0.98), course(rng, x)
    if kind == "higher":
        low = rng.uniform(chance + 0.05, 0.65)
        return low, rng.uniform(low + 0.15, min(low + 0.5, 1.0)), course(rng, x, 0.0, 0.7)
    if kind == "fall":
        low = rng.uniform(0.3, 0.9)
        return low, low - rng.uniform(0.15, 0.4) * min(1.0, low / 0.5), course(rng, x, 0.1, 0.85)
    if kind == "turn":
        low = rng.uniform(0.35, 0.6)
        return low, low + rng.choice([-1, 1]) * rng.uniform(0.15, 0.35), turn(rng, x)
    return chance, rng.uniform(chance + 0.25, 0.98), step(rng, x) if kind == "step" else course(rng, x)


def width(f: Course, x: Floats) -> float | None:
    """Decades from a tenth to nine tenths of what the ladder shows; None of what does not rise."""
    fine = np.linspace(x[0], x[-1], 800)
    on = f(fine)
    if on[-1] - on[0] < 1e-6 or (np.diff(on) < -1e-9).any():
        return None
    low, high = np.interp([0.1, 0.9], (on - on[0]) / (on[-1] - on[0]) + 1e-9 * np.arange(800), fine)
    return float(high - low)


if __name__ == "__main__":
    main()
