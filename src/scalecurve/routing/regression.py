"""Small fitted models over named columns, as plain numbers that go to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]
OWN_LEVEL, OWN_SLOPE = 2.0, 0.5
"""Scale of a family's own level and slopes: penalised a quarter as much, and four times as much, as what is shared."""
FEWEST = 6
"""Items in which an answer must occur to be a category of its own."""
GRAIN = 1e-6
"""Differences of a number within a family below this are no differences."""


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """From columns to a matrix: families, (column, family, text) categories, and standardised numbers.

    A number counts relative to its family's mean, in units of the family's spread, once with a slope shared by all
    families and once with the family's own. Unknown numbers (NaN) are at the mean and set a flag. A family or text that
    was not seen in fitting has no column: only what all families share speaks of it.
    """

    families: tuple[str, ...]
    categories: tuple[tuple[str, str, str], ...]
    numbers: tuple[str, ...]
    centre: Mapping[str, tuple[float, ...]]
    spread: Mapping[str, tuple[float, ...]]

    @staticmethod
    def fit(family: Texts, texts: Mapping[str, Texts], numbers: Mapping[str, Floats]) -> FeatureSpace:
        """The space of these items; ``""`` keeps the centre and spread over all families for those not seen."""
        families = tuple(str(name) for name in np.unique(family))
        categories: list[tuple[str, str, str]] = []
        for name in families:
            for column, values in texts.items():
                found, counts = np.unique(values[family == name], return_counts=True)
                kept = [str(text) for text, count in zip(found, counts, strict=True) if count >= FEWEST]
                categories += [(column, name, text) for text in kept]
        groups = {"": np.ones(len(family), bool)} | {name: family == name for name in families}
        centre, spread = {}, {}
        for name, own in groups.items():
            measured = [_moments(values[own]) for values in numbers.values()]
            centre[name] = tuple(mean for mean, _ in measured)
            spread[name] = tuple(sd for _, sd in measured)
        return FeatureSpace(families, tuple(categories), tuple(numbers), centre, spread)

    def matrix(self, family: Texts, texts: Mapping[str, Texts], numbers: Mapping[str, Floats]) -> Floats:
        """(items, columns) with a constant first."""
        standard = self._standard(family, numbers)
        unknown = [(~np.isfinite(numbers[name])).astype(float) for name in self.numbers]
        columns = [np.ones(len(family)), *standard.T, *unknown]
        for name in self.families:
            own = (family == name).astype(float)
            columns += [OWN_LEVEL * own, *(OWN_SLOPE * own * values for values in standard.T)]
        columns += [
            ((family == name) & (texts[column] == text)).astype(float) for column, name, text in self.categories
        ]
        return np.column_stack(columns)

    def _standard(self, family: Texts, numbers: Mapping[str, Floats]) -> Floats:
        raw = np.column_stack([numbers[name] for name in self.numbers])
        out = np.zeros_like(raw)
        for name in np.unique(family):
            key, own = str(name) if str(name) in self.families else "", family == name
            out[own] = (raw[own] - np.asarray(self.centre[key])) / np.asarray(self.spread[key])
        return np.clip(np.nan_to_num(out, nan=0.0, posinf=0.0, neginf=0.0), -4.0, 4.0)

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return 1 + 2 * len(self.numbers) + len(self.families) * (1 + len(self.numbers)) + len(self.categories)

    @staticmethod
    def from_json(data: Mapping[str, Any], numbers: Sequence[str]) -> FeatureSpace:
        """The space that ``to_json`` wrote, over the columns ``numbers``; ValueError, … where it is none."""
        families = tuple(str(name) for name in data["families"])
        wanted = {"", *families}
        moments = {
            key: {name: plain_numbers(data[key][name], len(numbers)) for name in wanted} for key in ("centre", "spread")
        }
        if list(data["numbers"]) != list(numbers) or not all(
            value for row in moments["spread"].values() for value in row
        ):
            raise ValueError("its numbers are not those of this version")
        categories = tuple((str(column), str(family), str(text)) for column, family, text in data["categories"])
        return FeatureSpace(families, categories, tuple(numbers), moments["centre"], moments["spread"])


@dataclass(frozen=True, slots=True)
class Logistic:
    """P(yes) = σ(matrix · weights)."""

    weights: tuple[float, ...]

    @staticmethod
    def fit(matrix: Floats, yes: Floats, penalty: float = 1.0) -> Logistic:
        """Least mean log loss plus a ridge on all but the constant, whose own is small: finite where all say yes."""
        from scipy.optimize import minimize

        ridge = np.full(matrix.shape[1], penalty)
        ridge[0] = 1e-3
        count = max(len(yes), 1)

        def loss(weights: Floats) -> tuple[float, Floats]:
            logits = matrix @ weights
            value = float(np.sum(np.logaddexp(0, logits) - yes * logits) + 0.5 * ridge @ weights**2)
            return value / count, (matrix.T @ (_sigmoid(logits) - yes) + ridge * weights) / count

        start = np.zeros(matrix.shape[1])
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-7}
        )
        return Logistic(tuple(float(weight) for weight in found.x))

    def __call__(self, matrix: Floats) -> Floats:
        return _sigmoid(matrix @ np.asarray(self.weights))


@dataclass(frozen=True, slots=True)
class LogLinear:
    """A positive amount: exp(matrix · weights) × ``scale``, which makes the mean over the fitted items right."""

    weights: tuple[float, ...]
    scale: float

    @staticmethod
    def fit(matrix: Floats, amount: Floats, penalty: float = 1.0) -> LogLinear:
        """Ridge regression of log (1 + amount)."""
        ridge = np.diag([1e-9, *[penalty] * (matrix.shape[1] - 1)])
        weights = np.linalg.solve(matrix.T @ matrix + ridge, matrix.T @ np.log1p(amount))
        scale = float(amount.sum() / max(np.exp(matrix @ weights).sum(), GRAIN))
        return LogLinear(tuple(float(weight) for weight in weights), scale)

    def __call__(self, matrix: Floats) -> Floats:
        return np.asarray(np.exp(np.clip(matrix @ np.asarray(self.weights), -20, 20)) * self.scale, float)


def plain_numbers(values: Any, count: int) -> tuple[float, ...]:
    """``count`` finite numbers; ValueError for anything else."""
    found = tuple(float(value) for value in values)
    if len(found) != count or not np.isfinite(found).all() or isinstance(values, str):
        raise ValueError(f"{count} finite numbers expected")
    return found


def log_odds(p: Floats) -> Floats:
    """log p/(1 − p) with p kept from 0 and 1 by a thousandth; NaN stays NaN."""
    kept = np.clip(p, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(kept) - np.log1p(-kept), float)


def folds(count: int, parts: int = 5, seed: int = 0) -> Sequence[NDArray[np.intp]]:
    """Indices of ``parts`` disjoint folds of nearly equal size, drawn at random."""
    return np.array_split(np.random.default_rng(seed).permutation(count), parts)


def _moments(values: Floats) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    spread = float(known.std())
    return float(known.mean()), spread if spread > GRAIN else 1.0


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))), float)
