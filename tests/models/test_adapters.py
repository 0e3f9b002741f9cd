"""Adapters are applied as peft applies them, whole, or refused in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from engine.conftest import letters, tiny
from safetensors.torch import load_file, save_file

from scalecurve.errors import UserError
from scalecurve.models import open_model
from scalecurve.models.local import open_tokens
from scalecurve.types import Output, Request, Rung

REQUESTS = (Request("ab and so on ", options=("c", "de", "a longer one")), Request("ab and", max_tokens=4))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    tiny("llama").save_pretrained(tmp_path / "base")
    letters().save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def trained(base: Path, folder: Path, settings: Any) -> Path:
    """An adapter of ``base`` whose weights are random, so that it changes what the model says by nats."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(1)
    model = peft.get_peft_model(transformers.AutoModelForCausalLM.from_pretrained(base), settings)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(std=0.3)
    model.save_pretrained(folder)
    return folder


def lora(**more: Any) -> Any:
    peft = pytest.importorskip("peft")
    return peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM", **more)


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return trained(base, tmp_path / "adapter", lora())


def opened(folder: Path, **options: Any) -> Any:
    return open_model(Rung("tiny", "transformers", str(folder), options=options), device="cpu")


def ask(model: Any) -> list[Output]:
    found: dict[int, Output] = {}
    model.run(REQUESTS, found.__setitem__)
    return [found[n] for n in range(len(REQUESTS))]


def refusal(folder: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        opened(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@torch.inference_mode()
def truth(base: Path, folder: Path) -> list[float]:
    """Log-probabilities of the options by transformers and peft, the adapter not merged."""
    import peft

    model = peft.PeftModel.from_pretrained(transformers.AutoModelForCausalLM.from_pretrained(base), folder).eval()
    tokenizer, found = letters(), []
    context = tokenizer(REQUESTS[0].prompt.rstrip())["input_ids"]
    for option in REQUESTS[0].options:
        own = tokenizer(" " + option, add_special_tokens=False)["input_ids"]
        table = model(input_ids=torch.tensor([[*context, *own][:-1]])).logits[0].log_softmax(-1)
        found.append(float(table[range(len(context) - 1, len(table)), own].sum()))
    return found


def test_an_adapter_says_what_it_says_under_peft(base: Path, tmp_path: Path) -> None:
    plain = ask(opened(base))[0].logprobs
    kinds = (lora(), lora(use_rslora=True), lora(use_dora=True), lora(modules_to_save=["lm_head"]))
    for number, settings in enumerate(kinds):
        folder = trained(base, tmp_path / str(number), settings)
        model = opened(folder)
        found = ask(model)[0].logprobs
        assert found == pytest.approx(truth(base, folder), abs=1e-4)
        assert max(abs(a - b) for a, b in zip(found, plain, strict=True)) > 0.1
        assert model.fallback == ""


def test_the_base_may_be_named_and_the_tokenizer_be_the_adapters_own(adapter: Path, base: Path) -> None:
    expected = ask(opened(adapter))
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": "/gone/away"}))
    assert "/gone/away" in refusal(adapter)
    assert ask(opened(adapter, base=str(base))) == expected
    rung = Rung("tiny", "transformers", str(adapter), options={"base": str(base)})
    assert open_tokens(rung).ids(["ab"]) == open_tokens(Rung("tiny", "transformers", str(base))).ids(["ab"])
    letters().save_pretrained(adapter)
    for path in base.glob("tokenizer*"):
        path.unlink()
    assert ask(opened(adapter, base=str(base))) == expected


def test_the_identity_is_of_both(adapter: Path, base: Path) -> None:
    before = opened(adapter).fingerprint
    assert before != opened(base).fingerprint
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(settings | {"lora_alpha": 16}))
    assert opened(adapter).fingerprint != before


Weights = dict[str, torch.Tensor]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: {k: v for k, v in w.items() if "layers.1.mlp.down_proj.lora_B" not in k}, "lack base_model"),
        (lambda w: w | {"base_model.model.model.layers.9.x.lora_A.weight": torch.ones(4, 4)}, "nothing uses"),
    ],
)
def test_an_adapter_is_applied_whole_or_not(adapter: Path, change: Callable[[Weights], Weights], words: str) -> None:
    path = adapter / "adapter_model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    assert words in refusal(adapter)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"r": 10**9}, "larger than its weights"),
        ({"megatron_config": {"a": 1}, "megatron_core": "antigravity"}, "names code to import"),
        ({"base_model_name_or_path": None}, "options.base"),
    ],
)
def test_settings_of_strangers_are_refused(adapter: Path, settings: dict[str, Any], words: str) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    assert words in refusal(adapter)


def test_what_cannot_be_merged_or_is_a_pickle_is_refused(base: Path, adapter: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    soft = trained(base, tmp_path / "soft", peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))
    assert "cannot be merged" in refusal(soft)
    assert "is an adapter of an adapter" in refusal(adapter, base=str(soft))
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert "no adapter_model.safetensors" in refusal(adapter)


def test_without_peft_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "some/base"}))
    save_file({"x": torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    assert "is a LoRA adapter of some/base, which takes peft: pip install" in refusal(tmp_path)
