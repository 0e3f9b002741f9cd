"""The error rates that the verdicts promise, on a small simulation; the benchmark of the same name is the large one."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

_spec = importlib.util.spec_from_file_location(
    "operating_characteristics", Path(__file__).resolve().parents[2] / "benchmarks" / "operating_characteristics.py"
)
operating = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = operating
_spec.loader.exec_module(operating)


def said(name, scales, repetitions=40):
    rng = np.random.default_rng((scales, 9))
    return [operating.simulate(name, scales, 1000, rng)[0] for _ in range(repetitions)]


@pytest.mark.parametrize("scales", [6, 12])
@pytest.mark.parametrize(
    "name", ["flat at .40", "line", "concave", "saturating", "inverse", "one bad model", "hinge", "cubic"]
)
def test_nothing_else_is_called_emergent(name, scales):
    assert "emergent" not in said(name, scales, 25)


@pytest.mark.parametrize("scales", [6, 12])
def test_steps_are_found(scales):
    assert said("step", scales).count("emergent") >= 36


@pytest.mark.parametrize("scales", [8])
def test_powers_of_steady_tokens_are_artefacts(scales):
    rng = np.random.default_rng((scales, 9))
    found = [operating.simulate("power p^T", scales, 1000, rng) for _ in range(25)]
    assert [status for *_, status in found].count("metric-artefact") >= 23
    assert "emergent" not in [shape for shape, *_ in found], "shapes are counted before the artefact's label"


@pytest.mark.parametrize(("name", "shape"), [("inverse", "inverse"), ("U", "U"), ("inverted U", "inverted-U")])
def test_turns_are_named(name, shape):
    assert said(name, 8, 20).count(shape) >= 19
