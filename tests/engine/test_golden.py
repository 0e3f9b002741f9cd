"""The same log-probabilities as lm-evaluation-harness, on the same weights (benchmarks/golden_lm_eval.py made them)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scalecurve.models import open_model, resolve_rung
from scalecurve.types import Output, Request

GOLDEN = json.loads((Path(__file__).parent / "golden_lm_eval.json").read_text())


@pytest.mark.parametrize("engine", ["packs", "plain"])
def test_harness_log_probabilities(engine: str) -> None:
    rung = resolve_rung(GOLDEN["model"])
    model = open_model(rung, device="cpu")
    assert model.fingerprint == GOLDEN["fingerprint"], "new weights: run benchmarks/golden_lm_eval.py again"
    if engine == "plain":
        from dataclasses import replace

        model = open_model(replace(rung, options={"engine": "plain"}), device="cpu")
    found: dict[int, Output] = {}
    model.run([Request(case["prompt"], options=tuple(case["options"])) for case in GOLDEN["cases"]], found.__setitem__)
    for index, case in enumerate(GOLDEN["cases"]):
        assert found[index].logprobs == pytest.approx([logprob for logprob, _ in case["scored"]], abs=1e-3), case
        assert list(found[index].greedy) == [greedy for _, greedy in case["scored"]], case
    assert "truncated" in found[7].flags
