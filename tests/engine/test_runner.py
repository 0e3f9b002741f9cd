"""From requests to outputs through a saved model: what a user of ``open_model`` sees."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import Call

from scalecurve.errors import UserError
from scalecurve.models import open_model
from scalecurve.types import Output, Request, Rung

from .conftest import letters, tiny
from .test_faults import first_gpt


def ask(rung: Rung, requests: Sequence[Request], **how: Any) -> list[Output]:
    model = open_model(rung, device="cpu", **how)
    outputs: dict[int, Output] = {}

    def on_output(index: int, output: Output) -> None:
        assert index not in outputs, "each request is answered once"
        outputs[index] = output

    model.run(requests, on_output)
    model.close()
    return [outputs[i] for i in range(len(requests))]


def requests() -> list[Request]:
    source = random.Random(4)
    made: list[Request] = []
    for _ in range(2):
        shots = "".join(source.choices("abcdefgh \n", k=60))
        for n in range(8):
            question = f"{shots}Q: {n}{source.choice('xyz')}\nA: "
            made.append(Request(question, options=("yes", "no", "perhaps not")))
            made.append(Request(question, max_tokens=8, stop=("\n",)))
    return [*made, Request("", options=("a", "bc")), Request("", max_tokens=3), made[0]]


def assert_same(a: Sequence[Output], b: Sequence[Output]) -> None:
    for one, other in zip(a, b, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
        assert one.text_logprobs == other.text_logprobs or [
            pytest.approx(row, abs=1e-4) for row in one.text_logprobs
        ] == list(other.text_logprobs)
        assert replace(one, logprobs=(), text_logprobs=()) == replace(other, logprobs=(), text_logprobs=())


@pytest.fixture
def rung(saved_model: Path) -> Rung:
    return Rung("tiny", "transformers", str(saved_model))


def test_results_do_not_depend_on_batches_or_order(rung: Rung) -> None:
    every = requests()
    expected = ask(rung, every)
    assert not any(output.error for output in expected)
    assert_same(ask(rung, every, batch_tokens=20), expected)
    assert_same(ask(rung, every[::-1])[::-1], expected)
    assert_same([ask(rung, [request])[0] for request in every[:4]], expected[:4])


def test_plain_batching_gives_the_same(rung: Rung) -> None:
    plain = replace(rung, options={"engine": "plain"})
    assert_same(ask(plain, requests()), ask(rung, requests()))


@pytest.mark.parametrize("shares", [True, False])
def test_a_model_without_packs_answers_with_a_note(
    shares: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tiny("bloom") if shares else first_gpt()).save_pretrained(tmp_path)
    letters().save_pretrained(tmp_path)
    with caplog.at_level(logging.INFO, logger="scalecurve"):
        outputs = ask(Rung("bloom", "transformers", str(tmp_path)), requests())
    said = "BloomForCausalLM: prefixes are shared by copied states" if shares else "plain batching for OpenAIGPTLMHead"
    assert said in caplog.text
    assert not any(output.error for output in outputs)
    assert len({output.texts for output in outputs if output.texts}) > 1


@pytest.mark.parametrize("shares", [True, False])
def test_a_runs_summary_says_why_a_model_shares_no_prefixes(shares: bool, tmp_path: Path, call: Call) -> None:
    folder = tmp_path / "gpt"
    (tiny("llama") if shares else first_gpt()).save_pretrained(folder)
    letters().save_pretrained(folder)
    how = ("--limit", "2", "--out", tmp_path / "run", "--quiet", "--cache", tmp_path / "answers.sqlite")
    for _ in range(2):  # the second time everything is on disk
        said = call("run", "--model", folder, "--task", "lab:facts_choice", *how)
        assert said.code == 0, said.err
        slow = [line for line in said.out.splitlines() if line.startswith("slow: ")]
        why = "computes shared prefixes anew for each question: its attention is not transformers' common one"
        assert slow == ([] if shares else [f"slow: gpt {why}"])


def test_outputs_say_what_was_computed(rung: Rung) -> None:
    scored, merged, written, sampled, nothing = ask(
        rung,
        [
            Request("ab ", options=("c", "de")),
            Request("", options=("abc",)),
            Request("ab", max_tokens=4),
            Request("ab", max_tokens=4, temperature=1.0, samples=3),
            Request("ab", max_tokens=0),
        ],
    )
    assert (scored.token_counts, scored.prompt_tokens, scored.flags) == ((2, 3), 2, ())
    assert (merged.token_counts, merged.prompt_tokens) == ((3,), 1)
    assert written.generated_tokens == len(written.text_logprobs[0]) <= 4
    assert len(sampled.texts) == len(sampled.text_logprobs) == 3
    assert (nothing.texts, nothing.generated_tokens) == (("",), 0)


def test_samples_depend_on_seed_and_prompt_alone(rung: Rung) -> None:
    one = Request("ab", max_tokens=6, temperature=1.5, samples=3)
    alone = ask(rung, [one])[0]
    among = ask(rung, [*requests(), one, replace(one, seed=1), replace(one, samples=5)])
    assert among[-3].texts == alone.texts
    assert among[-2].texts != alone.texts
    assert among[-1].texts[:3] == alone.texts


def test_greedy_samples_are_made_once(rung: Rung) -> None:
    (output,) = ask(rung, [Request("ab", max_tokens=5, samples=4)])
    assert len(set(output.texts)) == 1
    assert len(output.texts) == 4
    assert output.generated_tokens <= 5


def test_what_is_too_long_is_cut_or_fails(rung: Rung) -> None:
    long, option, text = ask(
        rung,
        [
            Request("a" * 300, options=("b",)),
            Request("a", options=("b" * 300,)),
            Request("a" * 300, max_tokens=6),
        ],
    )
    assert long.flags == ("truncated",)
    assert long.prompt_tokens == 256
    assert "300 tokens" in option.error
    assert (text.flags, text.prompt_tokens) == (("truncated",), 250)


def test_texts_as_long_as_the_context_get_half_of_it(rung: Rung) -> None:
    short, cut, half = ask(
        rung,
        [Request("ab", max_tokens=256), Request("a" * 300, max_tokens=999), Request("ab", max_tokens=128)],
    )
    assert short.flags == ("shortened",)
    assert (short.texts, short.generated_tokens) == (half.texts, half.generated_tokens)
    assert (cut.flags, cut.prompt_tokens) == (("shortened", "truncated"), 128)
    assert half.flags == ()


def test_many_windows_are_answered(rung: Rung, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ask(rung, requests())
    monkeypatch.setattr("scalecurve.engine.batching.WINDOW_REQUESTS", 5)
    assert_same(ask(rung, requests()), expected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"backend": "torch"}, "backend: unknown 'torch'"),
        ({"location": "/no/such/folder"}, "location: /no/such/folder is not a directory"),
        ({"options": {"max_lenght": 5}}, "options: unknown 'max_lenght'"),
        ({"options": {"max_length": 0}}, "max_length must be a whole number"),
        ({"backend": "gguf", "location": "no.gguf"}, "is not a file"),
        ({"backend": "gguf", "location": "package:nothing"}, "no package is known"),
    ],
)
def test_what_a_user_gets_wrong_is_named(rung: Rung, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match="tiny: ") as caught:
        open_model(replace(rung, **changes), device="cpu")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_refused(rung: Rung, saved_model: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((saved_model / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match=r"no \.safetensors file"):
        open_model(replace(rung, location=str(tmp_path)))


def test_identity_follows_weights_tokenizer_and_dtype(rung: Rung, saved_model: Path, tmp_path: Path) -> None:
    def identity(at: Rung, **how: Any) -> str:
        return open_model(at, device="cpu", **how).fingerprint

    first = identity(rung)
    assert identity(replace(rung, name="other"), batch_tokens=7) == first
    assert identity(rung, dtype="bfloat16") != first
    assert identity(replace(rung, options={"max_length": 9})) != first
    tiny("llama").save_pretrained(tmp_path)
    letters().save_pretrained(tmp_path)
    copy = replace(rung, location=str(tmp_path))
    assert identity(copy) == first
    weights = bytearray((tmp_path / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    assert identity(copy) != first


def test_parameters_are_counted(rung: Rung) -> None:
    model = open_model(rung, device="cpu")
    layer = 32 * 32 * 2 + 2 * 32 * 16 + 3 * 32 * 64 + 2 * 32
    assert model.parameters() == (3 * layer + 32, 3 * layer + 32 + 2 * 97 * 32)
    assert model.count_tokens("abc") == 3
