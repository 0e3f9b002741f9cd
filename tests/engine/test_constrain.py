"""Texts held to a grammar: they follow it, cost nothing to their neighbours, and tell the model's own probability."""

from __future__ import annotations

import re

import pytest

from scalecurve.models import Model, open_model, resolve_rung
from scalecurve.models.cached import request_key
from scalecurve.types import Output, Request, Rung

NUMBER = Request("\nQ: Where was Kralsim born?\nA: ", max_tokens=8, stop=("\n",), grammar="start: / ?[0-9]{1,3}/")
FREE = Request("\nQ: What is 12+13?\nA: ", max_tokens=8, stop=("\n",))


def answers(model: Model, *requests: Request) -> list[Output]:
    outputs = [Output()] * len(requests)
    model.run(requests, outputs.__setitem__)
    return outputs


@pytest.fixture(scope="module", params=["packed", "plain"])
def model(request: pytest.FixtureRequest) -> Model:
    rung = resolve_rung("lab:lab-12k")
    options = {"engine": "plain"} if request.param == "plain" else {}
    return open_model(Rung(rung.name, rung.backend, rung.location, options=options))


def test_a_text_follows_its_grammar_and_its_neighbour_none(model: Model) -> None:
    assert model.constrains
    (alone,) = answers(model, FREE)
    held, free = answers(model, NUMBER, FREE)
    assert re.fullmatch("[0-9]{1,3}", held.texts[0])
    assert free.texts == alone.texts


def test_sampled_texts_follow_it_too(model: Model) -> None:
    (output,) = answers(model, Request(NUMBER.prompt, max_tokens=8, temperature=1.5, samples=6, grammar=NUMBER.grammar))
    assert len(set(output.texts)) > 1
    assert all(re.fullmatch("[0-9]{1,3}", text) for text in output.texts)


def test_probabilities_are_the_models_own(model: Model) -> None:
    """A forced text is as improbable as the model holds it to be, not as its few allowed rivals make it look."""
    (held,) = answers(model, Request(NUMBER.prompt, max_tokens=4, grammar="start: / ?7/"))
    (scored,) = answers(model, Request(NUMBER.prompt.rstrip(" "), options=(" 7",)))
    assert held.texts == ("7",)
    assert sum(held.text_logprobs[0][: scored.token_counts[0]]) == pytest.approx(scored.logprobs[0], abs=1e-4)
    assert scored.logprobs[0] < -1


def test_a_wrong_grammar_is_an_error_of_its_request_only(model: Model) -> None:
    wrong, free = answers(model, Request("a", max_tokens=2, grammar="start: nothing"), FREE)
    assert "grammar" in wrong.error
    assert not free.error


def test_answers_kept_before_grammars_are_still_found() -> None:
    assert request_key("f", Request("a")) != request_key("f", Request("a", grammar="start: /a/"))
    assert request_key("f", Request("a")).hex().startswith("423cac766c2a5179")
