"""The vLLM backend with vLLM itself replaced at its boundary: it cannot be installed without a GPU."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from scalecurve.errors import UserError
from scalecurve.models import open_model
from scalecurve.models.mock import fraction
from scalecurve.types import Output, Request, Rung


class Tokenizer:
    """One token a character."""

    bos_token_id, eos_token_id, bos_token, eos_token = 1, 2, "<", ">"

    def __call__(self, texts: list[str], *, add_special_tokens: bool, **_: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [[1] * add_special_tokens + [ord(c) for c in text] for text in texts]}


def told(ids: list[int], at: int) -> SimpleNamespace:
    value = -5 * fraction(str(ids[: at + 1]))
    return SimpleNamespace(logprob=value, rank=1 if value > -2.5 else 4)


class LLM:
    """``generate`` as vLLM 0.10 and later define it; ``asked`` keeps what it was given."""

    asked: list[tuple[list[int], Any]]

    def __init__(self, **how: Any) -> None:
        assert how["trust_remote_code"] is False
        self.asked = LLM.asked = []
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=how.get("max_model_len", 100)))

    def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    def generate(self, prompts: list[dict[str, list[int]]], how: Any, use_tqdm: bool) -> list[Any]:
        each = how if isinstance(how, list) else [how] * len(prompts)
        return [self._reply(prompt["prompt_token_ids"], params) for prompt, params in zip(prompts, each, strict=True)]

    def _reply(self, ids: list[int], how: Any) -> Any:
        self.asked.append((ids, how))
        assert len(ids) + how.max_tokens <= self.llm_engine.model_config.max_model_len
        steps = [{ids[at]: told(ids, at), -1: None} for at in range(len(ids))]
        ended = "length" if how.max_tokens <= 2 else "stop"
        logprobs = [{65: told(ids, 0)}, {66: told(ids, 0)}]
        named = getattr(how, "logprob_token_ids", None)
        if named is not None:
            assert not hasattr(how, "prompt_logprobs"), "one way or the other"
            assert len(named) <= 128
            best = max([*named, 99], key=lambda token: told([*ids, token], len(ids)).logprob)
            tells = {token: told([*ids, token], len(ids)) for token in {*named, best}}
            chosen = SimpleNamespace(token_ids=[best], text="?", logprobs=[tells], finish_reason="length")
            return SimpleNamespace(prompt_logprobs=None, outputs=[chosen])
        step = SimpleNamespace(token_ids=[65, 66], text="AB", logprobs=logprobs, finish_reason=ended)
        return SimpleNamespace(prompt_logprobs=[None, *steps[1:]], outputs=[step] * getattr(how, "n", 1))


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> Rung:
    module = ModuleType("vllm")
    module.LLM = LLM
    module.SamplingParams = SimpleNamespace
    monkeypatch.setitem(sys.modules, "vllm", module)
    return Rung("big", "vllm", "someone/big")


def ask(rung: Rung, *requests: Request) -> list[Output]:
    found: dict[int, Output] = {}
    open_model(rung).run(requests, found.__setitem__)
    return [found[i] for i in range(len(requests))]


def test_options_are_summed_over_their_prompt_log_probabilities(rung: Rung) -> None:
    scored, text, failed = ask(
        rung, Request("ab ", options=("c", "de")), Request("ab ", max_tokens=2, samples=2), Request("ab", options=("",))
    )
    ids = [1, 97, 98, 32, 100, 101]
    expected = [told(ids, at) for at in (3, 4, 5)]
    assert scored.logprobs[1] == pytest.approx(sum(each.logprob for each in expected))
    assert scored.greedy[1] == all(each.rank == 1 for each in expected)
    assert (scored.token_counts, scored.prompt_tokens) == ((2, 3), 3)
    assert text.texts == ("AB", "AB")
    assert (text.generated_tokens, text.cut) == (4, (True, True))
    assert LLM.asked[-1][0] == [1, 97, 98], "trailing spaces are held back"
    assert "no token of its own" in failed.error


def test_options_of_one_token_are_read_off_the_next_one_of_their_prompt(rung: Rung) -> None:
    letters, mixed = ask(rung, Request("ab", options=("c", "d", "c")), Request("ab", options=("c", "de")))
    assert [ids for ids, _ in LLM.asked] == [[1, 97, 98], [1, 97, 98, 99], [1, 97, 98, 100, 101]]
    values = [told([1, 97, 98, ord(option)], 3).logprob for option in "cdc"]
    assert letters.logprobs == pytest.approx(values)
    assert letters.greedy == tuple(value == max(values) for value in values)
    assert (letters.token_counts, letters.prompt_tokens) == ((1, 1, 1), 3)
    assert mixed.logprobs[0] == pytest.approx(values[0]), "both ways give one number"


def test_many_letters_are_asked_for_in_parts(rung: Rung) -> None:
    options = tuple(chr(200 + n) for n in range(300))
    (output,) = ask(rung, Request("ab", options=options))
    assert [len(how.logprob_token_ids) for _, how in LLM.asked] == [128, 128, 44]
    assert output.logprobs == pytest.approx([told([1, 97, 98, ord(one)], 3).logprob for one in options])


def test_a_vllm_that_knows_no_named_tokens_is_asked_for_prompts(rung: Rung, monkeypatch: pytest.MonkeyPatch) -> None:
    def old(*, logprob_token_ids: None = None, **how: Any) -> SimpleNamespace:
        if logprob_token_ids is not None:
            raise TypeError("Unexpected keyword argument 'logprob_token_ids'")
        return SimpleNamespace(**how)

    expected = ask(rung, Request("ab", options=("c", "d")))[0].logprobs
    monkeypatch.setattr(sys.modules["vllm"], "SamplingParams", old)
    assert ask(rung, Request("ab", options=("c", "d")))[0].logprobs == pytest.approx(expected)
    assert [ids for ids, _ in LLM.asked] == [[1, 97, 98, 99], [1, 97, 98, 100]]


def test_what_is_too_long_keeps_two_ids_fewer(rung: Rung) -> None:
    short = Rung(rung.name, rung.backend, rung.location, options={"max_length": 8})
    (output,) = ask(short, Request("abcdefghijkl", options=("xy",)))
    assert output.flags == ("truncated",)
    assert LLM.asked[0][0] == [ord(c) for c in "hijklxy"]


def test_a_chat_is_put_in_turns_and_ends_with_them(rung: Rung, monkeypatch: pytest.MonkeyPatch) -> None:
    class ChatTokenizer(Tokenizer):
        added_tokens_decoder, all_special_ids = {ord("/"): "/"}, [1, 2]

        def __call__(self, texts: Any, *, add_special_tokens: bool, **how: Any) -> Any:
            found = super().__call__(
                [texts] if isinstance(texts, str) else texts, add_special_tokens=add_special_tokens
            )
            return {"input_ids": found["input_ids"][0]} if isinstance(texts, str) else found

        def get_chat_template(self) -> str:
            return "the template"

        def apply_chat_template(self, turns: list[dict[str, str]], *, add_generation_prompt: bool, **_: Any) -> str:
            return "".join(f"{turn['role'][0]}:{turn['content']}/" for turn in turns) + "a:" * add_generation_prompt

    monkeypatch.setattr(LLM, "get_tokenizer", lambda _: ChatTokenizer())
    chat = Rung(rung.name, rung.backend, rung.location, options={"chat": True, "max_length": 40})
    ask(chat, Request("hi ", options=(" no",)), Request("hi", max_tokens=2))
    (scored, _), (written, how) = LLM.asked
    assert scored == [1, *map(ord, "u:hi/a:no")]
    assert (written, how.stop_token_ids) == ([1, *map(ord, "u:hi/a:")], [ord("/")])
    assert open_model(chat).fingerprint != open_model(rung).fingerprint


def test_without_vllm_the_fix_is_named() -> None:
    with pytest.raises(UserError, match="pip install vllm"):
        open_model(Rung("big", "vllm", "someone/big"))
