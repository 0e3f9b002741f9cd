"""Strategies that draw answers out: two-stage chains, voting, and stated beliefs; replies are written here."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replies import converse

from scalecurve.errors import UserError
from scalecurve.metrics import score
from scalecurve.strategies import FewShotExample, Question, get_strategy
from scalecurve.strategies.belief import ASKERS, WORDINGS, wrong_belief
from scalecurve.strategies.self_consistency import elect, lead_probability, settled
from scalecurve.types import Answer, Example, Output, Request, Task

SUM = Example("s", "1+1?", ("2",))
CHOICE = Example("c", "which?", ("b",), ("a", "b", "d"), (0.0, 1.0, 0.0))
TEXT, OPTIONS = frozenset({"text"}), frozenset({"options"})


def ask(
    name: str,
    example: Example,
    wants: frozenset[str],
    *stages: Sequence[Output],
    settings: Mapping[str, Any] | None = None,
) -> tuple[list[tuple[Request, ...]], Answer]:
    """Run a strategy on prepared replies; returns what it asked at each stage, and its answer."""
    task = Task("t", (example,), ("exact_match",), "exact_match", max_tokens=9)
    return converse(get_strategy(name)(Question(task, FewShotExample(example), wants, settings or {})), *stages)


def text(*said: str, tokens: int = 2, logprob: float = -0.5) -> Output:
    return Output(texts=said, text_logprobs=((logprob,) * tokens,) * len(said), generated_tokens=tokens * len(said))


def scored(*values: float) -> Output:
    return Output(logprobs=values, token_counts=(1,) * len(values), greedy=(False,) * len(values))


# ── Two stages ───────────────────────────────────────────────────────────────────────────────────────────────
def test_zero_shot_chain_has_two_stages() -> None:
    asked, answer = ask("zero_shot_cot", SUM, TEXT, [text(" One and one. ")], [text(" 2.0.\nQ: 9")])
    first = "\nQ: 1+1?\nA: Let's think step by step."
    assert asked[0] == (Request(first, max_tokens=256, stop=("\n\nQ:",)),)
    assert asked[1][0].prompt == f"{first} One and one.  \nTherefore, the answer (arabic numerals) is"
    assert (answer.response, answer.flags) == ("2", ())


def test_zero_shot_chain_takes_any_trigger_and_scores_options_after_the_second_stage() -> None:
    settings = {"trigger": "First,", "answer_trigger": "Hence"}
    asked, answer = ask(
        "zero_shot_cot", CHOICE, OPTIONS, [text(" b", tokens=256)], [scored(-3.0, -1.0, -2.0)], settings=settings
    )
    assert asked[0][0].prompt.endswith("\nA: First,")
    assert asked[1] == (Request(f"{asked[0][0].prompt} b \nHence", options=(" a", " b", " d")),)
    assert (answer.options, answer.option_logprobs) == (CHOICE.options, (-3.0, -1.0, -2.0))
    assert (answer.text, answer.response, answer.flags) == (None, None, ())


def test_an_answer_that_is_not_found_is_counted_and_wrong() -> None:
    _, answer = ask("zero_shot_cot", SUM, TEXT, [text(" hm")], [text(" many")])
    task = Task("t", (SUM,), ("exact_match",), "exact_match")
    assert answer.response is None
    assert [score(task, SUM, answer, metric) for metric in ("extraction_rate", "exact_match")] == [0.0, 0.0]


def test_the_published_rule_does_not_compare_numbers_by_value() -> None:
    for rule, response in (("kojima", "2.0"), ("robust", "2")):
        _, answer = ask("zero_shot_cot", SUM, TEXT, [text("")], [text(" 2.0")], settings={"extraction": rule})
        assert answer.response == response


# ── Votes ────────────────────────────────────────────────────────────────────────────────────────────────────
def says(*answers: str) -> list[str]:
    return [f" The answer is {answer}." for answer in answers]


def test_majority_of_samples() -> None:
    asked, answer = ask(
        "self_consistency", SUM, TEXT, [text(*says("3", "2", "x", "2.0", "3", "2"))], settings={"samples": 6}
    )
    assert (asked[0][0].samples, asked[0][0].temperature) == (6, 0.7)
    assert (answer.response, answer.text, answer.flags) == ("2", " The answer is 2.", ("votes:3/6", "unparsed:1"))
    assert len(answer.samples) == 6


def test_ties_go_to_the_earliest_and_no_vote_is_no_answer() -> None:
    assert elect(["3", "2", "2", "3"], [1.0] * 4) == "3"
    assert elect([None, None], [1.0] * 2) is None
    _, answer = ask("self_consistency", SUM, TEXT, [text("x", "y")], settings={"samples": 2})
    assert (answer.response, answer.text, answer.flags) == (None, "x", ("unparsed:2",))


def test_probability_weighted_vote() -> None:
    reply = Output(texts=tuple(says("3", "3", "2")), text_logprobs=((-2.0, -2.0), (-2.0,), (-0.1,) * 9))
    for vote, response in (("majority", "3"), ("probability", "2")):
        _, answer = ask("self_consistency", SUM, TEXT, [reply], settings={"samples": 3, "vote": vote})
        assert answer.response == response


@pytest.mark.parametrize(
    ("first", "second", "probability", "stop"),
    [
        (3, 0, 0.9375, False),
        (4, 0, 0.96875, True),
        (5, 1, 0.9375, False),
        (6, 1, 0.964844, True),
        (7, 2, 0.9453, False),
        (8, 2, 0.967285, True),
    ],
)
def test_beta_stop(first: int, second: int, probability: float, stop: bool) -> None:
    assert float(lead_probability(first, second)) == pytest.approx(probability, abs=5e-5)
    assert settled(["a"] * first + [None] + ["b"] * second) is stop


@given(st.integers(0, 60), st.integers(0, 60))
def test_lead_probability_is_symmetric(first: int, second: int) -> None:
    assert lead_probability(first, second) + lead_probability(second, first) == Fraction(1)


def test_adaptive_sampling_stops_when_settled() -> None:
    stages = [[text(*says("2"))] for _ in range(4)]
    asked, answer = ask("self_consistency", SUM, TEXT, *stages, settings={"samples": 40, "adaptive": True})
    assert (len(asked), len(answer.samples), answer.response) == (4, 4, "2")
    assert len({request.seed for (request,) in asked}) == 4


@pytest.mark.parametrize("settings", [{"samples": 0}, {"samples": True}, {"vote": "all"}, {"temperature": 0.0}])
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="settings"):
        ask("self_consistency", SUM, TEXT, settings=settings)


# ── Beliefs ──────────────────────────────────────────────────────────────────────────────────────────────────
def stated(arm: str, example: Example = CHOICE, **settings: Any) -> tuple[str, Answer]:
    asked, answer = ask(f"belief_{arm}", example, OPTIONS, [scored(-3.0, -1.0, -2.0)], settings=settings)
    return asked[0][0].prompt, answer


def test_arms_of_belief() -> None:
    plain, none = stated("none")
    right, answer = stated("right", belief_wording=1)
    assert right == plain.replace("which?", "I think the answer is b. which?")
    assert (none.flags, answer.flags) == ((), ("stated:b", "leak"))
    wrong, answer = stated("wrong", belief_wording=1, belief_asker="expert")
    option = wrong_belief(CHOICE, 0)
    assert option in ("a", "d")
    assert f"Q: I am an expert in this field. I think the answer is {option}. which?" in wrong
    assert answer.flags == (f"stated:{option}",)
    assert answer.options == CHOICE.options


@pytest.mark.parametrize("wording", range(1, len(WORDINGS) + 1))
@pytest.mark.parametrize("asker", ASKERS)
def test_the_irrelevant_statement_is_as_long_as_the_wrong_one(wording: int, asker: str) -> None:
    wrong, _ = stated("wrong", belief_wording=wording, belief_asker=asker)
    beside, answer = stated("irrelevant", belief_wording=wording, belief_asker=asker)
    assert len(beside.split()) == len(wrong.split())
    assert answer.flags == ()


def test_the_wrong_belief_is_the_same_in_every_wording_and_varies_over_seeds() -> None:
    flags = {stated("wrong", belief_wording=wording)[1].flags for wording in range(5)}
    assert len(flags) == 1
    assert {wrong_belief(CHOICE, seed) for seed in range(20)} == {"a", "d"}


def test_a_wrong_belief_needs_options() -> None:
    with pytest.raises(UserError, match="no wrong option"):
        stated("wrong", SUM)
    with pytest.raises(UserError, match="belief_asker"):
        stated("wrong", belief_asker="king")


# ── The model's own statement ────────────────────────────────────────────────────────────────────────────────
def test_a_model_is_asked_again_with_its_own_statement() -> None:
    asked, answer = ask("belief_own", CHOICE, OPTIONS, [text(" it is d, I hope. Or not")], [scored(-3.0, -1.0, -2.0)])
    assert asked[0] == (Request("\nQ: which?\nOne fact about this is that", max_tokens=40, stop=("\n",)),)
    plain, _ = stated("none")
    assert asked[1][0].prompt == plain.replace("which?", "One fact about this is that it is d, I hope. which?")
    assert (answer.samples, answer.flags, answer.generated_tokens) == (
        ("One fact about this is that it is d, I hope.",),
        (),
        2,
    )


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        (" The answer is B.", ("leak",)),
        (" A big bear.", ()),
        ("  ", ("unstated",)),
        (" .", ("unstated",)),
    ],
)
def test_statements_that_give_the_answer_away_are_flagged(said: str, flags: tuple[str, ...]) -> None:
    asked, answer = ask("belief_own", CHOICE, OPTIONS, [text(said)], [scored(-3.0, -1.0, -2.0)])
    assert answer.flags == flags
    if flags == ("unstated",):
        assert asked[1][0].prompt == stated("none")[0]
