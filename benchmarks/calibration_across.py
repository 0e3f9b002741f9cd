"""Would another calibration of confidence hold better on curves of other kinds? Fit on some sets, test on another.

python benchmarks/calibration_across.py [curves] [--seed SEED]

Draws ``curves`` of each of four sets: those that the calibration is made of (``calibrate_verdicts``), ``adversaries``,
``strangers`` and ``literature``; each of the last three is held out in turn. Candidates are beta calibrations with an
intercept for each shape, fitted on the curves of the calibration alone or with the two other sets, and further weights
for what a curve tells: how many models, their estimated scatter, the errors of scores, the span. Printed for each: the
log loss of the set held out, by how much less it is than today's with a 95 % bootstrap interval, and said and right
(per cent) by tenth of confidence from .6 on. Only verdicts whose probability decides the confidence are counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import literature
import numpy as np
import strangers
from adversaries import Case, other_case, rise_case, step_case
from calibrate_verdicts import LADDERS, Floats, Stated, basis, case, ladder, stated_by
from operating_characteristics import GRADUAL, OTHERS
from scipy.optimize import minimize
from scipy.special import expit

from scalecurve.analysis.verdicts import calibration
from scalecurve.types import Shape

SETS = ("adversaries", "strangers", "literature")
CALIBRATING = "calibration"
FEATURES: dict[str, Callable[[Stated], float]] = {
    "models": lambda one: np.log(one.models / 8),
    "scatter": lambda one: one.scatter / 0.01 - 1.4,
    "error": lambda one: np.log(max(one.error, 0.003) / 0.012),
    "span": lambda one: one.span - 3,
}
CANDIDATES = [(alone, features) for alone in (True, False) for features in ([], *([name] for name in FEATURES))]
CANDIDATES += [(False, ["models", "scatter"]), (False, list(FEATURES))]
HELD = 0.5, 4.0  # how firmly the weights of shapes and of features are held to 0
DRAWS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="?", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tables = dict(calibration.RIGHT)
    calibration.RIGHT.clear()  # the stated probability itself
    sets = {name: drawn_from(name, options.curves, options.seed) for name in (CALIBRATING, *SETS)}
    calibration.RIGHT.update(tables)
    for held_out in SETS:
        tested, others = sets[held_out], [name for name in SETS if name != held_out]
        right = np.array([one.right for one in tested])
        today = np.array([calibration.calibrated(Shape(one.shape), one.probability) for one in tested])
        print(f"\n### {held_out}: {len(tested)} verdicts\n")
        print("| fitted on | features | log loss | less than today's | 60s | 70s | 80s | 90s |\n|" + "---|" * 8)
        print(row("today's", "", today, right, today), flush=True)
        for alone, features in CANDIDATES:
            known = sets[CALIBRATING] + ([] if alone else [one for name in others for one in sets[name]])
            said = fitted(known, features)(tested)
            print(row("calibration" if alone else "all others", ", ".join(features), said, right, today), flush=True)


def drawn_from(name: str, curves: int, seed: int) -> list[Stated]:
    rng, found = np.random.default_rng((seed, (CALIBRATING, *SETS).index(name))), []
    cases = {"adversaries": _adversaries, CALIBRATING: _calibrating}.get(name)
    source = cases(rng) if cases else _kinds(rng, strangers if name == "strangers" else literature)
    for _ in range(curves):
        one = stated_by(next(source))
        found += [] if one is None else [one]
    return found


def _calibrating(rng: np.random.Generator) -> Iterator[Case]:
    ladders = [ladder(rng) for _ in range(LADDERS)]
    while True:
        yield case(rng, ladders[rng.integers(LADDERS)])


def _kinds(rng: np.random.Generator, other: object) -> Iterator[Case]:
    while True:
        for kind in other.KINDS:  # type: ignore[attr-defined]  # a module: one of two with these names
            yield other.case(rng, kind)  # type: ignore[attr-defined]  # the same


def _adversaries(rng: np.random.Generator) -> Iterator[Case]:
    """About as ``operating_characteristics.adversarial`` mixes them."""
    while True:
        scales, n = int(rng.integers(5, 13)), int(rng.choice([50, 250, 1000, 5000]))
        scatter = float(rng.choice([0.0, 0.0, 0.01, 0.02]))
        what = rng.choice(["rise", "step", "flat", "other"], p=[0.42, 0.15, 0.18, 0.25])
        if what == "rise":
            yield rise_case(rng, scales, n, str(rng.choice(GRADUAL)), None, scatter)
        elif what == "step":
            yield step_case(rng, max(scales, 8), n, scatter)
        elif what == "flat":
            yield other_case(rng, 8, max(n, 250), str(rng.choice(["flat", "flat at chance"])), 2 * scatter)
        else:
            yield other_case(rng, max(scales, 6), max(n, 250), str(rng.choice(OTHERS)), scatter)


def fitted(known: list[Stated], features: list[str]) -> Callable[[list[Stated]], Floats]:
    """A calibration: from verdicts to how often such ones are right."""
    shapes = sorted({one.shape for one in known})

    def design(rows: list[Stated]) -> Floats:
        own = [[float(one.shape == shape) for shape in shapes] for one in rows]
        told = np.array([[FEATURES[name](one) for name in features] for one in rows]).reshape(len(rows), -1)
        return np.column_stack([basis(np.array([one.probability for one in rows])), np.array(own), told])

    x, right = design(known), np.array([one.right for one in known], float)
    middle = np.array([0.0, 1.0, 1.0, *np.zeros(x.shape[1] - 3)])
    held = np.array([0.0, 0.5, 0.5, *np.full(len(shapes), HELD[0]), *np.full(len(features), HELD[1])])

    def loss(numbers: Floats) -> tuple[float, Floats]:
        z = x @ numbers
        value = np.logaddexp(0, z).sum() - right @ z + held @ (numbers - middle) ** 2 / 2
        return float(value), np.asarray(x.T @ (expit(z) - right) + held * (numbers - middle))

    free: tuple[float | None, float | None] = (None, None)
    bounds = [free, (0, 4), (0, 4), *[free] * (x.shape[1] - 3)]  # more probable, more often right
    numbers = minimize(loss, middle, jac=True, method="L-BFGS-B", bounds=bounds).x
    return lambda rows: np.asarray(expit(design(rows) @ numbers))


def row(name: str, features: str, said: Floats, right: Floats, today: Floats) -> str:
    less = _losses(today, right) - _losses(said, right)
    draws = np.random.default_rng(0).integers(len(less), size=(DRAWS, len(less)))
    low, high = np.quantile(less[draws].mean(axis=1), [0.025, 0.975])
    cells = []
    for begin in (0.6, 0.7, 0.8, 0.9):
        own = (said >= begin) & (said < (begin + 0.1 if begin < 0.9 else 1.01))
        cells.append(f"{said[own].mean():.0%}/{right[own].mean():.0%} of {own.sum()}" if own.any() else "–")
    gain = f"{less.mean():+.4f} [{low:+.4f}, {high:+.4f}]" if np.abs(less).max() else "–"
    return f"| {name} | {features} | {_losses(said, right).mean():.4f} | {gain} | " + " | ".join(cells) + " |"


def _losses(said: Floats, right: Floats) -> Floats:
    said = np.clip(said, 0.01, 0.99)
    return np.asarray(-np.where(right, np.log(said), np.log1p(-said)))


if __name__ == "__main__":
    main()
