"""Scoring and writing of many architectures, as tiny models, against transformers' own forward pass of each.

All that transformers has are measured by ``benchmarks/architectures.py``, whose table is in ``docs/models.md``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from scalecurve.engine.runner import Runner
from scalecurve.types import Output, Request

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PACKS = (
    "afmoe apertus arcee aria_text axk1 bitnet cohere cohere2 ctrl cwm deepseek_v2 deepseek_v3 dots1 "
    "ernie4_5 exaone4 gemma gemma2 gemma3_text gemma4_text glm glm4 gpt2 gpt_bigcode gpt_neox gpt_oss granite helium "
    "hunyuan_v1_dense internlm3 jais2 llama longcat_flash mimo_v2_flash mistral mixtral modernbert-decoder nanochat "
    "nemotron olmo olmo2 olmo3 opt persimmon phi phi3 qwen2 qwen3 qwen3_moe smollm3 stablelm starcoder2 vaultgemma"
).split()
BRANCHES = "bloom codegen diffllama falcon gpt_neo gptj jamba llama4_text mamba mpt phimoe qwen3_next rwkv".split()


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("architectures")
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def encoder(script: ModuleType) -> Any:
    return script.tokens()


@pytest.mark.parametrize("name", [*PACKS, *BRANCHES])
def test_the_engine_is_the_models_own_forward_pass(name: str, script: ModuleType, encoder: Any) -> None:
    found = script.measure(script.build(name), encoder, count=4)
    assert found["way"] == ("packs" if name in PACKS else "branches"), found["why"]
    assert found["gap"] <= script.NEAR
    assert not found["texts"]


def test_a_model_that_rounds_much_is_no_farther_from_float64_than_its_own_pass(
    script: ModuleType, encoder: Any
) -> None:
    """MiniCPM3's random model gives options of −1,500 nats: its own float32 pass is off by more than ``NEAR``."""
    asked = [Request(prompt, options=script.OPTIONS) for prompt in script.PROMPTS]
    found: dict[int, Output] = {}
    runner = Runner(script.build("minicpm3"), encoder)
    runner.run(asked, found.__setitem__)
    assert runner.way == "packs"

    def scores(dtype: torch.dtype) -> torch.Tensor:
        model, rows = script.build("minicpm3").to(dtype), []
        for request in asked:
            (context,) = encoder.ids([request.prompt])
            for option in request.options:
                ids = encoder.ids([request.prompt + option])[0]
                with torch.inference_mode():
                    table = model(input_ids=torch.tensor([ids[:-1]]), use_cache=False).logits[0].log_softmax(-1)
                rows.append(float(table[range(len(context) - 1, len(table)), ids[len(context) :]].double().sum()))
        return torch.tensor(rows, dtype=torch.float64)

    ours = torch.tensor([score for at in range(len(asked)) for score in found[at].logprobs], dtype=torch.float64)
    exact, own = scores(torch.float64), scores(torch.float32)
    assert float((ours - exact).square().mean().sqrt()) <= 1.25 * float((own - exact).square().mean().sqrt())
    assert float((ours - exact).abs().max()) <= 1.5 * float((own - exact).abs().max())
