"""Folders that are no whole causal language model are refused in one line; what is read is in the identity."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from engine.conftest import GROUPED, letters, tiny
from safetensors.torch import load_file, save_file

from scalecurve.errors import UserError
from scalecurve.models import open_model
from scalecurve.types import Output, Request, Rung

Weights = dict[str, torch.Tensor]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny("llama").save_pretrained(tmp_path)
    letters().save_pretrained(tmp_path)
    return tmp_path


def opened(folder: Path, **options: Any) -> Any:
    return open_model(Rung("tiny", "transformers", str(folder), options=options), device="cpu")


def refusal(folder: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        opened(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def ask(model: Any, *requests: Request) -> list[Output]:
    found: dict[int, Output] = {}
    model.run(requests, found.__setitem__)
    return [found[n] for n in range(len(requests))]


def rewrite(folder: Path, change: Callable[[Weights], Weights]) -> None:
    weights = change(load_file(folder / "model.safetensors"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def settings(folder: Path, name: str = "config.json", **changes: Any) -> None:
    path = folder / name
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | changes))


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (lambda w: {k: v for k, v in w.items() if k != "lm_head.weight"}, "lm_head.weight;"),
        (
            lambda w: {k: v for k, v in w.items() if ".layers.1." not in k},
            "model.layers.1.input_layernorm.weight and 8",
        ),
        (lambda w: {f"module.{k}": v for k, v in w.items()}, "they hold module.lm_head.weight instead"),
        (lambda w: w | {"model.norm.weight": torch.ones(5)}, "model.norm.weight"),
    ],
)
def test_weights_that_are_missing_are_named(folder: Path, change: Any, missing: str) -> None:
    rewrite(folder, change)
    assert missing in refusal(folder)


def test_a_tied_head_is_not_missing(tmp_path: Path) -> None:
    config = transformers.LlamaConfig(**GROUPED, tie_word_embeddings=True)
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path)
    letters().save_pretrained(tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    assert opened(tmp_path).fallback == ""


def test_weights_that_are_not_used_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rewrite(folder, lambda w: w | {"model.layers.9.extra": torch.zeros(2)})
    with caplog.at_level(logging.WARNING, logger="scalecurve"):
        opened(folder)
    assert "model.layers.9.extra, which the model does not use" in caplog.text


TROCR = {
    "vocab_size": 97,
    "cross_attention_hidden_size": 16,
    "d_model": 16,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 16,
}
SMALL = {"vocab_size": 97, "d_model": 16, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: transformers.LlamaForSequenceClassification(transformers.LlamaConfig(**GROUPED)), "reward model"),
        (
            lambda: transformers.BertForMaskedLM(transformers.BertConfig(**SMALL, intermediate_size=16)),
            "a bidirectional encoder (BertForMaskedLM)",
        ),
        (
            lambda: transformers.RobertaForMaskedLM(transformers.RobertaConfig(**SMALL, intermediate_size=16)),
            "a bidirectional encoder (RobertaForMaskedLM)",
        ),
        (
            lambda: transformers.T5ForConditionalGeneration(
                transformers.T5Config(vocab_size=97, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2)
            ),
            "an encoder-decoder model (T5ForConditionalGeneration)",
        ),
        (
            lambda: transformers.BartForConditionalGeneration(
                transformers.BartConfig(
                    vocab_size=97, d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16,
                    decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2,
                )
            ),
            "an encoder-decoder model (BartForConditionalGeneration)",
        ),
        (
            lambda: transformers.VisionEncoderDecoderModel(
                encoder=transformers.ViTModel(transformers.ViTConfig(**SMALL, intermediate_size=16, image_size=32)),
                decoder=transformers.TrOCRForCausalLM(transformers.TrOCRConfig(**TROCR)),
            ),
            "an encoder-decoder model (VisionEncoderDecoderModel)",
        ),
    ],
)  # fmt: skip
def test_what_is_no_causal_model_is_refused(make: Any, words: str, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    letters().save_pretrained(tmp_path)
    assert words in refusal(tmp_path)


def test_a_model_that_says_otherwise_each_time_is_refused(tmp_path: Path) -> None:
    shape = {"axial_pos_shape": (16, 16), "axial_pos_embds_dim": (16, 16), "is_decoder": True, "vocab_size": 97}
    heads = {"num_attention_heads": 2, "attention_head_size": 16, "feed_forward_size": 32, "eos_token_id": 1}
    model = transformers.ReformerModelWithLMHead(
        transformers.ReformerConfig(hidden_size=32, attn_layers=["local", "lsh"], **shape, **heads)
    )
    model.save_pretrained(tmp_path)
    letters().save_pretrained(tmp_path)
    assert "attention by random hashes says otherwise each time" in refusal(tmp_path)


def test_adapters_are_never_left_aside(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    alone = tmp_path_factory.mktemp("adapter")
    settings(alone, "adapter_config.json", base_model_name_or_path="some/base", peft_type="LORA")
    save_file({"x": torch.zeros(1)}, alone / "adapter_model.safetensors")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(alone / name, folder)
    assert "has adapter files beside the model" in refusal(folder)


def test_a_quantisation_nobody_knows_is_refused(folder: Path) -> None:
    settings(folder, quantization_config={"quant_method": "madeup"})
    assert "does not know 'madeup'" in refusal(folder)


def test_code_of_a_models_own_is_never_run(folder: Path) -> None:
    code = {"AutoConfig": "configuration_my.MyConfig", "AutoModelForCausalLM": "modeling_my.MyLM"}
    settings(folder, model_type="my_arch", auto_map=code)
    (folder / "configuration_my.py").write_text("raise SystemExit")
    assert "needs code of its own, which is never run" in refusal(folder)


@pytest.mark.parametrize("length", [-1, 0])
def test_a_length_that_is_none_is_not_taken(folder: Path, length: int) -> None:
    settings(folder, max_position_embeddings=length)
    assert opened(folder).runner.encoder.max_length > 1000


def test_end_tokens_of_generation_are_in_the_identity(folder: Path) -> None:
    before = opened(folder).fingerprint
    settings(folder, "generation_config.json", eos_token_id=[1, 5])
    assert opened(folder).fingerprint != before


def test_answers_kept_are_not_those_of_other_end_tokens(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    kept = tmp_path_factory.mktemp("kept") / "answers.sqlite"
    rung, asked = Rung("tiny", "transformers", str(folder)), Request("ab", max_tokens=6)
    before = ask(open_model(rung, device="cpu", cache=kept), asked)[0].texts
    settings(folder, "generation_config.json", eos_token_id=list(range(97)))
    after = ask(open_model(rung, device="cpu", cache=kept), asked)[0].texts
    assert before != after == ("",)


def test_weights_that_are_no_numbers_give_errors_and_no_texts(folder: Path) -> None:
    rewrite(folder, lambda w: w | {"model.norm.weight": w["model.norm.weight"] * float("nan")})
    scored, written = ask(opened(folder), Request("ab", options=("c",)), Request("ab", max_tokens=3))
    assert scored.error == written.error == "the model gave a log-probability that is not a number"
    assert written.texts == ()


def test_an_end_that_the_tokenizer_appends_is_taken_off(folder: Path) -> None:
    from tokenizers import processors

    plain = ask(opened(folder, add_bos_token=True), Request("ab", options=("c", "de")), Request("ab", max_tokens=3))
    tokenizer = letters()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.save_pretrained(folder)
    without = {"add_bos_token": False}
    asked = [Request("ab", options=("c", "de")), Request("ab", max_tokens=3)]
    letters().save_pretrained(folder)
    bare = ask(opened(folder, **without), *asked)
    tokenizer.save_pretrained(folder)
    assert ask(opened(folder, **without), *asked) == bare
    for options in ({}, {"add_bos_token": True}):
        appended = ask(opened(folder, **options), Request("ab", options=("c", "de")), Request("ab", max_tokens=3))
        assert appended == plain


def test_a_configuration_that_does_not_fit_itself_is_told_in_one_line(tmp_path: Path) -> None:
    sizes = {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    transformers.GPTJForCausalLM(transformers.GPTJConfig(**sizes, rotary_dim=64)).save_pretrained(tmp_path)
    letters().save_pretrained(tmp_path)
    assert "its own forward pass fails" in refusal(tmp_path)


# ── Chat ─────────────────────────────────────────────────────────────────────────────────────────────────────
THINKING = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>"
    "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}{% endif %}"
)
PARTS = "{% for m in messages %}{% for c in m.content %}[{{ c.text }}]{% endfor %}{% endfor %}"


def with_template(folder: Path, template: str) -> Path:
    (folder / "chat_template.jinja").write_text(template)
    return folder


def test_thinking_is_turned_off_when_told(folder: Path) -> None:
    with_template(folder, THINKING)
    assert opened(folder, chat=True)._chat.text("Who?") == "<user>Who?<assistant>"
    assert opened(folder, chat=True, enable_thinking=False)._chat.text("Who?").endswith("<assistant><think></think>")
    assert "enable_thinking must be true or false" in refusal(folder, chat=True, enable_thinking="no")
    assert "needs chat" in refusal(folder, enable_thinking=False)


def test_content_in_parts_is_rendered_and_a_template_that_renders_nothing_refused(folder: Path) -> None:
    assert opened(with_template(folder, PARTS), chat=True)._chat.text("Who?") == "[Who?]"
    assert "leaves out the user's turn" in refusal(with_template(folder, "hello"), chat=True)
